#include <hrm/reduction/hankel_norm.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

continuous<dense<double>> random_continuous(random_stream& r, index_t n, index_t m, index_t p) {
    const auto z = random_dense(r, n, m, p, 0.9);
    continuous<dense<double>> s{z.a, z.b, z.c, {}};
    for (index_t i = 0; i < n; ++i) s.a.a(i, i) -= 1;
    return s;
}

}  // namespace

TEST_CASE("the Hankel norm of the error is sigma_{r+1}, smaller than that of balanced truncation; the bound holds") {
    random_stream r(1);
    for (const auto& ports : {std::pair<index_t, index_t>{1, 1}, {2, 2}, {2, 3}, {3, 1}})
        for (index_t rank : {0, 1, 3, 6}) {
            const index_t m = ports.first, p = ports.second;  // clang 14 captures no structured bindings
            CAPTURE(m);
            CAPTURE(p);
            CAPTURE(rank);
            const auto s = random_continuous(r, 8, m, p);
            const auto h = approximate_hankel_norm(s, {.rank = rank});
            REQUIRE(h.order() == rank);
            CHECK(h.stable);
            CHECK(h.hankel_error == h.sigma[static_cast<std::size_t>(rank)]);
            const auto e = difference(s, h.system);
            CHECK(hankel_singular_values(e)[0] == doctest::Approx(h.hankel_error).epsilon(1e-8));
            CHECK(hinf_norm(e).value <= h.bound * (1 + 1e-8));
            if (rank > 0) CHECK(hankel_singular_values(difference(s, balance(s, {.rank = rank}).system))[0] >= h.hankel_error * (1 - 1e-8));
        }
}

TEST_CASE("discrete time keeps the value and the bound") {
    random_stream r(2);
    for (index_t rank : {1, 3}) {
        const auto z = random_dense(r, 7, 2, 2, 0.8);
        const auto h = approximate_hankel_norm(z, {.rank = rank});
        CHECK(h.order() == rank + h.delayed);
        CHECK(h.stable);
        CHECK(hinf_norm(difference(z, h.system)).value <= h.bound * (1 + 1e-8));
        CHECK(hankel_singular_values(to_continuous(difference(z, h.system)))[0] == doctest::Approx(h.hankel_error).epsilon(1e-7));
    }
}

TEST_CASE("full order, equal values, nothing at all, and unstable systems") {
    random_stream r(3);
    const auto s = random_continuous(r, 5, 1, 1);
    const auto full = approximate_hankel_norm(s);
    CHECK(full.order() == 5);
    CHECK(full.hankel_error == 0);
    // Two equal copies beside each other: sigma come in pairs, and a pair is never cut.
    continuous<dense<double>> twice{{matrix<double>(10, 10)}, matrix<double>(10, 2), matrix<double>(2, 10), {}};
    for (index_t i = 0; i < 5; ++i)
        for (index_t h = 0; h < 2; ++h) {
            for (index_t j = 0; j < 5; ++j) twice.a.a(5 * h + i, 5 * h + j) = s.a.a(i, j);
            twice.b(5 * h + i, h) = s.b(i, 0);
            twice.c(h, 5 * h + i) = s.c(0, i);
        }
    const auto h = approximate_hankel_norm(twice, {.rank = 4});
    CHECK(h.order() == 4);
    CHECK(hankel_singular_values(difference(twice, h.system))[0] == doctest::Approx(h.hankel_error).epsilon(1e-7));
    CHECK(approximate_hankel_norm(twice, {.rank = 3}).order() == 2);
    CHECK(approximate_hankel_norm(continuous<dense<double>>{}).order() == 0);
    CHECK_THROWS_WITH_AS(approximate_hankel_norm(continuous<diagonal<double>>{{{1}}, {{1}}, {{1}}, {}}, {.unstable = unstable_poles::refuse}),
                         "hrm::approximate_hankel_norm: A is unstable: spectral abscissa 1, must be below 0", unstable_error);
}

