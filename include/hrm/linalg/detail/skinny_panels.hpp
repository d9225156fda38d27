#pragma once

#include <hrm/linalg/detail/skinny.hpp>

// The products of skinny.hpp by panels, where X is stored in bf16: parts of it, copied, are widened once, or side by side as pairs.
//
// A tile's multiplications leave two thirds of what the processor can issue. Everything else (copying the next panel,
// asking for memory that comes later) is cut in small pieces and done there.

namespace hrm::detail::skinny {

/// Rows of a tile of two registers of columns: 24 sums where there are 32 registers, 12 where there are 16. Tiles of one
/// register are twice as tall, or their sums would wait for each other.
inline constexpr int panel_tall = simd::registers == 32 ? 12 : 6;
/// Rows of a panel of span x depth numbers lie `apart`: one more line than the depth, or they would compete for the same sets of
/// a cache. Two panels are half of a small L2.
inline constexpr index_t apart = depth + 16;
/// Steps of a sum between two looks aside: a cache line of floats.
inline constexpr index_t stretch = 16;

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

/// to (R x P W, `stride` apart) = or += sum_k a(., k) b(k, .).   a(r, k) is a[r * row + k * step]; b's rows are P W long.
/// K ascending, one fused multiply-add each: no element depends on R, P or W.
template <int R, int P, int W, index_t row, index_t step, simd::lane_value A, storable T, class F>
[[gnu::noinline]] void panel_tile(index_t steps, const A* __restrict a, const A* __restrict b, start how, T* to, index_t stride,
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

/// `count` rows in tiles of P registers: f.template operator()<R>(first row).
template <int P, class F>
void for_tiles(index_t count, F&& f) {
    constexpr int R = P == 2 ? panel_tall : 2 * panel_tall;
    index_t i = 0;
    for (; i + R <= count; i += R) f.template operator()<R>(i);
    for (; i + R / 3 <= count; i += R / 3) f.template operator()<R / 3>(i);
    for (; i < count; ++i) f.template operator()<1>(i);
}
inline index_t tiles(index_t count) { return (count + panel_tall - 1) / panel_tall; }

template <simd::lane_value S, storable T>
void load_turned(simd::pack<S> (&x)[simd::lanes<S>], const T* from, index_t stride) {
#pragma GCC unroll 16
    for (int i = 0; i < simd::lanes<S>; ++i) simd::load<S>(x[i], from + i * stride);
    simd::turn<S>(x);
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
            panel_tile<R, P, W, apart, 1>(cols, panel + i * apart, w.data + at * w.rows + j * P * W, how, z + i * stride + at, stride, aside);
        });
    });
}
/// sum (packed, from row j on) = or += panel^T s; rows of the panel lie `stride` apart, those of s may be more.
template <index_t stride, class A, class E>
void across_panel(const A* panel, index_t rows, index_t j, index_t cols, packed<A> s, start how, packed<sum_of<A>> sum, E& aside) {
    for_groups<A>(sum.cols, [&]<int P, int W>(index_t at) {
        for_tiles<P>(cols, [&]<int R>(index_t i) {
            panel_tile<R, P, W, 1, stride>(rows, panel + i, s.data + at * s.rows, how, sum.data + at * sum.rows + (j + i) * P * W, P * W, aside);
        });
    });
}

/// Z = X W a block of rows at a time: done(first row, rows, z, stride of z), z in the L1.
template <class A, storable T, class F>
void down_by_panels(matrix_view<const T> x, packed<A> w, F&& done, workspace& ws) {
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
void across_by_panels(matrix_view<const T> x, matrix_view<const S> s, const packed<S>* w, packed<S> sum, F&& f, workspace& ws) {
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

}  // namespace hrm::detail::skinny
