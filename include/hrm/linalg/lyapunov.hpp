#pragma once

#include <hrm/linalg/detail/gramian_pair.hpp>

namespace hrm {

/// The X of the Lyapunov equation, a continuous system's controllability Gramian if Q = B B^T:
///     A X + X A^T + Q = 0,   X = integral_0^inf e^{At} Q e^{A^T t} dt
/// a: n x n, every eigenvalue left of the imaginary axis;  q: n x n;  X is symmetric if q is.  Computed in double.
/// O(30 n^3), as products.  Throws numerical_error, naming the spectral abscissa, if A is unstable or anything is not finite.
/// Real Schur form A = U T U^T and  T Y + Y T^T + U^T Q U = 0,  X = U Y U^T.  Bartels & Stewart 1972.
template <real S>
matrix<double> lyapunov(const matrix<S>& a, const matrix<S>& q) {
    using namespace detail;
    check_equation("hrm::lyapunov", a, "Q", q, a.rows());
    if (a.rows() == 0) return {};
    return solve_gramian<two_sided::sum>(stable_real_schur<two_sided::sum>("hrm::lyapunov", to_double(a)), q);
}

/// The lower triangular L, n x n, with L L^T = X and A X + X A^T + B B^T = 0, without ever forming X: see stein_factor.
/// a: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(27 n^3 + n^2 m), as products.  Throws as lyapunov.
/// Hammarling 1982, by blocks of the real Schur form (hrm/linalg/detail/hammarling.hpp).
template <real S>
matrix<double> lyapunov_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    check_equation("hrm::lyapunov_factor", a, "B", b, b.cols());
    if (a.rows() == 0) return {};
    return gramian_factor_by<two_sided::sum>(stable_real_schur<two_sided::sum>("hrm::lyapunov_factor", to_double(a)), to_double(b));
}

}  // namespace hrm
