#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// k = sum_i sigma_i u_i v_i^T, sigma descending; u: rows x r, v: cols x r, r = min(rows, cols).
struct singular_values {
    matrix<double> u;
    std::vector<double> sigma;
    matrix<double> v;
};

namespace detail {

/// Householder QR with column pivoting, k P = Q R, m >= n. Both factors come transposed, so that what is worked on are
/// rows, contiguous: r: n x n, row i is row i of R; q: n x m, row i is column i of Q; column[i] of k went to place i.
struct pivoted_qr {
    matrix<double> r, q;
    std::vector<index_t> column;

    explicit pivoted_qr(matrix_view<const double> k) : r(k.cols, k.cols), q(k.cols, k.rows) {
        const index_t m = k.rows, n = k.cols;
        column.resize(static_cast<std::size_t>(n));
        std::iota(column.begin(), column.end(), index_t{0});
        matrix<double> y(n, m);  // row i: column i of k, then of R above the diagonal and a reflector from it on
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < m; ++j) y(i, j) = k(j, i);
        std::vector<double> scale(static_cast<std::size_t>(n));
        for (index_t s = 0; s < n; ++s) {
            index_t pivot = s;
            double longest = -1;
            for (index_t i = s; i < n; ++i)
                if (const double d = dot(&y(i, s), &y(i, s), m - s); d > longest) longest = d, pivot = i;
            if (pivot != s) {
                std::swap_ranges(&y(s, 0), &y(s, 0) + m, &y(pivot, 0));
                std::swap(column[static_cast<std::size_t>(s)], column[static_cast<std::size_t>(pivot)]);
            }
            double* u = &y(s, s);
            double unit = 1;
            if (longest < 1e-250) {  // squares have no digits left: u in a unit of its own, which a reflection does not know
                double largest = 0;
                for (index_t j = 0; j < m - s; ++j) largest = std::max(largest, std::abs(u[j]));
                if (largest > 0) unit = std::ldexp(1.0, std::max(-1000, std::ilogb(largest)));
                for (index_t j = 0; j < m - s; ++j) u[j] /= unit;
                longest = dot(u, u, m - s);
            }
            const double norm = std::sqrt(longest), head = u[0];
            for (index_t i = 0; i < s; ++i) r(i, s) = y(s, i);
            u[0] -= head < 0 ? norm : -norm;
            r(s, s) = unit * (head < 0 ? norm : -norm);
            const double square = dot(u, u, m - s);
            scale[static_cast<std::size_t>(s)] = square > 0 ? 2 / square : 0;
            for (index_t i = s + 1; i < n; ++i) reflect(u, scale[static_cast<std::size_t>(s)], &y(i, s), m - s);
        }
        for (index_t i = 0; i < n; ++i) {
            q(i, i) = 1;
            for (index_t s = i; s >= 0; --s) reflect(&y(s, s), scale[static_cast<std::size_t>(s)], &q(i, s), m - s);
        }
    }

private:
    static void reflect(const double* u, double scale, double* x, index_t n) { axpy(-scale * dot(u, x, n), u, x, n); }
};

}  // namespace detail

/// The singular value decomposition by one-sided Jacobi rotations after a pivoted QR,
///     k P = Q R,    R^T J = Y  with orthogonal columns,    sigma_i = |y_i|,   u = Q J,   v_i = P y_i / sigma_i.
/// Small singular values of a graded matrix (columns or rows of very different size) come out to relative accuracy,
/// where a bidiagonal method gives eps sigma_1. O(n^3) a sweep, few sweeps. Drmac & Veselic, SIAM J. Matrix Anal. 2008.
inline singular_values jacobi_svd(matrix_view<const double> k) {
    if (k.rows < k.cols) {
        matrix<double> turned(k.cols, k.rows);
        for (index_t i = 0; i < k.rows; ++i)
            for (index_t j = 0; j < k.cols; ++j) turned(j, i) = k(i, j);
        auto s = jacobi_svd(turned.view());
        std::swap(s.u, s.v);
        return s;
    }
    const index_t m = k.rows, n = k.cols;
    singular_values out{matrix<double>(m, n), std::vector<double>(static_cast<std::size_t>(n)), matrix<double>(n, n)};
    if (n == 0) return out;

    // Scaled to a largest entry near 1, by a power of two: squares must not overflow.
    double largest = 0;
    for (index_t i = 0; i < m; ++i)
        for (index_t h = 0; h < n; ++h) {
            if (!std::isfinite(k(i, h)))
                throw numerical_error("hrm::jacobi_svd: entry (" + std::to_string(i) + ", " + std::to_string(h) + ") is not finite");
            largest = std::max(largest, std::abs(k(i, h)));
        }
    const int exponent = largest > 0 ? std::ilogb(largest) : 0;
    matrix<double> scaled(k);
    for (double& value : scaled.flat()) value = std::ldexp(value, -exponent);

    detail::pivoted_qr qr(scaled.view());
    auto &x = qr.r, &j = qr.q;  // row i: column i of R^T, and of Q J

    const double eps = std::numeric_limits<double>::epsilon(), small = eps * std::sqrt(static_cast<double>(n));
    for (int sweep = 0; sweep < 60; ++sweep) {
        bool rotated = false;
        for (index_t p = 0; p + 1 < n; ++p)
            for (index_t q = p + 1; q < n; ++q) {
                double *xp = &x(p, 0), *xq = &x(q, 0);
                const double a = dot(xp, xp, n), b = dot(xq, xq, n), c = dot(xp, xq, n);
                if (!(std::abs(c) > small * std::sqrt(a) * std::sqrt(b))) continue;
                rotated = true;
                // The rotation that makes the two rows orthogonal, by the smaller angle.
                const double zeta = (b - a) / (2 * c);
                const double t = std::copysign(1 / (std::abs(zeta) + std::sqrt(1 + zeta * zeta)), zeta);  // zeta^2 = inf: by nothing
                const double cosine = 1 / std::sqrt(1 + t * t), sine = cosine * t;
                const auto turn = [&](double* y, double* z, index_t length) {
                    for (index_t i = 0; i < length; ++i) {
                        const double u = y[i], v = z[i];
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
    for (index_t i = 0; i < n; ++i) norm[static_cast<std::size_t>(i)] = std::sqrt(dot(&x(i, 0), &x(i, 0), n));
    std::vector<std::size_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](auto i, auto h) { return norm[i] > norm[h]; });
    for (index_t r = 0; r < n; ++r) {
        const auto from = order[static_cast<std::size_t>(r)];
        const double sigma = norm[from];
        out.sigma[static_cast<std::size_t>(r)] = std::ldexp(sigma, exponent);
        for (index_t i = 0; i < m; ++i) out.u(i, r) = j(static_cast<index_t>(from), i);
        for (index_t i = 0; i < n; ++i)
            out.v(qr.column[static_cast<std::size_t>(i)], r) = sigma > 0 ? x(static_cast<index_t>(from), i) / sigma : 0;
    }
    return out;
}

}  // namespace hrm
