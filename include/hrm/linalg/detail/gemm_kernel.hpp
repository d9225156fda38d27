#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>
#include <span>

#include <hrm/core/view.hpp>
#include <hrm/linalg/detail/lane_order.hpp>

// The inside of gemm: a tile of the product in registers, and the panels of A and B it reads.

namespace hrm::detail {

/// A tile of R rows and P registers of columns. Its sums, a row of B and a broadcast fill the register file: 12 sums of
/// 16 registers, 24 of the 32 that AVX-512 has.
template <int R, int P, real S>
struct gemm_tile {
    static constexpr int rows = R, packs = P, cols = P * simd::lanes<S>;
    /// Steps of the sum that stay in registers; what is longer goes on from C. Part of every result's bits. Few, so that a
    /// panel of B is a short run of whole rows: matrices whose rows are a power of two apart share few sets of a cache.
    static constexpr index_t depth = 64;
    /// A's panel: blocks of two tiles, and enough of them that columns of A are read by whole cache lines.
    static constexpr index_t block = 2 * R, tall = 8 * R;
    /// Rows of it lie so far apart: one pack more than the depth, or all would compete for the same sets of the L1.
    static constexpr index_t apart = depth + simd::lanes<S>;
    /// Numbers in the panel of B, 128 KiB: with the next one on its way, half of a small L2.
    static constexpr index_t room = (128 << 10) / static_cast<index_t>(sizeof(S));
    /// Numbers of it that stay in the L1 while rows of A pass by, 8 KiB.
    static constexpr index_t near = (8 << 10) / static_cast<index_t>(sizeof(S));
};

/// The cache lines of a region that is read later, fetched a few at a time while the arithmetic goes on.
template <class T>
struct read_ahead {
    const T* row = nullptr;
    index_t rows = 0, width = 0, stride = 0, at = 0, pace = 0;

    /// All of it in so many calls of fetch.
    void spread(index_t calls) { pace = (rows * ((width + line - 1) / line) + calls - 1) / calls; }
    void fetch() {
        for (index_t count = pace; count > 0 && rows > 0; --count) {
            __builtin_prefetch(row + at, 0, 2);
            if ((at += line) >= width) at = 0, row += stride, --rows;
        }
    }
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
};

/// The same for a list of runs of memory that is read and written.
struct memory_run {
    const void* data;
    index_t bytes;
};
class read_list {
public:
    read_list(std::span<const memory_run> runs = {}) : runs_(runs) {}
    void spread(index_t calls) {
        index_t lines = 0;
        for (const auto& r : runs_) lines += (r.bytes + line - 1) / line;
        pace_ = (lines + calls - 1) / calls;
    }
    void fetch() {
        for (index_t count = pace_; count > 0 && !runs_.empty(); --count) {
            __builtin_prefetch(static_cast<const char*>(runs_[0].data) + at_, 1, 2);
            if ((at_ += line) >= runs_[0].bytes) at_ = 0, runs_ = runs_.subspan(1);
        }
    }

private:
    static constexpr index_t line = 64;
    std::span<const memory_run> runs_;
    index_t at_ = 0, pace_ = 0;
};

/// Steps between two looks aside.
inline constexpr index_t gemm_stretch = 16;

/// to (rows x cols, `stride` apart) = keep * to + alpha * sum_k a(., k) b(k, .);  keep = 0 does not read it.
/// Element (r, k) of A is a[r * row_step + k * k_step]. K ascending, one fused multiply-add each, whatever the shape of
/// the whole: a row of the product does not depend on how many other rows there are.
/// meanwhile() is called every gemm_stretch steps.
template <class Tile, index_t row_step, index_t k_step, real S, class F>
inline void gemm_micro(index_t depth, const S* __restrict a, const S* __restrict b, S alpha, S keep, S* to, index_t stride,
                       F&& meanwhile) {
    constexpr int R = Tile::rows, P = Tile::packs, W = simd::lanes<S>;
    simd::pack<S> sum[R][P] = {};
    for (index_t left = depth; left > 0; left -= gemm_stretch) {
        meanwhile();
        for (index_t k = std::min(left, gemm_stretch); k > 0; --k, a += k_step, b += Tile::cols) {
            simd::pack<S> row[P];
#pragma GCC unroll 4
            for (int v = 0; v < P; ++v) simd::load<S>(row[v], b + v * W);
#pragma GCC unroll 24
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
                for (int v = 0; v < P; ++v) sum[r][v] += a[r * row_step] * row[v];
        }
    }
#pragma GCC unroll 24
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < P; ++v) {
            S* const at = to + r * stride + v * W;
            simd::pack<S> old;
            if (keep == S{0}) {
                simd::store<S>(at, alpha * sum[r][v]);
            } else {
                simd::load<S>(old, at);
                simd::store<S>(at, keep * old + alpha * sum[r][v]);
            }
        }
}

