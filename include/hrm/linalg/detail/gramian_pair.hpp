#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/hammarling.hpp>

// From a real Schur form to the factor of one Gramian, in the coordinates of the states, or of both, in its own.

namespace hrm::detail {

/// The lower triangular factor of X,  A X + X A^T + B B^T = 0  (sum) or  A X A^T - X + B B^T = 0  (product).
template <two_sided kind>
matrix<double> gramian_factor_by(const balanced_schur& form, const matrix<double>& b) {
    return lower_factor(form.out_of(quasi_triangular_factor<kind>(form.t.view(), form.into(b))));
}

/// Rows, the last one first.
inline matrix<double> upside_down(const matrix<double>& x) {
    matrix<double> y(x.rows(), x.cols());
    for (index_t i = 0; i < x.rows(); ++i) std::copy_n(x.view().row(x.rows() - 1 - i), x.cols(), y.view().row(i));
    return y;
}
/// The factor of the other Gramian of T,  T^T Y + Y T + c c^T = 0  or  T^T Y T - Y + c c^T = 0:  turned upside down, T^T becomes
/// quasi-triangular again.  c: n x p.
template <two_sided kind>
matrix<double> dual_factor(const matrix<double>& t, const matrix<double>& c) {
    return upside_down(quasi_triangular_factor<kind>(turned_over(t).view(), upside_down(c)));
}

/// Factors of both Gramians of (A, B, C) from one Schur form, which they are left in the coordinates of, x = E x':
///     Wc = E lc lc^T E^T,   Wo = E^-T lo lo^T E^-1,   so that lo^T lc has the Hankel singular values.
/// lc and lo are square, and quasi-triangular from opposite corners.
struct gramian_pair {
    matrix<double> lc, lo;
    balanced_schur coordinates;
};
/// form: that of A, n x n;  b: n x m;  c: p x n.  O(2 n^3 / 3 + n^2 (m + p)).
template <two_sided kind>
gramian_pair gramian_factors_by(balanced_schur form, const matrix<double>& b, const matrix<double>& c) {
    auto lc = quasi_triangular_factor<kind>(form.t.view(), form.into(b)), lo = dual_factor<kind>(form.t, form.dual_into(transpose(c)));
    return {std::move(lc), std::move(lo), std::move(form)};
}

}  // namespace hrm::detail
