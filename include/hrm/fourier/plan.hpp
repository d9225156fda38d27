#pragma once

#include <memory>
#include <string>
#include <utility>

#include <hrm/core/error.hpp>
#include <hrm/fourier/detail/chirp.hpp>
#include <hrm/fourier/detail/complex_transform.hpp>
#include <hrm/fourier/good_size.hpp>

namespace hrm::fourier {

/// Real transforms of one length N >= 1, planned once, of `lanes` sequences at a time:
///     X_k = sum_t x_t e^{-2 pi i tk / N},   k = 0..N/2
/// The sequences lie in the lanes of the vector registers (row t: sample t of each), so nothing is ever shuffled or
/// transposed. Calls are const and allocate nothing; threads may share a plan.
///     fourier::plan<float> p(fourier::good_size(2 * time));
///     p.forward(x, spectrum);  p.inverse(spectrum, x);
/// O(N log N) a sequence: good sizes by radices 2, 3, 4, 5, 8 over half the length (Cooley and Tukey 1965), their odd
/// factors by a complex transform at twice the cost, other lengths by Bluestein's convolution at about seven times.
template <real S>
class plan {
public:
    static constexpr int lanes = simd::lanes<S>;
    static constexpr index_t width = lanes;     ///< numbers in a sample
    static constexpr index_t step = 2 * lanes;  ///< from bin to bin

    explicit plan(index_t length) : length_(length), good_(is_good_size(length)) {
        if (length < 1)
            throw shape_error("hrm::fourier::plan: the length is " + std::to_string(length) + ", expected at least 1");
        using kind = typename detail::complex_transform<S>::kind;
        if (good_) transform_ = {length / 2, kind::real};
        else if (!detail::radices(length).empty()) transform_ = {length, kind::complex};
        else {
            const index_t good = good_size(detail::chirp<S, plan>::least(length));
            chirp_ = std::make_unique<detail::chirp<S, plan>>(length, plan(good), plan<double>(good));
        }
    }

    index_t length() const { return length_; }
    index_t bins() const { return length_ / 2 + 1; }
    /// Numbers in a block of samples, and in its spectrum: bins x (lanes real parts, lanes imaginary parts).
    index_t samples_size() const { return length_ * lanes; }
    index_t spectrum_size() const { return bins() * step; }
    /// From a bin's real parts to its imaginary parts.
    index_t gap() const { return lanes; }
    /// Numbers that forward and inverse need to work in: none for a good size.
    index_t scratch_size() const {
        return chirp_ ? chirp_->scratch_size() : good_ ? 0 : 2 * length_ * step;
    }

    /// x: samples_size() numbers, kept;  spectrum: spectrum_size();  scratch: scratch_size().
    void forward(const S* x, S* spectrum, S* scratch) const {
        if (good_) return transform_.forward(x, spectrum);
        if (chirp_) return chirp_->forward(x, spectrum, gap(), scratch);
        S* y = scratch + length_ * step;
        for (index_t t = 0; t < length_; ++t) {
            std::copy_n(x + t * lanes, lanes, scratch + t * step);
            std::fill_n(scratch + t * step + lanes, lanes, S{0});
        }
        transform_.forward(scratch, y);
        std::copy_n(y, spectrum_size(), spectrum);
    }

    /// The inverse, scaled so that inverse(forward(x)) = x. spectrum: destroyed.
    void inverse(S* spectrum, S* x, S* scratch) const {
        if (good_) return transform_.inverse(spectrum, x);
        if (chirp_) return chirp_->inverse(spectrum, gap(), x, scratch);
        S* y = scratch + length_ * step;
        std::copy_n(spectrum, spectrum_size(), scratch);
        for (index_t k = bins(); k < length_; ++k)
            for (index_t l = 0; l < lanes; ++l) {
                scratch[k * step + l] = spectrum[(length_ - k) * step + l];
                scratch[k * step + lanes + l] = -spectrum[(length_ - k) * step + lanes + l];
            }
        transform_.inverse(scratch, y);
        const S scale = S{1} / static_cast<S>(length_);
        for (index_t t = 0; t < length_; ++t)
            for (index_t l = 0; l < lanes; ++l) x[t * lanes + l] = scale * y[t * step + l];
    }

    /// The same for a good size, which needs no scratch.
    void forward(const S* x, S* spectrum) const {
        require_no_scratch();
        transform_.forward(x, spectrum);
    }
    void inverse(S* spectrum, S* x) const {
        require_no_scratch();
        transform_.inverse(spectrum, x);
    }

private:
    void require_no_scratch() const {
        if (!good_) require_size("hrm::fourier::plan", "the scratch of length " + std::to_string(length_), 0, scratch_size());
    }
    index_t length_;
    bool good_;
    detail::complex_transform<S> transform_;
    std::unique_ptr<detail::chirp<S, plan>> chirp_;
};

}  // namespace hrm::fourier
