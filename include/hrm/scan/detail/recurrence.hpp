#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include <hrm/core/view.hpp>
#include <hrm/scan/detail/lanes.hpp>
#include <hrm/scan/modes.hpp>

// One sequence, one thread, any direction of time: rows are reached by a first row and a step, and a negative step runs
// backward. `before` is the state before the first row, `after` takes that of the last: the same memory, or null where the output
// is enough. The output may be the input, or null when only the last state is wanted.

namespace hrm::scan::detail {

/// Rows of a matrix in one direction of time.
template <class T>
struct track {
    T* first = nullptr;
    index_t step = 0;
    T* row(index_t t) const { return first + t * step; }
};
template <class T>
track<T> ascending(matrix_view<T> m) {
    return {m.data, m.stride};
}
template <class T>
track<T> descending(matrix_view<T> m) {
    return {m.data + (m.rows - 1) * m.stride, -m.stride};
}

/// Whether A or its adjoint drives the recurrence: conj(a) or A^T when time runs backward.
enum class side { plain, adjoint };

/// Rows in the direction of a side.
template <class T>
track<T> along(side which, matrix_view<T> m) {
    return which == side::plain ? ascending(m) : descending(m);
}

/// A factor c as whole + rest, whole the nearest of 0, +-1/2, +-1 (whose products are exact) and rest exact:
///     c x + z = (z + rest x) + whole x
/// Without this a float state near a pole of 1 - 1e-6 loses 6e-5 where the product is rounded on its own (no fused
/// multiply-add): the rounding of c x hardly changes from step to step while x does not, and adds up. Split, the only
/// rounding of the size of x comes after the fresh input is in. A fused c x + z does the same in half the time. Pairs are
/// split in any case, both parts' rests before both wholes: a quarter of a turn (d = 1, a tiny c) or a third of one
/// (c = -1/2) meets the same state every few steps, and lost 1e-4 and 3e-5.
template <class V, real S, int W>
struct factor {
    V whole, rest;
    explicit factor(const S* c) {
        S w[W], r[W];
        for (int i = 0; i < W; ++i) {
            const S size = std::abs(c[i]);
            w[i] = std::copysign(size >= S(0.75) ? S{1} : size >= S(0.25) ? S(0.5) : S{0}, c[i]);
            r[i] = c[i] - w[i];
        }
        load(whole, w), load(rest, r);
    }
    void negate() { whole = -whole, rest = -rest; }
};

/// c itself, where c x + z rounds once.
template <class V, real S>
struct fused_factor {
    V all;
    explicit fused_factor(const S* c) { load(all, c); }
};

/// W real poles at work:  x = a x + in.
template <real S, int W>
struct real_step {
    using V = simd::pack<S, W>;
    std::conditional_t<simd::fused, fused_factor<V, S>, factor<V, S, W>> pole;
    explicit real_step(const S* a) : pole(a) {}
    void operator()(V& x, V& in) const {
        if constexpr (simd::fused) {
            simd::multiply_add<S, W>(in, pole.all, x);
            x = in;
        } else {
            x = (in + pole.rest * x) + pole.whole * x;
        }
    }
};

/// W conjugate pairs at work:  x' = c x - d y + zx,  y' = d x + c y + zy,  pole c + i d (d negated on the adjoint side).
template <real S, int W>
struct pair_step {
    using V = simd::pack<S, W>;
    factor<V, S, W> re, im;
    pair_step(const S* c, const S* d, side which) : re(c), im(d) {
        if (which == side::adjoint) im.negate();
    }
    void operator()(V& x, V& y, V& zx, V& zy) const {
        zx = (zx - im.rest * y) + re.rest * x;
        zy = (zy + im.rest * x) + re.rest * y;
        const V turned = (zx + re.whole * x) - im.whole * y;
        y = (zy + re.whole * y) + im.whole * x;
        x = turned;
    }
};

/// Where states go: nobody reads `after` while time runs, so without an output it takes them.
template <real S>
track<S> written(track<S> s, S* after) {
    return s.first ? s : track<S>{after, 0};
}

/// Asks for the line that is stored to two rows from now, once a line: where input and output fill the first cache just so,
/// stores wait for their lines one by one, and 128 rows of 32 states took 1.0 - 1.5 of a copy's time, and so 1.0 - 1.3. Four rows
/// ahead loses half of that again, and eight rows cost long sequences a fifth.
template <class T>
inline void expect_store(track<T> out, index_t t, index_t column, index_t from) {
    constexpr index_t line = 64 / sizeof(T);
    if ((column - from) % line == 0) __builtin_prefetch(out.first + (t + 2) * out.step + column, 1);
}

/// s = a s + z for P x W real poles from column i on, all time steps with the states in registers. in(z, t, column) gives z;
/// a copy of it, or what it knows would be read again after every store.
template <int P, int W, real S, class In>
inline void real_recurrence(const S* a, index_t i, In in, track<S> s, index_t time, const S* before, S* after) {
    using V = simd::pack<S, W>;
    const auto out = written<S>(s, after);
    [&]<std::size_t... Q>(std::index_sequence<Q...>) {
        const real_step<S, W> pole[P] = {real_step<S, W>(a + i + Q * W)...};
        V x[P];
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) load(x[p], before + i + p * W);
        for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) {
                V z;
                in(z, t, i + p * W);
                pole[p](x[p], z);
            }
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) expect_store(out, t, i + p * W, i), store(out.row(t) + i + p * W, x[p]);
        }
        if (after)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store(after + i + p * W, x[p]);
    }(std::make_index_sequence<P>{});
}

