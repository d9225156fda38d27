#pragma once

#include <hrm/linalg/detail/schur.hpp>

namespace hrm {

namespace detail {

/// The Schur form of a matrix whose spectral radius must be below one.
template <real S>
schur_form contractive_schur(std::string_view where, const matrix<S>& a) {
    auto form = schur(where, a);
    const double radius = largest_modulus(form.t);
    if (!(radius < 1)) throw_unstable(where, "spectral radius", radius, 1);
    return form;
}

}  // namespace detail

/// The X of the Stein (discrete Lyapunov) equation, a system's controllability Gramian if Q = B B^T:
///     X = A X A^T + Q = sum_k A^k Q (A^T)^k
/// a: n x n, spectral radius below 1;  q: n x n;  X is symmetric if q is.  Computed in double.  O(35 n^3).
/// Throws numerical_error, naming the spectral radius, if A is unstable. Complex Schur form, then column by column from
/// the last: (I - conj(t_jj) T) x_j = q_j + T sum_{k>j} x_k conj(t_jk).  Kitagawa 1977.
template <real S>
matrix<double> stein(const matrix<S>& a, const matrix<S>& q) {
    const index_t n = a.rows();
    require_shape("hrm::stein", "A", a.rows(), a.cols(), n, n);
    require_shape("hrm::stein", "Q", q.rows(), q.cols(), n, n);
    detail::require_finite("hrm::stein", "A", a);
    detail::require_finite("hrm::stein", "Q", q);
    if (n == 0) return {};
    const auto [t, z] = detail::contractive_schur("hrm::stein", a);
    const auto triangle = t.template triangularView<Eigen::Upper>();
    detail::complex_matrix x = z.adjoint() * as_eigen(q).template cast<double>() * z;
    detail::complex_vector tail(n);
    for (index_t j = n - 1; j >= 0; --j) {
        tail.noalias() = x.rightCols(n - 1 - j) * t.row(j).tail(n - 1 - j).adjoint();
        x.col(j) += triangle * tail;
        detail::solve_shifted(1, -std::conj(t(j, j)), t, x.col(j));
    }
    auto result = from_eigen((z * x * z.adjoint()).real());
    if (as_eigen(q) == as_eigen(q).transpose())
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) result(i, j) = result(j, i) = (result(i, j) + result(j, i)) / 2;
    return result;
}

/// The lower triangular L, n x n, with L L^T = X = A X A^T + B B^T, without ever forming X: small singular values keep
/// the digits that forming and factoring X would square away, and a singular X (B = 0, unreachable states) is no
/// exception.  a: n x n, spectral radius below 1;  b: n x m.  O(30 n^3 + n^2 m).  Throws as stein.
/// Hammarling 1982, in complex Schur form. With T = [T1 t; 0 tau], B = [B1; b^H], the last column (u; v) of the factor is
///     s = sqrt(1 - |tau|^2),  v = |b|/s,  (I - conj(tau) T1) u = conj(tau) v t + s B1 b/|b|
/// and the rest solves the same equation with T1 and B1 + (s (T1 u + v t) - tau B1 b/|b| - B1 b/|b|) b^H/|b|.
template <real S>
matrix<double> stein_factor(const matrix<S>& a, const matrix<S>& b) {
    const index_t n = a.rows();
    require_shape("hrm::stein_factor", "A", a.rows(), a.cols(), n, n);
    require_shape("hrm::stein_factor", "B", b.rows(), b.cols(), n, b.cols());
    detail::require_finite("hrm::stein_factor", "A", a);
    detail::require_finite("hrm::stein_factor", "B", b);
    if (n == 0) return {};
    const auto [t, z] = detail::contractive_schur("hrm::stein_factor", a);
    detail::complex_matrix right = z.adjoint() * as_eigen(b).template cast<double>();
    detail::complex_matrix factor = detail::complex_matrix::Zero(n, n);
    for (index_t k = n - 1; k >= 0; --k) {
        const double length = right.row(k).norm();
        if (length == 0) continue;
        const std::complex<double> tau = t(k, k);
        const double s = std::sqrt((1 - std::abs(tau)) * (1 + std::abs(tau)));
        const double v = length / s;
        const detail::complex_vector direction = right.row(k).adjoint() / length;
        const detail::complex_vector input = right.topRows(k) * direction;
        auto u = factor.col(k).head(k);
        u = std::conj(tau) * v * t.col(k).head(k) + s * input;
        detail::solve_shifted(1, -std::conj(tau), t, u);
        factor(k, k) = v;
        const detail::complex_vector moved =
            t.topLeftCorner(k, k).template triangularView<Eigen::Upper>() * u + v * t.col(k).head(k);
        right.topRows(k).noalias() += (s * moved - (tau + 1.0) * input) * direction.adjoint();
    }
    return detail::real_factor(z * factor);
}

}  // namespace hrm
