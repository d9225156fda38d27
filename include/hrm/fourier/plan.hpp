#pragma once

#include <string>
#include <utility>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/fourier/detail/stockham.hpp>
#include <hrm/fourier/good_size.hpp>

namespace hrm::fourier {

/// Real transforms of one length, planned once, of `lanes` sequences at a time:
///     X_k = sum_t x_t e^{-2 pi i tk / N},   k = 0..N/2
/// The sequences lie in the lanes of the vector registers (row t: sample t of each), so nothing is ever shuffled or
/// transposed. N must be a good size. Calls are const and allocate nothing; threads may share a plan.
///     fourier::plan<float> p(fourier::good_size(2 * time));
///     p.forward(x, spectrum);  p.inverse(spectrum, x);
/// O(N log N) a sequence. Stockham's form: Cochran et al., "What is the fast Fourier transform?", 1967.
template <real S>
class plan {
public:
    static constexpr int lanes = simd::lanes<S>;

    explicit plan(index_t length) : length_(length) {
        if (!is_good_size(length))
            throw shape_error("hrm::fourier::plan: the length is " + std::to_string(length) +
                              ", expected an even product of 2, 3 and 5; next is " + std::to_string(good_size(length)));
        const index_t half = length / 2;
        for (index_t n = half; n > 1;) {
            const int radix = n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : n % 3 == 0 ? 3 : 5;
            stages_.push_back({radix, n / radix, half / n, static_cast<index_t>(twiddles_.size())});
            for (index_t p = 0; p < n / radix; ++p)
                for (int k = 1; k < radix; ++k) push(detail::root<S>(p * k, n));
            n /= radix;
        }
        split_ = static_cast<index_t>(twiddles_.size());
        for (index_t k = 0; k <= half / 2; ++k) push(detail::root<S>(k, length));
    }

    index_t length() const { return length_; }
    index_t bins() const { return length_ / 2 + 1; }
    /// Numbers in a block of samples, and in its spectrum: bins x (lanes real parts, lanes imaginary parts).
    index_t samples_size() const { return length_ * lanes; }
    index_t spectrum_size() const { return bins() * 2 * lanes; }

    /// x: samples_size() (destroyed), spectrum: spectrum_size(). Even and odd samples travel as one complex sequence
    /// of half the length, z = e + i o, and are told apart at the end.
    void forward(S* x, S* spectrum) const { recombine<false>(run(x, spectrum, 0, 1), spectrum); }

    /// The inverse, scaled so that inverse(forward(x)) = x. spectrum: destroyed.
    void inverse(S* spectrum, S* x) const {
        S *start = stages_.size() % 2 ? spectrum : x, *other = stages_.size() % 2 ? x : spectrum;
        recombine<true>(spectrum, start);
        run(start, other, 1, 0);  // real and imaginary parts exchanged: the conjugate transform
        const S scale = S{2} / static_cast<S>(length_);
        for (index_t i = 0; i < samples_size(); ++i) x[i] *= scale;
    }

private:
    using V = simd::pack<S>;
    struct stage_info {
        int radix;
        index_t m, stride, twiddle;
    };
    void push(detail::root<S> w) { twiddles_.push_back(w.cosine), twiddles_.push_back(w.sine); }

    /// All stages, from x to y and back; returns where the result is.
    S* run(S* x, S* y, int re, int im) const {
        for (const auto& s : stages_) {
            const S* w = twiddles_.data() + s.twiddle;
            switch (s.radix) {
                case 2: detail::stage<2>(s.m, s.stride, w, x, y, re, im); break;
                case 3: detail::stage<3>(s.m, s.stride, w, x, y, re, im); break;
                case 4: detail::stage<4>(s.m, s.stride, w, x, y, re, im); break;
                default: detail::stage<5>(s.m, s.stride, w, x, y, re, im);
            }
            std::swap(x, y);
        }
        return x;
    }

    /// Elements k and M - k, M = N/2, are made of each other; w = e^{-2 pi i / N}, z and out may be one:
    ///     E = (z_k + conj z_{M-k}) / 2,   D = (z_k - conj z_{M-k}) / 2,   out_k = E + P,   out_{M-k} = conj(E - P)
    /// forward: P = w^k D / i, z_M = z_0.   inverse: P = i w^-k D, and there is no out_M.
    template <bool inverse>
    void recombine(const S* z, S* out) const {
        constexpr int W = lanes;
        const index_t half = length_ / 2;
        const S* w = twiddles_.data() + split_;
        for (index_t k = 0; k <= half / 2; ++k, w += 2) {
            const S c = w[0], s = w[1];
            const index_t mirror = half - k;
            const S *from = z + k * 2 * W, *back = z + (!inverse && k == 0 ? 0 : mirror) * 2 * W;
            V xr, xi, yr, yi;
            simd::load<S>(xr, from), simd::load<S>(xi, from + W);
            simd::load<S>(yr, back), simd::load<S>(yi, back + W);
            const V er = S(0.5) * (xr + yr), ei = S(0.5) * (xi - yi), dr = S(0.5) * (xr - yr), di = S(0.5) * (xi + yi);
            V pr, pi;
            if constexpr (inverse) pr = -(di * c + dr * s), pi = dr * c - di * s;
            else pr = di * c - dr * s, pi = -(dr * c + di * s);
            S* to = out + k * 2 * W;
            simd::store<S>(to, er + pr), simd::store<S>(to + W, ei + pi);
            if (inverse && k == 0) continue;
            to = out + mirror * 2 * W;
            simd::store<S>(to, er - pr), simd::store<S>(to + W, pi - ei);
        }
    }

    index_t length_;
    index_t split_ = 0;
    std::vector<stage_info> stages_;
    buffer<S> twiddles_;
};

}  // namespace hrm::fourier
