#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include <hrm/linalg/detail/complex_bidiagonal.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/linalg/svd.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/reduction/jacobi.hpp>

namespace hrm::detail {

/// The singular values of Lo^H Lc, and the vectors of as many of them as turn out to be kept: by Jacobi rotations where small
/// values are accurate by themselves (graded factors), else by bidiagonalisation.  T: double or complex.
template <class T>
class core_svd {
public:
    core_svd(matrix<T> k, bool graded) {
        double largest = 0;
        for (const T& x : k.flat()) largest = std::max(largest, std::abs(x));
        const bool extreme = !(largest > 1e-140 && largest < 1e140);  // squares would leave the range: Jacobi scales
        if (graded || k.empty() || extreme) {
            whole_ = jacobi_svd(k);
            return;
        }
        k_ = std::move(k);
        wide_ = k_.rows() < k_.cols();
        try {
            quick_.emplace(wide_ ? adjoint(k_) : k_);
        } catch (const numerical_error&) {
            whole_ = jacobi_svd(k_);  // where the QR iteration does not settle
        }
    }
    const std::vector<double>& sigma() const { return whole_ ? whole_->sigma : quick_->sigma(); }

    /// At least the leading r columns of u and v are there. Jacobi rotations cost up to ten times what the vectors do.
    singular_values_of<T> leading(index_t r) {
        if (!whole_) {
            singular_values_of<T> s{{}, sigma(), {}};
            if (quick_->vectors(r, s.u, s.v)) {
                if (wide_) std::swap(s.u, s.v);
                return s;
            }
        }
        return whole_ ? *whole_ : jacobi_svd(k_);
    }

private:
    matrix<T> k_;
    bool wide_ = false;
    std::optional<singular_values_of<T>> whole_;
    std::optional<std::conditional_t<real<T>, bidiagonal_svd, complex_bidiagonal_svd>> quick_;
};

/// The 2-norm, from half of x^T x: squaring costs the largest singular value no digits.  x: n x r.  O(n r^2).
inline double spectral_norm(const matrix<double>& x) {
    double largest = 0;
    for (double v : x.flat()) largest = std::max(largest, std::abs(v));
    if (largest == 0) return 0;
    if (!(largest > 1e-140 && largest < 1e140)) {  // squares would leave the range
        auto scaled = x;
        for (double& v : scaled.flat()) v /= largest;
        return largest * spectral_norm(scaled);
    }
    constexpr index_t wide = 96;
    matrix<double> gram(x.cols(), x.cols());
    for (index_t j = 0; j < x.cols(); j += wide) {
        const index_t some = std::min(wide, x.cols() - j), rest = x.cols() - j;
        multiply(transposed(x.view().slice_cols(j, some)), x.view().slice_cols(j, rest), gram.view().slice_rows(j, some).slice_cols(j, rest));
    }
    for (index_t i = 0; i < x.cols(); ++i)
        for (index_t j = 0; j < i; ++j) gram(i, j) = gram(j, i);
    return std::sqrt(core_svd(std::move(gram), false).sigma()[0]);
}

}  // namespace hrm::detail
