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
#include <hrm/linalg/detail/gemm_kernel.hpp>

namespace hrm::detail {

/// Many sums without rounding: exact_sum for whole arrays, by pieces of numbers that lie in the nearest cache together.
///     sum = sum_k digit_k 2^(low + 32 k)
/// A digit is a 64-bit integer, so that carries wait; the digits k of a piece are an array, made when a number first reaches
/// it. Integer addition, hence associative and commutative to the bit, and that whatever low a piece has: it is chosen so
/// that one digit takes every bit of most floats. An addition then reads and writes 8 bytes a number; two or three arrays,
/// 16 or 24 bytes, are what it comes to after thousands of them.
class exact_sums {
public:
    static constexpr int digits = 7, lowest = -112;

    explicit exact_sums(index_t count = 0) : count_(count) {
        for (index_t first = 0; first < count; first += piece) parts_.push_back({std::min(piece, count - first)});
    }
    index_t count() const { return count_; }

    /// What the next addition reads and writes, as far as the last one tells: one run for each of pieces().
    index_t pieces() const { return static_cast<index_t>(parts_.size()); }
    std::span<const memory_run> recent(std::span<memory_run> runs) const {
        for (std::size_t n = 0; n < parts_.size(); ++n) {
            const auto& d = parts_[n].digit[at(parts_[n].recent)];
            runs[n] = {d.data(), static_cast<index_t>(d.size() * sizeof(d[0]))};
        }
        return runs.first(parts_.size());
    }

    /// sum_i += x_i, cut to a multiple of 2^-112;  |x_i| < 2^110.  x: count numbers, destroyed.
    template <real S>
    void add(S* x) {
        for (auto& p : parts_) {
            add(p, x);
            x += p.count;
        }
        if (++pending_ >= most) settle();
    }
    void merge(const exact_sums& other) {
        settle();
        for (std::size_t n = 0; n < parts_.size(); ++n) {
            auto from = other.parts_[n];
            settle(from);
            for (int k = 0; k <= digits; ++k)
                if (const auto& d = from.digit[at(k)]; !d.empty()) put(parts_[n], from.low + 32 * k, d.data());
        }
        settle();
    }
    /// What another kind of worker summed so, digits worth 2^(-112 + 32 k), each at most 2^62: arrays of count for all k.
    /// apart: from the array of one k to that of the next.
    void merge(const std::int64_t* from, index_t apart) {
        settle();
        for (auto& p : parts_) {
            for (int k = 0; k < digits; ++k) put(p, lowest + 32 * k, from + k * apart);
            from += p.count;
        }
        settle();
    }
    /// Digits in [-2^31, 2^31) worth 2^(-112 + 32 k), the one way to write a sum so; arrays of zeros go.
    void carry() {
        settle();
        for (auto& p : parts_) {
            align(p, lowest);
            for (auto& d : p.digit)
                if (std::all_of(d.begin(), d.end(), [](std::int64_t v) { return v == 0; })) d = {};
        }
    }
    /// Sum i to double precision: a function of the sum alone. After carry().
    double value(index_t i) const {
        const auto& p = parts_[static_cast<std::size_t>(i / piece)];
        double x = 0;
        for (int k = 0; k < digits; ++k)
            if (const auto& d = p.digit[at(k)]; !d.empty())
                x += std::ldexp(static_cast<double>(d[static_cast<std::size_t>(i % piece)]), lowest + 32 * k);
        return x;
    }

