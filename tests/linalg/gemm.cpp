#include <hrm/linalg/gemm.hpp>

#include <cmath>
#include <limits>
#include <utility>

#include <doctest/doctest.h>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>

using namespace hrm;

namespace {

// Worst |got - want| against the plain triple loop in long double, in units of the bound k eps |a||b| of any summation.
template <real S>
double worst_error(index_t m, index_t n, index_t k, bool a_turned, bool b_turned, S alpha, S beta) {
    random_stream r(static_cast<std::uint64_t>(m * 10007 + n * 101 + k));
    matrix<S> a(a_turned ? k : m, a_turned ? m : k), b(b_turned ? n : k, b_turned ? k : n), c(m, n);
    r.fill_normal(a.flat());
    r.fill_normal(b.flat());
    r.fill_normal(c.flat());
    const auto before = c;
    const strided_view<const S> av = a_turned ? transposed(std::as_const(a).view()) : strided_view<const S>(a.view());
    const strided_view<const S> bv = b_turned ? transposed(std::as_const(b).view()) : strided_view<const S>(b.view());
    gemm<S, S, S>(alpha, av, bv, beta, c.view());
    double worst = 0;
    for (index_t i = 0; i < m; ++i)
        for (index_t j = 0; j < n; ++j) {
            long double sum = 0, size = 0;
            for (index_t q = 0; q < k; ++q) {
                sum += static_cast<long double>(av(i, q)) * bv(q, j);
                size += std::abs(static_cast<long double>(av(i, q)) * bv(q, j));
            }
            const long double want = alpha * sum + beta * before(i, j);
            const long double scale = std::abs(alpha) * size + std::abs(static_cast<long double>(beta) * before(i, j));
            const long double bound = static_cast<long double>(k + 3) * std::numeric_limits<S>::epsilon() * scale;
            worst = std::max(worst, static_cast<double>(std::abs(c(i, j) - want) / (bound > 0 ? bound : 1)));
        }
    return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("gemm stays within the summation bound for every shape and transpose", S, float, double) {
    for (auto [m, n, k] : {std::array<index_t, 3>{1, 1, 1}, {3, 5, 7}, {64, 33, 300}, {129, 257, 65}, {1, 300, 513}, {50, 1, 40}})
        for (bool at : {false, true})
            for (bool bt : {false, true}) {
                CHECK(worst_error<S>(m, n, k, at, bt, S{1}, S{0}) <= 1);
                CHECK(worst_error<S>(m, n, k, at, bt, S{-2}, S(0.5)) <= 1);
            }
}

TEST_CASE_TEMPLATE("factors of another precision are widened: the bits of the widened product", T, float, bf16) {
    random_stream r(17);
    for (auto [m, n, k] : {std::array<index_t, 3>{3, 5, 7}, {64, 33, 300}, {50, 1, 40}, {9, 40, 11}})
        for (bool turned : {false, true}) {
            matrix<double> a(turned ? k : m, turned ? m : k), b(turned ? n : k, turned ? k : n), c(m, n), want(m, n);
            matrix<T> narrow_a(a.rows(), a.cols()), narrow_b(b.rows(), b.cols());
            const auto fill = [&](matrix<double>& wide, matrix<T>& narrow) {
                r.fill_normal(wide.flat());
                for (index_t i = 0; i < wide.size(); ++i) wide.data()[i] = static_cast<double>(narrow.data()[i] = static_cast<T>(static_cast<float>(wide.data()[i])));
            };
            fill(a, narrow_a);
            fill(b, narrow_b);
            const auto view = [&](const auto& x) {
                using E = std::remove_cvref_t<decltype(*x.data())>;
                return turned ? transposed(x.view()) : strided_view<const E>(x.view());
            };
            gemm<double, double, double>(1.0, view(a), view(b), 0.0, want.view());
            gemm<double, double, T>(1.0, view(a), view(narrow_b), 0.0, c.view());
            CHECK(c == want);
            gemm<double, T, double>(1.0, view(narrow_a), view(b), 0.0, c.view());
            CHECK(c == want);
        }
}

TEST_CASE("a row of the product does not depend on the rows beside it") {
    random_stream r(3);
    matrix<float> a(37, 600), b(600, 41), all(37, 41), one(1, 41);
    r.fill_normal(a.flat());
    r.fill_normal(b.flat());
    multiply(a.view(), b.view(), all.view());
    for (index_t i = 0; i < a.rows(); ++i) {
        multiply(a.view().slice_rows(i, 1), b.view(), one.view());
        for (index_t j = 0; j < b.cols(); ++j) REQUIRE(one(0, j) == all(i, j));
    }
}

TEST_CASE("beta = 0 does not read C, and an empty sum scales it") {
    matrix<float> a{{1}}, b{{2}}, c{{std::nanf("")}};
    multiply(a.view(), b.view(), c.view());
    CHECK(c(0, 0) == 2.0f);
    gemm<float, float, float>(1.0f, matrix_view<float>(a.data(), 1, 0), matrix_view<float>(b.data(), 0, 1), 3.0f, c.view());
    CHECK(c(0, 0) == 6.0f);
}

TEST_CASE("bf16 weights widen on the way in") {
    matrix<float> a{{1.5f, -2}}, c(1, 1);
    matrix<bf16> b(2, 1);
    b(0, 0) = bf16(0.25f);
    b(1, 0) = bf16(3.0f);
    multiply(a.view(), b.view(), c.view());
    CHECK(c(0, 0) == 1.5f * 0.25f - 6.0f);
}

TEST_CASE("shapes that do not fit are named") {
    matrix<float> a(2, 3), b(4, 5), c(2, 5);
    CHECK_THROWS_WITH_AS(multiply(a.view(), b.view(), c.view()), "hrm::gemm: B is 4x5, expected 3x5", shape_error);
}
