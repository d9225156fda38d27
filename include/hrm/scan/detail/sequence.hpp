#pragma once

#include <string_view>

#include <hrm/core/error.hpp>
#include <hrm/linalg/detail/lane_order.hpp>
#include <hrm/scan/detail/dense_recurrence.hpp>
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

/// next = A x + z of W rows from row i on.
template <int W, real S>
void dot_rows(matrix_view<const S> a, index_t i, const S* x, const S* z, S* next) {
    using V = simd::pack<double, W>;
    V even, odd{};
    load_wide<W>(even, z + i);
    const auto add = [&](V& to, const V& column, S factor) {
        V wide;
        simd::spread<double, W>(wide, static_cast<double>(factor));
        simd::multiply_add<double, W>(to, column, wide);
    };
    index_t j = 0;
    if constexpr (W == simd::lanes<double>)
        for (; j + W <= a.cols; j += W) {
            V rows[W];
#pragma GCC unroll 8
            for (int r = 0; r < W; ++r) load_wide<W>(rows[r], a.row(i + r) + j);
            simd::turn<double>(rows);
#pragma GCC unroll 8
            for (int k = 0; k < W; ++k) add(k % 2 ? odd : even, rows[k], x[j + k]);
        }
    for (; j < a.cols; ++j) {
        double column[W];
        for (int r = 0; r < W; ++r) column[r] = static_cast<double>(a(i + r, j));
        V c;
        load(c, column);
        add(j % 2 ? odd : even, c, x[j]);
    }
    const V sum = even + odd;
    store_narrow<W>(next + i, sum);
}

/// Dense A without scratch of the caller: up to 64 states A is turned on the stack once a call; beyond (and for a few
/// tokens) a register of rows runs side by side, turned in registers. Sums in the order of dense_rows, so that both round alike.
template <real S>
[[gnu::noinline]] void recur_rows(matrix_view<const S> a, matrix_view<const S> z, matrix_view<S> s, const S* before) {
    constexpr index_t small = 64, worth_turning = 4;
    const index_t n = a.rows;
    if (n <= small && z.rows >= worth_turning) {
        alignas(64) double panels[small * small], x[2 * small];
        fill_panels(a, side::plain, panels);
        std::copy_n(before, n, x);
        dense_track<S> one[] = {{ascending(z), ascending(s), z.rows, x, x + small}};
        recur_panels<double, S>(panels, n, one);
    } else {
        for (index_t t = 0; t < z.rows; ++t) {
            const S* x = t ? s.row(t - 1) : before;
            sweep<double>(0, n, [&]<int P, int W>(index_t i) {
                for (int p = 0; p < P; ++p) dot_rows<W>(a, i + p * W, x, z.row(t), s.row(t));
            });
        }
    }
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

}  // namespace hrm::scan::detail
