#include <hrm/train/schedule.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("the cosine climbs, turns half way, and stays on its floor") {
    const cosine_schedule rate{.peak = 2e-3, .warmup = 10, .total = 110, .floor = 2e-4};
    CHECK(rate(0) == doctest::Approx(2e-4));
    CHECK(rate(9) == doctest::Approx(2e-3));
    CHECK(rate(10) == doctest::Approx(2e-3));
    CHECK(rate(60) == doctest::Approx(1.1e-3));
    CHECK(rate(110) == doctest::Approx(2e-4));
    CHECK(rate(100000) == doctest::Approx(2e-4));
    for (index_t t = 10; t < 110; ++t) CHECK(rate(t + 1) < rate(t));
}

TEST_CASE("no warm-up starts at the peak, and a schedule shorter than its warm-up is harmless") {
    CHECK(cosine_schedule{.peak = 1, .warmup = 0, .total = 10}(0) == 1);
    const cosine_schedule odd{.peak = 1, .warmup = 10, .total = 5};
    CHECK(odd(4) == doctest::Approx(0.5));
    CHECK(odd(12) == doctest::Approx(0.0));
}

TEST_CASE("the constant rate climbs once") {
    const constant_schedule rate{.peak = 3, .warmup = 3};
    CHECK(rate(0) == doctest::Approx(1));
    CHECK(rate(2) == doctest::Approx(3));
    CHECK(rate(999) == 3);
    CHECK(constant_schedule{.peak = 2}(0) == 2);
}
