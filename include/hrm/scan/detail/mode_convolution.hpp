#pragma once

#include <cmath>
#include <limits>
#include <string>

#include <hrm/core/error.hpp>
#include <hrm/fourier/plan.hpp>
#include <hrm/scan/detail/chunks.hpp>

namespace hrm::scan::detail {

/// Up to W columns of a chunk into (and out of) the lanes of a transform; what is not there is zero.
template <real S>
void gather(track<const S> from, index_t rows, index_t count, index_t length, S* to) {
    constexpr int W = simd::lanes<S>;
    if (count == W)
        for (index_t t = 0; t < rows; ++t, to += W) std::copy_n(from.row(t), W, to);
    else
        for (index_t t = 0; t < rows; ++t, to += W) {
            std::copy_n(from.row(t), count, to);
            std::fill_n(to + count, W - count, S{0});
        }
    std::fill_n(to, (length - rows) * W, S{0});
}
template <real S>
void scatter(const S* from, index_t rows, index_t count, track<S> to) {
    constexpr int W = simd::lanes<S>;
    if (count == W)
        for (index_t t = 0; t < rows; ++t) std::copy_n(from + t * W, W, to.row(t));
    else
        for (index_t t = 0; t < rows; ++t) std::copy_n(from + t * W, count, to.row(t));
}

/// What the growth of |A| over a chunk may be, as a power of two: half of what S holds, so that weights leave room for data.
template <real S>
inline constexpr int most_growth = std::numeric_limits<S>::max_exponent / 2;

/// A rate of growth from a logarithm to base 2: 0 where nothing grows, else a little more of a multiple of 2^-20, so that
/// rate * t is exact and 2^(rate t) the same number wherever it is computed.
inline double growth_rate(double log2_modulus) {
    return log2_modulus > 0 ? std::ldexp(std::ceil(std::ldexp(log2_modulus, 20)), -20) : std::isnan(log2_modulus) ? log2_modulus : 0;
}
inline long double grown(double rate, index_t t) { return std::exp2(static_cast<long double>(rate * static_cast<double>(t))); }

/// The largest of the rates log2 r of `columns`. Throws numerical_error where r^length is more than S can take.
template <real S, class F>
double require_growth(index_t length, index_t columns, F&& rate_of) {
    double most = 0;
    for (index_t i = 0; i < columns; ++i) {
        const double rate = rate_of(i);
        most = rate > most || std::isnan(rate) ? rate : most;
    }
    const double growth = most * static_cast<double>(length - 1);
    if (!(growth <= most_growth<S>))
        throw numerical_error("hrm::scan::fft: over a chunk of " + std::to_string(length) + " steps A grows by 2^" +
                              std::to_string(growth) + ", expected at most 2^" + std::to_string(most_growth<S>) +
                              ": make the plan with this A, or use sequential");
    return most;
}

/// Where |A| > 1 the states of a chunk cover many orders of magnitude, and the errors of a transform are of the size of
/// the largest: early states would drown, or A^T overflow. Weighted by a rate r ~ |A|, nothing grows:
///     s_t = r^t ((A/r)^t * (z_t r^-t))
/// so that the error at t is small beside the largest s_j r^{t-j}. A column of weights a lane; none while r = 1.
template <real S>
class growth_weights {
public:
    /// The rates log2 r of `columns`, for chunks of `length`; throws as require_growth.
    template <class F>
    void prepare(index_t length, index_t columns, F&& rate_of) {
        const double most = require_growth<S>(length, columns, rate_of);
        present_ = most > 0;
        if (!present_) return;
        if (up_.rows() != length || up_.cols() != columns) up_ = matrix<S>(length, columns), down_ = matrix<S>(length, columns);
        for (index_t i = 0; i < columns; ++i) {
            const double rate = rate_of(i);
            for (index_t t = 0; t < length; ++t)
                up_(t, i) = static_cast<S>(grown(rate, t)), down_(t, i) = static_cast<S>(grown(-rate, t));
        }
    }
    /// x (rows of W, columns first..first+count-1 of the weights) times r^-t, or r^t.
    void damp(S* x, index_t rows, index_t first, index_t count) const { scale(down_, x, rows, first, count); }
    void raise(S* x, index_t rows, index_t first, index_t count) const { scale(up_, x, rows, first, count); }

private:
    void scale(const matrix<S>& weights, S* x, index_t rows, index_t first, index_t count) const {
        if (!present_) return;
        for (index_t t = 0; t < rows; ++t)
            for (index_t i = 0; i < count; ++i) x[t * simd::lanes<S> + i] *= weights(t, first + (weights.cols() == 1 ? 0 : i));
    }
    bool present_ = false;
    matrix<S> up_, down_;
};

/// How fast mode i grows; a pair's modes count once, after the real ones.
template <real S>
double mode_rate(const modes<S>& a, index_t i) {
    const auto j = static_cast<std::size_t>(i < a.reals() ? i : i - a.reals());
    return growth_rate(std::log2(i < a.reals() ? std::abs(static_cast<double>(a.real[j]))
                                               : std::hypot(static_cast<double>(a.re[j]), static_cast<double>(a.im[j]))));
}

/// Real poles and pairs: s = g * z with g_j = a^j, one convolution a real state; for a pair the four real products of a
/// complex one. The adjoint is the same with time reversed and conj(g).
template <class A>
class mode_convolution {
public:
    using S = typename A::scalar;
    static constexpr index_t longest_chunk = 1024, together = 1;
    /// The longest chunk over which the modes grow no more than S takes.
    static index_t chunk(const A& structure, index_t time) {
        const modes<S> a(structure);
        double rate = 0;
        for (index_t i = 0; i < a.reals() + a.pairs(); ++i) rate = std::max(rate, mode_rate(a, i));
        const double most = rate > 0 ? most_growth<S> / rate : longest_chunk;
        return std::clamp<index_t>(time, 1, most < longest_chunk ? std::max<index_t>(1, static_cast<index_t>(most)) : longest_chunk);
    }