    /// All there is, after carry(), behind what `to` holds:  a mask of the digits, then their arrays.
    void write(std::vector<std::int64_t>& to) const {
        std::int64_t mask = 0;
        for (int k = 0; k < digits; ++k)
            for (const auto& p : parts_) mask |= std::int64_t{!p.digit[at(k)].empty()} << k;
        to.push_back(mask);
        for (int k = 0; k < digits; ++k)
            for (std::size_t n = 0; n < parts_.size() && (mask >> k) & 1; ++n)
                if (const auto& d = parts_[n].digit[at(k)]; !d.empty()) to.insert(to.end(), d.begin(), d.end());
                else to.insert(to.end(), static_cast<std::size_t>(parts_[n].count), 0);
    }
    /// What write() wrote; `from` shrinks by what was read. False if it is too short or no such thing.
    bool read(std::span<const std::int64_t>& from) {
        if (from.empty() || from[0] < 0 || from[0] >= 1 << digits) return false;
        const auto mask = from[0];
        from = from.subspan(1);
        *this = exact_sums(count_);
        for (int k = 0; k < digits; ++k) {
            if (!((mask >> k) & 1)) continue;
            if (from.size() < static_cast<std::size_t>(count_)) return false;
            const std::int64_t end = k + 1 < digits ? base / 2 : std::int64_t{1} << 61;  // the last one is carried nowhere
            for (std::int64_t v : from.first(static_cast<std::size_t>(count_)))
                if (v < -end || v >= end) return false;
            for (auto& p : parts_) {
                std::copy_n(from.begin(), p.count, array(p, k));
                from = from.subspan(static_cast<std::size_t>(p.count));
            }
        }
        pending_ = 1;
        return true;
    }

private:
    template <class S>
    using bits = std::conditional_t<sizeof(S) == 4, std::int32_t, std::int64_t>;

    static constexpr index_t piece = 2048;
    static constexpr int room = 50;                       // bits that an addition may give a digit
    static constexpr index_t most = index_t{1} << 12;     // additions before they are carried: 2^62
    static constexpr int spare = 5, least = 38;           // bits of room left where low is chosen; bits below which it is a misfit
    static constexpr int patience = 16;                   // misfits that cost as much as a better low

    /// Digit k is worth 2^(low + 32 k), -144 < low <= -112. What is kept are multiples of 2^-112 all the same.
    struct part {
        index_t count;
        int low = lowest, misfits = patience - 1;  // the first misfit finds a better one
        int recent = 0;  // the digit that was added to last
        std::array<buffer<std::int64_t>, digits + 1> digit = {};
        int last() const { return low == lowest ? digits - 1 : digits; }
    };

    static constexpr std::size_t at(int k) { return static_cast<std::size_t>(k); }