TEST_CASE("unstable and integrating parts are split off and kept, as balance keeps them") {
    random_stream r(4);
    const auto stable = random_continuous(r, 6, 2, 2);
    const continuous<dense<double>> rest{{{{0, 1, 0}, {0, 0, 0}, {0, 0, 2}}}, {{0, 1}, {1, 0}, {1, 1}}, {{1, 0, 1}, {0, 1, 1}}, {}};
    const auto alone = approximate_hankel_norm(stable, {.rank = 3});
    const auto h = approximate_hankel_norm(detail::beside("test", stable, rest), {.rank = 3, .error = error_report::measured});
    CHECK(h.unstable == 3);
    CHECK_FALSE(h.stable);
    REQUIRE(h.order() == 6);
    CHECK(h.hankel_error == doctest::Approx(alone.hankel_error).epsilon(1e-8));
    const auto want = detail::beside("test", alone.system, rest);  // the same map: one optimum, up to coordinates
    for (double omega : {0.3, 1.0, 5.0}) {
        const auto x = frequency_response(h.system, omega), y = frequency_response(want, omega);
        for (index_t i = 0; i < 2; ++i)
            for (index_t j = 0; j < 2; ++j) CHECK(std::abs(x(i, j) - y(i, j)) <= 1e-7 * std::abs(y(0, 0)));
    }
    REQUIRE(h.measured_error);  // of the stable parts
    CHECK(*h.measured_error == doctest::Approx(hinf_norm(difference(stable, alone.system)).value).epsilon(1e-6));

    // Discrete: an integrator and a pole at -1, which the bilinear map alone would not take.
    const auto z = random_dense(r, 5, 1, 1, 0.8);
    const discrete<dense<double>> kept{{{{1, 0}, {0, -1}}}, {{1}, {1}}, {{1, 0.5}}, {}};
    const auto d = approximate_hankel_norm(detail::beside("test", z, kept), {.rank = 2});
    CHECK(d.unstable == 2);
    CHECK(d.hankel_error == doctest::Approx(approximate_hankel_norm(z, {.rank = 2}).hankel_error).epsilon(1e-8));
}

TEST_CASE("a kept part beyond the range of double is an error, no infinity") {
    const continuous<dense<double>> g{{{{1e-30, 0}, {0.060546875, -0.59375}}}, {{-1e300}, {0}}, matrix<double>(0, 2), {}};
    CHECK_THROWS_WITH_AS(approximate_hankel_norm(g, {.rank = 1}), "hrm::approximate_hankel_norm: B(0, 0) is not finite", numerical_error);
}

TEST_CASE("errors are measured where asked for, and what has no meaning here is refused") {
    random_stream r(5);
    const auto s = random_continuous(r, 7, 2, 2);
    CHECK_FALSE(approximate_hankel_norm(s, {.rank = 3}).measured_error);
    const auto h = approximate_hankel_norm(s, {.rank = 3, .error = error_report::measured});
    REQUIRE(h.measured_error);
    CHECK(*h.measured_error == doctest::Approx(hinf_norm(difference(s, h.system)).value));
    CHECK(*h.measured_error <= h.bound * (1 + 1e-8));
    CHECK_FALSE(h.measured_h2);  // its D is another
    const auto z = random_dense(r, 6, 1, 1, 0.8);
    const auto e = approximate_hankel_norm(z, {.rank = 2, .error = error_report::measured});
    REQUIRE(e.measured_h2);
    CHECK(*e.measured_h2 == doctest::Approx(h2_norm(difference(z, e.system))));
    CHECK_THROWS_WITH_AS(approximate_hankel_norm(s, {.basis = projection::balancing_free}), doctest::Contains("options.basis"), numerical_error);
    CHECK_THROWS_WITH_AS(approximate_hankel_norm(s, {.weak = weak_states::residualize}), doctest::Contains("options.weak"), numerical_error);
}

// The bilinear map sends these poles to rates of 5e-7 and 2e6; from the given coordinates 0.97 was left of a bound of 0.38.
TEST_CASE("the bound holds for a discrete system with poles next to both ends of the circle") {
    const double poles[] = {1 - 1e-6, -(1 - 1e-6), 0.3, -0.5, 0}, v[] = {1, 2, 0, 1, 1};
    matrix<double> a(5, 5);  // H diag(poles) H, H = I - 2 v v^T / v^T v
    for (index_t i = 0; i < 5; ++i)
        for (index_t j = 0; j < 5; ++j)
            for (index_t k = 0; k < 5; ++k) a(i, j) += ((i == k) - 2 * v[i] * v[k] / 7) * poles[k] * ((j == k) - 2 * v[j] * v[k] / 7);
    const discrete<dense<double>> s{{a}, {{1, 0.2}, {-0.5, 1}, {0.3, 0.4}, {1, -1}, {0.2, 0.9}}, {{1, -0.4, 0.6, 0.8, 0.3}}, {}};
    const auto r = approximate_hankel_norm(s, {.rank = 2});
    CHECK(r.unstable == 0);
    CHECK(hinf_norm(difference(s, r.system)).value <= r.bound);
}

namespace {

template <class System>
void check_complex(std::uint64_t seed) {
    random_stream r(seed);
    for (int trial = 0; trial < 8; ++trial) {
        CAPTURE(trial);
        const index_t n = 3 + r.below(6), m = 1 + r.below(3), p = 1 + r.below(3), rank = r.below(n);
        const auto g = drawn<System>(r, n, m, p);
        const auto h = approximate_hankel_norm(g, {.rank = rank, .error = error_report::measured});
        REQUIRE(h.order() == rank + h.delayed);
        CHECK(h.stable);
        CHECK(h.hankel_error == h.sigma[static_cast<std::size_t>(rank)]);
        REQUIRE(h.measured_error);
        CHECK(*h.measured_error <= h.bound * (1 + 1e-8) + h.measured_rounding);
        const auto e = difference(g, h.system);
        const double hankel = [&] {
            if constexpr (in_discrete_time<System>) return hankel_singular_values(to_continuous(e))[0];
            else return hankel_singular_values(e)[0];
        }();
        CHECK(hankel == doctest::Approx(h.hankel_error).epsilon(1e-6).scale(1e-3 * h.sigma[0]));
    }
}

}  // namespace