/// to[0 .. n) = from[0 .. n) of a length known here, so that it is a few vector moves and never a call or a rep movs.
template <int n, real S, storable T>
inline void gemm_copy(S* __restrict to, const T* __restrict from) {
    if constexpr (std::same_as<S, T>) std::memcpy(to, from, n * sizeof(S));
    else
        for (int q = 0; q < n; ++q) to[q] = static_cast<S>(from[q]);
}

/// Columns of B in panels of Tile::cols, each k by k: element (k, j) of a panel at [k * cols + j]. The last is filled up
/// with zeros.
template <class Tile, real S, storable T>
void gemm_pack_b(strided_view<const T> b, S* to) {
    constexpr index_t W = simd::lanes<S>, C = Tile::cols;
    const index_t whole = b.col_stride == 1 || b.row_stride == 1 ? b.cols / W * W : 0;
    const auto at = [&](index_t k, index_t j) { return to + j / C * C * b.rows + k * C + j % C; };
    index_t turned = 0;
    if (b.col_stride == 1)
        for (index_t k = 0; k < b.rows; ++k)
            for (index_t j = 0; j < whole; j += W) gemm_copy<W>(at(k, j), b.data + k * b.row_stride + j);
    else if (b.row_stride == 1)
        for (index_t j = 0; j < whole; j += W)
            for (turned = 0; turned + W <= b.rows; turned += W) {
                simd::pack<S> x[W];
#pragma GCC unroll 16
                for (index_t i = 0; i < W; ++i) simd::load<S>(x[i], b.data + (j + i) * b.col_stride + turned);
                simd::turn<S>(x);
#pragma GCC unroll 16
                for (index_t i = 0; i < W; ++i) simd::store<S>(at(turned + i, j), x[i]);
            }
    // What is left: the last columns, and below turned blocks the last rows.
    for (index_t j = 0; j < (b.cols + C - 1) / C * C; ++j) {
        S* const column = at(0, j);
        if (j >= b.cols)
            for (index_t k = 0; k < b.rows; ++k) column[k * C] = S{0};
        else
            for (index_t k = j < whole ? (b.col_stride == 1 ? b.rows : turned) : 0; k < b.rows; ++k) column[k * C] = static_cast<S>(b(k, j));
    }
}

/// Rows of A as they are, one behind the other: row i of block p at to + p * block * apart + i * apart. Rows that fill the
/// last tile up are zero.
template <class Tile, real S, storable T>
void gemm_pack_rows(strided_view<const T> a, S* to) {
    constexpr index_t W = simd::lanes<S>;
    for (index_t i = 0; i < a.rows; ++i, to += Tile::apart) {
        const T* from = a.data + i * a.row_stride;
        index_t k = 0;
        if (a.col_stride == 1)
            for (; k + W <= a.cols; k += W) gemm_copy<W>(to + k, from + k);
        for (; k < a.cols; ++k) to[k] = static_cast<S>(from[k * a.col_stride]);
    }
    for (index_t i = a.rows; i % Tile::rows != 0; ++i, to += Tile::apart) std::fill_n(to, a.cols, S{0});
}

/// A whose columns are contiguous, block by block, k by k: element (i, k) of a block at [k * block + i].
template <class Tile, real S, storable T>
void gemm_pack_columns(strided_view<const T> a, S* to) {
    constexpr index_t block = Tile::block;
    for (index_t k = 0; k < a.cols; ++k) {
        const T* from = a.data + k * a.col_stride;
        for (index_t i = 0; i < a.rows; i += block) {
            S* at = to + i * a.cols + k * block;
            if (i + block <= a.rows) gemm_copy<block>(at, from + i);
            else
                for (index_t q = 0; q < block; ++q) at[q] = i + q < a.rows ? static_cast<S>(from[i + q]) : S{0};
        }
    }
}

