#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>
#include <type_traits>

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
A operand(const T* from, index_t left = per<A>) {
    if constexpr (std::same_as<A, simd::bf16_pair>) return from[0].bits | static_cast<A>(left > 1 ? from[1].bits : 0) << 16;
    else return static_cast<A>(from[0]);
}
/// to = `count` stored numbers as operands.
template <class A, storable T>
void to_operands(const T* from, index_t count, A* to) {
    for (; count > 0; count -= per<A>, from += per<A>, ++to) *to = operand<A>(from, count);
}

/// What a tile does on the side: copies a part of a matrix into a panel, a piece of a row at a time, and asks for the one
/// that comes `ahead` rows later. No further: columns of a matrix whose rows are a power of two apart share few sets of
/// the L2.
template <simd::lane_value S, storable T>
struct errand {
    static constexpr index_t piece = depth / 2, ahead = 8, each = per<S>;
    const T* from = nullptr;
    S* to = nullptr;
    index_t rows = 0, cols = 0, stride = 0, at = 0;  ///< `at` counts operands, the others stored numbers
    index_t pace = 0;             ///< pieces a look
    index_t far = 0, beyond = 0;  ///< what is asked for lies so far behind, and from the last `ahead` rows on

    errand() = default;
    /// The part begins at first, the next one `next` behind it. Copied in so many looks; a narrow one only at the end.
    errand(const T* first, S* to_, index_t rows_, index_t cols_, index_t stride_, index_t next, index_t looks)
        : from(first), to(to_), rows(rows_), cols(cols_), stride(stride_), far(ahead * stride), beyond(next - (rows - ahead) * stride) {
        if (cols == each * depth) pace = (2 * rows + looks - 1) / looks;
        if (rows <= ahead) far = beyond;
    }
    void operator()() {
        for (index_t count = std::min(pace, 2 * rows - (at != 0)); count > 0; --count) copy_piece();
    }
    void finish() {
        if (cols == each * depth)
            while (rows > 0) copy_piece();
        for (; rows > 0; --rows, from += stride, to += apart) to_operands(from, cols, to);
    }

private:
    void copy_piece() {
        constexpr index_t line = 64 / static_cast<index_t>(sizeof(T)), W = simd::lanes<S>;
#pragma GCC unroll 8
        for (index_t q = 0; q < each * piece; q += line) __builtin_prefetch(from + each * at + far + q, 0, 2);
#pragma GCC unroll 16
        for (index_t q = 0; q < piece; q += W) {
            simd::pack<S> x;
            simd::load<S>(x, from + each * (at + q));
            simd::store<S>(to + at + q, x);
        }
        at = piece - at;
        const bool next = at == 0;
        from += next ? stride : 0, to += next ? apart : 0, rows -= next;
        far = rows <= ahead ? beyond : far;
    }
};

enum class start { afresh, on_top };

/// to = x, or += x. Sums of pairs are rounded as their products are: without numbers below 2^-126.
template <class A, int W, storable T>
[[gnu::always_inline]] inline void put(simd::pack<sum_of<A>, W> x, start how, T* to) {
    using S = sum_of<A>;
    if (how == start::on_top) {
        simd::pack<S, W> old;
        simd::load<S, W>(old, to);
        x += old;
    }
    if constexpr (std::same_as<A, simd::bf16_pair> && std::same_as<T, bf16>) simd::store_normal<W>(to, x);
    else simd::store<S, W>(to, x);
}

/// to (R x P W, `stride` apart) = or += sum_k a(., k) b(k, .).   a(r, k) is a[r * row + k * step]; b's rows are P W long.
/// K ascending, one fused multiply-add each: no element depends on R, P or W.
template <int R, int P, int W, index_t row, index_t step, simd::lane_value A, storable T, class F>
[[gnu::noinline]] void tile(index_t steps, const A* __restrict a, const A* __restrict b, start how, T* to, index_t stride,
                            F& aside) {
    using S = sum_of<A>;
    using V = simd::pack<A, W>;
    simd::pack<S, W> sum[R][P] = {};
    for (; steps > 0; steps -= stretch) {
        aside();
        for (index_t k = std::min(steps, stretch); k > 0; --k, a += step, b += P * W) {
            V in[P];
#pragma GCC unroll 2
            for (int v = 0; v < P; ++v) simd::load<A, W>(in[v], b + v * W);
#pragma GCC unroll 24
            for (int r = 0; r < R; ++r) {
                V x;
                simd::spread<A, W>(x, a[r * row]);
#pragma GCC unroll 2
                for (int v = 0; v < P; ++v) simd::multiply_add<A, W>(sum[r][v], x, in[v]);
            }
        }
    }
#pragma GCC unroll 24
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < P; ++v) put<A, W>(sum[r][v], how, to + r * stride + v * W);
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
