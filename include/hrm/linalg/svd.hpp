#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/hessenberg.hpp>

namespace hrm {
namespace detail {

/// The singular values, descending, of the upper bidiagonal matrix with diagonal d and superdiagonal e (one shorter), to
/// eps of the largest: Golub & Kahan's implicit QR with the shift of the trailing 2 x 2 block.  O(n^2).
inline std::vector<double> bidiagonal_values(std::vector<double> d, std::vector<double> e) {
    const double eps = std::numeric_limits<double>::epsilon();
    const auto n = d.size();
    double norm = 0;
    for (double x : d) norm = std::max(norm, std::abs(x));
    for (double x : e) norm = std::max(norm, std::abs(x));
    const double tiny = eps * norm / 16;
    const auto rotation = [](double x, double y, double& c, double& s) {
        const double r = std::sqrt(x * x + y * y);
        c = r > 0 ? x / r : 1;
        s = r > 0 ? y / r : 0;
        return r;
    };
    for (double& x : d) x = norm > 0 ? x / norm : 0;
    for (double& x : e) x = norm > 0 ? x / norm : 0;
    const double floor = norm > 0 ? tiny / norm : 0;
    std::size_t steps = 0;
    for (std::size_t last = n; last > 1;) {
        if (++steps > 100 * n) throw numerical_error("hrm::bidiagonal_svd: the QR iteration did not converge");  // NaN, above all
        const auto negligible = [&](std::size_t k) {
            return std::abs(e[k]) <= floor || std::abs(e[k]) <= eps / 4 * std::sqrt(std::abs(d[k] * d[k + 1]));
        };
        if (negligible(last - 2)) {
            --last;
            continue;
        }
        std::size_t first = last - 2;
        while (first > 0 && !negligible(first - 1)) --first;
        // A vanishing diagonal entry: rotate its row's superdiagonal away to the right; then the block falls apart there.
        bool split = false;
        for (std::size_t k = first; k + 1 < last && !split; ++k)
            if (std::abs(d[k]) <= floor) {
                d[k] = 0;
                double f = e[k];
                e[k] = 0;
                for (std::size_t j = k + 1; j < last && f != 0; ++j) {
                    double c, s;
                    d[j] = rotation(d[j], f, c, s);
                    if (j + 1 < last) {
                        f = -s * e[j];
                        e[j] *= c;
                    }
                }
                split = true;
            }
        if (split) continue;
        double shift = 0;
        {  // of B^T B's trailing block, the eigenvalue nearer to its corner
            const double x = d[last - 2], y = d[last - 1], z = e[last - 2], w = last - 2 > first ? e[last - 3] : 0;
            const double a = x * x + w * w, b = x * z, c = y * y + z * z, half = (a - c) / 2;
            const double root = std::copysign(std::hypot(half, b), half);
            shift = half + root != 0 ? c - b * b / (half + root) : c;
        }
        double x = d[first] - shift / d[first], y = e[first], c, s;
        if (shift < eps * d[first] * d[first]) x = d[first];
        for (std::size_t k = first; k + 1 < last; ++k) {
            const double r = rotation(x, y, c, s);
            if (k > first) e[k - 1] = r;
            x = c * d[k] + s * e[k];
            e[k] = c * e[k] - s * d[k];
            y = s * d[k + 1];
            d[k + 1] *= c;
            d[k] = rotation(x, y, c, s);
            x = c * e[k] + s * d[k + 1];
            d[k + 1] = c * d[k + 1] - s * e[k];
            e[k] = x;
            if (k + 2 < last) {
                y = s * e[k + 1];
                e[k + 1] *= c;
            }
        }
    }
    for (double& x : d) x = norm * std::abs(x);
    std::sort(d.begin(), d.end(), std::greater<>());
    return d;
}

}  // namespace detail

/// All singular values of a matrix, and the vectors of the leading few:
///     bidiagonal_svd svd(k);   svd.sigma();   svd.vectors(r, u, v);     // k v_i = sigma_i u_i
/// k = Q B P^T with B bidiagonal, 32 columns at a time (Dongarra, Hammarling & Sorensen 1989), O(8/3 n^3), half of it
/// matrix times vector; then sigma by implicit QR and the vectors by inverse iteration on B, O(n r^2 + n^2 r).
/// Errors are eps sigma_1, as Golub & Kahan's: where small values must be accurate by themselves, take jacobi_svd.
class bidiagonal_svd {
public:
    /// k: m x n, m >= n.
    explicit bidiagonal_svd(matrix<double> k)
        : m_(k.rows()), n_(k.cols()), left_(n_, m_), right_(n_, n_), d_(static_cast<std::size_t>(n_)), e_(d_.size()),
          left_tau_(d_.size()), right_tau_(d_.size()) {
        require_shape("hrm::bidiagonal_svd", "the matrix", m_, n_, std::max(m_, n_), n_);
        for (index_t first = 0; first < n_;) first += reduce_panel(k.view(), first);
        sigma_ = detail::bidiagonal_values(d_, {e_.begin(), e_.end() - (n_ > 0)});
    }
    const std::vector<double>& sigma() const { return sigma_; }