    mode_convolution(const A& a, index_t length, int workers)
        : transform_(fourier::good_size(2 * length - 1)), exact_(transform_.length()), carried_(length, a.order()),
          spectra_((blocks(modes<S>(a).reals()) + 2 * blocks(modes<S>(a).pairs())), transform_.spectrum_size()),
          carry_(workers, a.order()), planes_(modes<S>(a).pairs() ? 2 : 1), x_(workers, planes_ * bytes(transform_.samples_size())),
          spectrum_(workers, planes_ * bytes(transform_.spectrum_size())) {}

    void turn(const A&, side) {}
    void prepare(const A& structure) {
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs();
        weights_.prepare(carried_.rows(), q + k, [&](index_t i) { return mode_rate(a, i); });
        mode_powers(a, 1, carried_.view());
        constexpr index_t lanes = fourier::plan<double>::lanes;
        for (index_t i = 0; i < q; i += lanes) fill(a, i, std::min(lanes, q - i), i, 0, 0);
        for (index_t i = 0; i < k; i += lanes)
            for (int part = 0; part < 2; ++part)
                fill(a, q + i, std::min(lanes, k - i), i, blocks(q) + part * blocks(k), part);
    }

    /// s = g * z from a zero state; end: its last row.
    void start(const A& structure, side which, std::span<const chunk_piece<S>> one, int worker) {
        const auto [z, s, rows, end] = one[0];
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs(), size = transform_.spectrum_size();
        S *x = room<S>(x_, worker), *y = x + transform_.samples_size();
        S *fx = room<S>(spectrum_, worker), *fy = fx + size;
        auto at = [](auto rows_of, index_t column) { return decltype(rows_of){rows_of.first + column, rows_of.step}; };
        for (index_t i = 0; i < q; i += W) {
            const index_t count = std::min<index_t>(W, q - i);
            gather<S>(at(z, i), rows, count, transform_.length(), x);
            weights_.damp(x, rows, i, count);
            transform_.forward(x, fx);
            const S* g = spectra_.view().row(i / W);
            for (index_t b = 0; b < size; b += 2 * W) (bin<S>::at(fx + b) * bin<S>::at(g + b)).put(fx + b);
            transform_.inverse(fx, x);
            weights_.raise(x, rows, i, count);
            scatter<S>(x, rows, count, at(s, i));
        }
        for (index_t i = 0; i < k; i += W) {
            const index_t count = std::min<index_t>(W, k - i);
            gather<S>(at(z, q + i), rows, count, transform_.length(), x);
            gather<S>(at(z, q + k + i), rows, count, transform_.length(), y);
            weights_.damp(x, rows, q + i, count), weights_.damp(y, rows, q + i, count);
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
            weights_.raise(x, rows, q + i, count), weights_.raise(y, rows, q + i, count);
            scatter<S>(x, rows, count, at(s, q + i));
            scatter<S>(y, rows, count, at(s, q + k + i));
        }
        std::copy_n(s.row(rows - 1), a.order(), end);
    }

