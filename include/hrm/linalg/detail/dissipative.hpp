#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <hrm/linalg/detail/lu.hpp>
#include <hrm/linalg/detail/schur.hpp>

// A bound of what (i w - A)^-1 does, without a Schur form. Where M = -(A + A^T)/2 is positive definite, x = (i w - A)^-1 r has
//     Re x^* r = Re x^* (i w - A) x = x^* M x,    so that    |M^1/2 x| <= |M^-1/2 r|,    |C x| <= |M^-1/2 C^T| |M^-1/2 r|
// at every frequency, and A is stable. One Cholesky factorisation proves it. M depends on the units of the states.

namespace hrm::detail {

/// In the units d, A' = D^-1 A D:  -(A' + A'^T)/2 >= U^T U + depth I.
class dissipation {
public:
    /// Tries the given units and those that balance A, or of a Metzler A the y_i / x_i of  A x = -1, A^T y = -1,  in the square of
    /// which every stable one is dissipative; `wanted` first, then a thousandth, for the depth. Nothing where all fail, as they do
    /// for most A that are far from normal.  a: n x n, finite;  inverse: of it.  O(n^3/3) each.
    static std::optional<dissipation> find(const matrix<double>& a, const lu& inverse, double wanted) {
        if (is_metzler(a)) return in_units(a, metzler_units(a.rows(), inverse), wanted);
        return given_or_balanced(a, wanted);
    }
    /// Whether find would find one of at least a billionth of the mean size of a state's own decay, if A is stable. O(n^3/3) where it would,
    /// and less where not.
    static bool likely(const matrix<double>& a) {
        double trace = 0;
        for (index_t i = 0; i < a.rows(); ++i) trace -= a(i, i);
        return is_metzler(a) || given_or_balanced(a, 1e-6 * trace / static_cast<double>(a.rows()));
    }
    double depth() const { return depth_; }
    const buffer<double>& units() const { return units_; }

    /// x <- U^-T x, whose columns are at least as long as those of M^-1/2 x.  x: n x k, in the units.  O(n^2 k).
    void solve(matrix_view<double> x) const {
        const index_t n = u_.rows();
        for (index_t k = 0; k < n; k += panel) {
            const index_t nb = std::min(panel, n - k), right = k + nb;
            substitute(k, nb, x.slice_rows(k, nb));
            if (right < n)
                multiply(transposed(u_.view().slice_rows(k, nb).slice_cols(right, n - right)), x.slice_rows(k, nb), x.slice_rows(right, n - right), into::add, -1.0);
        }
    }

private:
    static constexpr index_t panel = 32;

    explicit dissipation(buffer<double> units) : units_(std::move(units)) {}

    static bool is_metzler(const matrix<double>& a) {
        for (index_t i = 0; i < a.rows(); ++i) {
            if (!(a(i, i) < 0)) return false;
            for (index_t j = 0; j < a.cols(); ++j)
                if (j != i && !(a(i, j) >= 0)) return false;
        }
        return true;
    }
    static std::optional<dissipation> given_or_balanced(const matrix<double>& a, double wanted) {
        if (auto given = in_units(a, buffer<double>(static_cast<std::size_t>(a.rows()), 1.0), wanted)) return given;
        auto balanced = a;
        const auto d = balance_scales(balanced);
        if (std::all_of(d.begin(), d.end(), [&](double x) { return x == d[0]; })) return {};
        return in_units(a, d, wanted);
    }
    static buffer<double> metzler_units(index_t n, const lu& inverse) {
        buffer<double> x(static_cast<std::size_t>(n), -1.0), y = x;
        inverse.solve(x.data());
        inverse.solve_transposed(y.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (!(x[i] > 0 && y[i] > 0)) return {};
            x[i] = std::sqrt(x[i]) / std::sqrt(y[i]);
        }
        return x;
    }
    static std::optional<dissipation> in_units(const matrix<double>& a, buffer<double> d, double wanted) {
        for (const double x : d)
            if (!(x > 0 && std::isfinite(1 / x))) return {};
        if (d.empty()) return {};
        for (const double depth : {wanted, wanted / 1000}) {
            dissipation out(d);
            if (out.factor(a, depth)) return out;
        }
        return {};
    }
    /// The pivots are those of M - depth I + H,  |H| <= (n + 2) eps trace M + 4 eps |A'|_F  (Higham, Accuracy and Stability, 10.1).
    bool factor(const matrix<double>& a, double depth) {
        const index_t n = a.rows();
        const double eps = std::numeric_limits<double>::epsilon();
        u_ = matrix<double>(n, n);
        double trace = 0, square = 0;
        constexpr index_t tile = 32;
        for (index_t p = 0; p < n; p += tile)
            for (index_t q = p; q < n; q += tile)
                for (index_t i = p; i < std::min(n, p + tile); ++i)
                    for (index_t j = std::max(i, q); j < std::min(n, q + tile); ++j) {
                        const double f = units_[static_cast<std::size_t>(j)] / units_[static_cast<std::size_t>(i)], x = a(i, j) * f, y = a(j, i) / f;
                        u_(i, j) = -(x + y) / 2;
                        square += i == j ? x * x : x * x + y * y;
                    }
        for (index_t i = 0; i < n; ++i) {
            if (!(u_(i, i) > depth)) return false;
            trace += u_(i, i);
            u_(i, i) -= depth;
        }
        depth_ = depth - eps * ((static_cast<double>(n) + 2) * trace + 4 * std::sqrt(square));
        if (!(depth_ > depth / 2)) return false;
        const auto u = u_.view();
        for (index_t k = 0; k < n; k += panel) {
            const index_t nb = std::min(panel, n - k), right = k + nb;
            for (index_t i = k; i < right; ++i) {
                for (index_t h = k; h < i; ++h) axpy(-u(h, i), u.row(h) + i, u.row(i) + i, right - i);
                if (!(u(i, i) > 0)) return false;
                const double root = std::sqrt(u(i, i));
                u(i, i) = root;
                for (index_t j = i + 1; j < right; ++j) u(i, j) /= root;
            }
            constexpr index_t stretch = 96;
            for (index_t j = right; j < n; j += stretch) substitute(k, nb, u.slice_rows(k, nb).slice_cols(j, std::min(stretch, n - j)));
            for (index_t j = right; j < n; j += stretch) {
                const index_t cols = std::min(stretch, n - j), rows = j + cols - right;
                multiply(transposed(u.slice_rows(k, nb).slice_cols(right, rows)), u.slice_rows(k, nb).slice_cols(j, cols),
                         u.slice_rows(right, rows).slice_cols(j, cols), into::add, -1.0);
            }
        }
        return true;
    }
    /// x <- U_kk^-T x.
    void substitute(index_t k, index_t nb, matrix_view<double> x) const {
        for (index_t i = 0; i < nb; ++i) {
            double* row = x.row(i);
            for (index_t h = 0; h < i; ++h) axpy(-u_(k + h, k + i), x.row(h), row, x.cols);
            const double by = 1 / u_(k + i, k + i);
            for (index_t j = 0; j < x.cols; ++j) row[j] *= by;
        }
    }

    buffer<double> units_;
    matrix<double> u_;  // its upper triangle is read
    double depth_ = 0;
};

}  // namespace hrm::detail
