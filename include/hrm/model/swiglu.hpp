#pragma once

#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// y = silu(gate) (.) up,    silu(g) = g sigmoid(g).    All L x hidden.  Shazeer, "GLU variants", 2020.
template <real S>
void swiglu_forward(std::type_identity_t<matrix_view<const S>> gate, std::type_identity_t<matrix_view<const S>> up,
                    matrix_view<S> y) {
    require_shape("hrm::swiglu_forward", "up", up.rows, up.cols, gate.rows, gate.cols);
    require_shape("hrm::swiglu_forward", "y", y.rows, y.cols, gate.rows, gate.cols);
    for (index_t t = 0; t < y.rows; ++t) {
        const S *g = gate.row(t), *u = up.row(t);
        S* out = y.row(t);
        for (index_t j = 0; j < y.cols; ++j) out[j] = g[j] * sigmoid(g[j]) * u[j];
    }
}

/// With s = sigmoid(gate):    dup = dy g s,    dgate = dy up s (1 + g (1 - s)).    dup may be dy itself.
template <real S>
void swiglu_backward(std::type_identity_t<matrix_view<const S>> gate, std::type_identity_t<matrix_view<const S>> up,
                     std::type_identity_t<matrix_view<const S>> dy, matrix_view<S> dgate, matrix_view<S> dup) {
    for (index_t t = 0; t < dy.rows; ++t) {
        const S *g = gate.row(t), *u = up.row(t), *d = dy.row(t);
        S *dg = dgate.row(t), *du = dup.row(t);
        for (index_t j = 0; j < dy.cols; ++j) {
            const S s = sigmoid(g[j]), out = d[j];
            dg[j] = out * u[j] * s * (S{1} + g[j] * (S{1} - s));
            du[j] = out * g[j] * s;
        }
    }
}

}  // namespace hrm
