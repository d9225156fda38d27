#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/matvec.hpp>
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
            // The panel is worked on by columns, in a copy turned over: they are long, its rows are short.
            matrix<double> turned(nb, n - k);
            for (index_t i = k; i < n; ++i)
                for (index_t j = k; j < right; ++j) turned(j - k, i - k) = a_(i, j);
            for (index_t j = 0; j < nb; ++j) {
                double* column = turned.view().row(j);
                index_t pivot = j;
                for (index_t i = j + 1; i < n - k; ++i)
                    if (std::abs(column[i]) > std::abs(column[pivot])) pivot = i;
                row_[static_cast<std::size_t>(k + j)] = k + pivot;
                if (pivot != j)
                    for (index_t c = 0; c < nb; ++c) std::swap(turned(c, j), turned(c, pivot));
                singular_ = singular_ || !(std::abs(column[j]) > 0);
                const double inverse = 1 / column[j];
                for (index_t i = j + 1; i < n - k; ++i) column[i] *= inverse;
                for (index_t c = j + 1; c < nb; ++c)
                    axpy(-turned(c, j), column + j + 1, turned.view().row(c) + j + 1, n - k - j - 1);
            }
            for (index_t j = k; j < right; ++j)
                if (const index_t pivot = row_[static_cast<std::size_t>(j)]; pivot != j) std::swap_ranges(v.row(j), v.row(j) + n, v.row(pivot));
            for (index_t i = k; i < n; ++i)
                for (index_t j = k; j < right; ++j) a_(i, j) = turned(j - k, i - k);
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
        double sum[step];
        for (index_t i = 0; i < n; ++i) std::swap(x[i], x[row_[static_cast<std::size_t>(i)]]);
        for (index_t k = 0; k < n; k += step) {
            const index_t rows = std::min(step, n - k);
            times_vector(a_.view().slice_rows(k, rows).slice_cols(0, k), x, sum);
            for (index_t i = k; i < k + rows; ++i) {
                x[i] -= sum[i - k];
                for (index_t j = k; j < i; ++j) x[i] -= a_(i, j) * x[j];
            }
        }
        for (index_t end = n; end > 0;) {
            const index_t k = std::max<index_t>(0, end - step);
            times_vector(a_.view().slice_rows(k, end - k).slice_cols(end, n - end), x + end, sum);
            for (index_t i = end - 1; i >= k; --i) {
                x[i] -= sum[i - k];
                for (index_t j = i + 1; j < end; ++j) x[i] -= a_(i, j) * x[j];
                x[i] /= a_(i, i);
            }
            end = k;
        }
    }
    /// x <- A^-T x.
    void solve_transposed(double* x) const {
        const index_t n = a_.rows();
        double minus[step];
        const auto pass_on = [&](index_t k, index_t rows, index_t from, index_t count) {
            for (index_t i = 0; i < rows; ++i) minus[i] = -x[k + i];
            add_transposed_times(a_.view().slice_rows(k, rows).slice_cols(from, count), minus, x + from);
        };
        for (index_t k = 0; k < n; k += step) {
            const index_t rows = std::min(step, n - k), end = k + rows;
            for (index_t i = k; i < end; ++i) {
                x[i] /= a_(i, i);
                for (index_t j = i + 1; j < end; ++j) x[j] -= x[i] * a_(i, j);
            }
            pass_on(k, rows, end, n - end);
        }
        for (index_t end = n; end > 0;) {
            const index_t k = std::max<index_t>(0, end - step);
            for (index_t i = end - 1; i >= k; --i)
                for (index_t j = k; j < i; ++j) x[j] -= x[i] * a_(i, j);
            pass_on(k, end - k, 0, k);
            end = k;
        }
        for (index_t i = n - 1; i >= 0; --i) std::swap(x[i], x[row_[static_cast<std::size_t>(i)]]);
    }

private:
    static constexpr index_t step = 8;  // unknowns solved for before the rest hears of them
    matrix<double> a_;
    std::vector<index_t> row_;
    bool singular_ = false;
};

}  // namespace hrm::detail
