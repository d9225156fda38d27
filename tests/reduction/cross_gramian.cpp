#include <hrm/reduction/cross_gramian.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>
#include <hrm/reduction/rediagonalize.hpp>
#include <hrm/reduction/simulate.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

double norm(const matrix<double>& x) { return std::max(largest(x), 1e-300); }
matrix<double> negative(matrix<double> x) {
    for (double& v : x.flat()) v = -v;
    return x;
}
matrix<double> sum(matrix<double> x, const matrix<double>& y) {
    for (std::size_t i = 0; i < x.flat().size(); ++i) x.flat()[i] += y.flat()[i];
    return x;
}

}  // namespace

TEST_CASE("the equation holds, and the empirical one over a long horizon agrees") {
    random_stream r(1);
    for (index_t m : {1, 3}) {
        const auto s = random_pairs(r, 3, 4, m, m, 0.9);
        const auto x = cross_gramian(s);
        const auto a = to_dense(s.a);
        CHECK(largest(sum(sum(product(product(a, x), a), negative(x)), product(s.b, s.c))) <= 1e-13 * norm(x));
        CHECK(distance(x, empirical_cross(simulate(s), {.steps = 400})) <= 1e-12 * norm(x));
        const auto d = random_diagonal(r, 6, m, m, 0.9);
        CHECK(distance(cross_gramian(d), empirical_cross(simulate(d), {.steps = 400})) <= 1e-12 * norm(cross_gramian(d)));

        continuous<complex_pairs<double>> c;
        c.a.real = {-0.5, -2.0};
        c.a.re = {-0.1, -1.0};
        c.a.im = {3.0, 0.2};
        fill_ports(r, c.b, c.c, 6, m, m);
        const auto y = cross_gramian(c);
        const auto ca = to_dense(c.a);
        CHECK(largest(sum(sum(product(ca, y), product(y, ca)), product(c.b, c.c))) <= 1e-13 * norm(y));
    }
}

TEST_CASE("its square is Wc Wo for one input and one output, its eigenvalues the Hankel singular values with signs") {
    random_stream r(2);
    const auto s = random_pairs(r, 2, 2, 1, 1, 0.8);
    const auto x = cross_gramian(s), want = product(controllability(s), observability(s));
    CHECK(distance(product(x, x), want) <= 1e-13 * norm(want));
    auto sigma = hankel_singular_values(s);
    std::vector<double> found;
    for (const auto& l : eigenvalues(dense<double>{x})) {
        CHECK(std::abs(l.imag()) <= 1e-10 * sigma[0]);
        found.push_back(std::abs(l.real()));
    }
    std::sort(found.rbegin(), found.rend());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::abs(found[i] - sigma[i]) <= 1e-10 * sigma[0]);
}

TEST_CASE("not square, unstable, not finite, empty") {
    random_stream r(3);
    CHECK_THROWS_WITH_AS(cross_gramian(random_diagonal(r, 3, 2, 1)), "hrm::cross_gramian: outputs is 1, expected 2", shape_error);
    auto s = random_diagonal(r, 3, 1, 1);
    s.a.poles[1] = 1.5;
    CHECK_THROWS_AS(cross_gramian(s), unstable_error);
    s.a.poles[1] = 0.5;
    s.b(2, 0) = std::nan("");
    CHECK_THROWS_AS(cross_gramian(s), numerical_error);
    CHECK(cross_gramian(random_diagonal(r, 0, 1, 1)).empty());
    CHECK(largest(cross_gramian(random_diagonal(r, 3, 0, 0))) == 0);
}

TEST_CASE("complex systems, and dense real ones: the equation's solution; the diagonal form agrees") {
    for (const auto& r : operations_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            CHECK(distance_of(cross_gramian(g), r.cross) < 1e-12);
            using System = std::decay_t<decltype(g)>;
            diagonal<number> poles;
            const auto v = detail::modal_vectors(g.a.a, poles);
            const auto check = [&](const auto& modal) {  // X = V X' V^-1
                CHECK(distance_of(times(v, cross_gramian(modal)), times(r.cross, v)) < 1e-12);
            };
            if constexpr (in_discrete_time<System>) check(discrete<diagonal<number>>{poles, solve(v, g.b), times(g.c, v), {}});
            else check(continuous<diagonal<number>>{poles, solve(v, g.b), times(g.c, v), {}});
        });
    random_stream r(6);
    const auto pairs = random_pairs(r, 2, 2, 2, 3, 0.9);
    const auto x = cross_gramian(pairs, cross_pairs::summed);
    CHECK(distance(cross_gramian(to_dense(pairs), cross_pairs::summed), x) <= 1e-12 * norm(x));
    const auto q = random_unitary(r, 6);
    CHECK(distance_of(cross_gramian(turned_by(q, complex_of(pairs)), cross_pairs::summed), times(adjoint_of(q), times(complex_of(x), q))) < 1e-12);
    CHECK_THROWS_AS(cross_gramian(complex_of(pairs)), shape_error);
    CHECK_THROWS_AS(cross_gramian(discrete<dense<number>>{{{{{0, 1.5}}}}, {{1}}, {{1}}, {}}), unstable_error);
    CHECK_THROWS_AS(cross_gramian(discrete<diagonal<number>>{{{{0, std::nan("")}}}, {{1}}, {{1}}, {}}), numerical_error);
    CHECK(cross_gramian(discrete<dense<number>>{}).empty());
}
