#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {
namespace detail {

/// y_r = sum_i x_i w_{r,i} for R rows of W at once, each in the order of hrm::dot, W widened on load. The sums of one row
/// wait for each other's adders: eight rows keep them busy, and x is loaded once.
template <int R, real S, storable W>
void dots(const S* x, const W* w, index_t stride, index_t n, S* y) {
    typedef S part __attribute__((vector_size(16 * sizeof(S))));
    part sum[R] = {};
    S rest[R] = {};
    index_t i = 0;
    for (; i + 16 <= n; i += 16) {
        part v, e;
        std::memcpy(&v, x + i, sizeof v);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const W* const row = w + r * stride + i;
            __builtin_prefetch(row + R * stride);  // rows are too short for the processor to foresee the next ones
            if constexpr (std::same_as<S, W>) std::memcpy(&e, row, sizeof e);
            else
                for (int j = 0; j < 16; ++j) e[j] = static_cast<S>(row[j]);
            sum[r] += v * e;
        }
    }
    for (; i < n; ++i)
        for (int r = 0; r < R; ++r) rest[r] += x[i] * static_cast<S>(w[r * stride + i]);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
        for (int half = 8; half > 0; half /= 2)
#pragma GCC unroll 8
            for (int j = 0; j < half; ++j) sum[r][j] += sum[r][j + half];
        y[r] = sum[r][0] + rest[r];
    }
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
    for (; o + 8 <= w.rows; o += 8)
        for (index_t t = 0; t < x.rows; ++t) detail::dots<8, S, W>(x.row(t), w.row(o), w.stride, w.cols, &y(t, o));
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
template <real S>
void linear_weight_backward(std::type_identity_t<matrix_view<const S>> dy,
                            std::type_identity_t<matrix_view<const S>> x, matrix_view<S> dw) {
    multiply(transposed(dy), x, dw, into::add);
}

}  // namespace hrm
