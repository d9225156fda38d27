#include <hrm/linalg/svd.hpp>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/complex_bidiagonal.hpp>

#include "../support/complex_systems.hpp"

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
    for (auto [m, n] : {std::pair<index_t, index_t>{1, 1}, {5, 2}, {30, 30}, {61, 47}, {90, 90}, {280, 250}})  // the last one by panels
        for (double decades : {0.0, 16.0}) {
            const auto k = made(m, n, decades);
            const hrm::bidiagonal_svd svd(k);
            const auto& sigma = svd.sigma();
            REQUIRE(sigma.size() == static_cast<std::size_t>(n));
            CHECK(std::is_sorted(sigma.rbegin(), sigma.rend()));
            long double squares = 0, frobenius = 0;  // sums of many numbers, whose own rounding is not the matter
            for (long double s : sigma) squares += s * s;
            for (long double x : k.flat()) frobenius += x * x;
            const double rounding = static_cast<double>(m) * 2.3e-16;
            CHECK(std::abs(squares - frobenius) <= rounding * frobenius);

            for (const index_t r : {std::min<index_t>(n, 8), decades == 0 ? n - n / 10 : 1}) {  // few, and nearly all
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
}

// To n eps and a residual of n eps sigma_1, or refused: clusters, and values far below rounding, whose vectors are all alike at first.
TEST_CASE("bidiagonal_svd: vectors to equal and to vanishing values are orthonormal") {
    for (const index_t n : {9, 40, 77}) {
        matrix<double> cluster(n, n), far = made(n, n, 60);  // n - 2 values of 1;  sigma_n is 1e-50 or so
        hrm::multiply(made(n, 2, 0).view(), hrm::transposed(made(n, 2, 2).view()), cluster.view());
        for (index_t i = 0; i < n; ++i) cluster(i, i) += 1;
        for (const auto* k : {&cluster, &far}) {
            const hrm::bidiagonal_svd svd(*k);
            matrix<double> u, v, kv(n, n), gu(n, n), gv(n, n);
            REQUIRE(svd.vectors(n, u, v));
            hrm::multiply(k->view(), v.view(), kv.view());
            hrm::multiply(hrm::transposed(u.view()), u.view(), gu.view());
            hrm::multiply(hrm::transposed(v.view()), v.view(), gv.view());
            const double rounding = 2.3e-16 * static_cast<double>(n);
            for (index_t j = 0; j < n; ++j)
                for (index_t i = 0; i < n; ++i) {
                    CHECK(std::abs(kv(i, j) - svd.sigma()[static_cast<std::size_t>(j)] * u(i, j)) <= 64 * rounding * svd.sigma()[0]);
                    CHECK(std::abs(gu(i, j) - (i == j)) <= 16 * rounding);
                    CHECK(std::abs(gv(i, j) - (i == j)) <= 16 * rounding);
                }
        }
    }
}

// As above, of complex matrices: full, graded over 16 and 60 decades, clustered, with zero rows and columns, and zero.
TEST_CASE("complex_bidiagonal_svd: values and vectors") {
    hrm::random_stream r(5);
    for (auto [m, n] : {std::pair<index_t, index_t>{1, 1}, {5, 2}, {30, 30}, {61, 47}})
        for (int kind = 0; kind < 5; ++kind) {
            CAPTURE(kind);
            auto k = normal_complex(r, m, n);
            const double decades = kind == 1 ? 16 : kind == 2 ? 60 : 0;
            for (index_t i = 0; i < m; ++i)
                for (index_t j = 0; j < n; ++j) {
                    k(i, j) *= std::pow(10.0, -decades * static_cast<double>(i + j) / static_cast<double>(m + n));
                    if (kind == 3) k(i, j) = k(i, 0) * std::conj(k(0, j)) + (i == j ? 1.0 : 0.0);
                    if (kind == 4 && (i % 3 == 1 || j % 4 == 1)) k(i, j) = 0;
                }
            const hrm::detail::complex_bidiagonal_svd svd(k);
            const auto& sigma = svd.sigma();
            REQUIRE(sigma.size() == static_cast<std::size_t>(n));
            CHECK(std::is_sorted(sigma.rbegin(), sigma.rend()));
            double squares = 0, frobenius = 0;
            for (double s : sigma) squares += s * s;
            for (const auto& x : k.flat()) frobenius += std::norm(x);
            const double rounding = static_cast<double>(m + n) * 2.3e-16;
            CHECK(std::abs(squares - frobenius) <= 2 * rounding * frobenius);
            index_t count = 0;
            while (count < n && sigma[static_cast<std::size_t>(count)] > 1e-12 * sigma[0]) ++count;
            hrm::matrix<number> u, v;
            REQUIRE(svd.vectors(count, u, v));
            auto us = u, one = hrm::matrix<number>(count, count);
            for (index_t j = 0; j < count; ++j) {
                one(j, j) = 1;
                for (index_t i = 0; i < m; ++i) us(i, j) *= sigma[static_cast<std::size_t>(j)];
            }
            const auto kv = times(k, v);
            double worst = 0;
            for (std::size_t e = 0; e < kv.flat().size(); ++e) worst = std::max(worst, std::abs(kv.flat()[e] - us.flat()[e]));
            CHECK(worst <= 16 * rounding * sigma[0]);
            CHECK(distance_of(times(adjoint_of(u), u), one) <= 16 * rounding);
            CHECK(distance_of(times(adjoint_of(v), v), one) <= 16 * rounding);
        }
    const hrm::detail::complex_bidiagonal_svd nothing(hrm::matrix<number>(4, 3)), empty(hrm::matrix<number>(4, 0));
    CHECK(nothing.sigma() == std::vector<double>(3, 0.0));
    CHECK(empty.sigma().empty());
    CHECK_THROWS_AS(hrm::detail::complex_bidiagonal_svd(hrm::matrix<number>(2, 3)), hrm::shape_error);
}

// Numbers whose squares have lost digits, or are lost, beside large ones: each reflection is to be unitary in spite of them.
TEST_CASE("complex_bidiagonal_svd: rows and columns of 1e-150 down to denormal numbers") {
    hrm::random_stream r(7);
    const auto large = normal_complex(r, 6, 5);
    for (const double little : {1e-150, 1e-161, 2e-162, 1e-200, 1e-308, 5e-323})
        for (const bool column : {true, false}) {
            CAPTURE(little);
            auto k = large, none = large;
            for (index_t i = 0; i < 6; ++i)
                for (index_t j = 0; j < 5; ++j)
                    if (column ? j == 0 : i < 2 && j > 0) k(i, j) *= little, none(i, j) = 0;
            const hrm::detail::complex_bidiagonal_svd svd(k), beside(none);
            for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(svd.sigma()[i] - beside.sigma()[i]) <= 11 * 2.3e-16 * beside.sigma()[0]);
        }
}

