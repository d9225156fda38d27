#include <hrm/reduction/markov.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
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

TEST_CASE("ERA of a large Hankel matrix: never formed, the same system, an error with it") {
    random_stream r(3);
    const auto s = random_pairs(r, 2, 5, 9, 7, 0.9);
    const auto h = markov(s, 200);  // 700 x 900
    REQUIRE(700 * 900 > detail::era_dense_size);
    const auto got = era(h);
    CHECK(got.system.order() == 12);
    CHECK(got.failure > 0);
    CHECK(got.error <= 1e-10 * got.sigma[0]);
    CHECK(relative_distance(markov(s, 300), markov(got.system, 300)) <= 1e-9);
    const auto exact = jacobi_svd(block_hankel(h, 100, 100)).sigma;
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(got.sigma[i] - exact[i]) <= 1e-12 * exact[0]);
    // And these are the Hankel singular values: what lies beyond 100 steps is below rounding.
    const auto hsv = hankel_singular_values(s);
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(got.sigma[i] - hsv[i]) <= 1e-8 * hsv[0]);
    CHECK(era(h, {.rank = 4}).system.order() == 4);
    CHECK(era(h).system.a.a == got.system.a.a);
}

TEST_CASE("ERA without inputs or outputs, and of what is not finite") {
    CHECK(era(std::vector<matrix<double>>(4, matrix<double>(0, 2))).system.order() == 0);
    CHECK(era(std::vector<matrix<double>>(4, matrix<double>(3, 0))).system.c.rows() == 3);
    std::vector<matrix<double>> h(4, matrix<double>(1, 1));
    h[2](0, 0) = std::nan("");
    CHECK_THROWS_WITH_AS(era(h), "hrm::era: a Markov parameter is not finite", numerical_error);
    // Finite data whose singular value is not: |h| = 1.3e308, sigma_1 = 2 |h|.
    std::vector<matrix<double>> large(3, matrix<double>(2, 1, 1.3e308));
    CHECK_THROWS_WITH_AS(era(large), "hrm::era: the Hankel matrix is beyond the range of double", numerical_error);
    CHECK(era(std::vector<matrix<double>>(1200, matrix<double>(1, 1))).system.order() == 0);
}

TEST_CASE("Markov parameters in float are taken as they are, in double inside") {
    random_stream r(9);
    const auto s = random_pairs(r, 1, 2, 2, 2, 0.8);
    const auto h = markov(s, 20);
    std::vector<matrix<float>> narrow;
    std::vector<matrix<double>> same;  // what is in the floats
    for (const auto& x : h) {
        narrow.push_back(detail::cast_elements<float>(x));
        same.push_back(detail::cast_elements<double>(narrow.back()));
    }
    const auto x = era(narrow, {.tolerance = 1e-5}), y = era(same, {.tolerance = 1e-5});
    CHECK(x.sigma == y.sigma);
    CHECK(x.system.order() == s.order());
    CHECK(relative_distance(markov(x.system, 20), h) <= 1e-5);  // the data's 6e-8, and what 20 x 20 of them make of it
}

namespace {

// Poles apart from each other: a system that its Markov parameters tell well.
discrete<diagonal<number>> ringing(random_stream& r, index_t n, index_t m, index_t p) {
    discrete<diagonal<number>> s{{}, normal_complex(r, n, m), normal_complex(r, p, n), {}};
    for (index_t i = 0; i < n; ++i) s.a.poles.push_back(std::polar(r.uniform(0.6, 0.9), 6.28 * (static_cast<double>(i) + r.uniform(0, 0.5)) / static_cast<double>(n)));
    return s;
}
double nearest(const buffer<number>& poles, number to) {
    double gap = 10;
    for (const auto& l : poles) gap = std::min(gap, std::abs(l - to));
    return gap;
}

}  // namespace

TEST_CASE("complex: ERA recovers a known system, its order, its poles, and sigma are the Hankel singular values") {
    random_stream r(11);
    for (index_t m : {1, 2, 3}) {
        const auto s = ringing(r, 5, m, 2);
        const auto h = impulse_response(s, 240);
        const auto got = era(h);
        CHECK(got.system.order() == 5);
        CHECK(got.failure == 0);
        // The realization's parameters err by n eps sigma_1 a step and less, over sigma_5 where the smallest direction is divided by.
        const double rounding = 240 * 2.3e-16 * got.sigma[0] / got.sigma[4];
        CHECK(distance_of(impulse_response(got.system, 300), impulse_response(s, 300)) <= rounding);
        CHECK(got.sigma[5] <= 1e-14 * got.sigma[0]);
        const auto poles = eigenvalues(got.system.a);
        for (const auto& l : s.a.poles) CHECK(nearest(poles, l) <= rounding);
        const auto exact = hankel_singular_values(s);  // 0.9^240 = 1e-11: what the data do not hold
        for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(got.sigma[i] - exact[i]) <= 1e-10 * exact[0]);
        CHECK(era(h, {.rank = 2}).system.order() == 2);
        // Balanced: both Gramians are diag sigma, by the closed form's own equations.
        const auto wc = controllability(got.system), wo = observability(got.system);
        for (index_t i = 0; i < 5; ++i)
            for (index_t j = 0; j < 5; ++j) {
                CHECK(std::abs(wc(i, j) - (i == j ? exact[static_cast<std::size_t>(i)] : 0.0)) <= 1e-9 * exact[0]);
                CHECK(std::abs(wo(i, j) - (i == j ? exact[static_cast<std::size_t>(i)] : 0.0)) <= 1e-9 * exact[0]);
            }
    }
}

