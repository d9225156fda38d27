#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <hrm/core/error.hpp>
#include <hrm/core/scalar.hpp>

namespace hrm {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian; so must the host be");

/// The element types of safetensors, in the order of its specification: ascending alignment, which writers sort by.
enum class dtype {
    BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ,
    I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64
};

namespace detail {
struct dtype_fact {
    std::string_view name;
    unsigned bits;
};
inline constexpr std::array<dtype_fact, 22> dtype_facts = {{
    {"BOOL", 8},        {"F4", 4},           {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},    {"I8", 8},
    {"F8_E5M2", 8},     {"F8_E4M3", 8},      {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"I16", 16},        {"U16", 16},         {"F16", 16},    {"BF16", 16},   {"I32", 32},  {"U32", 32},
    {"F32", 32},        {"C64", 64},         {"F64", 64},    {"I64", 64},    {"U64", 64},
}};
}  // namespace detail

inline std::string_view name(dtype t) { return detail::dtype_facts[static_cast<std::size_t>(t)].name; }
/// Bits of one element; 4 and 6 exist.
inline unsigned bits(dtype t) { return detail::dtype_facts[static_cast<std::size_t>(t)].bits; }
inline dtype dtype_from(std::string_view text) {
    for (std::size_t i = 0; i < detail::dtype_facts.size(); ++i)
        if (detail::dtype_facts[i].name == text) return static_cast<dtype>(i);
    throw io_error("unknown dtype \"" + std::string(text) + "\"");
}

template <storable S>
inline constexpr dtype dtype_of = std::same_as<S, float> ? dtype::F32 : std::same_as<S, double> ? dtype::F64 : dtype::BF16;

/// IEEE 754 half precision, exactly: 1 sign, 5 exponent (bias 15), 10 fraction bits.
inline float from_half(std::uint16_t h) {
    const std::uint32_t sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 0x1fu, fraction = h & 0x3ffu;
    if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float tiny = static_cast<float>(fraction) * 0x1p-24f;  // subnormal
    return sign ? -tiny : tiny;
}

/// Copies numbers of type t, packed at any address, into out. Widening is exact; narrowing rounds to nearest, once. Throws
/// io_error for types that are not floating point of 16 bits or more.
template <storable S>
void convert(dtype t, std::span<const std::byte> from, std::span<S> out) {
    const auto each = [&]<class T>(auto&& widen, T raw) {
        for (std::size_t i = 0; i < out.size(); ++i) {
            std::memcpy(&raw, from.data() + i * sizeof(T), sizeof(T));
            out[i] = static_cast<S>(widen(raw));
        }
    };
    if (from.size() * 8 != out.size() * bits(t))
        throw io_error("hrm::convert: " + std::to_string(from.size()) + " bytes of " + std::string(name(t)) +
                       " are not " + std::to_string(out.size()) + " numbers");
    if (t == dtype_of<S>) {
        if (!out.empty()) std::memcpy(out.data(), from.data(), from.size());
    } else if (t == dtype::F32) each([](float x) { return x; }, 0.0f);
    else if (t == dtype::F64) each([](double x) { return x; }, 0.0);
    else if (t == dtype::BF16) each([](bf16 x) { return float(x); }, bf16());
    else if (t == dtype::F16) each(from_half, std::uint16_t{0});
    else throw io_error("hrm::convert: no conversion from " + std::string(name(t)));
}

}  // namespace hrm
