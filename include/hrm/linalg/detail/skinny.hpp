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
// (skinny_rows.hpp: a decoded token) take the small matrix as it lies, in the same order.

namespace hrm::detail::skinny {

/// M (k x n) in groups of columns, each k by k: element (k, j) of the group at column c, w wide, at [c * K + k * w + j - c].
/// What fills the last group up is zero. Or M as it lies, its rows `stride` apart, where its groups are whole.
template <simd::lane_value S>
struct packed {
    const S* data = nullptr;
    index_t rows = 0, cols = 0, stride = 0;
    /// Row k of a group that is `wide`, and what lies between two of its rows.
    const S* group(index_t column, index_t k, index_t wide) const { return stride > 0 ? data + k * stride + column : data + column * rows + k * wide; }
    index_t step(index_t wide) const { return stride > 0 ? stride : wide; }
};

/// A square of M turned on its way. A function of its own: nvcc cannot read an unrolled loop in a generic lambda.
template <simd::lane_value S, int W, storable T>
void copy_turned(const T* from, index_t stride, S* to, index_t next) {
    simd::pack<S, W> x[W];
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) simd::load<S, W>(x[i], from + i * stride);
    simd::turn<S, W>(x);
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) simd::store<S, W>(to + i * next, x[i]);
}
/// to (k x n, `next` apart) = M (k x n), whose columns are contiguous, by squares of W numbers and of half as many, down to four;
/// returns the first row that is left.
template <simd::lane_value S, int W = simd::lanes<S>, storable T>
index_t turn_rows(strided_view<const T> m, index_t k, S* to, index_t next) {
    constexpr int half = W / 2;
    if (m.cols % W == 0)
        for (; k + W <= m.rows; k += W)
            for (index_t j = 0; j < m.cols; j += W) copy_turned<S, W>(m.data + k + j * m.col_stride, m.col_stride, to + k * next + j, next);
    if constexpr (half >= 4) return turn_rows<S, half>(m, k, to, next);
    return k;
}
template <real S, storable T>
packed<S> pack(strided_view<const T> m, workspace& ws) {
    constexpr index_t in_l1 = (16 << 10) / static_cast<index_t>(sizeof(S));
    if constexpr (std::same_as<S, T>)
        if (m.col_stride == 1 && padded<S>(m.cols) == m.cols) {
            const bool one_group = m.cols <= 2 * simd::lanes<S>;
            if ((one_group && m.row_stride == m.cols) || m.rows * m.cols <= in_l1) return {m.data, m.rows, m.cols, m.row_stride};
        }
    S* const all = ws.template take<S>(m.rows * padded<S>(m.cols)).data();
    for_groups<S>(m.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        S* const group = all + at * m.rows;
        const index_t live = std::min(wide, m.cols - at);
        index_t k = m.row_stride == 1 && live == wide ? turn_rows<S>(m.block(0, at, m.rows, wide), 0, group, wide) : 0;
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
    return {all, m.rows, m.cols};
}
/// g += k sum^T, W of sum's rows and columns at a time, half as many where fewer are left, and one by one.
template <real S, int W = simd::lanes<S>>
void add_turned_block(matrix_view<const S> sum, S k, matrix_view<S> g) {
    index_t i = 0;
    for (; i + W <= sum.rows; i += W) {
        index_t j = 0;
        for (; j + W <= sum.cols; j += W) {
            simd::pack<S, W> x[W];
#pragma GCC unroll 16
            for (int r = 0; r < W; ++r) simd::load<S, W>(x[r], sum.row(i + r) + j);
            simd::turn<S, W>(x);
#pragma GCC unroll 16
            for (int c = 0; c < W; ++c) {
                S* const at = g.row(j + c) + i;
                simd::pack<S, W> old;
                simd::load<S, W>(old, at);
                simd::store<S, W>(at, old + k * x[c]);
            }
        }
        if (sum.cols % W != 0)  // or g++ takes sums past the end for possible, and warns
            for (; j < sum.cols; ++j)
                for (index_t r = 0; r < W; ++r) g(j, i + r) += k * sum(i + r, j);
    }
    if (i == sum.rows) return;
    const auto rest = sum.slice_rows(i, sum.rows - i);
    if constexpr (W > 4) return add_turned_block<S, W / 2>(rest, k, g.slice_cols(i, rest.rows));
    for (index_t j = 0; j < sum.cols; ++j)
        for (index_t r = 0; r < rest.rows; ++r) g(j, i + r) += k * rest(r, j);
}
/// g += k G^T, as `across` left G.
template <simd::lane_value A, real S>
void add_turned(const S* sum, S k, matrix_view<S> g) {
    for_columns<A>(g.rows, [&]<int P, int W>(index_t at) {
        add_turned_block<S>(matrix_view<const S>(sum + at * g.cols, g.cols, P * W), k, g.slice_rows(at, P * W));
    });
}

/// Rows of X between two looks at what lies further away, sums over rows or a part of W; those that a cache holds while groups of
/// W's columns go by. Whole tiles.
inline constexpr index_t span = 96, band = 24;
/// `rows` cut into `pieces` alike, but for the last one, of whole tiles: rows of each.
inline index_t alike(index_t rows, index_t pieces) {
    constexpr index_t whole = simd::registers == 32 ? 8 : 24;
    return ((rows + pieces - 1) / pieces + whole - 1) / whole * whole;
}
/// The same where each has at most `span` rows.
inline index_t span_of(index_t rows) { return alike(rows, std::max<index_t>(1, (rows + span - 1) / span)); }
/// Rows of at most so many numbers are no stream for long enough to be foreseen: the next ones are asked for.
inline constexpr index_t short_row = 512;
/// Columns that are whole groups of sums (for_columns), and whole sums of W's products.
inline constexpr index_t whole_groups = 3 * depth;
/// Columns of n numbers that stay in the L2 beside what goes by: whole sums, or whole groups of them.
template <simd::lane_value S>
index_t part_in_cache(index_t n) {
    constexpr index_t numbers = (index_t{1} << 18) / static_cast<index_t>(sizeof(S));
    return std::max(whole_groups, numbers / std::max<index_t>(1, n) / whole_groups * whole_groups);
}

/// Z = X W. X is read where it lies, in as many straight streams as a tile has rows: the processor foresees these, and copies or
/// requests of ours took longer. A part of W stays in the L2 for `span` rows.
template <class A, storable T>
void down(matrix_view<const T> x, packed<A> w, matrix_view<sum_of<A>> z, workspace& ws, index_t from = 0) {
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
                        for (index_t r = 0; live < group && from + j0 > 0 && r < R; ++r) std::copy_n(in_place + r * z.stride, live, edge + r * group);
                        if (as_is && at == 0 && x.cols <= short_row)
                            for (index_t r = i + R; r < i + 2 * R; ++r)
                                for (index_t q = 0; q < x.cols; q += 64 / static_cast<index_t>(sizeof(T))) __builtin_prefetch(x.row(t + r) + q, 0, 2);
                        for (index_t j = 0; j < cols; j += deep)
                            with_start(from + j0 + j > 0, [&]<start how>() {
                                const index_t steps = operands<A>(std::min(deep, cols - j));
                                const A* const part = w.group(at, (from + j0 + j) / each, group);
                                const index_t next = w.step(group);
                                if constexpr (as_is)
                                    if (!copies || j < copied)
                                        return tile<A, how, R, P, W>(steps, x.row(t + i) + j0 + j, x.stride, each, part, next, to, to_stride);
                                tile<A, how, R, P, W>(steps, wide + i * apart + (j - copied), apart, 1, part, next, to, to_stride);
                            });
                        for (index_t r = 0; live < group && r < R; ++r) std::copy_n(edge + r * group, live, in_place + r * z.stride);
                    });
                });
            }
}

