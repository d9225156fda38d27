#include <hrm/core/scalar.hpp>

#include <cmath>
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
