#include <hrm/linalg/simd.hpp>

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

TEST_CASE_TEMPLATE("a number spreads to every lane as it is, its sign too", S, float, double) {
    for (const S a : {S{1.5}, -S{0}}) {
        simd::pack<S> p;
        simd::spread<S>(p, a);
        S x[simd::lanes<S>];
        simd::store<S>(x, p);
        for (const S y : x) CHECK((y == a && std::signbit(y) == std::signbit(a)));
    }
}
