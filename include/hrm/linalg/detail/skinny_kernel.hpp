#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>

#include <hrm/core/view.hpp>
#include <hrm/linalg/simd.hpp>

// The inside of skinny.hpp: a tile of sums in registers, and what is done beside its arithmetic.
//
// A tile's multiplications leave two thirds of what the processor can issue. Everything else (copying the next panel,
// asking for memory that comes later) is cut in small pieces and done there.

namespace hrm::detail::skinny {

/// Rows of a tile of two registers of columns: 24 sums where there are 32 registers, 12 where there are 16. Tiles of one
/// register are twice as tall, or their sums would wait for each other.
inline constexpr int tall = simd::registers == 32 ? 12 : 6;
/// A panel of the big matrix: span x depth numbers, copied so that its rows lie `apart`: one more line than the depth, or
/// rows would compete for the same sets of a cache. Two of them are half of a small L2.
inline constexpr index_t span = 96, depth = 128, apart = depth + 16;
/// Steps of a sum between two looks aside: a cache line of floats.
inline constexpr index_t stretch = 16;

/// What a tile does on the side: copies a part of a matrix into a panel, a piece of a row at a time, and asks for the one
/// that comes `ahead` rows later. No further: columns of a matrix whose rows are a power of two apart share few sets of
/// the L2.
template <real S, storable T>
struct errand {
    static constexpr index_t piece = depth / 2, ahead = 8;
    const T* from = nullptr;
    S* to = nullptr;
    index_t rows = 0, cols = 0, stride = 0, at = 0;
    index_t pace = 0;             ///< pieces a look
    index_t far = 0, beyond = 0;  ///< what is asked for lies so far behind, and from the last `ahead` rows on

    errand() = default;
    /// The part begins at first, the next one `next` behind it. Copied in so many looks; a narrow one only at the end.
    errand(const T* first, S* to_, index_t rows_, index_t cols_, index_t stride_, index_t next, index_t looks)
        : from(first), to(to_), rows(rows_), cols(cols_), stride(stride_), far(ahead * stride), beyond(next - (rows - ahead) * stride) {
        if (cols == depth) pace = (2 * rows + looks - 1) / looks;
        if (rows <= ahead) far = beyond;
    }
    void operator()() {
        for (index_t count = std::min(pace, 2 * rows - (at != 0)); count > 0; --count) copy_piece();
    }
    void finish() {
        if (cols == depth)
            while (rows > 0) copy_piece();
        for (; rows > 0; --rows, from += stride, to += apart)
            for (index_t q = 0; q < cols; ++q) to[q] = static_cast<S>(from[q]);
    }

private:
    void copy_piece() {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), W = simd::lanes<S>;
#pragma GCC unroll 8
        for (index_t q = 0; q < piece; q += line) __builtin_prefetch(from + at + far + q, 0, 2);
#pragma GCC unroll 16
        for (index_t q = 0; q < piece; q += W) {
            simd::pack<S> x;
            simd::load<S>(x, from + at + q);
            simd::store<S>(to + at + q, x);
        }
        at = piece - at;
        const bool next = at == 0;
        from += next ? stride : 0, to += next ? apart : 0, rows -= next;
        far = rows <= ahead ? beyond : far;
    }
};

enum class start { afresh, on_top };

/// to (R x P W, `stride` apart) = or += sum_k a(., k) b(k, .).   a(r, k) is a[r * row + k * step]; b's rows are P W long.
/// K ascending, one fused multiply-add each: no element depends on R, P or W.
template <int R, int P, int W, index_t row, index_t step, real S, storable T, class F>
[[gnu::noinline]] void tile(index_t steps, const S* __restrict a, const S* __restrict b, start how, T* to, index_t stride,
                            F& aside) {
    using V = simd::pack<S, W>;
    V sum[R][P] = {};
    for (; steps > 0; steps -= stretch) {
        aside();
        for (index_t k = std::min(steps, stretch); k > 0; --k, a += step, b += P * W) {
            V in[P];
#pragma GCC unroll 2
            for (int v = 0; v < P; ++v) simd::load<S, W>(in[v], b + v * W);
#pragma GCC unroll 24
            for (int r = 0; r < R; ++r) {
                V x;
                simd::spread<S, W>(x, a[r * row]);
#pragma GCC unroll 2
                for (int v = 0; v < P; ++v) simd::multiply_add<S, W>(sum[r][v], x, in[v]);
            }
        }
    }
#pragma GCC unroll 24
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < P; ++v) {
            T* const at = to + r * stride + v * W;
            if (how == start::on_top) {
                V old;
                simd::load<S, W>(old, at);
                sum[r][v] += old;
            }
            simd::store<S, W>(at, sum[r][v]);
        }
}

/// Columns are worked on in groups of two registers, one, or half of one: f.template operator()<P, W>(first column,
/// first padded column) for each. 7 columns cost what 8 cost, 20 what 24, 42 what 48 (floats in AVX-512).
template <real S, class F>
void for_groups(index_t n, F&& f) {
    constexpr int W = simd::lanes<S>, half = W / 2;
    index_t at = 0;
    for (; n - at > W + half; at += 2 * W) f.template operator()<2, W>(at);
    if (n - at > half) f.template operator()<1, W>(at), at += W;
    if (n > at) f.template operator()<1, half>(at);
}
/// Columns with the padding of the last group.
template <real S>
index_t padded(index_t n) {
    index_t all = 0;
    for_groups<S>(n, [&]<int P, int W>(index_t) { all += P * W; });
    return all;
}

/// `count` rows in tiles of P registers: f.template operator()<R>(first row).
template <int P, class F>
void for_tiles(index_t count, F&& f) {
    constexpr int R = P == 2 ? tall : 2 * tall;
    index_t i = 0;
    for (; i + R <= count; i += R) f.template operator()<R>(i);
    for (; i + R / 3 <= count; i += R / 3) f.template operator()<R / 3>(i);
    for (; i < count; ++i) f.template operator()<1>(i);
}
inline index_t tiles(index_t count) { return (count + tall - 1) / tall; }

}  // namespace hrm::detail::skinny
