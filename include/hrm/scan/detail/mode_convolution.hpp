#pragma once

#include <hrm/fourier/plan.hpp>
#include <hrm/scan/detail/chunks.hpp>

namespace hrm::scan::detail {

/// acc (+)= x y for a bin of W lanes: real parts, then imaginary parts.
template <real S>
struct bin {
    simd::pack<S> re, im;
    static constexpr int lanes = simd::lanes<S>;
    static bin at(const S* p) {
        bin b;
        simd::load<S>(b.re, p), simd::load<S>(b.im, p + lanes);
        return b;
    }
    void put(S* p) const { simd::store<S>(p, re), simd::store<S>(p + lanes, im); }
    friend bin operator*(const bin& x, const bin& y) {
        return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
    }
    friend bin operator+(const bin& x, const bin& y) { return {x.re + y.re, x.im + y.im}; }
    friend bin operator-(const bin& x, const bin& y) { return {x.re - y.re, x.im - y.im}; }
};

/// Up to W columns of a chunk into (and out of) the lanes of a transform; what is not there is zero.
template <real S>
void gather(track<const S> from, index_t rows, index_t count, index_t length, S* to) {
    constexpr int W = simd::lanes<S>;
    for (index_t t = 0; t < rows; ++t, to += W) {
        for (index_t i = 0; i < count; ++i) to[i] = from.row(t)[i];
        for (index_t i = count; i < W; ++i) to[i] = S{0};
    }
    std::fill_n(to, (length - rows) * W, S{0});
}
template <real S>
void scatter(const S* from, index_t rows, index_t count, track<S> to) {
    for (index_t t = 0; t < rows; ++t, from += simd::lanes<S>)
        for (index_t i = 0; i < count; ++i) to.row(t)[i] = from[i];
}

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

/// Real poles and pairs: s = g * z with g_j = a^j, one convolution a real state; for a pair the four real products of a
/// complex one. The adjoint is the same with time reversed and conj(g).
template <class A>
class mode_convolution {
public:
    using S = typename A::scalar;
    static constexpr index_t longest_chunk = 1024;

    mode_convolution(const A& a, index_t length, int workers)
        : transform_(fourier::good_size(2 * length - 1)), exact_(transform_.length()), powers_(length, a.order()),
          carried_(length, a.order()),
          spectra_((blocks(modes<S>(a).reals()) + 2 * blocks(modes<S>(a).pairs())), transform_.spectrum_size()),
          x_(workers, 2 * transform_.samples_size()), spectrum_(workers, 2 * transform_.spectrum_size()),
          exact_x_(1, exact_.samples_size()), exact_spectrum_(1, exact_.spectrum_size()) {}

    void prepare(const A& structure, side, bool changed) {
        if (!changed) return;
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs();
        mode_powers(a, 0, powers_.view());
        mode_powers(a, 1, carried_.view());
        auto fill = [&](index_t column, index_t count, index_t plane) {
            kernel_spectra(exact_, std::as_const(powers_).view().slice_cols(column, count), exact_x_.data(),
                           exact_spectrum_.data(), [&](index_t bin, index_t i, double re, double im) {
                               S* to = spectra_.view().row(plane + i / W) + bin * 2 * W + i % W;
                               to[0] = static_cast<S>(re), to[W] = static_cast<S>(im);
                           });
        };
        fill(0, q, 0);
        fill(q, k, blocks(q));
        fill(q + k, k, blocks(q) + blocks(k));
    }

    /// s = g * z from a zero state; end: its last row.
    void start(const A& structure, side which, track<const S> z, track<S> s, index_t rows, S* end, int worker) {
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs(), size = transform_.spectrum_size();
        S *x = x_.view().row(worker), *y = x + transform_.samples_size();
        S *fx = spectrum_.view().row(worker), *fy = fx + size;
        auto at = [](auto rows_of, index_t column) { return decltype(rows_of){rows_of.first + column, rows_of.step}; };
        for (index_t i = 0; i < q; i += W) {
            const index_t count = std::min<index_t>(W, q - i);
            gather<S>(at(z, i), rows, count, transform_.length(), x);
            transform_.forward(x, fx);
            const S* g = spectra_.view().row(i / W);
            for (index_t b = 0; b < size; b += 2 * W) (bin<S>::at(fx + b) * bin<S>::at(g + b)).put(fx + b);
            transform_.inverse(fx, x);
            scatter<S>(x, rows, count, at(s, i));
        }
        for (index_t i = 0; i < k; i += W) {
            const index_t count = std::min<index_t>(W, k - i);
            gather<S>(at(z, q + i), rows, count, transform_.length(), x);
            gather<S>(at(z, q + k + i), rows, count, transform_.length(), y);
            transform_.forward(x, fx);
            transform_.forward(y, fy);
            const S *g = spectra_.view().row(blocks(q) + i / W), *h = spectra_.view().row(blocks(q) + blocks(k) + i / W);
            for (index_t b = 0; b < size; b += 2 * W) {
                const auto zx = bin<S>::at(fx + b), zy = bin<S>::at(fy + b);
                const auto c = bin<S>::at(g + b), d = bin<S>::at(h + b);
                if (which == side::plain) {
                    (c * zx - d * zy).put(fx + b);
                    (d * zx + c * zy).put(fy + b);
                } else {
                    (c * zx + d * zy).put(fx + b);
                    (c * zy - d * zx).put(fy + b);
                }
            }
            transform_.inverse(fx, x);
            transform_.inverse(fy, y);
            scatter<S>(x, rows, count, at(s, q + i));
            scatter<S>(y, rows, count, at(s, q + k + i));
        }
        std::copy_n(s.row(rows - 1), a.order(), end);
    }

    /// s_t += a^{t+1} c.
    void finish(const A& structure, side which, track<const S>, track<S> s, index_t rows, const S* carry, int) {
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs();
        const S sign = which == side::plain ? S{1} : S{-1};
        for (index_t t = 0; t < rows; ++t) {
            const S* g = carried_.view().row(t);
            S* out = s.row(t);
            for (index_t i = 0; i < q; ++i) out[i] += g[i] * carry[i];
            for (index_t i = q; i < q + k; ++i) {
                const S im = sign * g[i + k];
                out[i] += g[i] * carry[i] - im * carry[i + k];
                out[i + k] += im * carry[i] + g[i] * carry[i + k];
            }
        }
    }

private:
    static constexpr int W = simd::lanes<S>;
    static index_t blocks(index_t columns) { return (columns + W - 1) / W; }

    fourier::plan<S> transform_;
    fourier::plan<double> exact_;
    matrix<double> powers_;  ///< a^0 .. a^{T-1}
    matrix<S> carried_;      ///< a^1 .. a^T
    matrix<S> spectra_;      ///< of the kernels, a row a block of W columns: reals, real parts, imaginary parts
    matrix<S> x_, spectrum_; ///< a worker's
    matrix<double> exact_x_, exact_spectrum_;
};

}  // namespace hrm::scan::detail
