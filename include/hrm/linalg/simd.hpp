#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__FMA__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

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

/// Whether multiply_add is one instruction.
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = false;
#endif

/// Whether sums of products of bf16 are one instruction.
#if defined(__AVX512BF16__) && defined(__AVX512VL__) && !defined(__CUDACC__)
inline constexpr bool pairs = true;
#else
inline constexpr bool pairs = false;
#endif

/// How many registers there are.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif

/// Two bf16 side by side, the first in the lower half.
using bf16_pair = std::uint32_t;
/// What a lane holds.
template <class S>
concept lane_value = real<S> || std::same_as<S, bf16_pair>;

template <lane_value S>
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
template <lane_value S, int W = lanes<S>>
inline void load(pack<S, W>& to, const S* from) {
    std::memcpy(&to, from, sizeof(to));
}
template <lane_value S, int W = lanes<S>>
inline void store(S* to, const pack<S, W>& from) {
    std::memcpy(to, &from, sizeof(from));
}
/// Numbers of the other precision are converted, one by one.
template <real S, int W = lanes<S>, real T>
    requires(!std::same_as<S, T>)
inline void load(pack<S, W>& to, const T* from) {
    if constexpr (W == 1) to = static_cast<S>(*from);
    else
        for (int i = 0; i < W; ++i) to[i] = static_cast<S>(from[i]);
}
template <real S, int W = lanes<S>, real T>
    requires(!std::same_as<S, T>)
inline void store(T* to, const pack<S, W>& from) {
    if constexpr (W == 1) *to = static_cast<T>(from);
    else
        for (int i = 0; i < W; ++i) to[i] = static_cast<T>(from[i]);
}

namespace detail {
template <int W>
using words = typename pack_of<std::uint32_t, W>::type;
template <int W>
using halves = typename pack_of<std::uint16_t, W>::type;

/// Words of 16 bits and of 32 for each other, no number above 16 bits. g++ takes five instructions for one that AVX2 has.
template <int W>
[[gnu::always_inline]] inline void widen(words<W>& to, const halves<W>& from) {
#if defined(__AVX2__)
    if constexpr (W == 8) {
        __m128i x;
        std::memcpy(&x, &from, sizeof(x));
        const __m256i y = _mm256_cvtepu16_epi32(x);
        std::memcpy(&to, &y, sizeof(y));
        return;
    }
#endif
#if defined(__CUDACC__)  // whose front end does not know the builtin
    for (int i = 0; i < W; ++i) to[i] = from[i];
#else
    to = __builtin_convertvector(from, words<W>);
#endif
}
template <int W>
[[gnu::always_inline]] inline void narrow(halves<W>& to, const words<W>& from) {
#if defined(__AVX2__)
    if constexpr (W == 8) {
        __m256i x;
        std::memcpy(&x, &from, sizeof(x));
        const __m128i y = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
        std::memcpy(&to, &y, sizeof(y));
        return;
    }
#endif
#if defined(__CUDACC__)
    for (int i = 0; i < W; ++i) to[i] = static_cast<std::uint16_t>(from[i]);
#else
    to = __builtin_convertvector(from, halves<W>);
#endif
}
}  // namespace detail

