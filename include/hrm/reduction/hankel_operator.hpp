#pragma once

#include <algorithm>
#include <complex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/fourier/plan.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {
namespace detail {

/// x: blocks of `in` rows, y: of `out` rows, as many columns. Throws shape_error, or gives how many blocks y has.
template <class X, class Y>
index_t check_blocks(const X& x, index_t in, const Y& y, index_t out) {
    const index_t cols = in > 0 ? x.rows / in : 0, rows = out > 0 ? y.rows / out : 0;
    require_shape("hrm::block_hankel_operator", "x", x.rows, x.cols, cols * in, y.cols);
    require_shape("hrm::block_hankel_operator", "y", y.rows, y.cols, rows * out, y.cols);
    return rows;
}

}  // namespace detail

/// T: double or complex.
template <class T>
class block_hankel_operator_of;
using block_hankel_operator = block_hankel_operator_of<double>;

/// Products with the block Hankel matrix  H_ij = h_{first + i + j}  of Markov parameters h_0 .. h_{N-1}, p x m, which is
/// never formed:
///     y_i = sum_j h_{first + i + j} x_j,    by transforms of the sequences:  Y(f) = H(f) conj X(f)
/// Memory 8 N p m bytes, as much as the h themselves, where the matrix has N^2 p m / 4 numbers. A product with k columns:
/// O(N p m k) as matrix products and O(N (m + p) k log N).
template <>
class block_hankel_operator_of<double> {
public:
    explicit block_hankel_operator_of(std::span<const matrix<double>> h)
        : count_(static_cast<index_t>(h.size())), p_(h.empty() ? 0 : h[0].rows()), m_(h.empty() ? 0 : h[0].cols()),
          plan_(fourier::good_size(count_)), re_(static_cast<std::size_t>(plan_.bins() * p_ * m_)), im_(re_.size()) {
        for (const auto& x : h) require_shape("hrm::block_hankel_operator", "a Markov parameter", x.rows(), x.cols(), p_, m_);
        transform(p_ * m_, count_, [&](index_t t, index_t e) { return h[static_cast<std::size_t>(t)].flat()[static_cast<std::size_t>(e)]; }, re_, im_);
    }
    index_t outputs() const { return p_; }
    index_t inputs() const { return m_; }

    /// y = H x.    x: cols m x k;  y: rows p x k.
    void apply(matrix_view<const double> x, matrix_view<double> y, index_t first = 0) const {
        product(x, y, m_, p_, first, [](matrix_view<const double> h) { return strided_view<const double>(h); });
    }
    /// y = H^T x.    x: rows p x k;  y: cols m x k.
    void apply_adjoint(matrix_view<const double> x, matrix_view<double> y, index_t first = 0) const {
        product(x, y, p_, m_, first, [](matrix_view<const double> h) { return transposed(h); });
    }

private:
    /// The spectra of sequences value(t, e), t < length, one for each e < sequences; (bin, e) at bin * sequences + e.
    template <class F>
    void transform(index_t sequences, index_t length, F value, std::span<double> re, std::span<double> im) const {
        constexpr index_t W = fourier::plan<double>::lanes;
        buffer<double> x(static_cast<std::size_t>(plan_.samples_size())), s(static_cast<std::size_t>(plan_.spectrum_size()));
        for (index_t e = 0; e < sequences; e += W) {
            const index_t lanes = std::min(W, sequences - e);
            std::fill(x.begin(), x.end(), 0.0);
            for (index_t t = 0; t < length; ++t)
                for (index_t l = 0; l < lanes; ++l) x[static_cast<std::size_t>(t * W + l)] = value(t, e + l);
            plan_.forward(x.data(), s.data());
            for (index_t f = 0; f < plan_.bins(); ++f) {
                std::copy_n(s.data() + f * 2 * W, lanes, re.data() + f * sequences + e);
                std::copy_n(s.data() + f * 2 * W + W, lanes, im.data() + f * sequences + e);
            }
        }
    }
    template <class Turn>
    void product(matrix_view<const double> x, matrix_view<double> y, index_t in, index_t out, index_t first, Turn turn) const {
        const index_t rows = detail::check_blocks(x, in, y, out), cols = in > 0 ? x.rows / in : 0;
        if (rows < 1 || cols < 1 || first < 0 || first + rows + cols - 1 > count_)
            throw shape_error("hrm::block_hankel_operator: " + extents(rows, cols) + " blocks from number " + std::to_string(first) +
                              " on, expected within " + std::to_string(count_) + " Markov parameters");
        constexpr index_t W = fourier::plan<double>::lanes, width = 32;  // columns at a time: their spectra are all that grows
        const index_t bins = plan_.bins(), most = std::min(width, x.cols);
        buffer<double> xr(static_cast<std::size_t>(bins * in * most)), xi(xr.size());
        buffer<double> yr(static_cast<std::size_t>(bins * out * most)), yi(yr.size());
        buffer<double> samples(static_cast<std::size_t>(plan_.samples_size())), spectrum(static_cast<std::size_t>(plan_.spectrum_size()));
        for (index_t begin = 0; begin < x.cols; begin += width) {
            const index_t k = std::min(width, x.cols - begin);
            transform(in * k, cols, [&](index_t t, index_t e) { return x(t * in + e / k, begin + e % k); }, xr, xi);
            for (index_t f = 0; f < bins; ++f) {
                const auto at = [&](const buffer<double>& v, index_t r, index_t c) { return matrix_view<const double>(v.data() + f * r * c, r, c); };
                const auto hr = turn(at(re_, p_, m_)), hi = turn(at(im_, p_, m_));
                const auto vr = at(xr, in, k), vi = at(xi, in, k);
                const matrix_view<double> wr(yr.data() + f * out * k, out, k), wi(yi.data() + f * out * k, out, k);
                multiply(hr, vr, wr);  // (hr + i hi)(vr - i vi)
                multiply(hi, vi, wr, into::add);
                multiply(hi, vr, wi);
                multiply(hr, vi, wi, into::add, -1.0);
            }
            for (index_t e = 0; e < out * k; e += W) {
                const index_t lanes = std::min(W, out * k - e);
                std::fill(spectrum.begin(), spectrum.end(), 0.0);
                for (index_t f = 0; f < bins; ++f) {
                    std::copy_n(yr.data() + f * out * k + e, lanes, spectrum.data() + f * 2 * W);
                    std::copy_n(yi.data() + f * out * k + e, lanes, spectrum.data() + f * 2 * W + W);
                }
                plan_.inverse(spectrum.data(), samples.data());
                for (index_t i = 0; i < rows; ++i)
                    for (index_t l = 0; l < lanes; ++l)
                        y(i * out + (e + l) / k, begin + (e + l) % k) = samples[static_cast<std::size_t>((first + i) * W + l)];
            }
        }
    }

