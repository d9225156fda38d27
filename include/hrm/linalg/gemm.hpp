#pragma once

#include <algorithm>
#include <concepts>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/linalg/detail/gemm_kernel.hpp>

namespace hrm {
namespace detail {

/// gemm by tiles of one shape. A panel of B (L2) is multiplied by A a few rows at a time (L1), copied without turning it;
/// while one piece of A is at work, the next is on its way from memory.
template <class Tile, real S, storable TA, storable TB>
[[gnu::noinline]] void gemm_by(S alpha, strided_view<const TA> a, strided_view<const TB> b, S beta, matrix_view<S> c, read_list aside) {
    constexpr index_t mr = Tile::rows, nr = Tile::cols, block = Tile::block;
    alignas(64) S pa[Tile::tall * Tile::apart];
    alignas(64) S pb[Tile::room];
    alignas(64) S edge[mr * nr];
    const index_t m = c.rows, n = c.cols, depth = std::min(a.cols, Tile::depth);
    // B's panel: wide x deep. With one tile of rows it is used once, and need not leave the L1.
    const index_t room = std::max(m <= mr ? Tile::near : Tile::room, nr * depth);
    const index_t wide = std::min((n + nr - 1) / nr, room / (depth * nr)) * nr, deep = room / (wide * depth) * depth;
    const bool by_columns = a.row_stride == 1 && a.col_stride != 1;
    const auto region = []<class T>(strided_view<const T> x) {  // by contiguous runs, rows or columns
        if (x.rows == 0 || x.cols == 0) return read_ahead<T>{};
        if (x.col_stride == 1) return read_ahead<T>{x.data, x.rows, x.cols, x.row_stride};
        return x.row_stride == 1 ? read_ahead<T>{x.data, x.cols, x.rows, x.col_stride} : read_ahead<T>{};
    };
    const auto tiles = [](index_t rows) { return (rows + mr - 1) / mr; };
    const auto stretches = [](index_t steps) { return (steps + gemm_stretch - 1) / gemm_stretch; };

    for (index_t j0 = 0; j0 < n; j0 += wide)
        for (index_t k0 = 0; k0 < a.cols; k0 += deep) {
            const index_t nb = std::min(wide, n - j0), ends = std::min(a.cols, k0 + deep);
            const index_t padded = (nb + nr - 1) / nr * nr;
            const bool below = ends < a.cols;
            const index_t k2 = below ? ends : 0, j2 = below ? j0 : j0 + wide;
            auto next_b = region(b.block(k2, j2, std::min(deep, a.cols - k2), std::clamp<index_t>(n - j2, 0, wide)));
            next_b.spread(tiles(m) * (padded / nr) * stretches(ends - k0));
            if (!below && j2 >= n) aside.spread(tiles(m) * (padded / nr) * stretches(ends - k0));
            for (index_t k = k0; k < ends; k += depth)
                gemm_pack_b<Tile>(b.block(k, j0, std::min(depth, ends - k), nb), pb + (k - k0) * padded);
            for (index_t i0 = 0; i0 < m; i0 += Tile::tall)
                for (index_t k = k0; k < ends; k += depth) {
                    const index_t mb = std::min(Tile::tall, m - i0), kb = std::min(depth, ends - k);
                    const auto here = a.block(i0, k, mb, kb);
                    if (by_columns) gemm_pack_columns<Tile>(here, pa);
                    else gemm_pack_rows<Tile>(here, pa);

                    const bool turns = k + depth >= ends;  // the next piece: further along these rows, or the rows below
                    const index_t i1 = turns ? i0 + Tile::tall : i0, k1 = turns ? k0 : k + depth;
                    auto next_a = region(a.block(i1, k1, std::clamp<index_t>(m - i1, 0, mb), std::min(depth, ends - k1)));
                    next_a.spread(tiles(mb) * (padded / nr) * stretches(kb));
                    const auto meanwhile = [&] { next_a.fetch(), next_b.fetch(), aside.fetch(); };

                    const S keep = k == 0 ? beta : S{1};
                    const auto tile = [&](index_t i, index_t j, S* to, index_t stride) {
                        const S* bk = pb + (k - k0) * padded + j * kb;
                        if (by_columns)
                            gemm_micro<Tile, 1, block>(kb, pa + i / block * block * kb + i % block, bk, alpha, keep, to, stride, meanwhile);
                        else gemm_micro<Tile, Tile::apart, 1>(kb, pa + i * Tile::apart, bk, alpha, keep, to, stride, meanwhile);
                    };
                    const index_t group = std::max<index_t>(1, Tile::near / (kb * nr)) * nr;  // of panels in the L1
                    for (index_t j1 = 0; j1 < nb; j1 += group)
                        for (index_t i = 0; i < mb; i += mr)
                            for (index_t j = j1; j < std::min(nb, j1 + group); j += nr) {
                                const index_t live_rows = std::min(mr, mb - i), live = std::min(nr, nb - j);
                                const auto out = matrix_view<S>(c.row(i0 + i) + j0 + j, live_rows, live, c.stride);
                                for (index_t r = mr; r < std::min(2 * mr, mb - i); ++r) __builtin_prefetch(out.row(r), 1, 2);
                                if (live_rows == mr && live == nr) {
                                    tile(i, j, out.data, c.stride);
                                    continue;
                                }
                                // The same arithmetic on a copy: an edge must not change a bit of its neighbours.
                                for (index_t r = 0; keep != S{0} && r < live_rows; ++r) std::copy_n(out.row(r), live, edge + r * nr);
                                tile(i, j, edge, nr);
                                for (index_t r = 0; r < live_rows; ++r) std::copy_n(edge + r * nr, live, out.row(r));
                            }
                }
        }
}

}  // namespace detail

/// C = alpha A B + beta C.    a: M x K;  b: K x N;  c: M x N. Any strides, so transposes are free; A and B may be bf16.
/// beta = 0 overwrites C without reading it. Packs on the stack (about 150 KiB), allocates nothing, one thread.
/// The sum over K runs in one fixed order that depends on K alone. 2 M N K flop.
/// Panels and packing after Goto & van de Geijn, ACM TOMS 34 (2008).
/// aside: what the caller updates next, fetched while the last sums run.
template <real S, storable TA, storable TB>
void gemm(S alpha, strided_view<const TA> a, strided_view<const TB> b, S beta, matrix_view<S> c, detail::read_list aside = {}) {
    require_shape("hrm::gemm", "B", b.rows, b.cols, a.cols, b.cols);
    require_shape("hrm::gemm", "C", c.rows, c.cols, a.rows, b.cols);
    if (a.cols == 0)
        for (index_t i = 0; i < c.rows; ++i)
            for (index_t j = 0; j < c.cols; ++j) c(i, j) = beta == S{0} ? S{0} : beta * c(i, j);
    if (a.cols == 0 || c.empty()) return;

    // By the shape of B alone, so that a row of the product does not depend on how many there are; one row has the same bits as it is.
    if constexpr (std::same_as<S, TA> && std::same_as<S, TB>) {
        if (b.rows * b.cols <= (32 << 10) / static_cast<index_t>(sizeof(S)))
            return detail::gemm_in_place<simd::registers == 32 ? 12 : 6, 2, S>(alpha, a, b, beta, c);
        if (c.rows == 1 && b.col_stride == 1) return detail::gemm_in_place<1, 8, S>(alpha, a, b, beta, c);
    }

    // Three shapes of tile, told apart by what they would compute in vain at the edges. The narrow one loads more for a
    // product and the flat one has just enough sums to hide their latency: a tenth and a third slower, as measured.
    constexpr int few = simd::register_bytes == 64 ? 2 : 1;
    using usual = detail::gemm_tile<6 * few, 2, S>;
    using flat = detail::gemm_tile<4 * few, 2, S>;
    using narrow = detail::gemm_tile<12 * few, 1, S>;
    const auto work = [&](index_t rows, index_t cols) { return (c.rows + rows - 1) / rows * rows * ((c.cols + cols - 1) / cols * cols); };
    const index_t u = 10 * work(usual::rows, usual::cols), f = 13 * work(flat::rows, flat::cols), n = 11 * work(narrow::rows, narrow::cols);
    if (u <= f && u <= n) detail::gemm_by<usual, S, TA, TB>(alpha, a, b, beta, c, aside);
    else if (f <= n) detail::gemm_by<flat, S, TA, TB>(alpha, a, b, beta, c, aside);
    else detail::gemm_by<narrow, S, TA, TB>(alpha, a, b, beta, c, aside);
}

/// C (+)= A B for views whose transposes are spelled out:  multiply(x, transposed(w), y).
enum class into { overwrite, add };
template <real S, class A, class B>
void multiply(const A& a, const B& b, matrix_view<S> c, into how = into::overwrite, S alpha = S{1}, detail::read_list aside = {}) {
    using TA = std::remove_const_t<std::remove_pointer_t<decltype(a.data)>>;
    using TB = std::remove_const_t<std::remove_pointer_t<decltype(b.data)>>;
    gemm<S, TA, TB>(alpha, strided_view<const TA>(a), strided_view<const TB>(b), how == into::add ? S{1} : S{0}, c, aside);
}

}  // namespace hrm
