#pragma once

#include <string>

#include <hrm/linalg/gemm.hpp>
#include <hrm/scan/detail/mode_convolution.hpp>

namespace hrm::scan::detail {

/// Spectra of real kernels given in double, rounded to S at the very end: column i of `kernel` (T x count) goes to
/// put(bin, i, re, im).
template <class F>
void kernel_spectra(const fourier::plan<double>& transform, matrix_view<const double> kernel, double* x,
                    double* spectrum, F&& put) {
    constexpr int W = fourier::plan<double>::lanes;
    for (index_t first = 0; first < kernel.cols; first += W) {
        const index_t count = std::min<index_t>(W, kernel.cols - first);
        gather<double>({kernel.data + first, kernel.stride}, kernel.rows, count, transform.length(), x);
        transform.forward(x, spectrum);
        for (index_t k = 0; k < transform.bins(); ++k)
            for (index_t i = 0; i < count; ++i)
                put(k, first + i, spectrum[k * 2 * W + i], spectrum[k * 2 * W + W + i]);
    }
}

/// Dense A: n^2 kernels (A^k)_ij, so that every frequency is an n x n complex matrix times a vector. O(n^2) spectra kept for
/// each side, for chunks so short that they and the powers take 16 MiB at most (float; double 27): 128 steps up to 73 states,
/// 8 at 256, and more states are refused. For completeness and as an oracle; the recurrence is faster.
template <real S>
class dense_convolution {
public:
    static constexpr index_t together = 1;
    static constexpr index_t longest_chunk = 128, most_powers = 699050, most_states = 256;
    /// The longest power of two that memory and the growth of A allow, by squaring; at most the signal.
    static index_t chunk(const dense<S>& a, index_t time) {
        const index_t n = a.order();
        if (n > most_states)
            throw shape_error("hrm::scan::fft: a dense A has " + std::to_string(n) + " states, expected at most " +
                              std::to_string(most_states) + ": use sequential or chunked");
        index_t longest = longest_chunk;
        while (longest * n * n > most_powers) longest /= 2;
        matrix<double> power(n, n), square(n, n);
        for (index_t i = 0; i < n * n; ++i) power.data()[i] = static_cast<double>(a.a.data()[i]);
        index_t length = 1;
        while (length < longest && log2_size(power.flat()) <= most_growth<S>) {
            multiply(std::as_const(power).view(), std::as_const(power).view(), square.view());
            std::swap(power, square);
            length *= 2;
        }
        if (length > 1 && !(log2_size(power.flat()) <= most_growth<S>)) length /= 2;
        return std::clamp<index_t>(time, 1, length);
    }

    dense_convolution(const dense<S>& a, index_t length, int workers)
        : n_(a.order()), padded_((n_ + W - 1) / W * W), transform_(fourier::good_size(2 * length - 1)),
          exact_(transform_.length()), a_(n_, n_), powers_(length, n_ * n_),
          plain_(transform_.bins(), n_ * 2 * padded_), adjoint_(transform_.bins(), n_ * 2 * padded_), panels_(n_),
          zero_(1, n_), x_(workers, transform_.samples_size()),
          spectra_(workers, 2 * padded_ / W * transform_.spectrum_size()), exact_x_(1, exact_.samples_size()),
          exact_spectrum_(1, exact_.spectrum_size()), doubles_(workers, 2 * n_) {}

    void turn(const dense<S>& a, side which) { panels_.fill(a.a, which); }
    void prepare(const dense<S>& a) {
        for (index_t i = 0; i < n_; ++i)
            for (index_t j = 0; j < n_; ++j) a_(i, j) = static_cast<double>(a.a(i, j)), powers_(0, i * n_ + j) = i == j;
        for (index_t t = 1; t < powers_.rows(); ++t)
            multiply(std::as_const(a_).view(), matrix_view<const double>(powers_.view().row(t - 1), n_, n_),
                     matrix_view<double>(powers_.view().row(t), n_, n_));
        // One rate for all: what the last power grew at.
        const index_t last = powers_.rows() - 1;
        const double rate =
            last ? growth_rate(log2_size(std::as_const(powers_).view().row_span(last)) / static_cast<double>(last)) : 0;
        weights_.prepare(powers_.rows(), 1, [&](index_t) { return rate; });
        for (index_t t = 1; rate > 0 && t < powers_.rows(); ++t)
            for (auto& x : powers_.view().row_span(t)) x *= static_cast<double>(grown(-rate, t));
        kernel_spectra(exact_, std::as_const(powers_).view(), exact_x_.data(), exact_spectrum_.data(),
                       [&](index_t bin, index_t flat, double re, double im) {
                           const index_t i = flat / n_, j = flat % n_;
                           put(plain_.view().row(bin), i, j, re, im);
                           put(adjoint_.view().row(bin), j, i, re, im);
                       });
    }

    void start(const dense<S>&, side which, std::span<const chunk_piece<S>> one, int worker) {
        const auto [z, s, rows, end] = one[0];
        const index_t size = transform_.spectrum_size(), blocks = padded_ / W;
        S *x = x_.view().row(worker), *in = spectra_.view().row(worker), *out = in + blocks * size;
        for (index_t b = 0; b < blocks; ++b) {
            const index_t count = std::min<index_t>(W, n_ - b * W);
            gather<S>({z.first + b * W, z.step}, rows, count, transform_.length(), x);
            weights_.damp(x, rows, 0, count);
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
            const index_t count = std::min<index_t>(W, n_ - b * W);
            transform_.inverse(out + b * size, x);
            weights_.raise(x, rows, 0, count);
            scatter<S>(x, rows, count, {s.first + b * W, s.step});
        }
        std::copy_n(s.row(rows - 1), n_, end);
    }

    /// s_t += A^{t+1} c, the powers applied one by one.
    void finish(const dense<S>&, side, std::span<const chunk_piece<S>> one, int worker) {
        double* x = doubles_.view().row(worker);
        std::copy_n(one[0].edge, n_, x);
        dense_track<S> carried[] = {{{zero_.data(), 0}, {}, 1, x, x + n_}};
        for (index_t t = 0; t < one[0].rows; ++t) {
            panels_.recur(carried);
            for (index_t i = 0; i < n_; ++i) one[0].s.row(t)[i] += static_cast<S>(carried[0].x[i]);
        }
    }

private:
    static constexpr int W = simd::lanes<S>;
    /// log2 of the largest element.
    static double log2_size(std::span<const double> m) {
        double size = 0;
        for (const double x : m) size = std::abs(x) > size || std::isnan(x) ? std::abs(x) : size;
        return std::log2(size);
    }
    /// (i, j) of a bin's matrix: by j, blocks of W rows i, real parts beside imaginary parts.
    void put(S* matrix_of_bin, index_t i, index_t j, double re, double im) const {
        S* to = matrix_of_bin + (j * (padded_ / W) + i / W) * 2 * W + i % W;
        to[0] = static_cast<S>(re), to[W] = static_cast<S>(im);
    }

    index_t n_, padded_;
    fourier::plan<S> transform_;
    fourier::plan<double> exact_;
    growth_weights<S> weights_;
    matrix<double> a_, powers_;
    matrix<S> plain_, adjoint_;  ///< spectra of A^k and of its transpose, a row a bin
    dense_panels<S> panels_;
    matrix<S> zero_, x_, spectra_;
    matrix<double> exact_x_, exact_spectrum_, doubles_;
};

}  // namespace hrm::scan::detail
