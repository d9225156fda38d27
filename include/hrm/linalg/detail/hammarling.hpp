#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <vector>

#include <hrm/linalg/detail/gramian_block.hpp>
#include <hrm/linalg/simd.hpp>

// The Cholesky factor U of the Gramian X = U U^T of a quasi-triangular T, by blocks and in real arithmetic:
//     sum:  T X + X T^T + B B^T = 0,        product:  T X T^T - X + B B^T = 0.
// With T = [T1 T12; 0 T2], B = [B1; B2] and U = [U1 U12; 0 U2], first the trailing block, then
//     b = U2^-1 B2,   M = U2^-1 T2 U2,   V = T1 U12 + T12 U2,
//     sum:      V + U12 M^T + B1 b^T = 0,       B1 <- B1 - U12 b,
//     product:  U12 = V M^T + B1 b^T,           B1 <- B1 - (U12 + sign V) f,    f = (I + sign M)^-1 b,
// and what is left is the same problem for T1 and B1. The rows of [M b] are orthonormal where M M^T + b b^T = I, and
// [V B1] turned by the rest of an orthogonal matrix that begins with them is what a product leaves.
// b and M are bounded whatever the size of U2, which is never inverted.
// Hammarling 1982; by blocks, Kressner 2008.

namespace hrm::detail {

/// Row j: what of column j of T lies above its diagonal block, then zeros up to whole registers.
inline matrix<double> columns_above(matrix_view<const double> t) {
    constexpr index_t W = simd::lanes<double>;
    matrix<double> y(t.rows, (t.rows + W - 1) / W * W);
    for (index_t j = 0; j < t.rows; ++j)
        for (index_t i = 0; i < j; ++i) y(j, i) = i + 1 == j && t(j, i) != 0 ? 0 : t(i, j);
    return y;
}

/// One or two columns, in whole registers.
struct column_pair {
    double* of[2];
};
/// sum:      U with  T U + U M^T = F,  M a diagonal block; u: F, then U.
/// product:  U and V with  U = V M^T + G,  V = W + T U; u: G, then U;  v: W, then V.
/// t: rows x rows, quasi-triangular;  above: its columns, by which an unknown once found is taken off the others.
/// A pair of rows [a f; c a] is one complex row: its rotation is the factor a - i w.
template <two_sided kind>
void solve_columns(matrix_view<const double> t, const matrix<double>& above, const gramian_block& block, column_pair u, column_pair v = {}) {
    constexpr bool product = kind == two_sided::product;
    const double a = block.pole.real(), w = block.pole.imag(), m01 = block.m[0][1], m10 = block.m[1][0];
    const bool two = block.size == 2;
    // sum: (l + M) z = f,  det = (l + a + i w)(l + a - i w);    product: (1 - l M) z = M y + g,  det = (1 - l a + i l w)(1 - l a - i l w)
    const auto solve_two = [&](auto l, auto& z0, auto& z1) {
        const auto s = product ? 1.0 - l * a : l + a, turn = product ? -l : decltype(l)(1.0);
        const complex side = product ? l * complex(0, w) : complex(0, w), inverse = divide(1.0, times(s + side, s - side));
        const auto y0 = s * z0 - times(turn, m01 * z1), y1 = s * z1 - times(turn, m10 * z0);
        if constexpr (std::is_same_v<decltype(l), complex>) {
            z0 = times(inverse, y0);
            z1 = times(inverse, y1);
        } else {
            z0 = inverse.real() * y0;
            z1 = inverse.real() * y1;
        }
    };
    using pack = simd::pack<double>;
    constexpr index_t W = simd::lanes<double>;
    const pack zero = {}, one = zero + 1.0;
    pack lane = {};
    for (index_t l = 0; l < W; ++l) lane[l] = static_cast<double>(l);
    // The unknowns `by` from h on, whose places in x become `own`. These join their registers here: after a store of a scalar, a
    // register that has it could only be loaded from the cache.
    const auto pass_on = [&]<std::size_t count>(double* x, index_t h, const std::array<double, count>& by, const std::array<double, count>& own) {
        constexpr auto more = static_cast<index_t>(count) - 1;
        const double *first = above.view().row(h), *second = first + more * above.cols(), sign = product ? 1 : -1;
        for (index_t i = (h + more) / W * W; i >= 0; i -= W) {
            pack to, f, s;
            simd::load<double>(to, x + i);
            simd::load<double>(f, first + i);
            simd::load<double>(s, second + i);
            to += (sign * by[0]) * f;
            if constexpr (more > 0) to += (sign * by[1]) * s;
            const pack at = lane - (zero + static_cast<double>(h - i)), mine = zero + own[0], other = zero + own[more];
            to = at == zero ? mine : to;
            if constexpr (more > 0) to = at == one ? other : to;
            simd::store<double>(x + i, to);
        }
    };
    for (index_t i = t.rows - 1; i >= 0; --i) {
        const bool pair = i > 0 && t(i, i - 1) != 0;
        if (!pair) {
            const double l = t(i, i);
            double* const *x = u.of;
            if constexpr (product) {
                double* const* y = v.of;
                if (!two) x[0][i] = (a * y[0][i] + x[0][i]) / (1 - l * a);
                else {
                    const double y0 = y[0][i], y1 = y[1][i];
                    x[0][i] += a * y0 + m01 * y1;
                    x[1][i] += a * y1 + m10 * y0;
                    solve_two(l, x[0][i], x[1][i]);
                }
                for (int c = 0; c < (two ? 2 : 1); ++c) pass_on(y[c], i, std::array{x[c][i]}, std::array{y[c][i] + l * x[c][i]});
            } else {
                const double sum = l + a;
                double z[2] = {x[0][i], two ? x[1][i] : 0};
                if (two) solve_two(l, z[0], z[1]);
                else z[0] = std::abs(sum) < few_digits ? z[0] / sum : z[0] * (1 / sum);  // 1 / sum does not wait for z
                for (int c = 0; c < (two ? 2 : 1); ++c) pass_on(x[c], i, std::array{z[c]}, std::array{z[c]});
            }
            continue;
        }
        const index_t h = --i;
        const double l = t(h, h), f = t(h, h + 1), c = t(h + 1, h), g = std::sqrt(-f / c);
        const complex factor{l, -std::copysign(std::sqrt(std::abs(f)) * std::sqrt(std::abs(c)), f)};
        const auto gather = [&](const double* x) { return complex(x[h], g * x[h + 1]); };
        const auto parts = [&](complex z) { return std::array{z.real(), z.imag() / g}; };
        complex z[2] = {gather(u.of[0])}, y[2] = {};
        if (two) z[1] = gather(u.of[1]);
        if constexpr (product) {
            y[0] = gather(v.of[0]);
            z[0] += a * y[0];
            if (two) {
                y[1] = gather(v.of[1]);
                z[0] += m01 * y[1];
                z[1] += a * y[1] + m10 * y[0];
            }
        }
        if (two) solve_two(factor, z[0], z[1]);
        else z[0] = divide(z[0], product ? 1.0 - a * factor : factor + a);
        for (int k = 0; k < (two ? 2 : 1); ++k) {
            const auto found = parts(z[k]);
            if constexpr (product) {
                std::copy(found.begin(), found.end(), u.of[k] + h);
                pass_on(v.of[k], h, found, parts(y[k] + times(factor, z[k])));
            } else pass_on(u.of[k], h, found, found);
        }
    }
}

/// Where the block of at most `most` rows begins that ends before row `end`: not inside a pair.
inline index_t block_start(matrix_view<const double> t, index_t end, index_t most) {
    const index_t s = std::max<index_t>(0, end - most);
    return s > 0 && t(s, s - 1) != 0 ? s + 1 : s;
}

/// U with U U^T = X.  t: n x n, its eigenvalues left of the imaginary axis, or inside the unit circle;  b: n x m.
/// O(n^3/3 + 2 n^2 m), the cubic part as products.
template <two_sided kind>
matrix<double> quasi_triangular_factor(matrix_view<const double> t, matrix<double> b) {
    constexpr bool product = kind == two_sided::product;
    constexpr index_t W = simd::lanes<double>;
    const index_t n = t.rows, inputs = b.cols(), most = n <= 64 ? n : 32, wide = (most + W - 1) / W * W;
    // Of the block of columns at hand: V so far, and each state's own b and f; of a block of its rows: B, U and V transposed.
    matrix<double> u(n, n), known(n, most), own(most, inputs), turn(most, inputs), bt(inputs, wide), ut(most, wide), vt(most, wide);
    std::vector<gramian_block> blocks;
    for (index_t e = n, s; e > 0; e = s) {
        s = block_start(t, e, most);
        const index_t size = e - s;
        own = matrix<double>(most, inputs);
        blocks.clear();
        for (index_t bottom = e, top; bottom > 0; bottom = top) {
            top = bottom == e ? s : block_start(t, bottom, most);
            const auto corner = t.slice_rows(top, bottom - top).slice_cols(top, bottom - top);
            const auto above = columns_above(corner);
            for (index_t i = top; i < bottom; ++i)
                for (index_t q = 0; q < inputs; ++q) bt(q, i - top) = b(i, q);
            // The columns of a block, in the first `rows` of these rows.
            const auto solve = [&](const gramian_block& block, index_t j, index_t rows) {
                const index_t last = j + block.size - 1;
                for (index_t c = j; c <= last; ++c) {
                    double *const x = ut.view().row(c), *const v = vt.view().row(c);
                    for (index_t r = 0; r < rows; ++r) x[r] = product ? 0 : -v[r];
                    for (index_t q = 0; q < inputs; ++q) axpy(product ? own(c, q) : -own(c, q), bt.view().row(q), x, rows);
                }
                solve_columns<kind>(corner.slice_rows(0, rows).slice_cols(0, rows), above, block, {ut.view().row(j), ut.view().row(last)},
                                    {vt.view().row(j), vt.view().row(last)});
                for (index_t c = j; c <= last; ++c)
                    for (index_t q = 0; q < inputs; ++q) {
                        axpy(-turn(c, q), ut.view().row(c), bt.view().row(q), rows);
                        if constexpr (product) axpy(-block.sign() * turn(c, q), vt.view().row(c), bt.view().row(q), rows);
                    }
            };
            if (bottom == e)  // state by state or pair by pair
                for (index_t i = size; i > 0;) {
                    const index_t k = i > 1 && corner(i - 1, i - 2) != 0 ? 2 : 1;
                    i -= k;
                    const auto rows = b.view().slice_rows(s + i, k);
                    for (index_t r = 0; r < k; ++r)
                        for (index_t q = 0; q < inputs; ++q) rows(r, q) = bt(q, i + r);
                    blocks.push_back(solve_gramian_block<kind>(corner.slice_rows(i, k).slice_cols(i, k), rows, own.view().row(i)));
                    const auto& block = blocks.back();
                    direction_of<kind>(block, own.view().row(i), turn.view().row(i), inputs);
                    for (index_t c = 0; c < k; ++c)
                        for (index_t r = 0; r < i; ++r) {
                            double sum = 0;
                            for (index_t h = 0; h < k; ++h) sum += corner(r, i + h) * block.u[h][c];
                            vt(i + c, r) = sum;
                        }
                    solve(block, i, i);
                    for (index_t c = 0; c < k; ++c) {
                        for (index_t r = 0; r < i; ++r) u(s + r, s + i + c) = ut(i + c, r);
                        for (index_t r = 0; r < k; ++r) u(s + i + r, s + i + c) = block.u[r][c];
                    }
                }
            else {
                for (index_t i = top; i < bottom; ++i)
                    for (index_t c = 0; c < size; ++c) vt(c, i - top) = known(i, c);
                index_t j = size;
                for (const auto& block : blocks) solve(block, j -= block.size, bottom - top);
                for (index_t i = top; i < bottom; ++i) {
                    for (index_t c = 0; c < size; ++c) u(i, s + c) = ut(c, i - top);
                    for (index_t q = 0; q < inputs; ++q) b(i, q) = bt(q, i - top);
                }
            }
            if (top > 0)
                multiply(t.slice_rows(0, top).slice_cols(top, bottom - top), u.view().slice_rows(top, bottom - top).slice_cols(s, size),
                         known.view().slice_rows(0, top).slice_cols(0, size), bottom == e ? into::overwrite : into::add);
        }
    }
    return u;
}

}  // namespace hrm::detail
