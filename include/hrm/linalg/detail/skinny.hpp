#pragma once

#include <hrm/core/workspace.hpp>
#include <hrm/linalg/detail/skinny_kernel.hpp>
#include <hrm/linalg/elementary.hpp>

// Products of a big matrix and a small one with few columns, as an adapter has them:
//     down      Z = X W           X: L x d   W: d x n    Z: L x n
//     up        Y += k S V        S: L x n   V: n x d    Y: L x d
//     across    G += S^T X        G: n x d, summed over L
// The small matrix is packed once a call; the big ones are read where they lie.
// The order of every sum depends on its length alone, so a row of Z or Y has the same bits beside any others. A few rows
// (`by_rows`: a decoded token) take the small matrix as it lies, in the same order.

namespace hrm::detail::skinny {

/// M (k x n) in groups of columns, each k by k: element (k, j) of the group at column c, w wide, at [c * K + k * w + j - c].
/// What fills the last group up is zero.
template <simd::lane_value S>
struct packed {
    S* data = nullptr;
    index_t rows = 0, cols = 0;
};

/// A square of M turned on its way. A function of its own: nvcc cannot read an unrolled loop in a generic lambda.
template <simd::lane_value S, storable T>
void copy_turned(const T* from, index_t stride, S* to, index_t next) {
    simd::pack<S> x[simd::lanes<S>];
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) simd::load<S>(x[i], from + i * stride);
    simd::turn<S>(x);
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) simd::store<S>(to + i * next, x[i]);
}
template <real S, storable T>
packed<S> pack(strided_view<const T> m, workspace& ws) {
    constexpr int L = simd::lanes<S>;
    const packed<S> to{ws.template take<S>(m.rows * padded<S>(m.cols)).data(), m.rows, m.cols};
    for_groups<S>(m.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        S* const group = to.data + at * to.rows;
        const index_t live = std::min(wide, m.cols - at);
        index_t k = 0;
        if (wide % L == 0 && m.row_stride == 1 && live == wide)  // M's columns are contiguous: squares of registers are turned
            for (; k + L <= m.rows; k += L)
                for (index_t j = 0; j < wide; j += L)
                    copy_turned<S>(m.data + k + (at + j) * m.col_stride, m.col_stride, group + k * wide + j, wide);
        for (; k < m.rows; ++k) {
            S* row = group + k * wide;
            const T* from = m.data + k * m.row_stride + at * m.col_stride;
            if (m.col_stride == 1 && live == wide)  // a length known here
                for (index_t j = 0; j < wide; ++j) row[j] = static_cast<S>(from[j]);
            else if (m.col_stride == 1)
                for (index_t j = 0; j < live; ++j) row[j] = static_cast<S>(from[j]);
            else
                for (index_t j = 0; j < live; ++j) row[j] = static_cast<S>(from[j * m.col_stride]);
            std::fill(row + live, row + wide, S{0});
        }
    });
    return to;
}
/// g += k sum^T.
template <real S>
void add_turned(matrix_view<const S> sum, S k, matrix_view<S> g) {
    constexpr index_t W = simd::lanes<S>;
    alignas(64) S square[W * W] = {};
    for (index_t i = 0; i < sum.rows; i += W)
        for (index_t j = 0; j < sum.cols; j += W) {
            const index_t rows = std::min(W, sum.rows - i), cols = std::min(W, sum.cols - j);
            if (rows == W && cols == W) copy_turned<S>(sum.row(i) + j, sum.stride, square, W);
            else
                for (index_t r = 0; r < rows; ++r)
                    for (index_t c = 0; c < cols; ++c) square[c * W + r] = sum(i + r, j + c);
            for (index_t c = 0; c < cols; ++c) axpy<S>(k, square + c * W, g.row(j + c) + i, rows);
        }
}

/// Rows of X between two looks at what lies further away, sums over rows or a part of W; those that a cache holds while groups of
/// W's columns go by. Whole tiles.
inline constexpr index_t span = 96, band = 24;
/// Rows of at most so many numbers are no stream for long enough to be foreseen: the next ones are asked for.
inline constexpr index_t short_row = 512;
/// Columns of n numbers that stay in the L2 beside what goes by: whole sums.
template <simd::lane_value S>
index_t part_in_cache(index_t n) {
    constexpr index_t numbers = (index_t{1} << 18) / static_cast<index_t>(sizeof(S));
    return std::max(depth, numbers / std::max<index_t>(1, n) / depth * depth);
}

