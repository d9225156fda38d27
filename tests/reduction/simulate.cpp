#include <hrm/reduction/simulate.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/gramian.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("of a linear system the empirical Gramians are the time-limited ones, whatever the magnitudes") {
    random_stream r(1);
    const auto s = random_pairs(r, 2, 3, 2, 3, 0.9);
    const auto sim = simulate(s);
    const excitation e{.steps = 30, .magnitudes = {1, 0.25, 8}};
    CHECK(distance(empirical_controllability(sim, e), controllability(s, 30)) <= 1e-13 * largest(controllability(s, 30)));
    CHECK(distance(empirical_observability(sim, e), observability(s, 30)) <= 1e-13 * largest(observability(s, 30)));
    const excitation longer{.steps = 400};
    CHECK(distance(empirical_controllability(sim, longer), controllability(s)) <= 1e-12 * largest(controllability(s)));
}

TEST_CASE("the cross Gramian is sum A^t B C A^t, and its square is Wc Wo for one input and one output") {
    random_stream r(2);
    const auto s = random_pairs(r, 1, 2, 1, 1, 0.7);
    const auto wx = empirical_cross(simulate(s), {.steps = 200});
    const auto a = to_dense(s.a);
    matrix<double> power = product(s.b, s.c), sum(s.order(), s.order());
    for (int t = 0; t < 200; ++t) {
        for (index_t i = 0; i < sum.rows(); ++i)
            for (index_t j = 0; j < sum.cols(); ++j) sum(i, j) += power(i, j);
        power = product(product(a, power), a);
    }
    CHECK(distance(wx, sum) <= 1e-13 * largest(sum));
    const auto want = product(controllability(s), observability(s));
    CHECK(distance(product(wx, wx), want) <= 1e-12 * largest(want));
}

TEST_CASE("odd and even nonlinearities: both signs are averaged") {
    // s <- s/2 + u + u^2: the impulse c leaves s_t = (c + c^2) / 2^t, so Wc = (4/3) mean ((c + c^2)/c)^2 = (4/3)(1 + c^2).
    simulator s{1, 1, 1, [](std::span<double> x, std::span<const double> u) { x[0] = x[0] / 2 + u[0] + u[0] * u[0]; },
                [](std::span<const double> x, std::span<double> y) { y[0] = x[0]; }};
    CHECK(empirical_controllability(s, {.steps = 60, .magnitudes = {0.5}})(0, 0) == doctest::Approx(4.0 / 3 * 1.25));
    s.outputs = 2;
    CHECK_THROWS_AS(empirical_cross(s), shape_error);
}