/// to = beta to + alpha A B for up to R rows and P registers of columns, A read where it lies and B `apart` from row to row.
/// Rows that are not there are computed in vain, as copies of the last one.
template <int R, int P, real S>
inline void gemm_tile_in_place(S alpha, strided_view<const S> a, const S* __restrict b, index_t apart, S beta, matrix_view<S> c) {
    constexpr int W = simd::lanes<S>;
    simd::pack<S> sum[R][P] = {}, row[P];
    const S* from[R];
    for (int r = 0; r < R; ++r) from[r] = a.data + std::min<index_t>(r, a.rows - 1) * a.row_stride;
    for (index_t k = 0, at = 0; k < a.cols; ++k, at += a.col_stride, b += apart) {
#pragma GCC unroll 8
        for (int v = 0; v < P; ++v) simd::load<S>(row[v], b + v * W);
#pragma GCC unroll 24
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < P; ++v) sum[r][v] += from[r][at] * row[v];
    }
    alignas(64) S edge[P * W] = {};  // what lies beyond live columns is computed with, and left
#pragma GCC unroll 24
    for (int r = 0; r < R; ++r) {
        if (r >= c.rows) return;
        S* const to = c.row(r);
        const bool whole = c.cols == P * W;
        if (!whole && beta != S{0})
            for (index_t j = 0; j < c.cols; ++j) edge[j] = to[j];
#pragma GCC unroll 8
        for (int v = 0; v < P; ++v) {
            S* const at = (whole ? to : edge) + v * W;
            simd::pack<S> old;
            if (beta == S{0}) simd::store<S>(at, alpha * sum[r][v]);
            else {
                simd::load<S>(old, at);
                simd::store<S>(at, beta * old + alpha * sum[r][v]);
            }
        }
        if (!whole)
            for (index_t j = 0; j < c.cols; ++j) to[j] = edge[j];
    }
}
/// gemm where B stays in the L1, or is read once: nothing is copied but what of B is not whole registers, so that a call costs little
/// but its arithmetic. The sum over K is gemm_by's, to the bit. P registers of columns at a time, two where fewer are left: one row
/// alone has P sums that do not wait for each other, and reads runs that are worth a stream.
template <int R, int P, real S>
[[gnu::noinline]] void gemm_in_place(S alpha, strided_view<const S> a, strided_view<const S> b, S beta, matrix_view<S> c) {
    using tile = gemm_tile<R, 2, S>;
    constexpr index_t W = simd::lanes<S>, C = tile::cols, wide = P * W;
    alignas(64) S panel[tile::depth * C];
    for (index_t k = 0; k < a.cols; k += tile::depth, beta = 1)
        for (index_t j = 0; j < c.cols;) {
            const index_t deep = std::min(tile::depth, a.cols - k);
            const bool many = P > 2 && b.col_stride == 1 && j + wide <= c.cols;
            const index_t live = many ? wide : std::min(C, c.cols - j);
            const auto own = b.block(k, j, deep, live);
            const bool whole = own.col_stride == 1 && live % W == 0;
            if (!whole) gemm_pack_b<tile>(own, panel);
            const S* const from = whole ? own.data : panel;
            const index_t apart = whole ? own.row_stride : C;
            for (index_t i = 0; i < c.rows; i += R) {
                const index_t rows = std::min<index_t>(R, c.rows - i);
                const auto to = c.slice_rows(i, rows).slice_cols(j, live);
                if (many) gemm_tile_in_place<R, P>(alpha, a.block(i, k, rows, deep), from, apart, beta, to);
                else if (live > W) gemm_tile_in_place<R, 2>(alpha, a.block(i, k, rows, deep), from, apart, beta, to);
                else gemm_tile_in_place<R, 1>(alpha, a.block(i, k, rows, deep), from, apart, beta, to);
            }
            j += live;
        }
}

}  // namespace hrm::detail
