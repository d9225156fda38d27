#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

namespace hrm::detail {

/// A sum of doubles without rounding: a fixed-point number of 10 limbs of 32 bits, quantum 2^-160, each limb in 64 bits so
/// that carries wait. Addition is integer addition, hence associative and commutative to the bit.
class exact_sum {
public:
    static constexpr int limbs = 10, lowest = -160;

    /// x, cut to a multiple of the quantum; |x| < 2^127.
    void add(double x) {
        int exponent = 0;
        const double fraction = std::frexp(x, &exponent);  // x = fraction 2^exponent, |fraction| in [1/2, 1)
        auto bits = static_cast<std::int64_t>(std::ldexp(fraction, 53));
        int place = exponent - 53 - lowest;
        if (place < 0) {
            bits = place < -62 ? 0 : bits / (std::int64_t{1} << -place);
            place = 0;
        }
        // At most 53 + 31 bits: three limbs.
        __extension__ using wide = __int128;
        wide shifted = static_cast<wide>(bits) * (wide{1} << (place % 32));
        for (int l = place / 32; shifted != 0 && l < limbs; ++l) {
            const auto digit = static_cast<std::int64_t>(shifted % (wide{1} << 32));
            limb_[static_cast<std::size_t>(l)] += digit;
            shifted /= wide{1} << 32;
        }
    }
    void merge(const exact_sum& other) {
        for (std::size_t l = 0; l < limbs; ++l) limb_[l] += other.limb_[l];
    }
    /// Carries what is due, so that 2^30 more numbers fit.
    void carry() {
        for (std::size_t l = 0; l + 1 < limbs; ++l) {
            const std::int64_t up = limb_[l] >> 32;  // towards minus infinity: a digit in [0, 2^32) stays
            limb_[l] -= up * (std::int64_t{1} << 32);
            limb_[l + 1] += up;
        }
    }
    /// The carried limbs, the one way to write a sum.
    std::array<std::int64_t, limbs> words() const {
        auto n = *this;
        n.carry();
        return n.limb_;
    }
    static exact_sum from_words(std::span<const std::int64_t, limbs> words) {
        exact_sum n;
        std::copy(words.begin(), words.end(), n.limb_.begin());
        return n;
    }
    /// The value to double precision: a function of the sum alone.
    double value() const {
        auto n = *this;
        n.carry();
        const bool negative = n.limb_[limbs - 1] < 0;
        if (negative) {  // digits of |sum|, so that nothing cancels below
            for (auto& l : n.limb_) l = -l;
            n.carry();
        }
        double x = 0;
        for (std::size_t l = 0; l < limbs; ++l) x += std::ldexp(static_cast<double>(n.limb_[l]), lowest + 32 * static_cast<int>(l));
        return negative ? -x : x;
    }

private:
    std::array<std::int64_t, limbs> limb_{};
};

}  // namespace hrm::detail
