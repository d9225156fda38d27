#pragma once

#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/batch.hpp>
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

/// Dense A: one task a sequence.
template <real S>
class engine<cpu, sequential, dense<S>> {
public:
    using A = dense<S>;

    engine(cpu where, sequential, const A& a, shape extents)
        : team_(std::make_unique<team>(where)), columns_(a.order(), a.order()),
          partial_(extents.batch, a.order() * a.order()), doubles_(extents.batch, 2 * a.order()),
          carry_(extents.batch, 2 * a.order()), tiles_(extents.batch, a.order() * a.order()) {}

    std::string_view algorithm() const { return "sequential"; }
    team& threads() { return *team_; }

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        const index_t batch = carry_.rows(), time = z.rows / batch;
        detail::fill_columns<S>(a.a, detail::side::plain, columns_.data());
        detail::load_rows<S>(carry_, initial);
        team_->run(batch, [&](index_t b, int) {
            detail::recur_dense<S>(columns_.data(), a.order(), detail::ascending(z.slice_rows(b * time, time)),
                                   detail::ascending(s.slice_rows(b * time, time)), time, carry_.view().row(b),
                                   doubles_.view().row(b));
        });
        detail::store_rows<S>(carry_, final);
    }

    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        const index_t batch = carry_.rows(), time = s.rows / batch, n = a.order();
        detail::fill_columns<S>(a.a, detail::side::adjoint, columns_.data());
        std::fill_n(partial_.data(), partial_.size(), 0.0);
        std::fill_n(carry_.data(), carry_.size(), S{0});
        team_->run(batch, [&](index_t b, int) {
            S* carry = carry_.view().row(b);
            detail::backward_sequence_dense<S>(
                columns_.data(), s.slice_rows(b * time, time), detail::row_or_null(initial, b),
                ds.slice_rows(b * time, time), partial_.view().row(b), detail::row_or_null(dinitial, b),
                detail::row_or_null(dfinal, b), {carry, carry + n, tiles_.view().row(b), doubles_.view().row(b)});
        });
        detail::add_partials<S>(partial_, da);
    }

private:
    std::unique_ptr<team> team_;
    matrix<double> columns_;  ///< of A, or of A^T in the backward
    matrix<double> partial_;  ///< dA a sequence
    matrix<double> doubles_;  ///< states in double, two a sequence
    matrix<S> carry_;         ///< the running state of a sequence, and as many zeros
    matrix<S> tiles_;         ///< n x n a sequence
};

}  // namespace hrm::scan
