#pragma once

#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/dense_gradient.hpp>
#include <hrm/scan/detail/piecewise.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan {

/// Real poles and pairs: one task a sequence and block of states.
template <class A>
    requires detail::has_modes<A>
class engine<cpu, sequential, A> : public detail::piecewise<engine<cpu, sequential, A>, A> {
public:
    using S = typename A::scalar;
    using carried = S;

    engine(cpu where, sequential, const A& a, shape extents)
        : team_(std::make_unique<team>(where)), blocks_(modes<S>(a)), partial_(extents.batch, a.order()),
          running_(extents.batch, a.order()), adjoint_(extents.batch, 2 * a.order()) {}

    std::string_view algorithm() const { return "sequential"; }
    team& threads() { return *team_; }
    matrix_view<S> running() { return running_; }
    shape piece(index_t rows) const {
        const index_t batch = std::min<index_t>(running_.rows(), 4);
        return {batch, std::max<index_t>(1, rows / batch)};
    }

    void begin(const A&, index_t) {}
    void advance(const A& structure, index_t first, index_t count, matrix_view<const S> z, matrix_view<S> s) {
        const modes<S> a(structure);
        const index_t time = z.rows / count;
        team_->run(count * blocks_.count(), [&](index_t item, int) {
            const index_t b = item / blocks_.count();
            detail::recur<S>(a, detail::side::plain, blocks_[item % blocks_.count()],
                             detail::ascending(z.slice_rows(b * time, time)),
                             detail::ascending(s.slice_rows(b * time, time)), time, running_.view().row(first + b));
        });
    }

    void begin_backward(const A&) {
        std::fill_n(partial_.data(), partial_.size(), 0.0);
        std::fill_n(adjoint_.data(), adjoint_.size(), S{0});
    }
    void retreat(const A& structure, index_t first, index_t count, matrix_view<const S> s, matrix_view<const S> before, matrix_view<S> ds) {
        const modes<S> a(structure);
        const index_t time = s.rows / count;
        team_->run(count * blocks_.count(), [&](index_t item, int) {
            const index_t b = item / blocks_.count();
            detail::backward_sequence<S>(a, blocks_[item % blocks_.count()], s.slice_rows(b * time, time),
                                         detail::row_or_null(before, b), ds.slice_rows(b * time, time),
                                         partial_.view().row(first + b), nullptr, nullptr, adjoint_.view().row(first + b));
        });
    }
    void finish_backward(const A& structure, std::span<S> da, matrix_view<S> dinitial) {
        const modes<S> a(structure);
        detail::add_partials<S>(partial_, da);
        for (index_t b = 0; b < dinitial.rows && !dinitial.empty(); ++b) {
            S *lambda = adjoint_.view().row(b), *zero = lambda + a.order();
            detail::recur<S>(a, detail::side::adjoint, detail::all_columns(a), {zero, 0}, {}, 1, lambda);
            std::copy_n(lambda, a.order(), dinitial.row(b));
        }
    }

private:
    std::unique_ptr<team> team_;
    detail::mode_blocks blocks_;
    matrix<double> partial_;  ///< dA a sequence
    matrix<S> running_;       ///< the state of a sequence
    matrix<S> adjoint_;       ///< lambda, and as many zeros
};

/// Dense A: one task a few sequences, in lockstep.
template <real S>
class engine<cpu, sequential, dense<S>> : public detail::piecewise<engine<cpu, sequential, dense<S>>, dense<S>> {
public:
    using A = dense<S>;
    using carried = S;

    engine(cpu where, sequential, const A& a, shape extents)
        : team_(std::make_unique<team>(where)), panels_(a.order()), doubles_(2 * extents.batch, a.order()), running_(extents.batch, a.order()),
          adjoint_(extents.batch, a.order()), zero_(1, a.order()), tracks_(static_cast<std::size_t>(extents.batch)),
          gradient_(a.order(), team_->size()) {}

    std::string_view algorithm() const { return "sequential"; }
    team& threads() { return *team_; }
    matrix_view<S> running() { return running_; }
    shape piece(index_t rows) const {
        const index_t batch = std::min(running_.rows(), most_together);
        return {batch, std::max<index_t>(1, rows / batch)};
    }