    /// u: m x r, v: n x r, orthonormal columns. False where the vectors do not come out to rounding, because sigma_r is
    /// too near to nothing or the iteration failed.
    bool vectors(index_t r, matrix<double>& u, matrix<double>& v) const {
        matrix<double> ut(r, m_), vt(r, n_);  // row i: the vectors of sigma_i
        random_stream random(1);
        bool good = true;
        for (index_t i = 0; i < r; ++i) good = iterate(i, ut, vt, random) && good;
        for (index_t i = 0; i < r; ++i)
            for (index_t j = n_ - 1; j >= 0; --j) {
                const auto reflect = [&](const matrix<double>& by, double tau, index_t from, double* x, index_t length) {
                    const double* h = by.view().row(j) + from;
                    axpy(-tau * dot(h, x + from, length - from), h, x + from, length - from);
                };
                reflect(left_, left_tau_[static_cast<std::size_t>(j)], j, ut.view().row(i), m_);
                if (j + 1 < n_) reflect(right_, right_tau_[static_cast<std::size_t>(j)], j + 1, vt.view().row(i), n_);
            }
        const auto turned = [](const matrix<double>& x) {
            matrix<double> y(x.cols(), x.rows());
            for (index_t i = 0; i < x.rows(); ++i)
                for (index_t j = 0; j < x.cols(); ++j) y(j, i) = x(i, j);
            return y;
        };
        u = turned(ut);
        v = turned(vt);
        return good;
    }

private:
    // Reduces columns and rows [first, first + nb). What the panel does to the rest is A - V Y^T - X W^T: v, w its
    // reflectors from the left and the right, kept as rows; with both known so far, column i and row i of the rest follow.
    index_t reduce_panel(matrix_view<double> a, index_t first) {
        const index_t nb = std::min<index_t>(24, n_ - first);
        const auto rest = [&](index_t from, matrix<double>& z) { return z.view().slice_cols(from, z.cols() - from); };
        matrix<double> y(nb, n_), x(nb, m_);  // rows: the columns of Y and X
        std::vector<double> v(static_cast<std::size_t>(m_)), w(static_cast<std::size_t>(n_));
        for (index_t i = 0; i < nb; ++i) {
            const index_t j = first + i, rows = m_ - j, cols = n_ - j - 1;
            const auto at = static_cast<std::size_t>(j);
            double *hv = left_.view().row(j), *hw = right_.view().row(j), *yi = y.view().row(i), *xi = x.view().row(i);
            for (index_t q = j; q < m_; ++q) hv[q] = a(q, j);
            for (index_t c = 0; c < i; ++c) {
                axpy(-y(c, j), left_.view().row(first + c) + j, hv + j, rows);
                axpy(-right_(first + c, j), x.view().row(c) + j, hv + j, rows);
            }
            left_tau_[at] = detail::make_reflector(hv + j, rows);
            d_[at] = hv[j];
            hv[j] = 1;
            if (cols == 0) break;
            const index_t from = j + 1;
            std::fill(yi + from, yi + n_, 0.0);
            index_t q = j;
            for (; q + 4 <= m_; q += 4) {
                const double *r0 = a.row(q) + from, *r1 = a.row(q + 1) + from, *r2 = a.row(q + 2) + from, *r3 = a.row(q + 3) + from;
                const double h0 = hv[q], h1 = hv[q + 1], h2 = hv[q + 2], h3 = hv[q + 3];
                double* to = yi + from;
                for (index_t c = 0; c < cols; ++c) to[c] += h0 * r0[c] + h1 * r1[c] + (h2 * r2[c] + h3 * r3[c]);
            }
            for (; q < m_; ++q) axpy(hv[q], a.row(q) + from, yi + from, cols);
            for (index_t c = 0; c < i; ++c) {
                axpy(-dot(left_.view().row(first + c) + j, hv + j, rows), y.view().row(c) + from, yi + from, cols);
                axpy(-dot(x.view().row(c) + j, hv + j, rows), right_.view().row(first + c) + from, yi + from, cols);
            }
            for (index_t c = from; c < n_; ++c) yi[c] *= left_tau_[at];
            for (index_t c = from; c < n_; ++c) hw[c] = a(j, c);
            for (index_t c = 0; c <= i; ++c) axpy(-left_(first + c, j), y.view().row(c) + from, hw + from, cols);
            for (index_t c = 0; c < i; ++c) axpy(-x(c, j), right_.view().row(first + c) + from, hw + from, cols);
            right_tau_[at] = detail::make_reflector(hw + from, cols);
            e_[at] = hw[from];
            hw[from] = 1;
            for (index_t r = from; r < m_; ++r) xi[r] = dot(a.row(r) + from, hw + from, cols);
            for (index_t c = 0; c <= i; ++c)
                axpy(-dot(y.view().row(c) + from, hw + from, cols), left_.view().row(first + c) + from, xi + from, m_ - from);
            for (index_t c = 0; c < i; ++c)
                axpy(-dot(right_.view().row(first + c) + from, hw + from, cols), x.view().row(c) + from, xi + from, m_ - from);
            for (index_t r = from; r < m_; ++r) xi[r] *= right_tau_[at];
        }
        const index_t next = first + nb;
        if (next < n_) {
            auto below = a.slice_rows(next, m_ - next).slice_cols(next, n_ - next);
            multiply(transposed(rest(next, left_).slice_rows(first, nb)), rest(next, y), below, into::add, -1.0);
            multiply(transposed(rest(next, x)), rest(next, right_).slice_rows(first, nb), below, into::add, -1.0);
        }
        return nb;
    }

