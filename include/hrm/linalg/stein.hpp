#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>

namespace hrm {

/// The X of the Stein (discrete Lyapunov) equation, a system's controllability Gramian if Q = B B^T:
///     X = A X A^T + Q = sum_k A^k Q (A^T)^k
/// a: n x n, spectral radius below 1;  q: n x n;  X is symmetric if q is.  Computed in double.
/// O(32 n^3), as products.  Throws numerical_error, naming the spectral radius, if A is unstable or anything is not finite.
/// Real Schur form A = U T U^T and  T Y T^T - Y + U^T Q U = 0,  X = U Y U^T.  Kitagawa 1977.
template <real S>
matrix<double> stein(const matrix<S>& a, const matrix<S>& q) {
    using namespace detail;
    check_equation("hrm::stein", a, "Q", q, a.rows());
    if (a.rows() == 0) return {};
    return solve_gramian<two_sided::product>(contractive_real_schur("hrm::stein", to_double(a)), q);
}

/// The lower triangular L, n x n, with L L^T = X = A X A^T + B B^T, without ever forming X: small singular values keep
/// the digits that forming and factoring X would square away, and a singular X (B = 0, unreachable states) is no
/// exception.  a: n x n, spectral radius below 1;  b: n x m.  O(50 n^3 + n^2 m).  Throws as stein.
/// Hammarling 1982, in complex Schur form. With T = [T1 t; 0 tau], B = [B1; b^H], the last column (u; v) of the factor is
///     s = sqrt(1 - |tau|^2),  v = |b|/s,  (I - conj(tau) T1) u = conj(tau) v t + s B1 b/|b|
/// and the rest solves the same equation with T1 and B1 + (s (T1 u + v t) - tau B1 b/|b| - B1 b/|b|) b^H/|b|.
template <real S>
matrix<double> stein_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    const index_t n = a.rows(), m = b.cols();
    check_equation("hrm::stein_factor", a, "B", b, m);
    if (n == 0) return {};
    const auto form = contractive_schur("hrm::stein_factor", to_double(a));
    const auto& t = form.t;
    complex_matrix right = into_schur(form, b), factor(n, n);
    buffer<complex> direction(static_cast<std::size_t>(m)), input(static_cast<std::size_t>(n)), u(static_cast<std::size_t>(n));
    for (index_t k = n - 1; k >= 0; --k) {
        double length = 0;
        for (index_t j = 0; j < m; ++j) length = std::hypot(length, std::abs(right(k, j)));
        if (length == 0) continue;
        const complex tau = t(k, k);
        const double s = std::sqrt((1 - std::abs(tau)) * (1 + std::abs(tau))), v = length / s;
        for (index_t j = 0; j < m; ++j) direction[static_cast<std::size_t>(j)] = right(k, j) / length;  // b^H / |b|
        for (index_t i = 0; i < k; ++i) {
            complex sum = 0;
            for (index_t j = 0; j < m; ++j) sum += conj_times(direction[static_cast<std::size_t>(j)], right(i, j));
            input[static_cast<std::size_t>(i)] = sum;
            u[static_cast<std::size_t>(i)] = v * conj_times(tau, t(i, k)) + s * sum;
        }
        solve_shifted(1, -std::conj(tau), t, k, u.data());
        factor(k, k) = v;
        for (index_t i = 0; i < k; ++i) {
            complex moved = v * t(i, k);
            for (index_t j = i; j < k; ++j) moved += times(t(i, j), u[static_cast<std::size_t>(j)]);
            const complex change = s * moved - times(tau + 1.0, input[static_cast<std::size_t>(i)]);
            for (index_t j = 0; j < m; ++j) right(i, j) += times(change, direction[static_cast<std::size_t>(j)]);
            factor(i, k) = u[static_cast<std::size_t>(i)];
        }
    }
    return out_of_schur(form, factor);
}

}  // namespace hrm
