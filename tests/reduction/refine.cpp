#include <hrm/reduction/refine.hpp>

#include <doctest/doctest.h>

#include <hrm/systems/response.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("the H2 error falls, and where it ends its slope is zero") {
    random_stream r(1);
    int converged = 0, better = 0, trials = 0;
    for (int trial = 0; trial < 8; ++trial) {
        const auto z = random_dense(r, 12, 2, 2, 0.8);
        continuous<dense<double>> s{z.a, z.b, z.c, matrix<double>(2, 2, 0.5)};
        for (index_t i = 0; i < 12; ++i) s.a.a(i, i) -= 1;
        const auto check = [&](const auto& g) {
            const auto b = balance(g, {.rank = 4});
            const auto f = refine_h2(g, b.system, {.steps = 200, .tolerance = 1e-9});
            ++trials;
            CHECK(f.h2_error <= f.start_error);
            CHECK(is_stable(f.system));
            better += f.h2_error < f.start_error * (1 - 1e-6);
            if (!f.converged) return;
            ++converged;
            // No entry of B or C improves it: central differences against the size of the error.
            const double h = 1e-5;
            for (index_t i = 0; i < 4; ++i) {
                auto up = f.system, down = f.system;
                up.c(0, i) += h;
                down.c(0, i) -= h;
                const double slope = (detail::h2_distance(detail::reduced_system<std::decay_t<decltype(g)>>(g), up) -
                                      detail::h2_distance(detail::reduced_system<std::decay_t<decltype(g)>>(g), down)) / (2 * h);
                CHECK(std::abs(slope) <= 1e-4 * h2_norm(difference(g, detail::reduced_system<std::decay_t<decltype(g)>>{{}, matrix<double>(0, 2), matrix<double>(2, 0), g.d})));
            }
        };
        check(s);
        check(z);
    }
    CHECK(better >= trials / 2);
    CHECK(converged >= trials / 2);
}

TEST_CASE("order zero, an exact start, and unstable systems") {
    random_stream r(2);
    const auto z = random_dense(r, 5, 1, 1, 0.7);
    CHECK(refine_h2(z, balance(z, {.rank = 0}).system).system.order() == 0);
    CHECK(refine_h2(z, balance(z).system).h2_error <= 1e-10);
    const continuous<diagonal<double>> bad{{{1}}, {{1}}, {{1}}, {}};
    CHECK_THROWS_AS(refine_h2(bad, continuous<dense<double>>{{{{-1}}}, {{1}}, {{1}}, {}}), numerical_error);
}
