#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>

#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/linalg/detail/skinny_kernel.hpp>

// Z = X B^T by dot products, where B has few rows:     X: L x d   B: n x d   Z: L x n
//     z_ti = sum_k x_tk b_ik,   lane l of a register summing the terms k = l, l + W, l + 2 W ...; then its lanes, in one tree
// Rows are multiplied as they lie: nothing of X is copied or turned, and it goes by in straight streams. The order of a sum
// depends on d alone, so a row of Z has the same bits beside any others.

namespace hrm::detail::skinny {

/// B has few rows: at most these; so many where it does not stay.
inline constexpr index_t narrow = simd::registers == 32 ? 32 : 16, narrow_stream = 16;
/// Columns of X that stay in the L1 while all of B's rows go by, long enough to be streams.
inline constexpr index_t dots_piece = 1024;
/// Whether B stays in the L1 and its rows are short: it is taken as it lies for any number of rows of X.
template <real S>
constexpr bool dots_stay(index_t n, index_t d) { return n * d * static_cast<index_t>(sizeof(S)) <= (16 << 10) && d <= dots_piece / 2; }
/// Whether dot products are the faster way. With more rows of B, what is read of it for three rows of X takes too long, unless it
/// stays; in a short row, adding lanes does.
template <real S>
constexpr bool dots_suit(index_t n, index_t d) {
    return (n <= narrow_stream && d >= 64 * n) || (n <= narrow && d >= 128 && dots_stay<S>(n, d));
}
/// Rows of X and of B in a tile: 12 sums and what is multiplied fill 16 registers, 24 fill 32. More rows of X would compete for the
/// same sets of the L1. One row of X alone takes more of B, or its sums would wait for each other.
inline constexpr int dots_rows = 3, dots_tall = simd::registers == 32 ? 6 : 3, dots_wide = 4, dots_alone = 8;

/// B in pieces of dots_piece columns, and each in groups of rows whose registers lie by turns; zero behind the last column.
template <real S>
struct packed_rows {
    const S* data = nullptr;
    index_t rows = 0, cols = 0;
};
template <real S>
index_t whole(index_t cols) {
    return (cols + simd::lanes<S> - 1) / simd::lanes<S> * simd::lanes<S>;
}
template <real S, storable P>
packed_rows<S> pack_rows(matrix_view<const P> b, workspace& ws) {
    constexpr index_t W = simd::lanes<S>;
    S* const data = ws.template take<S>(b.rows * whole<S>(b.cols)).data();
    S* to = data;
    for (index_t j = 0; j < b.cols; j += dots_piece)
        for_alike<dots_wide>(b.rows, [&]<int Q>(index_t at) {
            const index_t end = std::min(b.cols, j + dots_piece);
            for (index_t k = j; k < end; k += W)
                for (index_t q = 0; q < Q; ++q, to += W) {
                    const P* const from = b.row(at + q) + k;
                    const index_t live = std::min(W, end - k);
                    if (live == W) {
                        simd::pack<S> x;
                        simd::load<S>(x, from);
                        simd::store<S>(to, x);
                        continue;
                    }
                    for (index_t l = 0; l < live; ++l) to[l] = static_cast<S>(from[l]);
                    std::fill(to + live, to + W, S{0});
                }
        });
    return {data, b.rows, b.cols};
}

/// The first numbers of a register, zeros behind them.
template <real S, storable T>
void load_first(simd::pack<S>& to, const T* from, index_t count) {
    S part[simd::lanes<S>] = {};
    for (index_t l = 0; l < count; ++l) part[l] = static_cast<S>(from[l]);
    simd::load<S>(to, part);
}
/// sum[r][q] += x_r b_q, one register of each: load(to, row), load_b alike.
template <int R, int Q, real S, class X, class B>
[[gnu::always_inline]] inline void dots_step(X&& load, B&& load_b, simd::pack<S> (&sum)[R][Q]) {
    simd::pack<S> x[R];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
        load(x[r], r);
        simd::hold<S>(x[r]);
    }
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q) {
        simd::pack<S> b;
        load_b(b, q);
        simd::hold<S>(b);
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) simd::multiply_add<S>(sum[r][q], x[r], b);
    }
}
/// sum (R x Q registers, `sums` apart) = or += over `count` columns. Row q of b lies `stride` behind the one before, its next
/// register `step` on; nil where b is packed. So many rows of `next` as `asks` says, `next_stride` apart, are asked for meanwhile.
template <int R, int Q, bool packed, real S, storable P, storable T>
[[gnu::noinline]] void dots_tile(const S* x, index_t x_stride, const P* b, index_t b_stride, index_t count, bool afresh,
                                 simd::pack<S>* sums, index_t apart, index_t asks, const T* next, index_t next_stride) {
    constexpr index_t W = simd::lanes<S>, line = 64 / static_cast<index_t>(sizeof(S)), step = packed ? Q * W : W;
    const index_t stride = packed ? W : b_stride;
    simd::pack<S> sum[R][Q];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Q; ++q) sum[r][q] = afresh ? simd::pack<S>{} : sums[r * apart + q];
    index_t k = 0;
    const auto load = [&](simd::pack<S>& to, int r) { simd::load<S>(to, x + r * x_stride + k); };
    const auto load_b = [&](simd::pack<S>& to, int q) { simd::load<S>(to, b + q * stride); };
    for (; k + W <= count; k += W, b += step) {
        if (k % line == 0)
            for (index_t r = 0; r < asks; ++r) __builtin_prefetch(next + r * next_stride + k, 0, packed ? 2 : 3);
        dots_step<R, Q, S>(load, load_b, sum);
    }
    if (k < count)
        dots_step<R, Q, S>([&](simd::pack<S>& to, int r) { load_first<S>(to, x + r * x_stride + k, count - k); },
                           [&](simd::pack<S>& to, int q) { load_first<S>(to, b + q * stride, count - k); }, sum);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Q; ++q) sums[r * apart + q] = sum[r][q];
}