/// Pairs, as they lie.
template <std::same_as<bf16_pair> S, int W = lanes<S>>
inline void load(pack<S, W>& to, const bf16* from) {
    std::memcpy(&to, from, sizeof(to));
}
/// bf16 are widened as they are loaded, exactly, and rounded as they are stored, to what bf16(x) is.
template <real S, int W = lanes<S>>
inline void load(pack<S, W>& to, const bf16* from) {
    if constexpr (W == 1) to = static_cast<S>(*from);
    else if constexpr (!std::same_as<S, float>) {
        S wide[W];
        for (int i = 0; i < W; ++i) wide[i] = static_cast<S>(from[i]);
        std::memcpy(&to, wide, sizeof(to));
    } else {
        detail::halves<W> narrow;
        detail::words<W> wide;
        std::memcpy(&narrow, from, sizeof(narrow));
        detail::widen<W>(wide, narrow);
        wide <<= 16;
        std::memcpy(&to, &wide, sizeof(to));
    }
}
/// The bits of bf16(x) of each lane.
template <int W>
inline void round_to_bf16(detail::words<W>& to, const pack<float, W>& from) {
    const auto nan = from != from;
    detail::words<W> x;
    std::memcpy(&x, &from, sizeof(x));
    const detail::words<W> up = x + ((x << 15 >> 31) + 0x7fffu);
    to = (nan ? x | 0x400000u : up) >> 16;
}
template <real S, int W = lanes<S>>
inline void store(bf16* to, const pack<S, W>& from) {
    if constexpr (W == 1) *to = bf16(from);
    else if constexpr (!std::same_as<S, float>) {
        for (int i = 0; i < W; ++i) to[i] = bf16(from[i]);
    } else {
        detail::words<W> wide;
        detail::halves<W> narrow;
        round_to_bf16<W>(wide, from);
        detail::narrow<W>(narrow, wide);
        std::memcpy(static_cast<void*>(to), &narrow, sizeof(narrow));
    }
}
/// Pairs of what lies in two rows: the first row's in the lower halves.
template <int W>
inline void join(pack<bf16_pair, W>& to, const bf16* first, const bf16* second) {
    if constexpr (W == 1) to = first->bits | static_cast<bf16_pair>(second->bits) << 16;
    else {
        detail::halves<W> row;
        detail::words<W> low, high;
        std::memcpy(&row, first, sizeof(row)), detail::widen<W>(low, row);
        std::memcpy(&row, second, sizeof(row)), detail::widen<W>(high, row);
        to = low | high << 16;
    }
}
/// Lanes that hold two bf16 each: all the first of them, and all the second, widened.
template <int W>
inline void split(pack<float, W> (&to)[2], const pack<float, W>& pairs) {
    detail::words<W> x;
    std::memcpy(&x, &pairs, sizeof(x));
    const detail::words<W> first = x << 16, second = x & 0xffff0000u;
    std::memcpy(&to[0], &first, sizeof(x)), std::memcpy(&to[1], &second, sizeof(x));
}

/// a in every lane.
template <lane_value S, int W = lanes<S>>
[[gnu::always_inline]] inline void spread(pack<S, W>& to, S a) {
    to = a - pack<S, W>{};
}

/// x is in a register here, in the order of such lines. A compiler that reads it from memory again wherever it is used takes the
/// loads that others need; one that loads much of it ahead, the registers.
template <lane_value S, int W = lanes<S>>
[[gnu::always_inline]] inline void hold([[maybe_unused]] pack<S, W>& x) {
    if constexpr (W == 1 || sizeof(x) >= 16) {  // Clang has no operand for half a register
#if defined(__CUDACC__)  // whose front end knows no such operands
#elif defined(__AVX512F__)
        asm volatile("" : "+v"(x));
#elif defined(__x86_64__)
        asm volatile("" : "+x"(x));
#elif defined(__aarch64__)
        asm volatile("" : "+w"(x));
#endif
    }
}

namespace detail {
/// z = op(z, a, x) in the type that the compiler's own functions take.
template <class Native, class V, class F>
[[gnu::always_inline]] inline void by_native(V& z, const V& a, const V& x, F op) {
    Native n[3];
    std::memcpy(&n[0], &z, sizeof(V)), std::memcpy(&n[1], &a, sizeof(V)), std::memcpy(&n[2], &x, sizeof(V));
    n[0] = op(n[0], n[1], n[2]);
    std::memcpy(&z, &n[0], sizeof(V));
}
}  // namespace detail

