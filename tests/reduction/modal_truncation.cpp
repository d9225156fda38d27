#include <hrm/reduction/modal_truncation.hpp>

#include <doctest/doctest.h>

#include <hrm/systems/norms.hpp>
#include <hrm/systems/response.hpp>

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
