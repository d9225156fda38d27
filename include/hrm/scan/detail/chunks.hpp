#pragma once

#include <hrm/core/parallel.hpp>
#include <hrm/linalg/detail/matvec.hpp>
#include <hrm/scan/detail/dense_gradient.hpp>
#include <hrm/scan/detail/dense_powers.hpp>
#include <hrm/scan/detail/powers.hpp>
#include <hrm/scan/engine.hpp>

// What the engines that cut time share: chunks of fixed length, and the carry between them in double,
//     c_{k+1} = A^T c_k + e_k,   e_k the last state of chunk k started from zero
// (on the adjoint side from the last chunk to the first, with A^*). Chunks go in waves of a fixed number, so that scratch
// does not grow with time; the carry runs on from wave to wave, and the size of a wave changes no bit.

namespace hrm::scan::detail {

/// Chunks of a batch of sequences; recomputed a call, since a call may be shorter than the plan.
struct chunk_grid {
    index_t batch, time, length;
    index_t chunks() const { return (time + length - 1) / length; }
    index_t items() const { return batch * chunks(); }
    index_t sequence(index_t item) const { return item / chunks(); }
    index_t first(index_t item) const { return item % chunks() * length; }
    index_t rows(index_t item) const { return std::min(length, time - first(item)); }
    /// The chunk that comes `turn`-th in the direction of a side, sequence by sequence.
    index_t at(side which, index_t turn) const {
        const index_t j = turn % chunks();
        return turn - j + (which == side::plain ? j : chunks() - 1 - j);
    }
    template <class T>
    matrix_view<T> slice(matrix_view<T> m, index_t item) const {
        return m.slice_rows(sequence(item) * time + first(item), rows(item));
    }
};

/// A chunk at work, in the direction of a side.
template <real S>
struct chunk_piece {
    track<const S> z;
    track<S> s;
    index_t rows;
    double* edge;  ///< where its last state from zero goes, or what it carries
};

/// The carries of a wave of chunks, for A of one structure.
template <class A>
class carry_table {
public:
    using S = typename A::scalar;
    carry_table(const A& a, index_t wave, index_t length)
        : length_(length), power_(is_dense<A> ? a.order() : 1, a.order()), next_(1, a.order()), ends_(wave, a.order()),
          carries_(wave, a.order()), product_(is_dense<A> ? 1 : 0, a.order()), powers_(is_dense<A> ? a.order() : 0) {}

    index_t wave() const { return ends_.rows(); }
    matrix<double>& ends() { return ends_; }                    ///< in: e_k, row by turn in the wave
    matrix<double>& carries() { return carries_; }              ///< out: c_k
    void prepare(const A& a) {
        if constexpr (is_dense<A>) powers_.raise(a.a, length_, power_);
        else mode_powers(modes<S>(a), length_, power_.view());
    }
    /// For turns [first, first + count). running: batch x n, c of the first chunks in; out what follows the last ones, where
    /// these are of full length.
    void run(const A& a, side which, const chunk_grid& grid, matrix_view<double> running, index_t first, index_t count) {
        const index_t n = a.order();
        double* next = next_.data();
        for (index_t turn = 0; turn < count; ++turn) {
            const index_t item = grid.at(which, first + turn);
            double* c = running.row(grid.sequence(item));
            std::copy_n(c, n, carries_.view().row(turn));
            std::copy_n(ends_.view().row(turn), n, next);
            // The short last chunk comes first on the adjoint side, with nothing to carry.
            if (grid.rows(item) == length_) add_carried(a, which, c, next);
            std::copy_n(next, n, c);
        }
    }

private:
    /// next += A^T c.
    void add_carried(const A& a, side which, const double* c, double* next) {
        if constexpr (is_dense<A>) {
            if (which == side::plain) {
                hrm::detail::times_vector(power_, c, product_.data());
                for (index_t i = 0; i < a.order(); ++i) next[i] += product_.data()[i];
            } else {
                hrm::detail::add_transposed_times(power_, c, next);
            }
        } else {
            const modes<S> m(a);
            const index_t q = m.reals(), k = m.pairs();
            const double* power = power_.data();
            for (index_t i = 0; i < q; ++i) next[i] = power[i] * c[i] + next[i];
            for (index_t i = q; i < q + k; ++i) {
                const double re = power[i], im = which == side::plain ? power[i + k] : -power[i + k];
                next[i] = re * c[i] - im * c[i + k] + next[i];
                next[i + k] = im * c[i] + re * c[i + k] + next[i + k];
            }
        }
    }

    index_t length_;
    matrix<double> power_, next_, ends_, carries_, product_;
    dense_powers<S> powers_;
};

/// da of a batch whose adjoint states are known: spans of fixed length, each summed apart, added in their order.
template <class A>
class mode_gradient {
public:
    using S = typename A::scalar;
    mode_gradient(const A& a, index_t wave) : partial_(wave, a.order()), sum_(1, a.order()) {}

    void clear() { std::fill_n(sum_.data(), sum_.size(), 0.0); }
    void add(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> lambda, index_t batch, team& threads) {
        const modes<S> m(a);
        const chunk_grid grid{batch, s.rows / batch, span};
        for (index_t start = 0, count; start < grid.items(); start += count) {
            count = std::min(partial_.rows(), grid.items() - start);
            threads.run(count, [&](index_t turn, int) {
                const index_t item = start + turn, b = grid.sequence(item), time = grid.time;
                double* sum = partial_.view().row(turn);
                std::fill_n(sum, partial_.cols(), 0.0);
                with_previous<S>(lambda.slice_rows(b * time, time), s.slice_rows(b * time, time), row_or_null(initial, b),
                                 grid.first(item), grid.rows(item), [&](matrix_view<const S> l, matrix_view<const S> x) {
                                     add_gradient<S>(m, all_columns(m), ascending(l), ascending(x), l.rows, sum);
                                 });
            });
            for (index_t turn = 0; turn < count; ++turn)
                for (index_t i = 0; i < sum_.cols(); ++i) sum_(0, i) += partial_(turn, i);
        }
    }
    void take(std::span<S> da) const { add_partials<S>(sum_, da); }

private:
    static constexpr index_t span = 1024;
    matrix<double> partial_, sum_;
};

}  // namespace hrm::scan::detail