/// to (rows two by two, as s lies) = the pairs that rows of s make, rounded.
inline void join_rounded(matrix_view<const float> s, simd::bf16_pair* to) {
    constexpr int W = simd::lanes<simd::bf16_pair>;
    for (index_t t = 0; t < s.rows; t += 2, to += s.cols) {
        const float* const first = s.row(t);
        const float* const second = t + 1 < s.rows ? first + s.stride : nullptr;
        index_t j = 0;
        for (; second && j + W <= s.cols; j += W) {
            simd::pack<float> x[2];
            simd::pack<simd::bf16_pair> low, high;
            simd::load<float>(x[0], first + j), simd::load<float>(x[1], second + j);
            simd::round_to_bf16<W>(low, x[0]), simd::round_to_bf16<W>(high, x[1]);
            simd::store<simd::bf16_pair>(to + j, low | high << 16);
        }
        for (; j < s.cols; ++j) {
            const bf16 two[2] = {bf16(first[j]), second ? bf16(second[j]) : bf16()};
            to[j] = operand<simd::bf16_pair>(two);
        }
    }
}

/// to = P W columns of X as operands: rows widened, or joined two by two. What lies `ahead` is asked for meanwhile.
template <int P, int W, class A, storable T>
void take_piece(const T* from, index_t stride, index_t rows, index_t ahead, A* to) {
    constexpr T zeros[P * W] = {};
    for (index_t i = 0; i < rows; i += per<A>, from += per<A> * stride) {
        [[maybe_unused]] const T* const second = i + 1 < rows ? from + stride : zeros;
        for (index_t q = 0; q < P * W; q += W, to += W) {
            simd::pack<A, W> x;
            __builtin_prefetch(from + q + ahead, 0, 2);
            if constexpr (per<A> > 1) {
                __builtin_prefetch(from + stride + q + ahead, 0, 2);
                simd::join<W>(x, from + q, second + q);
            } else simd::load<A, W>(x, from + q);
            simd::store<A, W>(to, x);
        }
    }
}

