#include <hrm/core/scalar.hpp>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include <doctest/doctest.h>

using namespace hrm;

static_assert(real<float> && real<double> && !real<bf16> && !real<int>);
static_assert(storable<bf16> && !storable<long double>);
static_assert(std::is_same_v<accumulate_t<bf16>, float> && std::is_same_v<accumulate_t<double>, double>);
static_assert(sizeof(bf16) == 2 && std::is_trivially_copyable_v<bf16>);

TEST_CASE("every bf16 but NaN survives the way through float") {
    for (std::uint32_t u = 0; u < 0x10000; ++u) {
        bf16 x;
        x.bits = static_cast<std::uint16_t>(u);
        const bool nan = (u & 0x7f80) == 0x7f80 && (u & 0x7f) != 0;
        REQUIRE(std::isnan(float(x)) == nan);
        if (!nan) REQUIRE(bf16(float(x)).bits == x.bits);
    }
}

TEST_CASE("rounds to nearest, ties to even") {
    CHECK(bf16(1.0f).bits == 0x3f80);
    CHECK(bf16(1.0f + 0x1p-8f).bits == 0x3f80);              // a tie, even below
    CHECK(bf16(1.0f + 3 * 0x1p-8f).bits == 0x3f82);          // a tie, even above
    CHECK(bf16(1.0f + 0x1p-8f + 0x1p-20f).bits == 0x3f81);   // above the tie
    CHECK(bf16(-1.0f - 0x1p-8f - 0x1p-20f).bits == 0xbf81);
    CHECK(std::isinf(float(bf16(std::numeric_limits<float>::max()))));
    CHECK(std::isinf(float(bf16(std::numeric_limits<float>::infinity()))));
    CHECK(std::isnan(float(bf16(std::nanf("")))));
    CHECK(float(bf16(0x1p-133f)) == 0x1p-133f);              // the smallest subnormal
}

TEST_CASE("a double is rounded once") {
    CHECK(bf16(1.0).bits == 0x3f80);
    for (const double sign : {1.0, -1.0}) {
        const std::uint16_t minus = sign < 0 ? 0x8000 : 0;
        CHECK(bf16(sign * (1 + 0x1p-8)).bits == (minus | 0x3f80));             // a tie, even below
        CHECK(bf16(sign * (1 + 0x1p-8 + 0x1p-40)).bits == (minus | 0x3f81));   // above it: as a float it would be the tie
        CHECK(bf16(sign * (1 + 3 * 0x1p-8 - 0x1p-40)).bits == (minus | 0x3f81));  // and below one
        CHECK(bf16(sign * 0x1.ffp127).bits == (minus | 0x7f80));              // half a unit above the largest
        CHECK(bf16(sign * (0x1.ffp127 - 0x1p90)).bits == (minus | 0x7f7f));
        CHECK(bf16(sign * 1e300).bits == (minus | 0x7f80));
        CHECK(bf16(sign * 0x1p-134).bits == minus);                            // half of the smallest subnormal
        CHECK(bf16(sign * (0x1p-134 + 0x1p-170)).bits == (minus | 1));
        CHECK(bf16(sign * 1e-300).bits == minus);
        CHECK(bf16(sign * std::numeric_limits<double>::infinity()).bits == (minus | 0x7f80));
    }
    CHECK(std::isnan(float(bf16(std::nan("")))));
    // Nearest: no neighbour is nearer, among doubles all of whose bits are drawn.
    std::uint64_t drawn = 1;
    for (int i = 0; i < 100000; ++i) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        const double x = std::ldexp(static_cast<double>(drawn >> 11), static_cast<int>(drawn >> 3 & 127) - 116);
        const bf16 got(x);
        bf16 below, above;
        below.bits = static_cast<std::uint16_t>(got.bits - 1), above.bits = static_cast<std::uint16_t>(got.bits + 1);
        const auto off = [&](bf16 y) { return std::abs(static_cast<double>(float(y)) - x); };  // exact: x and y are near
        REQUIRE((off(got) <= off(below) && off(got) <= off(above)));
    }
}
