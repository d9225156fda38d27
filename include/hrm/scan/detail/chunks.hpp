#pragma once

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/batch.hpp>
#include <hrm/scan/detail/powers.hpp>
#include <hrm/scan/engine.hpp>

// What the engines that cut time share: chunks of fixed length, and the carry between them in double,
//     c_{k+1} = A^T c_k + e_k,   e_k the last state of chunk k started from zero
// (on the adjoint side from the last chunk to the first, with A^*).

namespace hrm::scan::detail {

/// Chunks of a batch of sequences; recomputed a call, since a call may be shorter than the plan.
struct chunk_grid {
    index_t batch, time, length;
    index_t chunks() const { return (time + length - 1) / length; }
    index_t items() const { return batch * chunks(); }
    index_t sequence(index_t item) const { return item / chunks(); }
    index_t first(index_t item) const { return item % chunks() * length; }
    index_t rows(index_t item) const { return std::min(length, time - first(item)); }
    template <class T>
    matrix_view<T> slice(matrix_view<T> m, index_t item) const {
        return m.slice_rows(sequence(item) * time + first(item), rows(item));
    }
};

/// Rows of a chunk in the direction of a side.
template <class T>
track<T> along(side which, matrix_view<T> m) {
    return which == side::plain ? ascending(m) : descending(m);
}

/// The carry of every chunk, for A of one structure.
template <class A>
class carry_table;

template <has_modes A>
class carry_table<A> {
public:
    using S = typename A::scalar;
    carry_table(const A& a, index_t batch, index_t chunks, index_t length)
        : length_(length), power_(1, a.order()), running_(1, a.order()), ends_(batch * chunks, a.order()),
          carries_(batch * chunks, a.order()) {}

    matrix<S>& ends() { return ends_; }              ///< in: e_k, row by chunk
    const matrix<S>& carries() const { return carries_; }  ///< out: c_k, rounded
    void prepare(const A& structure) {
        const modes<S> a(structure);
        mode_powers(a, length_, power_.view());
    }
    /// initial: batch x n or empty (zero).
    void run(const A& structure, side which, const chunk_grid& grid, matrix_view<const S> initial) {
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs(), n = a.order(), chunks = grid.chunks();
        double* c = running_.data();
        const double* power = power_.data();
        for (index_t b = 0; b < grid.batch; ++b) {
            for (index_t i = 0; i < n; ++i) c[i] = initial.empty() ? 0.0 : static_cast<double>(initial(b, i));
            for (index_t j = 0; j < chunks; ++j) {
                const index_t item = b * chunks + (which == side::plain ? j : chunks - 1 - j);
                for (index_t i = 0; i < n; ++i) carries_(item, i) = static_cast<S>(c[i]);
                const S* end = ends_.view().row(item);
                if (grid.rows(item) < length_) {  // the short last chunk: first on the adjoint side, from zero
                    for (index_t i = 0; i < n; ++i) c[i] = static_cast<double>(end[i]);
                    continue;
                }
                for (index_t i = 0; i < q; ++i) c[i] = power[i] * c[i] + static_cast<double>(end[i]);
                for (index_t i = q; i < q + k; ++i) {
                    const double re = power[i], im = which == side::plain ? power[i + k] : -power[i + k];
                    const double turned = re * c[i] - im * c[i + k] + static_cast<double>(end[i]);
                    c[i + k] = im * c[i] + re * c[i + k] + static_cast<double>(end[i + k]);
                    c[i] = turned;
                }
            }
        }
    }

private:
    index_t length_;
    matrix<double> power_, running_;
    matrix<S> ends_, carries_;
};

template <real S>
class carry_table<dense<S>> {
public:
    carry_table(const dense<S>& a, index_t batch, index_t chunks, index_t length)
        : length_(length), power_(a.order(), a.order()), running_(2, a.order()), ends_(batch * chunks, a.order()),
          carries_(batch * chunks, a.order()),
          scratch_{matrix<long double>(power_.rows(), power_.rows()), matrix<long double>(power_.rows(), power_.rows()),
                   matrix<long double>(power_.rows(), power_.rows())} {}