/// Z = X W. X is read where it lies, in as many straight streams as a tile has rows: the processor foresees these, and copies or
/// requests of ours took longer. A part of W stays in the L2 for `span` rows.
template <class A, storable T>
void down(matrix_view<const T> x, packed<A> w, matrix_view<sum_of<A>> z, workspace& ws) {
    using S = sum_of<A>;
    constexpr bool as_is = std::same_as<S, T> || per<A> > 1;
    constexpr index_t each = per<A>, deep = each * depth, narrow_run = 2 * depth, apart = narrow_run + 16;
    scratch_scope scope(ws);
    A* const wide = ws.template take<A>(as_is && each == 1 ? 0 : band * apart).data();
    alignas(64) S edge[8 * 2 * simd::lanes<S>];
    const index_t run = as_is ? each * part_in_cache<A>(padded<A>(w.cols)) : narrow_run, half = x.cols % each;
    for (index_t t0 = 0; t0 < x.rows; t0 += span)
        for (index_t j0 = 0; j0 < x.cols; j0 += run)
            for (index_t t = t0; t < std::min(x.rows, t0 + span); t += band) {
                const index_t rows = std::min(band, std::min(x.rows, t0 + span) - t), cols = std::min(run, x.cols - j0);
                // Copied is what must be widened, and the sums that end in half an operand.
                const bool copies = !as_is || (half > 0 && j0 + cols == x.cols);
                const index_t copied = as_is ? (cols - 1) / deep * deep : 0;
                for (index_t i = 0; copies && i < rows; ++i) {
                    if constexpr (as_is) to_operands(x.row(t + i) + j0 + copied, cols - copied, wide + i * apart);
                    else widen<S>(x.row(t + i) + j0, cols, wide + i * apart);
                }
                for_groups<A>(w.cols, [&]<int P, int W>(index_t at) {
                    constexpr index_t group = P * W;
                    const index_t live = std::min(group, w.cols - at);
                    for_rows<tall<P>>(rows, [&]<int R>(index_t i) {
                        S* const in_place = z.row(t + i) + at;
                        S* const to = live == group ? in_place : edge;
                        const index_t to_stride = live == group ? z.stride : group;
                        for (index_t r = 0; live < group && j0 > 0 && r < R; ++r) std::copy_n(in_place + r * z.stride, live, edge + r * group);
                        if (as_is && at == 0 && x.cols <= short_row)
                            for (index_t r = i + R; r < i + 2 * R; ++r)
                                for (index_t q = 0; q < x.cols; q += 64 / static_cast<index_t>(sizeof(T))) __builtin_prefetch(x.row(t + r) + q, 0, 2);
                        for (index_t j = 0; j < cols; j += deep)
                            with_start(j0 + j > 0, [&]<start how>() {
                                const index_t steps = operands<A>(std::min(deep, cols - j));
                                const A* const part = w.data + at * w.rows + (j0 + j) / each * group;
                                if constexpr (as_is)
                                    if (!copies || j < copied)
                                        return tile<A, how, R, P, W>(steps, x.row(t + i) + j0 + j, x.stride, each, part, group, to, to_stride);
                                tile<A, how, R, P, W>(steps, wide + i * apart + (j - copied), apart, 1, part, group, to, to_stride);
                            });
                        for (index_t r = 0; live < group && r < R; ++r) std::copy_n(edge + r * group, live, in_place + r * z.stride);
                    });
                });
            }
}

/// sum (n x d) = or += S^T X, the columns of X in the lanes: `span` rows at a time, a piece of each, which is read once for `tall`
/// columns of S. The next pieces are asked for meanwhile: they are no stream that a processor foresees. A part of the sum stays
/// in the L2 for all rows.
template <real S, storable T>
void across(matrix_view<const T> x, matrix_view<const S> s, start how, matrix_view<S> sum) {
    const index_t part = part_in_cache<S>(s.cols);
    for (index_t c = 0; c < x.cols; c += part)
        for (index_t t = 0; t < x.rows; t += span) {
            const index_t rows = std::min(span, x.rows - t), cols = std::min(part, x.cols - c);
            for_columns<S>(cols, [&]<int P, int W>(index_t at) {
                const index_t j = c + at, ahead = x.cols <= short_row ? span * x.stride : at + P * W < cols ? P * W : span * x.stride - at;
                for_rows<tall<3>>(s.cols, [&]<int R>(index_t i) {
                    const auto run = [&]<bool asks>() {
                        with_start(t > 0 || how == start::on_top, [&]<start first>() {
                            tile<S, first, R, P, W, asks>(rows, s.row(t) + i, 1, s.stride, x.row(t) + j, x.stride, sum.row(i) + j, sum.stride, ahead);
                        });
                    };
                    if (i == 0) run.template operator()<true>();
                    else run.template operator()<false>();
                });
            });
        }
}

