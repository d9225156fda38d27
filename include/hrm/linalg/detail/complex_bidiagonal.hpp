#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/linalg/detail/bidiagonal_vectors.hpp>
#include <hrm/linalg/detail/quotient_difference.hpp>
#include <hrm/linalg/detail/schur.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm::detail {

/// As bidiagonal_svd, of a complex matrix. Reflections leave a complex bidiagonal matrix, whose phases are a diagonal matrix on
/// either side: what remains is real. Real and imaginary parts lie apart, a row's after each other, so that loops vectorise; a
/// column at a time, 8/3 n^3 products of complex numbers.
class complex_bidiagonal_svd {
public:
    /// k: m x n, m >= n.
    explicit complex_bidiagonal_svd(const complex_matrix& k)
        : m_(k.rows()), n_(k.cols()), left_(n_, 2 * m_), right_(n_, 2 * n_), d_(static_cast<std::size_t>(n_)), e_(d_.size()), l_(d_.size()), r_(d_.size(), 1.0) {
        require_shape("hrm::complex_bidiagonal_svd", "the matrix", m_, n_, std::max(m_, n_), n_);
        matrix<double> a(m_, 2 * n_), sums(1, 2 * n_);
        for (index_t i = 0; i < m_; ++i)
            for (index_t j = 0; j < n_; ++j) a(i, j) = k(i, j).real(), a(i, n_ + j) = k(i, j).imag();
        for (index_t j = 0; j < n_; ++j) {
            const auto at = static_cast<std::size_t>(j);
            const index_t from = j + 1, rest = n_ - from;
            const auto v = row(left_, m_, j, j), u = row(right_, n_, j, from), sum = row(sums, n_, 0, 0);
            for (index_t i = j; i < m_; ++i) v.re[i - j] = a(i, j), v.im[i - j] = a(i, n_ + j);
            const complex d = reflect(v, m_ - j);
            l_[at] = phase(times(d, r_[at]));  // d = l |d| conj r, e = l |e| conj r of the next column
            d_[at] = std::abs(d);
            if (rest == 0) break;
            std::fill(sums.flat().begin(), sums.flat().end(), 0.0);
            for (index_t i = j; i < m_; ++i) add({v.re[i - j], -v.im[i - j]}, row(a, n_, i, from), sum, rest);
            for (index_t i = j; i < m_; ++i) add({-v.re[i - j], -v.im[i - j]}, sum, row(a, n_, i, from), rest);
            const auto first = row(a, n_, j, from);
            std::copy_n(first.re, rest, u.re);
            std::copy_n(first.im, rest, u.im);
            const complex e = reflect(u, rest);
            r_[at + 1] = phase(conj_times(e, l_[at]));
            e_[at] = std::abs(e);
            for (index_t i = from; i < m_; ++i) add(-inner(u, row(a, n_, i, from), rest), u, row(a, n_, i, from), rest);
            for (index_t i = 0; i < rest; ++i) u.im[i] = -u.im[i];  // from the right it is conj u
        }
        sigma_ = bidiagonal_values(d_, {e_.begin(), e_.end() - (n_ > 0)});
    }
    const std::vector<double>& sigma() const { return sigma_; }

    /// u: m x r, v: n x r, orthonormal columns; false as there.
    bool vectors(index_t r, complex_matrix& u, complex_matrix& v) const {
        matrix<double> ut(r, n_), vt(r, n_);
        if (r > 0 && !bidiagonal_vectors(d_, e_, sigma_, ut, vt)) return false;
        u = back(ut, left_, m_, l_, 0);
        v = back(vt, right_, n_, r_, 1);
        return true;
    }

private:
    struct const_row {
        const double *re, *im;
    };
    struct split_row {
        double *re, *im;
        operator const_row() const { return {re, im}; }
    };
    /// Row i from that place on; width: how many numbers it has.
    static split_row row(matrix<double>& x, index_t width, index_t i, index_t from) { return {x.view().row(i) + from, x.view().row(i) + width + from}; }
    /// sum_i conj(x_i) y_i, and y += a x.
    static complex inner(const_row x, const_row y, index_t n) {
        return {dot(x.re, y.re, n) + dot(x.im, y.im, n), dot(x.re, y.im, n) - dot(x.im, y.re, n)};
    }
    static void add(complex a, const_row x, split_row y, index_t n) {
        const double re = a.real(), im = a.imag();
        const double *__restrict xr = x.re, *__restrict xi = x.im;
        double *__restrict yr = y.re, *__restrict yi = y.im;
        for (index_t i = 0; i < n; ++i) {
            yr[i] += re * xr[i] - im * xi[i];
            yi[i] += re * xi[i] + im * xr[i];
        }
    }
    /// x becomes v of length sqrt 2, or 0:  (I - v v^H) x = its first entry, which is returned.
    static complex reflect(split_row x, index_t n) {
        const double square = dot(x.re, x.re, n) + dot(x.im, x.im, n);
        if (square < 1e-280) {  // squares have lost digits: in a unit of its own, which a reflection does not know
            double largest = 0;
            for (index_t i = 0; i < n; ++i) largest = std::max({largest, std::abs(x.re[i]), std::abs(x.im[i])});
            if (largest == 0) return 0;
            const double unit = std::ldexp(1.0, std::max(-1000, std::ilogb(largest)));
            for (index_t i = 0; i < n; ++i) x.re[i] /= unit, x.im[i] /= unit;
            return unit * reflect(x, n);
        }
        const double length = std::sqrt(square);
        const complex head{x.re[0], x.im[0]}, turned = phase(head) * length;
        x.re[0] += turned.real();
        x.im[0] += turned.imag();
        const double weight = 1 / std::sqrt(length * (length + std::abs(head)));
        for (index_t i = 0; i < n; ++i) x.re[i] *= weight, x.im[i] *= weight;
        return -turned;
    }
    /// H_0 H_1 .. D x for the real columns x that are the given rows, the reflections from the last; H_j is about row j of h and
    /// the places from j + shift on.
    complex_matrix back(const matrix<double>& rows, const matrix<double>& h, index_t width, const std::vector<complex>& phases, index_t shift) const {
        complex_matrix out(width, rows.rows());
        matrix<double> x(1, 2 * width);
        for (index_t k = 0; k < rows.rows(); ++k) {
            std::fill(x.flat().begin(), x.flat().end(), 0.0);
            for (index_t i = 0; i < n_; ++i) {
                const complex value = phases[static_cast<std::size_t>(i)] * rows(k, i);
                x(0, i) = value.real(), x(0, width + i) = value.imag();
            }
            for (index_t j = n_ - 1 - shift; j >= 0; --j) {
                const index_t from = j + shift, n = width - from;
                const split_row y{x.data() + from, x.data() + width + from};
                const const_row v{h.view().row(j) + from, h.view().row(j) + width + from};
                add(-inner(v, y, n), v, y, n);
            }
            for (index_t i = 0; i < width; ++i) out(i, k) = {x(0, i), x(0, width + i)};
        }
        return out;
    }

    index_t m_, n_;
    matrix<double> left_, right_;  // row j: the reflector of column j, of row j
    std::vector<double> d_, e_;
    std::vector<complex> l_, r_;
    std::vector<double> sigma_;
};

}  // namespace hrm::detail
