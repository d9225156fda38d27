#include <hrm/linalg/simd.hpp>

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