/// G (n x d) = or += S^T X, the columns of X in the lanes: `span` rows at a time, a piece of each, which is read once for `tall`
/// columns of S, where it lies or as it was widened or joined. The next pieces are asked for meanwhile: they are no stream that a
/// processor foresees. A part of the sum stays in the L2 for all rows. G lies in the groups of columns that are summed at a time
/// (for_columns): element (i, j) of the group at column c, w wide, at [c * n + i * w + j - c]. Rows a multiple of 4 KiB apart would take
/// a twentieth of the time.
template <simd::lane_value A, real S, storable T>
void across(matrix_view<const T> x, matrix_view<const S> s, start how, S* sum, workspace& ws, index_t next = 0) {
    constexpr bool as_is = std::same_as<A, T>;
    constexpr index_t each = per<A>;
    scratch_scope scope(ws);
    alignas(64) A piece[as_is ? 1 : span / each * 3 * simd::lanes<A>];
    A* const joined = ws.template take<A>(each > 1 ? span / each * s.cols : 0).data();
    const index_t part = part_in_cache<S>(s.cols), tall_piece = span_of(x.rows);
    for (index_t c = 0; c < x.cols; c += part)
        for (index_t t = 0; t < x.rows; t += tall_piece) {
            const index_t rows = std::min(tall_piece, x.rows - t), cols = std::min(part, x.cols - c);
            if constexpr (each > 1) join_rounded(s.slice_rows(t, rows), joined);
            for_columns<A>(cols, [&]<int P, int W>(index_t at) {
                const index_t j = c + at, below = tall_piece * x.stride;
                const index_t ahead = next > 0 ? next : x.stride <= short_row ? below : at + P * W < cols ? P * W : below - at;
                if constexpr (!as_is) take_piece<P, W>(x.row(t) + j, x.stride, rows, ahead, piece);
                const index_t share = (P * tall<3> + s.cols - 1) / std::max<index_t>(1, s.cols);
                const bool last = x.stride <= short_row && t + tall_piece >= x.rows;
                index_t asked = last ? P : 0;  // registers of the next piece, a share by every tile: requests that come at once wait for each other
                for_rows<tall<3>>(s.cols, [&]<int R>(index_t i) {
                    with_start(t > 0 || how == start::on_top, [&]<start first>() {
                        const auto run = [&]<int asks>(const A* a, index_t step, const A* b, index_t b_next) {
                            tile<A, first, R, P, W, asks>(operands<A>(rows), a + i, 1, step, b, b_next, sum + j * s.cols + i * P * W, P * W, ahead + asked * W);
                        };
                        if constexpr (each > 1) run.template operator()<0>(joined, s.cols, piece, P * W);
                        else if constexpr (!as_is) run.template operator()<0>(s.row(t), s.stride, piece, P * W);
                        else if (asked == P) run.template operator()<0>(s.row(t), s.stride, x.row(t) + j, x.stride);
                        else
                            with_count<P>(std::min(share, P - asked), [&]<int asks>() {
                                run.template operator()<asks>(s.row(t), s.stride, x.row(t) + j, x.stride);
                                asked += asks;
                            });
                    });
                });
            });
        }
}

