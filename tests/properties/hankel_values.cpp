// Hankel singular values of ten thousand systems: against block Hankel matrices, and under all that must not change them.

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/linalg/svd.hpp>
#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/systems/response.hpp>

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

namespace {

template <class System>
System permuted(const System& g, const std::vector<index_t>& order) {
    auto h = g;
    for (index_t i = 0; i < g.order(); ++i) {
        const index_t from = order[static_cast<std::size_t>(i)];
        for (index_t j = 0; j < g.order(); ++j) h.a.a(i, j) = g.a.a(from, order[static_cast<std::size_t>(j)]);
        for (index_t j = 0; j < g.inputs(); ++j) h.b(i, j) = g.b(from, j);
        for (index_t j = 0; j < g.outputs(); ++j) h.c(j, i) = g.c(j, from);
    }
    return h;
}
/// (Q A Q^T, Q B, C Q^T), Q two random reflections I - v v^T, in long double: what is rounded once is nothing beside what
/// rounding may do, a turn in double is not.
discrete<dense<double>> turned(random_stream& r, const discrete<dense<double>>& g) {
    const index_t n = g.order(), m = g.inputs(), p = g.outputs(), cols = n + m, rows = n + p;
    const auto at = [cols](index_t i, index_t j) { return static_cast<std::size_t>(i * cols + j); };
    std::vector<wide> x(static_cast<std::size_t>(rows * cols));  // [A B; C 0]
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j)
            if (i < n || j < n) x[at(i, j)] = i >= n ? g.c(i - n, j) : j >= n ? g.b(i, j - n) : g.a.a(i, j);
    std::vector<wide> v(static_cast<std::size_t>(n));
    for (int turn = 0; turn < 2; ++turn) {
        wide square = 0;
        for (wide& y : v) y = r.normal(), square += y * y;
        for (wide& y : v) y *= std::sqrt(2 / square);
        for (index_t j = 0; j < cols; ++j) {
            wide sum = 0;
            for (index_t i = 0; i < n; ++i) sum += v[static_cast<std::size_t>(i)] * x[at(i, j)];
            for (index_t i = 0; i < n; ++i) x[at(i, j)] -= v[static_cast<std::size_t>(i)] * sum;
        }
        for (index_t i = 0; i < rows; ++i) {
            wide sum = 0;
            for (index_t j = 0; j < n; ++j) sum += x[at(i, j)] * v[static_cast<std::size_t>(j)];
            for (index_t j = 0; j < n; ++j) x[at(i, j)] -= sum * v[static_cast<std::size_t>(j)];
        }
    }
    auto h = g;
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j)
            if (i < n || j < n) (i >= n ? h.c(i - n, j) : j >= n ? h.b(i, j - n) : h.a.a(i, j)) = static_cast<double>(x[at(i, j)]);
    return h;
}
/// The continuous system with the same Gramians:  (A - I)(A + I)^-1,  sqrt 2 (A + I)^-1 B,  sqrt 2 C (A + I)^-1, in long double.
continuous<dense<double>> bilinear(const discrete<dense<double>>& g) {
    const index_t n = g.order();
    const auto at = [n](index_t i, index_t j) { return static_cast<std::size_t>(i * 2 * n + j); };
    std::vector<wide> x(static_cast<std::size_t>(2 * n * n));  // [A + I | I], then [I | (A + I)^-1]
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) x[at(i, j)] = static_cast<wide>(g.a.a(i, j)) + (i == j);
        x[at(i, n + i)] = 1;
    }
    for (index_t k = 0; k < n; ++k) {
        index_t pivot = k;
        for (index_t i = k; i < n; ++i)
            if (std::abs(x[at(i, k)]) > std::abs(x[at(pivot, k)])) pivot = i;
        for (index_t j = 0; j < 2 * n && pivot != k; ++j) std::swap(x[at(k, j)], x[at(pivot, j)]);
        for (index_t j = 2 * n; j-- > k;) x[at(k, j)] /= x[at(k, k)];
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 2 * n; i != k && j-- > k;) x[at(i, j)] -= x[at(i, k)] * x[at(k, j)];
    }
    continuous<dense<double>> out{{matrix<double>(n, n)}, matrix<double>(n, g.inputs()), matrix<double>(g.outputs(), n), {}};
    const wide root = std::sqrt(wide(2));
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) out.a.a(i, j) = static_cast<double>((i == j ? wide(1) : wide(0)) - 2 * x[at(i, n + j)]);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < g.inputs(); ++j) {
            wide sum = 0;
            for (index_t l = 0; l < n; ++l) sum += x[at(i, n + l)] * static_cast<wide>(g.b(l, j));
            out.b(i, j) = static_cast<double>(root * sum);
        }
    for (index_t i = 0; i < g.outputs(); ++i)
        for (index_t j = 0; j < n; ++j) {
            wide sum = 0;
            for (index_t l = 0; l < n; ++l) sum += static_cast<wide>(g.c(i, l)) * x[at(l, n + j)];
            out.c(i, j) = static_cast<double>(root * sum);
        }
    return out;
}

