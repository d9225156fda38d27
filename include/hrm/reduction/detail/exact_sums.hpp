#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/matrix.hpp>

namespace hrm::detail {

/// Many sums without rounding: exact_sum for whole arrays. A number is seven digits of 32 bits, the lowest worth 2^-112,
/// each in 64 bits so that carries wait; a digit has an array of its own, made when a number first reaches it: two for most
/// data in float, whose digits are worth 2^-16 and 2^-48. Integer addition, hence associative and commutative to the bit. 8 bytes a number and digit.
class exact_sums {
public:
    static constexpr int digits = 7, lowest = -112;

    explicit exact_sums(index_t count = 0) : count_(count) {}
    index_t count() const { return count_; }

    /// sum_i += x_i, cut to a multiple of 2^-112;  |x_i| < 2^110.  x: count numbers, destroyed.
    template <real S>
    void add(S* x) {
        for (index_t first = 0; first < count_; first += piece) add(x + first, first, std::min(piece, count_ - first));
        due(1);
    }
    void merge(const exact_sums& other) {
        for (int k = 0; k < digits; ++k) {
            const auto& from = other.digits_[static_cast<std::size_t>(k)];
            if (from.empty()) continue;
            std::int64_t* to = digit(k);
            for (index_t i = 0; i < count_; ++i) to[i] += from[static_cast<std::size_t>(i)];
        }
        due(other.pending_ + 1);
    }
    /// What another kind of worker summed so: count digits of place k, each at most 2^62.
    void merge(int k, const std::int64_t* from) {
        std::int64_t* to = digit(k);
        for (index_t i = 0; i < count_; ++i) to[i] += from[i];
    }
    /// Digits in [-2^31, 2^31), the one way to write a sum so; arrays of zeros go.
    void carry() {
        constexpr std::int64_t base = std::int64_t{1} << 32;
        for (int k = 0; k < digits; ++k) {
            auto& own = digits_[static_cast<std::size_t>(k)];
            bool zero = true;
            for (std::size_t i = 0; i < own.size(); ++i) {
                const std::int64_t up = k + 1 < digits ? (own[i] + base / 2) >> 32 : 0;
                if (up != 0) {
                    own[i] -= up * base;
                    digit(k + 1)[i] += up;
                }
                zero = zero && own[i] == 0;
            }
            if (zero) own = {};
        }
        pending_ = 0;
    }
    /// Sum i to double precision: a function of the sum alone. After carry().
    double value(index_t i) const {
        double x = 0;
        for (int k = 0; k < digits; ++k)
            if (const auto& d = digits_[static_cast<std::size_t>(k)]; !d.empty())
                x += std::ldexp(static_cast<double>(d[static_cast<std::size_t>(i)]), lowest + 32 * k);
        return x;
    }

    /// All there is, after carry(), behind what `to` holds:  a mask of the digits, then their arrays.
    void write(std::vector<std::int64_t>& to) const {
        std::int64_t mask = 0;
        for (int k = 0; k < digits; ++k) mask |= std::int64_t{!digits_[static_cast<std::size_t>(k)].empty()} << k;
        to.push_back(mask);
        for (const auto& d : digits_) to.insert(to.end(), d.begin(), d.end());
    }
    /// What write() wrote; `from` shrinks by what was read. False if it is too short or no such thing.
    bool read(std::span<const std::int64_t>& from) {
        if (from.empty() || from[0] < 0 || from[0] >= 1 << digits) return false;
        const auto mask = from[0];
        from = from.subspan(1);
        for (int k = 0; k < digits; ++k) {
            digits_[static_cast<std::size_t>(k)] = {};
            if (!((mask >> k) & 1)) continue;
            if (from.size() < static_cast<std::size_t>(count_)) return false;
            std::copy_n(from.begin(), count_, digit(k));
            from = from.subspan(static_cast<std::size_t>(count_));
        }
        pending_ = 1;
        return true;
    }

private:
    template <class S>
    using bits = std::conditional_t<sizeof(S) == 4, std::int32_t, std::int64_t>;

    static constexpr index_t piece = 2048;     // numbers that stay in the nearest cache
    static constexpr double shift = 0x1.8p52;  // of numbers from 2^52 to 2^53 the last bit is worth 1

    template <real S>
    void add(S* __restrict x, index_t first, index_t size) {
        auto largest = magnitude(x, size);
        for (int k = digits; k-- > 0 && largest > 0;) {
            const S quantum = static_cast<S>(std::ldexp(1.0, lowest + 32 * k));
            if (largest < std::bit_cast<decltype(largest)>(quantum)) continue;
            const double inverse = std::ldexp(1.0, -lowest - 32 * k);
            std::int64_t* __restrict to = digit(k) + first;
            const auto take = [&](auto whole) {
                for (index_t i = 0; i < size; ++i) {
                    const double part = whole(static_cast<double>(x[i]) * inverse);  // at most 2^32
                    to[i] += std::bit_cast<std::int64_t>(part + shift) - std::bit_cast<std::int64_t>(shift);
                    x[i] -= static_cast<S>(part) * quantum;  // leading bits of x: nothing is rounded
                }
            };
            // The nearest integer, in vectors, where what is left then ends above 2^-112 and nothing will be cut off.
            if (k > 1) take([](double t) { return (t + shift) - shift; });
            else take([](double t) { return std::trunc(t); });
            largest = magnitude(x, size);
        }
    }
    /// The largest |x_i| as bits, which order as the numbers do: integers vectorise where float comparisons may trap.
    template <real S>
    static bits<S> magnitude(const S* x, index_t size) {
        bits<S> largest = 0;
        for (index_t i = 0; i < size; ++i)
            largest = std::max<bits<S>>(largest, std::bit_cast<bits<S>>(x[i]) & std::numeric_limits<bits<S>>::max());
        return largest;
    }
    std::int64_t* digit(int k) {
        auto& d = digits_[static_cast<std::size_t>(k)];
        if (d.empty()) d.resize(static_cast<std::size_t>(count_));
        return d.data();
    }
    // An array holds 2^31 additions of 32 bits; carry long before.
    void due(index_t additions) {
        pending_ += additions;
        if (pending_ >= (index_t{1} << 28)) {
            carry();
            pending_ = 1;
        }
    }
    index_t count_, pending_ = 0;
    std::array<buffer<std::int64_t>, digits> digits_;
};

}  // namespace hrm::detail
