#pragma once

#include <hrm/linalg/detail/skinny_kernel.hpp>

// The products of skinny.hpp for a few rows, a decoded token's: the small matrix is taken as it lies, each sum in the same order.
// Views go by reference: one that is passed by value is read as a whole just after it was written by parts, which waits for the L1.

namespace hrm::detail::skinny {

/// Rows that are not worth packing a matrix for.
inline constexpr index_t few = 4;

/// sum[q][r] = the products of W rows of m with row r of x, Q times: what m and x have `next` and `x_next` further on. 16
/// bytes of each row at a time, turned in registers: K runs on in one order, and Q R sums do not wait for each other.
template <int R, int Q, int W, simd::lane_value A, storable P>
[[gnu::always_inline]] inline void dots(const A* x, index_t x_stride, index_t x_next, const P* m, index_t stride, index_t next, index_t count,
                                        simd::pack<sum_of<A>, W> (&sum)[Q][R]) {
    constexpr int turned = W == 1 ? 1 : 16 / static_cast<int>(sizeof(A)), lane = W == 1 ? 1 : sizeof(A) / sizeof(P) / per<A>, part = turned * lane;
    const index_t steps = count / per<A>;
    index_t k = 0;
    for (; k + part <= steps; k += part) {
        const P* here = m + per<A> * k;
        asm("" : "+r"(here));  // or every row of every part would get a pointer of its own, and most of them no register
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) {
            const P* const at = here + q * next;
            simd::pack<A, W> w[turned];
            if constexpr (W == 1) w[0] = operand<A>(at);
            else {
#pragma GCC unroll 4
                for (int j = 0; j < turned; ++j) simd::gather<A, W>(w[j], at + j * stride, turned * stride);
                simd::turn_parts<A, W>(w);
            }
#pragma GCC unroll 4
            for (int j = 0; j < turned; ++j) {
                simd::pack<A, W> column[lane];
                if constexpr (lane == 2) simd::split<W>(column, w[j]);
                else column[0] = w[j];
#pragma GCC unroll 2
                for (int h = 0; h < lane; ++h)
#pragma GCC unroll 4
                    for (int r = 0; r < R; ++r) {
                        simd::pack<A, W> all;
                        simd::spread<A, W>(all, x[r * x_stride + q * x_next + k + j * lane + h]);
                        simd::multiply_add<A, W>(sum[q][r], all, column[h]);
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
                simd::spread<A, W>(all, x[r * x_stride + q * x_next + k]);
                simd::multiply_add<A, W>(sum[q][r], all, w);
            }
        }
}

/// Y = or += X M^T for a few rows, W of M's rows at a time, from row i on; returns the first that is left.
/// m: n x K, its rows contiguous; where y is no S, K is at most `depth`, as above. Read once, and from memory: a decoded
/// token has seen all other weights since. The processor foresees four to eight straight streams on pages of their own, at
/// twice what one gets; short pieces that lie beside each other, or being told, made it slower than one.
/// K: the length of rows that lie one behind the other, where it is known here: addresses are constants then, not half of the work.
template <int R, int W, int K, simd::lane_value A, storable P, storable T>
index_t by_rows(const matrix_view<const A>& x_, const matrix_view<const P>& m_, start how, const matrix_view<T>& y_, index_t i) {
    const auto x = x_;  // copies, or what they know would be read again after every store
    const matrix_view<const P> m{m_.data, m_.rows, K > 0 ? K : m_.cols, K > 0 ? K : m_.stride};
    const auto y = y_;
    using S = sum_of<A>;
    constexpr index_t deep = per<A> * depth;
    constexpr index_t in_cache = index_t{1} << 17;  // bytes of a matrix that is likely to be in the L2
    constexpr int many = 4 / R, two = R > 2 ? 1 : 2;
    // Q sums, `rows_on` rows or `on` columns apart.
    const auto run = [&]<int Q>(index_t row, index_t k, index_t count, index_t rows_on, index_t on) {
        simd::pack<S, W> sum[Q][R] = {};
        dots<R, Q, W>(x.data + k / per<A>, x.stride, on / per<A>, m.row(row) + k, m.stride, rows_on * m.stride + on, count, sum);
        for (int q = 0; q < Q; ++q)
            for (int r = 0; r < R; ++r)
                put<A, W>(sum[q][r], k > 0 || (on > 0 && q > 0) ? start::on_top : how, y.row(r) + row + q * rows_on);
    };
    if (m.cols <= deep) {  // short rows: streams of many of them, far apart
        const index_t part = (m.rows - i) / (many * W) * W;
        for (const index_t end = i + part; i < end; i += W) run.template operator()<many>(i, 0, m.cols, part, 0);
        i += (many - 1) * part;
    }
    const bool near = m.rows * m.cols * static_cast<index_t>(sizeof(P)) <= in_cache;
    for (; i + W <= m.rows; i += W) {  // long ones: a stream each
        index_t k = 0;
        if (near)
            for (; k + two * deep <= m.cols; k += two * deep) run.template operator()<two>(i, k, deep, 0, deep);
        for (; k < m.cols; k += deep) run.template operator()<1>(i, k, std::min(deep, m.cols - k), 0, 0);
    }
    return i;
}
template <int R, simd::lane_value A, storable P, storable T>
void by_rows(const matrix_view<const A>& x, const matrix_view<const P>& m, start how, const matrix_view<T>& y) {
    constexpr int W = std::min(simd::lanes<A>, 32 / static_cast<int>(sizeof(A)));  // more rows compete for sets of the L1
    index_t i = 0;
    if constexpr (R == 1 && std::same_as<A, P>)
        if (m.stride == m.cols) {
            if (m.cols == 8) i = by_rows<R, W, 8>(x, m, how, y, i);
            else if (m.cols == 16) i = by_rows<R, W, 16>(x, m, how, y, i);
            else if (m.cols == 32) i = by_rows<R, W, 32>(x, m, how, y, i);
        }
    if (i + W <= m.rows) i = by_rows<R, W, 0>(x, m, how, y, i);
    if constexpr (W > 16 / sizeof(A)) i = by_rows<R, W / 2, 0>(x, m, how, y, i);
    by_rows<R, 1, 0>(x, m, how, y, i);
}
template <simd::lane_value A, storable P, storable T>
void by_rows(const matrix_view<const A>& x, const matrix_view<const P>& m, start how, const matrix_view<T>& y) {
    index_t t = 0;
    for (; t + 4 <= x.rows; t += 4) by_rows<4>(x.slice_rows(t, 4), m, how, y.slice_rows(t, 4));
    for (; t + 2 <= x.rows; t += 2) by_rows<2>(x.slice_rows(t, 2), m, how, y.slice_rows(t, 2));
    if (t < x.rows) by_rows<1>(x.slice_rows(t, 1), m, how, y.slice_rows(t, 1));
}

}  // namespace hrm::detail::skinny
