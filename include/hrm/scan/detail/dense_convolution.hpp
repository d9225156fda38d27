#pragma once

#include <hrm/linalg/gemm.hpp>
#include <hrm/scan/detail/mode_convolution.hpp>

namespace hrm::scan::detail {

/// Dense A: n^2 kernels (A^k)_ij, so that every frequency is an n x n complex matrix times a vector. O(n^2) spectra kept
/// for each side: the short chunks keep them to a few MB. For completeness and as an oracle; the recurrence is faster.
template <real S>
class dense_convolution {
public:
    static constexpr index_t longest_chunk = 128;

    dense_convolution(const dense<S>& a, index_t length, int workers)
        : n_(a.order()), padded_((n_ + W - 1) / W * W), transform_(fourier::good_size(2 * length - 1)),
          exact_(transform_.length()), a_(n_, n_), powers_(length, n_ * n_),
          plain_(transform_.bins(), n_ * 2 * padded_), adjoint_(transform_.bins(), n_ * 2 * padded_), columns_(n_, n_),
          zero_(1, n_), x_(workers, transform_.samples_size()),
          spectra_(workers, 2 * padded_ / W * transform_.spectrum_size()), exact_x_(1, exact_.samples_size()),
          exact_spectrum_(1, exact_.spectrum_size()), doubles_(workers, 3 * n_), row_(workers, 2 * n_) {}

    void prepare(const dense<S>& a, side which, bool changed) {
        fill_columns<S>(a.a, which, columns_.data());
        if (!changed) return;
        for (index_t i = 0; i < n_; ++i)
            for (index_t j = 0; j < n_; ++j) a_(i, j) = static_cast<double>(a.a(i, j)), powers_(0, i * n_ + j) = i == j;
        for (index_t t = 1; t < powers_.rows(); ++t)
            multiply(std::as_const(a_).view(), matrix_view<const double>(powers_.view().row(t - 1), n_, n_),
                     matrix_view<double>(powers_.view().row(t), n_, n_));
        kernel_spectra(exact_, std::as_const(powers_).view(), exact_x_.data(), exact_spectrum_.data(),
                       [&](index_t bin, index_t flat, double re, double im) {
                           const index_t i = flat / n_, j = flat % n_;
                           put(plain_.view().row(bin), i, j, re, im);
                           put(adjoint_.view().row(bin), j, i, re, im);
                       });
    }

    void start(const dense<S>&, side which, track<const S> z, track<S> s, index_t rows, S* end, int worker) {
        const index_t size = transform_.spectrum_size(), blocks = padded_ / W;
        S *x = x_.view().row(worker), *in = spectra_.view().row(worker), *out = in + blocks * size;
        for (index_t b = 0; b < blocks; ++b) {
            const index_t count = std::min<index_t>(W, n_ - b * W);
            gather<S>({z.first + b * W, z.step}, rows, count, transform_.length(), x);
            transform_.forward(x, in + b * size);
        }
        for (index_t k = 0; k < transform_.bins(); ++k) {
            const S* g = (which == side::plain ? plain_ : adjoint_).view().row(k);
            for (index_t b = 0; b < blocks; ++b) {
                bin<S> sum{};
                for (index_t j = 0; j < n_; ++j) {
                    const S* zj = in + j / W * size + k * 2 * W + j % W;
                    const auto gj = bin<S>::at(g + (j * blocks + b) * 2 * W);
                    sum.re += gj.re * zj[0] - gj.im * zj[W];
                    sum.im += gj.re * zj[W] + gj.im * zj[0];
                }
                sum.put(out + b * size + k * 2 * W);
            }
        }
        for (index_t b = 0; b < blocks; ++b) {
            transform_.inverse(out + b * size, x);
            scatter<S>(x, rows, std::min<index_t>(W, n_ - b * W), {s.first + b * W, s.step});
        }
        std::copy_n(s.row(rows - 1), n_, end);
    }

    /// s_t += A^{t+1} c, the powers applied one by one.
    void finish(const dense<S>&, side, track<const S>, track<S> s, index_t rows, const S* carry, int worker) {
        S *state = row_.view().row(worker);
        std::copy_n(carry, n_, state);
        for (index_t t = 0; t < rows; ++t) {
            recur_dense<S>(columns_.data(), n_, {zero_.data(), 0}, {}, 1, state, doubles_.view().row(worker));
            for (index_t i = 0; i < n_; ++i) s.row(t)[i] += state[i];
        }
    }

private:
    static constexpr int W = simd::lanes<S>;
    /// (i, j) of a bin's matrix: by j, blocks of W rows i, real parts beside imaginary parts.
    void put(S* matrix_of_bin, index_t i, index_t j, double re, double im) const {
        S* to = matrix_of_bin + (j * (padded_ / W) + i / W) * 2 * W + i % W;
        to[0] = static_cast<S>(re), to[W] = static_cast<S>(im);
    }

    index_t n_, padded_;
    fourier::plan<S> transform_;
    fourier::plan<double> exact_;
    matrix<double> a_, powers_;
    matrix<S> plain_, adjoint_;  ///< spectra of A^k and of its transpose, a row a bin
    matrix<double> columns_;
    matrix<S> zero_, x_, spectra_;
    matrix<double> exact_x_, exact_spectrum_, doubles_;
    matrix<S> row_;
};

}  // namespace hrm::scan::detail
