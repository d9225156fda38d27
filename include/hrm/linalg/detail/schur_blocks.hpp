#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>

#include <hrm/core/matrix.hpp>

// The 1 x 1 and 2 x 2 blocks on the diagonal of a real Schur form: their eigenvalues, their standard form, and how two
// neighbours change places. A 2 x 2 block holds a conjugate pair; standard is [a b; c a] with b c < 0.

namespace hrm::detail {

/// Below the first a length may have few digits; of numbers times the second it has them all.
inline constexpr double few_digits = 0x1p-960, into_range = 0x1p600;

/// |(f(0) .. f(n - 1))| with all its digits, of the numbers times the unit.
struct length_in_unit {
    double length, unit;
};
template <class F>
length_in_unit length_of(index_t n, F f) {
    const auto in = [&](double unit) {
        double length = 0;
        for (index_t j = 0; j < n; ++j) length = std::hypot(length, std::abs(f(j) * unit));
        return length;
    };
    const double given = in(1);
    return given < few_digits ? length_in_unit{in(into_range), into_range} : length_in_unit{given, 1};
}

/// (x, y) -> (c x + s y, c y - s x).
struct plane_rotation {
    double c = 1, s = 0;
    void turn(double* x, double* y, index_t n) const {
        for (index_t i = 0; i < n; ++i) {
            const double u = x[i], v = y[i];
            x[i] = c * u + s * v;
            y[i] = c * v - s * u;
        }
    }
    /// Rows i and i + 1 from column `first` on, and columns i and i + 1 of the first `last` rows: a similarity.
    void apply(matrix_view<double> t, index_t i, index_t first, index_t last) const {
        turn(t.row(i) + first, t.row(i + 1) + first, t.cols - first);
        for (index_t r = 0; r < last; ++r) turn(&t(r, i), &t(r, i + 1), 1);
    }
};

/// The one that sends (x, y) to (|(x, y)|, 0).
inline plane_rotation rotation_of(double x, double y) {
    const double length = std::hypot(x, y);
    if (length == 0) return {};
    return length < few_digits ? rotation_of(x * into_range, y * into_range) : plane_rotation{x / length, y / length};
}

/// A power of two by which squares of a block's entries neither vanish nor overflow; 1 where they do not.
inline double block_unit(double a, double b, double c, double d) {
    const double most = std::max({std::abs(a), std::abs(b), std::abs(c), std::abs(d)});
    return std::isfinite(most) && most > 0 && (most < 0x1p-400 || most > 0x1p400) ? std::ldexp(1.0, std::min(1000, -std::ilogb(most))) : 1;
}

/// The eigenvalues of [a b; c d]; a pair's has the positive imaginary part first.
inline std::array<std::complex<double>, 2> block_eigenvalues(double a, double b, double c, double d) {
    if (const double unit = block_unit(a, b, c, d); unit != 1) {
        auto values = block_eigenvalues(a * unit, b * unit, c * unit, d * unit);
        for (auto& x : values) x /= unit;
        return values;
    }
    const double p = (a - d) / 2, disc = p * p + b * c;
    if (disc < 0) return {std::complex<double>{(a + d) / 2, std::sqrt(-disc)}, {(a + d) / 2, -std::sqrt(-disc)}};
    const double z = p + std::copysign(std::sqrt(disc), p);
    return {d + z, z == 0 ? a : d - b * c / z};
}

/// The rotation that brings [a b; c d] to standard form, or to triangular form where the eigenvalues are real.
///     triangular: the eigenvector of d + z is (z, c), z = p +- sqrt(p^2 + b c), p = (a - d)/2
///     equal diagonal: tan(2 angle) = -(a - d)/(b + c)
inline plane_rotation standardize(double a, double b, double c, double d) {
    if (c == 0) return {};
    if (const double unit = block_unit(a, b, c, d); unit != 1) return standardize(a * unit, b * unit, c * unit, d * unit);
    const double p = (a - d) / 2, disc = p * p + b * c;
    if (disc >= 0) return rotation_of(p + std::copysign(std::sqrt(disc), p), c);
    // Of the angle twice as large, halved:  2 cos^2 = 1 + |sum| / length,  2 cos sin = |difference| / length.
    double sum = b + c, difference = a - d;
    if (std::hypot(sum, difference) < few_digits) sum *= into_range, difference *= into_range;
    const double length = std::hypot(sum, difference);
    if (length == 0) return {};
    const double cosine = std::sqrt((1 + std::abs(sum) / length) / 2);
    return {cosine, -std::copysign(difference / 2 / (length * cosine), difference * sum)};
}
/// Brings the block at (i, i) of the quasi-triangular t to standard form; qt: rows are Schur vectors, or empty.
inline void standardize_block(matrix_view<double> t, index_t i, matrix_view<double> qt) {
    const auto turn = standardize(t(i, i), t(i, i + 1), t(i + 1, i), t(i + 1, i + 1));
    const bool split = block_eigenvalues(t(i, i), t(i, i + 1), t(i + 1, i), t(i + 1, i + 1))[0].imag() == 0;
    turn.apply(t, i, i, i + 2);
    if (qt.rows > 0) turn.turn(qt.row(i), qt.row(i + 1), qt.cols);
    if (split) {
        t(i + 1, i) = 0;
        return;
    }
    t(i, i) = t(i + 1, i + 1) = (t(i, i) + t(i + 1, i + 1)) / 2;
    // An equal pair of real eigenvalues that rounding took for a conjugate one leaves no b c < 0: the smaller of b and c,
    // which is that rounding, goes.
    constexpr double least = 1e-30;
    double &b = t(i, i + 1), &c = t(i + 1, i);
    if (std::signbit(b) != std::signbit(c) && std::abs(c) > least * std::abs(b) && std::abs(b) > least * std::abs(c)) return;
    if (std::abs(b) < std::abs(c)) {
        const plane_rotation quarter{0, 1};
        quarter.apply(t, i, i, i + 2);
        if (qt.rows > 0) quarter.turn(qt.row(i), qt.row(i + 1), qt.cols);
    }
    c = 0;
}

/// 1 or 2: the size of the block that starts at i.
inline index_t block_size(matrix_view<const double> t, index_t i) { return i + 1 < t.rows && t(i + 1, i) != 0 ? 2 : 1; }

/// x with M x = f, n <= 4, by elimination with complete pivoting; a vanishing pivot counts as `least`.
inline std::array<double, 4> solve_tiny(std::array<std::array<double, 4>, 4> m, std::array<double, 4> f, index_t n, double least) {
    std::array<std::size_t, 4> column{0, 1, 2, 3};
    const auto size = static_cast<std::size_t>(n);
    for (std::size_t k = 0; k < size; ++k) {
        std::size_t row = k, col = k;
        for (std::size_t i = k; i < size; ++i)
            for (std::size_t j = k; j < size; ++j)
                if (std::abs(m[i][j]) > std::abs(m[row][col])) row = i, col = j;
        std::swap(m[k], m[row]);
        std::swap(f[k], f[row]);
        if (col != k) {
            for (std::size_t i = 0; i < size; ++i) std::swap(m[i][k], m[i][col]);
            std::swap(column[k], column[col]);
        }
        if (std::abs(m[k][k]) < least) m[k][k] = least;
        for (std::size_t i = k + 1; i < size; ++i) {
            const double g = m[i][k] / m[k][k];
            for (std::size_t j = k + 1; j < size; ++j) m[i][j] -= g * m[k][j];
            f[i] -= g * f[k];
        }
    }
    std::array<double, 4> x{};
    for (std::size_t k = size; k-- > 0;) {
        for (std::size_t j = k + 1; j < size; ++j) f[k] -= m[k][j] * f[j];
        f[k] /= m[k][k];
        x[column[k]] = f[k];
    }
    return x;
}

/// Lets the blocks of sizes p, q <= 2 at (i, i) change places: with A X - X B = C the columns of [-X; I] span the invariant
/// subspace of B, and reflections that take it to the front do it.  Bai & Demmel 1993.
inline void swap_blocks(matrix_view<double> t, index_t i, index_t p, index_t q, matrix_view<double> qt) {
    if (p == 1 && q == 1) {
        const auto turn = rotation_of(t(i, i + 1), t(i + 1, i + 1) - t(i, i));
        turn.apply(t, i, i, i + 2);
        t(i + 1, i) = 0;
        turn.turn(qt.row(i), qt.row(i + 1), qt.cols);
        return;
    }
    // (I (x) A - B^T (x) I) vec X = vec C
    std::array<std::array<double, 4>, 4> m{};
    std::array<double, 4> f{};
    double size = 0;
    for (index_t r = 0; r < p + q; ++r)
        for (index_t c = 0; c < p + q; ++c) size = std::max(size, std::abs(t(i + r, i + c)));
    const auto at = [p](index_t r, index_t c) { return static_cast<std::size_t>(c * p + r); };
    for (index_t c = 0; c < q; ++c)
        for (index_t r = 0; r < p; ++r) {
            for (index_t k = 0; k < p; ++k) m[at(r, c)][at(k, c)] += t(i + r, i + k);
            for (index_t k = 0; k < q; ++k) m[at(r, c)][at(r, k)] -= t(i + p + k, i + p + c);
            f[at(r, c)] = t(i + r, i + p + c);
        }
    const auto x = solve_tiny(m, f, p * q, std::numeric_limits<double>::epsilon() * size);
    // Householder QR of [-X; I], each reflection applied at once.
    const index_t n = p + q;
    std::array<std::array<double, 4>, 2> basis{};
    for (index_t c = 0; c < q; ++c) {
        for (index_t r = 0; r < p; ++r) basis[static_cast<std::size_t>(c)][static_cast<std::size_t>(r)] = -x[at(r, c)];
        basis[static_cast<std::size_t>(c)][static_cast<std::size_t>(p + c)] = 1;
    }
    for (index_t c = 0; c < q; ++c) {
        auto v = basis[static_cast<std::size_t>(c)];
        for (index_t r = 0; r < c; ++r) v[static_cast<std::size_t>(r)] = 0;
        auto& head = v[static_cast<std::size_t>(c)];
        double norm = 0;
        for (double e : v) norm += e * e;
        norm = std::sqrt(norm);
        head += std::copysign(norm, head);
        double weight = 0;
        for (double e : v) weight += e * e;
        weight = 2 / weight;
        const auto reflect = [&](auto get, index_t count) {
            for (index_t j = 0; j < count; ++j) {
                double sum = 0;
                for (index_t r = 0; r < n; ++r) sum += v[static_cast<std::size_t>(r)] * get(r, j);
                for (index_t r = 0; r < n; ++r) get(r, j) -= weight * sum * v[static_cast<std::size_t>(r)];
            }
        };
        reflect([&](index_t r, index_t j) -> double& { return t(i + r, i + j); }, t.cols - i);
        reflect([&](index_t r, index_t j) -> double& { return t(j, i + r); }, i + n);
        reflect([&](index_t r, index_t j) -> double& { return qt(i + r, j); }, qt.cols);
        for (auto& b : basis) {
            double sum = 0;
            for (std::size_t r = 0; r < 4; ++r) sum += v[r] * b[r];
            for (std::size_t r = 0; r < 4; ++r) b[r] -= weight * sum * v[r];
        }
    }
    for (index_t r = q; r < n; ++r)
        for (index_t c = 0; c < q; ++c) t(i + r, i + c) = 0;
    if (q == 2) standardize_block(t, i, qt);
    if (p == 2) standardize_block(t, i + q, qt);
}

}  // namespace hrm::detail
