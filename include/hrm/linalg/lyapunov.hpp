#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/hammarling.hpp>

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
    return solve_gramian<two_sided::sum>(hurwitz_real_schur("hrm::lyapunov", to_double(a)), q);
}

namespace detail {

/// The factor of A X + X A^T + B B^T = 0, lower triangular, from a Schur form of A.  See lyapunov_factor.
inline matrix<double> lyapunov_factor_by(const balanced_schur& form, const matrix<double>& b) {
    return lower_factor(form.out_of(quasi_triangular_factor(form.t.view(), form.into(b))));
}

}  // namespace detail

/// The lower triangular L, n x n, with L L^T = X and A X + X A^T + B B^T = 0, without ever forming X: see stein_factor.
/// a: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(27 n^3 + n^2 m), as products.  Throws as lyapunov.
/// Hammarling 1982, by blocks of the real Schur form (hrm/linalg/detail/hammarling.hpp).
template <real S>
matrix<double> lyapunov_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    check_equation("hrm::lyapunov_factor", a, "B", b, b.cols());
    if (a.rows() == 0) return {};
    return lyapunov_factor_by(hurwitz_real_schur("hrm::lyapunov_factor", to_double(a)), to_double(b));
}

namespace detail {

/// Factors of both Gramians of (A, B, C) from one Schur form, which they are left in the coordinates of, x = E x':
///     Wc = E lc lc^T E^T,   Wo = E^-T lo lo^T E^-1,   so that lo^T lc has the Hankel singular values.
/// lc and lo are square, and quasi-triangular from opposite corners.
struct lyapunov_pair {
    matrix<double> lc, lo;
    balanced_schur coordinates;
};
/// form: that of A, n x n;  b: n x m;  c: p x n.  O(2 n^3).
inline lyapunov_pair lyapunov_factors(balanced_schur schur, const matrix<double>& b, const matrix<double>& c) {
    const index_t n = b.rows();
    lyapunov_pair out{{}, {}, std::move(schur)};
    const auto& form = out.coordinates;
    out.lc = quasi_triangular_factor(form.t.view(), form.into(b));
    // T^T Y + Y T + (C E)^T C E = 0, turned upside down: T^T becomes quasi-triangular again.
    matrix<double> last(n, c.rows());
    const auto ct = form.dual_into(transpose(c));
    for (index_t i = 0; i < n; ++i) std::copy_n(ct.view().row(n - 1 - i), c.rows(), last.view().row(i));
    const auto u = quasi_triangular_factor(turned_over(form.t).view(), std::move(last));
    out.lo = matrix<double>(n, n);
    for (index_t i = 0; i < n; ++i) std::copy_n(u.view().row(n - 1 - i), n, out.lo.view().row(i));
    return out;
}

}  // namespace detail
}  // namespace hrm
