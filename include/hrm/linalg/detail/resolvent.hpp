#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/hammarling.hpp>

// How large (s I - T)^-1 becomes on the boundary of stability: at most 2 |X|,
//     sum:  T X + X T^T + I = 0,        product:  T X T^T - X + I = 0,
// whose symmetry leaves half of the work of such an equation. By blocks, with T = [T1 T12; 0 T2], the trailing X2 known and
// V = T1 X12 + T12 X2,
//     sum:      V + X12 T2^T = 0,     T1 X1 + X1 T1^T = -I - T12 X12^T - X12 T12^T,
//     product:  X12 = V T2^T,         X1 = T1 X1 T1^T + I + T12 W^T + W T12^T,     W = V - T12 X2 / 2.

namespace hrm::detail {

/// sum:      U with  T U + U M^T = F;  u: F, then U.
/// product:  U and V with  U = V M^T + G,  V = W + T U;  u: G, then U;  v: W, then V.
/// M is that of several blocks, the last one first: its own diagonal blocks, and what m has above them.
template <two_sided kind>
void solve_rows(matrix_view<const double> t, const std::vector<gramian_block>& blocks, matrix_view<const double> m, matrix_view<double> u,
                matrix_view<double> v) {
    constexpr bool product = kind == two_sided::product;
    const auto above = columns_above(t);
    matrix<double> ut(u.cols, above.cols()), vt(product ? u.cols : 0, above.cols());
    const auto& known = product ? vt : ut;
    for (index_t i = 0; i < u.rows; ++i)
        for (index_t j = 0; j < u.cols; ++j) {
            ut(j, i) = u(i, j);
            if constexpr (product) vt(j, i) = v(i, j);
        }
    index_t j = u.cols;
    for (const auto& block : blocks) {
        const index_t k = block.size, after = j;
        j -= k;
        for (index_t c = j; c < j + k; ++c)
            for (index_t h = after; h < u.cols; ++h) axpy(product ? m(c, h) : -m(c, h), known.view().row(h), ut.view().row(c), u.rows);
        const auto columns = [&](matrix<double>& x) { return column_pair{x.view().row(j), x.view().row(j + k - 1)}; };
        solve_columns<kind>(t, above, block, columns(ut), product ? columns(vt) : column_pair{});
    }
    for (index_t i = 0; i < u.rows; ++i)
        for (index_t c = 0; c < u.cols; ++c) {
            u(i, c) = ut(c, i);
            if constexpr (product) v(i, c) = vt(c, i);
        }
}
/// The same for more rows, block by block from below.
template <two_sided kind>
void solve_rows(matrix_view<const double> t, const std::vector<gramian_block>& blocks, matrix_view<const double> m, matrix_view<double> u,
                matrix_view<double> v, index_t most) {
    constexpr bool product = kind == two_sided::product;
    for (index_t bottom = u.rows; bottom > 0;) {
        const index_t top = block_start(t, bottom, most), rows = bottom - top;
        solve_rows<kind>(t.slice_rows(top, rows).slice_cols(top, rows), blocks, m, u.slice_rows(top, rows), product ? v.slice_rows(top, rows) : v);
        multiply(t.slice_rows(0, top).slice_cols(top, rows), u.slice_rows(top, rows), (product ? v : u).slice_rows(0, top), into::add,
                 product ? 1.0 : -1.0);
        bottom = top;
    }
}

/// F <- X,  T X + X T^T = F  or  X = T X T^T + F, of at most a few dozen rows, column by column from the last. f: symmetric, its upper
/// triangle read. Returns the diagonal blocks of T, the last one first.
template <two_sided kind>
std::vector<gramian_block> solve_symmetric(matrix_view<const double> t, matrix_view<double> f) {
    constexpr bool product = kind == two_sided::product;
    const auto above = columns_above(t);
    // Row j: column j of X, and of T X, down to its diagonal block.
    matrix<double> x(t.rows, above.cols()), tx(product ? t.rows : 0, above.cols());
    std::vector<gramian_block> blocks;
    for (index_t i = t.rows; i > 0;) {
        const index_t k = i > 1 && t(i - 1, i - 2) != 0 ? 2 : 1;
        i -= k;
        gramian_block block;
        block.size = k;
        block.pole = t(i, i);
        if (k == 2) block.pole.imag(std::copysign(std::sqrt(std::abs(t(i, i + 1))) * std::sqrt(std::abs(t(i + 1, i))), t(i, i + 1)));
        for (index_t c = 0; c < k; ++c) {
            for (index_t r = 0; r < k; ++r) block.m[r][c] = t(i + r, i + c);
            double* __restrict own = x.view().row(i + c);
            for (index_t r = 0; r < i + k; ++r) own[r] = f(std::min(r, i + c), std::max(r, i + c));
            for (index_t h = i + k; h < t.rows; ++h) {
                const double *known = x.view().row(h), *column = above.view().row(h), by = t(i + c, h), of = known[i + c];
                if constexpr (product) {
                    axpy(by, tx.view().row(h), own, i + k);
                    axpy(of, column, tx.view().row(i + c), i + k);
                } else
                    for (index_t r = 0; r < i + k; ++r) own[r] -= by * known[r] + of * column[r];
            }
        }
        const auto columns = [&](matrix<double>& y) { return column_pair{y.view().row(i), y.view().row(i + k - 1)}; };
        solve_columns<kind>(t.slice_rows(0, i + k).slice_cols(0, i + k), above, block, columns(x), product ? columns(tx) : column_pair{});
        blocks.push_back(block);
    }
    for (index_t j = 0; j < t.rows; ++j)
        for (index_t i = 0; i <= j; ++i) f(i, j) = f(j, i) = x(j, i);
    return blocks;
}

/// The upper triangle of X.  t: n x n, quasi-triangular, its eigenvalues left of the imaginary axis, or inside the unit circle.
/// O(n^3), as products.
template <two_sided kind>
matrix<double> unit_gramian(matrix_view<const double> t) {
    constexpr bool product = kind == two_sided::product;
    const index_t n = t.rows, most = n <= 64 ? 64 : 32;
    matrix<double> x(n, n), moved(product ? n : 0, most);
    for (index_t i = 0; i < n; ++i) x(i, i) = product ? 1 : -1;
    for (index_t e = n, s; e > 0; e = s) {
        s = block_start(t, e, most);
        const auto corner = [&](auto m) { return m.slice_rows(s, e - s).slice_cols(s, e - s); };
        const auto blocks = solve_symmetric<kind>(corner(t), corner(x.view()));
        const auto right = x.view().slice_rows(0, s).slice_cols(s, e - s);
        const auto beside = t.slice_rows(0, s).slice_cols(s, e - s);
        const auto w = product ? moved.view().slice_rows(0, s).slice_cols(0, e - s) : right;  // what T12 stands beside
        if constexpr (product) {
            multiply(beside, corner(x.view()), w);
            const matrix<double> given{matrix_view<const double>(w)};
            solve_rows<kind>(t, blocks, corner(t), right, w, most);  // V
            for (index_t i = 0; i < s; ++i) axpy(-0.5, given.view().row(i), w.row(i), e - s);
        } else {
            multiply(beside, corner(x.view()), right, into::add, -1.0);
            solve_rows<kind>(t, blocks, corner(t), right, {}, most);
        }
        constexpr index_t stretch = 96;
        for (index_t j = 0; j < s; j += stretch) {
            const index_t cols = std::min(stretch, s - j), rows = j + cols;
            const auto part = x.view().slice_rows(0, rows).slice_cols(j, cols);
            multiply(w.slice_rows(0, rows), transposed(beside.slice_rows(j, cols)), part, into::add, product ? 1.0 : -1.0);
            multiply(beside.slice_rows(0, rows), transposed(w.slice_rows(j, cols)), part, into::add, product ? 1.0 : -1.0);
        }
    }
    return x;
}

/// |X|_F of a symmetric X that this scales, from its upper triangle; infinite where it is not finite.
inline double length_in_range(matrix<double> x) {
    const auto row = [&](index_t i) { return std::span(x.view().row(i) + i, static_cast<std::size_t>(x.cols() - i)); };
    double largest = 0, square = 0;
    for (index_t i = 0; i < x.rows(); ++i)
        for (double v : row(i)) largest = std::max(largest, std::abs(v));
    const double unit = largest > 0 ? std::ldexp(1.0, std::min(1022, -std::ilogb(largest))) : 1;
    for (index_t i = 0; i < x.rows(); ++i) {
        const auto part = row(i);
        for (double& v : part) v *= unit;
        square += part[0] * part[0] + 2 * dot(part.data() + 1, part.data() + 1, static_cast<index_t>(part.size()) - 1);
    }
    const double length = std::sqrt(square) / unit;
    return std::isfinite(length) ? length : std::numeric_limits<double>::infinity();
}

/// 2 |X|_F, infinite where T, quasi-triangular, is not stable.  O(n^3).
template <two_sided kind>
double resolvent_of(matrix_view<const double> t) {
    for (const auto& l : block_eigenvalues(t))
        if (!(kind == two_sided::sum ? l.real() < 0 : std::abs(l) < 1)) return std::numeric_limits<double>::infinity();
    return 2 * length_in_range(unit_gramian<kind>(t));
}

}  // namespace hrm::detail