/// z += a x, rounded once where `fused`. A plain z + a x is left to the compiler, which at -O1 does not fuse it, and for the
/// Zens at -O2 does not where sums wait for each other: its bits would depend on the shape of the loop.
template <real S, int W = lanes<S>>
[[gnu::always_inline]] inline void multiply_add(pack<S, W>& z, const pack<S, W>& a, const pack<S, W>& x) {
    [[maybe_unused]] constexpr bool single = std::same_as<S, float>;
    [[maybe_unused]] constexpr int bytes = W * static_cast<int>(sizeof(S));
    if constexpr (!fused) z += a * x;
    else if constexpr (W == 1) z = std::fma(a, x, z);
#if defined(__AVX512F__)
    else if constexpr (bytes == 64 && single) detail::by_native<__m512>(z, a, x, [](__m512 c, __m512 p, __m512 q) { return _mm512_fmadd_ps(p, q, c); });
    else if constexpr (bytes == 64) detail::by_native<__m512d>(z, a, x, [](__m512d c, __m512d p, __m512d q) { return _mm512_fmadd_pd(p, q, c); });
#endif
#if defined(__FMA__)
    else if constexpr (bytes == 32 && single) detail::by_native<__m256>(z, a, x, [](__m256 c, __m256 p, __m256 q) { return _mm256_fmadd_ps(p, q, c); });
    else if constexpr (bytes == 32) detail::by_native<__m256d>(z, a, x, [](__m256d c, __m256d p, __m256d q) { return _mm256_fmadd_pd(p, q, c); });
    else if constexpr (bytes == 16 && single) detail::by_native<__m128>(z, a, x, [](__m128 c, __m128 p, __m128 q) { return _mm_fmadd_ps(p, q, c); });
    else if constexpr (bytes == 16) detail::by_native<__m128d>(z, a, x, [](__m128d c, __m128d p, __m128d q) { return _mm_fmadd_pd(p, q, c); });
#elif defined(__aarch64__)
    else if constexpr (bytes == 16 && single) detail::by_native<float32x4_t>(z, a, x, [](float32x4_t c, float32x4_t p, float32x4_t q) { return vfmaq_f32(c, p, q); });
    else if constexpr (bytes == 16) detail::by_native<float64x2_t>(z, a, x, [](float64x2_t c, float64x2_t p, float64x2_t q) { return vfmaq_f64(c, p, q); });
    else if constexpr (bytes == 8) detail::by_native<float32x2_t>(z, a, x, [](float32x2_t c, float32x2_t p, float32x2_t q) { return vfma_f32(c, p, q); });
#endif
    else
        for (int i = 0; i < W; ++i) z[i] = std::fma(a[i], x[i], z[i]);
}

/// z += both products of a's and x's pairs; bf16 and sums below 2^-126 count as zero where `pairs`.
template <std::same_as<bf16_pair> S, int W = lanes<S>>
[[gnu::always_inline]] inline void multiply_add(pack<float, W>& z, const pack<S, W>& a, const pack<S, W>& x) {
#if defined(__AVX512BF16__) && defined(__AVX512VL__) && !defined(__CUDACC__)
    const auto by = [&]<class Sum, class Pairs>(Sum sum, Pairs p, Pairs q, auto op) {
        constexpr auto bytes = W * sizeof(S);
        std::memcpy(&sum, &z, bytes), std::memcpy(&p, &a, bytes), std::memcpy(&q, &x, bytes);
        sum = op(sum, p, q);
        std::memcpy(&z, &sum, bytes);
    };
    if constexpr (W == 16) by(__m512(), __m512bh(), __m512bh(), [](__m512 c, __m512bh p, __m512bh q) { return _mm512_dpbf16_ps(c, p, q); });
    else if constexpr (W == 8) by(__m256(), __m256bh(), __m256bh(), [](__m256 c, __m256bh p, __m256bh q) { return _mm256_dpbf16_ps(c, p, q); });
    else by(__m128(), __m128bh(), __m128bh(), [](__m128 c, __m128bh p, __m128bh q) { return _mm_dpbf16_ps(c, p, q); });
#else
    pack<float, W> low[2], high[2];
    const pack<S, W> both[2] = {a, x};
    for (int i = 0; i < 2; ++i) {
        const pack<S, W> first = both[i] << 16, second = both[i] & 0xffff0000u;
        std::memcpy(&low[i], &first, sizeof(first)), std::memcpy(&high[i], &second, sizeof(second));
    }
    multiply_add<float, W>(z, low[0], low[1]);
    multiply_add<float, W>(z, high[0], high[1]);
#endif
}
/// bf16(x) of every lane; by one instruction where `pairs`, which takes what is below 2^-126 for zero.
template <int W = lanes<float>>
[[gnu::always_inline]] inline void store_normal(bf16* to, const pack<float, W>& from) {
#if defined(__AVX512BF16__) && defined(__AVX512VL__) && !defined(__CUDACC__)
    const auto by = [&]<class Wide>(Wide wide, auto op) {
        std::memcpy(&wide, &from, W * sizeof(float));
        const auto narrow = op(wide);
        std::memcpy(static_cast<void*>(to), &narrow, W * sizeof(bf16));
    };
    if constexpr (W == 16) by(__m512(), [](__m512 x) { return _mm512_cvtneps_pbh(x); });
    else if constexpr (W == 8) by(__m256(), [](__m256 x) { return _mm256_cvtneps_pbh(x); });
    else by(__m128(), [](__m128 x) { return _mm_cvtneps_pbh(x); });
#else
    store<float, W>(to, from);
#endif
}

}  // namespace hrm::simd
