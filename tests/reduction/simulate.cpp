#include <hrm/reduction/simulate.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/cross_gramian.hpp>
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

TEST_CASE("around a steady state that is not zero the response counts, not the state") {
    // s <- s/2 + 1/2 + u rests at 1: what an impulse c moves is c/2^t, so Wc = 4/3; with the state itself it would be 199.7.
    const simulator s{1, 1, 1, [](std::span<double> x, std::span<const double> u) { x[0] = x[0] / 2 + 0.5 + u[0]; },
                      [](std::span<const double> x, std::span<double> y) { y[0] = 3 * x[0]; }};
    const excitation at{.steps = 100, .state = {1}};
    CHECK(empirical_controllability(s, at)(0, 0) == doctest::Approx(4.0 / 3).epsilon(1e-12));
    CHECK(empirical_observability(s, at)(0, 0) == doctest::Approx(9 * 4.0 / 3).epsilon(1e-12));
    CHECK(empirical_cross(s, at)(0, 0) == doctest::Approx(3 * 4.0 / 3).epsilon(1e-12));
    CHECK(empirical_controllability(s)(0, 0) == doctest::Approx(4.0 / 3).epsilon(1e-12));  // from 0, which is no steady state, as well
    // About the mean over N steps: sum x^2 - (sum x)^2 / N with x = 2^-t.
    const excitation about{.steps = 100, .state = {1}, .centre = centring::mean};
    CHECK(empirical_controllability(s, about)(0, 0) == doctest::Approx(4.0 / 3 - 4.0 / 100).epsilon(1e-12));
    // A steady input: s <- s/2 + u rests at 2 under 1; s^2 is read, whose slope there is 4.
    const simulator square{1, 1, 1, [](std::span<double> x, std::span<const double> u) { x[0] = x[0] / 2 + u[0]; },
                           [](std::span<const double> x, std::span<double> y) { y[0] = x[0] * x[0]; }};
    const excitation held{.steps = 100, .magnitudes = {1e-4}, .state = {2}, .input = {1}};
    CHECK(empirical_controllability(square, held)(0, 0) == doctest::Approx(4.0 / 3).epsilon(1e-8));
    CHECK(empirical_observability(square, held)(0, 0) == doctest::Approx(16 * 4.0 / 3).epsilon(1e-7));  // the square of 1e-4
}

TEST_CASE("no callback, no magnitude, and a simulation that explodes are refused with the numbers") {
    const auto good = simulate(discrete<diagonal<double>>{{{0.5}}, {{1}}, {{1}}, {}});
    auto none = good;
    none.step = nullptr;
    CHECK_THROWS_WITH_AS(empirical_controllability(none), "hrm::empirical_controllability: the simulator has no step", shape_error);
    none = good;
    none.output = nullptr;
    CHECK_THROWS_WITH_AS(empirical_cross(none), "hrm::empirical_cross: the simulator has no output", shape_error);
    CHECK_THROWS_WITH_AS(empirical_observability(good, {.magnitudes = {1, 0}}), doctest::Contains("a magnitude is 0.000000"), numerical_error);
    CHECK_THROWS_AS(empirical_observability(good, {.magnitudes = {}}), shape_error);
    CHECK_THROWS_AS(empirical_observability(good, {.magnitudes = {std::nan("")}}), numerical_error);
    CHECK_THROWS_AS(empirical_controllability(good, {.steps = -1}), shape_error);
    CHECK_THROWS_WITH_AS(empirical_controllability(good, {.state = {1, 2}}), "hrm::empirical_controllability: the steady state is 2, expected 1", shape_error);
    CHECK_THROWS_AS(empirical_controllability(good, {.input = {1, 2}}), shape_error);
    const simulator bursts{1, 1, 1, [](std::span<double> x, std::span<const double> u) { x[0] = x[0] * x[0] * 1e10 + u[0]; },
                           [](std::span<const double> x, std::span<double> y) { y[0] = x[0]; }};
    CHECK_THROWS_WITH_AS(empirical_controllability(bursts), doctest::Contains("the state is not finite at step 5 of the run from 1.000000 at input 0"), numerical_error);
    CHECK_THROWS_WITH_AS(empirical_observability(bursts, {.magnitudes = {2}}), doctest::Contains("of the run from 2.000000 at state 0"), numerical_error);
    CHECK_THROWS_WITH_AS(empirical_controllability(bursts, {.state = {1}}), doctest::Contains("of the run without a disturbance"), numerical_error);
}

TEST_CASE("the cross Gramian of two inputs and three outputs is the sum of those of all pairs") {
    random_stream r(3);
    const auto s = random_pairs(r, 2, 2, 2, 3, 0.7);
    matrix<double> want(s.order(), s.order());
    for (index_t j = 0; j < 2; ++j)
        for (index_t i = 0; i < 3; ++i) {
            auto one = s;
            one.b = matrix<double>(s.order(), 1);
            one.c = matrix<double>(1, s.order());
            for (index_t k = 0; k < s.order(); ++k) one.b(k, 0) = s.b(k, j), one.c(0, k) = s.c(i, k);
            const auto x = cross_gramian(one);
            for (std::size_t k = 0; k < x.flat().size(); ++k) want.flat()[k] += x.flat()[k];
        }
    CHECK(distance(cross_gramian(s, cross_pairs::summed), want) <= 1e-13 * largest(want));
    CHECK(distance(empirical_cross(simulate(s), {.steps = 200, .pairs = cross_pairs::summed}), want) <= 1e-12 * largest(want));
    CHECK_THROWS_AS(cross_gramian(s), shape_error);
}