// A bidiagonal matrix of ones has the singular values 2 cos(k pi / (2 n + 1)), k = 1 .. n. Several of them on one diagonal,
// of very different size and in any order, with nothing between them: to n eps of the largest.
TEST_CASE("bidiagonal_values: closed form, blocks that fall apart, small above large and below, vanishing entries") {
    using sizes = std::vector<std::pair<int, double>>;  // order and scale
    for (const auto& blocks : {sizes{{1, 1}}, {{2, 1}}, {{3, 1}}, {{50, 1}}, {{300, 1}}, {{40, 1}, {30, 1e-9}}, {{30, 1e-9}, {40, 1}},
                               {{20, 1}, {25, 1e-30}, {20, 1}}, {{7, 1e3}, {60, 1}, {1, 1e-4}, {60, 1}}, {{5, 0}, {40, 2}, {5, 0}}}) {
        std::vector<double> d, e, expected;
        for (const auto& [n, scale] : blocks)
            for (int k = 1; k <= n; ++k) {
                d.push_back(scale);
                e.push_back(k < n ? -scale : 0);
                expected.push_back(2 * scale * std::cos(k * 3.14159265358979323846 / (2 * n + 1)));
            }
        e.pop_back();
        std::sort(expected.rbegin(), expected.rend());
        const auto sigma = hrm::detail::bidiagonal_values(d, e);
        REQUIRE(sigma.size() == expected.size());
        for (std::size_t i = 0; i < sigma.size(); ++i)
            CHECK(std::abs(sigma[i] - expected[i]) <= 2.3e-16 * static_cast<double>(d.size()) * expected[0]);
    }
}

// What an all-pass system's Hankel operator comes to. The squares of the values add up to those of the entries.
TEST_CASE("bidiagonal_values: values that agree in six to nine digits") {
    hrm::random_stream r(1);
    for (int trial = 0; trial < 50000; ++trial) {
        const auto n = static_cast<std::size_t>(3 + r.below(3));
        const double apart = std::pow(10.0, r.uniform(-9, -6)), beside = apart * std::pow(10.0, r.uniform(-3, 0.5));
        std::vector<double> d(n), e(n - 1);
        for (double& x : d) x = 1 + apart * r.normal();
        for (double& x : e) x = beside * r.uniform();
        double squares = 0;
        for (double x : d) squares += x * x;
        for (double x : e) squares += x * x;
        const auto sigma = hrm::detail::bidiagonal_values(d, e);
        for (double x : sigma) squares -= x * x;
        REQUIRE(sigma.size() == n);
        CHECK(std::abs(squares) <= 2 * 2.3e-16 * static_cast<double>(n * n));
        CHECK(std::abs(sigma[0] - 1) <= 10 * (apart + beside));
        CHECK(std::abs(sigma[n - 1] - 1) <= 10 * (apart + beside));
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
