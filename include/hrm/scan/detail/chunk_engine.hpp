#pragma once

#include <array>
#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/adjoint_step.hpp>
#include <hrm/scan/detail/chunks.hpp>
#include <hrm/scan/detail/piecewise.hpp>

namespace hrm::scan::detail {

/// Three passes over each wave of chunks: Kernel::start gives every chunk's last state from zero (and may write its
/// states); the carry runs over the chunks in double; Kernel::finish brings the states to their carry. One task a chunk, or
/// as many as the kernel takes together; one thread takes one task's at a time, which are then still in cache when finished.
template <class Kernel, class A>
class chunk_engine : public piecewise<chunk_engine<Kernel, A>, A> {
public:
    using S = typename A::scalar;
    using carried = double;

    chunk_engine(cpu where, const A& a, shape extents, index_t length)
        : team_(std::make_unique<team>(where)), length_(length), running_(extents.batch, a.order()), lambda_(extents.batch, a.order()),
          kept_(static_cast<std::size_t>(coefficients(a)), nothing<S>), kernel_(a, length, team_->size()),
          carry_(a, wave(), length), gradient_(make_gradient(a)), adjoint_(a) {}

    team& threads() { return *team_; }

    matrix_view<double> running() { return running_; }
    shape piece(index_t rows) const {
        const index_t time = std::max<index_t>(1, rows / length_) * length_;
        return {std::clamp<index_t>(rows / time, 1, running_.rows()), time};
    }

    void begin(const A& a, index_t) { prepare(a); }
    void advance(const A& a, index_t first, index_t count, matrix_view<const S> z, matrix_view<S> s) {
        run(a, side::plain, running_.view().slice_rows(first, count), z, s);
    }

    void begin_backward(const A& a) {
        prepare(a);
        gradient_.clear();
        std::fill_n(lambda_.data(), lambda_.size(), 0.0);
    }
    void retreat(const A& a, index_t first, index_t count, matrix_view<const S> s, matrix_view<const S> before, matrix_view<S> ds) {
        run(a, side::adjoint, lambda_.view().slice_rows(first, count), ds, ds);
        if constexpr (is_dense<A>) gradient_.add(s, before, ds, count, *team_);
        else gradient_.add(a, s, before, ds, count, *team_);
    }
    void finish_backward(const A& a, std::span<S> da, matrix_view<S> dinitial) {
        gradient_.take(da);
        adjoint_.apply(a, lambda_.view(), dinitial);
    }

private:
    void prepare(const A& a) {
        turned_ = false;
        if (remember(kept_, a) && ready_) return;
        ready_ = false;  // what follows may throw
        kernel_.prepare(a);
        carry_.prepare(a);
        ready_ = true;
    }
    void run(const A& a, side which, matrix_view<double> edge, matrix_view<const S> z, matrix_view<S> s) {
        const chunk_grid grid{edge.rows, z.rows / edge.rows, length_};
        if (!turned_ || turned_to_ != which) kernel_.turn(a, which);
        turned_ = true, turned_to_ = which;
        for (index_t first = 0, count; first < grid.items(); first += count) {
            count = std::min(carry_.wave(), grid.items() - first);
            auto each = [&](matrix<double>& edges, auto&& f) {
                team_->run((count + together - 1) / together, [&](index_t task, int worker) {
                    std::array<chunk_piece<S>, static_cast<std::size_t>(together)> pieces;
                    const index_t turn = task * together, some = std::min(together, count - turn);
                    for (index_t i = 0; i < some; ++i) {
                        const index_t item = grid.at(which, first + turn + i);
                        pieces[static_cast<std::size_t>(i)] = {along<const S>(which, grid.slice(z, item)), along(which, grid.slice(s, item)),
                                                               grid.rows(item), edges.view().row(turn + i)};
                    }
                    f(std::span(pieces).first(static_cast<std::size_t>(some)), worker);
                });
            };
            each(carry_.ends(), [&](std::span<chunk_piece<S>> pieces, int worker) { kernel_.start(a, which, pieces, worker); });
            carry_.run(a, which, grid, edge, first, count);
            each(carry_.carries(), [&](std::span<chunk_piece<S>> pieces, int worker) { kernel_.finish(a, which, pieces, worker); });
        }
    }
    /// Threads meet twice a wave, a microsecond or, where one sleeps, 20 and more: waves of 24576 steps, whose edges take a chunk and a half.
    index_t wave() const { return team_->size() == 1 ? together : std::max<index_t>(8 * team_->size(), 24576 / length_); }
    static constexpr index_t together = Kernel::together;
    auto make_gradient(const A& a) const {
        if constexpr (is_dense<A>) return dense_gradient<S>(a.order(), team_->size());
        else return mode_gradient<A>(a, team_->size() == 1 ? 1 : 8 * team_->size());
    }

    std::unique_ptr<team> team_;
    index_t length_;
    matrix<double> running_, lambda_;  ///< of every sequence
    bool turned_ = false;              ///< whether the kernel knows A, and on which side
    side turned_to_ = side::plain;
    buffer<S> kept_;      ///< the coefficients whose powers are ready
    bool ready_ = false;  ///< whether they are
    Kernel kernel_;
    carry_table<A> carry_;
    std::conditional_t<is_dense<A>, dense_gradient<S>, mode_gradient<A>> gradient_;
    adjoint_step<A> adjoint_;
};

}  // namespace hrm::scan::detail
