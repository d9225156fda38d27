#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <hrm/core/detail/host_device.hpp>

namespace hrm {

/// Every extent, offset and count. Signed, so that loops may run backwards and differences are safe.
using index_t = std::ptrdiff_t;

/// The scalars the library computes in.
template <class S>
concept real = std::same_as<S, float> || std::same_as<S, double>;
/// What a linear system may be over besides: its equations, norms and reduction are there for complex A, B and C as well.
template <class S>
concept complex_scalar = std::same_as<S, std::complex<float>> || std::same_as<S, std::complex<double>>;
template <class S>
concept real_or_complex = real<S> || complex_scalar<S>;
/// S in the precision of T.
template <real T, real_or_complex S>
using in_precision = std::conditional_t<real<S>, T, std::complex<T>>;

/// bfloat16 as storage: the upper half of a float. Nothing computes in it; kernels widen on load.
struct bf16 {
    std::uint16_t bits = 0;

    bf16() = default;
    /// Rounds to nearest, ties to even. A NaN stays a (quiet) NaN.
    HRM_BOTH explicit bf16(float x) {
        auto u = __builtin_bit_cast(std::uint32_t, x);
        if ((u & 0x7fffffffu) > 0x7f800000u) bits = static_cast<std::uint16_t>((u >> 16) | 0x40u);
        else bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
    /// The same, once: by way of a float that is rounded to nearest too, what lies next to a tie would become one.
    HRM_BOTH explicit bf16(double x) : bf16(to_odd(x)) {}
    HRM_BOTH operator float() const { return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16); }
    friend bool operator==(bf16 x, bf16 y) { return float(x) == float(y); }

private:
    /// x as a float, cut; where that drops anything, its last bit is set. No tie of fewer bits has that bit (Boldo & Melquiond,
    /// IEEE Transactions on Computers 57, 2008).
    HRM_BOTH static float to_odd(double x) {
        const auto nearest = static_cast<float>(x);
        const auto back = static_cast<double>(nearest);
        auto u = __builtin_bit_cast(std::uint32_t, nearest);
        if (back < x || back > x) u = (u - ((back > x) == (x > 0) ? 1u : 0u)) | 1u;
        return __builtin_bit_cast(float, u);
    }
};

/// What may be stored: a computing scalar or bf16.
template <class S>
concept storable = real<S> || std::same_as<S, bf16>;

/// The scalar sums of S are kept in.
template <class S>
struct accumulate {
    using type = S;
};
template <>
struct accumulate<bf16> {
    using type = float;
};
template <class S>
using accumulate_t = typename accumulate<S>::type;

}  // namespace hrm
