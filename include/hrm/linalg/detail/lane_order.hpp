#pragma once

#include <cstring>
#include <utility>

#include <hrm/linalg/simd.hpp>

// Numbers that change lanes: squares of registers turned, pieces of rows gathered, lanes by turns or the other way round.

namespace hrm::simd {

namespace detail {
/// x = (a b)[lane], ... : lanes of a counted from 0, those of b after them.
template <class V, int... lane>
inline void shuffle(V& x, const V& a, const V& b, std::integer_sequence<int, lane...>) {
#if defined(__CUDACC__)  // whose front end loses the pack among a builtin's arguments
    constexpr int w = sizeof...(lane);
    int i = 0;
    ((x[i++] = lane < w ? a[lane % w] : b[lane % w]), ...);
#else
    x = __builtin_shufflevector(a, b, lane...);
#endif
}
/// The blocks of h lanes that a and b have off the diagonal change places.
template <int h, class V, int... lane>
inline void exchange(V& a, V& b, std::integer_sequence<int, lane...>) {
    constexpr int w = sizeof...(lane);
    V upper, lower;
    shuffle(upper, a, b, std::integer_sequence<int, (lane & h ? w + lane - h : lane)...>{});
    shuffle(lower, a, b, std::integer_sequence<int, (lane & h ? w + lane : lane + h)...>{});
    a = upper, b = lower;
}
template <int h, class V, int W>
inline void turn_blocks(V (&x)[W]) {
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
        if (!(i & h)) exchange<h>(x[i], x[i + h], std::make_integer_sequence<int, W>{});
    if constexpr (h > 1) turn_blocks<h / 2>(x);
}
/// Blocks of h lanes of a and b by turns, from the lower and from the upper half of every n lanes.
template <int h, int n, class V, int... lane>
inline void interleave(V& a, V& b, std::integer_sequence<int, lane...>) {
    constexpr int w = sizeof...(lane);
    constexpr auto from = [](int l, int half) { return l / n * n + half + l % n / h / 2 * h + l % h + (l / h % 2 ? w : 0); };
    V lower, upper;
    shuffle(lower, a, b, std::integer_sequence<int, from(lane, 0)...>{});
    shuffle(upper, a, b, std::integer_sequence<int, from(lane, n / 2)...>{});
    a = lower, b = upper;
}
}  // namespace detail

/// The transpose of a square of registers: x[i][j] and x[j][i] change places. log2(W) rounds, no memory.
template <lane_value S, int W = lanes<S>>
inline void turn(pack<S, W> (&x)[W]) {
    detail::turn_blocks<W / 2>(x);
}

/// W lanes, 16 bytes as they lie from each of several places `apart`.
template <lane_value S, int W = lanes<S>, storable T>
inline void gather(pack<S, W>& to, const T* from, index_t apart) {
    constexpr int part = 16 / static_cast<int>(sizeof(S));
    if constexpr (W <= part) std::memcpy(&to, from, sizeof(to));
#if defined(__AVX2__) && !defined(__CUDACC__)  // g++ would load the second part by itself
    else if constexpr (sizeof(to) == 32) {
        __m128i x[2];
        std::memcpy(&x[0], from, sizeof(x[0])), std::memcpy(&x[1], from + apart, sizeof(x[1]));
        const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(x[0]), x[1], 1);
        std::memcpy(&to, &both, sizeof(to));
    }
#endif
    else {
        pack<S, W / 2> low, high;
        gather<S, W / 2>(low, from, apart), gather<S, W / 2>(high, from + W / 2 / part * apart, apart);
        [&]<int... lane>(std::integer_sequence<int, lane...>) {
#if defined(__CUDACC__)
            ((to[lane] = lane < W / 2 ? low[lane % (W / 2)] : high[lane % (W / 2)]), ...);
#else
            to = __builtin_shufflevector(low, high, lane...);
#endif
        }(std::make_integer_sequence<int, W>{});
    }
}
/// The transposes of the squares that 16 bytes of each of so few registers are.
template <lane_value S, int W = lanes<S>, int N>
inline void turn_parts(pack<S, W> (&x)[N]) {
    constexpr std::make_integer_sequence<int, W> all;
    if constexpr (N == 2) detail::interleave<1, 2>(x[0], x[1], all);
    else if constexpr (N == 4) {
        detail::interleave<1, 4>(x[0], x[1], all), detail::interleave<1, 4>(x[2], x[3], all);
        detail::interleave<2, 4>(x[0], x[2], all), detail::interleave<2, 4>(x[1], x[3], all);
        std::swap(x[1], x[2]);
    }
}

/// The lanes the other way round.
template <real S>
inline void reverse(pack<S>& x) {
    const pack<S> before = x;
    [&]<int... lane>(std::integer_sequence<int, lane...>) {
        detail::shuffle(x, before, before, std::integer_sequence<int, (lanes<S> - 1 - lane)...>{});
    }(std::make_integer_sequence<int, lanes<S>>{});
}

}  // namespace hrm::simd
