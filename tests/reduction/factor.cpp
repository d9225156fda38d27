#include <hrm/reduction/factor.hpp>

#include <doctest/doctest.h>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("factors give the matrix back, of any rank, in any units") {
    random_stream r(1);
    for (index_t n : {1, 4, 11})
        for (index_t rank = 0; rank <= n; rank += 3) {
            matrix<double> x(n, rank);
            r.fill_normal(x.flat());
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < rank; ++j) x(i, j) *= std::pow(10.0, 3.0 * static_cast<double>(i % 5) - 6);
            const auto w = product(x, turned(x));
            const auto f = factor_semidefinite(w);
            CHECK(f.l.cols() == rank);
            CHECK(f.dropped <= 1e-13);
            const auto back = product(f.l, turned(f.l));
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j)
                    CHECK(std::abs(back(i, j) - w(i, j)) <= 1e-13 * std::sqrt(w(i, i) * w(j, j)));
        }
}

TEST_CASE("zero rows, noise below 1e-6 and real indefiniteness are told apart") {
    matrix<double> w{{1, 0, 1}, {0, 0, 0}, {1, 0, 1}};
    CHECK(factor_semidefinite(w).l.cols() == 1);
    w(2, 2) = 1 - 1e-9;  // an eigenvalue of -5e-10: rounding in float
    const auto f = factor_semidefinite(w);
    CHECK(f.l.cols() == 1);
    CHECK(f.dropped == doctest::Approx(1e-9).epsilon(1e-3));
    w(2, 2) = 0.9;
    CHECK_THROWS_AS(factor_semidefinite(w), numerical_error);
    const matrix<double> negative{{-1}}, bad{{std::nan("")}}, flat(2, 3);
    CHECK_THROWS_AS(factor_semidefinite(negative), numerical_error);
    CHECK_THROWS_AS(factor_semidefinite(bad), numerical_error);
    CHECK_THROWS_AS(factor_semidefinite(flat), shape_error);
    CHECK(factor_semidefinite(matrix<double>{}).l.rows() == 0);
}

TEST_CASE("Hermitian: factors give the matrix back, of any rank; what is indefinite or not finite is refused") {
    random_stream r(2);
    for (index_t n : {1, 5, 9})
        for (index_t rank = 0; rank <= n; rank += 2) {
            const auto x = normal_complex(r, n, rank);
            const auto w = times(x, adjoint_of(x));
            const auto f = factor_semidefinite(w);
            CHECK(f.l.cols() == rank);
            CHECK(f.dropped <= 1e-13);
            CHECK(distance_of(times(f.l, adjoint_of(f.l)), w) <= 1e-13);
        }
    CHECK_THROWS_AS(factor_semidefinite(matrix<number>{{1, {0, -2}}, {{0, 2}, 1}}), numerical_error);
    CHECK_THROWS_AS(factor_semidefinite(matrix<number>{{-1}}), numerical_error);
    CHECK_THROWS_AS(factor_semidefinite(matrix<number>{{1, 0}, {{0, std::nan("")}, 1}}), numerical_error);
    CHECK_THROWS_WITH_AS(factor_semidefinite(matrix<number>{{1, 0}, {0, {1, 5}}}),
                         "hrm::factor_semidefinite: diagonal entry 1 of W has the imaginary part 5.000000, expected 0: W is not Hermitian", numerical_error);
    CHECK_THROWS_AS(factor_semidefinite(matrix<number>{{{1, std::nan("")}, 0}, {0, 1}}), numerical_error);
    CHECK(factor_semidefinite(matrix<number>{{{1, 1e-16}}}).l.cols() == 1);  // rounding
}
