#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/linalg/detail/bidiagonal_vectors.hpp>
#include <hrm/linalg/detail/hessenberg.hpp>
#include <hrm/linalg/detail/quotient_difference.hpp>
#include <hrm/linalg/simd.hpp>

namespace hrm {

/// All singular values of a matrix, and the vectors of the leading few:
///     bidiagonal_svd svd(k);   svd.sigma();   svd.vectors(r, u, v);     // k v_i = sigma_i u_i
/// k = Q B P^T with B bidiagonal, 32 columns at a time (Dongarra, Hammarling & Sorensen 1989), O(8/3 n^3), half of it
/// matrix times vector; then sigma by quotients and differences and the vectors by inverse iteration on B, O(n r^2 + n^2 r).
/// Errors are eps sigma_1, as Golub & Kahan's: where small values must be accurate by themselves, take jacobi_svd.
class bidiagonal_svd {
public:
    /// k: m x n, m >= n.
    explicit bidiagonal_svd(matrix<double> k)
        : m_(k.rows()), n_(k.cols()), left_(n_, m_), right_(n_, n_), d_(static_cast<std::size_t>(n_)), e_(d_.size()),
          left_tau_(d_.size()), right_tau_(d_.size()) {
        require_shape("hrm::bidiagonal_svd", "the matrix", m_, n_, std::max(m_, n_), n_);
        if (m_ * n_ <= detail::in_cache) reduce_in_cache(k);
        else
            for (index_t first = 0; first < n_;) first += reduce_panel(k.view(), first);
        sigma_ = detail::bidiagonal_values(d_, {e_.begin(), e_.end() - (n_ > 0)});
    }
    const std::vector<double>& sigma() const { return sigma_; }

    /// u: m x r, v: n x r, orthonormal columns. False where the vectors do not come out to rounding, because sigma_r is
    /// too near to nothing or the iteration failed.
    bool vectors(index_t r, matrix<double>& u, matrix<double>& v) const {
        matrix<double> ut(r, n_), vt(r, n_);
        if (r > 0 && !detail::bidiagonal_vectors(d_, e_, sigma_, ut, vt)) return false;
        u = back(ut, left_, left_tau_, 0);
        v = back(vt, right_, right_tau_, 1);
        return true;
    }

private:
    // H_0 H_1 .. x for the columns x that are the given rows, the reflections from the last. Reflection j is about row j of h and
    // the states from j + shift on.
    matrix<double> back(const matrix<double>& rows, const matrix<double>& h, const std::vector<double>& tau, index_t shift) const {
        return rows.rows() > 2 * simd::lanes<double> ? back_together(rows, h, tau, shift) : back_in_registers(rows, h, tau, shift);
    }
    // Many: 32 reflections at a time,  I - V T V^T  with T upper triangular (Schreiber & Van Loan 1989).
    matrix<double> back_together(const matrix<double>& rows, const matrix<double>& h, const std::vector<double>& tau, index_t shift) const {
        constexpr index_t some = 32;
        const index_t r = rows.rows(), n = h.cols();
        matrix<double> x(r, n), along(r, some), turned(r, some), t(some, some), inner(some, some);
        for (index_t i = 0; i < r; ++i) std::copy_n(rows.view().row(i), n_, x.view().row(i));
        for (index_t first = (n_ - 1 - shift) / some * some; first >= 0 && n_ > shift; first -= some) {
            const index_t count = std::min(some, n_ - shift - first), from = first + shift;
            const auto v = h.view().slice_rows(first, count).slice_cols(from, n - from);
            const auto own = [count](matrix<double>& z) { return z.view().slice_cols(0, count); };
            multiply(v, transposed(v), own(inner).slice_rows(0, count));
            for (index_t j = 0; j < count; ++j) {
                const double f = tau[static_cast<std::size_t>(first + j)];
                t(j, j) = f;
                for (index_t i = 0; i < j; ++i) {
                    double sum = 0;
                    for (index_t l = i; l < j; ++l) sum += t(i, l) * inner(l, j);
                    t(i, j) = -f * sum;
                    t(j, i) = 0;
                }
            }
            multiply(x.view().slice_cols(from, n - from), transposed(v), own(along));
            multiply(own(along), transposed(own(t).slice_rows(0, count)), own(turned));
            multiply(own(turned), v, x.view().slice_cols(from, n - from), into::add, -1.0);
        }
        return detail::transpose(x);
    }
    // Few: a register's worth of columns at a time.
    matrix<double> back_in_registers(const matrix<double>& rows, const matrix<double>& h, const std::vector<double>& tau, index_t shift) const {
        using pack = simd::pack<double>;
        constexpr index_t W = simd::lanes<double>;
        const index_t r = rows.rows(), n = h.cols();
        matrix<double> out(n, r), x(n, W);
        for (index_t first = 0; first < r; first += W) {
            const index_t live = std::min(W, r - first);
            std::fill(x.flat().begin(), x.flat().end(), 0.0);
            for (index_t l = 0; l < live; ++l)
                for (index_t i = 0; i < n_; ++i) x(i, l) = rows(first + l, i);
            for (index_t j = n_ - 1 - shift; j >= 0; --j) {
                const double* v = h.view().row(j);
                pack even = {}, odd = {}, value;
                index_t i = j + shift;
                for (; i + 2 <= n; i += 2) {
                    simd::load<double>(value, x.view().row(i));
                    even += v[i] * value;
                    simd::load<double>(value, x.view().row(i + 1));
                    odd += v[i + 1] * value;
                }
                if (i < n) {
                    simd::load<double>(value, x.view().row(i));
                    even += v[i] * value;
                }
                even = tau[static_cast<std::size_t>(j)] * (even + odd);
                for (i = j + shift; i < n; ++i) {
                    simd::load<double>(value, x.view().row(i));
                    value -= v[i] * even;
                    simd::store<double>(x.view().row(i), value);
                }
            }
            for (index_t i = 0; i < n; ++i)
                for (index_t l = 0; l < live; ++l) out(i, first + l) = x(i, l);
        }
        return out;
    }

