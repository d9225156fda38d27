#include <hrm/reduction/markov.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("the block Hankel matrix") {
    const std::vector<matrix<double>> h = {{{1, 2}}, {{3, 4}}, {{5, 6}}, {{7, 8}}};
    CHECK(block_hankel(h, 2, 2) == matrix<double>{{1, 2, 3, 4}, {3, 4, 5, 6}});
    CHECK(block_hankel(h, 2, 2, 1) == matrix<double>{{3, 4, 5, 6}, {5, 6, 7, 8}});
    CHECK_THROWS_WITH_AS(block_hankel(h, 3, 3), "hrm::block_hankel: 4 Markov parameters, expected at least 5", shape_error);
    CHECK_THROWS_AS(block_hankel(h, 0, 3), shape_error);
}

TEST_CASE("ERA recovers a known system, its order and its poles") {
    random_stream r(1);
    for (index_t m : {1, 2, 3}) {
        const auto s = random_pairs(r, 1, 2, m, 2, 0.9);
        const auto h = markov(s, 40);
        const auto got = era(h);
        CHECK(got.system.order() == 5);
        CHECK(relative_distance(markov(s, 100), markov(got.system, 100)) <= 1e-9);
        CHECK(got.sigma[5] <= 1e-12 * got.sigma[0]);
        const auto poles = eigenvalues(got.system.a);
        double nearest = 1;
        for (index_t i = 0; i < 5; ++i) nearest = std::min(nearest, std::abs(poles[static_cast<std::size_t>(i)] - s.a.real[0]));
        CHECK(nearest <= 1e-8);
        CHECK(era(h, {.rank = 2}).system.order() == 2);
    }
}

TEST_CASE("ERA from noisy data keeps what stands above the noise") {
    random_stream r(2);
    const auto s = random_pairs(r, 2, 1, 1, 1, 0.9);
    auto h = markov(s, 60);
    for (auto& x : h) x(0, 0) += 1e-6 * r.normal();
    const auto got = era(h, {.tolerance = 1e-4});
    CHECK(got.system.order() <= 4);
    CHECK(relative_distance(h, markov(got.system, 60)) <= 1e-3);
}

TEST_CASE("ERA of nothing and of too little") {
    const std::vector<matrix<double>> zero(6, matrix<double>(2, 3));
    CHECK(era(zero).system.order() == 0);
    CHECK(era(zero).system.b.cols() == 3);
    CHECK_THROWS_AS(era(std::span(zero).first(1)), shape_error);
}
