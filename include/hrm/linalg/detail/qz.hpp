#pragma once

#include <utility>
#include <vector>

#include <hrm/linalg/detail/schur.hpp>

// Generalised eigenvalues, for pencils whose B may be nearly singular: A - lambda B is never turned into B^-1 A.

namespace hrm::detail {

/// One eigenvalue alpha / beta, infinite where beta = 0; alpha = beta = 0 where the pencil is singular.
struct eigenvalue_ratio {
    complex alpha = 0, beta = 0;
};

/// The generalised eigenvalues of a - lambda b, n x n both: b to triangular and a to Hessenberg form by rotations from both
/// sides, then the QZ iteration with one complex shift. Backward stable.  O(40 n^3).
/// Throws numerical_error where 40 steps an eigenvalue do not suffice.  Moler & Stewart 1973.
inline std::vector<eigenvalue_ratio> generalized_eigenvalues(std::string_view where, complex_matrix a, complex_matrix b) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    const index_t n = a.rows();
    const auto rows = [](complex_matrix& x, const rotation& r, index_t i, index_t from, index_t to) {
        for (index_t j = from; j < to; ++j) r(x(i, j), x(i + 1, j));
    };
    // The rotation of columns j, j + 1 that sends x(i, j) to zero: it turns (x(i, j + 1), x(i, j)).
    const auto column_rotation = [](const complex_matrix& x, index_t i, index_t j) { return rotation(x(i, j + 1), x(i, j)); };
    const auto columns = [](complex_matrix& x, const rotation& r, index_t j, index_t from, index_t to) {
        for (index_t i = from; i < to; ++i) r(x(i, j + 1), x(i, j));
    };
    for (index_t j = 0; j < n; ++j)
        for (index_t i = n - 2; i >= j; --i) {
            const rotation r(b(i, j), b(i + 1, j));
            rows(b, r, i, j, n);
            rows(a, r, i, 0, n);
            b(i + 1, j) = 0;
        }
    for (index_t j = 0; j + 2 < n; ++j)
        for (index_t i = n - 2; i > j; --i) {
            const rotation r(a(i, j), a(i + 1, j));
            rows(a, r, i, j, n);
            rows(b, r, i, i, n);
            a(i + 1, j) = 0;
            const auto c = column_rotation(b, i + 1, i);
            columns(b, c, i, 0, i + 2);
            columns(a, c, i, 0, n);
            b(i + 1, i) = 0;
        }

    double norm_a = 0, norm_b = 0;
    for (const auto& x : a.flat()) norm_a += std::norm(x);
    for (const auto& x : b.flat()) norm_b += std::norm(x);
    const double small_a = eps * std::sqrt(norm_a), small_b = eps * std::sqrt(norm_b);
    const auto small = [&](index_t k) {  // a(k, k - 1), beside its neighbours where they are anything
        const double beside = std::abs(a(k, k)) + std::abs(a(k - 1, k - 1));
        return std::abs(a(k, k - 1)) <= (beside > 0 ? eps * beside : small_a);
    };
    std::vector<eigenvalue_ratio> values(static_cast<std::size_t>(n));
    const auto settle = [&](index_t k) { values[static_cast<std::size_t>(k)] = {a(k, k), std::abs(b(k, k)) <= small_b ? complex{} : b(k, k)}; };
    index_t steps = 0, since = 0;
    for (index_t hi = n - 1; hi >= 0;) {
        index_t lo = hi;
        while (lo > 0 && !small(lo)) --lo;
        if (lo > 0) a(lo, lo - 1) = 0;
        if (lo == hi) {
            settle(hi--);
            since = 0;
            continue;
        }
        if (std::abs(b(hi, hi)) <= small_b) {  // infinity at the bottom: one rotation of columns frees it
            b(hi, hi) = 0;
            const auto c = column_rotation(a, hi, hi - 1);
            columns(a, c, hi - 1, lo, hi + 1);
            columns(b, c, hi - 1, lo, hi);
            a(hi, hi - 1) = 0;
            continue;
        }
        if (std::abs(b(lo, lo)) <= small_b) {  // at the top: one of rows
            b(lo, lo) = 0;
            const rotation r(a(lo, lo), a(lo + 1, lo));
            rows(a, r, lo, lo, hi + 1);
            rows(b, r, lo, lo + 1, hi + 1);
            a(lo + 1, lo) = 0;
            continue;
        }
        if (++steps > 40 * n) throw numerical_error(std::string(where) + ": the QZ iteration of order " + std::to_string(n) + " does not converge");
        // The eigenvalue of the last 2 x 2 pencil that is nearer to its corner; now and then anything else.
        const complex corner = a(hi, hi) / b(hi, hi);
        complex shift = corner;
        if (++since % 10 == 0) shift = corner + a(hi, hi - 1) / b(hi, hi);
        else if (const complex b0 = b(hi - 1, hi - 1), b1 = b(hi, hi); std::abs(b0) > small_b) {
            // M = (2 x 2 of A) B^-1
            const complex p = a(hi - 1, hi - 1) / b0, q = (a(hi - 1, hi) - p * b(hi - 1, hi)) / b1, r = a(hi, hi - 1) / b0,
                          s = (a(hi, hi) - r * b(hi - 1, hi)) / b1;
            const complex half = (p - s) / 2.0;
            complex root = std::sqrt(half * half + q * r);
            if (std::real(std::conj(half) * root) < 0) root = -root;
            if (const complex sum = half + root; std::abs(sum) > 0) shift = s - q * r / sum;
            else shift = s;
        }
        // First column of (A - shift B) B^-1, its length aside; then the bulge is chased down.
        complex x = a(lo, lo) - shift * b(lo, lo), y = a(lo + 1, lo);
        for (index_t k = lo; k < hi; ++k) {
            const rotation r(x, y);
            rows(a, r, k, std::max(lo, k - 1), hi + 1);
            rows(b, r, k, k, hi + 1);
            if (k > lo) a(k + 1, k - 1) = 0;
            const auto c = column_rotation(b, k + 1, k);
            columns(b, c, k, lo, k + 2);
            columns(a, c, k, lo, std::min(k + 3, hi + 1));
            b(k + 1, k) = 0;
            if (k + 2 <= hi) {
                x = a(k + 1, k);
                y = a(k + 2, k);
            }
        }
    }
    return values;
}

}  // namespace hrm::detail
