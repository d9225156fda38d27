#pragma once

#include <algorithm>

#include <hrm/adapter/detail/project.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/linalg/elementary.hpp>

// What stands between the states and the output:  out_ti += k g_t h_i (C s_t + D (.) u_t)_i  with k = factor * constant,
// g per token and h per channel, either of them null (1). y itself is never formed: the gate's gradient comes from
// <dout, C s> = <C^T dout, s>, and a constant gate's from <dout^T s, C>.

namespace hrm::detail {

/// Where the gradients go: c outputs x n; d outputs or null; gate one number, one a channel, or null.
template <real S>
struct readout_gradient {
    matrix_view<S> c;
    S* d = nullptr;
    S* gate = nullptr;
};

/// T: what u and out are stored as, P: C. D and gates for tokens are for T = S alone.
template <real S, storable T = S, storable P = S>
struct readout {
    weights<P> c;                ///< outputs x n
    const S* d = nullptr;        ///< outputs, or null
    S factor = 1, constant = 1;
    const S* channels = nullptr;
    const S* tokens = nullptr;
    team* threads = nullptr;     ///< who share the products

    S of_channel(index_t i) const { return channels ? channels[i] : S{1}; }
    S of_token(index_t t) const { return tokens ? tokens[t] : S{1}; }

    /// out += ...;  s: L x n, u: L x inputs, out: L x outputs.
    [[gnu::noinline]] void forward(const matrix_view<const S>& s, const matrix_view<const T>& u, const matrix_view<T>& out, workspace& ws) const {
        scratch_scope scope(ws);
        const S k = factor * constant;
        with_channels(ws, [&]<storable Q>(const weights<Q>& hc) { project_out<S, T, Q>(by_token(s, ws), hc, k, out, ws, threads); });
        if constexpr (std::same_as<S, T>)
            for (index_t t = 0; d && t < u.rows; ++t)
                for (index_t i = 0; i < c.rows; ++i) out(t, i) += k * of_token(t) * of_channel(i) * d[i] * u(t, i);
    }

    /// ds g = dL/ds with g = factor * constant (L x n, overwritten), du += the direct path's share (may be empty), dtokens (L) = dL/dg.
    /// A gate that is one number still lacks factor * sum <ds_t, s_t> of its gradient: who reads s next knows it.
    /// after(first, rows): what is done next with rows of ds, the last ones first.
    template <class F>
    void backward(matrix_view<const S> s, matrix_view<const T> u, matrix_view<const T> dout, matrix_view<S> ds,
                  matrix_view<T> du, S* dtokens, readout_gradient<S> to, workspace& ws, F&& after) const {
        scratch_scope scope(ws);
        const S k = factor * constant;
        const auto weighted = by_token(s, ws);

        // C^T (h (.) dout_t), still without k g_t. With gates for channels m = sum_t g_t dout_t s_t^T comes first:
        //     dC_i = k h_i m_i,   dh_i = factor <m_i, C_i>
        const auto m = channels ? ws.take_zero_matrix<S>(c.rows, c.cols) : to.c;
        with_channels(ws, [&]<storable Q>(const weights<Q>& hc) {
            output_backward<S, T, Q>(dout, hc, weighted, channels ? S{1} : k, m, S{1}, ds, ws, threads, [&](index_t first, index_t rows) {
                for (index_t t = first; tokens && t < first + rows; ++t) {
                    dtokens[t] = k * dot<S>(ds.row(t), s.row(t), s.cols);
                    for (index_t j = 0; j < ds.cols; ++j) ds(t, j) *= tokens[t];
                }
                after(first, rows);
            });
        });
        for (index_t i = 0; channels && i < c.rows; ++i) {
            scratch_scope row(ws);
            axpy<S>(k * of_channel(i), m.row(i), to.c.row(i), c.cols);
            to.gate[i] += factor * dot<S>(m.row(i), widened<S, P>(c.slice_rows(i, 1), ws).data, c.cols);
        }
        if constexpr (std::same_as<S, T>)
            if (d) direct_backward(u, dout, du, dtokens, to);
    }

private:
    /// f(h (.) C); C as it is stored where there is no h.
    template <class F>
    void with_channels(workspace& ws, F&& f) const {
        if (!channels) return f.template operator()<P>(c);
        const auto scaled = ws.take_matrix<S>(c.rows, c.cols);
        for (index_t i = 0; i < c.rows; ++i)
            for (index_t j = 0; j < c.cols; ++j) scaled(i, j) = channels[i] * static_cast<S>(c(i, j));
        f.template operator()<S>(scaled);
    }
    matrix_view<const S> by_token(matrix_view<const S> s, workspace& ws) const {
        if (!tokens) return s;
        const auto scaled = ws.take_matrix<S>(s.rows, s.cols);
        for (index_t t = 0; t < s.rows; ++t)
            for (index_t j = 0; j < s.cols; ++j) scaled(t, j) = tokens[t] * s(t, j);
        return scaled;
    }
    /// With w = dout_ti u_ti:  dD_i += k g_t h_i w,  dh_i += factor g_t D_i w,  dg_t += k h_i D_i w,  du_ti += k g_t h_i D_i dout_ti.
    void direct_backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du, S* dtokens,
                         readout_gradient<S> to) const {
        const S k = factor * constant;
        for (index_t t = 0; t < u.rows; ++t)
            for (index_t i = 0; i < c.rows; ++i) {
                const S g = of_token(t), h = of_channel(i), w = dout(t, i) * u(t, i);
                to.d[i] += k * g * h * w;
                if (to.gate) to.gate[channels ? i : 0] += factor * g * d[i] * w;
                if (tokens) dtokens[t] += k * h * d[i] * w;
                if (!du.empty()) du(t, i) += k * g * h * d[i] * dout(t, i);
            }
    }
};

}  // namespace hrm::detail
