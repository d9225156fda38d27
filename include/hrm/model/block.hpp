#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/model/attention.hpp>
#include <hrm/model/config.hpp>
#include <hrm/model/linear.hpp>
#include <hrm/model/rms_norm.hpp>
#include <hrm/model/rope.hpp>
#include <hrm/model/sites.hpp>
#include <hrm/model/swiglu.hpp>

// One decoder block, with adapters at any site of adapter/site.hpp:
//     n1 = rms_norm(h);   q, k, v = n1 Wq^T, n1 Wk^T, n1 Wv^T;   heads = attention(rotate(q), rotate(k), v)
//     a = heads Wo^T;     middle = h + a
//     n2 = rms_norm(middle);   m = (silu(n2 Wgate^T) (.) n2 Wup^T) Wdown^T;   out = middle + m

namespace hrm {

/// The tensors of one block, or (T = S, writable) their gradients.
template <class T>
struct block_tensors {
    matrix_view<T> input_norm, q, k, v, o, post_norm, gate, up, down;
};

/// Where one block writes. After a training forward the views that backward needs are the block's own; the others are
/// scratch shared by all blocks and hold the values of the last.
template <real S>
struct block_memory {
    matrix_view<S> h, n1, q, k, v, heads, lse, a, middle, n2, gate, up, act, m;
    matrix_view<S> r1, r2;            ///< 1 x L: the reciprocal roots of the norms
    matrix_view<S> all_k, all_v;      ///< keys and values with those before this call's rows; k and v are their ends
};

/// All of it but h and the keys before this call, not yet anybody's own; no logsumexp, which only backward reads.
template <real S>
block_memory<S> scratch_memory(const transformer_config& c, index_t rows, workspace& ws) {
    const auto take = [&](index_t cols) { return ws.take_matrix<S>(rows, cols); };
    block_memory<S> x;
    for (auto* m : {&x.n1, &x.a, &x.middle, &x.n2, &x.m}) *m = take(c.width);
    for (auto* m : {&x.q, &x.heads}) *m = take(c.query_width());
    for (auto* m : {&x.k, &x.v}) *m = take(c.key_width());
    for (auto* m : {&x.gate, &x.up, &x.act}) *m = take(c.hidden);
    for (auto* m : {&x.r1, &x.r2}) *m = ws.take_matrix<S>(1, rows);
    return x;
}

/// How far below a block's output gradients are wanted: to its MLP's adapters only, to its attention's, or to its input.
enum class reach { mlp, attention, input };

/// The reach of a layer of a frozen base, where nothing below the lowest adapter needs a gradient; none if neither this
/// layer nor any below it has an adapter.
template <real S>
std::optional<reach> reach_of(const adapter_set<S>& set, index_t layer) {
    std::optional<reach> most;
    for (const auto& a : set) {
        if (a.layer > layer) continue;
        if (a.layer < layer) return reach::input;
        const bool attention = a.site == site::q || a.site == site::k || a.site == site::v || a.site == site::o ||
                               a.site == site::attention_input || a.site == site::attention_output;
        most = std::max(most.value_or(reach::mlp), attention ? reach::attention : reach::mlp);
    }
    return most;
}

/// Replaces by pieces of the block's own the scratch that its backward will read: little when the base is frozen,
/// nothing below the lowest adapter.
template <real S>
void keep_memory(block_memory<S>& x, const transformer_config& c, const adapter_set<S>& set, index_t layer,
                 bool base_gradients, workspace& ws) {
    const auto how_far = base_gradients ? std::optional(reach::input) : reach_of(set, layer);
    if (!how_far) return;
    const auto own = [&](matrix_view<S>& m) { m = ws.take_matrix<S>(m.rows, m.cols); };
    const auto any = [&](auto... where) { return base_gradients || (set.any_at(layer, where) || ...); };
    for (auto* m : {&x.gate, &x.up}) own(*m);
    if (any(site::mlp_input, site::gate, site::up)) own(x.n2);
    if (any(site::down)) own(x.act);
    if (any(site::mlp_output)) own(x.m);
    if (*how_far == reach::mlp) return;
    for (auto* m : {&x.q, &x.k, &x.v, &x.heads, &x.middle, &x.r1, &x.r2}) own(*m);
    x.lse = ws.take_matrix<S>(c.heads, x.q.rows);
    if (any(site::attention_input, site::q, site::k, site::v)) own(x.n1);
    if (any(site::attention_output)) own(x.a);
}

/// Everything of one call that all blocks share.
template <real S>
struct block_context {
    const transformer_config& config;
    const rope_table<S>& rope;
    std::span<const index_t> first;   ///< attention's visible ranges
    attention_shape shape() const { return {config.heads, config.kv_heads, config.head_width}; }
};

template <class T>
std::span<T> row_of(matrix_view<T> m) {
    return m.row_span(0);
}

/// out = block(x.h). Fills x.  out: L x width, not x.h.
template <real S, storable W>
void block_forward(const block_tensors<const W>& w, const block_context<S>& c, const site_calls<S>& sites,
                   block_memory<S>& x, matrix_view<S> out, workspace& ws) {
    const double eps = c.config.rms_eps;
    rms_norm_forward(x.h, w.input_norm, eps, x.n1, row_of(x.r1));
    linear_forward(x.n1, w.q, x.q);
    linear_forward(x.n1, w.k, x.k);
    linear_forward(x.n1, w.v, x.v);
    sites.forward(site::q, x.n1, x.q, ws);
    sites.forward(site::k, x.n1, x.k, ws);
    sites.forward(site::v, x.n1, x.v, ws);
    rotate(x.q, c.rope);
    rotate(x.k, c.rope);
    attention_forward<S>(c.shape(), c.first, x.q, x.all_k, x.all_v, x.heads, x.lse, ws);
    linear_forward(x.heads, w.o, x.a);
    sites.forward(site::o, x.heads, x.a, ws);
    sum<S>(x.h, x.a, x.middle);
    sites.forward(site::attention_input, x.n1, x.middle, ws);
    sites.forward(site::attention_output, x.a, x.middle, ws);

    rms_norm_forward(x.middle, w.post_norm, eps, x.n2, row_of(x.r2));
    linear_forward(x.n2, w.gate, x.gate);
    linear_forward(x.n2, w.up, x.up);
    sites.forward(site::gate, x.n2, x.gate, ws);
    sites.forward(site::up, x.n2, x.up, ws);
    swiglu_forward(x.gate, x.up, x.act);
    linear_forward(x.act, w.down, x.m);
    sites.forward(site::down, x.act, x.m, ws);
    sum<S>(x.middle, x.m, out);
    sites.forward(site::mlp_input, x.n2, out, ws);
    sites.forward(site::mlp_output, x.m, out, ws);
    sites.forward(site::block, x.h, out, ws);
}

/// dout: in dL/dout, out dL/dh (where reach is input; otherwise of no meaning). gradient: of the whole adapter set, +=.
/// dw: += where not empty (W = S); then x.n1, x.n2 and x.act must have been kept.
template <real S, storable W>
void block_backward(const block_tensors<const W>& w, const block_context<S>& c, const site_calls<S>& sites,
                    const block_memory<S>& x, reach how_far, matrix_view<S> dout, std::span<S> gradient,
                    const block_tensors<S>& dw, workspace& ws) {
    const index_t rows = dout.rows;
    const bool base = !dw.q.empty();
    scratch_scope scope(ws);
    const auto like = [&](matrix_view<S> m) { return ws.take_matrix<S>(rows, m.cols); };
    const auto weight = [&](matrix_view<S> dy, matrix_view<S> input, matrix_view<S> to) {
        if (base) linear_weight_backward(dy, input, to);
    };
    // dn collects the gradient of n2, then of n1; branch that of m, then of a.
    const auto dn = like(x.h), branch = like(x.h), dmiddle = like(x.h);
    copy<S>(dout, dmiddle);
    copy<S>(dout, branch);

    // out = middle + m + adapters. What the block's own adapters send to h waits in dh until middle is done with.
    matrix_view<S> dh;
    if (sites.any(site::block)) {
        dh = ws.take_zero_matrix<S>(rows, x.h.cols);
        sites.backward(site::block, x.h, dout, how_far == reach::input ? dh : matrix_view<S>{}, gradient, ws);
    }
    sites.backward(site::mlp_output, x.m, dout, branch, gradient, ws);
    weight(branch, x.act, dw.down);
    const bool through = how_far != reach::mlp;
    const auto dn2 = through ? dn : matrix_view<S>{};
    if (through || sites.any(site::gate) || sites.any(site::up) || sites.any(site::down)) {
        scratch_scope mlp(ws);
        const auto dgate = like(x.gate), dup = like(x.up);
        linear_backward<S>(branch, w.down, dup);
        sites.backward(site::down, x.act, branch, dup, gradient, ws);
        swiglu_backward<S>(x.gate, x.up, dup, dgate, dup);
        weight(dgate, x.n2, dw.gate);
        weight(dup, x.n2, dw.up);
        if (through) {
            linear_backward<S>(dgate, w.gate, dn);
            linear_backward<S>(dup, w.up, dn, into::add);
        }
        sites.backward(site::gate, x.n2, dgate, dn2, gradient, ws);
        sites.backward(site::up, x.n2, dup, dn2, gradient, ws);
    }
    sites.backward(site::mlp_input, x.n2, dout, dn2, gradient, ws);
    if (!through) return;
    rms_norm_backward(x.middle, w.post_norm, row_of(matrix_view<const S>(x.r2)), dn, dmiddle, dw.post_norm);

    // middle = h + a + adapters
    copy<S>(dmiddle, branch);
    sites.backward(site::attention_output, x.a, dmiddle, branch, gradient, ws);
    weight(branch, x.heads, dw.o);
    const auto dheads = like(x.heads), dq = like(x.q), dk = like(x.k), dv = like(x.v);
    linear_backward<S>(branch, w.o, dheads);
    sites.backward(site::o, x.heads, branch, dheads, gradient, ws);
    attention_backward<S>(c.shape(), c.first, x.q, x.k, x.v, x.heads, x.lse, dheads, dq, dk, dv, ws);
    rotate(dq, c.rope, turn::backward);
    rotate(dk, c.rope, turn::backward);
    weight(dq, x.n1, dw.q);
    weight(dk, x.n1, dw.k);
    weight(dv, x.n1, dw.v);
    const bool input = how_far == reach::input;
    if (input) {
        linear_backward<S>(dq, w.q, dn);
        linear_backward<S>(dk, w.k, dn, into::add);
        linear_backward<S>(dv, w.v, dn, into::add);
    }
    const auto dn1 = input ? dn : matrix_view<S>{};
    sites.backward(site::q, x.n1, dq, dn1, gradient, ws);
    sites.backward(site::k, x.n1, dk, dn1, gradient, ws);
    sites.backward(site::v, x.n1, dv, dn1, gradient, ws);
    sites.backward(site::attention_input, x.n1, dmiddle, dn1, gradient, ws);
    if (!input) return;
    rms_norm_backward(x.h, w.input_norm, row_of(matrix_view<const S>(x.r1)), dn, dmiddle, dw.input_norm);
    if (dh.empty()) copy<S>(dmiddle, dout);
    else sum<S>(dmiddle, dh, dout);
}

}  // namespace hrm