    index_t count_, p_, m_;
    fourier::plan<double> plan_;
    buffer<double> re_, im_;  // bin by bin, p x m
};

/// The same of complex h, y = H x and y = H^H x: by a real one of twice as many outputs, [Re h; Im h], and products with twice as
/// many columns, [Re x, Im x]. As much memory; twice the products of matrices that a spectrum of complex numbers would take.
template <>
class block_hankel_operator_of<std::complex<double>> {
    using complex = std::complex<double>;

public:
    explicit block_hankel_operator_of(std::span<const matrix<complex>> h) : p_(h.empty() ? 0 : h[0].rows()), parts_(parts_of(h)) {}
    index_t outputs() const { return p_; }
    index_t inputs() const { return parts_.inputs(); }

    /// x: cols m x k;  y: rows p x k.
    void apply(matrix_view<const complex> x, matrix_view<complex> y, index_t first = 0) const {
        detail::check_blocks(x, inputs(), y, p_);
        const index_t k = x.cols;
        matrix<double> both(x.rows, 2 * k), z(2 * y.rows, 2 * k);
        for (index_t i = 0; i < x.rows; ++i)
            for (index_t j = 0; j < k; ++j) both(i, j) = x(i, j).real(), both(i, k + j) = x(i, j).imag();
        parts_.apply(both.view(), z.view(), first);
        each_output(y.rows, [&](index_t i, index_t re, index_t im) {
            for (index_t j = 0; j < k; ++j) y(i, j) = {z(re, j) - z(im, k + j), z(re, k + j) + z(im, j)};
        });
    }
    /// x: rows p x k;  y: cols m x k.
    void apply_adjoint(matrix_view<const complex> x, matrix_view<complex> y, index_t first = 0) const {
        detail::check_blocks(x, p_, y, inputs());
        const index_t k = x.cols;
        matrix<double> both(2 * x.rows, 2 * k), z(y.rows, 2 * k);
        each_output(x.rows, [&](index_t i, index_t re, index_t im) {
            for (index_t j = 0; j < k; ++j) {
                both(re, j) = x(i, j).real(), both(im, j) = x(i, j).imag();
                both(re, k + j) = x(i, j).imag(), both(im, k + j) = -x(i, j).real();
            }
        });
        parts_.apply_adjoint(both.view(), z.view(), first);
        for (index_t i = 0; i < y.rows; ++i)
            for (index_t j = 0; j < k; ++j) y(i, j) = {z(i, j), z(i, k + j)};
    }

private:
    /// f(i, where its real part is, where its imaginary part is).
    template <class F>
    void each_output(index_t rows, F f) const {
        for (index_t i = 0; i < rows; ++i) f(i, i + i / p_ * p_, i + i / p_ * p_ + p_);
    }
    static block_hankel_operator parts_of(std::span<const matrix<complex>> h) {
        std::vector<matrix<double>> parts;
        for (const auto& x : h) {
            require_shape("hrm::block_hankel_operator", "a Markov parameter", x.rows(), x.cols(), h[0].rows(), h[0].cols());
            matrix<double> both(2 * x.rows(), x.cols());
            for (index_t e = 0; e < x.size(); ++e) both.data()[e] = x.data()[e].real(), both.data()[x.size() + e] = x.data()[e].imag();
            parts.push_back(std::move(both));
        }
        return block_hankel_operator(parts);
    }

    index_t p_;
    block_hankel_operator parts_;
};

}  // namespace hrm