/// Whether X (L x d) stays in the L1, so that it may be read by columns, and a sum over its rows in registers.
template <real S>
constexpr bool turned_suits(index_t rows, index_t d) { return rows <= depth && rows * d * static_cast<index_t>(sizeof(S)) <= (32 << 10); }
/// G (d x n) += X^T (k S), the columns of S in the lanes: nothing is turned, nothing stored in between.
template <real S>
void across_turned(matrix_view<const S> x, matrix_view<const S> s, S k, matrix_view<S> g, workspace& ws) {
    scratch_scope scope(ws);
    const auto times = ws.take_matrix<S>(s.rows, s.cols);
    for (index_t t = 0; t < s.rows; ++t)
        for (index_t j = 0; j < s.cols; ++j) times(t, j) = k * s(t, j);
    const auto w = pack<S, S>(strided_view<const S>(times), ws);
    alignas(64) S edge[8 * 2 * simd::lanes<S>];
    for_groups<S>(s.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t group = P * W;
        const index_t live = std::min(group, s.cols - at);
        for_rows<tall<P>>(x.cols, [&]<int R>(index_t i) {
            S* const to = g.row(i) + at;
            const auto run = [&](S* out, index_t stride) {
                tile<S, start::on_top, R, P, W>(x.rows, x.data + i, 1, x.stride, w.group(at, 0, group), w.step(group), out, stride);
            };
            if (live == group) return run(to, g.stride);
            for (index_t r = 0; r < R; ++r) std::copy_n(to + r * g.stride, live, edge + r * group);
            run(edge, group);
            for (index_t r = 0; r < R; ++r) std::copy_n(edge + r * group, live, to + r * g.stride);
        });
    });
}

