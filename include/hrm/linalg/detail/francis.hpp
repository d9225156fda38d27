#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include <hrm/linalg/detail/hessenberg.hpp>
#include <hrm/linalg/detail/reflections.hpp>
#include <hrm/linalg/detail/schur_blocks.hpp>
#include <hrm/linalg/simd.hpp>

// The QR iteration on small Hessenberg matrices, and its building block for large ones: a bulge of two shifts.

namespace hrm::detail {

using shift_pair = std::array<std::complex<double>, 2>;

/// make_reflector of two or three entries.
inline double make_short_reflector(double* x, index_t n) {
    const double tail = x[1] * x[1] + (n == 3 ? x[2] * x[2] : 0), square = x[0] * x[0] + tail;
    if (square < 1e-280) return make_reflector(x, n);
    if (tail == 0) return 0;
    const double norm = std::sqrt(square), beta = x[0] < 0 ? norm : -norm;
    const double tau = (beta - x[0]) / beta, scale = 1 / (x[0] - beta);
    x[1] *= scale;
    x[2] *= scale;
    x[0] = beta;
    return tau;
}

/// Rows a, b, c minus tau (1, v1, v2) (a + v1 b + v2 c), from column `first` to n.  t1 = tau v1, t2 = tau v2.
inline void reflect_rows(double tau, double v1, double v2, double t1, double t2, double* __restrict a, double* __restrict b, double* __restrict c, index_t first, index_t n) {
    using pack = simd::pack<double>;
    constexpr index_t W = simd::lanes<double>;
    index_t j = first;
    for (; j + W <= n; j += W) {
        pack x, y, z;
        simd::load<double>(x, a + j);
        simd::load<double>(y, b + j);
        simd::load<double>(z, c + j);
        const pack sum = x + v1 * y + v2 * z;
        simd::store<double>(a + j, x - tau * sum);
        simd::store<double>(b + j, y - t1 * sum);
        simd::store<double>(c + j, z - t2 * sum);
    }
    for (; j < n; ++j) {
        const double sum = a[j] + v1 * b[j] + v2 * c[j];
        a[j] -= tau * sum;
        b[j] -= t1 * sum;
        c[j] -= t2 * sum;
    }
}

/// Columns j, j + 1, j + 2 of x in the same way. A row is one pack of four, whose last number stays.
inline void reflect_columns(double tau, double v1, double v2, double t1, double t2, matrix_view<double> x, index_t j) {
    using pack = simd::pack<double, 4>;
    pack v = {}, t = {};
    v[0] = 1, v[1] = v1, v[2] = v2;
    t[0] = tau, t[1] = t1, t[2] = t2;
    index_t i = 0;
    if (j + 4 <= x.cols)
        for (; i + 2 <= x.rows; i += 2) {
            pack a, b;
            simd::load<double, 4>(a, x.row(i) + j);
            simd::load<double, 4>(b, x.row(i + 1) + j);
            const pack av = a * v, bv = b * v;
            a -= ((av[0] + av[1]) + av[2]) * t;
            b -= ((bv[0] + bv[1]) + bv[2]) * t;
            simd::store<double, 4>(x.row(i) + j, a);
            simd::store<double, 4>(x.row(i + 1) + j, b);
        }
    for (; i < x.rows; ++i) {
        double* a = x.row(i) + j;
        const double sum = a[0] + v1 * a[1] + v2 * a[2];
        a[0] -= tau * sum;
        a[1] -= t1 * sum;
        a[2] -= t2 * sum;
    }
}

/// One step of the bulge at column k of the Hessenberg h: a reflection of rows k + 1 .. k + 3, which is returned, clears what
/// column k has below row k + 1. For k = first - 1 it introduces the bulge: x ~ (H - s1)(H - s2) e_1.
/// h may have columns of zeros at the end, best up to whole registers, which the loops over rows then consist of.
inline reflection bulge_step(matrix_view<double> h, index_t k, const shift_pair& shift, index_t first) {
    constexpr index_t W = simd::lanes<double>;
    const index_t n = h.rows, len = std::min<index_t>(3, n - 1 - k);
    double x[3] = {};
    if (k >= first) {
        for (index_t i = 0; i < len; ++i) x[i] = h(k + 1 + i, k);
    } else {
        const double a = h(first, first), size = std::abs(a - shift[1]) + std::abs(h(first + 1, first));
        const double unit = size < 1e-70 ? 1 / std::max(size, 1e-300) : 1;  // only the direction counts, and squares must not vanish
        const double c = h(first + 1, first) * unit;
        const auto square = (a - shift[0]) * ((a - shift[1]) * unit);
        x[0] = square.real() + h(first, first + 1) * c;
        x[1] = c * (a + h(first + 1, first + 1) - (shift[0] + shift[1]).real());
        if (len == 3) x[2] = c * h(first + 2, first + 1);
    }
    const double tau = make_short_reflector(x, len), v1 = x[1], v2 = x[2], t1 = tau * v1, t2 = tau * v2;
    const index_t last = std::min(k + 5, n);
    if (tau != 0 && len == 3) {
        // To the left of column k these rows are zero: the loop begins with a whole register.
        reflect_rows(tau, v1, v2, t1, t2, h.row(k + 1), h.row(k + 2), h.row(k + 3), (k + 1) / W * W, h.cols);
        reflect_columns(tau, v1, v2, t1, t2, h.slice_rows(0, last), k + 1);
    } else if (tau != 0) {
        const auto rows = [&](double* __restrict a, double* __restrict b, index_t from, index_t end) {
            for (index_t j = from; j < end; ++j) {
                const double sum = tau * (a[j] + v1 * b[j]);
                a[j] -= sum;
                b[j] -= v1 * sum;
            }
        };
        rows(h.row(k + 1), h.row(k + 2), k + 1, h.cols);
        for (index_t i = 0; i < last; ++i) {
            double* a = h.row(i) + k + 1;
            const double sum = tau * (a[0] + v1 * a[1]);
            a[0] -= sum;
            a[1] -= v1 * sum;
        }
    }
    if (k >= first) {
        h(k + 1, k) = x[0];
        for (index_t i = 1; i < len; ++i) h(k + 1 + i, k) = 0;
    }
    return {tau, v1, v2, t1, t2};
}

/// Moves the bulge on from column k, which it clears next, to column `end`; its train joins `chain`.
inline void chase(matrix_view<double> h, index_t k, index_t end, const shift_pair& shift, index_t first, reflections& chain) {
    for (auto at = chain.begin(k + 1, end - k); k < end; ++k) chain[at++] = bulge_step(h, k, shift, first);
}

/// Where the last unreduced block of the leading `last` rows begins; subdiagonal entries that are rounding become zero.
/// Ahues & Tisseur 1997: |h_{k,k-1}| |h_{k-1,k}| <= eps |h_kk| |h_kk - h_{k-1,k-1}|, not only small by its neighbours; of an iteration
/// that has stalled the latter is enough, where the subdiagonal's neighbours count too: that is backward stable, if not by entries.
/// rounding: entries up to so much are negligible whatever is beside them.
inline index_t unreduced_from(matrix_view<double> h, index_t last, bool stalled = false, double rounding = 0) {
    constexpr double eps = std::numeric_limits<double>::epsilon(), tiny = std::numeric_limits<double>::min() / eps;
    for (index_t k = last - 1; k > 0; --k) {
        const double sub = std::abs(h(k, k - 1)), up = std::abs(h(k - 1, k));
        double a = std::abs(h(k, k)), d = std::abs(h(k - 1, k - 1) - h(k, k));
        double near = a + std::abs(h(k - 1, k - 1));
        if (near == 0 || stalled) {
            if (k > 1) near += std::abs(h(k - 1, k - 2));
            if (k + 1 < last) near += std::abs(h(k + 1, k));
        }
        bool negligible = sub <= std::max(tiny, rounding) || (stalled && sub <= eps * near);
        if (!negligible && sub <= eps * near) {
            const double large = std::max(sub, up), small = std::min(sub, up), top = std::max(a, d), low = std::min(a, d);
            negligible = small * (large / (top + large)) <= std::max(tiny, eps * (low * (top / (top + large))));
        }
        if (!negligible) continue;
        h(k, k - 1) = 0;
        return k;
    }
    return 0;
}

/// Upper Hessenberg h -> real Schur form with standard blocks, qt <- Q^T qt.  h: n x n, n up to a hundred or so.
/// Throws numerical_error where 300 steps an eigenvalue do not suffice.  Francis 1961.
inline void francis(std::string_view where, matrix_view<double> h, matrix_view<double> qt) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    int steps = 0;
    reflections train;
    for (index_t last = h.rows; last > 0;) {
        double rounding = 0;
        if (steps > 250)  // far above the diagonal there is so much that what turns up below is its rounding, again and again
            for (index_t i = 0; i < last; ++i)
                for (index_t j = i; j < last; ++j) rounding = std::max(rounding, eps * static_cast<double>(last) * std::abs(h(i, j)));
        const index_t first = unreduced_from(h, last, steps > 30, rounding), size = last - first;
        if (size <= 2) {
            if (size == 2) standardize_block(h, first, qt);
            last = first;
            steps = 0;
            continue;
        }
        if (++steps > 300) throw numerical_error(std::string(where) + ": the QR iteration did not converge");
        const index_t l = last - 1;
        auto shift = block_eigenvalues(h(l - 1, l - 1), h(l - 1, l), h(l, l - 1), h(l, l));
        if (shift[0].imag() == 0) {  // the nearer one, twice
            const bool second = std::abs(shift[1].real() - h(l, l)) < std::abs(shift[0].real() - h(l, l));
            shift[0] = shift[1] = shift[second];
        }
        if (steps % 10 == 0) {  // against cycles
            const double s = std::abs(h(l, l - 1)) + std::abs(h(l - 1, l - 2));
            shift = block_eigenvalues(0.75 * s + h(l, l), -0.4375 * s, s, 0.75 * s + h(l, l));
        }
        train.clear();
        chase(h.slice_rows(0, last), first - 1, last - 2, shift, first, train);
        train.apply_transposed(qt.slice_rows(0, last));
    }
}

}  // namespace hrm::detail