TEST_CASE("complex systems: the Hankel norm of the error is sigma_{r+1}, and the bound holds") {
    SUBCASE("continuous, dense") { check_complex<continuous<dense<number>>>(91); }
    SUBCASE("continuous, diagonal") { check_complex<continuous<diagonal<number>>>(92); }
    SUBCASE("discrete, dense") { check_complex<discrete<dense<number>>>(93); }
    SUBCASE("discrete, diagonal") { check_complex<discrete<diagonal<number>>>(94); }
}

TEST_CASE("complex systems: a real one in unitary coordinates; unstable poles are kept or refused; nothing at all") {
    random_stream r(7);
    const auto s = random_continuous(r, 6, 2, 2);
    const auto turned = turned_by(random_unitary(r, 6), complex_of(s));
    const auto want = approximate_hankel_norm(s, {.rank = 3});
    const auto got = approximate_hankel_norm(turned, {.rank = 3});
    CHECK(got.bound == doctest::Approx(want.bound).epsilon(1e-10));
    for (const double omega : {-1.0, 0.2, 3.0}) CHECK(distance_of(frequency_response(got.system, omega), frequency_response(want.system, omega)) < 1e-9);
    const continuous<diagonal<number>> mixed{{{{0.5, 1}, {-1, 2}, {-0.3, -1}}}, {{1}, {2}, {1}}, {{1, 1, 2}}, {}};
    const auto kept = approximate_hankel_norm(mixed, {.rank = 1});
    CHECK(kept.unstable == 1);
    CHECK(kept.order() == 2);
    CHECK(!kept.stable);
    CHECK_THROWS_AS(approximate_hankel_norm(mixed, {.unstable = unstable_poles::refuse}), unstable_error);
    CHECK_THROWS_AS(approximate_hankel_norm(mixed, {.basis = projection::balancing_free}), numerical_error);
    CHECK(approximate_hankel_norm(discrete<dense<number>>{}).order() == 0);
    CHECK(approximate_hankel_norm(continuous<diagonal<number>>{{{-1}}, matrix<number>(1, 0), matrix<number>(1, 1), {}}).bound == 0);
    CHECK_THROWS_AS(approximate_hankel_norm(discrete<diagonal<number>>{{{{0, std::nan("")}}}, {{1}}, {{1}}, {}}), numerical_error);
}

TEST_CASE("an error of zero is claimed only where nothing was dropped, whatever the units of the ports") {
    random_stream r(12);
    auto g = random_continuous(r, 4, 2, 2);
    const auto want = approximate_hankel_norm(g, {.rank = 1});
    for (auto& x : g.b.flat()) x *= 0x1p564;
    for (auto& x : g.c.flat()) x *= 0x1p-564;
    const auto h = approximate_hankel_norm(g, {.rank = 1});
    CHECK(h.order() == 1);
    CHECK(h.hankel_error == doctest::Approx(want.hankel_error).epsilon(1e-10));
    // A state below rounding of the others is left out, and its sigma said.
    const continuous<diagonal<double>> faint{{{-1, -2}}, {{1, 0}, {0, 1e-9}}, {{1, 0}, {0, 1e-9}}, {}};
    const auto s = approximate_hankel_norm(to_dense(faint));
    CHECK(s.order() == 1);
    CHECK(s.hankel_error == s.sigma[1]);
    CHECK(s.hankel_error == doctest::Approx(0.25e-18).epsilon(1e-10));
    // So it is where the first of two balancings left it out.
    const discrete<diagonal<double>> steps{{{0.5, 0.25}}, faint.b, faint.c, {}};
    const auto z = approximate_hankel_norm(to_dense(steps));
    REQUIRE(z.sigma.size() == 2);
    CHECK(z.hankel_error == z.sigma[1]);
    CHECK(z.hankel_error == doctest::Approx(1e-18 / (1 - 0.0625)).epsilon(1e-10));
    CHECK(z.bound >= 2e-18);
    // A gain whose square is beyond the range of double.
    for (auto& x : g.b.flat()) x *= 0x1p-500;
    const auto small = approximate_hankel_norm(g, {.rank = 1, .error = error_report::measured});
    CHECK(small.hankel_error * 0x1p500 == doctest::Approx(want.hankel_error).epsilon(1e-10));
    CHECK(small.bound * 0x1p500 == doctest::Approx(want.bound).epsilon(1e-10));
    CHECK(*small.measured_error <= small.bound * (1 + 1e-8));
    CHECK(hankel_singular_values(difference(g, small.system))[0] == doctest::Approx(small.hankel_error).epsilon(1e-8));
}
