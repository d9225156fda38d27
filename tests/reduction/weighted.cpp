#include <hrm/reduction/weighted.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("a constant weight scales the inputs, an all-pass one changes nothing") {
    random_stream r(1);
    auto z = random_dense(r, 6, 2, 2, 0.8);
    continuous<dense<double>> s{z.a, z.b, z.c, {}};
    for (index_t i = 0; i < 6; ++i) s.a.a(i, i) -= 1;
    const auto w = controllability(s), wz = controllability(z);
    const continuous<dense<double>> three{{matrix<double>(0, 0)}, matrix<double>(0, 2), matrix<double>(2, 0), {{3, 0}, {0, 3}}};
    auto nine = w;
    for (auto& x : nine.flat()) x *= 9;
    CHECK(distance(weighted_controllability(s, three), nine) <= 1e-12 * largest(nine));
    // (s - 1)/(s + 1) on each input.
    const continuous<diagonal<double>> turn{{{-1, -1}}, {{1, 0}, {0, 1}}, {{-2, 0}, {0, -2}}, {{1, 0}, {0, 1}}};
    CHECK(distance(weighted_controllability(s, turn), w) <= 1e-12 * largest(w));
    CHECK(distance(weighted_observability(s, turn), observability(s)) <= 1e-12 * largest(observability(s)));
    // (1 - a z)/(z - a) = z c b/(z - a) + d with d = -1/a, c b = 1/a - a.
    const double a = 0.6;
    const discrete<diagonal<double>> step{{{a, a}}, {{1, 0}, {0, 1}}, {{1 / a - a, 0}, {0, 1 / a - a}}, {{-1 / a, 0}, {0, -1 / a}}};
    CHECK(distance(weighted_controllability(z, step), wz) <= 1e-12 * largest(wz));
    CHECK(distance(weighted_observability(z, step), observability(z)) <= 1e-12 * largest(observability(z)));
}

TEST_CASE("discrete: the covariance of the states behind the filter, by simulation") {
    random_stream r(2);
    const auto g = random_dense(r, 4, 2, 3, 0.7), h = random_dense(r, 3, 5, 2, 0.7);
    matrix<double> want(4, 4);
    for (index_t input = 0; input < 5; ++input) {
        matrix<double> s(4, 1), f(3, 1), u(5, 1);
        u(input, 0) = 1;
        for (int t = 0; t < 400; ++t) {
            auto next = product(h.a.a, f), now = product(h.b, u);
            for (index_t i = 0; i < 3; ++i) f(i, 0) = next(i, 0) + now(i, 0);
            u(input, 0) = 0;
            auto moved = product(g.a.a, s), driven = product(g.b, product(h.c, f));
            for (index_t i = 0; i < 4; ++i) s(i, 0) = moved(i, 0) + driven(i, 0);
            for (index_t i = 0; i < 4; ++i)
                for (index_t j = 0; j < 4; ++j) want(i, j) += s(i, 0) * s(j, 0);
        }
    }
    CHECK(distance(weighted_controllability(g, h), want) <= 1e-12 * largest(want));
}

TEST_CASE("weights that do not fit, or are unstable, are refused") {
    random_stream r(3);
    const auto g = random_dense(r, 4, 2, 3, 0.7), h = random_dense(r, 3, 5, 3, 0.7), u = random_dense(r, 3, 5, 2, 1.2);
    CHECK_THROWS_AS(weighted_controllability(g, h), shape_error);
    CHECK_THROWS_AS(weighted_observability(g, h), shape_error);
    CHECK_THROWS_AS(weighted_controllability(g, u), unstable_error);
}