/// x[0] = the lanes of each of N registers added up, x[i]'s sum in lane i W / N, and where 16 bytes hold several in those behind it:
/// pairs of registers at a time, the halves of 16 bytes, of those the halves, and then the halves of the register, of those ... The
/// tree is one whatever N is.
template <real S, int N, int h = 1, int n = 16 / static_cast<int>(sizeof(S))>
[[gnu::always_inline]] inline void add_lanes(simd::pack<S>* x) {
    constexpr int W = simd::lanes<S>, part = 16 / static_cast<int>(sizeof(S));
    constexpr bool inside = n == part && h < part;  // of 16 bytes: neighbours are joined; then what will lie furthest apart
    constexpr int left = std::max(1, N / 2);
#pragma GCC unroll 8
    for (int i = 0; i < left; ++i) {
        simd::pack<S> a = x[inside ? 2 * i : i], b = x[N == 1 ? 0 : inside ? 2 * i + 1 : i + left];
        simd::detail::interleave<h, n>(a, b, std::make_integer_sequence<int, W>{});
        x[i] = a + b;
    }
    if constexpr (inside && 2 * h < part) add_lanes<S, left, 2 * h, n>(x);
    else if constexpr (inside && W > part) add_lanes<S, left, W / 2, W>(x);
    else if constexpr (!inside && h > part) add_lanes<S, left, h / 2, n / 2>(x);
}
/// z (R x Q, `stride` apart) = the sums of the lanes of each register, of as many rows at once as fill one.
template <int R, int Q, real S>
[[gnu::always_inline]] inline void put_lanes(const simd::pack<S> (&sum)[R][Q], S* z, index_t stride) {
    constexpr int W = simd::lanes<S>, wide = Q > 4 ? 8 : Q > 2 ? 4 : Q, together = std::clamp(W / wide, 1, R), N = together * wide;
    constexpr int part = std::min(N, 16 / static_cast<int>(sizeof(S))), apart = W * part / N;
    static_assert(Q <= 8 && N <= W && R % together == 0);
#pragma GCC unroll 4
    for (int r = 0; r < R; r += together) {
        simd::pack<S> all[N] = {};
        alignas(64) S added[W];
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i)
            if (i % wide < Q) all[i] = sum[r + i / wide][i % wide];
        add_lanes<S, N>(all);
        simd::store<S>(added, all[0]);
#pragma GCC unroll 16
        for (int i = 0; i < N; ++i)
            if (i % wide < Q) z[(r + i / wide) * stride + i % wide] = added[i / part * apart + i % part];
    }
}
/// z_i = the sum of the lanes of sums[i].
template <real S>
void add_lanes(const simd::pack<S>* sums, index_t count, S* z) {
    constexpr int part = 16 / static_cast<int>(sizeof(S));
    for (index_t i = 0; i < count; i += part)
        with_count<part>(count - i, [&]<int Q>() {
            simd::pack<S> x[1][Q];
            std::copy_n(sums + i, Q, x[0]);
            put_lanes<1, Q, S>(x, z + i, 0);
        });
}

