#include <hrm/reduction/randomized_svd.hpp>

#include <doctest/doctest.h>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

/// rows x cols with singular values sigma.
matrix<double> with_values(random_stream& r, index_t rows, index_t cols, const std::vector<double>& sigma) {
    matrix<double> x(rows, static_cast<index_t>(sigma.size())), y(cols, x.cols());
    r.fill_normal(x.flat());
    r.fill_normal(y.flat());
    auto u = turned(detail::pivoted_qr(x.view()).q);
    const auto v = detail::pivoted_qr(y.view()).q;
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < u.cols(); ++j) u(i, j) *= sigma[static_cast<std::size_t>(j)];
    return product(u, v);
}
randomized_decomposition decompose(const matrix<double>& a, const randomized_options& o = {}) {
    return randomized_svd(
        a.rows(), a.cols(), [&](auto x, auto y) { multiply(a.view(), x, y); },
        [&](auto x, auto y) { multiply(transposed(a.view()), x, y); }, o);
}
matrix<double> left_out(const matrix<double>& a, const singular_values& s) {
    auto u = s.u, rest = a;
    for (index_t i = 0; i < u.rows(); ++i)
        for (index_t j = 0; j < u.cols(); ++j) u(i, j) *= s.sigma[static_cast<std::size_t>(j)];
    multiply(u.view(), transposed(s.v.view()), rest.view(), into::add, -1.0);
    return rest;
}

}  // namespace

TEST_CASE("a fast spectrum: values to the tolerance, vectors orthonormal, an error that holds") {
    random_stream r(1);
    for (const auto& [rows, cols] : {std::pair<index_t, index_t>{150, 90}, {90, 150}}) {
        std::vector<double> sigma;
        for (int i = 0; i < 80; ++i) sigma.push_back(std::pow(0.6, i));
        const auto a = with_values(r, rows, cols, sigma);
        const auto d = decompose(a, {.tolerance = 1e-10});
        REQUIRE(d.svd.sigma.size() == 46);  // 0.6^45 = 1.04e-10
        for (std::size_t i = 0; i < 46; ++i) CHECK(std::abs(d.svd.sigma[i] - sigma[i]) <= 1e-13);
        for (const auto* v : {&d.svd.u, &d.svd.v}) {
            auto gram = product(turned(*v), *v);
            for (index_t i = 0; i < 46; ++i) gram(i, i) -= 1;
            CHECK(largest(gram) <= 1e-13);
        }
        const double error = jacobi_svd(left_out(a, d.svd)).sigma[0];
        CHECK(error <= d.error);
        CHECK(error >= 0.99 * sigma[46]);
        CHECK(d.error <= 1e3 * sigma[46]);
        CHECK(d.failure == doctest::Approx(1e-4));
        CHECK(decompose(a, {.tolerance = 1e-10}).svd.sigma == d.svd.sigma);  // the same seed, the same bits
        CHECK(decompose(a, {.rank = 5}).svd.sigma.size() == 5);
    }
}

TEST_CASE("a slow spectrum: the error is told, and passes sharpen it") {
    random_stream r(2);
    std::vector<double> sigma;
    for (int i = 0; i < 120; ++i) sigma.push_back(1 / (1 + 0.1 * i));
    const auto a = with_values(r, 140, 130, sigma);
    double worst[3];
    for (int power : {0, 1, 2}) {
        const auto d = decompose(a, {.rank = 20, .power = power});
        REQUIRE(d.svd.sigma.size() == 20);
        CHECK(jacobi_svd(left_out(a, d.svd)).sigma[0] <= d.error);
        worst[power] = 0;
        for (std::size_t i = 0; i < 20; ++i) {
            CHECK(d.svd.sigma[i] <= sigma[i] * (1 + 1e-13));
            worst[power] = std::max(worst[power], 1 - d.svd.sigma[i] / sigma[i]);
        }
    }
    CHECK(worst[1] < worst[0]);
    CHECK(worst[2] < worst[1]);
    // All of it: nothing is random any more.
    const auto d = decompose(a);
    REQUIRE(d.svd.sigma.size() == 120);
    for (std::size_t i = 0; i < 120; ++i) CHECK(std::abs(d.svd.sigma[i] - sigma[i]) <= 1e-13);
    CHECK(d.error <= 1e-12);
}

