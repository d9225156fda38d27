#pragma once

#include <array>
#include <limits>

#include <hrm/linalg/detail/schur_blocks.hpp>
#include <hrm/linalg/gemm.hpp>

// T Y + Y S = F and T Y S - Y = F with quasi-triangular T and S, by halving the larger of the two, so that nearly all work
// is matrix products.  Jonsson & Kagstrom, ACM TOMS 28 (2002).

namespace hrm::detail {

/// sum: T Y + Y S = F.  product: T Y S - Y = F.
enum class two_sided { sum, product };

/// Z with T Z + Z S = F or T Z S - Z = F, at most 2 x 2, as (I (x) T + S^T (x) I) vec Z = vec F or (S^T (x) T - I) vec Z = vec F.
template <two_sided kind>
void solve_pair(matrix_view<const double> t, matrix_view<const double> s, matrix_view<double> f) {
    const index_t p = t.rows, q = s.rows;
    if (p == 1 && q == 1) {
        f(0, 0) /= kind == two_sided::sum ? t(0, 0) + s(0, 0) : t(0, 0) * s(0, 0) - 1;
        return;
    }
    std::array<std::array<double, 4>, 4> m{};
    std::array<double, 4> x{};
    const auto at = [p](index_t r, index_t c) { return static_cast<std::size_t>(c * p + r); };
    double size = kind == two_sided::sum ? 0 : 1;
    for (index_t r = 0; r < p; ++r)
        for (index_t c = 0; c < q; ++c) {
            for (index_t i = 0; i < p; ++i)
                for (index_t j = 0; j < q; ++j) {
                    double& entry = m[at(r, c)][at(i, j)];
                    if constexpr (kind == two_sided::sum) entry = (c == j ? t(r, i) : 0) + (r == i ? s(j, c) : 0);
                    else entry = t(r, i) * s(j, c) - (r == i && c == j);
                    size = std::max(size, std::abs(entry));
                }
            x[at(r, c)] = f(r, c);
        }
    const auto z = solve_tiny(m, x, p * q, std::numeric_limits<double>::epsilon() * size);
    for (index_t r = 0; r < p; ++r)
        for (index_t c = 0; c < q; ++c) f(r, c) = z[at(r, c)];
}

/// F <- Y.  t: n x n and s: m x m, quasi-triangular;  f: n x m.  O(n m (n + m)).
template <two_sided kind>
void solve_two_sided(matrix_view<const double> t, matrix_view<const double> s, matrix_view<double> f) {
    constexpr index_t small = 16;
    const auto part = [](auto x, index_t row, index_t rows, index_t col, index_t cols) { return x.slice_rows(row, rows).slice_cols(col, cols); };
    const auto middle = [](matrix_view<const double> x) {  // not inside a pair
        const index_t h = x.rows / 2;
        return x(h, h - 1) != 0 ? h + 1 : h;
    };
    const index_t n = f.rows, m = f.cols;
    if (n > small && n >= m) {
        const index_t k = middle(t);
        const auto top = f.slice_rows(0, k), bottom = f.slice_rows(k, n - k);
        const auto corner = part(t, 0, k, k, n - k);
        solve_two_sided<kind>(part(t, k, n - k, k, n - k), s, bottom);
        if constexpr (kind == two_sided::sum) multiply(corner, bottom, top, into::add, -1.0);
        else {
            matrix<double> moved(n - k, m);
            multiply(bottom, s, moved.view());
            multiply(corner, moved.view(), top, into::add, -1.0);
        }
        solve_two_sided<kind>(part(t, 0, k, 0, k), s, top);
        return;
    }
    if (m > small) {
        const index_t k = middle(s);
        const auto left = f.slice_cols(0, k), right = f.slice_cols(k, m - k);
        const auto corner = part(s, 0, k, k, m - k);
        solve_two_sided<kind>(t, part(s, 0, k, 0, k), left);
        if constexpr (kind == two_sided::sum) multiply(left, corner, right, into::add, -1.0);
        else {
            matrix<double> moved(n, k);
            multiply(t, left, moved.view());
            multiply(moved.view(), corner, right, into::add, -1.0);
        }
        solve_two_sided<kind>(t, part(s, k, m - k, k, m - k), right);
        return;
    }
    double known[2][small] = {};  // what of Y S is known in the columns at hand
    for (index_t j = 0, q; j < m; j += q) {
        q = block_size(s, j);
        for (index_t i = 0; i < n; ++i)
            for (index_t c = 0; c < q; ++c) {
                known[c][i] = 0;
                for (index_t l = 0; l < j; ++l) known[c][i] += f(i, l) * s(l, j + c);
            }
        for (index_t i = n, p; i > 0;) {
            p = i > 1 && t(i - 1, i - 2) != 0 ? 2 : 1;
            i -= p;
            for (index_t c = 0; c < q; ++c)
                for (index_t r = i; r < i + p; ++r) {
                    double sum = kind == two_sided::sum ? known[c][r] : 0;
                    for (index_t k = kind == two_sided::sum ? i + p : i; k < n; ++k)
                        sum += t(r, k) * (kind == two_sided::sum ? f(k, j + c) : known[c][k]);
                    f(r, j + c) -= sum;
                }
            solve_pair<kind>(part(t, i, p, i, p), part(s, j, q, j, q), part(f, i, p, j, q));
            if constexpr (kind == two_sided::product)
                for (index_t c = 0; c < q; ++c)
                    for (index_t r = i; r < i + p; ++r)
                        for (index_t l = j; l < j + q; ++l) known[c][r] += f(r, l) * s(l, j + c);
        }
    }
}

}  // namespace hrm::detail
