#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/simd.hpp>
#include <hrm/reduction/detail/blaschke.hpp>

namespace hrm::detail {

/// Rows of what remains of B in stretches, each by columns: all rows of a small system are one stretch, those of a large one
/// as many as stay in the nearest cache while one step of the elimination after the other goes over them. Real poles first,
/// whose rows have no imaginary part; then pairs. What fills either up to whole registers is a pole at 0 and a row of zeros,
/// which stay zeros.
struct cauchy_rows {
    static constexpr index_t lanes = simd::lanes<double>;
    index_t m, reals, places, length, tallest;  ///< columns of B; places of real poles, and all; numbers in a column of B

    cauchy_rows(index_t columns, index_t q, index_t k)
        : m(columns), reals(whole(q)), places(reals + whole(k)), length(2 * places - reals),
          tallest(whole(std::max<index_t>(32, (index_t{1} << 10) / std::max<index_t>(1, m)))),
          numbers_(static_cast<std::size_t>(5 * places + length * m)) {
        std::fill_n(gap(), 2 * places, 1.0);  // and its inverse
    }

    struct stretch {
        index_t first, count;
        bool has(index_t place) const { return place >= first && place < first + count; }
    };
    stretch around(index_t place) const {
        const index_t begin = is_pair(place) ? reals : 0, end = is_pair(place) ? places : reals;
        const index_t first = begin + (place - begin) / tallest * tallest;
        return {first, std::min(tallest, end - first)};
    }
    template <class F>
    void each_stretch(F f) const {
        for (index_t first = 0; first < places;) {
            const auto s = around(first);
            f(s);
            first += s.count;
        }
    }
    /// Where mode i lies, of q real ones and the pairs behind them.
    index_t place(index_t i, index_t q) const { return i < q ? i : reals + i - q; }
    bool is_pair(index_t place) const { return place >= reals; }
    double* re() { return numbers_.data(); }
    double* im() { return re() + places; }
    double* gap() { return im() + places; }
    double* inverse_gap() { return gap() + places; }
    double* diagonal() { return inverse_gap() + places; }  ///< P_ii
    double* part(stretch s) { return diagonal() + places + s.first * m; }
    double* imaginary_part(stretch s) { return part(s) + beside() * m; }
    /// Imaginary parts of pairs come after all real parts, so many places behind their own.
    index_t beside() const { return places - reals; }

    void set_pole(index_t place, planar l, double own_gap) {
        re()[place] = l.re, im()[place] = l.im, gap()[place] = own_gap;
        inverse_gap()[place] = std::min(1 / own_gap, std::numeric_limits<double>::max());
    }
    /// x[j * apart] + i y[j * apart]; y: null in rows of real poles.
    struct line {
        double *x, *y;
        index_t apart;
    };
    line row(index_t place) {
        const auto s = around(place);
        return {part(s) + place - s.first, is_pair(place) ? imaginary_part(s) + place - s.first : nullptr, s.count};
    }
    void copy(index_t place, cauchy_rows& other, index_t others) {
        set_pole(place, {other.re()[others], other.im()[others]}, other.gap()[others]);
        diagonal()[place] = other.diagonal()[others];
        const auto to = row(place), from = other.row(others);
        for (index_t j = 0; j < m; ++j) {
            to.x[j * to.apart] = from.x[j * from.apart];
            if (to.y) to.y[j * to.apart] = from.y[j * from.apart];
        }
    }
    void erase(index_t place) {
        const auto r = row(place);
        for (index_t j = 0; j < m; ++j) {
            r.x[j * r.apart] = 0;
            if (r.y) r.y[j * r.apart] = 0;
        }
    }
    /// P_ii; returns the largest. Squares below the normal numbers have no digits left to divide by (equal poles leave such
    /// rows): 0.
    double measure(stretch s) {
        const double *x = part(s), *y = is_pair(s.first) ? imaginary_part(s) : nullptr, *inverse = inverse_gap() + s.first;
        double* d = diagonal() + s.first;
        for (index_t i = 0; i < s.count; i += lanes) {
            simd::pack<double> sum{}, v;
            for (const double* part : {x, y})
                for (index_t j = 0; part && j < m; ++j) {
                    simd::load<double>(v, part + j * s.count + i);
                    simd::multiply_add<double>(sum, v, v);
                }
            simd::store<double>(d + i, sum);
        }
        std::int64_t largest = 0;  // bits order as positive numbers do, and integers vectorise where comparisons may trap
        for (index_t i = 0; i < s.count; ++i) {
            d[i] = d[i] > std::numeric_limits<double>::min() ? d[i] * inverse[i] : 0;
            largest = std::max(largest, std::bit_cast<std::int64_t>(d[i]));
        }
        return std::bit_cast<double>(largest);
    }

private:
    static index_t whole(index_t x) { return (x + lanes - 1) / lanes * lanes; }
    buffer<double> numbers_;  // one allocation: small systems feel each
};

}  // namespace hrm::detail