/// The same for conjugate pairs from pair i on, real parts from column `at` on; `far` columns lie between the planes.
template <int P, int W, real S, class In>
inline void pair_recurrence(const S* c, const S* d, side which, index_t i, index_t at, index_t far, In in, track<S> s, index_t time,
                            const S* before, S* after) {
    using V = simd::pack<S, W>;
    const auto out = written<S>(s, after);
    [&]<std::size_t... Q>(std::index_sequence<Q...>) {
        const pair_step<S, W> pole[P] = {pair_step<S, W>(c + i + Q * W, d + i + Q * W, which)...};
        V x[P], y[P];
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) load(x[p], before + at + p * W), load(y[p], before + at + far + p * W);
        for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) {
                V zx, zy;
                in(zx, t, at + p * W), in(zy, t, at + far + p * W);
                pole[p](x[p], y[p], zx, zy);
            }
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store(out.row(t) + at + p * W, x[p]), store(out.row(t) + at + far + p * W, y[p]);
        }
        if (after)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store(after + at + p * W, x[p]), store(after + at + far + p * W, y[p]);
    }(std::make_index_sequence<P>{});
}

/// Columns of a mode set that one task takes: real poles [first, last) and pairs [first, last).
struct column_range {
    index_t real_first = 0, real_last = 0, pair_first = 0, pair_last = 0;
};

/// s_t = A s_{t-1} + z_t for some of the modes; in(z, t, column) loads a pack of z_t.   O(time * columns).
template <real S, class In>
void recur_from(const modes<S>& a, side which, column_range part, In&& in, track<S> s, index_t time, const S* before, S* after) {
    if (part.real_last > part.real_first)
        sweep<S>(part.real_first, part.real_last - part.real_first,
                 [&]<int P, int W>(index_t i) { real_recurrence<P, W>(a.real.data(), i, in, s, time, before, after); });
    if (part.pair_last > part.pair_first)
        sweep<S>(part.pair_first, part.pair_last - part.pair_first, [&]<int P, int W>(index_t i) {
            pair_recurrence<P, W>(a.re.data(), a.im.data(), which, i, a.reals() + i, a.pairs(), in, s, time, before, after);
        });
}
template <real S>
void recur(const modes<S>& a, side which, column_range part, track<const S> z, track<S> s, index_t time, S* state) {
    recur_from<S>(a, which, part, [z](auto& to, index_t t, index_t column) { load(to, z.row(t) + column); }, s, time, state, state);
}
template <real S>
column_range all_columns(const modes<S>& a) {
    return {0, a.reals(), 0, a.pairs()};
}

}  // namespace hrm::scan::detail
