#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// k = sum_i sigma_i u_i v_i^H, sigma descending; u: rows x r, v: cols x r, r = min(rows, cols).  T: double or complex.
template <class T>
struct singular_values_of {
    matrix<T> u;
    std::vector<double> sigma;
    matrix<T> v;
};
using singular_values = singular_values_of<double>;

namespace detail {

/// sum_i conj(x_i) y_i and y += a x, for real and complex numbers.
inline double inner(const double* x, const double* y, index_t n) { return dot(x, y, n); }
inline complex inner(const complex* x, const complex* y, index_t n) {
    complex sum = 0;
    for (index_t i = 0; i < n; ++i) sum += conj_times(x[i], y[i]);
    return sum;
}
inline void add_times(double a, const double* x, double* y, index_t n) { axpy(a, x, y, n); }
inline void add_times(complex a, const complex* x, complex* y, index_t n) {
    for (index_t i = 0; i < n; ++i) y[i] += times(a, x[i]);
}
/// |x|^2.
template <class T>
double square_of(const T* x, index_t n) {
    return std::real(inner(x, x, n));
}

/// Householder QR with column pivoting, k P = Q R, m >= n. Both factors come transposed, so that what is worked on are
/// rows, contiguous: r: n x n, row i is row i of R; q: n x m, row i of Q^H; column[i] of k went to place i.
template <class T>
struct pivoted_qr {
    matrix<T> r, q;
    std::vector<index_t> column;

    explicit pivoted_qr(matrix_view<const T> k) : r(k.cols, k.cols), q(k.cols, k.rows) {
        const index_t m = k.rows, n = k.cols;
        column.resize(static_cast<std::size_t>(n));
        std::iota(column.begin(), column.end(), index_t{0});
        matrix<T> y(n, m);  // row i: column i of k, then of R above the diagonal and a reflector from it on
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < m; ++j) y(i, j) = k(j, i);
        std::vector<double> scale(static_cast<std::size_t>(n));
        for (index_t s = 0; s < n; ++s) {
            index_t pivot = s;
            double longest = -1;
            for (index_t i = s; i < n; ++i)
                if (const double d = square_of(&y(i, s), m - s); d > longest) longest = d, pivot = i;
            if (pivot != s) {
                std::swap_ranges(&y(s, 0), &y(s, 0) + m, &y(pivot, 0));
                std::swap(column[static_cast<std::size_t>(s)], column[static_cast<std::size_t>(pivot)]);
            }
            T* u = &y(s, s);
            double unit = 1;
            if (longest < 1e-250) {  // squares have no digits left: u in a unit of its own, which a reflection does not know
                double largest = 0;
                for (index_t j = 0; j < m - s; ++j) largest = std::max(largest, std::abs(u[j]));
                if (largest > 0) unit = std::ldexp(1.0, std::max(-1000, std::ilogb(largest)));
                for (index_t j = 0; j < m - s; ++j) u[j] /= unit;
                longest = square_of(u, m - s);
            }
            const T turned = std::sqrt(longest) * phase(u[0]);
            for (index_t i = 0; i < s; ++i) r(i, s) = y(s, i);
            u[0] += turned;
            r(s, s) = -unit * turned;
            const double square = square_of(u, m - s);
            scale[static_cast<std::size_t>(s)] = square > 0 ? 2 / square : 0;
            for (index_t i = s + 1; i < n; ++i) reflect(u, scale[static_cast<std::size_t>(s)], &y(i, s), m - s);
        }
        for (index_t i = 0; i < n; ++i) {
            q(i, i) = 1;
            for (index_t s = i; s >= 0; --s) reflect(&y(s, s), scale[static_cast<std::size_t>(s)], &q(i, s), m - s);
            if constexpr (!real<T>)
                for (auto& x : q.view().row_span(i)) x = std::conj(x);
        }
    }

private:
    static void reflect(const T* u, double scale, T* x, index_t n) { add_times(-scale * inner(u, x, n), u, x, n); }
};

template <class T>
pivoted_qr(matrix_view<T>) -> pivoted_qr<std::remove_const_t<T>>;

