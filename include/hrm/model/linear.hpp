#pragma once

#include <algorithm>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {
namespace detail {

/// sum_i x_i w_i with w widened on load; the order of hrm::dot.
template <real S, storable W>
S widening_dot(const S* x, const W* w, index_t n) {
    if constexpr (std::same_as<S, W>) {
        return dot(x, w, n);
    } else {
        S part[16] = {};
        index_t i = 0;
        for (; i + 16 <= n; i += 16)
            for (int j = 0; j < 16; ++j) part[j] += x[i + j] * static_cast<S>(w[i + j]);
        S sum{0};
        for (; i < n; ++i) sum += x[i] * static_cast<S>(w[i]);
        for (int half = 8; half > 0; half /= 2)
            for (int j = 0; j < half; ++j) part[j] += part[j + half];
        return part[0] + sum;
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
    for (index_t o = 0; o < w.rows; ++o)
        for (index_t t = 0; t < x.rows; ++t) y(t, o) = detail::widening_dot<S, W>(x.row(t), w.row(o), w.cols);
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