    // Inverse iteration on the Golub-Kahan matrix [0 B^T; B 0], which in the order v_1 u_1 v_2 u_2 .. is tridiagonal with a
    // zero diagonal and d_1 e_1 d_2 .. beside it. u and v are kept orthogonal to the earlier ones apart from each other.
    bool iterate(index_t index, matrix<double>& ut, matrix<double>& vt, random_stream& random) const {
        const double eps = std::numeric_limits<double>::epsilon(), sigma = sigma_[static_cast<std::size_t>(index)];
        const auto size = static_cast<std::size_t>(2 * n_);
        const auto beside = [&](std::size_t i) { return i % 2 == 0 ? d_[i / 2] : e_[i / 2]; };
        // T - sigma = P L U: two superdiagonals in U.
        std::vector<double> diagonal(size, -sigma), above(size), second(size), factor(size), x(size);
        std::vector<bool> swapped(size);
        for (std::size_t i = 0; i + 1 < size; ++i) above[i] = beside(i);
        const double least = eps * sigma_[0];
        for (std::size_t i = 0; i + 1 < size; ++i) {
            const double low = beside(i);
            double next = above[i + 1];
            if (std::abs(low) > std::abs(diagonal[i])) {
                swapped[i] = true;
                factor[i] = diagonal[i] / low;
                diagonal[i] = low;
                const double old = above[i];
                above[i] = diagonal[i + 1];
                diagonal[i + 1] = old - factor[i] * above[i];
                second[i] = next;
                above[i + 1] = -factor[i] * next;
            } else {
                if (std::abs(diagonal[i]) < least) diagonal[i] = least;
                factor[i] = low / diagonal[i];
                diagonal[i + 1] -= factor[i] * above[i];
            }
        }
        if (std::abs(diagonal[size - 1]) < least) diagonal[size - 1] = least;
        random.fill_normal(std::span<double>(x));
        double *u = ut.view().row(index), *v = vt.view().row(index);
        for (int pass = 0; pass < 4; ++pass) {
            if (pass > 0)
                for (std::size_t i = 0; i + 1 < size; ++i) {
                    if (swapped[i]) std::swap(x[i], x[i + 1]);
                    x[i + 1] -= factor[i] * x[i];
                }
            for (std::size_t i = size; i-- > 0;) {
                if (i + 1 < size) x[i] -= above[i] * x[i + 1];
                if (i + 2 < size) x[i] -= second[i] * x[i + 2];
                x[i] /= diagonal[i];
            }
            double largest = 0;
            for (double value : x) largest = std::max(largest, std::abs(value));
            for (index_t i = 0; i < n_; ++i) {
                v[i] = x[static_cast<std::size_t>(2 * i)] / largest;
                u[i] = x[static_cast<std::size_t>(2 * i + 1)] / largest;
            }
            for (auto [rows, own] : {std::pair{&ut, u}, std::pair{&vt, v}}) {
                for (index_t j = 0; j < index; ++j) axpy(-dot(rows->view().row(j), own, n_), rows->view().row(j), own, n_);
                const double norm = std::sqrt(dot(own, own, n_));
                for (index_t i = 0; i < n_; ++i) own[i] /= norm;
            }
            for (index_t i = 0; i < n_; ++i) {
                x[static_cast<std::size_t>(2 * i)] = v[i];
                x[static_cast<std::size_t>(2 * i + 1)] = u[i];
            }
            if (pass == 0) continue;
            double worst = 0;  // B v - sigma u,  B^T u - sigma v
            for (index_t i = 0; i < n_; ++i) {
                const auto k = static_cast<std::size_t>(i);
                const double bv = d_[k] * v[i] + (i + 1 < n_ ? e_[k] * v[i + 1] : 0);
                const double bu = d_[k] * u[i] + (i > 0 ? e_[k - 1] * u[i - 1] : 0);
                worst = std::max({worst, std::abs(bv - sigma * u[i]), std::abs(bu - sigma * v[i])});
            }
            if (worst <= 32 * eps * sigma_[0]) return true;
        }
        return false;
    }

    index_t m_, n_;
    matrix<double> left_, right_;  // row j: the reflector of column j, of row j
    std::vector<double> d_, e_, left_tau_, right_tau_, sigma_;
};

}  // namespace hrm
