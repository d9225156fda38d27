#include <hrm/systems/split.hpp>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"

using namespace hrm;

namespace {

// G = stable + unstable at a few points of the complex plane near the boundary, and the poles lie where they should.
template <class System>
void check_split(const System& g, index_t unstable, double tolerance) {
    const auto parts = split(g);
    REQUIRE(parts.unstable.order() == unstable);
    REQUIRE(parts.stable.order() == g.order() - unstable);
    CHECK(is_stable(parts.stable));
    for (const auto& l : eigenvalues(parts.unstable.a)) CHECK(detail::depth<System>(l) <= 1e-7);
    for (double omega : {0.3, 1.1, 2.9}) {
        const auto whole = frequency_response(g, omega), s = frequency_response(parts.stable, omega),
                   u = frequency_response(parts.unstable, omega);
        double size = 0, apart = 0;
        for (std::size_t i = 0; i < whole.flat().size(); ++i) {
            size = std::max(size, std::abs(whole.flat()[i]));
            apart = std::max(apart, std::abs(whole.flat()[i] - s.flat()[i] - u.flat()[i]));
        }
        CHECK(apart <= tolerance * parts.condition * size);
    }
    const auto identity = detail::project(parts.w, parts.t);
    for (index_t i = 0; i < g.order(); ++i)
        for (index_t j = 0; j < g.order(); ++j) CHECK(std::abs(identity(i, j) - (i == j ? 1.0 : 0.0)) <= 1e-11 * parts.condition);
}

}  // namespace

TEST_CASE("dense: the two parts add up, continuous and discrete") {
    random_stream r(3);
    for (int trial = 0; trial < 20; ++trial) {
        const index_t n = 1 + r.below(12);
        continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 2), matrix<double>(2, n), matrix<double>(2, 2, 0.5)};
        r.fill_normal(g.a.a.flat());
        r.fill_normal(g.b.flat());
        r.fill_normal(g.c.flat());
        index_t right = 0, outside = 0;
        const auto l = eigenvalues(g.a);
        for (const auto& x : l) right += x.real() >= 0;
        check_split(g, right, 1e-11);
        for (const auto& x : l) outside += std::abs(x) >= 1;
        check_split(discrete<dense<double>>{g.a, g.b, g.c, g.d}, outside, 1e-11);
    }
}

TEST_CASE("integrators, also two in a row, are unstable; poles and pairs are sorted") {
    const continuous<dense<double>> twice{{{{0, 1, 0.5}, {0, 0, 1}, {0, 0, -2}}}, {{0}, {1}, {1}}, {{1, 0, 1}}, {}};
    check_split(twice, 2, 1e-6);
    discrete<diagonal<double>> d{{{0.5, 1.5, -1, 0.25}}, matrix<double>(4, 1, 1.0), matrix<double>(1, 4, 1.0), {}};
    check_split(d, 2, 1e-14);
    continuous<complex_pairs<double>> p{{{-1, 2}, {-1, 0, 3}, {1, 2, 4}}, matrix<double>(8, 1, 1.0), matrix<double>(1, 8, 1.0), {}};
    check_split(p, 5, 1e-14);
    CHECK(split(p, 1.5).stable.order() == 0);  // everything within 1.5 of the axis or beyond
    CHECK(split(d).unstable.d.empty());
    CHECK(split(continuous<dense<double>>{}).t.rows() == 0);
    auto bad = twice;
    bad.a.a(1, 1) = std::nan("");
    CHECK_THROWS_AS(split(bad), numerical_error);
}

TEST_CASE("complex: the two parts add up, whatever the structure, continuous and discrete") {
    random_stream r(4);
    for (int trial = 0; trial < 20; ++trial) {
        const index_t n = 1 + r.below(10);
        const continuous<dense<number>> g{{normal_complex(r, n, n)}, normal_complex(r, n, 2), normal_complex(r, 3, n), normal_complex(r, 3, 2)};
        index_t right = 0, outside = 0;
        const auto l = eigenvalues(g.a);
        for (const auto& x : l) right += x.real() >= 0, outside += std::abs(x) >= 1;
        check_split(g, right, 1e-11);
        check_split(discrete<dense<number>>{g.a, g.b, g.c, g.d}, outside, 1e-11);
        const diagonal<number> poles{{l.begin(), l.end()}};
        check_split(continuous<diagonal<number>>{poles, g.b, g.c, g.d}, right, 1e-13);
        check_split(discrete<diagonal<number>>{poles, g.b, g.c, {}}, outside, 1e-13);
    }
    CHECK(split(continuous<dense<number>>{}).t.rows() == 0);
    CHECK(split(discrete<dense<number>>{{{{2}}}, matrix<number>(1, 0), matrix<number>(0, 1), {}}).unstable.order() == 1);
    CHECK_THROWS_AS(split(discrete<dense<number>>{{{{{0, std::nan("")}}}}, {{1}}, {{1}}, {}}), numerical_error);
}

TEST_CASE("complex: a real system in unitary coordinates falls into the real one's parts, chains of integrators too") {
    random_stream r(5);
    const continuous<dense<double>> g{{{{0, 1, 0.5, 1}, {0, 0, 1, -1}, {0, 0, -2, 3}, {0, 0, -3, -2}}}, {{0}, {1}, {1}, {2}}, {{1, 0, 1, -1}}, {{3}}};
    const auto turned = turned_by(random_unitary(r, 4), complex_of(g));
    check_split(turned, 2, 1e-6);
    const auto want = split(g);
    const auto parts = split(turned);
    CHECK(parts.condition == doctest::Approx(want.condition).epsilon(1e-6));  // sqrt(eps): the double integrator is defective
    for (double omega : {0.4, 2.0})
        CHECK(distance_of(frequency_response(parts.stable, omega), frequency_response(want.stable, omega)) < 1e-6);
}