/// The largest difference of two lists over sigma_1.
double apart(const std::vector<double>& x, const std::vector<double>& y) {
    double worst = x.size() == y.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
    return x.empty() || worst == 0 ? worst : worst / x[0];
}

}  // namespace

TEST_CASE("property: a change of states, of their units or order, of time, and the dual leave the values; full order is exact; 10000 systems") {
    for (const auto kind : every_sort) {
        random_stream r(307 + static_cast<std::uint64_t>(kind));
        int systems = 0, unstable = 0;
        struct {
            double turned = 0, units = 0, order = 0, bilinear = 0, clock = 0, dual = 0, inputs = 0;
        } worst;
        double allowed = 0, whole = 0;
        for (int trial = 0; trial < 2000; ++trial)
            draw_system<discrete>(r, kind, 8, [&](const auto& given) {
                const auto g = to_dense(given);
                const index_t n = g.order();
                ++systems;
                std::vector<index_t> places;
                for (index_t i = 0; i < n; ++i) places.insert(places.begin() + r.below(i + 1), i);
                auto rescaled = g;
                for (index_t i = 0; i < n; ++i) {
                    const double f = std::exp2(static_cast<double>(r.below(17)) - 8);
                    for (index_t j = 0; j < n; ++j) rescaled.a.a(i, j) *= f, rescaled.a.a(j, i) /= f;
                    for (index_t j = 0; j < g.inputs(); ++j) rescaled.b(i, j) *= f;
                    for (index_t j = 0; j < g.outputs(); ++j) rescaled.c(j, i) /= f;
                }
                const auto mixed = turned(r, g);
                auto slow = bilinear(g), fast = slow;
                const double speed = std::exp(r.uniform(-9, 9));
                for (double& x : fast.a.a.flat()) x *= speed;
                for (double& x : fast.b.flat()) x *= speed;
                auto louder = given;
                for (double& x : louder.b.flat()) x *= 0x1p40;
                // Poles 1e-9 from the boundary move beyond it, and the values with eps / 1e-9, when their A is rounded.
                try {
                    const auto sigma = hankel_singular_values(given);
                    if (sigma[0] == 0) return;
                    const auto moved = [&](double& most, const auto& h, double scale = 1) {
                        auto values = hankel_singular_values(h);
                        for (double& x : values) x *= scale;
                        const double by = apart(sigma, values);
                        most = std::max(most, by);
                        return by;
                    };
                    moved(worst.inputs, louder, 0x1p-40);
                    const auto b = balance(given);
                    if (b.unstable > 0) {
                        ++unstable;
                        return;
                    }
                    if (kind != sort::shallow) {
                        moved(worst.bilinear, slow);
                        moved(worst.clock, fast);
                    }
                    // What a reduction to all states allows for holds for the values as well; entries that were rounded, by
                    // eps / 2 |A|, move them by no more than half of that.
                    const auto compare = [&](double& most, const auto& h, double share = 1) {
                        const double by = moved(most, h);
                        const auto c = balance(h);
                        if (c.unstable > 0) ++unstable;
                        else if (by > 0) allowed = std::max(allowed, by * sigma[0] / (b.rounding + share * c.rounding));
                    };
                    compare(worst.dual, dual(given));
                    compare(worst.order, permuted(g, places));
                    compare(worst.units, rescaled);
                    compare(worst.turned, mixed, 1.5);
                    for (const double omega : {0.0, 0.7, 2.0}) {
                        const auto x = frequency_response(given, omega), y = frequency_response(b.system, omega);
                        double difference = 0;
                        for (std::size_t i = 0; i < x.flat().size(); ++i) difference = std::max(difference, std::abs(x.flat()[i] - y.flat()[i]));
                        whole = std::max(whole, difference / (1e-12 * sigma[0] + b.bound + b.rounding));
                    }
                } catch (const unstable_error&) {
                    ++unstable;
                }
            });
        MESSAGE("sort ", static_cast<int>(kind), ": ", systems, " systems, ", unstable, " unstable once changed; over sigma_1: similarity ", worst.turned, ", units ",
                worst.units, ", order ", worst.order, ", bilinear ", worst.bilinear, ", time ", worst.clock, ", dual ", worst.dual, ", inputs ", worst.inputs,
                "; of what rounding may do: ", allowed, "; full order, of what is allowed: ", whole);
        if (kind != sort::shallow) {
            CHECK(unstable == 0);
            for (const double x : {worst.turned, worst.units, worst.order, worst.bilinear, worst.clock, worst.dual}) CHECK(x <= 1e-10);
        }
        CHECK(unstable * 10 <= systems);
        CHECK(worst.inputs <= 1e-10);
        CHECK(allowed <= 1);
        CHECK(whole <= 1);
    }
}
