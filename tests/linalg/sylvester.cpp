#include <hrm/linalg/sylvester.hpp>

#include <cmath>

#include <hrm/core/random.hpp>

#include "reference.hpp"

using namespace hrm;

namespace {

matrix<double> normal(random_stream& r, index_t rows, index_t cols, double size = 1) {
    matrix<double> x(rows, cols);
    r.fill_normal(x.flat(), size);
    return x;
}
double norm(const matrix<double>& x) { return as_eigen(x).norm(); }

}  // namespace

TEST_CASE("sylvester and discrete_sylvester agree with SciPy and NumPy") {
    std::ifstream file(HRM_TEST_DATA "/linalg/data/sylvester.txt");
    for (int k = 0; k < 4; ++k) {
        index_t n = 0, m = 0;
        file >> n >> m;
        matrix<double> a(n, n), b(m, m), c(n, m), x(n, m), z(n, m);
        for (auto* p : {&a, &b, &c, &x, &z})
            for (double& value : p->flat()) file >> value;
        REQUIRE(file);
        CAPTURE(n);
        // Conditioning is (|A| + |B|) / sep, some 100 here; both sides carry n eps of it.
        CHECK(relative_error(sylvester(a, b, c), x) < 1e-12);
        CHECK(relative_error(discrete_sylvester(a, b, c), z) < 1e-12);
    }
}

// |A X + X B - C| <= n eps (|A| + |B|) |X|, and as much for the discrete one. The spectra of A and -B overlap, those of A
// and B^-1 too, so nothing but the residual is small. 70 and 130: halves of halves, cut beside pairs.
TEST_CASE("sylvester: the residual is rounding") {
    random_stream r(4);
    const double eps = std::numeric_limits<double>::epsilon();
    for (const auto& shape : {std::pair<index_t, index_t>{1, 6}, {2, 2}, {17, 16}, {70, 5}, {5, 70}, {130, 90}}) {
        const auto n = shape.first, m = shape.second;  // Clang 14 has no structured bindings in lambdas, which CAPTURE makes
        CAPTURE(n);
        CAPTURE(m);
        const auto a = normal(r, n, n), b = normal(r, m, m), c = normal(r, n, m);
        const auto ea = as_eigen(a), eb = as_eigen(b), ec = as_eigen(c);
        const double size = static_cast<double>(n + m) * eps;
        const auto x = sylvester(a, b, c), z = discrete_sylvester(a, b, c);
        CHECK((ea.lazyProduct(as_eigen(x)).eval() + as_eigen(x).lazyProduct(eb).eval() - ec).norm() <= size * (norm(a) + norm(b)) * norm(x));
        CHECK((ea.lazyProduct(as_eigen(z).lazyProduct(eb).eval()).eval() - as_eigen(z) - ec).norm() <= size * (norm(a) * norm(b) + 1) * norm(z));
    }
}

TEST_CASE("sylvester: float in, empty, and what is wrong") {
    CHECK(sylvester(matrix<float>{{2}}, matrix<float>{{3}}, matrix<float>{{10}})(0, 0) == 2.0);
    CHECK(discrete_sylvester(matrix<float>{{2}}, matrix<float>{{3}}, matrix<float>{{10}})(0, 0) == 2.0);
    CHECK(sylvester(matrix<double>{}, matrix<double>{{1}}, matrix<double>(0, 1)) == matrix<double>(0, 1));
    const matrix<double> a{{1, 2}, {0, 3}}, b{{-3}}, c{{1}, {1}};
    CHECK_THROWS_WITH_AS(sylvester(a, b, c), doctest::Contains("hrm::sylvester: A and -B share an eigenvalue to rounding: they miss by"), numerical_error);
    CHECK_THROWS_AS(discrete_sylvester(a, matrix<double>{{1}}, c), numerical_error);
    CHECK_THROWS_WITH_AS(sylvester(a, b, matrix<double>(2, 2)), "hrm::sylvester: C is 2x2, expected 2x1", shape_error);
    CHECK_THROWS_AS(sylvester(a, matrix<double>(1, 2), c), shape_error);
    CHECK_THROWS_WITH_AS(sylvester(a, matrix<double>{{std::nan("")}}, c), "hrm::sylvester: B(0, 0) is not finite", numerical_error);
}
