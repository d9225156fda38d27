#pragma once

#include <cmath>
#include <complex>
#include <vector>

#include <hrm/linalg/detail/real_schur.hpp>
#include <hrm/linalg/detail/schur.hpp>
#include <hrm/linalg/simd.hpp>

// The Cholesky factor U of the Gramian X = U U^T,   T X + X T^T + B B^T = 0,   T quasi-triangular, by blocks and in real
// arithmetic. With T = [T1 T12; 0 T2], B = [B1; B2] and U = [U1 U12; 0 U2], first the trailing block, then
//     b = U2^-1 B2,   M = U2^-1 T2 U2,   M + M^T = -b b^T
//     T1 U12 + U12 M^T = -(T12 U2 + B1 b^T),         B1 <- B1 - U12 b
// and what is left is the same problem for T1 and B1. b and M are bounded whatever the size of U2, which is never
// inverted: a block's own b is s times a direction, and M(i, k) = -b_i b_k^T above the diagonal.
// Hammarling 1982; by blocks, Kressner 2008.

namespace hrm::detail {

/// U2 and M of one diagonal block, k <= 2 rows.
struct gramian_block {
    double u[2][2] = {}, m[2][2] = {};
    std::complex<double> pole = 0;  // a + i w
};

/// One state: s = sqrt(-2 t), u = |b|/s, b <- s b/|b|.
/// A pair [a f; c a]: in the coordinates diag(1, 1/g), g = sqrt(-f/c), it is the rotation [a w; -w a], which a turn of the
/// plane leaves alone. With |B2|^2 = beta, (|b1|^2 - |b2|^2, 2 b1.b2) = (p, q) of length l and r^2 = a^2 + w^2,
///     X = diag(x1, x2) after the right turn,   x1 + x2 = beta/(-2 a),   x1 - x2 = l/(2 r),
///     x1 x2 = (4 (|b1|^2 |b2|^2 - (b1.b2)^2) + (beta w/a)^2)/(16 r^2),    where nothing cancels.
/// b1: k x inputs zeros, becomes the block's own b.
inline gramian_block solve_gramian_block(matrix_view<const double> t, index_t i, index_t k, matrix_view<const double> b, double* b1) {
    const index_t m = b.cols;
    gramian_block out;
    if (k == 1) {
        const double pole = t(i, i), s = std::sqrt(-2 * pole);
        const auto [length, unit] = length_of(m, [&](index_t j) { return b(i, j); });
        out.pole = out.m[0][0] = pole;
        if (length == 0) return out;
        out.u[0][0] = length / unit / s;
        for (index_t j = 0; j < m; ++j) b1[j] = s * (b(i, j) * unit / length);
        return out;
    }
    const double a = t(i, i), f = t(i, i + 1), c = t(i + 1, i), g = std::sqrt(-f / c);
    const double omega = std::copysign(std::sqrt(std::abs(f)) * std::sqrt(std::abs(c)), f);
    double largest = 0;
    for (index_t j = 0; j < m; ++j) largest = std::max({largest, std::abs(b(i, j)), std::abs(g * b(i + 1, j))});
    out.pole = {a, omega};
    out.m[0][0] = out.m[1][1] = a;
    out.m[0][1] = omega;
    out.m[1][0] = -omega;
    if (largest == 0) return out;
    double s11 = 0, s22 = 0, s12 = 0, gram = 0;
    const auto first = [&](index_t j) { return b(i, j) / largest; };
    const auto second = [&](index_t j) { return g * b(i + 1, j) / largest; };
    for (index_t j = 0; j < m; ++j) {
        s11 += first(j) * first(j);
        s22 += second(j) * second(j);
        s12 += first(j) * second(j);
        for (index_t h = 0; h < j; ++h) {
            const double minor = first(j) * second(h) - first(h) * second(j);
            gram += minor * minor;
        }
    }
    const double r2 = a * a + omega * omega, beta = s11 + s22, ratio = beta * (omega / a);
    // d = X11 - X22 and x = X12:  2 a d + 4 w x + p = 0,  2 a x - w d + q/2 = 0.
    const double p = s11 - s22, q = 2 * s12;
    const double d = (-a * p + omega * q) / (2 * r2), x = (-a * q - omega * p) / (4 * r2);
    const double half = std::hypot(d / 2, x), x1 = -beta / (4 * a) + half, x2 = (4 * gram + ratio * ratio) / (16 * r2) / x1;
    // tan(2 angle) = 2 x / d: the larger of cosine and sine by a root, the other, to its last digit, from 2 co si = 2 x / length.
    const double length = std::hypot(d, 2 * x), major = length > 0 ? std::sqrt((1 + std::abs(d) / length) / 2) : 1;
    const double minor = length > 0 ? std::abs(x) / (length * major) : 0;
    const double co = d >= 0 ? major : minor, si = std::copysign(d >= 0 ? minor : major, x);
    const double root1 = std::sqrt(x1), root2 = std::sqrt(x2);
    double* const b2 = b1 + m;
    for (index_t j = 0; j < m; ++j) {
        b1[j] = (co * first(j) + si * second(j)) / root1;
        b2[j] = root2 > 0 ? (co * second(j) - si * first(j)) / root2 : 0;
    }
    out.m[0][1] = omega * root2 / root1;
    out.m[1][0] = root2 > 0 ? -omega * root1 / root2 : 0;
    if (root2 > 0 && root2 < root1 / 2) {
        // Almost a double pole: b2 is what is left of two nearly equal numbers, divided by almost nothing. Its part along b1
        // follows from M + M^T = -b b^T, the length of the rest from gram, and only the direction of the rest from it.
        const double square = dot(b1, b1, m), along = -(out.m[0][1] + out.m[1][0]) / square, shared = dot(b1, b2, m) / square;
        axpy(-shared, b1, b2, m);
        const double length2 = std::sqrt(dot(b2, b2, m)), rest = std::sqrt(gram / square) / (root1 * root2);
        for (index_t j = 0; j < m; ++j) b2[j] = along * b1[j] + (length2 > 0 ? rest * (b2[j] / length2) : 0);
    }
    out.u[0][0] = largest * root1 * co;
    out.u[0][1] = -largest * root2 * si;
    out.u[1][0] = largest * root1 * si / g;
    out.u[1][1] = largest * root2 * co / g;
    return out;
}

/// Row j: what of column j of T lies above its diagonal block, then zeros up to whole registers.
inline matrix<double> columns_above(matrix_view<const double> t) {
    constexpr index_t W = simd::lanes<double>;
    matrix<double> y(t.rows, (t.rows + W - 1) / W * W);
    for (index_t j = 0; j < t.rows; ++j)
        for (index_t i = 0; i < j; ++i) y(j, i) = i + 1 == j && t(j, i) != 0 ? 0 : t(i, j);
    return y;
}
/// Columns [j, j + k) of the x with  T X + X M^T = F,  M a diagonal block of order k. x0 and x1, of whole registers: columns of
/// F, then of X. t: rows x rows, quasi-triangular;  above: its columns, by which an unknown once found is taken off the others.
/// A pair of rows [a f; c a] is one complex row: its rotation is the factor a - i w.
inline void solve_columns(matrix_view<const double> t, const matrix<double>& above, const gramian_block& block, index_t k, double* x0, double* x1) {
    const double a = block.pole.real(), w = block.pole.imag(), m01 = block.m[0][1], m10 = block.m[1][0];
    // (M + l I) z = f;  det = (l + a + i w)(l + a - i w)
    const auto solve = [&](auto l, auto& z0, auto& z1) {
        const auto s = l + a;
        const complex inverse = divide(1.0, times(s + complex(0, w), s - complex(0, w)));
        const auto y0 = s * z0 - m01 * z1, y1 = s * z1 - m10 * z0;
        if constexpr (std::is_same_v<decltype(l), complex>) {
            z0 = times(inverse, y0);
            z1 = times(inverse, y1);
        } else {
            z0 = inverse.real() * y0;
            z1 = inverse.real() * y1;
        }
    };
    const auto take_off = [&](double* x, index_t h, index_t count) {  // the unknowns from h on
        using pack = simd::pack<double>;
        const double *first = above.view().row(h), *second = first + (count - 1) * above.cols(), u = x[h], v = count == 2 ? x[h + 1] : 0;
        for (index_t i = 0; i < h; i += simd::lanes<double>) {
            pack to, f, s;
            simd::load<double>(to, x + i);
            simd::load<double>(f, first + i);
            simd::load<double>(s, second + i);
            to -= u * f + v * s;
            simd::store<double>(x + i, to);
        }
    };
    for (index_t i = t.rows - 1; i >= 0; --i) {
        const bool pair = i > 0 && t(i, i - 1) != 0;
        if (!pair) {
            if (k == 1) x0[i] /= t(i, i) + a;
            else {
                solve(t(i, i), x0[i], x1[i]);
                take_off(x1, i, 1);
            }
            take_off(x0, i, 1);
            continue;
        }
        const index_t h = --i;
        const double l = t(h, h), f = t(h, h + 1), c = t(h + 1, h), g = std::sqrt(-f / c);
        const complex factor{l, -std::copysign(std::sqrt(std::abs(f)) * std::sqrt(std::abs(c)), f)};
        const auto scatter = [&](double* x, complex z) {
            x[h] = z.real();
            x[h + 1] = z.imag() / g;
            take_off(x, h, 2);
        };
        complex z0{x0[h], g * x0[h + 1]};
        if (k == 1) scatter(x0, divide(z0, factor + a));
        else {
            complex z1{x1[h], g * x1[h + 1]};
            solve(factor, z0, z1);
            scatter(x0, z0);
            scatter(x1, z1);
        }
    }
}

/// X with T X + X M^T = F, in place. M is that of several blocks: its own diagonal blocks, and what m has above them.
inline void solve_rows(matrix_view<const double> t, const std::vector<gramian_block>& blocks, matrix_view<const double> m, matrix_view<double> f) {
    const auto above = columns_above(t);
    matrix<double> xt(f.cols, above.cols());
    for (index_t i = 0; i < f.rows; ++i)
        for (index_t j = 0; j < f.cols; ++j) xt(j, i) = f(i, j);
    index_t j = f.cols;
    for (const auto& block : blocks) {  // the last columns first
        const index_t k = block.pole.imag() != 0 ? 2 : 1;
        j -= k;
        for (index_t c = j; c < j + k; ++c)
            for (index_t h = j + k; h < f.cols; ++h) axpy(-m(c, h), xt.view().row(h), xt.view().row(c), f.rows);
        solve_columns(t, above, block, k, xt.view().row(j), k == 2 ? xt.view().row(j + 1) : nullptr);
    }
    for (index_t i = 0; i < f.rows; ++i)
        for (index_t c = 0; c < f.cols; ++c) f(i, c) = xt(c, i);
}

/// Where the block of at most `most` rows begins that ends before row `end`: not inside a pair.
inline index_t block_start(matrix_view<const double> t, index_t end, index_t most) {
    const index_t s = std::max<index_t>(0, end - most);
    return s > 0 && t(s, s - 1) != 0 ? s + 1 : s;
}
/// The same for an F of more rows, block by block from below.
inline void solve_rows(matrix_view<const double> t, const std::vector<gramian_block>& blocks, matrix_view<const double> m, matrix_view<double> f, index_t most) {
    for (index_t bottom = f.rows; bottom > 0;) {
        const index_t top = block_start(t, bottom, most), rows = bottom - top;
        const auto x = f.slice_rows(top, rows);
        solve_rows(t.slice_rows(top, rows).slice_cols(top, rows), blocks, m, x);
        multiply(t.slice_rows(0, top).slice_cols(top, rows), x, f.slice_rows(0, top), into::add, -1.0);
        bottom = top;
    }
}

/// U with U U^T = X.  t: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(n^3/3 + n^2 m), as products.
inline matrix<double> quasi_triangular_factor(matrix_view<const double> t, matrix<double> b) {
    const index_t n = t.rows, inputs = b.cols(), most = n <= 64 ? 64 : 32;
    matrix<double> u(n, n);
    std::vector<double> solved[2];
    for (auto& column : solved) column.resize(static_cast<std::size_t>(most));
    for (index_t e = n; e > 0;) {
        const index_t s = block_start(t, e, most), size = e - s;
        std::vector<gramian_block> blocks;  // from the last
        matrix<double> direction(size, inputs), m(size, size);
        // The trailing block itself, state by state or pair by pair.
        const auto above = columns_above(t.slice_rows(s, size).slice_cols(s, size));
        for (index_t i = e; i > s;) {
            const index_t k = i - 2 >= s && t(i - 1, i - 2) != 0 ? 2 : 1, at = i -= k;
            const auto block = solve_gramian_block(t, at, k, b.view(), direction.view().row(at - s));
            for (index_t r = 0; r < k; ++r)
                for (index_t c = 0; c < k; ++c) u(at + r, at + c) = block.u[r][c], m(at - s + r, at - s + c) = block.m[r][c];
            const index_t rows = at - s;
            for (index_t c = 0; c < k; ++c)
                for (index_t r = 0; r < rows; ++r) {
                    const double *from = b.view().row(s + r), *along = direction.view().row(at - s + c);
                    double sum = 0;
                    for (index_t q = 0; q < inputs; ++q) sum += from[q] * along[q];
                    for (index_t h = 0; h < k; ++h) sum += t(s + r, at + h) * block.u[h][c];
                    solved[c][static_cast<std::size_t>(r)] = -sum;
                }
            const matrix_view<const double> corner = t.slice_rows(s, rows).slice_cols(s, rows);
            solve_columns(corner, above, block, k, solved[0].data(), solved[1].data());
            for (index_t c = 0; c < k; ++c)
                for (index_t r = 0; r < rows; ++r) {
                    const double value = u(s + r, at + c) = solved[c][static_cast<std::size_t>(r)];
                    axpy(-value, direction.view().row(at - s + c), b.view().row(s + r), inputs);
                }
            if (s == 0) continue;
            for (index_t c = 0; c < k; ++c)
                for (index_t h = at - s + k; h < size; ++h)
                    m(at - s + c, h) = -dot(direction.view().row(at - s + c), direction.view().row(h), inputs);
            blocks.push_back(block);
        }
        if (s == 0) break;
        // The rows above it.
        auto right = u.view().slice_rows(0, s).slice_cols(s, size);
        multiply(t.slice_rows(0, s).slice_cols(s, size), u.view().slice_rows(s, size).slice_cols(s, size), right, into::overwrite, -1.0);
        multiply(b.view().slice_rows(0, s), transposed(direction.view()), right, into::add, -1.0);
        solve_rows(t, blocks, m.view(), right, most);
        multiply(right, direction.view(), b.view().slice_rows(0, s), into::add, -1.0);
        e = s;
    }
    return u;
}

}  // namespace hrm::detail
