#pragma once

#include <cmath>
#include <complex>
#include <utility>

#include <hrm/core/matrix.hpp>

namespace hrm {

/// X with A X = B by Gaussian elimination with partial pivoting, for set-up mathematics.
/// a: n x n, b: n x m, real or complex.  O(n^3/3 + n^2 m).  Throws numerical_error if a pivot is exactly zero.
template <class T>
matrix<T> solve(matrix<T> a, matrix<T> b) {
    const index_t n = a.rows(), m = b.cols();
    require_shape("hrm::solve", "A", a.rows(), a.cols(), n, n);
    require_shape("hrm::solve", "B", b.rows(), b.cols(), n, m);
    for (index_t k = 0; k < n; ++k) {
        index_t pivot = k;
        for (index_t i = k + 1; i < n; ++i)
            if (std::abs(a(i, k)) > std::abs(a(pivot, k))) pivot = i;
        if (a(pivot, k) == T{}) throw numerical_error("hrm::solve: A is singular: no pivot in column " + std::to_string(k));
        if (pivot != k) {
            for (index_t j = k; j < n; ++j) std::swap(a(k, j), a(pivot, j));
            for (index_t j = 0; j < m; ++j) std::swap(b(k, j), b(pivot, j));
        }
        for (index_t i = k + 1; i < n; ++i) {
            const T f = a(i, k) / a(k, k);
            if (f == T{}) continue;
            for (index_t j = k + 1; j < n; ++j) a(i, j) -= f * a(k, j);
            for (index_t j = 0; j < m; ++j) b(i, j) -= f * b(k, j);
        }
    }
    for (index_t i = n - 1; i >= 0; --i) {
        for (index_t k = i + 1; k < n; ++k)
            for (index_t j = 0; j < m; ++j) b(i, j) -= a(i, k) * b(k, j);
        for (index_t j = 0; j < m; ++j) b(i, j) /= a(i, i);
    }
    return b;
}

}  // namespace hrm
