#pragma once

#include <algorithm>

#include <hrm/core/matrix.hpp>
#include <hrm/fourier/detail/butterfly.hpp>

namespace hrm::fourier::detail {

/// Real transforms of any length N by convolutions of a good length M >= 3 N / 2 + 1. With t = n - N/2, f = k - N/4,
///     n k = (t^2 + f^2 - (f - t)^2) / 2 + terms of t alone and of f alone,
/// so that X_k = post_k sum_n b_{f-t} pre_n x_n,  b_j = e^{i pi j^2 / N}, with |f - t| <= 3 N / 4 both ways alike: the two
/// real kernels Re b and Im b are even and their spectra real. Real transforms by `Inner` suffice, two forward and two
/// inverse. Bluestein, IEEE Trans. Audio Electroacoust. 18 (1970) 451-455.
template <real S, class Inner>
class chirp {
public:
    /// exact: a transform in double of inner.length(), used here only.
    template <class Exact>
    chirp(index_t length, Inner inner, const Exact& exact)
        : inner_(std::move(inner)), n_(length), pre_(static_cast<std::size_t>(2 * length)),
          post_(static_cast<std::size_t>(2 * (length / 2 + 1))), kernel_(static_cast<std::size_t>(2 * inner_.bins())) {
        const index_t c = shift_n(), d = shift_k(), period = 2 * n_, m = inner_.length();
        // Angles in units of 2 pi / (2 N); all squares exact.
        for (index_t n = 0; n < n_; ++n) put(pre_, n, root<S>((n - c) * (n - c) + 2 * (n - c) * d + period * n_, period));
        for (index_t k = 0; k <= n_ / 2; ++k)
            put(post_, k, root<S>((k - d) * (k - d) + 2 * (k - d) * c + 2 * c * d + period * n_, period));
        constexpr index_t E = Exact::width;
        buffer<double> x(static_cast<std::size_t>(exact.samples_size())), f(static_cast<std::size_t>(exact.spectrum_size()));
        for (int part = 0; part < 2; ++part) {
            std::fill(x.begin(), x.end(), 0.0);
            for (index_t j = 0; j <= m / 2; ++j) {
                const root<double> w(j * j, period);
                x[static_cast<std::size_t>(j * E)] = x[static_cast<std::size_t>((m - j) % m * E)] = part ? w.sine : w.cosine;
            }
            exact.forward(x.data(), f.data());
            for (index_t k = 0; k < inner_.bins(); ++k)
                kernel_[static_cast<std::size_t>(2 * k + part)] = static_cast<S>(f[static_cast<std::size_t>(k * Exact::step)]);
        }
    }
    static index_t least(index_t length) { return length + length / 2 + 2; }
    index_t scratch_size() const { return 2 * (inner_.samples_size() + inner_.spectrum_size()) + inner_.scratch_size(); }

    /// The outer transform's bin k: real parts at k * step, imaginary parts gap further.
    void forward(const S* x, S* spectrum, index_t gap, S* scratch) const {
        const auto [p, q, f, g, rest] = parts(scratch);
        for (index_t n = 0; n < n_; ++n)
            for (index_t l = 0; l < width; ++l) {
                p[n * width + l] = pre_[at(2 * n)] * x[n * width + l];
                q[n * width + l] = -pre_[at(2 * n + 1)] * x[n * width + l];
            }
        clear(p, q, n_);
        convolve(p, q, f, g, rest, S{1});
        for (index_t k = 0; k <= n_ / 2; ++k)
            for (index_t l = 0; l < width; ++l) {
                const index_t from = (k + shift_n() - shift_k()) * width + l;
                const S c = post_[at(2 * k)], s = post_[at(2 * k + 1)];
                spectrum[k * Inner::step + l] = p[from] * c + q[from] * s;
                spectrum[k * Inner::step + gap + l] = q[from] * c - p[from] * s;
            }
    }
    /// The transpose with the bins weighted: x_n = Re(conj pre_n sum_k conj(b_{f-t} post_k) c_k X_k) / N, c = 1 or 2.
    void inverse(const S* spectrum, index_t gap, S* x, S* scratch) const {
        const auto [p, q, f, g, rest] = parts(scratch);
        const index_t first = shift_n() - shift_k(), bins = n_ / 2 + 1;
        std::fill_n(p, first * width, S{0}), std::fill_n(q, first * width, S{0});
        for (index_t k = 0; k < bins; ++k) {
            const S weight = (k == 0 || 2 * k == n_ ? S{1} : S{2}) / static_cast<S>(n_);
            const S c = weight * post_[at(2 * k)], s = weight * post_[at(2 * k + 1)];
            for (index_t l = 0; l < width; ++l) {
                const S re = spectrum[k * Inner::step + l], im = spectrum[k * Inner::step + gap + l];
                p[(k + first) * width + l] = re * c - im * s;
                q[(k + first) * width + l] = im * c + re * s;
            }
        }
        clear(p, q, first + bins);
        convolve(p, q, f, g, rest, S{-1});
        for (index_t n = 0; n < n_; ++n)
            for (index_t l = 0; l < width; ++l)
                x[n * width + l] = pre_[at(2 * n)] * p[n * width + l] - pre_[at(2 * n + 1)] * q[n * width + l];
    }

private:
    static constexpr index_t width = Inner::width;
    struct places {
        S *p, *q, *f, *g, *rest;
    };
    static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
    index_t shift_n() const { return n_ / 2; }
    index_t shift_k() const { return n_ / 4; }
    static void put(buffer<S>& table, index_t i, root<S> w) { table[at(2 * i)] = w.cosine, table[at(2 * i + 1)] = w.sine; }
    places parts(S* scratch) const {
        S *p = scratch, *q = p + inner_.samples_size(), *f = q + inner_.samples_size(), *g = f + inner_.spectrum_size();
        return {p, q, f, g, g + inner_.spectrum_size()};
    }
    void clear(S* p, S* q, index_t from) const {
        const index_t count = (inner_.length() - from) * width;
        std::fill_n(p + from * width, count, S{0}), std::fill_n(q + from * width, count, S{0});
    }
    /// p + i q = (p + i q) * b, or * conj b when sign is -1.
    void convolve(S* p, S* q, S* f, S* g, S* rest, S sign) const {
        inner_.forward(p, f, rest), inner_.forward(q, g, rest);
        for (index_t part = 0; part < 2; ++part)
            for (index_t k = 0; k < inner_.bins(); ++k) {
                const S c = kernel_[at(2 * k)], s = sign * kernel_[at(2 * k + 1)];
                S *re = f + k * Inner::step + part * inner_.gap(), *im = g + k * Inner::step + part * inner_.gap();
                for (index_t l = 0; l < width; ++l) {
                    const S a = re[l], b = im[l];
                    re[l] = a * c - b * s, im[l] = a * s + b * c;
                }
            }
        inner_.inverse(f, p, rest), inner_.inverse(g, q, rest);
    }

    Inner inner_;
    index_t n_;
    buffer<S> pre_, post_;  ///< (cos, sin) of the phases to divide by
    buffer<S> kernel_;      ///< (spectrum of Re b, of Im b), both real
};

}  // namespace hrm::fourier::detail