TEST_CASE("zero, one number, and what is not finite") {
    const auto zero = decompose(matrix<double>(30, 20));
    CHECK(zero.svd.sigma.empty());
    CHECK(zero.svd.u.rows() == 30);
    CHECK(zero.error == 0);
    const auto one = decompose(matrix<double>{{-3}});
    REQUIRE(one.svd.sigma.size() == 1);
    CHECK(one.svd.sigma[0] == doctest::Approx(3));
    CHECK(decompose(matrix<double>{{1, 2}}, {.rank = 0}).svd.sigma.empty());
    CHECK_THROWS_AS(decompose(matrix<double>{{1, std::nan("")}}), numerical_error);
    CHECK_THROWS_AS(decompose(matrix<double>{{1}}, {.probes = 0}), shape_error);
}

TEST_CASE("complex: values, vectors, an error that holds; turning the matrix by a phase leaves the values") {
    random_stream r(3);
    for (const auto& [rows, cols] : {std::pair<index_t, index_t>{150, 90}, {90, 150}}) {
        const auto u = detail::pivoted_qr(normal_complex(r, rows, 60).view()).q, v = detail::pivoted_qr(normal_complex(r, cols, 60).view()).q;
        auto left = adjoint_of(u);
        for (index_t i = 0; i < rows; ++i)
            for (index_t j = 0; j < 60; ++j) left(i, j) *= std::pow(0.5, j);
        const auto a = times(left, v);
        const auto put = [](const matrix<number>& x, matrix_view<number> y) { std::copy(x.flat().begin(), x.flat().end(), y.data); };
        const auto decompose = [put](const matrix<number>& a, const randomized_options& o) {
            return randomized_svd<number>(
                a.rows(), a.cols(), [&](auto x, auto y) { put(times(a, matrix<number>(x)), y); },
                [&](auto x, auto y) { put(times(adjoint_of(a), matrix<number>(x)), y); }, o);
        };
        const auto d = decompose(a, {.tolerance = 1e-9});
        REQUIRE(d.svd.sigma.size() == 30);  // 0.5^29 = 1.9e-9
        for (std::size_t i = 0; i < 30; ++i) CHECK(std::abs(d.svd.sigma[i] - std::pow(0.5, i)) <= 1e-13);
        matrix<number> one(30, 30);
        for (index_t i = 0; i < 30; ++i) one(i, i) = 1;
        auto rest = d.svd.u;
        for (index_t i = 0; i < rows; ++i)
            for (index_t j = 0; j < 30; ++j) rest(i, j) *= -d.svd.sigma[static_cast<std::size_t>(j)];
        rest = times(rest, adjoint_of(d.svd.v));
        for (std::size_t e = 0; e < rest.flat().size(); ++e) rest.flat()[e] += a.flat()[e];
        const double error = jacobi_svd(rest).sigma[0];
        CHECK(error <= d.error);
        CHECK(error >= 0.99 * std::pow(0.5, 30));
        CHECK(d.error <= 1e2 * std::pow(0.5, 30));
        CHECK(d.failure == doctest::Approx(1e-4));
        for (const auto* x : {&d.svd.u, &d.svd.v}) CHECK(distance_of(times(adjoint_of(*x), *x), one) <= 1e-13);
        CHECK(decompose(a, {.tolerance = 1e-9}).svd.u == d.svd.u);  // the same seed, the same bits
        const auto turned = decompose(times(std::polar(1.0, 0.7), a), {.tolerance = 1e-9});
        REQUIRE(turned.svd.sigma.size() == 30);
        for (std::size_t i = 0; i < 30; ++i) CHECK(std::abs(turned.svd.sigma[i] - d.svd.sigma[i]) <= 1e-13);
        auto bad = a;
        bad(3, 4).imag(std::nan(""));
        CHECK_THROWS_WITH_AS(decompose(bad, {}), "hrm::randomized_svd: a product is not finite", numerical_error);
    }
}
