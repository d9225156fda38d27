#include <hrm/linalg/elementary.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("exponential agrees with std::exp to 2 ulp on the whole float range") {
    double worst = 0;
    for (double x = -87; x < 88.7; x += 1e-3) {
        const double want = std::exp(static_cast<double>(static_cast<float>(x)));
        const double got = static_cast<double>(exponential(static_cast<float>(x)));
        worst = std::max(worst, std::abs(got - want) / want);
    }
    CHECK(worst <= 2 * static_cast<double>(std::numeric_limits<float>::epsilon()));
    CHECK(exponential(0.0f) == 1.0f);
    CHECK(exponential(-200.0f) == 0.0f);
    CHECK(std::isinf(exponential(100.0f)));
    CHECK(std::isnan(exponential(std::nanf(""))));
    CHECK(std::isinf(exponential(std::numeric_limits<float>::infinity())));
    CHECK(exponential(-std::numeric_limits<float>::infinity()) == 0.0f);
}

TEST_CASE("the maximum, wherever it lies, and never a NaN") {
    CHECK(maximum<double>(nullptr, 0) == -std::numeric_limits<double>::infinity());
    for (const index_t n : {1, 15, 16, 17, 40}) {
        float x[40];
        for (index_t at = 0; at < n; ++at) {
            std::fill(x, x + n, -2.0f);
            x[at] = -1;
            CHECK(maximum(x, n) == -1);
            x[at] = std::nanf("");
            if (n > 1) CHECK(maximum(x, n) == -2);
        }
    }
}
