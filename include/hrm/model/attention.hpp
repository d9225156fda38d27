#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/gemm.hpp>

// Causal grouped-query attention with a sliding window. Query row i stands at key row p = i + (keys - queries) and sees
// the keys first[i] .. p:
//     s_j = <q_i, k_j> / sqrt(head_width),    out_i = sum_j softmax(s)_j v_j.
// Queries go in blocks: all keys a block can see are one small matrix product, so the time is linear in rows x window.
// Backward recomputes the probabilities from q, k and the kept logsumexp; nothing of size rows x window is stored.
// Ainslie et al., "GQA", 2023; Dao et al., "FlashAttention", 2022.

namespace hrm {

struct attention_shape {
    index_t heads = 1, kv_heads = 1, head_width = 1;
};

/// first[i]: the first key that query i sees, given the window (0: none), the rows at which documents start, and the
/// number of keys before query 0.
inline void visible_from(std::span<index_t> first, index_t before, index_t window, std::span<const index_t> starts) {
    index_t document = 0;
    std::size_t next = 0;
    for (index_t i = 0; i < static_cast<index_t>(first.size()); ++i) {
        while (next < starts.size() && starts[next] <= i) document = before + starts[next++];
        const index_t reach = window > 0 ? before + i - window + 1 : 0;
        first[static_cast<std::size_t>(i)] = std::max({index_t{0}, reach, document});
    }
}

namespace detail {

inline constexpr index_t attention_block = 64;

template <real S>
S row_sum(const S* x, index_t n) {
    S part[16] = {}, sum{0};
    index_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; ++j) part[j] += x[i + j];
    for (; i < n; ++i) sum += x[i];
    for (int j = 0; j < 16; ++j) sum += part[j];
    return sum;
}

/// x <- e^(x - shift).
template <real S>
void exponentials(S* x, index_t n, S shift) {
    for (index_t i = 0; i < n; ++i) x[i] = exponential(x[i] - shift);
}

/// The columns [from, to) of a row survive, the rest becomes zero.
template <real S>
void clear_outside(S* x, index_t n, index_t from, index_t to) {
    std::fill(x, x + from, S{0});
    std::fill(x + to, x + n, S{0});
}

/// One block of queries and the keys it can see.
struct attention_tile {
    index_t row, rows, key, keys;

    attention_tile(std::span<const index_t> first, index_t start, index_t before)
        : row(start), rows(std::min(attention_block, static_cast<index_t>(first.size()) - start)),
          key(first[static_cast<std::size_t>(start)]), keys(before + row + rows - key) {}
    /// The columns of the tile that its row i sees are [from(i), to(i)).
    index_t from(std::span<const index_t> first, index_t i) const { return first[static_cast<std::size_t>(row + i)] - key; }
    index_t to(index_t i) const { return keys - rows + i + 1; }
};

inline index_t widest_tile(std::span<const index_t> first, index_t before) {
    index_t widest = 0;
    for (index_t i = 0; i < static_cast<index_t>(first.size()); i += attention_block)
        widest = std::max(widest, attention_tile(first, i, before).keys);
    return widest;
}

template <real S>
void check_attention(std::string_view where, const attention_shape& a, std::span<const index_t> first,
                     matrix_view<const S> q, matrix_view<const S> k, matrix_view<const S> v) {
    if (a.heads < 1 || a.kv_heads < 1 || a.head_width < 1 || a.heads % a.kv_heads != 0)
        throw shape_error(std::string(where) + ": " + std::to_string(a.heads) + " heads of width " + std::to_string(a.head_width) +
                          ", " + std::to_string(a.kv_heads) + " kv_heads, expected positive numbers that divide evenly");
    require_size(where, "columns of q", q.cols, a.heads * a.head_width);
    require_shape(where, "k", k.rows, k.cols, k.rows, a.kv_heads * a.head_width);
    require_shape(where, "v", v.rows, v.cols, k.rows, k.cols);
    require_size(where, "visible ranges", static_cast<index_t>(first.size()), q.rows);
    if (k.rows < q.rows)
        throw shape_error(std::string(where) + ": " + std::to_string(k.rows) + " keys for " + std::to_string(q.rows) + " queries");
}

}  // namespace detail

