#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm::detail {

/// P A = L U by panels of 32 columns, the rest as products, for many right-hand sides one after the other.  a: n x n.
/// 2/3 n^3 flop, then 2 n^2 a solve.
class lu {
public:
    explicit lu(matrix<double> a) : a_(std::move(a)), row_(static_cast<std::size_t>(a_.rows())) {
        const index_t n = a_.rows();
        const auto v = a_.view();
        for (index_t k = 0; k < n; k += 32) {
            const index_t nb = std::min<index_t>(32, n - k), right = k + nb;
            for (index_t j = k; j < right; ++j) {
                index_t pivot = j;
                for (index_t i = j + 1; i < n; ++i)
                    if (std::abs(a_(i, j)) > std::abs(a_(pivot, j))) pivot = i;
                row_[static_cast<std::size_t>(j)] = pivot;
                if (pivot != j) std::swap_ranges(v.row(j), v.row(j) + n, v.row(pivot));
                singular_ = singular_ || !(std::abs(a_(j, j)) > 0);
                const double inverse = 1 / a_(j, j);
                for (index_t i = j + 1; i < n; ++i) {
                    const double f = a_(i, j) *= inverse;
                    axpy(-f, v.row(j) + j + 1, v.row(i) + j + 1, right - j - 1);
                }
            }
            if (right == n) break;
            for (index_t i = k + 1; i < right; ++i)
                for (index_t j = k; j < i; ++j) axpy(-a_(i, j), v.row(j) + right, v.row(i) + right, n - right);
            multiply(v.slice_rows(right, n - right).slice_cols(k, nb), v.slice_rows(k, nb).slice_cols(right, n - right),
                     v.slice_rows(right, n - right).slice_cols(right, n - right), into::add, -1.0);
        }
    }
    /// A pivot was exactly zero: solutions are not finite.
    bool singular() const { return singular_; }

    /// x <- A^-1 x.
    void solve(double* x) const {
        const index_t n = a_.rows();
        for (index_t i = 0; i < n; ++i) std::swap(x[i], x[row_[static_cast<std::size_t>(i)]]);
        for (index_t i = 0; i < n; ++i) x[i] -= dot(a_.view().row(i), x, i);
        for (index_t i = n - 1; i >= 0; --i) x[i] = (x[i] - dot(a_.view().row(i) + i + 1, x + i + 1, n - i - 1)) / a_(i, i);
    }
    /// x <- A^-T x.
    void solve_transposed(double* x) const {
        const index_t n = a_.rows();
        for (index_t i = 0; i < n; ++i) axpy(-(x[i] /= a_(i, i)), a_.view().row(i) + i + 1, x + i + 1, n - i - 1);
        for (index_t i = n - 1; i >= 0; --i) axpy(-x[i], a_.view().row(i), x, i);
        for (index_t i = n - 1; i >= 0; --i) std::swap(x[i], x[row_[static_cast<std::size_t>(i)]]);
    }

private:
    matrix<double> a_;
    std::vector<index_t> row_;
    bool singular_ = false;
};

}  // namespace hrm::detail
