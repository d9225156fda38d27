#include <hrm/core/random.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("philox gives the known answers of its authors' test file") {
    CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
          std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
          std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("a position names a number") {
    random_stream a(7, 3), b(7, 3);
    for (int i = 0; i < 5; ++i) (void)a.normal();
    b.seek(a.position());
    CHECK(a.normal() == b.normal());
}

TEST_CASE("moments: mean and variance of 1e5 draws lie within 5 standard errors") {
    random_stream r(1);
    double m = 0, v = 0, u = 0;
    const int n = 100000;
    for (int i = 0; i < n; ++i) {
        const double x = r.normal();
        m += x;
        v += x * x;
        u += r.uniform();
    }
    CHECK(std::abs(m / n) < 5 / std::sqrt(n));
    CHECK(std::abs(v / n - 1) < 5 * std::sqrt(2.0 / n));
    CHECK(std::abs(u / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
}
