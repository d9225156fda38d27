#pragma once

#include <algorithm>

#include <hrm/core/view.hpp>
#include <hrm/scan/detail/lanes.hpp>
#include <hrm/scan/modes.hpp>

// One sequence, one thread, any direction of time: rows are reached by a first row and a step, and a negative step runs
// backward. `state` holds the state before the first row, and after it the state of the last. The output may be the
// input, or null when only the last state is wanted.

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

/// s = a s + z for P x W real poles from column i on, all time steps with the states in registers.
template <int P, int W, real S>
inline void real_recurrence(const S* a, track<const S> z, track<S> s, index_t time, S* state) {
    using V = group_t<S, W>;
    V pole[P], x[P];
    for (int p = 0; p < P; ++p) load(pole[p], a + p * W), load(x[p], state + p * W);
    for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
            V in;
            load(in, z.row(t) + p * W);
            x[p] = pole[p] * x[p] + in;
        }
        if (s.first)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store(s.row(t) + p * W, x[p]);
    }
    for (int p = 0; p < P; ++p) store(state + p * W, x[p]);
}

/// The same for conjugate pairs:  re' = c re - d im + z_re,  im' = d re + c im + z_im,  pole c + i d (d negated on the
/// adjoint side). `far` columns lie between the real and the imaginary plane.
template <int P, int W, real S>
inline void pair_recurrence(const S* c, const S* d, side which, index_t far, track<const S> z, track<S> s, index_t time,
                            S* state) {
    using V = group_t<S, W>;
    V re[P], im[P], x[P], y[P];
    for (int p = 0; p < P; ++p) {
        load(re[p], c + p * W), load(im[p], d + p * W);
        load(x[p], state + p * W), load(y[p], state + far + p * W);
        if (which == side::adjoint) im[p] = -im[p];
    }
    for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
            V zx, zy;
            load(zx, z.row(t) + p * W), load(zy, z.row(t) + far + p * W);
            const V turned = re[p] * x[p] + (zx - im[p] * y[p]);
            y[p] = re[p] * y[p] + (im[p] * x[p] + zy);
            x[p] = turned;
        }
        if (s.first)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store(s.row(t) + p * W, x[p]), store(s.row(t) + far + p * W, y[p]);
    }
    for (int p = 0; p < P; ++p) store(state + p * W, x[p]), store(state + far + p * W, y[p]);
}

/// Columns of a mode set that one task takes: real poles [first, last) and pairs [first, last).
struct column_range {
    index_t real_first = 0, real_last = 0, pair_first = 0, pair_last = 0;
};

/// s_t = A s_{t-1} + z_t for some of the modes.   O(time * columns).
template <real S>
void recur(const modes<S>& a, side which, column_range part, track<const S> z, track<S> s, index_t time, S* state) {
    auto at = [](auto rows, index_t column) {
        return decltype(rows){rows.first ? rows.first + column : nullptr, rows.step};
    };
    sweep<S>(part.real_first, part.real_last - part.real_first, [&]<int P, int W>(index_t i) {
        real_recurrence<P, W>(a.real.data() + i, at(z, i), at(s, i), time, state + i);
    });
    sweep<S>(part.pair_first, part.pair_last - part.pair_first, [&]<int P, int W>(index_t i) {
        const index_t column = a.reals() + i;
        pair_recurrence<P, W>(a.re.data() + i, a.im.data() + i, which, a.pairs(), at(z, column), at(s, column), time,
                              state + column);
    });
}
template <real S>
column_range all_columns(const modes<S>& a) {
    return {0, a.reals(), 0, a.pairs()};
}

/// next = M x + z where columns[j * n + i] = M(i, j): columns of M contiguous, so that outputs fill the registers.
/// Even and odd j are summed apart: twice as many chains in flight.
template <real S>
inline void dense_step(const S* columns, index_t n, const S* x, const S* z, S* next) {
    sweep<S>(0, n, [&]<int P, int W>(index_t i) {
        using V = group_t<S, W>;
        V even[P], odd[P];
        for (int p = 0; p < P; ++p) load(even[p], z + i + p * W), odd[p] = V{};
        index_t j = 0;
        for (const S* m = columns + i; j + 2 <= n; j += 2, m += 2 * n)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) {
                V m0, m1;
                load(m0, m + p * W), load(m1, m + n + p * W);
                even[p] += m0 * x[j];
                odd[p] += m1 * x[j + 1];
            }
        if (j < n)
            for (int p = 0; p < P; ++p) {
                V m0;
                load(m0, columns + j * n + i + p * W);
                even[p] += m0 * x[j];
            }
        for (int p = 0; p < P; ++p) store(next + i + p * W, V(even[p] + odd[p]));
    });
}

/// The same recurrence for a dense A given by contiguous columns (A^T row by row; A itself on the adjoint side).
/// Without an output the states alternate between `state` and `spare` (n numbers).   O(time * n^2).
template <real S>
void recur_dense(const S* columns, index_t n, track<const S> z, track<S> s, index_t time, S* state, S* spare) {
    if (time == 0) return;
    const S* x = state;
    for (index_t t = 0; t < time; ++t) {
        S* next = s.first ? s.row(t) : (t % 2 ? state : spare);
        dense_step(columns, n, x, z.row(t), next);
        x = next;
    }
    if (x != state) std::copy_n(x, n, state);
}

}  // namespace hrm::scan::detail
