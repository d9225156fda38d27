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

TEST_CASE("expm says what is wrong") {
    CHECK_THROWS_AS(expm(matrix<double>(2, 3)), shape_error);
    CHECK_THROWS_WITH_AS(expm(matrix<double>{{0, std::nan("")}, {0, 0}}), "hrm::expm: A is not finite in column 1", numerical_error);
}
