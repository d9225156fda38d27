#pragma once

#include <hrm/linalg/detail/skinny_kernel.hpp>

// The products of skinny.hpp for a few rows, a decoded token's: the small matrix is taken as it lies, each sum in the same order.
// Views go by reference: one that is passed by value is read as a whole just after it was written by parts, which waits for the L1.

namespace hrm::detail::skinny {

/// Rows that are not worth packing a matrix for.
inline constexpr index_t few = 4;

/// What is read is asked for so many bytes ahead or more. Four groups of rows go by together where they are no more than that.
inline constexpr index_t bytes_ahead = 4096;

/// Lines of 64 bytes that are asked for while others are multiplied: W of them `stride` apart, and then those `on` from there.
template <class P>
struct asked {
    const P* at;
    index_t stride, on;
};

/// sum[q][r] = the products of W rows of m with row r of x, Q times: `on` columns further on, or else W rows. 16 bytes of each row
/// at a time, turned in registers: K runs on in one order, and Q R sums do not wait for each other.
/// asks: for what comes later, a share at every step.
template <int R, int Q, int W, index_t on, bool asks, simd::lane_value A, storable P>
[[gnu::always_inline]] inline void dots(const A* x, index_t x_stride, const P* m, index_t stride, index_t count,
                                        simd::pack<sum_of<A>, W> (&sum)[Q][R], [[maybe_unused]] asked<P> later) {
    constexpr int turned = W == 1 ? 1 : 16 / static_cast<int>(sizeof(A)), lane = W == 1 ? 1 : sizeof(A) / sizeof(P) / per<A>, part = turned * lane;
    constexpr int lines = std::max(1, Q * W / 4), together = on > 0 ? 1 : Q;  // that have one x
    const index_t steps = count / per<A>, next = on > 0 ? on : W * stride;
    index_t k = 0;
    for (; k + part <= steps; k += part) {
        if constexpr (asks) {
            const index_t line = k / part * lines;
            const P* const from = later.at + line % W * later.stride + line / W * later.on;
#pragma GCC unroll 8
            for (int j = 0; j < lines; ++j) __builtin_prefetch(from + j * later.stride, 0, on > 0 ? 2 : 3);
        }
        const P* here = m + per<A> * k;
        asm("" : "+r"(here));  // or every row of every part would get a pointer of its own, and most of them no register
#pragma GCC unroll 4
        for (int first = 0; first < Q; first += together) {
            simd::pack<A, W> w[together][turned];
#pragma GCC unroll 4
            for (int q = 0; q < together; ++q) {
                const P* const at = here + (first + q) * next;
                if constexpr (W == 1) w[q][0] = operand<A>(at);
                else {
#pragma GCC unroll 4
                    for (int j = 0; j < turned; ++j) simd::gather<A, W>(w[q][j], at + j * stride, turned * stride);
                    simd::turn_parts<A, W>(w[q]);
                }
            }
#pragma GCC unroll 4
            for (int j = 0; j < turned; ++j) {
                simd::pack<A, W> column[together][lane];
#pragma GCC unroll 4
                for (int q = 0; q < together; ++q) {
                    if constexpr (lane == 2) simd::split<W>(column[q], w[q][j]);
                    else column[q][0] = w[q][j];
                }
#pragma GCC unroll 2
                for (int h = 0; h < lane; ++h)
#pragma GCC unroll 4
                    for (int r = 0; r < R; ++r) {
                        simd::pack<A, W> all;
                        simd::spread<A, W>(all, x[r * x_stride + first * (on / per<A>) + k + j * lane + h]);
                        if constexpr (together > 1) simd::hold<A, W>(all);
#pragma GCC unroll 4
                        for (int q = 0; q < together; ++q) simd::multiply_add<A, W>(sum[first + q][r], all, column[q][h]);
                    }
            }
        }
    }
    for (index_t left = count % (per<A> * part); left > 0; left -= per<A>, ++k)
        for (int q = 0; q < Q; ++q) {
            simd::pack<A, W> w{};
            const P* const at = m + q * next + (count - left);
            if constexpr (W == 1) w = operand<A>(at, left);
            else
                for (int j = 0; j < W; ++j) w[j] = operand<A>(at + j * stride, left);
            for (int r = 0; r < R; ++r) {
                simd::pack<A, W> all;
                simd::spread<A, W>(all, x[r * x_stride + q * (on / per<A>) + k]);
                simd::multiply_add<A, W>(sum[q][r], all, w);
            }
        }
}

/// Y = or += X M^T for a few rows, W of M's rows at a time, from row i on; returns the first that is left.
/// m: n x K, its rows contiguous; where y is no S, K is at most `depth`, as above.
/// K: the length of rows that lie one behind the other, where it is known here: addresses are constants then, not half of the work.
/// asks: M does not lie in the L1. Rows that go by together are a few KiB, and the L1 is asked for what comes two times of them later: it
/// has to be one stream, or memory takes twice as long. Of long rows, which share sets of the L1, the L2 is asked for the next parts.
template <int R, int W, int K, bool asks, simd::lane_value A, storable P, storable T>
[[gnu::noinline]] index_t by_rows(const matrix_view<const A>& x_, const matrix_view<const P>& m_, start how, const matrix_view<T>& y_, index_t i) {
    const auto x = x_;  // copies, or what they know would be read again after every store
    const matrix_view<const P> m{m_.data, m_.rows, K > 0 ? K : m_.cols, K > 0 ? K : m_.stride};
    const auto y = y_;
    using S = sum_of<A>;
    constexpr index_t deep = per<A> * depth, line = 64 / static_cast<index_t>(sizeof(P));
    // Sums that do not wait for each other: of several times W rows, or, where rows are long, of two parts of W.
    constexpr int two = W == 1 || R > 2 ? 1 : 2, many = simd::registers == 32 && R == 1 ? 2 * two : two;
    const auto run = [&]<int Q, index_t on>(index_t row, index_t k, index_t count) {
        constexpr index_t rows = on > 0 ? W : Q * W, part = on > 0 ? Q * on : 0;
        asked<P> later{m.row(row) + std::max(bytes_ahead / static_cast<index_t>(sizeof(P)), 2 * rows * m.stride), line, W * line};
        if (on > 0) later = {k + part < m.cols ? m.row(row) + k + part : m.row(row + W), m.stride, line};
        simd::pack<S, W> sum[Q][R] = {};
        dots<R, Q, W, on, asks>(x.data + k / per<A>, x.stride, m.row(row) + k, m.stride, count, sum, later);
        for (int q = 0; q < Q; ++q)
            for (int r = 0; r < R; ++r) put<A, W>(sum[q][r], k > 0 || (on > 0 && q > 0) ? start::on_top : how, y.row(r) + row + (on > 0 ? 0 : q * W));
    };
    if (m.cols <= deep) {
        const auto all = [&]<int Q>() {
            for (; i + Q * W <= m.rows; i += Q * W) run.template operator()<Q, 0>(i, 0, m.cols);
        };
        if (many > two && (!asks || many * W * m.cols * static_cast<index_t>(sizeof(P)) <= bytes_ahead)) all.template operator()<many>();
        all.template operator()<two>();
        if constexpr (two > 1) all.template operator()<1>();
        return i;
    }
    for (; i + W <= m.rows; i += W) {
        index_t k = 0;
        for (; two > 1 && k + two * deep <= m.cols; k += two * deep) run.template operator()<two, deep>(i, k, deep);
        for (; k < m.cols; k += deep) run.template operator()<1, deep>(i, k, std::min(deep, m.cols - k));
    }
    return i;
}
/// a = the first halves of a's rows of 8 numbers and then of b's, b = the second ones.
template <class V, int... l>
void split_rows(V& a, V& b, std::integer_sequence<int, l...>) {
    V first, second;
    simd::detail::shuffle(first, a, b, std::integer_sequence<int, (l / 4 * 8 + l % 4)...>{});
    simd::detail::shuffle(second, a, b, std::integer_sequence<int, (l / 4 * 8 + l % 4 + 4)...>{});
    a = first, b = second;
}
/// y = or += m x for rows of 8 floats that lie one behind the other, two of them a register: each is loaded as it lies, and x stays.
template <int W, int... l>
index_t by_pairs_of_rows(const float* x, const matrix_view<const float>& m, start how, float* y, std::integer_sequence<int, l...> lanes) {
    using pack = simd::pack<float, W>;
    pack each[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) simd::spread<float, W>(each[k], x[k]), simd::hold<float, W>(each[k]);
    index_t i = 0;
    for (; i + W <= m.rows; i += W) {
        pack low[4], high[4], sum = {}, turned;  // of rows i + 4 j to i + 4 j + 3
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            simd::load<float, W>(low[j], m.row(i + 4 * j)), simd::load<float, W>(high[j], m.row(i + 4 * j + 2));
            split_rows(low[j], high[j], lanes);
        }
        simd::turn_parts<float, W>(low), simd::turn_parts<float, W>(high);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) simd::multiply_add<float, W>(sum, each[k], low[k]);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) simd::multiply_add<float, W>(sum, each[4 + k], high[k]);
        simd::detail::shuffle(turned, sum, sum, std::integer_sequence<int, (l % 4 * 4 + l / 4)...>{});
        put<float, W>(turned, how, y + i);
    }
    return i;
}
template <int R, simd::lane_value A, storable P, storable T>
void by_rows(const matrix_view<const A>& x, const matrix_view<const P>& m, start how, const matrix_view<T>& y) {
    constexpr int W = std::min(simd::lanes<A>, 32 / static_cast<int>(sizeof(A)));  // more rows compete for sets of the L1
    constexpr index_t in_cache = index_t{1} << 15;  // bytes of a matrix that is likely to be in the L1
    const bool asks = m.rows * m.cols * static_cast<index_t>(sizeof(P)) > in_cache;
    index_t i = 0;
    const auto some = [&]<int V, int K>() { i = asks ? by_rows<R, V, K, true>(x, m, how, y, i) : by_rows<R, V, K, false>(x, m, how, y, i); };
    if constexpr (R == 1 && std::same_as<A, P>)
        if (m.stride == m.cols) {
            if constexpr (std::same_as<A, float> && std::same_as<T, float> && simd::lanes<float> == 16)
                if (m.cols == 8) i = by_pairs_of_rows<16>(x.data, m, how, y.data, std::make_integer_sequence<int, 16>{});
            if (m.cols == 8) some.template operator()<W, 8>();
            else if (m.cols == 16) some.template operator()<W, 16>();
            else if (m.cols == 32) some.template operator()<W, 32>();
            else if (m.cols == 64) some.template operator()<W, 64>();
        }
    if (i + W <= m.rows) some.template operator()<W, 0>();
    if constexpr (W > 16 / sizeof(A)) some.template operator()<W / 2, 0>();
    by_rows<R, 1, 0, false>(x, m, how, y, i);
}
template <simd::lane_value A, storable P, storable T>
void by_rows(const matrix_view<const A>& x, const matrix_view<const P>& m, start how, const matrix_view<T>& y) {
    index_t t = 0;
    for (; t + 4 <= x.rows; t += 4) by_rows<4>(x.slice_rows(t, 4), m, how, y.slice_rows(t, 4));
    for (; t + 2 <= x.rows; t += 2) by_rows<2>(x.slice_rows(t, 2), m, how, y.slice_rows(t, 2));
    if (t < x.rows) by_rows<1>(x.slice_rows(t, 1), m, how, y.slice_rows(t, 1));
}

}  // namespace hrm::detail::skinny
