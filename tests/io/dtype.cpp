#include <hrm/io/dtype.hpp>

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("names and back") {
    for (int i = 0; i <= static_cast<int>(dtype::U64); ++i) CHECK(dtype_from(name(static_cast<dtype>(i))) == static_cast<dtype>(i));
    CHECK_THROWS_WITH_AS(dtype_from("F128"), "unknown dtype \"F128\"", io_error);
    CHECK(bits(dtype::F4) == 4);
    CHECK(bits(dtype::F6_E3M2) == 6);
    CHECK(bits(dtype::BF16) == 16);
    CHECK(bits(dtype::C64) == 64);
}

TEST_CASE("half precision: every one of the 65536 values against its definition") {
    for (std::uint32_t h = 0; h < 65536; ++h) {
        const int exponent = static_cast<int>(h >> 10 & 31), fraction = static_cast<int>(h & 1023);
        const float x = from_half(static_cast<std::uint16_t>(h));
        CHECK_MESSAGE(std::signbit(x) == (h >> 15 == 1), h);
        if (exponent == 31 && fraction) CHECK(std::isnan(x));
        else if (exponent == 31) CHECK(std::isinf(x));
        else CHECK(std::abs(x) == static_cast<float>(std::ldexp(exponent ? 1024 + fraction : fraction, (exponent ? exponent : 1) - 25)));
    }
}

TEST_CASE("conversion reads from any address, widens exactly, rounds to nearest") {
    const std::vector<float> x{1.0f, -0.1f, 3e38f};
    std::vector<std::byte> shifted(1 + 4 * x.size());
    std::memcpy(shifted.data() + 1, x.data(), 4 * x.size());
    const auto odd = std::span<const std::byte>(shifted).subspan(1);

    std::vector<double> d(3);
    convert(dtype::F32, odd, std::span(d));
    for (std::size_t i = 0; i < 3; ++i) CHECK(d[i] == static_cast<double>(x[i]));
    std::vector<float> f(3);
    convert(dtype::F32, odd, std::span(f));
    CHECK(f == x);
    std::vector<bf16> b(3);
    convert(dtype::F32, odd, std::span(b));
    for (std::size_t i = 0; i < 3; ++i) CHECK(b[i].bits == bf16(x[i]).bits);
    convert(dtype::BF16, std::as_bytes(std::span(b)), std::span(f));
    for (std::size_t i = 0; i < 3; ++i) CHECK(f[i] == float(b[i]));

    const std::vector<double> third{1.0 / 3};
    convert(dtype::F64, std::as_bytes(std::span(third)), std::span(f).first(1));
    CHECK(f[0] == 1.0f / 3);
    const std::vector<std::uint16_t> half{0x3c00, 0xc500};
    convert(dtype::F16, std::as_bytes(std::span(half)), std::span(f).first(2));
    CHECK(f[0] == 1.0f);
    CHECK(f[1] == -5.0f);

    CHECK_THROWS_AS(convert(dtype::I32, odd, std::span(f)), io_error);
    CHECK_THROWS_AS(convert(dtype::F32, odd.first(8), std::span(f)), io_error);
}
