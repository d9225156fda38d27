#pragma once

#include <hrm/linalg/detail/schur.hpp>

namespace hrm {

namespace detail {

/// The Schur form of a matrix whose eigenvalues must lie in the open left half plane.
template <real S>
schur_form hurwitz_schur(std::string_view where, const matrix<S>& a) {
    auto form = schur(where, a);
    const double abscissa = largest_real_part(form.t);
    if (!(abscissa < 0)) throw_unstable(where, "spectral abscissa", abscissa, 0);
    return form;
}

}  // namespace detail

/// The X of the Lyapunov equation, a continuous system's controllability Gramian if Q = B B^T:
///     A X + X A^T + Q = 0,   X = integral_0^inf e^{At} Q e^{A^T t} dt
/// a: n x n, every eigenvalue left of the imaginary axis;  q: n x n;  X is symmetric if q is.  Computed in double.
/// O(35 n^3).  Throws numerical_error, naming the spectral abscissa, if A is unstable. Complex Schur form, then column
/// by column from the last: (T + conj(t_jj) I) x_j = -q_j - sum_{k>j} x_k conj(t_jk).  Bartels & Stewart 1972.
template <real S>
matrix<double> lyapunov(const matrix<S>& a, const matrix<S>& q) {
    const index_t n = a.rows();
    require_shape("hrm::lyapunov", "A", a.rows(), a.cols(), n, n);
    require_shape("hrm::lyapunov", "Q", q.rows(), q.cols(), n, n);
    detail::require_finite("hrm::lyapunov", "A", a);
    detail::require_finite("hrm::lyapunov", "Q", q);
    if (n == 0) return {};
    const auto [t, z] = detail::hurwitz_schur("hrm::lyapunov", a);
    detail::complex_matrix x = -(z.adjoint() * as_eigen(q).template cast<double>() * z);
    for (index_t j = n - 1; j >= 0; --j) {
        x.col(j).noalias() -= x.rightCols(n - 1 - j) * t.row(j).tail(n - 1 - j).adjoint();
        detail::solve_shifted(std::conj(t(j, j)), 1, t, x.col(j));
    }
    auto result = from_eigen((z * x * z.adjoint()).real());
    if (as_eigen(q) == as_eigen(q).transpose())
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) result(i, j) = result(j, i) = (result(i, j) + result(j, i)) / 2;
    return result;
}

/// The lower triangular L, n x n, with L L^T = X and A X + X A^T + B B^T = 0, without ever forming X: see stein_factor.
/// a: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(30 n^3 + n^2 m).  Throws as lyapunov.
/// Hammarling 1982, in complex Schur form. With T = [T1 t; 0 tau], B = [B1; b^H], the last column (u; v) of the factor is
///     s = sqrt(-2 Re tau),  v = |b|/s,  (T1 + conj(tau) I) u = -(v t + s B1 b/|b|)
/// and the rest solves the same equation with T1 and B1 - s u b^H/|b|.
template <real S>
matrix<double> lyapunov_factor(const matrix<S>& a, const matrix<S>& b) {
    const index_t n = a.rows();
    require_shape("hrm::lyapunov_factor", "A", a.rows(), a.cols(), n, n);
    require_shape("hrm::lyapunov_factor", "B", b.rows(), b.cols(), n, b.cols());
    detail::require_finite("hrm::lyapunov_factor", "A", a);
    detail::require_finite("hrm::lyapunov_factor", "B", b);
    if (n == 0) return {};
    const auto [t, z] = detail::hurwitz_schur("hrm::lyapunov_factor", a);
    detail::complex_matrix right = z.adjoint() * as_eigen(b).template cast<double>();
    detail::complex_matrix factor = detail::complex_matrix::Zero(n, n);
    for (index_t k = n - 1; k >= 0; --k) {
        const double length = right.row(k).norm();
        if (length == 0) continue;
        const std::complex<double> tau = t(k, k);
        const double s = std::sqrt(-2 * tau.real());
        const double v = length / s;
        const detail::complex_vector direction = right.row(k).adjoint() / length;
        auto u = factor.col(k).head(k);
        u = -v * t.col(k).head(k) - s * (right.topRows(k) * direction);
        detail::solve_shifted(std::conj(tau), 1, t, u);
        factor(k, k) = v;
        right.topRows(k).noalias() -= s * u * direction.adjoint();
    }
    return detail::real_factor(z * factor);
}

}  // namespace hrm
