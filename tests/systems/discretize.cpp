#include <hrm/systems/discretize.hpp>

#include <array>
#include <fstream>
#include <limits>
#include <vector>

#include <hrm/systems/convert.hpp>

#include "../support/complex_systems.hpp"
#include "support.hpp"

using namespace hrm;

namespace {

constexpr std::array methods{discretization::zoh, discretization::bilinear, discretization::forward_euler, discretization::backward_euler,
                             discretization::generalized_bilinear};

}  // namespace

TEST_CASE("every method agrees with SciPy's cont2discrete") {
    std::ifstream file(HRM_TEST_DATA "/systems/data/discretize.txt");
    index_t n, m, p;
    int count = 0;
    for (double dt; file >> n >> m >> p >> dt; ++count) {
        continuous<dense<double>> g;
        g.a.a = read_matrix(file, n, n);
        g.b = read_matrix(file, n, m);
        g.c = read_matrix(file, p, n);
        for (const auto method : methods) {
            const auto a = read_matrix(file, n, n), b = read_matrix(file, n, m);
            const auto d = discretize(g, dt, method, 0.3);
            CAPTURE(n);
            CAPTURE(static_cast<int>(method));
            CHECK(relative_error(d.a.a, a) < 1e-13);  // n eps, |hA| below 3
            CHECK(relative_error(d.b, b) < 1e-13);
            CHECK(d.c == g.c);
            CHECK(d.d == g.d);
        }
    }
    CHECK(count == 4);
}

TEST_CASE("diagonal and pairs agree with dense, for every method") {
    for (const auto method : methods) {
        CAPTURE(static_cast<int>(method));
        const auto g = some_diagonal();
        const auto d = discretize(g, 0.2, method, 0.7);
        const auto want = to_dense(d);
        const auto full = discretize(to_dense(g), 0.2, method, 0.7);
        CHECK(relative_error(want.a.a, full.a.a) < 1e-14);
        CHECK(relative_error(want.b, full.b) < 1e-14);
        CHECK(d.d == g.d);
        const auto h = some_pairs();
        const auto e = to_dense(discretize(h, 0.2, method, 0.7));
        const auto dense_h = discretize(to_dense(h), 0.2, method, 0.7);
        CHECK(relative_error(e.a.a, dense_h.a.a) < 1e-14);
        CHECK(relative_error(e.b, dense_h.b) < 1e-14);
    }
}

TEST_CASE("each state may have its own step") {
    const auto g = some_diagonal();
    const std::vector<double> dt{0.1, 0.2, 0.3, 0.4};
    const auto d = discretize(g, std::span(dt), discretization::zoh);
    for (index_t i = 0; i < 4; ++i) {
        const auto one = discretize(g, dt[static_cast<std::size_t>(i)]);
        CHECK(d.a.poles[static_cast<std::size_t>(i)] == one.a.poles[static_cast<std::size_t>(i)]);
        CHECK(d.b(i, 1) == one.b(i, 1));
    }
    const auto h = some_pairs();
    const auto e = discretize(h, std::span(dt), discretization::bilinear);
    const auto second = discretize(h, 0.4, discretization::bilinear);
    CHECK(e.a.im[1] == second.a.im[1]);
    CHECK(e.b(3, 0) == second.b(3, 0));
    CHECK(e.b(5, 0) == second.b(5, 0));
    CHECK(e.a.re[0] == discretize(h, 0.3, discretization::bilinear).a.re[0]);
}

TEST_CASE("zoh keeps its digits for slow poles and knows the integrator") {
    // Bd = (e^{ha} - 1)/a B: with h a = -1e-12 the subtraction alone would leave four digits.
    continuous<diagonal<double>> g{{{-1e-9, 0}}, {{1}, {1}}, {{1, 1}}, {}};
    const auto d = discretize(g, 1e-3);
    CHECK(d.b(0, 0) == doctest::Approx(1e-3 * (1 - 0.5e-12)).epsilon(1e-15));
    CHECK(d.b(1, 0) == 1e-3);
    CHECK(d.a.poles[1] == 1);
    // A pair with the same slowness: gain = h (1 + h lambda / 2 + ...).
    continuous<complex_pairs<double>> p{{{}, {-1e-9}, {1e-9}}, {{1}, {0}}, {{1, 0}}, {}};
    const auto e = discretize(p, 1e-3);
    CHECK(e.b(0, 0) == doctest::Approx(1e-3).epsilon(1e-14));
    CHECK(e.b(1, 0) == doctest::Approx(0.5e-15).epsilon(1e-9));
}