    void begin(const A&, index_t steps) {
        turned_ = turned::no;
        by_rows_ = steps < worth_turning;
    }
    void advance(const A& a, index_t first, index_t count, matrix_view<const S> z, matrix_view<S> s) {
        const index_t time = z.rows / count;
        if (by_rows_)
            team_->run(count, [&](index_t b, int) {
                const auto rows = s.slice_rows(b * time, time);
                S* const running = running_.view().row(first + b);
                detail::recur_rows<S>(a.a, z.slice_rows(b * time, time), rows, running);
                if (time > 0) std::copy_n(rows.row(time - 1), rows.cols, running);
            });
        else run(a, detail::side::plain, running_.view().slice_rows(first, count), z, s);
    }

    void begin_backward(const A&) {
        turned_ = turned::no;
        by_rows_ = false;
        gradient_.clear();
        std::fill_n(adjoint_.data(), adjoint_.size(), S{0});
    }
    void retreat(const A& a, index_t first, index_t count, matrix_view<const S> s, matrix_view<const S> before, matrix_view<S> ds) {
        run(a, detail::side::adjoint, adjoint_.view().slice_rows(first, count), ds, ds);
        gradient_.add(s, before, ds, count, *team_);
    }
    void finish_backward(const A&, std::span<S> da, matrix_view<S> dinitial) {
        gradient_.take(da);
        for (index_t b = 0; b < dinitial.rows && !dinitial.empty(); ++b) {  // by the panels of A^T, which are there
            double* x = doubles_.data();
            std::copy_n(adjoint_.view().row(b), zero_.cols(), x);
            detail::dense_track<S> one[] = {{{zero_.data(), 0}, {dinitial.row(b), 0}, 1, x, x + zero_.cols()}};
            panels_.recur(one);
        }
    }

private:
    /// A few tokens are not worth putting A in order for.
    static constexpr index_t worth_turning = 8;
    /// Sequences in lockstep share A; more than eight gain nothing. Who runs beside whom changes no bit.
    static constexpr index_t most_together = 8;
    enum class turned { no, plain, adjoint };

    /// From the states in `edge`, which become the last.
    void run(const A& a, detail::side which, matrix_view<S> edge, matrix_view<const S> z, matrix_view<S> s) {
        const auto wanted = which == detail::side::plain ? turned::plain : turned::adjoint;
        if (turned_ != wanted) panels_.fill(a.a, which), turned_ = wanted;
        const index_t count = edge.rows, n = edge.cols, time = z.rows / count;
        for (index_t b = 0; b < count; ++b) {
            double* x = doubles_.view().row(2 * b);
            for (index_t i = 0; i < n; ++i) x[i] = static_cast<double>(edge(b, i));
            tracks_[static_cast<std::size_t>(b)] = {detail::along(which, z.slice_rows(b * time, time)),
                                                    detail::along(which, s.slice_rows(b * time, time)), time, x, x + n};
        }
        const index_t share = (count + team_->size() - 1) / team_->size(), together = std::min(share, most_together);
        team_->run((count + together - 1) / together, [&](index_t item, int) {
            const auto first = static_cast<std::size_t>(item * together);
            panels_.recur(std::span(tracks_).subspan(first, static_cast<std::size_t>(std::min(together, count - item * together))));
        });
        for (index_t b = 0; b < count && time; ++b) std::copy_n(s.row(b * time + (which == detail::side::plain ? time - 1 : 0)), n, edge.row(b));
    }

    std::unique_ptr<team> team_;
    detail::dense_panels<S> panels_;  ///< of A, or of A^T in the backward
    turned turned_ = turned::no;
    bool by_rows_ = false;
    matrix<double> doubles_;              ///< states in double, two a sequence
    matrix<S> running_, adjoint_, zero_;  ///< the state of a sequence, lambda, and no input
    std::vector<detail::dense_track<S>> tracks_;
    detail::dense_gradient<S> gradient_;
};

}  // namespace hrm::scan
