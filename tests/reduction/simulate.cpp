#include <hrm/reduction/simulate.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/cross_gramian.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/limited.hpp>

#include "../support/complex_systems.hpp"
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

TEST_CASE("complex: NumPy's sums over a horizon, mpmath's Gramians over a long one, the cross Gramian") {
    const auto r = operations_references()[1];
    REQUIRE(r.discrete);
    const auto g = simulate(discrete<dense<number>>{{r.a}, r.b, r.c, r.d});
    CHECK(distance_of(empirical_controllability(g, {.steps = 7, .magnitudes = {1, 0.25, 8}}), r.horizon) <= 1e-14);
    CHECK(distance_of(empirical_cross(g, {.steps = 400}), r.cross) <= 1e-13);
    for (const auto& x : complex_references())
        if (x.discrete && !x.diagonal) {
            const auto s = simulate(discrete<dense<number>>{{x.a}, x.b, x.c, x.d});
            CHECK(distance_of(empirical_controllability(s, {.steps = 400}), x.wc) <= 1e-13);
            CHECK(distance_of(empirical_observability(s, {.steps = 400}), x.wo) <= 1e-13);
        }
}

TEST_CASE("complex: the time-limited Gramians, Hermitian to the bit, whatever the phases of the ports") {
    random_stream r(4);
    const auto s = drawn<discrete<diagonal<number>>>(r, 7, 2, 3);
    const excitation_of<number> e{.steps = 30, .magnitudes = {1, 0.25, 8}};
    const auto wc = empirical_controllability(simulate(s), e), wo = empirical_observability(simulate(s), e);
    CHECK(distance_of(wc, controllability(s, 30)) <= 1e-13);
    CHECK(distance_of(wo, observability(s, 30)) <= 1e-13);
    CHECK(adjoint_of(wc) == wc);
    CHECK(adjoint_of(wo) == wo);
    auto turned = s;
    turned.b = times(std::polar(1.0, 0.4), s.b), turned.c = times(std::polar(1.0, -1.7), s.c);
    CHECK(distance_of(empirical_controllability(simulate(turned), e), wc) <= 1e-14);
    CHECK(distance_of(empirical_observability(simulate(turned), e), wo) <= 1e-14);
    const auto wx = empirical_cross(simulate(s), {.steps = 30, .pairs = cross_pairs::summed});
    CHECK(distance_of(empirical_cross(simulate(turned), {.steps = 30, .pairs = cross_pairs::summed}), times(std::polar(1.0, -1.3), wx)) <= 1e-14);

    const auto real_one = random_pairs(r, 2, 3, 2, 2, 0.9);
    const auto a = simulate(real_one);
    const auto b = simulate(complex_of(real_one));
    for (const auto centre : {centring::undisturbed, centring::mean}) {
        CHECK(distance_of(empirical_controllability(b, {.steps = 50, .centre = centre}), complex_of(empirical_controllability(a, {.steps = 50, .centre = centre}))) <= 1e-14);
        CHECK(distance_of(empirical_observability(b, {.steps = 50, .centre = centre}), complex_of(empirical_observability(a, {.steps = 50, .centre = centre}))) <= 1e-14);
        CHECK(distance_of(empirical_cross(b, {.steps = 50, .centre = centre}), complex_of(empirical_cross(a, {.steps = 50, .centre = centre}))) <= 1e-14);
    }
}

TEST_CASE("complex: about a steady state, both signs of what is not linear, and what is refused") {
    // s <- (i/2) s + 1 + u + u^2 rests at 1 / (1 - i/2): the impulse c moves (c + c^2) (i/2)^t, so Wc = (4/3)(1 + c^2); i s is read.
    const number half(0, 0.5), rest = 1.0 / (1.0 - half);
    const simulator_of<number> s{1, 1, 1, [half](std::span<number> x, std::span<const number> u) { x[0] = half * x[0] + 1.0 + u[0] + u[0] * u[0]; },
                                 [](std::span<const number> x, std::span<number> y) { y[0] = number(0, 3) * x[0]; }};
    const excitation_of<number> e{.steps = 60, .magnitudes = {0.5}, .state = {rest}};
    CHECK(std::abs(empirical_controllability(s, e)(0, 0) - 4.0 / 3 * 1.25) <= 1e-14);
    CHECK(std::abs(empirical_observability(s, e)(0, 0) - 9 * 4.0 / 3) <= 1e-13);
    // sum_t (c + c^2)(i/2)^t 3 i c (i/2)^t / c^2 = 3 i / (1 + 1/4), the even part falls out.
    CHECK(std::abs(empirical_cross(s, e)(0, 0) - number(0, 3 / 1.25)) <= 1e-14);
    const auto bursts = [](std::span<number> x, std::span<const number> u) { x[0] = x[0] * x[0] * number(0, 1e10) + u[0]; };
    const simulator_of<number> explodes{1, 1, 1, bursts, s.output};
    CHECK_THROWS_WITH_AS(empirical_controllability(explodes), doctest::Contains("the state is not finite at step 5 of the run from 1.000000 at input 0"), numerical_error);
    CHECK_THROWS_WITH_AS(empirical_observability(explodes, {.magnitudes = {2}}), doctest::Contains("of the run from 2.000000 at state 0"), numerical_error);
    CHECK_THROWS_WITH_AS(empirical_controllability(s, {.state = {1, 2}}), "hrm::empirical_controllability: the steady state is 2, expected 1", shape_error);
    auto none = s;
    none.step = nullptr;
    CHECK_THROWS_WITH_AS(empirical_cross(none), "hrm::empirical_cross: the simulator has no step", shape_error);
    none = s;
    none.outputs = 2;
    CHECK_THROWS_AS(empirical_cross(none), shape_error);
}
