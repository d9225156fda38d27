#include <hrm/systems/descriptor.hpp>

#include <complex>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/systems/response.hpp>

using namespace hrm;

TEST_CASE("the explicit form has the response C (z E - A)^-1 B") {
    random_stream r(1);
    const index_t n = 6;
    matrix<double> e(n, n);
    continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 2), matrix<double>(3, n), matrix<double>(3, 2, 0.5)};
    r.fill_normal(e.flat());
    r.fill_normal(g.a.a.flat());
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    const double omega = 0.7;
    matrix<std::complex<double>> pencil(n, n), b(n, 2);
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) pencil(i, j) = std::complex<double>(-g.a.a(i, j), omega * e(i, j));
        for (index_t j = 0; j < 2; ++j) b(i, j) = g.b(i, j);
    }
    const auto x = solve(pencil, b), y = frequency_response(explicit_form(e, g), omega);
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j < 2; ++j) {
            std::complex<double> sum = 0.5;
            for (index_t k = 0; k < n; ++k) sum += g.c(i, k) * x(k, j);
            CHECK(std::abs(sum - y(i, j)) <= 1e-11 * (1 + std::abs(sum)));
        }
    CHECK(explicit_form(matrix<double>(0, 0), discrete<dense<double>>{}).order() == 0);
}

TEST_CASE("a singular or ill-fitting E is refused") {
    const discrete<dense<float>> g{{{{0.5f, 0}, {0, 0.25f}}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK(explicit_form(matrix<float>{{2, 0}, {0, 4}}, g).a.a == matrix<double>{{0.25, 0}, {0, 0.0625}});
    CHECK_THROWS_WITH_AS(explicit_form(matrix<float>{{1, 1}, {1, 1}}, g),
                         "hrm::explicit_form: E is singular: its condition is infinite, expected at most 1e+12", numerical_error);
    CHECK_THROWS_WITH_AS(explicit_form(matrix<double>{{1, 1}, {1, 1 + 1e-14}}, cast<double>(g)), doctest::Contains("condition"),
                         numerical_error);
    CHECK_THROWS_AS(explicit_form(matrix<float>(3, 3), g), shape_error);
}

TEST_CASE("a complex E is solved for as well") {
    const matrix<std::complex<double>> e{{{0, 2}, 1}, {0, {1, 1}}}, a{{{0, -2}, {1, 3}}, {0, {-1, -1}}}, b{{2}, {{1, 1}}};
    const auto g = explicit_form(e, continuous<dense<std::complex<double>>>{{a}, b, {{1, 1}}, {}});
    const std::complex<double> want[4] = {-1.0, {1.5, -1}, 0.0, -1.0};  // E^-1 = [-i/2, (1 + i)/4; 0, (1 - i)/2]
    for (index_t i = 0; i < 2; ++i)
        for (index_t j = 0; j < 2; ++j) CHECK(std::abs(g.a.a(i, j) - want[2 * i + j]) < 1e-15);
    CHECK(std::abs(g.b(0, 0) - std::complex<double>(0, -0.5)) < 1e-15);
    CHECK(std::abs(g.b(1, 0) - 1.0) < 1e-15);
    CHECK_THROWS_AS(explicit_form(matrix<std::complex<double>>(2, 2), g), numerical_error);
}
