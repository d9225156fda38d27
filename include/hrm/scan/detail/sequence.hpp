#pragma once

#include <string_view>

#include <hrm/core/error.hpp>
#include <hrm/scan/detail/gradient.hpp>

// One whole sequence: what an engine repeats over the batch, and the free functions do once.

namespace hrm::scan::detail {

template <real S>
void check_sequence(std::string_view where, index_t n, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    require_shape(where, "z", z.rows, z.cols, z.rows, n);
    require_shape(where, "s", s.rows, s.cols, z.rows, n);
    require_size(where, "the state", static_cast<index_t>(state.size()), n);
}
template <real S>
void check_backward(std::string_view where, index_t n, index_t coefficients, matrix_view<const S> s,
                    std::span<const S> initial, matrix_view<S> ds, std::span<S> da, std::span<S> dinitial,
                    std::span<const S> dfinal) {
    require_shape(where, "s", s.rows, s.cols, s.rows, n);
    require_shape(where, "ds", ds.rows, ds.cols, s.rows, n);
    require_size(where, "da", static_cast<index_t>(da.size()), coefficients);
    auto optional = [&](std::string_view what, std::size_t size) {
        if (size) require_size(where, what, static_cast<index_t>(size), n);
    };
    optional("the initial state", initial.size());
    optional("dinitial", dinitial.size());
    optional("dfinal", dfinal.size());
}

/// Dense A without scratch of the caller: up to 64 states A is turned on the stack once a call; beyond (and for a few
/// tokens) eight rows run side by side. Sums in the order of dense_step, so that both forms round alike.
template <real S>
void recur_rows(matrix_view<const S> a, matrix_view<const S> z, matrix_view<S> s, S* state) {
    constexpr index_t small = 64, worth_turning = 4;
    const index_t n = a.rows;
    if (n <= small && z.rows >= worth_turning) {
        alignas(64) double columns[small * small], scratch[2 * small];
        fill_columns(a, side::plain, columns);
        recur_dense<S>(columns, n, ascending(z), ascending(s), z.rows, state, scratch);
        return;
    }
    for (index_t t = 0; t < z.rows; ++t) {
        const S* x = t ? s.row(t - 1) : state;
        S* next = s.row(t);
        for (index_t i0 = 0; i0 < n; i0 += 8) {
            const index_t rows = std::min<index_t>(8, n - i0);
            double even[8], odd[8] = {};
            for (index_t r = 0; r < rows; ++r) even[r] = static_cast<double>(z(t, i0 + r));
            for (index_t j = 0; j + 2 <= n; j += 2)
                for (index_t r = 0; r < rows; ++r) {
                    even[r] += static_cast<double>(a(i0 + r, j)) * static_cast<double>(x[j]);
                    odd[r] += static_cast<double>(a(i0 + r, j + 1)) * static_cast<double>(x[j + 1]);
                }
            if (n % 2)
                for (index_t r = 0; r < rows; ++r)
                    even[r] += static_cast<double>(a(i0 + r, n - 1)) * static_cast<double>(x[n - 1]);
            for (index_t r = 0; r < rows; ++r) next[i0 + r] = static_cast<S>(even[r] + odd[r]);
        }
    }
    if (z.rows) std::copy_n(s.row(z.rows - 1), n, state);
}

/// Rows of s one step earlier: the state before the first row is `initial`, or zero when null.
/// Calls f(lambda rows, previous rows) on the spans where the previous state is not zero.
template <real S, class F>
void with_previous(matrix_view<S> lambda, matrix_view<const S> s, const S* initial, index_t first, index_t count, F&& f) {
    if (first == 0) {
        if (initial) f(matrix_view<const S>(lambda.slice_rows(0, 1)), matrix_view<const S>(initial, 1, s.cols));
        ++first, --count;
    }
    if (count > 0) f(matrix_view<const S>(lambda.slice_rows(first, count)), s.slice_rows(first - 1, count));
}

/// Steps between which lambda is still in cache when the gradient reads it again.
inline constexpr index_t backward_span = 512;

/// lambda in place of ds, da += (double), dinitial = A^* lambda_1. Null pointers: not there.
/// scratch: 2 n zeros.
template <real S>
void backward_sequence(const modes<S>& a, column_range part, matrix_view<const S> s, const S* initial, matrix_view<S> ds,
                       double* da, S* dinitial, const S* dfinal, S* scratch) {
    const index_t time = s.rows, q = a.reals(), k = a.pairs();
    S *lambda = scratch, *zero = scratch + a.order();
    auto each = [&](auto&& f) {
        for (index_t i = part.real_first; i < part.real_last; ++i) f(i);
        for (index_t i = part.pair_first; i < part.pair_last; ++i) f(q + i), f(q + k + i);
    };
    if (dfinal) {
        S* last = time ? ds.row(time - 1) : dinitial;
        if (last) each([&](index_t i) { last[i] = (time ? last[i] : S{0}) + dfinal[i]; });
    }
    for (index_t end = time; end > 0;) {
        const index_t first = (end - 1) / backward_span * backward_span, count = end - first;
        const auto rows = descending(ds.slice_rows(first, count));
        recur<S>(a, side::adjoint, part, {rows.first, rows.step}, rows, count, lambda);
        with_previous<S>(ds, s, initial, first, count, [&](matrix_view<const S> l, matrix_view<const S> x) {
            add_gradient<S>(a, part, ascending(l), ascending(x), l.rows, da);
        });
        end = first;
    }
    if (dinitial && time) {
        recur<S>(a, side::adjoint, part, {zero, 0}, {}, 1, lambda);
        each([&](index_t i) { dinitial[i] = lambda[i]; });
    } else if (dinitial && !dfinal) {
        each([&](index_t i) { dinitial[i] = S{0}; });
    }
}

/// Scratch of one dense backward: columns aside, the running lambda and a gradient tile in S, the recurrence's doubles.
template <real S>
struct dense_scratch {
    S* lambda;        ///< n zeros
    S* zero;          ///< n zeros
    S* tile;          ///< n x n
    double* doubles;  ///< 2 n
};

/// The same for a dense A given by the columns of A^T.
template <real S>
void backward_sequence_dense(const double* columns, matrix_view<const S> s, const S* initial, matrix_view<S> ds,
                             double* da, S* dinitial, const S* dfinal, dense_scratch<S> scratch) {
    const index_t time = s.rows, n = s.cols;
    if (dfinal) {
        S* last = time ? ds.row(time - 1) : dinitial;
        for (index_t i = 0; last && i < n; ++i) last[i] = (time ? last[i] : S{0}) + dfinal[i];
    }
    for (index_t end = time; end > 0;) {
        const index_t first = (end - 1) / backward_span * backward_span, count = end - first;
        const auto rows = descending(ds.slice_rows(first, count));
        recur_dense<S>(columns, n, {rows.first, rows.step}, rows, count, scratch.lambda, scratch.doubles);
        with_previous<S>(ds, s, initial, first, count, [&](matrix_view<const S> l, matrix_view<const S> x) {
            add_gradient_dense<S>(l, x, da, scratch.tile);
        });
        end = first;
    }
    if (dinitial && time) {
        recur_dense<S>(columns, n, {scratch.zero, 0}, {}, 1, scratch.lambda, scratch.doubles);
        std::copy_n(scratch.lambda, n, dinitial);
    } else if (dinitial && !dfinal) {
        std::fill_n(dinitial, n, S{0});
    }
}

}  // namespace hrm::scan::detail
