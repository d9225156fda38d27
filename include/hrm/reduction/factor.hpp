#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <hrm/linalg/detail/product.hpp>

namespace hrm {

/// W ~ l l^H with l: n x rank.  T: double or complex.
template <class T>
struct semidefinite_factor_of {
    matrix<T> l;
    /// The largest entry left out, relative to the diagonal: |W - l l^H|_ij / sqrt(W_ii W_jj). The only regularisation.
    double dropped = 0;
};
using semidefinite_factor = semidefinite_factor_of<double>;

namespace detail {

template <class T>
semidefinite_factor_of<T> factor_semidefinite(matrix_view<const T> w) {
    const index_t n = w.rows;
    require_shape("hrm::factor_semidefinite", "W", w.rows, w.cols, n, n);
    std::vector<double> scale(static_cast<std::size_t>(n));
    const auto at = [](index_t i) { return static_cast<std::size_t>(i); };
    for (index_t i = 0; i < n; ++i) {
        const double own = std::real(w(i, i));
        if (!std::isfinite(own)) throw numerical_error("hrm::factor_semidefinite: W is not finite");
        if (own < 0)
            throw numerical_error("hrm::factor_semidefinite: diagonal entry " + std::to_string(i) + " of W is " +
                                  std::to_string(own) + ", expected >= 0");
        if (!(std::abs(std::imag(w(i, i))) <= static_cast<double>(n) * std::numeric_limits<double>::epsilon() * own))
            throw numerical_error("hrm::factor_semidefinite: diagonal entry " + std::to_string(i) + " of W has the imaginary part " +
                                  std::to_string(std::imag(w(i, i))) + ", expected 0: W is not Hermitian");
        scale[at(i)] = std::sqrt(own);
    }
    matrix<T> rest(n, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j <= i; ++j) {
            const double s = scale[at(i)] * scale[at(j)];
            rest(i, j) = s > 0 ? (i == j ? std::real(w(i, i)) : w(i, j)) / s : T{};
            rest(j, i) = conjugate(rest(i, j));
        }

    std::vector<buffer<T>> columns;
    const double floor = static_cast<double>(n) * std::numeric_limits<double>::epsilon();
    while (static_cast<index_t>(columns.size()) < n) {
        index_t p = 0;
        for (index_t i = 1; i < n; ++i)
            if (std::real(rest(i, i)) > std::real(rest(p, p))) p = i;
        if (!(std::real(rest(p, p)) > floor)) break;
        buffer<T> c(at(n));
        const double root = std::sqrt(std::real(rest(p, p)));
        for (index_t i = 0; i < n; ++i) c[at(i)] = rest(i, p) / root;
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) rest(i, j) -= times(c[at(i)], conjugate(c[at(j)]));
        for (index_t i = 0; i < n; ++i) rest(i, p) = rest(p, i) = 0;  // exactly
        columns.push_back(std::move(c));
    }

    semidefinite_factor_of<T> f{matrix<T>(n, static_cast<index_t>(columns.size())), 0};
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < f.l.cols(); ++j) f.l(i, j) = columns[at(j)][at(i)] * scale[at(i)];
    for (const auto& x : rest.flat()) {
        const double left = std::abs(x);
        if (!std::isfinite(left)) throw numerical_error("hrm::factor_semidefinite: W is not finite");
        f.dropped = std::max(f.dropped, left);
    }
    if (f.dropped > 1e-6)
        throw numerical_error("hrm::factor_semidefinite: W is indefinite by " + std::to_string(f.dropped) +
                              " of its diagonal, expected at most 1e-06");
    return f;
}

}  // namespace detail

/// Factors a symmetric (complex: Hermitian) positive semidefinite matrix, singular or not, by Cholesky with complete pivoting on W scaled to
/// unit diagonal, so that a state in small units counts as much as one in large units.
///     pivot p = argmax R_pp;   l_.j = R_.p / sqrt(R_pp);   R <- R - l_.j l_.j^H;   stop at R_pp <= n eps
/// w: n x n, the lower triangle is read. O(n^2 rank). Throws numerical_error if more than 1e-6 of the scaled matrix is
/// negative: that is no rounding of a semidefinite one. Higham, Accuracy and Stability, section 10.3.
inline semidefinite_factor factor_semidefinite(matrix_view<const double> w) { return detail::factor_semidefinite(w); }
inline semidefinite_factor_of<std::complex<double>> factor_semidefinite(matrix_view<const std::complex<double>> w) { return detail::factor_semidefinite(w); }

}  // namespace hrm
