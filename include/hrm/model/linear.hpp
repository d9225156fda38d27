#pragma once

#include <algorithm>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/detail/lane_order.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {
namespace detail {

/// Rows of W whose sums fill half the registers: enough not to wait for each other's adders. More than four compete for sets of the L1.
template <real S>
inline constexpr int dot_rows = std::clamp(simd::registers / 2 * simd::lanes<S> / 16, 1, 4);

/// y_r = sum_i x_i w_{r,i} for R rows of W at once, each in the order of hrm::dot, W widened on load; x is loaded once.
template <int R, real S, storable W>
void dots(const S* x, const W* w, index_t stride, index_t n, S* y) {
    constexpr int lanes = simd::lanes<S>, packs = 16 / lanes;
    simd::pack<S> sum[R][packs] = {};
    S rest[R] = {};
    index_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const W* here = w + i;
        asm("" : "+r"(here));  // or every row would get a pointer of its own, and most of them no register
        simd::pack<S> v[packs], e;
#pragma GCC unroll 8
        for (int p = 0; p < packs; ++p) simd::load<S>(v[p], x + i + p * lanes);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const W* const row = here + r * stride;
            __builtin_prefetch(row + R * stride);  // rows are too short for the processor to foresee the next ones
#pragma GCC unroll 8
            for (int p = 0; p < packs; ++p) {
                simd::load<S>(e, row + p * lanes);
                simd::multiply_add<S>(sum[r][p], v[p], e);
            }
        }
    }
    for (; i < n; ++i)
        for (int r = 0; r < R; ++r) rest[r] += x[i] * static_cast<S>(w[r * stride + i]);
    S part[R][16];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int p = 0; p < packs; ++p) simd::store<S>(part[r] + p * lanes, sum[r][p]);
    simd::pack<S, 4> all[4] = {}, quarter[4];  // the rows' lanes at once: halves onto halves
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) simd::load<S, 4>(quarter[q], part[r] + 4 * q);
        all[r] = (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
    }
    simd::turn_parts<S, 4>(all);
    all[0] = (all[0] + all[2]) + (all[1] + all[3]);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) y[r] = all[0][r] + rest[r];
}

}  // namespace detail

/// z = x + y, row by row.    All alike.
template <real S>
void sum(std::type_identity_t<matrix_view<const S>> x, std::type_identity_t<matrix_view<const S>> y, matrix_view<S> z) {
    for (index_t t = 0; t < z.rows; ++t) {
        const S *a = x.row(t), *b = y.row(t);
        S* out = z.row(t);
        for (index_t j = 0; j < z.cols; ++j) out[j] = a[j] + b[j];
    }
}

/// y = x.
template <real S>
void copy(std::type_identity_t<matrix_view<const S>> x, matrix_view<S> y) {
    for (index_t t = 0; t < y.rows; ++t) std::copy(x.row(t), x.row(t) + x.cols, y.row(t));
}

/// y = x W^T.    x: L x in;  w: out x in;  y: L x out.  2 L in out flop; W may be bf16.
/// A few rows go by dot products: packing W for the blocked product would cost more than the product.
template <real S, storable W>
void linear_forward(std::type_identity_t<matrix_view<const S>> x, matrix_view<const W> w, matrix_view<S> y) {
    constexpr index_t few = 4;
    require_shape("hrm::linear_forward", "x", x.rows, x.cols, y.rows, w.cols);
    require_shape("hrm::linear_forward", "y", y.rows, y.cols, x.rows, w.rows);
    if (x.rows >= few) return multiply(x, transposed(w), y);
    index_t o = 0;
    constexpr int together = detail::dot_rows<S>;
    for (; o + together <= w.rows; o += together)
        for (index_t t = 0; t < x.rows; ++t) detail::dots<together, S, W>(x.row(t), w.row(o), w.stride, w.cols, &y(t, o));
    for (; o < w.rows; ++o)
        for (index_t t = 0; t < x.rows; ++t) detail::dots<1, S, W>(x.row(t), w.row(o), w.stride, w.cols, &y(t, o));
}

/// dx (+)= dy W.    dy: L x out;  w: out x in;  dx: L x in.
template <real S, storable W>
void linear_backward(std::type_identity_t<matrix_view<const S>> dy, matrix_view<const W> w, matrix_view<S> dx,
                     into how = into::overwrite) {
    multiply(dy, w, dx, how);
}

/// dW += dy^T x.    dy: L x out;  x: L x in;  dw: out x in.
/// One row, or two, are added to dW as they lie, each row of which is read and written once: by blocks of many rows it took four times as long.
template <real S>
void linear_weight_backward(std::type_identity_t<matrix_view<const S>> dy,
                            std::type_identity_t<matrix_view<const S>> x, matrix_view<S> dw) {
    if (x.rows > 2) return multiply(transposed(dy), x, dw, into::add);
    require_shape("hrm::linear_weight_backward", "dy", dy.rows, dy.cols, x.rows, dw.rows);
    require_shape("hrm::linear_weight_backward", "dW", dw.rows, dw.cols, dy.cols, x.cols);
    for (index_t o = 0; o < dw.rows; ++o)
        for (index_t t = 0; t < x.rows; ++t) axpy<S>(dy(t, o), x.row(t), dw.row(o), dw.cols);
}

}  // namespace hrm
