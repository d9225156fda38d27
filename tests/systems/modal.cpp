#include <hrm/systems/modal.hpp>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>

using namespace hrm;

namespace {

matrix<double> product(const matrix<double>& x, const matrix<double>& y) {
    matrix<double> z(x.rows(), y.cols());
    multiply(x.view(), y.view(), z.view());
    return z;
}
double largest(const matrix<double>& x) {
    double m = 0;
    for (double v : x.flat()) m = std::max(m, std::abs(v));
    return m;
}
matrix<double> identity(index_t n) {
    matrix<double> x(n, n);
    for (index_t i = 0; i < n; ++i) x(i, i) = 1;
    return x;
}

// V^-1 A V is the structure, V^-1 V = I, and the duals are the transposes.
void check_coordinates(const matrix<double>& a, const modal_coordinates& v) {
    const index_t n = a.rows();
    REQUIRE(v.order() == n);
    const auto back = v.from_modes(identity(n));
    auto difference = v.to_modes(product(a, back));
    const auto want = to_dense(v.a);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) difference(i, j) -= want(i, j);
    CHECK(largest(difference) <= 1e-13 * largest(a));
    const auto dual = v.dual_to_modes(identity(n)), there = v.to_modes(identity(n)), other = v.dual_from_modes(identity(n));
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) {
            CHECK(dual(i, j) == back(j, i));
            CHECK(other(i, j) == there(j, i));
        }
}

}  // namespace

TEST_CASE("a permuted block-diagonal A is seen through: single states, real couples, rotations, companions") {
    matrix<double> a(11, 11);
    const index_t where[] = {7, 2, 10, 0, 5, 9, 1, 3, 8, 6, 4};
    const auto put = [&](index_t first, double p, double q, double r, double s) {
        const index_t i = where[first], j = where[first + 1];
        a(i, i) = p, a(i, j) = q, a(j, i) = r, a(j, j) = s;
    };
    a(where[0], where[0]) = -3;
    put(1, -1, 100, -100, -1);   // a rotation
    put(3, 0, 1, -1e4, -2);      // a companion: omega = 100, one per cent of damping
    put(5, -1, 5, 0, -2);        // triangular, real poles
    put(7, -4, 1, 2, -3);        // real poles -5 and -2
    put(9, -2, -3e-6, 1e6, -2);  // badly scaled, a pair
    const auto v = find_modes(a);
    REQUIRE(v);
    CHECK(v->a.reals() == 5);
    CHECK(v->a.pairs() == 3);
    check_coordinates(a, *v);
    double sum = 0;
    for (double x : v->a.real) sum += x;
    CHECK(sum == doctest::Approx(-3 - 3 - 7).epsilon(1e-15));
    for (double x : v->a.im) CHECK(x > 0);
}

TEST_CASE("what hangs together or is defective is left alone") {
    CHECK_FALSE(find_modes(matrix<double>{{-1, 1, 0}, {0, -2, 1}, {0, 0, -3}}));
    CHECK_FALSE(find_modes(matrix<double>{{-1, 1, 1}, {0, -2, 0}, {0, 0, -3}}));
    CHECK_FALSE(find_modes(matrix<double>{{-1, 1}, {0, -1}}));         // a Jordan block
    CHECK_FALSE(find_modes(matrix<double>{{0, 1}, {-1, -2 - 1e-12}}));  // nearly one
    CHECK_FALSE(find_modes(matrix<double>{{-0.30029296875, -0.582128906}, {0, -0.3}}));  // its coordinates would cost three digits
    CHECK_FALSE(find_modes(matrix<double>{{0, 0}, {0, std::nan("")}}));
    CHECK_FALSE(find_modes(matrix<double>{{0, std::nan("")}, {0, 1}}));
    CHECK(find_modes(matrix<double>{{0, 1}, {-1, -2.5}}));
    CHECK(find_modes(matrix<double>(0, 0))->order() == 0);
    CHECK(find_modes(matrix<float>{{0.5f}})->a.real[0] == 0.5);
    CHECK_THROWS_AS(find_modes(matrix<double>(2, 3)), shape_error);
}

TEST_CASE("a system goes into its modes with the same impulse response") {
    random_stream r(5);
    discrete<dense<double>> g{{matrix<double>{{0.5, 0, 0.2}, {0, -0.3, 0}, {-0.4, 0, 0.1}}}, matrix<double>(3, 2), matrix<double>(2, 3), {}};
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    const auto v = find_modes(g.a.a);
    REQUIRE(v);
    const auto h = in_modes(*v, g);
    const auto ah = to_dense(h.a);
    auto x = g.b, y = h.b;
    for (int k = 0; k < 10; ++k) {
        auto left = product(g.c, x);
        const auto right = product(h.c, y);
        for (index_t i = 0; i < 2; ++i)
            for (index_t j = 0; j < 2; ++j) left(i, j) -= right(i, j);
        CHECK(largest(left) <= 1e-14);
        x = product(g.a.a, x);
        y = product(ah, y);
    }
}
