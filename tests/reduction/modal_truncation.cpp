#include <hrm/reduction/modal_truncation.hpp>

#include <doctest/doctest.h>

#include <hrm/systems/norms.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("all modes give the system, fewer stay within the bound, poles are untouched") {
    random_stream r(1);
    for (int trial = 0; trial < 5; ++trial) {
        const auto p = random_pairs(r, 3, 4, 2, 3, 0.9);
        const auto d = random_dense(r, 9, 2, 3, 0.9);
        const auto check = [&](const auto& g) {
            const auto all = modal_truncation(g), some = modal_truncation(g, {.rank = 5});
            CHECK(all.system.order() == g.order());
            CHECK(all.bound == 0);
            CHECK(relative_distance(markov(g, 30), markov(all.system, 30)) <= 1e-12 * all.condition * all.condition);
            CHECK(some.system.order() <= 5);
            CHECK(some.system.order() >= 4);
            CHECK(hinf_norm(difference(g, some.system)).value <= some.bound * (1 + 1e-9));
            CHECK(std::is_sorted(some.weight.rbegin(), some.weight.rend()));
            CHECK(static_cast<index_t>(some.weight.size()) == all.system.a.reals() + all.system.a.pairs());
        };
        check(p);
        check(d);
        check(as_dense(p));
    }
}

TEST_CASE("errors are measured where asked for, unstable modes or not") {
    const continuous<complex_pairs<double>> g{{{-5, -1, 0.5}, {-1, -2}, {3, 7}}, {{10}, {1}, {1}, {1}, {2}, {0.5}, {1}}, {{1, 1, 1, 2, 1, 1, 1}}, {{7}}};
    CHECK_FALSE(modal_truncation(g, {.rank = 3}).measured_error);
    for (index_t rank : {1, 3, 5}) {
        const auto r = modal_truncation(g, {.rank = rank, .error = error_report::measured});
        REQUIRE(r.measured_error);
        // At the frequencies of a grid the difference is no larger, and at one of them nearly as large.
        double most = 0;
        for (int k = 0; k <= 4000; ++k) {
            const double omega = 0.005 * k;
            most = std::max(most, std::abs(frequency_response(g, omega)(0, 0) - frequency_response(r.system, omega)(0, 0)));
        }
        CHECK(*r.measured_error <= r.bound);
        CHECK(most <= *r.measured_error * (1 + 1e-8));
        CHECK(most >= *r.measured_error * (1 - 1e-4));
        REQUIRE(r.measured_h2);
        CHECK(*r.measured_h2 > 0);
    }
    const auto all = modal_truncation(g, {.error = error_report::measured});
    CHECK(*all.measured_error == 0);
    CHECK(*all.measured_h2 == 0);
}

