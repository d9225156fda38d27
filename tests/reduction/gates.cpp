// What the reduction floor promises about accuracy, on systems whose answers are known to more digits than double has.

#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/systems/stability.hpp>

#include "benchmark_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

/// How many leading values are right, up to the first that is not.
std::size_t correct(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
    std::size_t k = 0;
    while (k < want.size() && k < got.size() && std::abs(got[k] - want[k]) <= tolerance * want[k]) ++k;
    return k;
}
/// Largest relative difference among the first k.
double apart(const std::vector<double>& x, const std::vector<double>& y, std::size_t k) {
    double d = 0;
    for (std::size_t i = 0; i < k; ++i) d = std::max(d, std::abs(x.at(i) / y.at(i) - 1));
    return d;
}

template <template <class> class System, class A>
System<dense<double>> as_dense(const System<A>& s) {
    return {{to_dense(s.a)}, s.b, s.c, s.d};
}
std::vector<index_t> shuffled(random_stream& r, index_t n) {
    std::vector<index_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), index_t{0});
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[static_cast<std::size_t>(r.below(static_cast<index_t>(i)))]);
    return order;
}
/// After reflections in random planes: no structure shows.
template <template <class> class System>
System<dense<double>> turned_at_random(random_stream& r, System<dense<double>> g) {
    const index_t n = g.order();
    std::vector<double> v(static_cast<std::size_t>(n));
    for (int round = 0; round < 4; ++round) {
        r.fill_normal(std::span<double>(v));
        double square = 0;
        for (double x : v) square += x * x;
        const auto rows = [&](matrix<double>& m) {
            for (index_t j = 0; j < m.cols(); ++j) {
                double sum = 0;
                for (index_t i = 0; i < n; ++i) sum += v[static_cast<std::size_t>(i)] * m(i, j);
                for (index_t i = 0; i < n; ++i) m(i, j) -= 2 * sum / square * v[static_cast<std::size_t>(i)];
            }
        };
        rows(g.a.a);
        rows(g.b);
        auto at = detail::transpose(g.a.a), ct = detail::transpose(g.c);
        rows(at);
        rows(ct);
        g.a.a = detail::transpose(at);
        g.c = detail::transpose(ct);
    }
    return g;
}

}  // namespace

TEST_CASE("gate: never fewer correct Hankel singular values than SLICOT; all of them where A is modal" * doctest::test_suite("needs HRM_MOR_DATA")) {
    const auto folder = data_folder("HRM_MOR_DATA");
    if (folder.empty()) {
        MESSAGE("SKIPPED: HRM_MOR_DATA names no folder with the benchmark collection, nothing was compared");
        return;
    }
    // What SLICOT's AB09AD gets right to 1e-10 and to 1e-6, measured once against the same references.
    struct peer {
        std::string name;
        std::size_t ten, six;
        bool modal;
    };
    for (const auto& [name, ten, six, modal] : {peer{"build", 48, 48, false}, {"pde", 8, 12, false}, {"CDplayer", 42, 119, true},
                                                {"random", 0, 29, false}, {"heat-cont", 10, 16, false}, {"fom", 18, 24, true}}) {
        CAPTURE(name);
        const auto want = read_values(folder + "/" + name + "/hsv_34digits.csv");
        REQUIRE(!want.empty());
        const auto got = hankel_singular_values(read_system(folder + "/" + name));
        MESSAGE(name, ": right to 1e-10 ", correct(got, want, 1e-10), ", to 1e-6 ", correct(got, want, 1e-6), ", known ", want.size());
        CHECK(correct(got, want, 1e-10) >= (modal ? want.size() : ten));
        CHECK(correct(got, want, 1e-6) >= (modal ? want.size() : six));
    }
}

