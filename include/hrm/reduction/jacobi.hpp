#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <hrm/linalg/eigen.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// k = sum_i sigma_i u_i v_i^T, sigma descending; u: rows x r, v: cols x r, r = min(rows, cols).
struct singular_values {
    matrix<double> u;
    std::vector<double> sigma;
    matrix<double> v;
};

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

    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(as_eigen(k));
    // Everything is kept transposed: what rotates are rows, contiguous. x: row i is column i of R^T; j: row i of (Q J)^T.
    matrix<double> x(n, n), j(n, m);
    as_eigen(x) = qr.matrixQR().topRows(n).template triangularView<Eigen::Upper>();
    as_eigen(j) = (qr.householderQ() * Eigen::MatrixXd::Identity(m, n)).transpose();

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
                const double t = std::copysign(1 / (std::abs(zeta) + std::hypot(1.0, zeta)), zeta);
                const double cosine = 1 / std::hypot(1.0, t), sine = cosine * t;
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
    const auto& column = qr.colsPermutation().indices();
    for (index_t r = 0; r < n; ++r) {
        const auto from = order[static_cast<std::size_t>(r)];
        const double sigma = out.sigma[static_cast<std::size_t>(r)] = norm[from];
        for (index_t i = 0; i < m; ++i) out.u(i, r) = j(static_cast<index_t>(from), i);
        for (index_t i = 0; i < n; ++i)
            out.v(column(i), r) = sigma > 0 ? x(static_cast<index_t>(from), i) / sigma : 0;
    }
    return out;
}

}  // namespace hrm
