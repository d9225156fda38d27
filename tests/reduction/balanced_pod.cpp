#include <hrm/reduction/balanced_pod.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/complex_balance.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("with snapshots until all is quiet it is balanced truncation") {
    random_stream r(1);
    for (const index_t n_pairs : {3, 40})  // more snapshots than states, and fewer
        for (const index_t m : {1, 2}) {
            const auto s = random_pairs(r, 1, n_pairs, m, m, 0.7);
            const auto pod = balanced_pod(simulate(s), simulate(dual(s)), {.steps = 120, .rank = 4});
            const auto exact = balance(s, {.rank = 4});
            REQUIRE(pod.system.order() == 4);
            for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(pod.sigma[i] - exact.sigma[i]) <= 1e-12 * exact.sigma[0]);
            // The reduced systems agree to eps over the gap that follows the fourth value.
            CHECK(relative_distance(markov(exact.system, 40), markov(pod.system, 40)) <= 1e-9);
            CHECK(pod.horizon < 1e-15);
            auto identity = product(turned(pod.w), pod.t);
            for (index_t i = 0; i < 4; ++i) identity(i, i) -= 1;
            CHECK(largest(identity) <= 1e-12);
        }
}

TEST_CASE("full order is the system, and a short horizon says so") {
    random_stream r(2);
    const auto s = random_pairs(r, 1, 2, 2, 3, 0.9);
    const auto pod = balanced_pod(simulate(s), simulate(dual(s)), {.steps = 300});
    CHECK(pod.system.order() == 5);
    CHECK(relative_distance(markov(s, 60), markov(pod.system, 60)) <= 1e-10);
    const auto cut = balanced_pod(simulate(s), simulate(dual(s)), {.steps = 3});
    CHECK(cut.horizon > 0.05);
}

TEST_CASE("a system that is known by its callbacks only: diffusion on a ring of 2000 cells") {
    // s_i <- s_i + (s_{i-1} - 2 s_i + s_{i+1}) / 4 - s_i / 20 + u at cell 0; read at cell 3. Its own adjoint but for the ports.
    const auto ring = [](index_t in, index_t out) {
        simulator g{2000, 1, 1, {}, {}};
        g.step = [in](std::span<double> s, std::span<const double> u) {
            const std::vector<double> old(s.begin(), s.end());
            const auto n = old.size();
            for (std::size_t i = 0; i < n; ++i) s[i] = 0.45 * old[i] + 0.25 * (old[(i + n - 1) % n] + old[(i + 1) % n]);
            s[static_cast<std::size_t>(in)] += u[0];
        };
        g.output = [out](std::span<const double> s, std::span<double> y) { y[0] = s[static_cast<std::size_t>(out)]; };
        return g;
    };
    const auto g = ring(0, 3);
    const auto pod = balanced_pod(g, ring(3, 0), {.steps = 400, .rank = 8});
    REQUIRE(pod.system.order() == 8);
    const auto h = markov(pod.system, 60);
    const auto truth = detail::impulse_states(g, {.steps = 60}, 0, 1);
    double worst = 0, size = 0;
    for (index_t t = 0; t < 60; ++t) {
        worst = std::max(worst, std::abs(h[static_cast<std::size_t>(t)](0, 0) - truth(t, 3)));
        size = std::max(size, truth(t, 3));
    }
    double tail = 0;
    for (std::size_t i = 8; i < pod.sigma.size(); ++i) tail += 2 * pod.sigma[i];
    CHECK(worst <= tail + 1e-12);  // an impulse response differs by no more than the H-infinity bound
    CHECK(tail < 0.05 * size);
}

TEST_CASE("zero ports, no ports, and what does not fit") {
    random_stream r(3);
    auto s = random_pairs(r, 1, 1, 1, 1);
    s.b = matrix<double>(3, 1);
    CHECK(balanced_pod(simulate(s), simulate(dual(s))).system.order() == 0);
    const auto none = random_pairs(r, 1, 1, 0, 2);
    CHECK(balanced_pod(simulate(none), simulate(dual(none))).system.c.rows() == 2);
    const auto wide = random_pairs(r, 1, 1, 2, 1);
    CHECK_THROWS_AS(balanced_pod(simulate(wide), simulate(wide)), shape_error);
    CHECK_THROWS_AS(balanced_pod(simulate(wide), simulate(dual(wide)), {.steps = 0}), shape_error);
    auto bad = simulate(wide);
    bad.step = [](std::span<double> x, std::span<const double>) { x[0] = std::nan(""); };
    CHECK_THROWS_WITH_AS(balanced_pod(bad, simulate(dual(wide))), "hrm::balanced_pod: a snapshot is not finite", numerical_error);
}