TEST_CASE("slowest first, a tolerance, unstable modes, and what cannot be diagonalised") {
    const continuous<diagonal<double>> g{{{-5, -1, -3, 0.5}}, {{100}, {1}, {1}, {1}}, {{1, 1, 1, 1}}, {{7}}};
    const auto slow = modal_truncation(g, {.rank = 2, .order = mode_order::slowest});
    CHECK(slow.system.a.real == buffer<double>{0.5, -1});
    CHECK(slow.bound == doctest::Approx(20 + 1.0 / 3));
    CHECK(slow.system.d(0, 0) == 7);
    const auto strong = modal_truncation(g, {.rank = 2});
    CHECK(strong.system.a.real == buffer<double>{0.5, -5});
    CHECK(modal_truncation(g, {.rank = 0}).system.order() == 1);
    CHECK(modal_truncation(g, {.tolerance = 0.04}).system.order() == 3);
    const continuous<dense<double>> jordan{{{{-1, 1, 0}, {0, -1, 1}, {0, 0, -1}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    CHECK_THROWS_WITH_AS(modal_truncation(jordan), doctest::Contains("defective"), numerical_error);
    CHECK(modal_truncation(continuous<dense<float>>{}).system.order() == 0);
}

TEST_CASE("complex systems: every pole is a mode; real ones in unitary coordinates; within the bound, unstable modes stay") {
    random_stream r(3);
    for (int trial = 0; trial < 6; ++trial) {
        const auto check = [&](const auto& g) {
            const auto all = modal_truncation(g), some = modal_truncation(g, {.rank = 4, .error = error_report::measured});
            CHECK(all.system.order() == g.order());
            CHECK(all.bound == 0);
            CHECK(some.system.order() == 4);
            CHECK(static_cast<index_t>(some.weight.size()) == g.order());
            CHECK(std::is_sorted(some.weight.rbegin(), some.weight.rend()));
            REQUIRE(some.measured_error);
            CHECK(*some.measured_error <= some.bound * (1 + 1e-9));
            CHECK(hinf_norm(difference(g, some.system)).value == doctest::Approx(*some.measured_error).epsilon(1e-6));
            for (const double omega : {-2.0, 0.1, 1.0})
                CHECK(distance_of(frequency_response(all.system, omega), frequency_response(g, omega)) < 1e-12 * all.condition * all.condition);
            for (const auto& l : some.system.a.poles) {
                double nearest = 1;
                for (const auto& h : eigenvalues(g.a)) nearest = std::min(nearest, std::abs(l - h));
                CHECK(nearest < 1e-12 * all.condition);
            }
        };
        diagonal<number> poles, rates;
        for (index_t i = 0; i < 7; ++i) poles.poles.push_back(std::polar(r.uniform(0, 0.98), r.uniform(-3, 3)));
        for (index_t i = 0; i < 7; ++i) rates.poles.emplace_back(r.uniform(-2, -0.05), r.uniform(-3, 3));
        const auto b = normal_complex(r, 7, 2), c = normal_complex(r, 3, 7), d = normal_complex(r, 3, 2);
        check(discrete<diagonal<number>>{poles, b, c, d});
        check(continuous<diagonal<number>>{rates, b, c, {}});
        check(turned_by(random_unitary(r, 7), to_dense(continuous<diagonal<number>>{rates, b, c, d})));
        // A pair counts once in a real system and each of its poles alone, with half of its residue, in a complex one.
        const auto real = random_dense(r, 6, 2, 3, 0.9);
        const auto turned = turned_by(random_unitary(r, 6), complex_of(real));
        check(turned);
        double sum = 0, twice = 0;
        const auto w = modal_truncation(turned, {.order = mode_order::slowest}).weight, v = modal_truncation(real, {.order = mode_order::slowest}).weight;
        for (const double x : w) sum += 1 / x;
        for (const auto& l : eigenvalues(real.a)) twice += 1 - std::abs(l);
        CHECK(v[0] == doctest::Approx(w[0]).epsilon(1e-10));
        CHECK(sum == doctest::Approx(twice).epsilon(1e-10));
    }
    const continuous<diagonal<number>> g{{{{-5, 1}, {-1, -1}, {-3, 2}, {0.5, 4}}}, {{100}, {1}, {1}, {1}}, {{1, 1, 1, {0, 1}}}, {{7}}};
    CHECK(modal_truncation(g, {.rank = 2, .order = mode_order::slowest}).system.a.poles == buffer<number>{{0.5, 4}, {-1, -1}});
    const auto strong = modal_truncation(g, {.rank = 2});
    CHECK(strong.system.a.poles == buffer<number>{{0.5, 4}, {-5, 1}});
    CHECK(strong.bound == doctest::Approx(1 + 1.0 / 3));
    CHECK(modal_truncation(g, {.rank = 0}).system.order() == 1);
    const continuous<dense<number>> jordan{{{{{-1, 2}, 1, 0}, {0, {-1, 2}, 1}, {0, 0, {-1, 2}}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    CHECK_THROWS_WITH_AS(modal_truncation(jordan), doctest::Contains("defective"), numerical_error);
    CHECK(modal_truncation(discrete<dense<std::complex<float>>>{}).system.order() == 0);
    CHECK(modal_truncation(continuous<diagonal<number>>{{{-1}}, matrix<number>(1, 0), matrix<number>(0, 1), {}}).weight == std::vector<double>{0});
    CHECK_THROWS_AS(modal_truncation(continuous<dense<number>>{{{{{0, std::nan("")}}}}, {{1}}, {{1}}, {}}), numerical_error);
}
