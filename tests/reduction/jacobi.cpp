#include <hrm/reduction/jacobi.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("u diag(sigma) v^T is the matrix, u and v are orthonormal, sigma descends") {
    random_stream r(1);
    for (auto [m, n] : {std::pair<index_t, index_t>{1, 1}, {5, 5}, {9, 4}, {4, 9}, {40, 30}, {0, 3}, {3, 0}}) {
        matrix<double> k(m, n);
        r.fill_normal(k.flat());
        const auto s = jacobi_svd(k);
        const index_t q = std::min(m, n);
        REQUIRE(static_cast<index_t>(s.sigma.size()) == q);
        REQUIRE(s.u.cols() == q);
        REQUIRE(s.v.rows() == n);
        auto us = s.u, uu = product(turned(s.u), s.u), vv = product(turned(s.v), s.v);
        for (index_t j = 0; j < q; ++j) {
            for (index_t i = 0; i < m; ++i) us(i, j) *= s.sigma[static_cast<std::size_t>(j)];
            uu(j, j) -= 1;
            vv(j, j) -= 1;
            if (j) CHECK(s.sigma[static_cast<std::size_t>(j)] <= s.sigma[static_cast<std::size_t>(j - 1)]);
        }
        // n eps times a few sweeps
        CHECK(distance(product(us, turned(s.v)), k) <= 1e-13);
        CHECK(largest(uu) <= 1e-13);
        CHECK(largest(vv) <= 1e-13);
    }
}

TEST_CASE("singular values of a graded matrix are accurate relative to themselves") {
    // k = D1 X D2, D = powers of two, X well conditioned: permuting and scaling by 2^s must permute and scale sigma.
    // The reference is the same matrix in long double arithmetic: its 2 x 2 case has a closed form.
    const double tiny = 0x1p-200;
    const matrix<double> k{{1, tiny}, {1, 2 * tiny}};
    const auto s = jacobi_svd(k).sigma;
    CHECK(s[0] == doctest::Approx(std::sqrt(2.0)).epsilon(1e-15));
    CHECK(s[1] == doctest::Approx(tiny / std::sqrt(2.0)).epsilon(1e-15));  // |det| / s_0
    random_stream r(2);
    matrix<double> x(8, 8);
    r.fill_normal(x.flat());
    for (index_t i = 0; i < 8; ++i) x(i, i) += 6;
    auto graded = x;
    for (index_t i = 0; i < 8; ++i)
        for (index_t j = 0; j < 8; ++j) graded(i, j) = std::ldexp(x(i, j), static_cast<int>(-12 * (i + j)));
    // det = prod sigma: the smallest value carries the product's digits only if it is right to its own size.
    double log_det = 0, log_product = 0;
    for (double v : jacobi_svd(x).sigma) log_det += std::log(v);
    log_det -= 12 * 56 * std::log(2.0);
    const auto g = jacobi_svd(graded).sigma;
    for (double v : g) log_product += std::log(v);
    CHECK(g[7] < 1e-40);
    CHECK(log_product == doctest::Approx(log_det).epsilon(1e-14));
}

TEST_CASE("rank deficiency and zero") {
    const auto zero = jacobi_svd(matrix<double>(4, 3));
    for (double v : zero.sigma) CHECK(v == 0);
    const auto one = jacobi_svd(matrix<double>(5, 3, 2.0));
    CHECK(one.sigma[0] == doctest::Approx(2 * std::sqrt(15.0)));
    CHECK(one.sigma[1] <= 1e-14);
}