TEST_CASE("gate: fom, its states in any order, keeps ten digits down to 1e-68 of the largest value") {
    // From a computation with 160 digits, rounded.
    const std::vector<std::pair<std::size_t, double>> want{
        {1, 50.05095592334085512870571722}, {2, 49.99513636277649}, {10, 0.1113742449308219212279317928},
        {30, 2.759258004775520506704828976e-13}, {60, 3.746249147020148935042582406e-34},
        {90, 1.300955859422988537844888122e-57}, {101, 9.778048052727790783207267363e-67}};
    random_stream r(1);
    const auto g = fom();
    const auto sigma = hankel_singular_values(permuted(g, shuffled(r, g.order())));
    REQUIRE(sigma.size() == 1006);
    for (const auto& [i, value] : want) {
        CAPTURE(i);
        if (i == 2) CHECK(sigma[1] == doctest::Approx(49.9951363627764838).epsilon(1e-10));
        else CHECK(std::abs(sigma[i - 1] / value - 1) <= 1e-10);
    }
    CHECK(std::is_sorted(sigma.rbegin(), sigma.rend()));
}

TEST_CASE("gate: heat, dense, has the leading values that its known modes give") {
    for (index_t n : {20, 59}) {
        const auto want = hankel_singular_values(heat_modes(n)), got = hankel_singular_values(heat(n));
        CHECK(correct(got, want, 1e-10) >= 8);
        CHECK(correct(got, want, 1e-6) >= 12);
    }
}

TEST_CASE("gate: diagonal rings next to the unit circle, every value to ten digits in any disguise") {
    // Pairs at radius 1 - 10^-k: the gap 1 - |l|^2 has few digits unless it is formed with care. References: the same system
    // through the half plane, s = (z - 1)/(z + 1), whose poles are formed in long double.
    random_stream r(7);
    for (int k : {1, 3, 6}) {
        CAPTURE(k);
        const index_t pairs = 12;
        const long double radius = 1 - std::pow(10.0L, -k);
        discrete<complex_pairs<double>> z{{}, matrix<double>(2 * pairs, 2), matrix<double>(2, 2 * pairs), {}};
        continuous<complex_pairs<double>> s{{}, z.b, z.c, {}};
        r.fill_normal(z.b.flat());
        r.fill_normal(z.c.flat());
        using wide = std::complex<long double>;
        for (index_t i = 0; i < pairs; ++i) {
            const long double angle = std::numbers::pi_v<long double> * static_cast<long double>(i + 1) / 14;
            z.a.re.push_back(static_cast<double>(radius * std::cos(angle)));
            z.a.im.push_back(static_cast<double>(radius * std::sin(angle)));
            const wide l(z.a.re.back(), z.a.im.back()), one = 1, pole = (l - one) / (l + one), root = std::sqrt(2.0L) * one / (l + one);
            s.a.re.push_back(static_cast<double>(pole.real()));
            s.a.im.push_back(static_cast<double>(pole.imag()));
            // B_s = root B, and C_s = C root in the complex sense: the planar rows turn by root, the planar columns too.
            for (index_t j = 0; j < 2; ++j) {
                const wide b = root * wide(z.b(i, j), z.b(i + pairs, j)), c = root * wide(z.c(j, i), -z.c(j, i + pairs));
                s.b(i, j) = static_cast<double>(b.real());
                s.b(i + pairs, j) = static_cast<double>(b.imag());
                s.c(j, i) = static_cast<double>(c.real());
                s.c(j, i + pairs) = -static_cast<double>(c.imag());
            }
        }
        const auto want = hankel_singular_values(s), planar = hankel_singular_values(z);
        const auto hidden = hankel_singular_values(permuted(as_dense(z), shuffled(r, 2 * pairs)));
        CHECK(apart(planar, want, want.size()) <= 1e-10);
        CHECK(apart(hidden, want, want.size()) <= 1e-10);
    }
}

