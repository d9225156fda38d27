#pragma once

#include <array>
#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/chunks.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan::detail {

/// Three passes over each wave of chunks: Kernel::start gives every chunk's last state from zero (and may write its
/// states); the carry runs over the chunks in double; Kernel::finish brings the states to their carry. One task a chunk, or
/// as many as the kernel takes together; one thread takes one task's at a time, which are then still in cache when finished.
template <class Kernel, class A>
class chunk_engine {
public:
    using S = typename A::scalar;

    chunk_engine(cpu where, const A& a, shape extents, index_t length)
        : team_(std::make_unique<team>(where)), batch_(extents.batch), length_(length),
          kept_(static_cast<std::size_t>(coefficients(a)), nothing<S>), kernel_(a, length, team_->size()),
          carry_(a, wave(), length), gradient_(make_gradient(a)), adjoint_(a) {}

    team& threads() { return *team_; }

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        run(a, side::plain, z, s, initial);
        copy_final<S>(s, initial, final, batch_);
    }

    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        add_final<S>(ds, dfinal, batch_);
        run(a, side::adjoint, ds, ds, {});
        if constexpr (is_dense<A>) gradient_.run(s, initial, ds, batch_, da, *team_);
        else gradient_.run(a, s, initial, ds, batch_, da, *team_);
        finish_initial<S>(dinitial, dfinal, ds, batch_, [&](S* state) { adjoint_.apply(a, state); });
    }

private:
    void run(const A& a, side which, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial) {
        const chunk_grid grid{batch_, z.rows / batch_, length_};
        if (const bool same = remember(kept_, a); !same || !ready_) {
            ready_ = false;  // what follows may throw
            kernel_.prepare(a);
            carry_.prepare(a);
            ready_ = true;
        }
        kernel_.turn(a, which);
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
            carry_.run(a, which, grid, initial, first, count);
            each(carry_.carries(), [&](std::span<chunk_piece<S>> pieces, int worker) { kernel_.finish(a, which, pieces, worker); });
        }
    }
    /// Threads meet twice a wave, which costs them some 20 us: waves of 32768 steps.
    index_t wave() const { return team_->size() == 1 ? together : std::max<index_t>(8 * team_->size(), 32768 / length_); }
    static constexpr index_t together = Kernel::together;
    auto make_gradient(const A& a) const {
        if constexpr (is_dense<A>) return dense_gradient<S>(a.order(), team_->size());
        else return mode_gradient<A>(a, wave());
    }

    std::unique_ptr<team> team_;
    index_t batch_, length_;
    buffer<S> kept_;      ///< the coefficients whose powers are ready
    bool ready_ = false;  ///< whether they are
    Kernel kernel_;
    carry_table<A> carry_;
    std::conditional_t<is_dense<A>, dense_gradient<S>, mode_gradient<A>> gradient_;
    adjoint_step<A> adjoint_;
};

}  // namespace hrm::scan::detail
