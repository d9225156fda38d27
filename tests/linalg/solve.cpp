#include <hrm/linalg/solve.hpp>

#include <complex>

#include <hrm/core/random.hpp>

#include "reference.hpp"

using namespace hrm;

TEST_CASE("solve gives a small residual, real and complex, with a zero in the corner") {
    random_stream r(4);
    for (index_t n : {1, 2, 5, 40}) {
        matrix<double> a(n, n), b(n, 3);
        r.fill_normal(a.flat());
        r.fill_normal(b.flat());
        if (n > 1) a(0, 0) = 0;
        const auto x = solve(a, b);
        // Backward stable: the residual is n eps |A| |X|, growth included.
        CHECK((as_eigen(a).lazyProduct(as_eigen(x)).eval() - as_eigen(b)).norm() < 1e-14 * static_cast<double>(n) * as_eigen(a).norm() * as_eigen(x).norm());
    }
    using complex = std::complex<double>;
    const matrix<complex> a{{0, complex(0, 2)}, {1, 1}}, b{{4}, {3}};
    const auto x = solve(a, b);
    CHECK(x(1, 0) == complex(0, -2));
    CHECK(x(0, 0) == complex(3, 2));
}

TEST_CASE("solve says what is wrong") {
    CHECK_THROWS_WITH_AS(solve(matrix<double>(2, 2), matrix<double>(2, 1)), "hrm::solve: A is singular: no pivot in column 0", numerical_error);
    CHECK_THROWS_WITH_AS(solve(matrix<double>(2, 2), matrix<double>(3, 1)), "hrm::solve: B is 3x1, expected 2x1", shape_error);
    CHECK_THROWS_AS(solve(matrix<double>(2, 3), matrix<double>(2, 1)), shape_error);
    CHECK(solve(matrix<double>{}, matrix<double>{}).empty());
}