/// q, out: L x heads w;  k, v: N x kv_heads w, N >= L;  first: L, ascending;  lse: heads x L (may be empty).
/// q and k are already rotated. 4 L window heads w flop at best, about 1.5 times that with blocks.
template <real S>
void attention_forward(const attention_shape& a, std::span<const index_t> first,
                       std::type_identity_t<matrix_view<const S>> q, std::type_identity_t<matrix_view<const S>> k,
                       std::type_identity_t<matrix_view<const S>> v, matrix_view<S> out,
                       std::type_identity_t<matrix_view<S>> lse, workspace& ws) {
    detail::check_attention<S>("hrm::attention_forward", a, first, q, k, v);
    require_shape("hrm::attention_forward", "out", out.rows, out.cols, q.rows, q.cols);
    if (!lse.empty()) require_shape("hrm::attention_forward", "lse", lse.rows, lse.cols, a.heads, q.rows);
    constexpr index_t few = 4;  // rows below which packing costs more than the products
    const index_t w = a.head_width, group = a.heads / a.kv_heads, before = k.rows - q.rows;
    const S scale = S{1} / std::sqrt(static_cast<S>(w));
    scratch_scope scope(ws);
    const index_t widest = detail::widest_tile(first, before);
    S* scores = ws.take<S>(std::min(detail::attention_block, q.rows) * widest).data();

    for (index_t start = 0; start < q.rows; start += detail::attention_block) {
        const detail::attention_tile tile(first, start, before);
        for (index_t h = 0; h < a.heads; ++h) {
            const auto qh = q.slice_rows(tile.row, tile.rows).slice_cols(h * w, w);
            const auto kh = k.slice_rows(tile.key, tile.keys).slice_cols(h / group * w, w);
            const auto vh = v.slice_rows(tile.key, tile.keys).slice_cols(h / group * w, w);
            const auto oh = out.slice_rows(tile.row, tile.rows).slice_cols(h * w, w);
            const matrix_view<S> p(scores, tile.rows, tile.keys);
            if (tile.rows >= few) multiply(qh, transposed(kh), p, into::overwrite, scale);
            else
                for (index_t i = 0; i < tile.rows; ++i)
                    for (index_t j = tile.from(first, i); j < tile.to(i); ++j) p(i, j) = scale * dot(qh.row(i), kh.row(j), w);
            S total[detail::attention_block];
            for (index_t i = 0; i < tile.rows; ++i) {
                const index_t from = tile.from(first, i), to = tile.to(i);
                S* row = p.row(i);
                const S top = maximum(row + from, to - from);
                detail::exponentials(row + from, to - from, top);
                detail::clear_outside(row, tile.keys, from, to);
                total[i] = detail::row_sum(row + from, to - from);
                if (!lse.empty()) lse(h, tile.row + i) = top + std::log(total[i]);
            }
            if (tile.rows >= few) multiply(p, vh, oh);
            else
                for (index_t i = 0; i < tile.rows; ++i) {
                    std::fill(oh.row(i), oh.row(i) + w, S{0});
                    for (index_t j = tile.from(first, i); j < tile.to(i); ++j) axpy(p(i, j), vh.row(j), oh.row(i), w);
                }
            for (index_t i = 0; i < tile.rows; ++i) {
                S* o = oh.row(i);
                const S inverse = S{1} / total[i];
                for (index_t j = 0; j < w; ++j) o[j] *= inverse;
            }
        }
    }
}

/// With P the probabilities, dP = dout v^T and D_i = <dout_i, out_i>:
///     dv = P^T dout,    dS = P (.) (dP - D) / sqrt(w),    dq = dS k,    dk = dS^T q.
/// q, k, v, first, out, lse: as the forward had or made them;  dout, dq: L x heads w;  dk, dv: N x kv_heads w.
/// dq, dk, dv are overwritten. About 2.5 times forward.
template <real S>
void attention_backward(const attention_shape& a, std::span<const index_t> first,
                        std::type_identity_t<matrix_view<const S>> q, std::type_identity_t<matrix_view<const S>> k,
                        std::type_identity_t<matrix_view<const S>> v, std::type_identity_t<matrix_view<const S>> out,
                        std::type_identity_t<matrix_view<const S>> lse,
                        std::type_identity_t<matrix_view<const S>> dout, matrix_view<S> dq, matrix_view<S> dk,
                        matrix_view<S> dv, workspace& ws) {
    constexpr auto where = "hrm::attention_backward";
    detail::check_attention<S>(where, a, first, q, k, v);
    require_shape(where, "lse", lse.rows, lse.cols, a.heads, q.rows);
    require_shape(where, "out", out.rows, out.cols, q.rows, q.cols);
    require_shape(where, "dout", dout.rows, dout.cols, q.rows, q.cols);
    require_shape(where, "dq", dq.rows, dq.cols, q.rows, q.cols);
    require_shape(where, "dk", dk.rows, dk.cols, k.rows, k.cols);
    require_shape(where, "dv", dv.rows, dv.cols, k.rows, k.cols);
    const index_t w = a.head_width, group = a.heads / a.kv_heads, before = k.rows - q.rows;
    const S scale = S{1} / std::sqrt(static_cast<S>(w));
    scratch_scope scope(ws);
    const index_t room = std::min(detail::attention_block, q.rows) * detail::widest_tile(first, before);
    S* probabilities = ws.take<S>(room).data();
    S* slopes = ws.take<S>(room).data();
    for (index_t j = 0; j < k.rows; ++j) {
        std::fill(dk.row(j), dk.row(j) + dk.cols, S{0});
        std::fill(dv.row(j), dv.row(j) + dv.cols, S{0});
    }

    for (index_t start = 0; start < q.rows; start += detail::attention_block) {
        const detail::attention_tile tile(first, start, before);
        for (index_t h = 0; h < a.heads; ++h) {
            const auto queries = [&](auto m) { return m.slice_rows(tile.row, tile.rows).slice_cols(h * w, w); };
            const auto keys = [&](auto m) { return m.slice_rows(tile.key, tile.keys).slice_cols(h / group * w, w); };
            const matrix_view<S> p(probabilities, tile.rows, tile.keys), ds(slopes, tile.rows, tile.keys);
            multiply(queries(q), transposed(keys(k)), p, into::overwrite, scale);
            multiply(queries(dout), transposed(keys(v)), ds);
            for (index_t i = 0; i < tile.rows; ++i) {
                const index_t from = tile.from(first, i), to = tile.to(i);
                S *pi = p.row(i), *di = ds.row(i);
                const S inner = dot(queries(dout).row(i), queries(out).row(i), w);
                detail::exponentials(pi + from, to - from, lse(h, tile.row + i));
                for (index_t j = from; j < to; ++j) di[j] = pi[j] * (di[j] - inner) * scale;
                detail::clear_outside(pi, tile.keys, from, to);
                detail::clear_outside(di, tile.keys, from, to);
            }
            multiply(ds, keys(k), queries(dq));
            multiply(transposed(ds), queries(q), keys(dk), into::add);
            multiply(transposed(p), queries(dout), keys(dv), into::add);
        }
    }
}

}  // namespace hrm