/// to = k from, as operands.
template <real S>
void scaled(const S* from, index_t count, S k, S* to) {
    for (index_t q = 0; q < count; ++q) to[q] = k * from[q];
}
template <std::same_as<simd::bf16_pair> A>
void scaled(const float* from, index_t count, float k, A* to) {
    constexpr int W = simd::lanes<A>;
    bf16 rounded[W];
    index_t q = 0;
    for (; q + W <= count; q += W) {
        simd::pack<float> x;
        simd::load<float>(x, from + q);
        simd::store_normal(rounded, x * k);
        std::memcpy(to + q / 2, rounded, sizeof(rounded));
    }
    for (index_t i = 0; i < count - q; ++i) rounded[i] = bf16(k * from[q + i]);
    to_operands(rounded, count - q, to + q / 2);
}

/// Y += k S V. A strip of V's columns stays in the L2 for many rows, and Y goes by in runs of 4 KiB: narrower strips, which
/// would fit the L1, lose more to the memory of Y than they gain. What is read of Y next is asked for two tiles before.
/// Where Y is no S, S has at most `depth` columns: a sum stays in registers until it is rounded.
template <real S, class A, storable T>
void up(matrix_view<const S> s, packed<A> v, S scale, matrix_view<T> y) {
    constexpr index_t block = 48, strip = 1024, apart = depth + 16, deep = per<A> * depth;
    alignas(64) A rows[block * apart];
    alignas(64) T edge[8 * 2 * simd::lanes<S>];
    for (index_t t = 0; t < s.rows; t += block)
        for (index_t k = 0; k < s.cols; k += deep) {
            const index_t count = std::min(block, s.rows - t), terms = std::min(deep, s.cols - k), steps = operands<A>(terms);
            for (index_t i = 0; i < count; ++i) scaled(s.row(t + i) + k, terms, scale, rows + i * apart);
            for (index_t c = 0; c < v.cols; c += strip)
                for_rows<tall<2>>(count, [&]<int R>(index_t i) {
                    const index_t cols = std::min(strip, v.cols - c);
                    for_groups<S>(cols, [&]<int P, int W>(index_t at) {
                        constexpr index_t wide = P * W;
                        const index_t ahead = (at + 2 * wide < cols ? 0 : R * y.stride - cols) + 2 * wide;
                        const A* part = v.data + (c + at) * v.rows + k / per<A> * wide;
                        T* to = y.row(t + i) + c + at;
                        for (int r = 0; r < R; ++r)
                            for (index_t q = 0; q < wide; q += 64 / static_cast<index_t>(sizeof(T))) __builtin_prefetch(to + r * y.stride + ahead + q, 1, 3);
                        const index_t live = std::min(wide, v.cols - c - at);
                        if (live == wide) return tile<A, start::on_top, R, P, W>(steps, rows + i * apart, apart, 1, part, wide, to, y.stride);
                        for (index_t r = 0; r < R; ++r) std::copy_n(to + r * y.stride, live, edge + r * wide);
                        tile<A, start::on_top, R, P, W>(steps, rows + i * apart, apart, 1, part, wide, edge, wide);
                        for (index_t r = 0; r < R; ++r) std::copy_n(edge + r * wide, live, to + r * y.stride);
                    });
                });
        }
}

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
template <int R, int W, simd::lane_value A, storable P, storable T>
index_t by_rows(matrix_view<const A> x, matrix_view<const P> m, start how, matrix_view<T> y, index_t i) {
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
void by_rows(matrix_view<const A> x, matrix_view<const P> m, start how, matrix_view<T> y) {
    constexpr int W = std::min(simd::lanes<A>, 32 / static_cast<int>(sizeof(A)));  // more rows compete for sets of the L1
    index_t i = by_rows<R, W>(x, m, how, y, 0);
    if constexpr (W > 16 / sizeof(A)) i = by_rows<R, W / 2>(x, m, how, y, i);
    by_rows<R, 1>(x, m, how, y, i);
}
template <simd::lane_value A, storable P, storable T>
void by_rows(matrix_view<const A> x, matrix_view<const P> m, start how, matrix_view<T> y) {
    index_t t = 0;
    for (; t + 4 <= x.rows; t += 4) by_rows<4>(x.slice_rows(t, 4), m, how, y.slice_rows(t, 4));
    for (; t + 2 <= x.rows; t += 2) by_rows<2>(x.slice_rows(t, 2), m, how, y.slice_rows(t, 2));
    if (t < x.rows) by_rows<1>(x.slice_rows(t, 1), m, how, y.slice_rows(t, 1));
}

}  // namespace hrm::detail::skinny
