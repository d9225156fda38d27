// Hankel singular values of ten thousand systems against block Hankel matrices.

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/linalg/svd.hpp>
#include <hrm/reduction/hankel.hpp>

#include "drawn_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

constexpr double eps = 2.3e-16;
using wide = long double;

void scale(diagonal<double>& a, double f) {
    for (double& x : a.poles) x *= f;
}
void scale(complex_pairs<double>& a, double f) {
    for (auto* part : {&a.real, &a.re, &a.im})
        for (double& x : *part) x *= f;
}
void scale(dense<double>& a, double f) {
    for (double& x : a.a.flat()) x *= f;
}
double length(const matrix<double>& x) { return std::sqrt(dot(x.data(), x.data(), x.size())); }
/// The leading columns.
matrix<double> some(const matrix<double>& x, index_t rows, index_t cols) {
    return matrix<double>(matrix_view<const double>(x.view().slice_rows(0, std::min(rows, x.rows())).slice_cols(0, std::min(cols, x.cols()))));
}

/// What the values of (A, B, C) are compared with, and how far rounding may move either.
struct reference {
    std::vector<double> sigma;
    double tolerance = 0;
};

/// From N x N blocks h_{i+j} = C A^{i+j} B, summed in long double, |A^N| <= 1e-17. What lies beyond them has blocks C A^k B with
/// k >= N, of which there are k + 1 at most: its Frobenius norm is the tail. A Schur form of A is exact for A + E,
/// |E| <= 10 eps |A|, which moves Lc = [B AB ..] by 10 eps |Lc| sum |A^k|^2, and Lo by its own.
reference by_blocks(const discrete<dense<double>>& g, index_t most) {
    const index_t n = g.order(), m = g.inputs(), p = g.outputs();
    std::vector<matrix<double>> h;
    std::vector<wide> x(static_cast<std::size_t>(n * m)), next(x.size());
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < m; ++j) x[static_cast<std::size_t>(i * m + j)] = g.b(i, j);
    matrix<double> power(n, n), product(n, n);
    for (index_t i = 0; i < n; ++i) power(i, i) = 1;
    double powers = 0, weighted = 0, reach = 0, observe = 0;
    index_t blocks = 0;
    for (index_t k = 0; blocks == 0 || k < 2 * blocks; ++k) {
        const double size = length(power);
        if (blocks == 0 && size <= 1e-17) blocks = std::max<index_t>(k, 1);
        if (blocks == 0 && k == most) return {};
        if (blocks == 0 || k < blocks) powers += size * size, weighted += static_cast<double>(k + 1) * size * size;
        matrix<double> block(p, m);
        for (index_t i = 0; i < p; ++i)
            for (index_t j = 0; j < m; ++j) {
                wide sum = 0;
                for (index_t l = 0; l < n; ++l) sum += static_cast<wide>(g.c(i, l)) * x[static_cast<std::size_t>(l * m + j)];
                block(i, j) = static_cast<double>(sum);
            }
        for (const wide v : x) reach += static_cast<double>(v * v);
        matrix<double> cp(p, n);
        multiply(g.c.view(), power.view(), cp.view());
        observe += length(cp) * length(cp);
        h.push_back(std::move(block));
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < m; ++j) {
                wide sum = 0;
                for (index_t l = 0; l < n; ++l) sum += static_cast<wide>(g.a.a(i, l)) * x[static_cast<std::size_t>(l * m + j)];
                next[static_cast<std::size_t>(i * m + j)] = sum;
            }
        std::swap(x, next);
        multiply(g.a.a.view(), power.view(), product.view());
        std::swap(power, product);
    }
    matrix<double> hankel(blocks * std::max(p, m), blocks * std::min(p, m));  // upright: the transpose where m > p
    for (index_t i = 0; i < blocks; ++i)
        for (index_t j = 0; j < blocks; ++j)
            for (index_t a = 0; a < p; ++a)
                for (index_t b = 0; b < m; ++b) {
                    const double v = h[static_cast<std::size_t>(i + j)](a, b);
                    if (p >= m) hankel(i * p + a, j * m + b) = v;
                    else hankel(j * m + b, i * p + a) = v;
                }
    reference out;
    const bool zero = length(hankel) == 0;
    if (!zero) out.sigma = bidiagonal_svd(hankel).sigma();
    out.sigma.resize(static_cast<std::size_t>(n), 0.0);
    const double tail = 1e-17 * length(g.b) * length(g.c) * std::sqrt(static_cast<double>(blocks) * powers + weighted);
    out.tolerance = 20 * eps * std::sqrt(reach * observe) * powers + tail +
                    static_cast<double>(n + blocks) * eps * out.sigma[0];
    return out;
}

}  // namespace

TEST_CASE("property: Hankel singular values are those of a long block Hankel matrix, on 10000 systems") {
    for (const auto kind : every_sort) {
        random_stream r(211 + static_cast<std::uint64_t>(kind));
        int systems = 0, skipped = 0, wrong = 0;
        double used = 0;
        std::vector<double> tolerance;
        while (systems < 1670 && skipped < 3000)
            draw_system<discrete>(r, kind, 6, [&](auto g) {
                const double radius = spectral_radius(g.a), want = r.uniform(0.05, 0.6);
                if (radius > 0) scale(g.a, want / radius);
                const index_t most = r.uniform() < 0.1 ? 90 : 40, columns = 1 + r.below(3);
                g.d = {};
                g.b = some(g.b, g.order(), columns);
                g.c = some(g.c, 1 + r.below(3), g.order());
                const auto expected = by_blocks(to_dense(g), most);
                if (expected.sigma.empty()) {
                    ++skipped;
                    return;
                }
                ++systems;
                const auto sigma = hankel_singular_values(g);
                double worst = 0;
                for (std::size_t i = 0; i < sigma.size(); ++i) worst = std::max(worst, std::abs(sigma[i] - expected.sigma[i]));
                wrong += worst > expected.tolerance;
                if (expected.tolerance > 0) used = std::max(used, worst / expected.tolerance);
                if (sigma[0] > 0) tolerance.push_back(expected.tolerance / sigma[0]);
            });
        std::sort(tolerance.begin(), tolerance.end());
        MESSAGE("sort ", static_cast<int>(kind), ": ", systems, " systems, ", skipped, " decay too slowly; of the tolerance at most ", used, " used; tolerance / sigma_1: median ",
                tolerance[tolerance.size() / 2], ", 90 % ", tolerance[tolerance.size() * 9 / 10]);
        CHECK(systems == 1670);
        CHECK(wrong == 0);
        CHECK(tolerance[tolerance.size() / 2] <= 1e-12);  // not vacuous
    }
}
