#pragma once

// The door to Eigen's sparse half. Everything here is a template: who does not use it compiles none of it.

#include <complex>
#include <string>

#include <hrm/linalg/eigen.hpp>

#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>
#include <Eigen/SparseLU>

namespace hrm {

/// Compressed columns.
template <class S>
using sparse_matrix = Eigen::SparseMatrix<S>;

/// A few long columns, each contiguous: what a sparse solver takes and gives.
template <class S>
using column_block = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic>;

enum class symmetry { general, symmetric };

/// Whether a = a^T, entry for entry.
template <class S>
symmetry symmetry_of(const sparse_matrix<S>& a) {
    if (a.rows() != a.cols()) return symmetry::general;
    const sparse_matrix<S> difference = a - sparse_matrix<S>(a.transpose());
    return difference.nonZeros() == 0 || difference.norm() == 0 ? symmetry::symmetric : symmetry::general;
}

/// Solves A X = B, A^T X = B and A^H X = B for one pattern of A and, one after the other, many values:
///     sparse_solver<double> s(symmetry::general);   s.factor(a);   x = s.solve(b);
/// The order of elimination is found by the first factor(). Real symmetric A: L D L^T without pivoting, ordered by minimum
/// degree, for definite A; else L U with partial pivoting, columns ordered by approximate minimum degree (COLAMD).
/// Throws numerical_error where A is singular. T: double or std::complex<double>.
template <class T>
class sparse_solver {
public:
    explicit sparse_solver(symmetry kind) : symmetric_(kind == symmetry::symmetric && std::is_same_v<T, double>) {}

    void factor(const sparse_matrix<T>& a) {
        require_shape("hrm::sparse_solver", "A", a.rows(), a.cols(), a.rows(), a.rows());
        const bool first = size_ != a.rows();
        size_ = a.rows();
        if constexpr (std::is_same_v<T, double>)
            if (symmetric_) {
                if (first) ldlt_.analyzePattern(a);
                ldlt_.factorize(a);
                if (ldlt_.info() == Eigen::Success) return;
                symmetric_ = false;  // a pivot was zero
                lu_.analyzePattern(a);
            }
        if (first) lu_.analyzePattern(a);
        lu_.factorize(a);
        if (lu_.info() != Eigen::Success)
            throw numerical_error("hrm::sparse_solver: A of order " + std::to_string(size_) + " is singular: " + lu_.lastErrorMessage());
    }
    column_block<T> solve(const column_block<T>& b) const {
        require_size("hrm::sparse_solver", "rows of B", b.rows(), size_);
        if constexpr (std::is_same_v<T, double>)
            if (symmetric_) return ldlt_.solve(b);
        return lu_.solve(b);
    }
    column_block<T> solve_transposed(const column_block<T>& b) {
        require_size("hrm::sparse_solver", "rows of B", b.rows(), size_);
        if constexpr (std::is_same_v<T, double>)
            if (symmetric_) return ldlt_.solve(b);
        return lu_.transpose().solve(b);
    }
    column_block<T> solve_adjoint(const column_block<T>& b) {
        if constexpr (std::is_same_v<T, double>) return solve_transposed(b);
        require_size("hrm::sparse_solver", "rows of B", b.rows(), size_);
        return lu_.adjoint().solve(b);
    }

private:
    bool symmetric_;
    index_t size_ = -1;
    Eigen::SparseLU<sparse_matrix<T>, Eigen::COLAMDOrdering<int>> lu_;
    Eigen::SimplicialLDLT<sparse_matrix<double>> ldlt_;
};

}  // namespace hrm
