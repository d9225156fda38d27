#include <hrm/linalg/expm.hpp>

#include <cmath>
#include <fstream>

#include "reference.hpp"

using namespace hrm;

TEST_CASE("expm agrees with SciPy from tiny to large norms") {
    std::ifstream file(HRM_TEST_DATA "/linalg/data/expm.txt");
    int count = 0;
    for (index_t n; file >> n; ++count) {
        matrix<double> a(n, n), want(n, n);
        for (auto* p : {&a, &want})
            for (double& x : p->flat()) file >> x;
        // The exponential's conditioning is about |A|: up to 150 here, times n eps on either side.
        CHECK(relative_error(expm(a), want) < 1e-12);
    }
    CHECK(count == 4);
}

TEST_CASE("expm of what has a closed form") {
    CHECK(expm(matrix<double>(3, 3)) == matrix<double>{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
    const auto turn = expm(matrix<double>{{0, -2}, {2, 0}});
    CHECK(turn(0, 0) == doctest::Approx(std::cos(2.0)).epsilon(1e-14));
    CHECK(turn(1, 0) == doctest::Approx(std::sin(2.0)).epsilon(1e-14));
    CHECK(relative_error(expm(matrix<double>{{0, 5, 0}, {0, 0, 7}, {0, 0, 0}}), matrix<double>{{1, 5, 17.5}, {0, 1, 7}, {0, 0, 1}}) < 1e-14);
    CHECK(expm(matrix<double>{{-800}})(0, 0) == 0);
    CHECK(expm(matrix<double>{}).empty());
}

TEST_CASE("expm of a complex matrix is that of the real one of real and imaginary parts, also where it is squared") {
    using number = std::complex<double>;
    const matrix<number> a{{{1, 2}, {-3, 0.5}, {0, 1}}, {{0, -9}, {-2, 4}, {2, 0}}, {{5, 0}, {0, 0}, {-1, -12}}};
    matrix<double> both(6, 6);  // [Re A, -Im A; Im A, Re A]
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j < 3; ++j) {
            both(i, j) = both(3 + i, 3 + j) = a(i, j).real();
            both(3 + i, j) = a(i, j).imag();
            both(i, 3 + j) = -a(i, j).imag();
        }
    const auto e = expm(a);
    const auto want = expm(both);
    matrix<double> got(6, 6);
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j < 3; ++j) {
            got(i, j) = got(3 + i, 3 + j) = e(i, j).real();
            got(3 + i, j) = e(i, j).imag();
            got(i, 3 + j) = -e(i, j).imag();
        }
    CHECK(relative_error(got, want) < 1e-13);  // |A| eps and a few squarings
    CHECK(std::abs(expm(matrix<number>{{{0, 3}}})(0, 0) - std::polar(1.0, 3.0)) < 1e-15);
    CHECK_THROWS_WITH_AS(expm(matrix<number>{{{0, std::nan("")}}}), "hrm::expm: A is not finite in column 0", numerical_error);
}

TEST_CASE("expm says what is wrong") {
    CHECK_THROWS_AS(expm(matrix<double>(2, 3)), shape_error);
    CHECK_THROWS_WITH_AS(expm(matrix<double>{{0, std::nan("")}, {0, 0}}), "hrm::expm: A is not finite in column 1", numerical_error);
}