template <class T>
singular_values_of<T> jacobi(matrix_view<const T> k) {
    if (k.rows < k.cols) {
        matrix<T> turned(k.cols, k.rows);
        for (index_t i = 0; i < k.rows; ++i)
            for (index_t j = 0; j < k.cols; ++j) {
                if constexpr (real<T>) turned(j, i) = k(i, j);
                else turned(j, i) = std::conj(k(i, j));
            }
        auto s = jacobi<T>(turned.view());
        std::swap(s.u, s.v);
        return s;
    }
    const index_t m = k.rows, n = k.cols;
    singular_values_of<T> out{matrix<T>(m, n), std::vector<double>(static_cast<std::size_t>(n)), matrix<T>(n, n)};
    if (n == 0) return out;

    // Scaled to a largest entry near 1, by a power of two: squares must not overflow.
    double largest = 0;
    for (index_t i = 0; i < m; ++i)
        for (index_t h = 0; h < n; ++h) {
            if (!is_finite(k(i, h)))
                throw numerical_error("hrm::jacobi_svd: entry (" + std::to_string(i) + ", " + std::to_string(h) + ") is not finite");
            largest = std::max(largest, std::abs(k(i, h)));
        }
    const int exponent = largest > 0 ? std::ilogb(largest) : 0;
    matrix<T> scaled(k);
    for (T& value : scaled.flat()) value = times_power(value, -exponent);

    pivoted_qr<T> qr(scaled.view());
    auto &x = qr.r, &j = qr.q;  // the rows of Y^H = J^H R and of (Q J)^H

    const double eps = std::numeric_limits<double>::epsilon(), small = eps * std::sqrt(static_cast<double>(n));
    for (int sweep = 0; sweep < 60; ++sweep) {
        bool rotated = false;
        for (index_t p = 0; p + 1 < n; ++p)
            for (index_t q = p + 1; q < n; ++q) {
                T *xp = &x(p, 0), *xq = &x(q, 0);
                const double a = square_of(xp, n), b = square_of(xq, n);
                const T between = inner(xq, xp, n);
                if (!(std::abs(between) > small * std::sqrt(a) * std::sqrt(b))) continue;
                rotated = true;
                // The rotation that makes the two rows orthogonal, by the smaller angle; complex ones after a turn of the second.
                double c;
                if constexpr (real<T>) c = between;
                else {
                    const T turn = phase(between);
                    for (index_t i = 0; i < n; ++i) xq[i] = times(turn, xq[i]);
                    for (index_t i = 0; i < m; ++i) j(q, i) = times(turn, j(q, i));
                    c = std::abs(between);
                }
                const double zeta = (b - a) / (2 * c);
                const double t = std::copysign(1 / (std::abs(zeta) + std::sqrt(1 + zeta * zeta)), zeta);  // zeta^2 = inf: by nothing
                const double cosine = 1 / std::sqrt(1 + t * t), sine = cosine * t;
                const auto turn = [&](T* y, T* z, index_t length) {
                    for (index_t i = 0; i < length; ++i) {
                        const T u = y[i], v = z[i];
                        y[i] = cosine * u - sine * v;
                        z[i] = sine * u + cosine * v;
                    }
                };
                turn(xp, xq, n);
                turn(&j(p, 0), &j(q, 0), m);
            }
        if (!rotated) break;
    }

    std::vector<double> norm(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) norm[static_cast<std::size_t>(i)] = std::sqrt(square_of(&x(i, 0), n));
    std::vector<std::size_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto i, auto h) { return norm[i] > norm[h]; });
    for (index_t r = 0; r < n; ++r) {
        const auto from = order[static_cast<std::size_t>(r)];
        const double sigma = norm[from];
        out.sigma[static_cast<std::size_t>(r)] = std::ldexp(sigma, exponent);
        const auto conjugate = [](T v) {
            if constexpr (real<T>) return v;
            else return std::conj(v);
        };
        for (index_t i = 0; i < m; ++i) out.u(i, r) = conjugate(j(static_cast<index_t>(from), i));
        for (index_t i = 0; i < n; ++i)
            out.v(qr.column[static_cast<std::size_t>(i)], r) = sigma > 0 ? conjugate(x(static_cast<index_t>(from), i) / sigma) : T{};
    }
    return out;
}

}  // namespace detail

/// The singular value decomposition by one-sided Jacobi rotations after a pivoted QR,
///     k P = Q R,    R^H J = Y  with orthogonal columns,    sigma_i = |y_i|,   u = Q J,   v_i = P y_i / sigma_i.
/// Small singular values of a graded matrix (columns or rows of very different size) come out to relative accuracy,
/// where a bidiagonal method gives eps sigma_1. O(n^3) a sweep, few sweeps. Drmac & Veselic, SIAM J. Matrix Anal. 2008.
inline singular_values jacobi_svd(matrix_view<const double> k) { return detail::jacobi<double>(k); }
inline singular_values_of<std::complex<double>> jacobi_svd(matrix_view<const std::complex<double>> k) { return detail::jacobi<std::complex<double>>(k); }

}  // namespace hrm
