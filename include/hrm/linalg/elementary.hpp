#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <hrm/core/scalar.hpp>

namespace hrm {

/// e^x without a branch, so that loops over it vectorise. float: within 2 ulp for x in [-87, 88], 0 and inf beyond;
/// NaN stays NaN. double: std::exp.
///     e^x = 2^n e^r,  n = round(x / ln 2),  |r| <= ln 2 / 2,  e^r by a degree-6 Taylor/minimax polynomial
/// Cody & Waite, Software Manual for the Elementary Functions, 1980 (the two-part ln 2).
inline float exponential(float x) {
    // The ends are told apart in integers: g++ does not vectorise a loop with a comparison of floats, which may trap.
    const auto bits = std::bit_cast<std::int32_t>(x), magnitude = bits & 0x7fffffff, sign = bits >> 31;
    const auto beyond = [&](float end) { return -static_cast<std::int32_t>(magnitude > std::bit_cast<std::int32_t>(end)); };
    const auto limit = std::bit_cast<std::int32_t>(88.72283f);
    const float clipped = std::bit_cast<float>((bits & ~0x7fffffff) | (magnitude < limit ? magnitude : limit));
    const float shift = 0x1.8p23f;
    const float n = (clipped * 1.44269504088896341f + shift) - shift;
    const float r = (clipped - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    // Two factors: 2^n alone overflows for n = 128.
    const auto half = static_cast<std::int32_t>(n) >> 1;
    const auto rest = static_cast<std::int32_t>(n) - half;
    const float s1 = std::bit_cast<float>((half + 127) << 23), s2 = std::bit_cast<float>((rest + 127) << 23);
    const auto under = sign & beyond(87.3f), over = ~sign & beyond(88.72283f), none = beyond(__builtin_inff());
    const auto y = std::bit_cast<std::int32_t>(p * s1 * s2) & ~(under | over | none);
    return std::bit_cast<float>(y | (over & 0x7f800000) | (none & 0x7fc00000));
}
inline double exponential(double x) { return std::exp(x); }

/// e^x and e^x - 1 without a branch, each within 2 ulp and free of cancellation; |x| is cut at 708, NaN stays NaN. As above,
/// with Taylor's polynomial of degree 13.
struct exponential_pair {
    double whole, less_one;
};
inline exponential_pair exponentials(double x) {
    constexpr std::int64_t size = 0x7fffffffffffffff;
    const auto bits = std::bit_cast<std::int64_t>(x), magnitude = bits & size, limit = std::bit_cast<std::int64_t>(708.0);
    const double clipped = std::bit_cast<double>((bits & ~size) | (magnitude < limit ? magnitude : limit));
    const double shift = 0x1.8p52, shifted = clipped * 1.4426950408889634 + shift, n = shifted - shift;
    const double r = (clipped - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r * r + r;
    const auto none = -static_cast<std::int64_t>(magnitude > std::bit_cast<std::int64_t>(__builtin_inf()));
    const double two = std::bit_cast<double>(static_cast<std::int64_t>((std::bit_cast<std::uint64_t>(shifted) << 52) + (std::uint64_t{1023} << 52)) | none);  // 2^n
    return {two + two * p, two * p + (two - 1)};
}
/// log(1 + x) for x in [0, 1], within 2 ulp and without a branch:  2 artanh s,  s = x / (2 + x) <= 1/3.
inline double log_one_plus(double x) {
    const double s = x / (2 + x), z = s * s;
    double p = 1.0 / 33;
    for (int k = 31; k > 1; k -= 2) p = p * z + 1.0 / k;
    return 2 * s + 2 * s * (p * z);
}

/// 1 / (1 + e^-x).
template <real S>
S sigmoid(S x) {
    return S{1} / (S{1} + exponential(-x));
}

/// sum_i x_i y_i in 16 interleaved partial sums: vectorises without reordering licences, and the order depends on n
/// alone (never on alignment), so the bits repeat.
template <real S>
S dot(const S* x, const S* y, index_t n) {
    if (n < 16) {
        S sum{0};
        for (index_t i = 0; i < n; ++i) sum += x[i] * y[i];
        return sum;
    }
    S part[16] = {};
    index_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; ++j) part[j] += x[i + j] * y[i + j];
    S sum{0};
    for (; i < n; ++i) sum += x[i] * y[i];
    for (int w = 8; w > 0; w /= 2)
        for (int j = 0; j < w; ++j) part[j] += part[j + w];
    return part[0] + sum;
}

/// max_i x_i in 16 interleaved parts, which vectorise; -infinity for n = 0. A NaN is never the maximum.
template <real S>
S maximum(const S* x, index_t n) {
    S part[16];
    for (auto& p : part) p = -std::numeric_limits<S>::infinity();
    index_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; ++j) part[j] = x[i + j] > part[j] ? x[i + j] : part[j];
    for (; i < n; ++i) part[0] = x[i] > part[0] ? x[i] : part[0];
    for (int j = 1; j < 16; ++j) part[0] = part[j] > part[0] ? part[j] : part[0];
    return part[0];
}

/// y += a x.
template <real S>
void axpy(S a, const S* __restrict x, S* __restrict y, index_t n) {
    for (index_t i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace hrm
