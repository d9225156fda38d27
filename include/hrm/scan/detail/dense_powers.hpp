#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm::scan::detail {

/// A^k for a dense A, by squaring, 2 n^3 flop in blocked products each. An error of the power comes back in every chunk that
/// uses it: over N steps it is N eps at worst. Beside states of a float eps = 2^-53 is nothing. States in double want 2^-60
/// and better: then powers are kept as sums of two doubles, and a product is three,
///     X Y = X1 Y1 + X1 (Y - Y1) + (X - X1) Y
/// X1 and Y1 the leading bits, by row and by column, so few that the first is exact; the others are 2^-21 of it, and so are
/// their roundings. (Ozaki et al., Numer. Algorithms 59 (2012).)
template <real S>
class dense_powers {
public:
    explicit dense_powers(index_t n) : n_(n), base_(n, n), high_(n, n), low_(half(), half()), first_(half(), half()), second_(half(), half()), next_low_(half(), half()) {}

    /// out = a^exponent, exponent >= 1.   O(n^3 log exponent).
    void raise(matrix_view<const S> a, index_t exponent, matrix<double>& out) {
        for (index_t i = 0; i < n_; ++i)
            for (index_t j = 0; j < n_; ++j) base_(i, j) = out(i, j) = static_cast<double>(a(i, j));
        std::fill_n(low_.data(), low_.size(), 0.0);
        for (index_t bit = static_cast<index_t>(std::bit_floor(static_cast<std::size_t>(exponent))) / 2; bit > 0; bit /= 2) {
            times(out, out, low_);
            if (exponent & bit) times(out, base_, {});
        }
    }

private:
    static constexpr bool twofold = sizeof(S) == sizeof(double);
    index_t half() const { return twofold ? n_ : 0; }  ///< what only sums of two need

    /// x + low_ = (x + low_) (y + y_low); y_low may be empty.
    void times(matrix<double>& x, const matrix<double>& y, const matrix<double>& y_low) {
        if constexpr (twofold) {
            leading(x, first_, true), leading(y, second_, false);
            multiply(std::as_const(first_).view(), std::as_const(second_).view(), high_.view());
            for (index_t i = 0; i < y.size(); ++i) second_.data()[i] = (y.data()[i] - second_.data()[i]) + (y_low.empty() ? 0.0 : y_low.data()[i]);
            multiply(std::as_const(first_).view(), std::as_const(second_).view(), next_low_.view());
            for (index_t i = 0; i < x.size(); ++i) first_.data()[i] = (x.data()[i] - first_.data()[i]) + low_.data()[i];
            multiply(std::as_const(first_).view(), y.view(), next_low_.view(), into::add);
            for (index_t i = 0; i < x.size(); ++i) {  // Knuth's two-sum
                const double p = high_.data()[i], q = next_low_.data()[i], sum = p + q, part = sum - p;
                x.data()[i] = sum, low_.data()[i] = (p - (sum - part)) + (q - part);
            }
        } else {
            multiply(std::as_const(x).view(), y.view(), high_.view());
            std::swap(x, high_);
        }
    }
    /// The leading bits of the rows of x, or of its columns: products of n of them fit a double.
    void leading(const matrix<double>& x, matrix<double>& to, bool rows) {
        const int bits = (53 - static_cast<int>(std::bit_width(static_cast<std::size_t>(n_)))) / 2;
        const auto round = [&](index_t i, index_t j, double size) {
            if (!(size > 0 && std::isfinite(size))) return void(to(i, j) = 0);
            const double large = std::ldexp(1.5, std::ilogb(size) + 1 - bits + 52);  // whose last place is the wanted one
            to(i, j) = (x(i, j) + large) - large;
        };
        if (rows)
            for (index_t i = 0; i < n_; ++i) {
                double size = 0;
                for (index_t j = 0; j < n_; ++j) size = std::max(size, std::abs(x(i, j)));
                for (index_t j = 0; j < n_; ++j) round(i, j, size);
            }
        else {
            double* sizes = next_low_.data();  // not in use yet
            std::fill_n(sizes, n_, 0.0);
            for (index_t i = 0; i < n_; ++i)
                for (index_t j = 0; j < n_; ++j) sizes[j] = std::max(sizes[j], std::abs(x(i, j)));
            for (index_t i = 0; i < n_; ++i)
                for (index_t j = 0; j < n_; ++j) round(i, j, sizes[j]);
        }
    }

    index_t n_;
    matrix<double> base_, high_, low_, first_, second_, next_low_;
};

}  // namespace hrm::scan::detail