    // What stays in the second cache is reduced a column at a time: the update that a step asks for, A - u y^T - x w^T, is done
    // by the next one in the pass that multiplies by its reflector v,  A^T v. So A is read twice and written once a step.
    void reduce_in_cache(const matrix<double>& k) {
        using pack = simd::pack<double>;
        constexpr index_t W = simd::lanes<double>, group = 4;
        const auto whole = [](index_t n, index_t of) { return (n + of - 1) / of * of; };
        const index_t width = whole(n_, W), height = whole(m_, std::max(W, group));
        matrix<double> a(height, width);  // filled up with zeros, so that loops have no ends
        for (index_t i = 0; i < m_; ++i) std::copy_n(k.view().row(i), n_, a.view().row(i));
        matrix<double> tall(3, height), wide(3, width);
        double *u = tall.view().row(0), *v = tall.view().row(1), *x = tall.view().row(2);
        double *y = wide.view().row(0), *next = wide.view().row(1), *w = wide.view().row(2);
        for (index_t j = 0; j < n_; ++j) {
            const auto at = static_cast<std::size_t>(j);
            const index_t from = j + 1, first_col = from / W * W, first_row = j / group * group;
            std::fill(v, v + j, 0.0);
            for (index_t r = j; r < m_; ++r) v[r] = a(r, j) - u[r] * y[j] - x[r] * w[j];
            left_tau_[at] = detail::make_reflector(v + j, m_ - j);
            d_[at] = v[j];
            v[j] = 1;
            std::copy(v + j, v + m_, left_.view().row(j) + j);
            if (from == n_) break;
            std::fill(next + first_col, next + width, 0.0);
            for (index_t r = first_row; r < m_; r += group) {
                double* const row = a.view().row(r);
                for (index_t c = first_col; c < width; c += W) {
                    pack yc, wc, sum, value;
                    simd::load<double>(yc, y + c);
                    simd::load<double>(wc, w + c);
                    simd::load<double>(sum, next + c);
#pragma GCC unroll 4
                    for (index_t q = 0; q < group; ++q) {
                        simd::load<double>(value, row + q * width + c);
                        value -= u[r + q] * yc;
                        value -= x[r + q] * wc;
                        simd::store<double>(row + q * width + c, value);
                        sum += v[r + q] * value;
                    }
                    simd::store<double>(next + c, sum);
                }
            }
            for (index_t c = first_col; c < width; ++c) next[c] *= left_tau_[at];
            for (index_t c = from; c < n_; ++c) w[c] = a(j, c) - next[c];
            std::fill(w + first_col, w + from, 0.0);
            right_tau_[at] = detail::make_reflector(w + from, n_ - from);
            e_[at] = w[from];
            w[from] = 1;
            std::copy(w + from, w + n_, right_.view().row(j) + from);
            // A w with A - v next^T for A.
            const index_t rows_from = from / W * W;
            detail::times_vector(a.view().slice_rows(rows_from, height - rows_from).slice_cols(first_col, width - first_col), w + first_col,
                                 x + rows_from);
            const double along = dot(next + first_col, w + first_col, width - first_col), tau = right_tau_[at];
            for (index_t r = rows_from; r < height; ++r) x[r] = tau * (x[r] - along * v[r]);
            std::swap(u, v);
            std::swap(y, next);
        }
    }

