#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/linalg/detail/product.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/reduction/jacobi.hpp>

namespace hrm {

/// The x of least norm among those that minimise |phi x - y|, and what was decided on the way.  T: double or complex.
template <class T>
struct least_squares_fit_of {
    matrix<T> x;            ///< unknowns x targets
    double residual = 0;    ///< |phi x - y| in the Frobenius norm
    index_t rank = 0;       ///< singular values of phi that were used; all unknowns are determined where it is their number
    double condition = 1;   ///< the largest over the smallest of these
    double cutoff = 0;      ///< those below so much of the largest were not used: the only regularisation
    bool determined() const { return rank == x.rows(); }
};
using least_squares_fit = least_squares_fit_of<double>;

/// Least squares over samples that arrive in pieces, of any number, in the memory of one triangle:
///     least_squares fit(unknowns, targets);   fit.add(phi, y);  ...   auto f = fit.solve();
///     [phi y] = Q [R11 R12; 0 R22],   x = R11^+ R12,   |R22| is left.
/// Orthogonal transformations of the samples, so the condition is phi's own and not its square. Complex samples:
/// least_squares_of<std::complex<double>>.
/// add: O(L (unknowns + targets)^2).  solve: O(unknowns^3).  Golub & Van Loan, section 5.5.
template <class T>
class least_squares_of {
public:
    least_squares_of(index_t unknowns, index_t targets)
        : n_(unknowns), p_(targets), l_(unknowns + targets, unknowns + targets), part_(n_ + p_, n_ + p_ + panel) {}

    index_t samples() const { return samples_; }

    /// phi: L x unknowns, y: L x targets.  Throws numerical_error on what is not finite; then nothing is added.
    void add(matrix_view<const T> phi, matrix_view<const T> y) {
        require_shape("hrm::least_squares", "phi", phi.rows, phi.cols, y.rows, n_);
        require_shape("hrm::least_squares", "y", y.rows, y.cols, phi.rows, p_);
        for (const auto& v : {phi, y})
            for (index_t t = 0; t < v.rows; ++t)
                for (index_t j = 0; j < v.cols; ++j)
                    if (!detail::is_finite(v(t, j))) throw numerical_error("hrm::least_squares: sample " + std::to_string(t) + " is not finite");
        for (index_t first = 0; first < phi.rows; first += panel) {
            const index_t count = std::min<index_t>(panel, phi.rows - first), size = n_ + p_;
            for (index_t i = 0; i < size; ++i) {
                T* row = part_.view().row(i);
                std::copy_n(l_.view().row(i), size, row);
                for (index_t t = 0; t < count; ++t) row[size + t] = detail::conjugate(i < n_ ? phi(first + t, i) : y(first + t, i - n_));
                std::fill(row + size + count, row + size + panel, T{});
            }
            l_ = lower_factor(part_);
        }
        samples_ += phi.rows;
    }

    /// tolerance: singular values of phi below so much of the largest count as zero; 0: max(samples, unknowns) eps.
    least_squares_fit_of<T> solve(double tolerance = 0) const {
        least_squares_fit_of<T> out{{}, 0, 0, 1, tolerance};
        if (tolerance <= 0) out.cutoff = static_cast<double>(std::max(samples_, n_)) * std::numeric_limits<double>::epsilon();
        // phi = Q R, R = L11^H = V S U^H where L11 = U S V^H:  x = U S^+ (L21 V)^H.
        const auto svd = jacobi_svd(matrix_view<const T>(l_.view().slice_rows(0, n_).slice_cols(0, n_)));
        auto turned = detail::product(detail::submatrix(l_, n_, p_, 0, n_), svd.v);
        double left = 0;
        for (index_t i = 0; i < p_; ++i)
            for (index_t j = 0; j <= i; ++j) left += detail::square(l_(n_ + i, n_ + j));
        const double largest = n_ > 0 ? svd.sigma[0] : 0;
        for (index_t k = 0; k < n_; ++k) {
            const double sigma = svd.sigma[static_cast<std::size_t>(k)];
            const bool used = sigma > 0 && sigma > out.cutoff * largest;
            if (used) out.rank = k + 1, out.condition = largest / sigma;
            for (index_t i = 0; i < p_; ++i) {
                if (!used) left += detail::square(turned(i, k));
                turned(i, k) = used ? turned(i, k) / sigma : T{};
            }
        }
        out.x = detail::product(svd.u, detail::adjoint(turned));
        out.residual = std::sqrt(left);
        return out;
    }

private:
    static constexpr index_t panel = 256;
    index_t n_, p_, samples_ = 0;
    matrix<T> l_, part_;  // [L11; L21 L22] = R^H, and room for [L | samples]
};
using least_squares = least_squares_of<double>;

}  // namespace hrm