TEST_CASE("in float the coefficients are computed in double and rounded once") {
    const auto g = some_diagonal();
    const auto d = discretize(cast<float>(g), 0.01);
    const auto exact = discretize(cast<double>(cast<float>(g)), 0.01);
    for (std::size_t i = 0; i < 4; ++i) CHECK(d.a.poles[i] == static_cast<float>(exact.a.poles[i]));
    CHECK(d.b(2, 1) == static_cast<float>(exact.b(2, 1)));
}

TEST_CASE("discretize says what is wrong") {
    const auto g = some_diagonal();
    const std::vector<double> three{1, 1, 1};
    CHECK_THROWS_WITH_AS(discretize(g, std::span(three), discretization::zoh), "hrm::discretize: number of step sizes is 3, expected 4", shape_error);
    CHECK_THROWS_AS(discretize(g, 0.0), numerical_error);
    CHECK_THROWS_AS(discretize(g, -1.0), numerical_error);
    CHECK_THROWS_AS(discretize(g, std::numeric_limits<double>::quiet_NaN()), numerical_error);
    continuous<dense<double>> d{{matrix<double>{{2}}}, {{1}}, {{1}}, {}};
    CHECK_THROWS_AS(discretize(d, 1.0, discretization::bilinear), numerical_error);  // I - hA/2 = 0
    d.a.a(0, 0) = std::nan("");
    CHECK_THROWS_AS(discretize(d, 1.0), numerical_error);
    d.b = matrix<double>(2, 1);
    CHECK_THROWS_AS(discretize(d, 1.0), shape_error);
    CHECK(discretize(continuous<dense<double>>{}, 1.0).order() == 0);
}

TEST_CASE("complex systems: SciPy's exponential and NumPy's solution; diagonal agrees with dense; real in unitary coordinates") {
    const auto reference = operations_references()[0];
    const continuous<dense<number>> g{{reference.a}, reference.b, reference.c, reference.d};
    for (const auto& [method, want] : {std::pair(discretization::zoh, &reference.zoh), {discretization::generalized_bilinear, &reference.bilinear}}) {
        const auto d = discretize(g, 0.25, method, 0.3);
        CHECK(distance_of(d.a.a, detail::submatrix(*want, 0, 5, 0, 5)) < 1e-14);
        CHECK(distance_of(d.b, detail::submatrix(*want, 0, 5, 5, 2)) < 1e-14);
        CHECK(d.c == g.c);
        CHECK(d.d == g.d);
    }
    random_stream r(6);
    const continuous<diagonal<number>> poles{{{{-1, 2}, 0, {-1e-9, -1e-9}, {-40, 3}}}, normal_complex(r, 4, 2), normal_complex(r, 3, 4), {}};
    const auto real = some_pairs();
    const auto q = random_unitary(r, 6);
    for (const auto method : methods) {
        CAPTURE(static_cast<int>(method));
        const auto d = to_dense(discretize(poles, 0.2, method, 0.7)), full = discretize(to_dense(poles), 0.2, method, 0.7);
        CHECK(distance_of(d.a.a, full.a.a) < 1e-14);
        CHECK(distance_of(d.b, full.b) < 1e-14);
        const auto turned = discretize(turned_by(q, complex_of(real)), 0.2, method, 0.7), want = turned_by(q, complex_of(discretize(real, 0.2, method, 0.7)));
        CHECK(distance_of(turned.a.a, want.a.a) < 1e-14);
        CHECK(distance_of(turned.b, want.b) < 1e-14);
    }
    const std::vector<double> dt{0.1, 0.2, 0.3, 0.4};
    const auto each = discretize(poles, std::span(dt), discretization::zoh);
    CHECK(each.a.poles[0] == discretize(poles, 0.1).a.poles[0]);
    CHECK(each.a.poles[1] == 1.0);
    CHECK(each.b(1, 0) == 0.2 * poles.b(1, 0));
    CHECK_THROWS_AS(discretize(poles, 0.0), numerical_error);
    CHECK_THROWS_AS(discretize(continuous<dense<number>>{{{{{0, std::nan("")}}}}, {{1}}, {{1}}, {}}, 0.1), numerical_error);
}