    template <real S>
    static void add(part& p, S* __restrict x) {
        const index_t count = p.count;
        bool first = true;
        for (auto size = magnitudes(x, count); size.largest > 0; size = magnitudes(x, count), first = false) {
            const int above = std::ilogb(std::bit_cast<S>(size.largest)) + 1;  // |x_i| < 2^above
            int k = digit_for(p, above);
            if (first && p.low + 32 * k > above - least && ++p.misfits >= patience) {
                align(p, lowest - ((lowest - (above - room + spare)) & 31));
                k = digit_for(p, above);
            }
            // Of numbers from 2^52 to 2^53 quanta the last bit is worth one: the sum is the nearest integer, its bits the addend.
            const int unit = p.low + 32 * k;
            const double shift = std::ldexp(0x1.8p52, unit);
            std::int64_t* __restrict to = array(p, k);
            p.recent = k;
            const auto addend = [](double sum, double zero) { return std::bit_cast<std::int64_t>(sum) - std::bit_cast<std::int64_t>(zero); };
            if (std::ilogb(std::bit_cast<S>(size.smallest)) >= std::max(unit, lowest) + std::numeric_limits<S>::digits - 1) {
                for (index_t i = 0; i < count; ++i) to[i] += addend(static_cast<double>(x[i]) + shift, shift);  // not a bit is left
                return;
            }
            if (first && unit < lowest)  // the digit would take bits that do not count
                for (index_t i = 0; i < count; ++i) x[i] = static_cast<S>(cut(static_cast<double>(x[i])));
            std::uint64_t rest = 0;
            for (index_t i = 0; i < count; ++i) {
                const double t = static_cast<double>(x[i]), sum = t + shift;
                to[i] += addend(sum, shift);
                rest |= std::bit_cast<std::uint64_t>(t - (sum - shift));
            }
            if (rest == 0) return;
            for (index_t i = 0; i < count; ++i) {  // the last bits of x, once it is cut: nothing is rounded
                const double t = static_cast<double>(x[i]);
                x[i] = static_cast<S>((first ? cut(t) : t) - ((t + shift) - shift));
            }
        }
    }
    /// To a multiple of 2^-112: from 2^-60 on a double is one.
    static double cut(double t) { return std::abs(t) < 0x1p-59 ? std::trunc(t * 0x1p112) * 0x1p-112 : t; }
    static int digit_for(const part& p, int above) { return std::max(0, (above - room - p.low + 31) / 32); }
    /// The largest |x_i|, and the smallest that is not zero, as bits, which order as the numbers do: integers vectorise where
    /// float comparisons may trap.
    template <real S>
    static auto magnitudes(const S* x, index_t size) {
        using word = bits<S>;
        struct {
            word largest = 0, smallest = std::numeric_limits<word>::max();
        } out;
        for (index_t i = 0; i < size; ++i) {
            const word v = std::bit_cast<word>(x[i]) & std::numeric_limits<word>::max();
            out.largest = std::max(out.largest, v);
            out.smallest = std::min(out.smallest, (v - 1) & std::numeric_limits<word>::max());  // a zero would be the largest
        }
        if (out.largest > 0) ++out.smallest;
        return out;
    }
    static std::int64_t* array(part& p, int k) {
        auto& d = p.digit[at(k)];
        if (d.empty()) d.resize(static_cast<std::size_t>(p.count));
        return d.data();
    }
    /// p += from 2^exponent, multiples of 2^-112; one of each exponent fits beside settled digits.
    static void put(part& p, int exponent, const std::int64_t* from) {
        const int up = exponent - p.low;
        if (up < 0) {  // multiples of 2^low
            std::int64_t* to = array(p, 0);
            for (index_t i = 0; i < p.count; ++i) to[i] += from[i] >> -up;
            return;
        }
        std::int64_t used = 0, high = 0;
        for (index_t i = 0; i < p.count; ++i) used |= from[i], high |= (from[i] + base / 2) >> 32;
        if (used == 0) return;
        std::int64_t *to = array(p, up / 32), *next = high != 0 && up / 32 < p.last() ? array(p, up / 32 + 1) : nullptr;
        const std::int64_t factor = std::int64_t{1} << up % 32;
        if (!next)
            for (index_t i = 0; i < p.count; ++i) to[i] += from[i] * factor;
        else
            for (index_t i = 0; i < p.count; ++i) {
                const std::int64_t carried = (from[i] + base / 2) >> 32;
                to[i] += (from[i] - carried * base) * factor;
                next[i] += carried * factor;
            }
    }
    /// Digits in [-2^31, 2^31), the highest but for its sign.
    static void settle(part& p) {
        for (int k = 0; k < p.last(); ++k) {
            auto& own = p.digit[at(k)];
            std::int64_t high = 0;
            for (std::int64_t v : own) high |= (v + base / 2) >> 32;
            if (high == 0) continue;
            std::int64_t* next = array(p, k + 1);
            for (std::size_t i = 0; i < own.size(); ++i) {
                const std::int64_t up = (own[i] + base / 2) >> 32;
                own[i] -= up * base;
                next[i] += up;
            }
        }
    }
    void settle() {
        for (auto& p : parts_) settle(p);
        pending_ = 1;
    }
    /// The same sums with another low.
    static void align(part& p, int low) {
        p.misfits = 0;
        if (p.low == low) return;
        settle(p);
        part other{p.count, low, 0};
        for (int k = 0; k <= digits; ++k)
            if (const auto& d = p.digit[at(k)]; !d.empty()) put(other, p.low + 32 * k, d.data());
        settle(other);
        p = std::move(other);
    }

    static constexpr std::int64_t base = std::int64_t{1} << 32;
    index_t count_, pending_ = 0;
    std::vector<part> parts_;
};

}  // namespace hrm::detail
