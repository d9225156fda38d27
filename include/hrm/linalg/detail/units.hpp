#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/core/matrix.hpp>

// Units of the states for both Gramian equations. A Schur form in the units D is exact for A + E, |E| ~ eps |D^-1 A D| in
// them, and E moves Hankel singular values by up to
//     |E| |D^-1 Lc| |D Lo|     times the size of a resolvent,
// while they themselves do not depend on D. Balancing A alone makes the first factor least, but where A is nearly triangular
// its couplings become as small as its eigenvalues, and Lc and Lo, of which it knows nothing, grow by far more. What D is
// good shows once they are there.

namespace hrm::detail {

/// a <- D^-1 a D.
inline void into_units(matrix<double>& a, const buffer<double>& d) {
    for (index_t i = 0; i < a.rows(); ++i)
        for (index_t j = 0; j < a.cols(); ++j) a(i, j) *= d[static_cast<std::size_t>(j)] / d[static_cast<std::size_t>(i)];
}

/// So much less must the square of |T^-1 A T| |T^-1 u| |T v| be.
inline constexpr double units_worth = 1e3;

/// Whether other units may win that:  |T^-1 u| |T v| >= sum_i u_i v_i  in all of them, and |T^-1 A T| >= |A|, A balanced.
inline bool may_gain(const std::vector<double>& u, const std::vector<double>& v) {
    double largest_u = 0, largest_v = 0, squares_u = 0, squares_v = 0, both = 0;
    for (std::size_t i = 0; i < u.size(); ++i) largest_u = std::max(largest_u, u[i]), largest_v = std::max(largest_v, v[i]);
    if (!(largest_u > 0 && largest_v > 0)) return false;
    for (std::size_t i = 0; i < u.size(); ++i) {
        const double x = u[i] / largest_u, y = v[i] / largest_v;
        squares_u += x * x;
        squares_v += y * y;
        both += x * y;
    }
    return squares_u * squares_v > units_worth * both * both;
}

/// Units t, powers of two, in which |T^-1 A T|_F |T^-1 u| |T v| is thirty times less than in the present ones and, state by
/// state, least: its logarithm is convex in those of t. Empty where that much is not to be had.  a: n x n;  u, v: n lengths, not
/// negative.  O(n), or O(n^2) a round.
inline buffer<double> better_units(matrix<double> a, std::vector<double> u, std::vector<double> v) {
    if (!may_gain(u, v)) return {};
    const index_t n = a.rows();
    const auto largest_u = *std::max_element(u.begin(), u.end()), largest_v = *std::max_element(v.begin(), v.end());
    double squares_u = 0, squares_v = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
        u[i] /= largest_u;
        v[i] /= largest_v;
        squares_u += u[i] * u[i];
        squares_v += v[i] * v[i];
    }
    buffer<double> t(u.size(), 1.0);
    double squares_a = 0, gain = 1;
    for (double x : a.flat()) squares_a += x * x;
    bool again = true;
    for (int round = 0; again && round < 50; ++round) {
        again = false;
        for (index_t i = 0; i < n; ++i) {
            const auto at = static_cast<std::size_t>(i);
            double row = 0, col = 0;
            for (index_t j = 0; j < n; ++j) {
                if (j == i) continue;
                row += a(i, j) * a(i, j);
                col += a(j, i) * a(j, i);
            }
            const double in = u[at] * u[at], out = v[at] * v[at];
            const auto grown = [&](double f) {  // the product's square, over the present one
                const double q = f * f;
                return (1 + (row * (1 / q - 1) + col * (q - 1)) / squares_a) * (1 + in * (1 / q - 1) / squares_u) * (1 + out * (q - 1) / squares_v);
            };
            double f = 1, least = 1;
            for (const double step : {2.0, 0.5})
                for (double x = step; grown(x) < least; x *= step) least = grown(f = x);
            if (!(least < 0.9)) continue;
            again = true;
            gain /= least;
            t[at] *= f;
            u[at] /= f;
            v[at] *= f;
            squares_a += row * (1 / (f * f) - 1) + col * (f * f - 1);
            squares_u += in * (1 / (f * f) - 1);
            squares_v += out * (f * f - 1);
            for (index_t j = 0; j < n; ++j) a(j, i) *= f;
            for (index_t j = 0; j < n; ++j) a(i, j) /= f;
        }
        // Differences of large sums leave nothing of small ones.
        squares_a = squares_u = squares_v = 0;
        for (double x : a.flat()) squares_a += x * x;
        for (double x : u) squares_u += x * x;
        for (double x : v) squares_v += x * x;
    }
    return gain > units_worth ? t : buffer<double>{};
}

}  // namespace hrm::detail