/// G (d x n) += k X^T S for at most `span` rows, S packed, its columns in the lanes: the sums of `across` and add_turned, but nothing is turned and no
/// sum stored in between. For operands that are joined as they are read: where X is read where it lies, a copy costs what this saves.
template <simd::lane_value A, storable T>
void across_onto(matrix_view<const T> x, packed<A> s, sum_of<A> k, matrix_view<sum_of<A>> g) {
    using S = sum_of<A>;
    alignas(64) A piece[span / per<A> * 3 * simd::lanes<A>];
    alignas(64) S edge[8 * 2 * simd::lanes<S>];
    for_columns<A>(x.cols, [&]<int P, int W>(index_t j) {
        take_piece<P, W>(x.row(0) + j, x.stride, x.rows, 0, piece);
        for_groups<A>(s.cols, [&]<int Q, int V>(index_t at) {
            constexpr index_t group = Q * V;
            const index_t live = std::min(group, s.cols - at);
            for_rows<tall<Q>>(P * W, [&]<int R>(index_t i) {
                S* const in_place = g.row(j + i) + at;
                S* const to = live == group ? in_place : edge;
                const index_t stride = live == group ? g.stride : group;
                for (index_t r = 0; r < R; ++r)
                    for (index_t q = 0; q < group; q += 64 / static_cast<index_t>(sizeof(S))) __builtin_prefetch(in_place + (R + r) * g.stride + q, 1, 3);
                for (index_t r = 0; live < group && r < R; ++r) std::copy_n(in_place + r * g.stride, live, edge + r * group);
                tile<A, start::times, R, Q, V>(s.rows, piece + i, 1, P * W, s.group(at, 0, group), s.step(group), to, stride, 0, k);
                for (index_t r = 0; live < group && r < R; ++r) std::copy_n(edge + r * group, live, in_place + r * g.stride);
            });
        });
    });
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
/// would fit the L1, lose more to the memory of Y than they gain. The L2 is asked for a strip's next rows, the L1 for what comes
/// two tiles later. Rows are fewer than the L1 has ways: those a multiple of 4 KiB apart share a set, with V beside them.
/// Where Y is no S, S has at most `depth` operands a row: a sum stays in registers until it is rounded.
template <real S, class A, storable T>
void up(matrix_view<const S> s, packed<A> v, S scale, matrix_view<T> y) {
    constexpr index_t block = 48, strip = 1024, apart = depth + 16, deep = per<A> * depth, line = 64 / static_cast<index_t>(sizeof(T));
    constexpr int most = 6, few_sets = tall<2>;
    alignas(64) A rows[block * apart];
    alignas(64) T edge[few_sets * 2 * simd::lanes<S>];
    for (index_t t = 0; t < s.rows; t += block)
        for (index_t k = 0; k < s.cols; k += deep) {
            const index_t count = std::min(block, s.rows - t), terms = std::min(deep, s.cols - k), steps = operands<A>(terms);
            for (index_t i = 0; i < count; ++i) scaled(s.row(t + i) + k, terms, scale, rows + i * apart);
            for (index_t c = 0; c < v.cols; c += strip) {
                const index_t cols = std::min(strip, v.cols - c);
                const auto some = [&]<int R>(index_t i) {
                    const index_t next = i + R < count ? R * y.stride : c + strip < v.cols ? strip - i * y.stride : R * y.stride - c;
                    for_groups<S>(cols, [&]<int P, int W>(index_t at) {
                        constexpr index_t wide = P * W;
                        const index_t ahead = (at + 2 * wide < cols ? 0 : R * y.stride - cols) + 2 * wide;
                        const A* const part = v.group(c + at, k / per<A>, wide);
                        const index_t step = v.step(wide);
                        T* to = y.row(t + i) + c + at;
                        for (int r = 0; r < R; ++r)
                            for (index_t q = 0; q < wide; q += line) __builtin_prefetch(to + r * y.stride + ahead + q, 1, 3);
                        for (int r = 0; v.cols > short_row && r < R; ++r)
                            for (index_t q = 0; q < wide; q += line) __builtin_prefetch(to + r * y.stride + next + q, 0, 2);
                        const index_t live = std::min(wide, v.cols - c - at);
                        if (live == wide) return tile<A, start::on_top, R, P, W>(steps, rows + i * apart, apart, 1, part, step, to, y.stride);
                        for (index_t r = 0; r < R; ++r) std::copy_n(to + r * y.stride, live, edge + r * wide);
                        tile<A, start::on_top, R, P, W>(steps, rows + i * apart, apart, 1, part, step, edge, wide);
                        for (index_t r = 0; r < R; ++r) std::copy_n(edge + r * wide, live, to + r * y.stride);
                    });
                };
                if (y.stride <= short_row) for_rows<few_sets>(count, some);
                else for_alike<most>(count, some);
            }
        }
}

}  // namespace hrm::detail::skinny
