#pragma once

#include <cmath>
#include <span>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// y_t = w (.) x_t r_t,    r_t = 1 / sqrt(mean(x_t^2) + eps).    x, y: L x d;  w: 1 x d;  r: L, kept for backward.
/// Zhang & Sennrich, "Root mean square layer normalization", NeurIPS 2019.
template <real S, storable W>
void rms_norm_forward(std::type_identity_t<matrix_view<const S>> x, matrix_view<const W> w, double eps,
                      matrix_view<S> y, std::type_identity_t<std::span<S>> r) {
    require_shape("hrm::rms_norm_forward", "w", w.rows, w.cols, 1, x.cols);
    require_shape("hrm::rms_norm_forward", "y", y.rows, y.cols, x.rows, x.cols);
    const index_t d = x.cols;
    const W* scale = w.data;
    for (index_t t = 0; t < x.rows; ++t) {
        const S* in = x.row(t);
        S* out = y.row(t);
        const S root = S{1} / std::sqrt(dot(in, in, d) / static_cast<S>(d) + static_cast<S>(eps));
        r[static_cast<std::size_t>(t)] = root;
        for (index_t j = 0; j < d; ++j) out[j] = in[j] * root * static_cast<S>(scale[j]);
    }
}

/// With g = w (.) dy:    dx += r g - x r^3 <g, x> / d,    dw += sum_t dy_t (.) x_t r_t (skipped where dw is empty).
template <real S, storable W>
void rms_norm_backward(std::type_identity_t<matrix_view<const S>> x, matrix_view<const W> w,
                       std::type_identity_t<std::span<const S>> r, std::type_identity_t<matrix_view<const S>> dy,
                       matrix_view<S> dx, std::type_identity_t<matrix_view<S>> dw) {
    const index_t d = x.cols;
    const W* scale = w.data;
    for (index_t t = 0; t < x.rows; ++t) {
        const S* in = x.row(t);
        const S* g = dy.row(t);
        S* out = dx.row(t);
        const S root = r[static_cast<std::size_t>(t)];
        S part[16] = {};  // <w (.) dy, x>, in the order of hrm::dot
        index_t i = 0;
        for (; i + 16 <= d; i += 16)
            for (int j = 0; j < 16; ++j) part[j] += g[i + j] * static_cast<S>(scale[i + j]) * in[i + j];
        S inner{0};
        for (; i < d; ++i) inner += g[i] * static_cast<S>(scale[i]) * in[i];
        for (int j = 0; j < 16; ++j) inner += part[j];
        const S pull = root * root * root * inner / static_cast<S>(d);
        for (index_t j = 0; j < d; ++j) out[j] += root * static_cast<S>(scale[j]) * g[j] - pull * in[j];
        if (!dw.empty()) {
            S* to = dw.data;
            for (index_t j = 0; j < d; ++j) to[j] += g[j] * in[j] * root;
        }
    }
}

}  // namespace hrm