TEST_CASE("complex: a phase leaves sigma, conjugate data give the conjugate system, real data the real one") {
    random_stream r(12);
    const auto s = ringing(r, 4, 2, 3);
    const auto h = impulse_response(s, 40);
    auto turned = h, conjugate = h;
    for (std::size_t k = 0; k < h.size(); ++k) {
        turned[k] = times(std::polar(1.0, 2.1), h[k]);
        for (auto& x : conjugate[k].flat()) x = std::conj(x);
    }
    const auto got = era(h), by_phase = era(turned), mirrored = era(conjugate);
    for (std::size_t i = 0; i < got.sigma.size(); ++i) {
        CHECK(std::abs(by_phase.sigma[i] - got.sigma[i]) <= 1e-14 * got.sigma[0]);
        CHECK(std::abs(mirrored.sigma[i] - got.sigma[i]) <= 1e-14 * got.sigma[0]);
    }
    const auto poles = eigenvalues(mirrored.system.a);
    for (const auto& l : s.a.poles) CHECK(nearest(poles, std::conj(l)) <= 1e-11);

    const auto real_one = random_pairs(r, 1, 2, 2, 2, 0.9);
    const auto real_h = markov(real_one, 40);
    const auto want = era(real_h);
    const auto same = era(complex_of(real_h));
    REQUIRE(same.system.order() == want.system.order());
    for (std::size_t i = 0; i < want.sigma.size(); ++i) CHECK(std::abs(same.sigma[i] - want.sigma[i]) <= 1e-14 * want.sigma[0]);
    CHECK(distance_of(impulse_response(same.system, 60), complex_of(markov(want.system, 60))) <= 1e-11);
}

TEST_CASE("complex: ERA of a large Hankel matrix, never formed") {
    random_stream r(13);
    const auto s = ringing(r, 12, 9, 7);
    const auto h = impulse_response(s, 160);  // 560 x 720
    REQUIRE(560 * 720 > detail::era_dense_size);
    const auto got = era(h);
    CHECK(got.system.order() == 12);
    CHECK(got.failure > 0);
    CHECK(got.error <= 1e-10 * got.sigma[0]);
    CHECK(distance_of(impulse_response(got.system, 200), impulse_response(s, 200)) <= 1e-9);
    const auto exact = hankel_singular_values(s);  // 0.9^160 = 5e-8, squared in what is left out of sums of squares
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(got.sigma[i] - exact[i]) <= 1e-7 * exact[0]);
    const auto poles = eigenvalues(got.system.a);
    for (const auto& l : s.a.poles) CHECK(nearest(poles, l) <= 1e-10);
    CHECK(era(h).system.a.a == got.system.a.a);
}

TEST_CASE("complex: ERA of nothing, of too little, of what is not finite, and of floats") {
    const std::vector<matrix<number>> zero(6, matrix<number>(2, 3));
    CHECK(era(zero).system.order() == 0);
    CHECK_THROWS_WITH_AS(era(std::span(zero).first(1)), "hrm::era: 1 Markov parameters, expected at least 2", shape_error);
    CHECK_THROWS_WITH_AS(block_hankel(zero, 4, 4), "hrm::block_hankel: 6 Markov parameters, expected at least 7", shape_error);
    CHECK(era(std::vector<matrix<number>>(4, matrix<number>(0, 2))).system.order() == 0);
    auto bad = zero;
    bad[2](0, 0).imag(std::nan(""));
    CHECK_THROWS_WITH_AS(era(bad), "hrm::era: a Markov parameter is not finite", numerical_error);
    const std::vector<matrix<number>> large(3, matrix<number>(2, 1, number(0, 1.3e308)));
    CHECK_THROWS_WITH_AS(era(large), "hrm::era: the Hankel matrix is beyond the range of double", numerical_error);

    random_stream r(14);
    const auto h = impulse_response(ringing(r, 4, 2, 2), 20);
    std::vector<matrix<std::complex<float>>> narrow;
    std::vector<matrix<number>> same;
    for (const auto& x : h) {
        narrow.push_back(detail::cast_elements<std::complex<float>>(x));
        same.push_back(detail::cast_elements<number>(narrow.back()));
    }
    const auto x = era(narrow, {.tolerance = 1e-5}), y = era(same, {.tolerance = 1e-5});
    CHECK(x.sigma == y.sigma);
    CHECK(x.system.a.a == y.system.a.a);
    CHECK(x.system.order() == 4);
}
