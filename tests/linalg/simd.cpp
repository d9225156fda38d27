#include <hrm/linalg/simd.hpp>

#include <hrm/linalg/detail/lane_order.hpp>

#include <bit>
#include <cmath>

#include <doctest/doctest.h>

using namespace hrm;

static_assert(sizeof(simd::pack<float>) == static_cast<std::size_t>(simd::register_bytes));
static_assert(simd::lanes<float> == 2 * simd::lanes<double>);

TEST_CASE_TEMPLATE("packs load and store from any address, and work lane by lane", S, float, double) {
    constexpr int n = simd::lanes<S>;
    S x[n + 1], y[n + 1];
    for (int i = 0; i <= n; ++i) x[i] = static_cast<S>(i + 1);
    simd::pack<S> p, q;
    simd::load<S>(p, x + 1);  // not aligned
    simd::load<S>(q, x);
    simd::store<S>(y + 1, p * q + S{2});
    for (int i = 0; i < n; ++i) CHECK(y[i + 1] == x[i + 1] * x[i] + S{2});
}

template <int W>
int wrongly_stored() {
    int wrong = 0;
    // Every sign, exponent and upper fraction, so zeros, denormals, infinities and NaNs; below them what decides the rounding.
    for (const std::uint32_t low : {0x0u, 0x1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
        for (std::uint32_t high = 0; high < 0x10000; high += W) {
            float x[W], back[W];
            bf16 got[W];
            for (std::uint32_t i = 0; i < W; ++i) x[i] = std::bit_cast<float>((high + i) << 16 | low);
            simd::pack<float, W> p, q;
            simd::load<float, W>(p, x);
            simd::store<float, W>(got, p);
            simd::load<float, W>(q, got);
            simd::store<float, W>(back, q);
            for (int i = 0; i < W; ++i) {
                wrong += got[i].bits != bf16(x[i]).bits;
                wrong += std::bit_cast<std::uint32_t>(back[i]) != static_cast<std::uint32_t>(got[i].bits) << 16;
            }
        }
    return wrong;
}
TEST_CASE("bf16 of any bits are widened and rounded as one number is") {
    CHECK(wrongly_stored<1>() == 0);
    CHECK(wrongly_stored<simd::lanes<float> / 2>() == 0);
    CHECK(wrongly_stored<simd::lanes<float>>() == 0);

    constexpr int W = simd::lanes<float>;
    bf16 pairs[2 * W];
    for (int i = 0; i < 2 * W; ++i) pairs[i].bits = static_cast<std::uint16_t>(0x3f01 + 0x1111 * i);
    simd::pack<float> both, each[2];
    simd::gather<float>(both, pairs, 8);
    simd::split<W>(each, both);
    for (int i = 0; i < W; ++i)
        for (int h = 0; h < 2; ++h) CHECK(std::bit_cast<std::uint32_t>(each[h][i]) == static_cast<std::uint32_t>(pairs[2 * i + h].bits) << 16);
}
TEST_CASE("bf16 beside doubles: the number next to a tie goes to its own side") {
    constexpr int W = simd::lanes<double>;
    simd::pack<double> x;
    for (int i = 0; i < W; ++i) x[i] = 1 + 0x1p-8 + (i % 2 ? 0x1p-50 : -0x1p-50);
    bf16 got[W];
    simd::store<double>(got, x);
    double back[W];
    simd::load<double>(x, got);
    simd::store<double>(back, x);
    for (int i = 0; i < W; ++i) CHECK(back[i] == (i % 2 ? 1 + 0x1p-7 : 1));
}

TEST_CASE_TEMPLATE("parts of rows, gathered and turned, are columns", S, float, double) {
    constexpr int n = simd::lanes<S>, part = 16 / static_cast<int>(sizeof(S));
    S x[n * part];  // n rows of one part each
    for (int i = 0; i < n * part; ++i) x[i] = static_cast<S>(i);
    simd::pack<S> w[part];
    for (int j = 0; j < part; ++j) simd::gather<S>(w[j], x + j * part, part * part);
    simd::turn_parts<S>(w);
    for (int j = 0; j < part; ++j) {
        S column[n];
        simd::store<S>(column, w[j]);
        for (int row = 0; row < n; ++row) CHECK(column[row] == x[row * part + j]);
    }
}

TEST_CASE_TEMPLATE("what is held in a register stays what it is", S, float, double) {
    simd::pack<S> x;
    for (int i = 0; i < simd::lanes<S>; ++i) x[i] = static_cast<S>(i + 1);
    simd::hold<S>(x);
    for (int i = 0; i < simd::lanes<S>; ++i) CHECK((x[i] == static_cast<S>(i + 1)));
}

TEST_CASE_TEMPLATE("a number spreads to every lane as it is, its sign too", S, float, double) {
    for (const S a : {S{1.5}, -S{0}}) {
        simd::pack<S> p;
        simd::spread<S>(p, a);
        S x[simd::lanes<S>];
        simd::store<S>(x, p);
        for (const S y : x) CHECK((y == a && std::signbit(y) == std::signbit(a)));
    }
}

TEST_CASE("pairs of two rows") {
    constexpr int W = simd::lanes<float>;
    bf16 first[W], second[W];
    for (int i = 0; i < W; ++i) first[i].bits = static_cast<std::uint16_t>(0x1111 * i), second[i].bits = static_cast<std::uint16_t>(0xffff - 0x0101 * i);
    simd::pack<simd::bf16_pair> x;
    simd::join<W>(x, first, second);
    for (int i = 0; i < W; ++i) CHECK((x[i] == (first[i].bits | static_cast<std::uint32_t>(second[i].bits) << 16)));
}

template <int W>
void check_pairs() {
    // Products of bf16 are whole numbers of 2^-14 here and sums exact in float, so every order of adding gives them.
    bf16 a[2 * W], b[2 * W];
    float before[W], after[W];
    for (int i = 0; i < 2 * W; ++i) a[i] = bf16(static_cast<float>(i - 5) / 128), b[i] = bf16(static_cast<float>(3 * i % 17 - 8) / 128);
    for (int i = 0; i < W; ++i) before[i] = static_cast<float>(i) - 0.5f;
    simd::pack<simd::bf16_pair, W> p, q;
    simd::pack<float, W> z;
    std::memcpy(&p, a, sizeof(p)), std::memcpy(&q, b, sizeof(q));
    simd::load<float, W>(z, before);
    simd::multiply_add<simd::bf16_pair, W>(z, p, q);
    simd::store<float, W>(after, z);
    for (int i = 0; i < W; ++i)
        CHECK(after[i] == before[i] + float(a[2 * i]) * float(b[2 * i]) + float(a[2 * i + 1]) * float(b[2 * i + 1]));

    // Rounded as bf16(x) is, of any bits but those of numbers below 2^-126, which are zero.
    index_t wrong = 0;
    for (std::uint32_t high = 0; high < 0x10000; high += W)
        for (const std::uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
            bf16 got[W];
            for (std::uint32_t i = 0; i < W; ++i) before[i] = std::bit_cast<float>((high + i) << 16 | low);
            simd::load<float, W>(z, before);
            simd::store_normal<W>(got, z);
            for (int i = 0; i < W; ++i)
                wrong += got[i].bits != (simd::pairs && std::fpclassify(before[i]) == FP_SUBNORMAL ? std::signbit(before[i]) << 15 : bf16(before[i]).bits);
        }
    CHECK(wrong == 0);
}
TEST_CASE("pairs of bf16: both products are added, and sums rounded, by the processor where it can") {
    check_pairs<simd::lanes<float>>();
    if constexpr (simd::lanes<float> == 16) check_pairs<8>(), check_pairs<4>(), check_pairs<1>();
}
