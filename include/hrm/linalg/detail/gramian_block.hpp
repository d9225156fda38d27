#pragma once

#include <algorithm>
#include <cmath>
#include <complex>

#include <hrm/linalg/detail/quasi_triangular.hpp>
#include <hrm/linalg/detail/schur.hpp>

// One diagonal block of a real Schur form, a state or a pair of them, and the factor U of its own Gramian X = U U^T,
//     sum:      T X + X T^T + B B^T = 0,      M + M^T + b b^T = 0,
//     product:  T X T^T - X + B B^T = 0,      M M^T + b b^T = I,        with  M = U^-1 T U,  b = U^-1 B.

namespace hrm::detail {

/// U and M, k <= 2 rows.
struct gramian_block {
    index_t size = 1;
    double u[2][2] = {}, m[2][2] = {};
    std::complex<double> pole = 0;  ///< a + i w
    /// product: of the two signs that which makes I + sign M well conditioned.
    double sign() const { return pole.real() < 0 ? -1 : 1; }
};

/// What B leaves behind it is turned by:  b for a sum,  f = (I + sign M)^-1 b for a product.  b: of the block;  f: may be b.
template <two_sided kind>
void direction_of(const gramian_block& block, const double* b, double* f, index_t inputs) {
    if constexpr (kind == two_sided::sum) std::copy_n(b, block.size * inputs, f);
    else {
        const double s = block.sign(), l = 1 + std::abs(block.pole.real()), w = block.pole.imag();
        if (block.size == 1) {
            for (index_t j = 0; j < inputs; ++j) f[j] = b[j] / l;
            return;
        }
        const double over = 1 / (l * l + w * w);
        for (index_t j = 0; j < inputs; ++j) {
            const double x = b[j], y = b[inputs + j];
            f[j] = over * (l * x - s * block.m[0][1] * y);
            f[inputs + j] = over * (l * y - s * block.m[1][0] * x);
        }
    }
}

/// One state: s^2 = -2 t or 1 - t^2, u = |b|/s, b <- s b/|b|.
/// A pair [a f; c a]: in the coordinates diag(1, 1/g), g = sqrt(-f/c), it is the rotation [a w; -w a], which a turn of the
/// plane leaves alone, and the product with the complex number l = a - i w. With |B2|^2 = beta, (|b1|^2 - |b2|^2) + 2 i b1.b2 = 2 z,
///     X = diag(x1, x2) after the right turn,   x1 + x2 = beta/d,   (X11 - X22)/2 + i X12 = z/e,   x1 - x2 = 2 |z/e|,
///     sum:  d = -2 a, e = -2 l,     product:  d = 1 - |l|^2, e = 1 - l^2,     |e|^2 = d^2 + 4 w^2,
///     x1 x2 = (|b1|^2 |b2|^2 - (b1.b2)^2 + (beta w/d)^2)/|e|^2,    where nothing cancels.
/// t: k x k;  b: k x inputs;  b1: as many zeros, becomes the block's own b.
template <two_sided kind>
gramian_block solve_gramian_block(matrix_view<const double> t, matrix_view<const double> b, double* b1) {
    const index_t m = b.cols;
    const auto depth = [](double size, double re) { return kind == two_sided::sum ? -2 * re : (1 - size) * (1 + size); };
    gramian_block out;
    out.size = t.rows;
    if (out.size == 1) {
        const double pole = t(0, 0), s = std::sqrt(depth(std::abs(pole), pole));
        const auto [length, unit] = length_of(m, [&](index_t j) { return b(0, j); });
        out.pole = out.m[0][0] = pole;
        if (length == 0) return out;
        out.u[0][0] = length / unit / s;
        for (index_t j = 0; j < m; ++j) b1[j] = s * (b(0, j) * unit / length);
        return out;
    }
    const double a = t(0, 0), f = t(0, 1), c = t(1, 0), g = std::sqrt(-f / c);
    const double omega = std::copysign(std::sqrt(std::abs(f)) * std::sqrt(std::abs(c)), f);
    double largest = 0;
    for (index_t j = 0; j < m; ++j) largest = std::max({largest, std::abs(b(0, j)), std::abs(g * b(1, j))});
    out.pole = {a, omega};
    out.m[0][0] = out.m[1][1] = a;
    out.m[0][1] = omega;
    out.m[1][0] = -omega;
    if (largest == 0) return out;
    double s11 = 0, s22 = 0, s12 = 0, gram = 0;
    const auto first = [&](index_t j) { return b(0, j) / largest; };
    const auto second = [&](index_t j) { return g * b(1, j) / largest; };
    for (index_t j = 0; j < m; ++j) {
        s11 += first(j) * first(j);
        s22 += second(j) * second(j);
        s12 += first(j) * second(j);
        for (index_t h = 0; h < j; ++h) {
            const double minor = first(j) * second(h) - first(h) * second(j);
            gram += minor * minor;
        }
    }
    const complex l{a, -omega}, e = kind == two_sided::sum ? -2.0 * l : times(1.0 - l, 1.0 + l);
    const double trace = (s11 + s22) / depth(std::abs(l), a), turned = trace * omega;
    const complex z = divide({(s11 - s22) / 2, s12}, e);
    const double half = std::abs(z), x1 = trace / 2 + half, x2 = (gram + turned * turned) / std::norm(e) / x1;
    // tan(2 angle) = Im z / Re z: the larger of cosine and sine by a root, the other, to its last digit, from 2 co si = Im z / |z|.
    const double major = half > 0 ? std::sqrt((1 + std::abs(z.real()) / half) / 2) : 1;
    const double minor = half > 0 ? std::abs(z.imag()) / (2 * half * major) : 0;
    const double co = z.real() >= 0 ? major : minor, si = std::copysign(z.real() >= 0 ? minor : major, z.imag());
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
        // follows from M and b b^T, the length of the rest from gram, and only the direction of the rest from it.
        const double square = dot(b1, b1, m), shared = dot(b1, b2, m) / square;
        const double along = -(out.m[0][1] + out.m[1][0]) * (kind == two_sided::sum ? 1 : a) / square;
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

}  // namespace hrm::detail
