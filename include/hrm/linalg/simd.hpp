#pragma once

#include <cstring>
#include <utility>

#include <hrm/core/scalar.hpp>

// The one place that knows how wide this compilation's vector registers are. GCC and Clang vector extensions: plain
// arithmetic on packs, one readable source for AVX-512, AVX2, NEON and SSE2.

namespace hrm::simd {

#if defined(__AVX512F__)
inline constexpr int register_bytes = 64;
#elif defined(__AVX__)
inline constexpr int register_bytes = 32;
#else
inline constexpr int register_bytes = 16;
#endif

template <real S>
inline constexpr int lanes = register_bytes / static_cast<int>(sizeof(S));

namespace detail {
template <class S, int W>
struct pack_of {
    typedef S type __attribute__((vector_size(W * sizeof(S))));
};
template <class S>
struct pack_of<S, 1> {
    using type = S;
};
}  // namespace detail

/// W numbers side by side, one register unless said otherwise: +, -, *, [] work lane by lane; pack + scalar broadcasts.
/// W = 1 is the plain scalar.
template <class S, int W = lanes<S>>
using pack = typename detail::pack_of<S, W>::type;

// Loads and stores are memcpy, which every compiler turns into one unaligned move; references, because passing packs
// by value would tie the calling convention to the -m flags.
template <real S, int W = lanes<S>>
inline void load(pack<S, W>& to, const S* from) {
    std::memcpy(&to, from, sizeof(to));
}
template <real S, int W = lanes<S>>
inline void store(S* to, const pack<S, W>& from) {
    std::memcpy(to, &from, sizeof(from));
}

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
template <int h, real S, int... lane>
inline void exchange(pack<S>& a, pack<S>& b, std::integer_sequence<int, lane...>) {
    constexpr int w = sizeof...(lane);
    pack<S> upper, lower;
    shuffle(upper, a, b, std::integer_sequence<int, (lane & h ? w + lane - h : lane)...>{});
    shuffle(lower, a, b, std::integer_sequence<int, (lane & h ? w + lane : lane + h)...>{});
    a = upper, b = lower;
}
template <int h, real S>
inline void turn_blocks(pack<S> (&x)[lanes<S>]) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes<S>; ++i)
        if (!(i & h)) exchange<h, S>(x[i], x[i + h], std::make_integer_sequence<int, lanes<S>>{});
    if constexpr (h > 1) turn_blocks<h / 2, S>(x);
}
}  // namespace detail

/// The transpose of a square of registers: x[i][j] and x[j][i] change places. log2(lanes) rounds, no memory.
template <real S>
inline void turn(pack<S> (&x)[lanes<S>]) {
    detail::turn_blocks<lanes<S> / 2, S>(x);
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