TEST_CASE("complex: with snapshots until all is quiet it is balanced truncation, in any phase of the ports") {
    random_stream r(4);
    for (const index_t n : {7, 60})  // more snapshots than states, and fewer
        for (const index_t m : {1, 2}) {
            CAPTURE(n);
            CAPTURE(m);
            discrete<diagonal<number>> s{{}, normal_complex(r, n, m), normal_complex(r, m, n), {}};
            for (index_t i = 0; i < n; ++i) s.a.poles.push_back(std::polar(0.7 * std::sqrt(r.uniform()), r.uniform(0, 6.28)));
            const auto pod = balanced_pod(simulate(s), simulate(dual(s)), {.steps = 120 / m - 1, .rank = 4});
            const auto exact = balance(s, {.rank = 4});
            REQUIRE(pod.system.order() == 4);
            for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(pod.sigma[i] - exact.sigma[i]) <= 1e-12 * exact.sigma[0]);
            CHECK(distance_of(impulse_response(pod.system, 40), impulse_response(exact.system, 40)) <= 1e-9);
            CHECK(pod.horizon < 1e-8);
            matrix<number> one(4, 4);
            for (index_t i = 0; i < 4; ++i) one(i, i) = 1;
            CHECK(distance_of(times(adjoint_of(pod.w), pod.t), one) <= 1e-12);
            CHECK(distance_of(pod.system.a.a, times(adjoint_of(pod.w), times(to_dense(s.a), pod.t))) <= 1e-12);
            auto turned = s;
            turned.b = times(std::polar(1.0, 0.4), s.b), turned.c = times(std::polar(1.0, -1.7), s.c);
            const auto same = balanced_pod(simulate(turned), simulate(dual(turned)), {.steps = 120 / m - 1, .rank = 4});
            for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(same.sigma[i] - pod.sigma[i]) <= 1e-13 * pod.sigma[0]);
        }
}

TEST_CASE("complex: full order is the system, a real one gives the real result, and what is refused") {
    random_stream r(5);
    const auto s = drawn<discrete<dense<number>>>(r, 5, 2, 3);
    auto strict = s;
    strict.d = {};
    const auto pod = balanced_pod(simulate(s), simulate(dual(s)), {.steps = 600});
    CHECK(pod.system.order() == 5);
    CHECK(distance_of(impulse_response(pod.system, 60), impulse_response(strict, 60)) <= 1e-10);
    CHECK(balanced_pod(simulate(s), simulate(dual(s)), {.steps = 3}).horizon > 0.05);

    const auto real_one = random_pairs(r, 1, 3, 2, 2, 0.8);
    const auto want = balanced_pod(simulate(real_one), simulate(dual(real_one)), {.rank = 4});
    const auto got = balanced_pod(simulate(complex_of(real_one)), simulate(dual(complex_of(real_one))), {.rank = 4});
    for (std::size_t i = 0; i < want.sigma.size(); ++i) CHECK(std::abs(got.sigma[i] - want.sigma[i]) <= 1e-14 * want.sigma[0]);
    CHECK(distance_of(impulse_response(got.system, 40), complex_of(impulse_response(want.system, 40))) <= 1e-12);
    CHECK(got.horizon == doctest::Approx(want.horizon).epsilon(1e-10));

    auto silent = s;
    silent.b = matrix<number>(5, 2);
    CHECK(balanced_pod(simulate(silent), simulate(dual(silent))).system.order() == 0);
    CHECK_THROWS_AS(balanced_pod(simulate(s), simulate(s)), shape_error);
    CHECK_THROWS_WITH_AS(balanced_pod(simulate(s), simulate(dual(s)), {.steps = 0}), "hrm::balanced_pod: 0 steps, expected at least 1", shape_error);
    auto bad = simulate(s);
    bad.step = [](std::span<number> x, std::span<const number>) { x[0] = {0, std::nan("")}; };
    CHECK_THROWS_WITH_AS(balanced_pod(bad, simulate(dual(s))), "hrm::balanced_pod: a snapshot is not finite", numerical_error);
}
