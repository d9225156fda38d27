#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>
#include <type_traits>

#include <hrm/core/view.hpp>
#include <hrm/linalg/detail/lane_order.hpp>

// The inside of skinny.hpp: a tile of sums in registers, and how rows and columns are cut into tiles.

namespace hrm::detail::skinny {

/// Rows of a tile of P registers of columns: 16 sums or more where there are 32 registers, 12 where there are 16. No more than 8:
/// rows a multiple of 4 KiB apart share a set of the L1, which has 8 ways, and are read where they lie.
template <int P>
inline constexpr int tall = simd::registers == 32 || P == 1 ? 8 : P == 2 ? 6 : 4;
/// Steps of a sum that stays in registers; the next so many are summed afresh and added.
inline constexpr index_t depth = 128;

/// How many stored numbers make one operand A of a product: bf16 are multiplied two by two.
template <class A>
inline constexpr index_t per = std::same_as<A, simd::bf16_pair> ? 2 : 1;
/// Operands that so many stored numbers are.
template <class A>
constexpr index_t operands(index_t count) {
    return (count + per<A> - 1) / per<A>;
}
/// What products of A are summed in.
template <class A>
using sum_of = std::conditional_t<std::same_as<A, simd::bf16_pair>, float, A>;
/// The first operand of `left` stored numbers; nothing is zero.
template <class A, storable T>
[[gnu::always_inline]] inline A operand(const T* from, index_t left = per<A>) {
    if constexpr (std::same_as<A, simd::bf16_pair>) return from[0].bits | static_cast<A>(left > 1 ? from[1].bits : 0) << 16;
    else return static_cast<A>(from[0]);
}
/// to = `count` stored numbers as operands.
template <class A, storable T>
void to_operands(const T* from, index_t count, A* to) {
    for (; count > 0; count -= per<A>, from += per<A>, ++to) *to = operand<A>(from, count);
}

/// times: on top, a multiple of the sum.
enum class start { afresh, on_top, times };
/// f.template operator()<start>().
template <class F>
void with_start(bool on_top, F&& f) {
    if (on_top) f.template operator()<start::on_top>();
    else f.template operator()<start::afresh>();
}

/// f.template operator()<q>(), q from 1 to most.
template <int most, class F>
void with_count(index_t q, F&& f) {
    if constexpr (most > 1)
        if (q < most) return with_count<most - 1>(q, f);
    f.template operator()<most>();
}

/// x += what lies there.
template <real S, int W, storable T>
[[gnu::always_inline]] inline void add_to(simd::pack<S, W>& x, const T* from) {
    simd::pack<S, W> old;
    simd::load<S, W>(old, from);
    x += old;
}
/// to = x, or += x. Sums of pairs are rounded as their products are: without numbers below 2^-126.
template <class A, int W, storable T>
[[gnu::always_inline]] inline void put(simd::pack<sum_of<A>, W> x, start how, T* to) {
    if (how == start::on_top) add_to<sum_of<A>, W>(x, to);
    if constexpr (std::same_as<A, simd::bf16_pair> && std::same_as<T, bf16>) simd::store_normal<W>(to, x);
    else simd::store<sum_of<A>, W>(to, x);
}

/// to (R x P W, `stride` apart) = or += sum_k a(., k) b(k, .), or += `scale` times it.   a(r, k) is at a + r * row + k * step, b(k, .) at b + k * next.
/// So many registers as `asks` says, `ahead` of b(k, .), are asked for meanwhile. Where operands A are pairs, those of `a` may be bf16 as
/// they lie.
/// K ascending, one fused multiply-add each: no element depends on R, P or W.
/// What happens at the end is known here: g++ writes all sums to memory before a branch there.
template <simd::lane_value A, start how, int R, int P, int W, int asks = 0, class From, class B, storable T>
[[gnu::noinline]] void tile(index_t steps, const From* a, index_t row, index_t step, const B* b, index_t next, T* to, index_t stride,
                            [[maybe_unused]] index_t ahead = 0, [[maybe_unused]] sum_of<A> scale = 1) {
    using S = sum_of<A>;
    simd::pack<S, W> sum[R][P] = {};
    const From* four[(R + 3) / 4];  // a pointer for every four rows, or each row would get its own, and most of them no register
    for (int r = 0; r < R; r += 4) four[r / 4] = a + r * row;
    const index_t thrice = 3 * row;
    for (; steps > 0; --steps, b += next) {
        simd::pack<A, W> in[P];
#pragma GCC unroll 3
        for (int v = 0; v < P; ++v) {
            simd::load<A, W>(in[v], b + v * W);
            if constexpr (asks > 0)
                if (v < asks) __builtin_prefetch(b + ahead + v * W, 0, 2);
        }
#pragma GCC unroll 2
        for (auto& p : four) asm("" : "+r"(p));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            simd::pack<A, W> x;
            A one;
            std::memcpy(&one, four[r / 4] + (r % 4 == 3 ? thrice : r % 4 * row), sizeof(one));
            simd::spread<A, W>(x, one);
#pragma GCC unroll 3
            for (int v = 0; v < P; ++v) simd::multiply_add<A, W>(sum[r][v], x, in[v]);
        }
#pragma GCC unroll 2
        for (auto& p : four) p += step;
    }
    if constexpr (how == start::on_top) {  // all loads before all stores: those of rows a multiple of 4 KiB apart wait for one another
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
            for (int v = 0; v < P; ++v) add_to<S, W>(sum[r][v], to + r * stride + v * W);
    }
    if constexpr (how == start::times) {
        simd::pack<S, W> k;
        simd::spread<S, W>(k, scale);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
            for (int v = 0; v < P; ++v) {
                simd::pack<S, W> old;
                simd::load<S, W>(old, to + r * stride + v * W);
                simd::multiply_add<S, W>(old, k, sum[r][v]);
                sum[r][v] = old;
            }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
        for (int v = 0; v < P; ++v) put<A, W>(sum[r][v], start::afresh, to + r * stride + v * W);
}

/// `count` rows, R at a time, half of that, and one by one: f.template operator()<rows>(first row).
template <int R, class F>
void for_rows(index_t count, F&& f) {
    index_t i = 0;
    for (; i + R <= count; i += R) f.template operator()<R>(i);
    if constexpr (R > 3)
        if (i + R / 2 <= count) f.template operator()<R / 2>(i), i += R / 2;
    for (; i < count; ++i) f.template operator()<1>(i);
}

/// n rows in groups of at most `most`, all alike but for one row: f.template operator()<Q>(first row).
template <int most, class F>
void for_alike(index_t n, F&& f) {
    index_t at = 0;
    for (index_t left = (n + most - 1) / most; left > 0; --left) {
        const index_t count = (n - at + left - 1) / left;
        with_count<most>(count, [&]<int Q>() { f.template operator()<Q>(at); });
        at += count;
    }
}

/// Columns are worked on in groups of two registers, one, or half of one: f.template operator()<P, W>(first column,
/// first padded column) for each. 7 columns cost what 8 cost, 20 what 24, 42 what 48 (floats in AVX-512).
template <simd::lane_value S, class F>
void for_groups(index_t n, F&& f) {
    constexpr int W = simd::lanes<S>, half = W / 2;
    index_t at = 0;
    for (; n - at > W + half; at += 2 * W) f.template operator()<2, W>(at);
    if (n - at > half) f.template operator()<1, W>(at), at += W;
    if (n > at) f.template operator()<1, half>(at);
}
/// Columns with the padding of the last group.
template <simd::lane_value S>
index_t padded(index_t n) {
    index_t all = 0;
    for_groups<S>(n, [&]<int P, int W>(index_t) { all += P * W; });
    return all;
}

/// Columns without padding: three registers at a time, one, 16 bytes, and one by one: f.template operator()<P, W>(first column).
template <simd::lane_value S, class F>
[[gnu::always_inline]] inline void for_columns(index_t d, F&& f) {
    constexpr int W = simd::lanes<S>, few = 16 / static_cast<int>(sizeof(S));
    index_t j = 0;
    for (; j + 3 * W <= d; j += 3 * W) f.template operator()<3, W>(j);
    for (; j + W <= d; j += W) f.template operator()<1, W>(j);
    if constexpr (few < W)
        for (; j + few <= d; j += few) f.template operator()<1, few>(j);
    for (; j < d; ++j) f.template operator()<1, 1>(j);
}

template <real S, storable T>
void widen(const T* from, index_t count, S* to) {
    constexpr index_t W = simd::lanes<S>;
    index_t k = 0;
    for (; k + W <= count; k += W) {
        simd::pack<S> x;
        simd::load<S>(x, from + k);
        simd::store<S>(to + k, x);
    }
    for (; k < count; ++k) to[k] = static_cast<S>(from[k]);
}

}  // namespace hrm::detail::skinny
