#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/hammarling.hpp>

// How large (s I - T)^-1 becomes on the boundary of stability: at most 2 |X|, T X + X T^T + I = 0, whose symmetry leaves half
// of the work of such an equation. By blocks, with T = [T1 T12; 0 T2] and the trailing X2 known,
//     T1 X12 + X12 T2^T = -T12 X2,     T1 X1 + X1 T1^T = -I - T12 X12^T - X12 T12^T.

namespace hrm::detail {

/// F <- X,  T X + X T^T = F, of at most a few dozen rows, column by column from the last. f: symmetric, its upper triangle read.
/// Returns the diagonal blocks of T, the last one first.
inline std::vector<gramian_block> solve_symmetric(matrix_view<const double> t, matrix_view<double> f) {
    const auto above = columns_above(t);
    matrix<double> x(t.rows, above.cols());  // row j: column j of X, down to its diagonal block
    std::vector<gramian_block> blocks;
    for (index_t i = t.rows; i > 0;) {
        const index_t k = i > 1 && t(i - 1, i - 2) != 0 ? 2 : 1;
        i -= k;
        gramian_block block;
        block.pole = t(i, i);
        if (k == 2) block.pole.imag(std::copysign(std::sqrt(std::abs(t(i, i + 1))) * std::sqrt(std::abs(t(i + 1, i))), t(i, i + 1)));
        for (index_t c = 0; c < k; ++c) {
            for (index_t r = 0; r < k; ++r) block.m[r][c] = t(i + r, i + c);
            double* __restrict own = x.view().row(i + c);
            for (index_t r = 0; r < i + k; ++r) own[r] = f(std::min(r, i + c), std::max(r, i + c));
            for (index_t h = i + k; h < t.rows; ++h) {
                const double *known = x.view().row(h), *column = above.view().row(h), by = t(i + c, h), of = known[i + c];
                for (index_t r = 0; r < i + k; ++r) own[r] -= by * known[r] + of * column[r];
            }
        }
        solve_columns(t.slice_rows(0, i + k).slice_cols(0, i + k), above, block, k, x.view().row(i), k == 2 ? x.view().row(i + 1) : nullptr);
        blocks.push_back(block);
    }
    for (index_t j = 0; j < t.rows; ++j)
        for (index_t i = 0; i <= j; ++i) f(i, j) = f(j, i) = x(j, i);
    return blocks;
}

/// The upper triangle of X,  T X + X T^T + I = 0;  t: n x n, quasi-triangular, every eigenvalue left of the imaginary axis.
/// O(n^3), as products.
inline matrix<double> unit_gramian(matrix_view<const double> t) {
    const index_t n = t.rows, most = n <= 64 ? 64 : 32;
    matrix<double> x(n, n);
    for (index_t i = 0; i < n; ++i) x(i, i) = -1;
    for (index_t e = n, s; e > 0; e = s) {
        s = block_start(t, e, most);
        const auto corner = [&](auto m) { return m.slice_rows(s, e - s).slice_cols(s, e - s); };
        const auto blocks = solve_symmetric(corner(t), corner(x.view()));
        const auto right = x.view().slice_rows(0, s).slice_cols(s, e - s);
        const auto beside = t.slice_rows(0, s).slice_cols(s, e - s);
        multiply(beside, corner(x.view()), right, into::add, -1.0);
        solve_rows(t, blocks, corner(t), right, most);
        constexpr index_t stretch = 96;
        for (index_t j = 0; j < s; j += stretch) {
            const index_t cols = std::min(stretch, s - j), rows = j + cols;
            const auto part = x.view().slice_rows(0, rows).slice_cols(j, cols);
            multiply(right.slice_rows(0, rows), transposed(beside.slice_rows(j, cols)), part, into::add, -1.0);
            multiply(beside.slice_rows(0, rows), transposed(right.slice_rows(j, cols)), part, into::add, -1.0);
        }
    }
    return x;
}

/// |X|_F of an X that this scales, infinite where it is not finite; symmetric: from the upper triangle alone.
inline double length_in_range(matrix<double> x, bool symmetric) {
    const auto row = [&](index_t i) { return std::span(x.view().row(i) + (symmetric ? i : 0), static_cast<std::size_t>(x.cols() - (symmetric ? i : 0))); };
    double largest = 0, square = 0;
    for (index_t i = 0; i < x.rows(); ++i)
        for (double v : row(i)) largest = std::max(largest, std::abs(v));
    const double unit = largest > 0 ? std::ldexp(1.0, std::min(1022, -std::ilogb(largest))) : 1;
    for (index_t i = 0; i < x.rows(); ++i) {
        auto part = row(i);
        for (double& v : part) v *= unit;
        if (symmetric) {
            square += part[0] * part[0];
            part = part.subspan(1);
        }
        square += (symmetric ? 2 : 1) * dot(part.data(), part.data(), static_cast<index_t>(part.size()));
    }
    const double length = std::sqrt(square) / unit;
    return std::isfinite(length) ? length : std::numeric_limits<double>::infinity();
}

/// 2 |X|_F with  T X + X T^T + I = 0  or  T X T^T - X + I = 0, infinite where T, quasi-triangular, is not stable.
/// O(n^3), discrete O(5 n^3).
template <two_sided kind>
double resolvent_of(matrix_view<const double> t) {
    const index_t n = t.rows;
    for (const auto& l : block_eigenvalues(t))
        if (!(kind == two_sided::sum ? l.real() < 0 : std::abs(l) < 1)) return std::numeric_limits<double>::infinity();
    if constexpr (kind == two_sided::sum) {
        return 2 * length_in_range(unit_gramian(t), true);
    } else {
        matrix<double> y(n, n);
        for (index_t i = 0; i < n; ++i) y(i, n - 1 - i) = -1;
        solve_two_sided<kind>(t, turned_over(matrix<double>(t)).view(), y.view());
        return 2 * length_in_range(std::move(y), false);
    }
}

}  // namespace hrm::detail
