#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/simd.hpp>

namespace hrm {
namespace detail {

// Register block rows x cols, and the panels that keep it fed: B panel depth x wide (L2/L3), A panel tall x depth (L2).
// The accumulators, one row of B and a broadcast must fit the register file: 6 x 2 of 16 (AVX2), 12 x 2 of 32 (AVX-512).
template <real S>
struct gemm_blocking {
    static constexpr int rows = simd::register_bytes == 64 ? 12 : simd::register_bytes == 32 ? 6 : 4;
    static constexpr int packs = 2;
    static constexpr int cols = packs * simd::lanes<S>;
    static constexpr index_t depth = 1024 / static_cast<index_t>(sizeof(S));
    static constexpr index_t tall = 8 * rows;
    static constexpr index_t wide = 256 / cols * cols;
};

/// acc(rows x cols) = sum_k a[k][.] b[k][.]^T from packed panels. K ascending, one fused multiply-add each, whatever
/// the shape of the whole: a row of the product does not depend on how many other rows there are.
/// finish(r, v, acc) receives pack v of row r.
template <real S, class F>
inline void gemm_micro(index_t depth, const S* __restrict a, const S* __restrict b, F&& finish) {
    using block = gemm_blocking<S>;
    simd::pack<S> acc[block::rows][block::packs] = {};
    for (index_t k = 0; k < depth; ++k) {
        simd::pack<S> bk[block::packs];
#pragma GCC unroll 4
        for (int v = 0; v < block::packs; ++v) simd::load<S>(bk[v], b + v * simd::lanes<S>);
#pragma GCC unroll 16
        for (int r = 0; r < block::rows; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < block::packs; ++v) acc[r][v] += a[r] * bk[v];
        a += block::rows;
        b += block::cols;
    }
#pragma GCC unroll 16
    for (int r = 0; r < block::rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < block::packs; ++v) finish(r, v, acc[r][v]);
}

/// to[0 .. n) = from[0 .. n) of a length known here, so that it is a few vector moves and never a call or a rep movs.
template <int n, real S, storable T>
inline void gemm_copy(S* __restrict to, const T* __restrict from) {
    if constexpr (std::same_as<S, T>) std::memcpy(to, from, n * sizeof(S));
    else
        for (int q = 0; q < n; ++q) to[q] = static_cast<S>(from[q]);
}

}  // namespace detail

/// C = alpha A B + beta C.    a: M x K;  b: K x N;  c: M x N. Any strides, so transposes are free; A and B may be bf16.
/// beta = 0 overwrites C without reading it. Packs on the stack (about 330 KiB), allocates nothing, one thread.
/// The sum over K runs in one fixed order that depends on K alone. 2 M N K flop.
/// Panels and packing after Goto & van de Geijn, ACM TOMS 34 (2008).
template <real S, storable TA, storable TB>
void gemm(S alpha, strided_view<const TA> a, strided_view<const TB> b, S beta, matrix_view<S> c) {
    require_shape("hrm::gemm", "B", b.rows, b.cols, a.cols, b.cols);
    require_shape("hrm::gemm", "C", c.rows, c.cols, a.rows, b.cols);
    using block = detail::gemm_blocking<S>;
    constexpr index_t mr = block::rows, nr = block::cols;
    alignas(64) S pa[block::tall * block::depth];
    alignas(64) S pb[block::wide * block::depth];
    alignas(64) S tile[mr * nr];
    const index_t m = c.rows, n = c.cols, depth = a.cols;

    if (depth == 0)
        for (index_t i = 0; i < m; ++i)
            for (index_t j = 0; j < n; ++j) c(i, j) = beta == S{0} ? S{0} : beta * c(i, j);

    for (index_t j0 = 0; j0 < n; j0 += block::wide)
        for (index_t k0 = 0; k0 < depth; k0 += block::depth) {
            const index_t nb = std::min(block::wide, n - j0), kb = std::min(block::depth, depth - k0);
            for (index_t j = 0; j < nb; j += nr) {  // B: panels of nr columns, k by k, padded with zeros
                S* to = pb + j * kb;
                const index_t full = std::min<index_t>(nr, nb - j);
                const TB* from = &b(k0, j0 + j);
                if (b.col_stride == 1)
                    for (index_t k = 0; k < kb; ++k, to += nr) {
                        const TB* row = from + k * b.row_stride;
                        if (full == nr) {
                            detail::gemm_copy<nr>(to, row);
                            continue;
                        }
                        for (index_t q = 0; q < nr; ++q) to[q] = q < full ? static_cast<S>(row[q]) : S{0};
                    }
                else {
                    for (index_t q = 0; q < full; ++q) {
                        const TB* col = from + q * b.col_stride;
                        for (index_t k = 0; k < kb; ++k) to[k * nr + q] = static_cast<S>(col[k * b.row_stride]);
                    }
                    for (index_t q = full; q < nr; ++q)
                        for (index_t k = 0; k < kb; ++k) to[k * nr + q] = S{0};
                }
            }
            const S keep = k0 == 0 ? beta : S{1};
            for (index_t i0 = 0; i0 < m; i0 += block::tall) {
                const index_t mb = std::min(block::tall, m - i0);
                for (index_t i = 0; i < mb; i += mr) {  // A: panels of mr rows, k by k, padded with zeros
                    S* to = pa + i * kb;
                    const index_t full = std::min<index_t>(mr, mb - i);
                    const TA* from = &a(i0 + i, k0);
                    if (full == mr && a.row_stride == 1)
                        for (index_t k = 0; k < kb; ++k) detail::gemm_copy<mr>(to + k * mr, from + k * a.col_stride);
                    else
                        for (index_t q = 0; q < mr; ++q)
                            for (index_t k = 0; k < kb; ++k)
                                to[k * mr + q] =
                                    q < full ? static_cast<S>(from[q * a.row_stride + k * a.col_stride]) : S{0};
                }
                for (index_t j = 0; j < nb; j += nr)
                    for (index_t i = 0; i < mb; i += mr) {
                        const index_t rows = std::min<index_t>(mr, mb - i), cols = std::min<index_t>(nr, nb - j);
                        S* const out = c.row(i0 + i) + j0 + j;
                        if (rows == mr && cols == nr) {
                            detail::gemm_micro<S>(kb, pa + i * kb, pb + j * kb, [&](int r, int v, const simd::pack<S>& sum) {
                                S* to = out + r * c.stride + v * simd::lanes<S>;
                                simd::pack<S> old, next;
                                if (keep == S{0}) next = alpha * sum;
                                else {
                                    simd::load<S>(old, to);
                                    next = keep == S{1} ? old + alpha * sum : keep * old + alpha * sum;
                                }
                                simd::store<S>(to, next);
                            });
                            continue;
                        }
                        detail::gemm_micro<S>(kb, pa + i * kb, pb + j * kb, [&](int r, int v, const simd::pack<S>& sum) {
                            simd::store<S>(tile + r * nr + v * simd::lanes<S>, sum);
                        });
                        for (index_t r = 0; r < rows; ++r) {
                            S* to = out + r * c.stride;
                            const S* t = tile + r * nr;
                            if (keep == S{0})
                                for (index_t q = 0; q < cols; ++q) to[q] = alpha * t[q];
                            else if (keep == S{1})
                                for (index_t q = 0; q < cols; ++q) to[q] += alpha * t[q];
                            else
                                for (index_t q = 0; q < cols; ++q) to[q] = keep * to[q] + alpha * t[q];
                        }
                    }
            }
        }
}

/// C (+)= A B for views whose transposes are spelled out:  multiply(x, transposed(w), y).
enum class into { overwrite, add };
template <real S, class A, class B>
void multiply(const A& a, const B& b, matrix_view<S> c, into how = into::overwrite, S alpha = S{1}) {
    using TA = std::remove_const_t<std::remove_pointer_t<decltype(a.data)>>;
    using TB = std::remove_const_t<std::remove_pointer_t<decltype(b.data)>>;
    gemm<S, TA, TB>(alpha, strided_view<const TA>(a), strided_view<const TB>(b), how == into::add ? S{1} : S{0}, c);
}

}  // namespace hrm
