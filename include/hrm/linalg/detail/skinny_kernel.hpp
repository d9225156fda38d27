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

/// Rows of a tile; two registers of columns give 24 sums of AVX-512's 32 registers, 12 of the 16 of other x86.
inline constexpr int tall = simd::register_bytes == 64 ? 12 : 6;
/// A panel of the big matrix: span x depth numbers, copied so that its rows lie `apart`. Both whole tiles. One more line
/// than the depth, or rows would compete for the same sets of a cache.
inline constexpr index_t span = 48, depth = 96, apart = depth + 16;
/// Steps between two looks aside: a cache line of floats.
inline constexpr index_t stretch = 16;

/// What a tile does on the side: copies rows of a matrix into a panel, a few cache lines at a time, and asks for what
/// lies `far` numbers further.
template <real S, storable T>
struct errand {
    const T* from = nullptr;
    S* to = nullptr;
    index_t rows = 0, cols = 0, stride = 0, far = 0, pace = 0, at = 0;

    void operator()() { some(pace); }
    void finish() { some(lines()); }
    /// All of it in so many calls.
    void spread(index_t calls) { pace = (lines() + calls - 1) / calls; }

private:
    static constexpr index_t line = 64 / static_cast<index_t>(sizeof(S));
    index_t lines() const { return rows * ((cols + line - 1) / line); }
    void some(index_t count) {
        for (; count > 0 && rows > 0; --count) {
            __builtin_prefetch(from + at + far, 0, 2);
            if (at + line <= cols) {
                if constexpr (std::same_as<S, T>) std::memcpy(to + at, from + at, 64);
                else
                    for (index_t q = 0; q < line; ++q) to[at + q] = static_cast<S>(from[at + q]);
                at += line;
            } else {
                for (; at < cols; ++at) to[at] = static_cast<S>(from[at]);
            }
            if (at >= cols) at = 0, from += stride, to += apart, --rows;
        }
    }
};

enum class start { afresh, on_top };

/// to (R x P W, `stride` apart) = or += sum_k a(., k) b(k, .).   a(r, k) is a[r * row + k * step]; b's rows are P W long.
/// K ascending, one fused multiply-add each: no element depends on R, P or W. `later`: a tile that will be written next.
template <int R, int P, int W, index_t row, index_t step, real S, class F>
[[gnu::noinline]] void tile(index_t steps, const S* __restrict a, const S* __restrict b, start how, S* to, index_t stride,
                            const S* later, F& aside) {
    using V = simd::pack<S, W>;
    V sum[R][P] = {};
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < P * W * static_cast<int>(sizeof(S)); v += 64)
            __builtin_prefetch(reinterpret_cast<const char*>(later + r * stride) + v, 1, 3);
    for (index_t left = steps; left > 0; left -= stretch) {
        aside();
        for (index_t k = std::min(left, stretch); k > 0; --k, a += step, b += P * W) {
            V in[P];
#pragma GCC unroll 2
            for (int v = 0; v < P; ++v) simd::load<S, W>(in[v], b + v * W);
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
                for (int v = 0; v < P; ++v) sum[r][v] += a[r * row] * in[v];
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < P; ++v) {
            S* const at = to + r * stride + v * W;
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

/// `count` rows in tiles: f.template operator()<R>(first row).
template <class F>
void for_tiles(index_t count, F&& f) {
    index_t i = 0;
    for (; i + tall <= count; i += tall) f.template operator()<tall>(i);
    for (; i + tall / 3 <= count; i += tall / 3) f.template operator()<tall / 3>(i);
    for (; i < count; ++i) f.template operator()<1>(i);
}
inline index_t tiles(index_t count) { return (count + tall - 1) / tall; }

}  // namespace hrm::detail::skinny
