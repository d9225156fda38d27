#include <hrm/linalg/svd.hpp>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

namespace {

using hrm::index_t, hrm::matrix;

matrix<double> made(index_t m, index_t n, double decades) {
    hrm::random_stream r(static_cast<std::uint64_t>(m * 1000 + n));
    matrix<double> k(m, n);
    for (index_t i = 0; i < m; ++i)
        for (index_t j = 0; j < n; ++j) k(i, j) = r.normal() * std::pow(10.0, -decades * static_cast<double>(i + j) / static_cast<double>(m + n));
    return k;
}

}  // namespace

// Everything to n eps sigma_1: k v = sigma u, orthonormal vectors, and the sum of squares of all sigma is |k|_F^2.
TEST_CASE("bidiagonal_svd: values and leading vectors") {
    for (auto [m, n] : {std::pair<index_t, index_t>{1, 1}, {5, 2}, {30, 30}, {61, 47}, {90, 90}})
        for (double decades : {0.0, 16.0}) {
            const auto k = made(m, n, decades);
            const hrm::bidiagonal_svd svd(k);
            const auto& sigma = svd.sigma();
            REQUIRE(sigma.size() == static_cast<std::size_t>(n));
            CHECK(std::is_sorted(sigma.rbegin(), sigma.rend()));
            double squares = 0, frobenius = 0;
            for (double s : sigma) squares += s * s;
            for (double x : k.flat()) frobenius += x * x;
            const double rounding = static_cast<double>(m) * 2.3e-16;
            CHECK(std::abs(squares - frobenius) <= rounding * frobenius);

            const index_t r = std::min<index_t>(n, 8);
            matrix<double> u, v, kv(m, r), gu(r, r), gv(r, r);
            REQUIRE(svd.vectors(r, u, v));
            hrm::multiply(k.view(), v.view(), kv.view());
            hrm::multiply(hrm::transposed(u.view()), u.view(), gu.view());
            hrm::multiply(hrm::transposed(v.view()), v.view(), gv.view());
            for (index_t j = 0; j < r; ++j) {
                for (index_t i = 0; i < m; ++i)
                    CHECK(std::abs(kv(i, j) - sigma[static_cast<std::size_t>(j)] * u(i, j)) <= 64 * rounding * sigma[0]);
                for (index_t i = 0; i < r; ++i) {
                    CHECK(std::abs(gu(i, j) - (i == j)) <= 16 * rounding);
                    CHECK(std::abs(gv(i, j) - (i == j)) <= 16 * rounding);
                }
            }
        }
}

TEST_CASE("bidiagonal_svd: equal values, zeros and a zero matrix") {
    matrix<double> k(20, 20), u, v;
    for (index_t i = 0; i < 12; ++i) k(i, 19 - i) = 3;
    const hrm::bidiagonal_svd svd(k);
    for (std::size_t i = 0; i < 20; ++i) CHECK(svd.sigma()[i] == doctest::Approx(i < 12 ? 3 : 0).epsilon(1e-14));
    CHECK(svd.vectors(12, u, v));
    const hrm::bidiagonal_svd none(matrix<double>(4, 3));
    for (double s : none.sigma()) CHECK(s == 0);
    CHECK(hrm::bidiagonal_svd(matrix<double>(3, 0)).sigma().empty());
    CHECK_THROWS_AS(hrm::bidiagonal_svd(matrix<double>(2, 3)), hrm::shape_error);
}
