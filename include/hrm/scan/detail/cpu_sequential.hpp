#pragma once

#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/batch.hpp>
#include <hrm/scan/detail/dense_gradient.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan {

/// Real poles and pairs: one task a sequence and block of states.
template <class A>
    requires detail::has_modes<A>
class engine<cpu, sequential, A> {
public:
    using S = typename A::scalar;

    engine(cpu where, sequential, const A& a, shape extents)
        : team_(std::make_unique<team>(where)), blocks_(modes<S>(a)), partial_(extents.batch, a.order()),
          carry_(extents.batch, 2 * a.order()) {}

    std::string_view algorithm() const { return "sequential"; }
    team& threads() { return *team_; }

    void states(const A& structure, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        const modes<S> a(structure);
        const index_t batch = carry_.rows(), time = z.rows / batch;
        detail::load_rows<S>(carry_, initial);
        team_->run(batch * blocks_.count(), [&](index_t item, int) {
            const index_t b = item / blocks_.count();
            detail::recur<S>(a, detail::side::plain, blocks_[item % blocks_.count()],
                             detail::ascending(z.slice_rows(b * time, time)),
                             detail::ascending(s.slice_rows(b * time, time)), time, carry_.view().row(b));
        });
        detail::store_rows<S>(carry_, final);
    }

    void states_backward(const A& structure, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        const modes<S> a(structure);
        const index_t batch = carry_.rows(), time = s.rows / batch;
        std::fill_n(partial_.data(), partial_.size(), 0.0);
        std::fill_n(carry_.data(), carry_.size(), S{0});
        team_->run(batch * blocks_.count(), [&](index_t item, int) {
            const index_t b = item / blocks_.count();
            detail::backward_sequence<S>(a, blocks_[item % blocks_.count()], s.slice_rows(b * time, time),
                                         detail::row_or_null(initial, b), ds.slice_rows(b * time, time),
                                         partial_.view().row(b), detail::row_or_null(dinitial, b),
                                         detail::row_or_null(dfinal, b), carry_.view().row(b));
        });
        detail::add_partials<S>(partial_, da);
    }

private:
    std::unique_ptr<team> team_;
    detail::mode_blocks blocks_;
    matrix<double> partial_;  ///< dA a sequence
    matrix<S> carry_;         ///< the running state of a sequence, and as many zeros
};

/// Dense A: one task a few sequences, in lockstep.
template <real S>
class engine<cpu, sequential, dense<S>> {
public:
    using A = dense<S>;

    engine(cpu where, sequential, const A& a, shape extents)
        : team_(std::make_unique<team>(where)), panels_(a.order()), doubles_(2 * extents.batch, a.order()), carry_(extents.batch, a.order()),
          zero_(1, a.order()), tracks_(static_cast<std::size_t>(extents.batch)), gradient_(a.order(), team_->size()) {}

    std::string_view algorithm() const { return "sequential"; }
    team& threads() { return *team_; }

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        const index_t batch = carry_.rows(), time = z.rows / batch;
        detail::load_rows<S>(carry_, initial);
        if (time < worth_turning) {
            team_->run(batch, [&](index_t b, int) {
                detail::recur_rows<S>(a.a, z.slice_rows(b * time, time), s.slice_rows(b * time, time), carry_.view().row(b));
            });
        } else {
            panels_.fill(a.a, detail::side::plain);
            for (index_t b = 0; b < batch; ++b) start(b, z.slice_rows(b * time, time), s.slice_rows(b * time, time), detail::side::plain);
            run();
            if (!final.empty())
                for (index_t b = 0; b < batch; ++b) std::copy_n(s.row((b + 1) * time - 1), carry_.cols(), carry_.view().row(b));
        }
        detail::store_rows<S>(carry_, final);
    }

    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        const index_t batch = carry_.rows(), time = s.rows / batch;
        panels_.fill(a.a, detail::side::adjoint);
        detail::add_final<S>(ds, dfinal, batch);
        std::fill_n(carry_.data(), carry_.size(), S{0});
        for (index_t b = 0; b < batch; ++b) start(b, ds.slice_rows(b * time, time), ds.slice_rows(b * time, time), detail::side::adjoint);
        run();
        detail::finish_initial<S>(dinitial, dfinal, ds, batch, [&](S* state) {
            for (index_t i = 0; i < carry_.cols(); ++i) doubles_.data()[i] = static_cast<double>(state[i]);
            detail::dense_track<S> one[] = {{{zero_.data(), 0}, {state, 0}, 1, doubles_.view().row(0), doubles_.view().row(1)}};
            panels_.recur(one);
        });
        gradient_.run(s, initial, ds, batch, da, *team_);
    }

private:
    /// A few tokens are not worth putting A in order for.
    static constexpr index_t worth_turning = 8;
    /// Sequences in lockstep share A; more than eight gain nothing. Who runs beside whom changes no bit.
    static constexpr index_t most_together = 8;

    void start(index_t b, matrix_view<const S> z, matrix_view<S> s, detail::side which) {
        double* x = doubles_.view().row(2 * b);
        for (index_t i = 0; i < carry_.cols(); ++i) x[i] = static_cast<double>(carry_(b, i));
        tracks_[static_cast<std::size_t>(b)] = {detail::along(which, z), detail::along(which, s), z.rows, x, x + carry_.cols()};
    }
    void run() {
        const index_t batch = carry_.rows(), share = (batch + team_->size() - 1) / team_->size(), together = std::min(share, most_together);
        team_->run((batch + together - 1) / together, [&](index_t item, int) {
            const index_t first = item * together;
            panels_.recur(std::span(tracks_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(std::min(together, batch - first))));
        });
    }

    std::unique_ptr<team> team_;
    detail::dense_panels<S> panels_;  ///< of A, or of A^T in the backward
    matrix<double> doubles_;          ///< states in double, two a sequence
    matrix<S> carry_, zero_;          ///< the running state of a sequence
    std::vector<detail::dense_track<S>> tracks_;
    detail::dense_gradient<S> gradient_;
};

}  // namespace hrm::scan