    // Reduces columns and rows [first, first + nb). What the panel does to the rest is A - V Y^T - X W^T: v, w its
    // reflectors from the left and the right, kept as rows; with both known so far, column i and row i of the rest follow.
    index_t reduce_panel(matrix_view<double> a, index_t first) {
        const index_t nb = std::min<index_t>(24, n_ - first);
        const auto rest = [&](index_t from, matrix<double>& z) { return z.view().slice_cols(from, z.cols() - from); };
        matrix<double> y(nb, n_), x(nb, m_);  // rows: the columns of Y and X
        std::vector<double> by_left(static_cast<std::size_t>(nb)), by_right(by_left.size());
        for (index_t i = 0; i < nb; ++i) {
            const index_t j = first + i, rows = m_ - j, cols = n_ - j - 1, from = j + 1;
            const auto at = static_cast<std::size_t>(j);
            double *hv = left_.view().row(j), *hw = right_.view().row(j), *yi = y.view().row(i), *xi = x.view().row(i);
            // to -= from_left^T by_left + from_right^T by_right
            const auto subtract = [&](matrix_view<const double> from_left, matrix_view<const double> from_right, double* to) {
                for (double& f : by_left) f = -f;
                for (double& f : by_right) f = -f;
                detail::add_transposed_times(from_left, by_left.data(), to);
                detail::add_transposed_times(from_right, by_right.data(), to);
            };
            const auto part = [](matrix_view<const double> z, index_t row, index_t count, index_t col) {
                return z.slice_rows(row, count).slice_cols(col, z.cols - col);
            };
            for (index_t q = j; q < m_; ++q) hv[q] = a(q, j);
            for (index_t c = 0; c < i; ++c) {
                by_left[static_cast<std::size_t>(c)] = y(c, j);
                by_right[static_cast<std::size_t>(c)] = right_(first + c, j);
            }
            subtract(part(left_, first, i, j), part(x, 0, i, j), hv + j);
            left_tau_[at] = detail::make_reflector(hv + j, rows);
            d_[at] = hv[j];
            hv[j] = 1;
            if (cols == 0) break;
            std::fill(yi + from, yi + n_, 0.0);
            detail::add_transposed_times(part(a, j, rows, from), hv + j, yi + from);
            detail::times_vector(part(left_, first, i, j), hv + j, by_left.data());
            detail::times_vector(part(x, 0, i, j), hv + j, by_right.data());
            subtract(part(y, 0, i, from), part(right_, first, i, from), yi + from);
            for (index_t c = from; c < n_; ++c) yi[c] *= left_tau_[at];
            for (index_t c = from; c < n_; ++c) hw[c] = a(j, c);
            for (index_t c = 0; c < i; ++c) {
                by_left[static_cast<std::size_t>(c)] = left_(first + c, j);
                by_right[static_cast<std::size_t>(c)] = x(c, j);
            }
            by_left[static_cast<std::size_t>(i)] = 1;
            subtract(part(y, 0, i + 1, from), part(right_, first, i, from), hw + from);
            right_tau_[at] = detail::make_reflector(hw + from, cols);
            e_[at] = hw[from];
            hw[from] = 1;
            detail::times_vector(part(a, from, m_ - from, from), hw + from, xi + from);
            detail::times_vector(part(y, 0, i + 1, from), hw + from, by_left.data());
            detail::times_vector(part(right_, first, i, from), hw + from, by_right.data());
            subtract(part(left_, first, i + 1, from), part(x, 0, i, from), xi + from);
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

    index_t m_, n_;
    matrix<double> left_, right_;  // row j: the reflector of column j, of row j
    std::vector<double> d_, e_, left_tau_, right_tau_, sigma_;
};

}  // namespace hrm
