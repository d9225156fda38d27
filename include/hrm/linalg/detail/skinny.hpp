#pragma once

#include <hrm/core/workspace.hpp>
#include <hrm/linalg/detail/skinny_kernel.hpp>
#include <hrm/linalg/elementary.hpp>

// Products of a big matrix and a small one with few columns, as an adapter has them:
//     down      Z = X W           X: L x d   W: d x n    Z: L x n
//     up        Y += k S V        S: L x n   V: n x d    Y: L x d
//     across    G += X^T S        G: d x n, summed over L
// The small matrix is packed once a call; the big ones are read once, by panels, for everything that is asked of them.
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

template <simd::lane_value S>
packed<S> room(index_t rows, index_t cols, workspace& ws) {
    return {ws.template take<S>(rows * padded<S>(cols)).data(), rows, cols};
}
/// A square of M turned on its way. Functions of their own: nvcc cannot read an unrolled loop in a generic lambda.
template <simd::lane_value S, storable T>
void load_turned(simd::pack<S> (&x)[simd::lanes<S>], const T* from, index_t stride) {
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) simd::load<S>(x[i], from + i * stride);
    simd::turn<S>(x);
}
template <simd::lane_value S, storable T>
void copy_turned(const T* from, index_t stride, S* to, index_t next) {
    simd::pack<S> x[simd::lanes<S>];
    load_turned<S>(x, from, stride);
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) simd::store<S>(to + i * next, x[i]);
}
template <real S>
void add_turned(const S* from, index_t stride, S* to, index_t next) {
    simd::pack<S> x[simd::lanes<S>], old;
    load_turned<S>(x, from, stride);
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) {
        simd::load<S>(old, to + i * next);
        simd::store<S>(to + i * next, old + x[i]);
    }
}
/// The first rows of `to` become m.
template <real S, storable T>
void fill(packed<S> to, strided_view<const T> m) {
    constexpr int L = simd::lanes<S>;
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
}
template <real S, storable T>
packed<S> pack(strided_view<const T> m, workspace& ws) {
    const auto to = room<S>(m.rows, m.cols, ws);
    fill(to, m);
    return to;
}
/// g += k sum.
template <real S>
void unpack(packed<S> sum, S k, matrix_view<S> g) {
    for_groups<S>(sum.cols, [&]<int P, int W>(index_t at) {
        const index_t live = std::min<index_t>(P * W, sum.cols - at);
        for (index_t i = 0; i < sum.rows; ++i) axpy<S>(k, sum.data + at * sum.rows + i * P * W, g.row(i) + at, live);
    });
}
/// g += sum^T.
template <real S>
void unpack_turned(packed<S> sum, matrix_view<S> g) {
    constexpr int L = simd::lanes<S>;
    for_groups<S>(sum.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        const S* group = sum.data + at * sum.rows;
        const index_t live = std::min(wide, sum.cols - at);
        index_t i = 0;
        if constexpr (wide % L == 0)
            if (live == wide)
                for (; i + L <= sum.rows; i += L)
                    for (index_t j = 0; j < wide; j += L) add_turned<S>(group + i * wide + j, wide, g.row(at + j) + i, g.stride);
        for (; i < sum.rows; ++i)
            for (index_t j = 0; j < live; ++j) g(at + j, i) += group[i * wide + j];
    });
}

/// f(panel, first row, rows, first column, columns, aside) for all of x, row after row of panels: element (t, j) of a
/// panel is panel[t * apart + j / per<S>]. calls(rows, columns): how often f will call aside. The next panel is copied meanwhile.
template <simd::lane_value S, storable T, class C, class F>
void by_panels(matrix_view<const T> x, C&& calls, F&& f, workspace& ws) {
    constexpr index_t deep = per<S> * depth;
    scratch_scope scope(ws);
    S* here = ws.template take<S>(span * apart).data();
    S* next = ws.template take<S>(span * apart).data();
    const auto fetch = [&](index_t t, index_t j, S* to, index_t looks) {
        if (t >= x.rows) return errand<S, T>();
        return errand<S, T>(x.row(t) + j, to, std::min(span, x.rows - t), std::min(deep, x.cols - j), x.stride,
                            j + deep < x.cols ? deep : span * x.stride - j, std::max<index_t>(1, looks));
    };
    fetch(0, 0, here, 1).finish();
    for (index_t t = 0; t < x.rows; t += span)
        for (index_t j = 0; j < x.cols; j += deep) {
            const index_t rows = std::min(span, x.rows - t), cols = std::min(deep, x.cols - j);
            const bool turns = j + deep >= x.cols;
            auto aside = fetch(turns ? t + span : t, turns ? 0 : j + deep, next, calls(rows, cols));
            f(static_cast<const S*>(here), t, rows, j, cols, aside);
            aside.finish();
            std::swap(here, next);
        }
}
inline index_t stretches(index_t steps) { return (steps + stretch - 1) / stretch; }
template <simd::lane_value S>
index_t groups(index_t n) {
    index_t count = 0;
    for_groups<S>(n, [&]<int P, int W>(index_t) { ++count; });
    return count;
}