    matrix<S>& ends() { return ends_; }
    const matrix<S>& carries() const { return carries_; }
    void prepare(const dense<S>& a) { dense_power<S>(a.a, length_, power_, scratch_); }
    void run(const dense<S>& a, side which, const chunk_grid& grid, matrix_view<const S> initial) {
        const index_t n = a.order(), chunks = grid.chunks();
        double *c = running_.data(), *next = c + n;
        for (index_t b = 0; b < grid.batch; ++b) {
            for (index_t i = 0; i < n; ++i) c[i] = initial.empty() ? 0.0 : static_cast<double>(initial(b, i));
            for (index_t j = 0; j < chunks; ++j) {
                const index_t item = b * chunks + (which == side::plain ? j : chunks - 1 - j);
                for (index_t i = 0; i < n; ++i) carries_(item, i) = static_cast<S>(c[i]);
                const bool whole = grid.rows(item) == length_;
                for (index_t i = 0; i < n; ++i) next[i] = static_cast<double>(ends_(item, i));
                for (index_t l = 0; whole && l < n; ++l)
                    for (index_t i = 0; i < n; ++i)
                        next[i] += (which == side::plain ? power_(i, l) : power_(l, i)) * c[l];
                std::copy_n(next, n, c);
            }
        }
    }

private:
    index_t length_;
    matrix<double> power_, running_;
    matrix<S> ends_, carries_;
    matrix<long double> scratch_[3];
};

/// state = A^* state, once.
template <class A>
class adjoint_step {
public:
    using S = typename A::scalar;
    explicit adjoint_step(const A& a)
        : zero_(1, a.order()), columns_(is_dense<A> ? a.order() : 0, a.order()), doubles_(2, a.order()) {}

    void apply(const A& a, S* state) {
        const track<const S> none{zero_.data(), 0};
        if constexpr (is_dense<A>) {
            fill_columns<S>(a.a, side::adjoint, columns_.data());
            recur_dense<S>(columns_.data(), a.order(), none, {}, 1, state, doubles_.data());
        } else {
            const modes<S> m(a);
            recur<S>(m, side::adjoint, all_columns(m), none, {}, 1, state);
        }
    }

private:
    matrix<S> zero_;
    matrix<double> columns_, doubles_;
};

/// da of a batch whose adjoint states are known: spans of fixed length, each summed apart, added in their order.
template <class A>
class gradient_pass {
public:
    using S = typename A::scalar;
    gradient_pass(const A& a, index_t batch, index_t time, int workers)
        : partial_(batch * ((time + span - 1) / span), coefficients(a)),
          tiles_(workers, is_dense<A> ? coefficients(a) : 0) {}

    void run(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> lambda, index_t batch,
             std::span<S> da, team& threads) {
        const chunk_grid grid{batch, s.rows / batch, span};
        std::fill_n(partial_.data(), partial_.size(), 0.0);
        threads.run(grid.items(), [&](index_t item, int worker) {
            const index_t b = grid.sequence(item), time = grid.time;
            with_previous<S>(lambda.slice_rows(b * time, time), s.slice_rows(b * time, time), row_or_null(initial, b),
                             grid.first(item), grid.rows(item), [&](matrix_view<const S> l, matrix_view<const S> x) {
                                 double* sum = partial_.view().row(item);
                                 if constexpr (is_dense<A>) {
                                     add_gradient_dense<S>(l, x, sum, tiles_.view().row(worker));
                                 } else {
                                     const modes<S> m(a);
                                     add_gradient<S>(m, all_columns(m), ascending(l), ascending(x), l.rows, sum);
                                 }
                             });
        });
        add_partials<S>(partial_, da);
    }

private:
    static constexpr index_t span = is_dense<A> ? 4096 : 1024;
    matrix<double> partial_;
    matrix<S> tiles_;
};

}  // namespace hrm::scan::detail