TEST_CASE("gate: leading values are invariant under permutation, rotation, time scale and the bilinear map") {
    random_stream r(11);
    for (int trial = 0; trial < 6; ++trial) {
        const index_t n = 8 + 4 * trial;
        discrete<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 2), matrix<double>(3, n), {}};
        r.fill_normal(g.a.a.flat());
        r.fill_normal(g.b.flat());
        r.fill_normal(g.c.flat());
        const double radius = spectral_radius(g.a);
        for (auto& x : g.a.a.flat()) x *= 0.9 / radius;
        const auto want = hankel_singular_values(g);
        const auto k = static_cast<std::size_t>(std::count_if(want.begin(), want.end(), [&](double x) { return x > 1e-4 * want[0]; }));
        CHECK(apart(hankel_singular_values(permuted(g, shuffled(r, n))), want, k) <= 1e-10);
        CHECK(apart(hankel_singular_values(turned_at_random(r, g)), want, k) <= 1e-10);
        // s = (z - 1)/(z + 1):  A = (Ad + I)^-1 (Ad - I),  B = sqrt2 (Ad + I)^-1 Bd,  C = sqrt2 Cd (Ad + I)^-1.
        matrix<double> plus = g.a.a, minus = g.a.a;
        for (index_t i = 0; i < n; ++i) plus(i, i) += 1, minus(i, i) -= 1;
        continuous<dense<double>> s{{solve(plus, minus)}, solve(plus, g.b), detail::transpose(solve(detail::transpose(plus), detail::transpose(g.c))), {}};
        for (auto& x : s.b.flat()) x *= std::numbers::sqrt2;
        for (auto& x : s.c.flat()) x *= std::numbers::sqrt2;
        CHECK(apart(hankel_singular_values(s), want, k) <= 1e-10);
        const double scale = std::exp(r.uniform(-9, 9));  // time runs `scale` times faster: A and B grow alike
        for (auto& x : s.a.a.flat()) x *= scale;
        for (auto& x : s.b.flat()) x *= scale;
        CHECK(apart(hankel_singular_values(s), want, k) <= 1e-10);
    }
    // What is modal stays so to ten digits of every value under permutation and time scale.
    auto g = fom(60);
    const auto want = hankel_singular_values(g);
    const auto k = static_cast<std::size_t>(std::count_if(want.begin(), want.end(), [&](double x) { return x > 1e-60 * want[0]; }));
    CHECK(k > 40);
    for (auto& x : g.a.a.flat()) x *= 3e7;
    for (auto& x : g.b.flat()) x *= 3e7;
    CHECK(apart(hankel_singular_values(permuted(g, shuffled(r, g.order()))), want, k) <= 1e-10);
    CHECK(apart(hankel_singular_values(turned_at_random(r, fom(60))), want, 6) <= 1e-10);
}

TEST_CASE("gate: a singular Gramian is no reason to throw") {
    random_stream r(13);
    for (int trial = 0; trial < 200; ++trial) {
        const index_t n = 1 + r.below(10), m = r.below(4), p = r.below(4);
        continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, m), matrix<double>(p, n), {}};
        if (r.uniform() < 0.5) r.fill_normal(g.a.a.flat());
        for (index_t i = 0; i < n; ++i) g.a.a(i, i) -= 10;
        // Whole rows of B and columns of C are missing, whole blocks of A too: unreachable, unobservable, both.
        for (index_t i = 0; i < n; ++i) {
            const bool in = r.uniform() < 0.6, out = r.uniform() < 0.6, apart_from_rest = r.uniform() < 0.3;
            for (index_t j = 0; j < m; ++j) g.b(i, j) = in ? r.normal() : 0;
            for (index_t j = 0; j < p; ++j) g.c(j, i) = out ? r.normal() : 0;
            for (index_t j = 0; j < n; ++j)
                if (apart_from_rest && j != i) g.a.a(i, j) = g.a.a(j, i) = 0;
        }
        std::vector<double> sigma;
        REQUIRE_NOTHROW(sigma = hankel_singular_values(g));
        CHECK(static_cast<index_t>(sigma.size()) == n);
        if (m == 0 || p == 0) CHECK(sigma[0] == 0);
        CHECK(std::all_of(sigma.begin(), sigma.end(), [](double x) { return x >= 0 && std::isfinite(x); }));
    }
}