    /// s_t += a^{t+1} c.
    void finish(const A& structure, side which, std::span<const chunk_piece<S>> one, int worker) {
        const auto [z, s, rows, carried] = one[0];
        const modes<S> a(structure);
        const index_t q = a.reals(), k = a.pairs();
        const S sign = which == side::plain ? S{1} : S{-1};
        S* carry = carry_.view().row(worker);
        bool nothing = true;
        for (index_t i = 0; i < a.order(); ++i) carry[i] = static_cast<S>(carried[i]), nothing = nothing && carry[i] == 0;
        if (nothing) return;
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
    static index_t bytes(index_t numbers) { return numbers * static_cast<index_t>(sizeof(S)); }
    template <real T>
    static T* room(matrix<std::byte>& of, int worker) {
        return reinterpret_cast<T*>(of.view().row(worker));
    }

    /// Spectra of the (weighted) powers 0..T-1 of up to one register of modes: real or imaginary parts, computed in double
    /// and rounded to S at the end, to columns `column`... of the planes from `plane` on.
    void fill(const modes<S>& a, index_t mode, index_t count, index_t column, index_t plane, int part) {
        constexpr index_t lanes = fourier::plan<double>::lanes;
        double *x = room<double>(x_, 0), *spectrum = room<double>(spectrum_, 0);
        std::fill_n(x, exact_.samples_size(), 0.0);
        for (index_t i = 0; i < count; ++i) {
            const double rate = mode_rate(a, mode + i);
            each_power(a, mode + i, carried_.rows(), [&](index_t t, long double re, long double im) {
                x[t * lanes + i] = static_cast<double>((part ? im : re) * (rate > 0 ? grown(-rate, t) : 1));
            });
        }
        exact_.forward(x, spectrum);
        for (index_t bin = 0; bin < exact_.bins(); ++bin)
            for (index_t i = 0; i < count; ++i) {
                const double* from = spectrum + bin * 2 * lanes + i;
                S* to = spectra_.view().row(plane + (column + i) / W) + bin * 2 * W + (column + i) % W;
                to[0] = static_cast<S>(from[0]), to[W] = static_cast<S>(from[lanes]);
            }
    }

    fourier::plan<S> transform_;
    fourier::plan<double> exact_;
    growth_weights<S> weights_;
    matrix<S> carried_;      ///< a^1 .. a^T
    matrix<S> spectra_;      ///< of the kernels, a row a block of W columns: reals, real parts, imaginary parts
    matrix<S> carry_;        ///< a worker's
    index_t planes_;
    matrix<std::byte> x_, spectrum_;  ///< a worker's: registers of S, or (as many bytes) of double while kernels are made
};

}  // namespace hrm::scan::detail
