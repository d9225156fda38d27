#pragma once

#include <hrm/fourier/plan.hpp>
#include <hrm/linalg/detail/lane_order.hpp>

namespace hrm::fourier {

/// The real transform of one sequence of length N >= 1, the lanes used within it:
///     X_{k + M l} = sum_j w_W^{jl} (w_N^{jk} Y_j,k),   Y_j the transform of x_j, x_{j+W}, ...,   M = N / W, w_n = e^{-2 pi i / n}
/// Samples as they come are W sequences side by side, so that a plan of length N / W does most of the work; the last
/// factor W turns squares of registers. (The first half of the l gives bins in order, the second the mirrored ones.)
/// O(N log N); lengths that are no multiple of W, or no good size then, by Bluestein's convolution. Bailey 1990.
///     fourier::single<float> p(65536);   p.forward(x, spectrum, scratch);
template <real S>
class single {
public:
    static constexpr index_t width = 1;
    static constexpr index_t step = 1;

    /// The smallest of the fast lengths >= n.
    static index_t good_size(index_t n) { return W * fourier::good_size((n + W - 1) / W); }

    explicit single(index_t length) : length_(length), inner_(direct(length) ? length / W : 2) {
        if (length < 1)
            throw shape_error("hrm::fourier::single: the length is " + std::to_string(length) + ", expected at least 1");
        if (direct(length)) {
            for (index_t k = 0; k < inner_.bins(); ++k) {
                for (index_t j = 0; j < W; ++j) twiddles_.push_back(detail::root<S>(j * k, length).cosine);
                for (index_t j = 0; j < W; ++j) twiddles_.push_back(detail::root<S>(j * k, length).sine);
            }
        } else {
            const index_t good = good_size(detail::chirp<S, single>::least(length));
            chirp_ = std::make_unique<detail::chirp<S, single>>(length, single(good), plan<double>(good));
        }
    }

    index_t length() const { return length_; }
    index_t bins() const { return length_ / 2 + 1; }
    index_t samples_size() const { return length_; }
    /// bins() real parts, then bins() imaginary parts.
    index_t spectrum_size() const { return 2 * bins(); }
    index_t gap() const { return bins(); }
    index_t scratch_size() const { return chirp_ ? chirp_->scratch_size() : inner_.spectrum_size(); }

    /// x: samples_size() numbers, kept;  spectrum: spectrum_size();  scratch: scratch_size().
    void forward(const S* x, S* spectrum, S* scratch) const {
        if (chirp_) return chirp_->forward(x, spectrum, gap(), scratch);
        inner_.forward(x, scratch);
        const index_t m = inner_.length();
        S *re = spectrum, *im = spectrum + bins();
        squares([&](index_t k, index_t count) {
            V a[W], b[W];
#pragma GCC unroll 16
            for (int i = 0; i < W; ++i) {
                const index_t row = std::min(k + i, inner_.bins() - 1) * 2 * W;
                V r, q, c, s;
                simd::load<S>(r, scratch + row), simd::load<S>(q, scratch + row + W);
                simd::load<S>(c, twiddles_.data() + row), simd::load<S>(s, twiddles_.data() + row + W);
                a[i] = r * c + q * s, b[i] = q * c - r * s;
            }
            simd::turn<S>(a), simd::turn<S>(b);
            detail::butterfly<W, S>(a, b);
#pragma GCC unroll 16
            for (int l = 0; l < W; ++l) {
                const bool mirrored = l >= W / 2;
                const index_t first = mirrored ? m * (W - l) - k - (count - 1) : m * l + k;
                if (mirrored) simd::reverse<S>(a[l]), simd::reverse<S>(b[l]), b[l] = -b[l];
                put(re + first, a[l], count, mirrored), put(im + first, b[l], count, mirrored);
            }
        });
    }

    /// The inverse, scaled so that inverse(forward(x)) = x. spectrum: kept.
    void inverse(const S* spectrum, S* x, S* scratch) const {
        if (chirp_) return chirp_->inverse(spectrum, gap(), x, scratch);
        const index_t m = inner_.length();
        const S *re = spectrum, *im = spectrum + bins();
        squares([&](index_t k, index_t count) {
            V a[W], b[W];
#pragma GCC unroll 16
            for (int l = 0; l < W; ++l) {
                const bool mirrored = l >= W / 2;
                const index_t first = mirrored ? m * (W - l) - k - (count - 1) : m * l + k;
                take(a[l], re + first, count, mirrored), take(b[l], im + first, count, mirrored);
                if (mirrored) simd::reverse<S>(a[l]), simd::reverse<S>(b[l]), b[l] = -b[l];
            }
            detail::butterfly<W, S>(b, a);
            simd::turn<S>(a), simd::turn<S>(b);
            const S scale = S{1} / static_cast<S>(W);
#pragma GCC unroll 16
            for (int i = 0; i < W; ++i) {
                if (i >= count) break;
                const index_t row = (k + i) * 2 * W;
                V c, s;
                simd::load<S>(c, twiddles_.data() + row), simd::load<S>(s, twiddles_.data() + row + W);
                c *= scale, s *= scale;
                const V r = a[i] * c - b[i] * s, q = b[i] * c + a[i] * s;
                simd::store<S>(scratch + row, r), simd::store<S>(scratch + row + W, q);
            }
        });
        inner_.inverse(scratch, x);
    }

private:
    static constexpr int W = simd::lanes<S>;
    using V = simd::pack<S>;
    static bool direct(index_t length) { return length >= 1 && length % W == 0 && is_good_size(length / W); }

    /// f(first bin, bins) over the bins of the inner transform, W at a time; the last square goes back as far as it must.
    template <class F>
    void squares(F&& f) const {
        const index_t bins = inner_.bins();
        if (bins < W) return f(0, bins);
        for (index_t k = 0; k + W <= bins; k += W) f(k, W);
        if (bins % W) f(bins - W, W);
    }
    /// The first `count` lanes, or the last ones when the register is reversed.
    static void put(S* to, const V& x, index_t count, bool reversed) {
        if (count == W) return simd::store<S>(to, x);
        for (index_t i = 0; i < count; ++i) to[i] = x[reversed ? W - count + i : i];
    }
    static void take(V& x, const S* from, index_t count, bool reversed) {
        if (count == W) return simd::load<S>(x, from);
        x = V{};
        for (index_t i = 0; i < count; ++i) x[reversed ? W - count + i : i] = from[i];
    }

    index_t length_;
    plan<S> inner_;
    buffer<S> twiddles_;  ///< a row a bin: w_N^{jk} of the W sequences, cosines then sines
    std::unique_ptr<detail::chirp<S, single>> chirp_;
};

}  // namespace hrm::fourier
