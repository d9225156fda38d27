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

TEST_CASE("e^x, e^x - 1 and log(1 + x) in double to 2 ulp, without cancellation") {
    // <cmath> in long double rounds 11 bits below double.
    const double off = 2 * std::numeric_limits<double>::epsilon();
    const auto close = [&](double got, long double want) { return std::abs(static_cast<long double>(got) - want) <= off * std::abs(want); };
    bool fine = true;
    for (double x = -707.5; x < 707.5; x += 0.0137) {
        const auto e = exponentials(x);
        fine = fine && close(e.whole, std::exp(static_cast<long double>(x))) && close(e.less_one, std::expm1(static_cast<long double>(x)));
    }
    for (double x = 1e-300; x <= 1; x *= 1.03) {
        fine = fine && close(exponentials(x).less_one, std::expm1(static_cast<long double>(x)));
        fine = fine && close(exponentials(-x).less_one, std::expm1(-static_cast<long double>(x)));
        fine = fine && close(log_one_plus(x), std::log1p(static_cast<long double>(x)));
    }
    CHECK(fine);
    CHECK(log_one_plus(0) == 0);
    CHECK(exponentials(0).whole == 1);
    CHECK(exponentials(0).less_one == 0);
    CHECK(exponentials(-std::numeric_limits<double>::infinity()).less_one == -1);
    CHECK(std::isfinite(exponentials(std::numeric_limits<double>::infinity()).whole));
    CHECK(std::isnan(exponentials(std::nan("")).whole));
    CHECK(std::isnan(exponentials(-std::nan("")).less_one));
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