/// Z = X B^T, B packed. A few rows of X at a time; each tile asks for its share of the next ones.
template <real S, storable T>
void by_dots(matrix_view<const T> x, packed_rows<S> b, matrix_view<S> z) {
    constexpr bool as_is = std::same_as<S, T>;
    simd::pack<S> sums[dots_tall * narrow];
    alignas(64) S wide[as_is ? 1 : dots_tall * dots_piece];
    for_rows<dots_tall>(x.rows, [&]<int R>(index_t t) {
        const S* packed = b.data;
        for (index_t j = 0; j < x.cols; j += dots_piece) {
            const index_t count = std::min(dots_piece, x.cols - j), share = (R * dots_wide + b.rows - 1) / std::max<index_t>(1, b.rows);
            index_t asked = t + 2 * R <= x.rows ? 0 : R;
            const S* here = wide;
            if constexpr (as_is) here = x.row(t) + j;
            else
                for (int r = 0; r < R; ++r) widen<S>(x.row(t + r) + j, count, wide + r * dots_piece);
            for_alike<dots_wide>(b.rows, [&]<int Q>(index_t at) {
                const index_t asks = std::min(share, R - asked);
                dots_tile<R, Q, true, S>(here, as_is ? x.stride : dots_piece, packed, 0, count, j == 0, sums + at, b.rows, asks,
                                         x.row(t + (asks > 0 ? R + asked : 0)) + j, x.stride);
                packed += Q * whole<S>(count);
                asked += asks;
            });
        }
        for (int r = 0; r < R; ++r) add_lanes<S>(sums + r * b.rows, b.rows, z.row(t + r));
    });
}
/// The same for a few rows of X, B as it lies: a decoded token.
template <real S, storable P>
void by_dots(matrix_view<const S> x, matrix_view<const P> b, matrix_view<S> z) {
    constexpr index_t in_cache = index_t{1} << 16, ahead = 1024 / static_cast<index_t>(sizeof(P));  // else B's own rows are asked for
    const bool asks = b.rows * b.cols * static_cast<index_t>(sizeof(P)) > in_cache;
    simd::pack<S> sums[dots_rows * narrow];
    for (index_t t = 0; t < x.rows; t += dots_rows)
        with_count<dots_rows>(x.rows - t, [&]<int R>() {
            for_alike<R == 1 ? dots_alone : dots_wide>(b.rows, [&]<int Q>(index_t at) {
                const P* const rows = b.row(at);
                dots_tile<R, Q, false, S, P, P>(x.row(t), x.stride, rows, b.stride, x.cols, true, sums + at, b.rows, asks ? Q : 0, rows + ahead,
                                                b.stride);
            });
            for (int r = 0; r < R; ++r) add_lanes<S>(sums + r * b.rows, b.rows, z.row(t + r));
        });
}

/// Z = X B^T for R rows of X and Q of B, whole rows at once. whole: they fill their last register. A branch there would take all sums
/// through memory.
template <int R, int Q, bool whole, real S>
[[gnu::noinline]] void dots_at_once(const S* x, index_t x_stride, const S* b, index_t b_stride, index_t count, S* z, index_t z_stride) {
    constexpr index_t W = simd::lanes<S>;
    simd::pack<S> sum[R][Q] = {};
    index_t k = 0;
    for (; k + W <= count; k += W)
        dots_step<R, Q, S>([&](simd::pack<S>& to, int r) { simd::load<S>(to, x + r * x_stride + k); },
                           [&](simd::pack<S>& to, int q) { simd::load<S>(to, b + q * b_stride + k); }, sum);
    if constexpr (!whole)
        dots_step<R, Q, S>([&](simd::pack<S>& to, int r) { load_first<S>(to, x + r * x_stride + k, count - k); },
                           [&](simd::pack<S>& to, int q) { load_first<S>(to, b + q * b_stride + k, count - k); }, sum);
    put_lanes<R, Q, S>(sum, z, z_stride);
}
/// The same for a B that stays: as many rows of X and of B at a time as one tree adds up, four by four where a register holds 16.
template <real S>
void by_dots_at_once(matrix_view<const S> x, matrix_view<const S> b, matrix_view<S> z) {
    constexpr int lanes = simd::lanes<S>, most = lanes < 4 ? lanes : std::clamp(lanes / 2, 4, 8), rows = lanes == 16 ? 4 : lanes / most > 1 ? 2 : 1;
    for_rows<rows>(x.rows, [&]<int R>(index_t t) {
        for_alike<R == 4 ? 4 : most>(b.rows, [&]<int Q>(index_t at) {
            const auto run = x.cols % lanes == 0 ? dots_at_once<R, Q, true, S> : dots_at_once<R, Q, false, S>;
            run(x.row(t), x.stride, b.row(at), b.stride, x.cols, z.row(t) + at, z.stride);
        });
    });
}

}  // namespace hrm::detail::skinny
