#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>

namespace hrm {

/// The X of the Lyapunov equation, a continuous system's controllability Gramian if Q = B B^T:
///     A X + X A^T + Q = 0,   X = integral_0^inf e^{At} Q e^{A^T t} dt
/// a: n x n, every eigenvalue left of the imaginary axis;  q: n x n;  X is symmetric if q is.  Computed in double.
/// O(50 n^3).  Throws numerical_error, naming the spectral abscissa, if A is unstable or anything is not finite.
/// Complex Schur form, then column by column from the last:
///     (T + conj(t_jj) I) x_j = -q_j - sum_{k>j} conj(t_jk) x_k                             Bartels & Stewart 1972.
template <real S>
matrix<double> lyapunov(const matrix<S>& a, const matrix<S>& q) {
    using namespace detail;
    const index_t n = a.rows();
    check_equation("hrm::lyapunov", a, "Q", q, n);
    if (n == 0) return {};
    const auto form = hurwitz_schur("hrm::lyapunov", to_double(a));
    const auto& t = form.t;
    // Row j of xt is column j of X: contiguous.
    complex_matrix xt(n, n), right = into_schur_twice(form, q);
    for (index_t j = n - 1; j >= 0; --j) {
        for (index_t i = 0; i < n; ++i) xt(j, i) = -right(i, j);
        for (index_t k = j + 1; k < n; ++k)
            for (index_t i = 0; i < n; ++i) xt(j, i) -= conj_times(t(j, k), xt(k, i));
        solve_shifted(std::conj(t(j, j)), 1, t, n, xt.view().row(j));
    }
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < i; ++j) std::swap(xt(i, j), xt(j, i));
    return out_of_schur_twice(form, xt, is_symmetric(q));
}

/// The lower triangular L, n x n, with L L^T = X and A X + X A^T + B B^T = 0, without ever forming X: see stein_factor.
/// a: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(50 n^3 + n^2 m).  Throws as lyapunov.
/// Hammarling 1982, in complex Schur form. With T = [T1 t; 0 tau], B = [B1; b^H], the last column (u; v) of the factor is
///     s = sqrt(-2 Re tau),  v = |b|/s,  (T1 + conj(tau) I) u = -(v t + s B1 b/|b|)
/// and the rest solves the same equation with T1 and B1 - s u b^H/|b|.
template <real S>
matrix<double> lyapunov_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    const index_t n = a.rows(), m = b.cols();
    check_equation("hrm::lyapunov_factor", a, "B", b, m);
    if (n == 0) return {};
    const auto form = hurwitz_schur("hrm::lyapunov_factor", to_double(a));
    const auto& t = form.t;
    complex_matrix right = into_schur(form, b), factor(n, n);
    buffer<complex> direction(static_cast<std::size_t>(m)), u(static_cast<std::size_t>(n));
    for (index_t k = n - 1; k >= 0; --k) {
        double length = 0;
        for (index_t j = 0; j < m; ++j) length = std::hypot(length, std::abs(right(k, j)));
        if (length == 0) continue;
        const double s = std::sqrt(-2 * t(k, k).real()), v = length / s;
        for (index_t j = 0; j < m; ++j) direction[static_cast<std::size_t>(j)] = right(k, j) / length;  // b^H / |b|
        for (index_t i = 0; i < k; ++i) {
            complex sum = 0;
            for (index_t j = 0; j < m; ++j) sum += conj_times(direction[static_cast<std::size_t>(j)], right(i, j));
            u[static_cast<std::size_t>(i)] = -v * t(i, k) - s * sum;
        }
        solve_shifted(std::conj(t(k, k)), 1, t, k, u.data());
        factor(k, k) = v;
        for (index_t i = 0; i < k; ++i) {
            const complex x = factor(i, k) = u[static_cast<std::size_t>(i)];
            for (index_t j = 0; j < m; ++j) right(i, j) -= s * times(x, direction[static_cast<std::size_t>(j)]);
        }
    }
    return out_of_schur(form, factor);
}

}  // namespace hrm