/// z (rows x padded) = or += panel w, w from row j on.
template <class A, class E>
void down_panel(const A* panel, index_t rows, index_t j, index_t cols, packed<A> w, start how, sum_of<A>* z, index_t stride, E& aside) {
    for_groups<A>(w.cols, [&]<int P, int W>(index_t at) {
        for_tiles<P>(rows, [&]<int R>(index_t i) {
            tile<R, P, W, apart, 1>(cols, panel + i * apart, w.data + at * w.rows + j * P * W, how, z + i * stride + at, stride, aside);
        });
    });
}
/// sum (packed, from row j on) = or += panel^T s; rows of the panel lie `stride` apart, those of s may be more.
template <index_t stride, class A, class E>
void across_panel(const A* panel, index_t rows, index_t j, index_t cols, packed<A> s, start how, packed<sum_of<A>> sum, E& aside) {
    for_groups<A>(sum.cols, [&]<int P, int W>(index_t at) {
        for_tiles<P>(cols, [&]<int R>(index_t i) {
            tile<R, P, W, 1, stride>(rows, panel + i, s.data + at * s.rows, how, sum.data + at * sum.rows + (j + i) * P * W, P * W, aside);
        });
    });
}

/// Z = X W a block of rows at a time: done(first row, rows, z, stride of z), z in the L1.
template <class A, storable T, class F>
void down(matrix_view<const T> x, packed<A> w, F&& done, workspace& ws) {
    using S = sum_of<A>;
    scratch_scope scope(ws);
    const index_t stride = padded<A>(w.cols), count = groups<A>(w.cols);
    S* z = ws.template take<S>(span * stride).data();
    by_panels<A>(x, [&](index_t rows, index_t cols) { return count * tiles(rows) * stretches(operands<A>(cols)); },
        [&](const A* panel, index_t t, index_t rows, index_t j, index_t cols, auto& aside) {
            down_panel(panel, rows, j / per<A>, operands<A>(cols), w, j ? start::on_top : start::afresh, z, stride, aside);
            if (j + cols == x.cols) done(t, rows, z, stride);
        }, ws);
}

/// sum = X^T S and, where there is a w, Z = X W of the same pass over X: f(first row, rows, z, stride of z), z in the L1.
template <real S, storable T, class F>
void across(matrix_view<const T> x, matrix_view<const S> s, const packed<S>* w, packed<S> sum, F&& f, workspace& ws) {
    scratch_scope scope(ws);
    const auto part = room<S>(span, s.cols, ws);
    const index_t stride = padded<S>(s.cols), count = groups<S>(s.cols);
    S* z = ws.template take<S>(span * stride).data();
    const auto calls = [&](index_t rows, index_t cols) {
        return count * (tiles(cols) * stretches(rows) + (w ? tiles(rows) * stretches(cols) : 0));
    };
    by_panels<S>(x, calls, [&](const S* panel, index_t t, index_t rows, index_t j, index_t cols, auto& aside) {
        if (j == 0) fill<S, S>(part, strided_view<const S>(s.slice_rows(t, rows)));
        if (w) down_panel(panel, rows, j, cols, *w, j ? start::on_top : start::afresh, z, stride, aside);
        across_panel<apart>(panel, rows, j, cols, part, t ? start::on_top : start::afresh, sum, aside);
        if (w && j + cols == x.cols) f(t, rows, z, stride);
    }, ws);
}

/// to = k from, as operands.
template <real S>
void scaled(const S* from, index_t count, S k, S* to) {
    for (index_t q = 0; q < count; ++q) to[q] = k * from[q];
}
template <std::same_as<simd::bf16_pair> A>
void scaled(const float* from, index_t count, float k, A* to) {
    constexpr int W = simd::lanes<float>;
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
    constexpr index_t block = 48, strip = 1024, deep = per<A> * depth;
    alignas(64) A rows[block * apart];
    alignas(64) T edge[2 * tall * 2 * simd::lanes<S>];
    for (index_t t = 0; t < s.rows; t += block)
        for (index_t k = 0; k < s.cols; k += deep) {
            const index_t count = std::min(block, s.rows - t), cols = std::min(deep, s.cols - k), steps = operands<A>(cols);
            for (index_t i = 0; i < count; ++i) scaled(s.row(t + i) + k, cols, scale, rows + i * apart);
            for (index_t c = 0; c < v.cols; c += strip)
                for_tiles<2>(count, [&]<int R>(index_t i) {
                    for_groups<S>(std::min(strip, v.cols - c), [&]<int P, int W>(index_t at) {
                        constexpr index_t wide = P * W;
                        const A* part = v.data + (c + at) * v.rows + k / per<A> * wide;
                        T* to = y.row(t + i) + c + at;
                        for (int r = 0; r < R; ++r)
                            for (index_t q = 0; q < wide; q += 64 / static_cast<index_t>(sizeof(T))) __builtin_prefetch(to + r * y.stride + 2 * wide + q, 1, 3);
                        auto nothing = [] {};
                        const index_t live = std::min(wide, v.cols - c - at);
                        if (live == wide) return tile<R, P, W, apart, 1>(steps, rows + i * apart, part, start::on_top, to, y.stride, nothing);
                        for (index_t r = 0; r < R; ++r) std::copy_n(to + r * y.stride, live, edge + r * wide);
                        tile<R, P, W, apart, 1>(steps, rows + i * apart, part, start::on_top, edge, wide, nothing);
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
