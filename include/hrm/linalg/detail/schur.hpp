#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <sstream>
#include <string_view>

#include <hrm/linalg/eigen.hpp>

// What the two Gramian equations (stein.hpp, lyapunov.hpp) share: the complex Schur form A = Q T Q^H, the triangular
// solve with a shifted T, and the way back from a complex factor to a real one.

namespace hrm::detail {

using complex_matrix = Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic>;
using complex_vector = Eigen::Matrix<std::complex<double>, Eigen::Dynamic, 1>;

struct schur_form {
    complex_matrix t, q;
};

template <class S>
void require_finite(std::string_view where, std::string_view what, const matrix<S>& m) {
    for (index_t i = 0; i < m.rows(); ++i)
        for (index_t j = 0; j < m.cols(); ++j)
            if (!std::isfinite(m(i, j)))
                throw numerical_error(std::string(where) + ": " + std::string(what) + "(" + std::to_string(i) + ", " +
                                      std::to_string(j) + ") is not finite");
}

/// a: n x n, any n >= 1.  O(25 n^3).
template <real S>
schur_form schur(std::string_view where, const matrix<S>& a) {
    Eigen::ComplexSchur<Eigen::MatrixXd> form(as_eigen(a).template cast<double>());
    if (form.info() != Eigen::Success) throw numerical_error(std::string(where) + ": the QR iteration did not converge");
    return {form.matrixT(), form.matrixU()};
}

/// "hrm::stein: A is unstable: spectral radius 1.25, must be below 1".
[[noreturn]] inline void throw_unstable(std::string_view where, std::string_view what, double value, int limit) {
    std::ostringstream s;
    s.precision(17);
    s << where << ": A is unstable: " << what << ' ' << value << ", must be below " << limit;
    throw numerical_error(s.str());
}

template <class Matrix>
double largest_modulus(const Matrix& t) {
    double r = 0;
    for (index_t i = 0; i < t.rows(); ++i) r = std::max(r, std::abs(t(i, i)));
    return r;
}
template <class Matrix>
double largest_real_part(const Matrix& t) {
    double r = -std::numeric_limits<double>::infinity();
    for (index_t i = 0; i < t.rows(); ++i) r = std::max(r, t(i, i).real());
    return r;
}

/// x <- (shift I + scale T_k)^-1 x, T_k the leading k x k block, k = length of x.  O(k^2), columns of T in order.
template <class Vector>
void solve_shifted(std::complex<double> shift, std::complex<double> scale, const complex_matrix& t, Vector&& x) {
    for (index_t i = x.size() - 1; i >= 0; --i) {
        x(i) /= shift + scale * t(i, i);
        const std::complex<double> step = scale * x(i);
        for (index_t j = 0; j < i; ++j) x(j) -= step * t(j, i);
    }
}

/// The real lower triangular L with L L^T = M M^H, for a complex M whose M M^H is real:
///     M M^H = Re M Re M^T + Im M Im M^T = [Re M  Im M][Re M  Im M]^T,   [Re M  Im M]^T = Q R,   L = R^T.
/// Orthogonal all the way: what is small in M stays accurate. M: n x k.  O(n^2 k).
template <class Matrix>
matrix<double> real_factor(const Matrix& m) {
    const index_t n = m.rows(), k = m.cols();
    Eigen::MatrixXd stacked(2 * k, n);
    stacked.topRows(k) = m.real().transpose();
    stacked.bottomRows(k) = m.imag().transpose();
    Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> qr(stacked);
    matrix<double> l(n, n);
    for (index_t j = 0; j < std::min(n, 2 * k); ++j) {
        const double sign = qr.matrixQR()(j, j) < 0 ? -1 : 1;  // a nonnegative diagonal names one L
        for (index_t i = j; i < n; ++i) l(i, j) = sign * qr.matrixQR()(j, i);
    }
    return l;
}

}  // namespace hrm::detail
