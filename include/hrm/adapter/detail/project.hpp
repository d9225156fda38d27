#pragma once

#include <type_traits>

#include <hrm/core/parallel.hpp>
#include <hrm/linalg/detail/skinny.hpp>
#include <hrm/linalg/detail/skinny_dots.hpp>
#include <hrm/linalg/detail/skinny_pairs.hpp>
#include <hrm/linalg/detail/skinny_rows.hpp>

// An adapter's two products, Z = U B^T and Y += k S C^T, and their adjoints, with one pass over each big matrix. A row of a
// product has the same bits beside any other rows, so a prefill ends in the state that decoding would have reached, and rows
// may go to threads in any cut. What is summed over rows goes in parts of part_of(L) rows, added in their order.
// Activations (T) and parameters (P) may be stored in bf16: widened as they are read; all terms, and what they are added to, are
// summed in S, whose every step rounds as S does; that sum alone is rounded to T, once. Where both are, and the processor
// multiplies pairs of bf16, states are rounded too as they enter a product: twice the arithmetic in the same time.

namespace hrm::detail {

/// Rows that a thread takes at least: whole tiles, enough of them that a product keeps its rate.
inline constexpr index_t few_tiles = simd::registers == 32 ? 16 : 24;
/// Who shares a product of so many terms: nobody where it takes less than a thread's waking (5 us, and 15).
inline team* sharing(team* threads, index_t terms) { return terms < (index_t{1} << 18) ? nullptr : threads; }
/// Rows summed at once, whatever the threads: 512 or more, at most eight parts, since each costs a read of the gradient. All alike.
inline index_t part_of(index_t rows) {
    return skinny::alike(rows, std::clamp<index_t>(rows / 512, 1, 8));
}

/// to = from, widened or rounded.
template <storable T, storable F>
void convert(matrix_view<const F> from, matrix_view<T> to) {
    using S = std::common_type_t<accumulate_t<T>, accumulate_t<F>>;
    constexpr int W = simd::lanes<S>;
    for (index_t t = 0; t < from.rows; ++t) {
        const F* const x = from.row(t);
        T* const y = to.row(t);
        index_t j = 0;
        for (; j + W <= from.cols; j += W) {
            simd::pack<S> all;
            simd::load<S>(all, x + j);
            simd::store<S>(y + j, all);
        }
        for (; j < from.cols; ++j) y[j] = static_cast<T>(x[j]);
    }
}
/// x as it is, or widened in scratch.
template <real S, storable T>
matrix_view<const S> widened(matrix_view<const T> x, workspace& ws) {
    if constexpr (std::same_as<S, T>) return x;
    else {
        const auto wide = ws.take_matrix<S>(x.rows, x.cols);
        convert<S, T>(x, wide);
        return wide;
    }
}
/// m as skinny::by_rows reads it: as it lies, unless it is of bf16 beside a double.
template <real S, storable P>
auto as_rows(matrix_view<const P> m, workspace& ws) {
    if constexpr (std::same_as<S, float>) return m;
    else return widened<S, P>(m, ws);
}
/// f(y) adds sums to y: y itself where they stay in registers to the end, or, `wide`, y in S, rounded after it.
template <real S, storable T, class F>
void update(matrix_view<T> y, bool wide, workspace& ws, F&& f) {
    if constexpr (!std::same_as<S, T>)
        if (wide) {
            scratch_scope scope(ws);
            const auto in_full = ws.take_matrix<S>(y.rows, y.cols);
            convert<S, T>(y, in_full);
            f(in_full);
            return convert<T, S>(in_full, y);
        }
    f(y);
}

/// B or C as a pass reads it; where pairs are multiplied, with what it was packed as beforehand, if it was.
template <storable P>
using weights = std::conditional_t<skinny::by_pairs<accumulate_t<P>, P, P>, skinny::paired_view, matrix_view<const P>>;

/// M packed as the products of S, T and P take it.
template <real S, storable T, storable P>
auto packed_for(const weights<P>& m, workspace& ws) {
    const strided_view<const P> whole(m);
    if constexpr (!skinny::by_pairs<S, T, P>) return skinny::pack<S, P>(whole, ws);
    else if (m.straight.data) return m.straight;
    else return skinny::pack_pairs(whole, ws.take<simd::bf16_pair>(skinny::packed_size(whole)).data());
}
/// The same of M^T.
template <real S, storable T, storable P>
auto turned_for(const weights<P>& m, workspace& ws) {
    const strided_view<const P> whole = transposed(m);
    if constexpr (!skinny::by_pairs<S, T, P>) return skinny::pack<S, P>(whole, ws);
    else if (m.turned.data) return m.turned;
    else return skinny::pack_pairs(whole, ws.take<simd::bf16_pair>(skinny::packed_size(whole)).data());
}

/// What comes after a product's rows, [first, first + rows): nothing.
struct nothing_after {
    void operator()(index_t, index_t) const {}
};
/// Rows that are still in the L2 when what comes after them runs, or when they are summed over; every look costs a call. Whole tiles.
inline constexpr index_t slab = 6 * skinny::span;
/// f(first, rows) over `rows` rows from `first` on, cut into `most` at a time, the last ones first.
template <class F>
void from_the_end(index_t first, index_t rows, index_t most, F&& f) {
    for (index_t at; rows > 0; rows = at) at = (rows - 1) / most * most, f(first + at, rows - at);
}
inline bool alone(const team* threads) { return !threads || threads->size() == 1; }

/// product(first, rows, scratch) over all rows, after(first, rows) over all of them in ascending order; slab by slab, or, where
/// threads share the product, behind it.
template <class F, class G>
void in_slabs(index_t rows, workspace& ws, team* threads, F&& product, const G& after) {
    if (!alone(threads)) return share(threads, rows, few_tiles, ws, product), after(0, rows);
    for (index_t first = 0; first < rows; first += slab) {
        scratch_scope scope(ws);
        product(first, std::min(slab, rows - first), ws);
        after(first, std::min(slab, rows - first));
    }
}

/// What is multiplied when rows of T are summed over, with parameters stored in P.
template <real S, storable T, storable P>
using summed = std::conditional_t<skinny::by_pairs<S, T, P>, simd::bf16_pair, S>;
/// What comes before rows and columns of X are summed: nothing.
struct nothing_before {
    void operator()(index_t, index_t, index_t, index_t, workspace&) const {}
};
/// The sums of sum_parts where nothing comes before them: columns go to threads too, since few rows are but one part. An element's terms
/// and their order are those of one thread.
template <real S, storable T, storable P>
void sum_by_columns(matrix_view<const T> x, matrix_view<const S> s, index_t part, S* sum, workspace& ws, team* threads) {
    constexpr index_t unit = 12 * simd::lanes<summed<S, T, P>>;  // whole groups of columns; with a few rows, half as many take a tenth longer
    const index_t parts = (x.rows + part - 1) / part, wide = (x.cols + unit - 1) / unit * unit;
    share(threads, parts * wide, unit, ws, [&](index_t first, index_t count, workspace& own) {
        for (index_t at = first, end; at < first + count; at = end) {
            const index_t p = at / wide, j = at % wide, top = p * part;
            end = std::min(first + count, at - j + wide);
            const index_t cols = std::min(end - at, x.cols - j);
            auto how = skinny::start::afresh;
            from_the_end(top, std::min(part, x.rows - top), slab, [&](index_t t, index_t rows) {
                skinny::across<summed<S, T, P>>(x.slice_rows(t, rows).slice_cols(j, cols), s.slice_rows(t, rows), how,
                                                sum + (p * x.cols + j) * s.cols, own);
                how = skinny::start::on_top;
            });
        }
    });
}
/// S^T X for x: L x d, s: L x n, by parts, the last rows first, as skinny::across leaves it; at most `rows` by `columns` at a time, by rows first.
/// before(first row, rows, first column, columns, scratch) reads so much of X first: a cache has it then, and while it is summed, what
/// comes next is asked for. after(first row, rows): what is done when a slab's rows are summed.
template <real S, storable T, storable P, class F, class G>
const S* sum_parts(matrix_view<const T> x, matrix_view<const S> s, index_t columns, F&& before, G&& after, workspace& ws, team* threads) {
    const index_t part = part_of(x.rows), parts = (x.rows + part - 1) / part, size = s.cols * x.cols;
    const bool tiles = columns < x.cols;
    S* const sum = ws.template take<S>(parts * size).data();
    if (std::same_as<F, nothing_before> && !alone(threads)) sum_by_columns<S, T, P>(x, s, part, sum, ws, threads);
    else share(threads, parts, 1, ws, [&](index_t item, index_t count, workspace& own) {
        for (; count > 0; --count, ++item) {
            const index_t p = parts - 1 - item, first = p * part;
            auto how = skinny::start::afresh;
            from_the_end(first, std::min(part, x.rows - first), slab, [&](index_t at, index_t some) {
                const index_t most = tiles ? skinny::span_of(some) : some;
                for (index_t t = at; t < at + some; t += most, how = skinny::start::on_top)
                    for (index_t j = 0; j < x.cols; j += columns) {
                        const index_t rows = std::min(most, at + some - t), cols = std::min(columns, x.cols - j);
                        before(t, rows, j, cols, own);
                        const index_t next = !tiles ? 0 : j + cols < x.cols ? cols : rows * x.stride - j;
                        skinny::across<summed<S, T, P>>(x.slice_rows(t, rows).slice_cols(j, cols), s.slice_rows(t, rows), how, sum + p * size + j * s.cols,
                                                        own, next);
                    }
                after(at, some);
            });
        }
    });
    if (parts > 1)
        share(threads, size, 2048, ws, [&](index_t first, index_t count, workspace&) {
            for (index_t p = 1; p < parts; ++p) axpy<S>(S{1}, sum + p * size + first, sum + first, count);
        });
    return sum;
}

/// Y += k S V, V packed.
template <real S, storable T, class A>
void add_product(matrix_view<const S> s, skinny::packed<A> v, S k, matrix_view<T> y, workspace& ws, team* threads) {
    const bool wide = !std::same_as<S, T> && s.cols > skinny::per<A> * skinny::depth;
    share(threads, s.rows, few_tiles, ws, [&](index_t first, index_t rows, workspace& own) {
        for (index_t t = first, end = first + rows, some; t < end; t += some) {
            some = wide ? std::min(skinny::span, end - t) : rows;
            update<S, T>(y.slice_rows(t, some), wide, own, [&](auto to) { skinny::up<S>(s.slice_rows(t, some), v, k, to); });
        }
    });
}

template <class T>
using as_given = std::type_identity_t<T>;  // not deduced: where only S is named, everything is stored in S

/// An adapter's B (n x inputs) and C (outputs x n) as a pass reads them: its parameters, or a copy of theirs in bf16.
template <storable P>
struct projections {
    weights<P> in, out;
};

/// Z = U B^T.    u: L x inputs;  b: n x inputs;  z: L x n.   2 L n inputs flop.
/// By dot products where n is small, else by tiles of sums (skinny.hpp): n and the width alone decide, and so on the order of a sum.
/// after(first, rows): what is done next with rows of Z, in ascending order.
template <real S, storable T = S, storable P = S, class F = nothing_after>
void project_in(const as_given<matrix_view<const T>>& u, const as_given<weights<P>>& b, const matrix_view<S>& z, workspace& ws,
                team* threads = nullptr, const F& after = {}) {
    scratch_scope scope(ws);
    threads = sharing(threads, u.rows * b.rows * b.cols);
    const bool dots = !skinny::by_pairs<S, T, P> && skinny::dots_suit<S>(b.rows, b.cols);
    if (u.rows <= skinny::few) {
        if constexpr (skinny::by_pairs<S, T, P>) skinny::by_rows(skinny::as_pairs(u, ws), b, skinny::start::afresh, z);
        else {
            const auto x = widened<S, T>(u, ws);
            const auto m = as_rows<S, P>(b, ws);
            if constexpr (std::same_as<S, T> && std::same_as<S, P>)
                if (dots && skinny::dots_stay<S>(b.rows, b.cols)) return skinny::by_dots_at_once<S>(u, b, z), after(0, u.rows);
            if (dots) skinny::by_dots<S>(x, m, z);
            else skinny::by_rows<S>(x, m, skinny::start::afresh, z);
        }
        return after(0, u.rows);
    }
    if constexpr (std::same_as<S, T> && std::same_as<S, P>)
        if (dots && skinny::dots_stay<S>(b.rows, b.cols))
            return in_slabs(u.rows, ws, threads, [&](index_t first, index_t some, workspace&) {
                skinny::by_dots_at_once<S>(u.slice_rows(first, some), b, z.slice_rows(first, some));
            }, after);
    if (dots) {
        const auto rows = skinny::pack_rows<S, P>(b, ws);
        return in_slabs(u.rows, ws, threads, [&](index_t first, index_t some, workspace&) {
            skinny::by_dots<S, T>(u.slice_rows(first, some), rows, z.slice_rows(first, some));
        }, after);
    }
    const auto turned = turned_for<S, T, P>(b, ws);
    in_slabs(u.rows, ws, threads, [&](index_t first, index_t some, workspace& own) {
        skinny::down(u.slice_rows(first, some), turned, z.slice_rows(first, some), own);
    }, after);
}

/// Y += k S C^T.    s: L x n;  c: outputs x n;  y: L x outputs.   2 L n outputs flop.
template <real S, storable T = S, storable P = S>
void project_out(const as_given<matrix_view<const S>>& s, const as_given<weights<P>>& c, S k, const as_given<matrix_view<T>>& y, workspace& ws,
                 team* threads = nullptr) {
    if (s.cols == 0) return;  // a zero that is added turns -0 around
    scratch_scope scope(ws);
    threads = sharing(threads, s.rows * s.cols * y.cols);
    if constexpr (skinny::by_pairs<S, T, P>)
        if (skinny::pairs_hold(s.cols)) {
            if (s.rows > skinny::few) return add_product<S, T>(s, turned_for<S, T, P>(c, ws), k, y, ws, threads);
            return skinny::by_rows(skinny::as_pairs(s, k, ws), c, skinny::start::on_top, y);
        }
    if (s.rows > skinny::few) return add_product<S, T>(s, skinny::pack<S, P>(transposed(c), ws), k, y, ws, threads);
    const auto scaled = ws.take_matrix<S>(s.rows, s.cols);
    for (index_t i = 0; i < s.rows; ++i) skinny::scaled(s.row(i), s.cols, k, scaled.row(i));
    const auto rows = as_rows<S, P>(c, ws);
    update<S, T>(y, c.cols > skinny::depth, ws, [&](auto to) { skinny::by_rows<S>(matrix_view<const S>(scaled), rows, skinny::start::on_top, to); });
}

/// dC += k dY^T S,    dS = f dY C.    dy: L x outputs;  c, dc: outputs x n;  s, ds: L x n.   4 L n outputs flop.
/// after(first, rows): what is done next with rows of dS, slab by slab, the last ones first.
template <real S, storable T = S, storable P = S, class F = nothing_after>
void output_backward(as_given<matrix_view<const T>> dy, const as_given<weights<P>>& c, matrix_view<const S> s, S k,
                     matrix_view<S> dc, S f, matrix_view<S> ds, workspace& ws, team* threads = nullptr, const F& after = {}) {
    if (dy.rows == 0) return;
    scratch_scope scope(ws);
    threads = sharing(threads, dy.rows * dy.cols * s.cols);
    const auto w = packed_for<S, T, P>(c, ws);
    const auto fill = [&](index_t t, index_t rows, index_t j, index_t cols, workspace& own) {
        const auto to = ds.slice_rows(t, rows);
        skinny::down(dy.slice_rows(t, rows).slice_cols(j, cols), w, to, own, j);
        if (f != S{1} && j + cols == dy.cols)
            for (index_t i = 0; i < rows; ++i)
                for (index_t q = 0; q < to.cols; ++q) to(i, q) *= f;
    };
    const auto behind = [&](index_t first, index_t rows) {
        if (alone(threads)) after(first, rows);
    };
    if constexpr (!skinny::by_pairs<S, T, P>)
        if (skinny::turned_suits<S>(dy.rows, dy.cols)) {
            fill(0, dy.rows, 0, dy.cols, ws);
            after(0, dy.rows);
            return skinny::across_turned(widened<S, T>(dy, ws), s, k, dc, ws);
        }
    if constexpr (skinny::by_pairs<S, T, P>)
        if (dy.rows <= skinny::span) {
            const auto entering = ws.take_matrix<bf16>(s.rows, s.cols);
            convert<bf16, S>(s, entering);
            const auto states = packed_for<S, T, P>(matrix_view<const P>(entering), ws);
            for (index_t j = 0; j < dy.cols; j += skinny::whole_groups) {
                const index_t cols = std::min(skinny::whole_groups, dy.cols - j);
                fill(0, dy.rows, j, cols, ws);
                skinny::across_onto(dy.slice_cols(j, cols), states, k, dc.slice_rows(j, cols));
            }
            return after(0, dy.rows);
        }
    const S* sum = nullptr;
    // Threads that cannot take as many parts each read dY twice, first by rows and then by columns.
    if (const index_t part = part_of(dy.rows); !alone(threads) && (dy.rows + part - 1) / part % threads->size() != 0) {
        share(threads, dy.rows, few_tiles, ws, [&](index_t t, index_t rows, workspace& own) {
            for (index_t j = 0; j < dy.cols; j += skinny::whole_groups) fill(t, rows, j, std::min(skinny::whole_groups, dy.cols - j), own);
        });
        sum = sum_parts<S, T, P>(dy, s, dy.cols, nothing_before{}, nothing_after{}, ws, threads);
    } else sum = sum_parts<S, T, P>(dy, s, skinny::whole_groups, fill, behind, ws, threads);
    if (!alone(threads)) from_the_end(0, dy.rows, part_of(dy.rows), [&](index_t first, index_t rows) { from_the_end(first, rows, slab, after); });
    share(threads, dc.rows, skinny::whole_groups, ws, [&](index_t first, index_t count, workspace&) {
        skinny::add_turned<summed<S, T, P>>(sum + first * dc.cols, k, dc.slice_rows(first, count));
    });
}

/// db += G, as skinny::across left it,  along_i = the rows of b times those of G, unless it is null: lanes of products, added in one tree.
template <real S, storable T, storable P>
void add_and_dot(const S* sum, matrix_view<const P> b, matrix_view<S> db, double* along, workspace& ws) {
    scratch_scope scope(ws);
    const auto products = ws.take<simd::pack<S>>(along ? db.rows : 0);
    const auto all = ws.take<S>(along ? db.rows : 0);
    for (index_t i = 0; i < db.rows; ++i) {
        simd::pack<S> lanes = {};
        double rest = 0;
        const P* const y = b.row(i);
        S* const to = db.row(i);
        skinny::for_columns<summed<S, T, P>>(db.cols, [&]<int C, int W>(index_t at) {
            const S* const x = sum + at * db.rows + i * C * W;
            if constexpr (W == simd::lanes<S>) {
                for (int q = 0; q < C * W; q += W) {  // of constant length; nvcc 13 takes no pragma here
                    simd::pack<S> v, e, old;
                    simd::load<S>(v, x + q), simd::load<S>(e, y + at + q), simd::load<S>(old, to + at + q);
                    simd::multiply_add<S>(lanes, v, e);
                    simd::store<S>(to + at + q, old + v);
                }
            } else {
                for (int q = 0; q < C * W; ++q) {
                    rest += static_cast<double>(x[q]) * static_cast<double>(y[at + q]);
                    to[at + q] += x[q];
                }
            }
        });
        if (along) products[static_cast<std::size_t>(i)] = lanes, along[i] = rest;
    }
    if (!along) return;
    skinny::add_lanes<S>(products.data(), db.rows, all.data());
    for (index_t i = 0; i < db.rows; ++i) along[i] += static_cast<double>(all[static_cast<std::size_t>(i)]);
}

/// dB += X^T U,    dU += X B.    x: L x n;  u, du: L x inputs, du may be empty;  b, db: n x inputs.   4 L n inputs flop.
/// along: n, the rows of B times those of X^T U; null: not wanted.
template <real S, storable T = S, storable P = S>
void input_backward(matrix_view<const S> x, as_given<matrix_view<const T>> u, const as_given<weights<P>>& b, matrix_view<S> db,
                    as_given<matrix_view<T>> du, workspace& ws, team* threads = nullptr, double* along = nullptr) {
    if (u.rows == 0) return;
    scratch_scope scope(ws);
    threads = sharing(threads, u.rows * u.cols * x.cols);
    const auto add = [&](auto packed) { add_product<S, T>(x, packed, S{1}, du, ws, threads); };
    if (!du.empty()) {
        if (skinny::pairs_hold(x.cols)) add(packed_for<S, T, P>(b, ws));
        else add(skinny::pack<S, P>(strided_view<const P>(b), ws));
    }
    const S* const sum = sum_parts<S, T, P>(u, x, u.cols, nothing_before{}, nothing_after{}, ws, threads);
    add_and_dot<S, T, P>(sum, b, db, along, ws);
}

}  // namespace hrm::detail
