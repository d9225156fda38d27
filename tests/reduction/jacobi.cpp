#include <hrm/reduction/jacobi.hpp>

#include <doctest/doctest.h>

#include "../support/complex_systems.hpp"
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

TEST_CASE("complex: u diag(sigma) v^H is the matrix, u and v are unitary, sigma descends and does not feel unitary factors") {
    random_stream r(9);
    for (const auto& shape : {std::pair<index_t, index_t>{1, 1}, {5, 5}, {9, 4}, {4, 9}, {30, 25}, {0, 3}}) {
        const auto m = shape.first, n = shape.second, q = std::min(m, n);
        const auto k = normal_complex(r, m, n);
        const auto s = jacobi_svd(k);
        REQUIRE(static_cast<index_t>(s.sigma.size()) == q);
        auto us = s.u;
        for (index_t i = 0; i < m; ++i)
            for (index_t j = 0; j < q; ++j) us(i, j) *= s.sigma[static_cast<std::size_t>(j)];
        CHECK(distance_of(times(us, adjoint_of(s.v)), k) < 1e-13);
        matrix<number> one(q, q);
        for (index_t i = 0; i < q; ++i) one(i, i) = 1;
        CHECK(distance_of(times(adjoint_of(s.u), s.u), one) < 1e-13);
        CHECK(distance_of(times(adjoint_of(s.v), s.v), one) < 1e-13);
        CHECK(std::is_sorted(s.sigma.rbegin(), s.sigma.rend()));
    }
    matrix<double> real(12, 7);
    r.fill_normal(real.flat());
    matrix<number> wide(12, 7);
    std::copy(real.flat().begin(), real.flat().end(), wide.flat().begin());
    const auto want = jacobi_svd(real).sigma, got = jacobi_svd(times(random_unitary(r, 12), times(wide, random_unitary(r, 7)))).sigma;
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-13));
}

// X diag(d) Y with well-conditioned X and Y: sigma are right relative to themselves; known from the same matrix in other phases, which
// are exact: multiplication by i and -1.
TEST_CASE("complex: small singular values of a graded matrix keep their relative accuracy") {
    random_stream r(10);
    const index_t n = 10;
    matrix<double> real(n, n);
    r.fill_normal(real.flat());
    matrix<number> k(n, n);
    const number turns[] = {1, {0, 1}, -1, {0, -1}};
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) {
            real(i, j) = (real(i, j) + (i == j ? 6 : 0)) * std::ldexp(1.0, static_cast<int>(-10 * j));
            k(i, j) = real(i, j) * turns[i % 4] * turns[(3 * j) % 4];
        }
    const auto want = jacobi_svd(real).sigma, got = jacobi_svd(k).sigma;
    CHECK(want.back() < 1e-25 * want[0]);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).scale(0).epsilon(1e-13));
}
