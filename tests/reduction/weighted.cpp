#include <hrm/reduction/weighted.hpp>

#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include <hrm/reduction/balance.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("a constant weight scales the inputs, an all-pass one changes nothing") {
    random_stream r(1);
    auto z = random_dense(r, 6, 2, 2, 0.8);
    continuous<dense<double>> s{z.a, z.b, z.c, {}};
    for (index_t i = 0; i < 6; ++i) s.a.a(i, i) -= 1;
    const auto w = controllability(s), wz = controllability(z);
    const continuous<dense<double>> three{{matrix<double>(0, 0)}, matrix<double>(0, 2), matrix<double>(2, 0), {{3, 0}, {0, 3}}};
    auto nine = w;
    for (auto& x : nine.flat()) x *= 9;
    CHECK(distance(weighted_controllability(s, three), nine) <= 1e-12 * largest(nine));
    // (s - 1)/(s + 1) on each input.
    const continuous<diagonal<double>> turn{{{-1, -1}}, {{1, 0}, {0, 1}}, {{-2, 0}, {0, -2}}, {{1, 0}, {0, 1}}};
    CHECK(distance(weighted_controllability(s, turn), w) <= 1e-12 * largest(w));
    CHECK(distance(weighted_observability(s, turn), observability(s)) <= 1e-12 * largest(observability(s)));
    // (1 - a z)/(z - a) = z c b/(z - a) + d with d = -1/a, c b = 1/a - a.
    const double a = 0.6;
    const discrete<diagonal<double>> step{{{a, a}}, {{1, 0}, {0, 1}}, {{1 / a - a, 0}, {0, 1 / a - a}}, {{-1 / a, 0}, {0, -1 / a}}};
    CHECK(distance(weighted_controllability(z, step), wz) <= 1e-12 * largest(wz));
    CHECK(distance(weighted_observability(z, step), observability(z)) <= 1e-12 * largest(observability(z)));
}

TEST_CASE("discrete: the covariance of the states behind the filter, by simulation") {
    random_stream r(2);
    const auto g = random_dense(r, 4, 2, 3, 0.7), h = random_dense(r, 3, 5, 2, 0.7);
    matrix<double> want(4, 4);
    for (index_t input = 0; input < 5; ++input) {
        matrix<double> s(4, 1), f(3, 1), u(5, 1);
        u(input, 0) = 1;
        for (int t = 0; t < 400; ++t) {
            auto next = product(h.a.a, f), now = product(h.b, u);
            for (index_t i = 0; i < 3; ++i) f(i, 0) = next(i, 0) + now(i, 0);
            u(input, 0) = 0;
            auto moved = product(g.a.a, s), driven = product(g.b, product(h.c, f));
            for (index_t i = 0; i < 4; ++i) s(i, 0) = moved(i, 0) + driven(i, 0);
            for (index_t i = 0; i < 4; ++i)
                for (index_t j = 0; j < 4; ++j) want(i, j) += s(i, 0) * s(j, 0);
        }
    }
    CHECK(distance(weighted_controllability(g, h), want) <= 1e-12 * largest(want));
}

TEST_CASE("weights that do not fit, or are unstable, are refused") {
    random_stream r(3);
    const auto g = random_dense(r, 4, 2, 3, 0.7), h = random_dense(r, 3, 5, 3, 0.7), u = random_dense(r, 3, 5, 2, 1.2);
    CHECK_THROWS_AS(weighted_controllability(g, h), shape_error);
    CHECK_THROWS_AS(weighted_observability(g, h), shape_error);
    CHECK_THROWS_AS(weighted_controllability(g, u), unstable_error);
}

namespace {

struct both_kinds {
    int unstable = 0;  ///< reductions after Enns

    template <template <class> class System>
    void check(std::istream& file, index_t n, index_t m, index_t p, index_t nv, index_t nw, index_t r) {
        const auto read = [&](index_t rows, index_t cols) {
            matrix<double> x(rows, cols);
            for (double& v : x.flat()) file >> v;
            REQUIRE(file);
            return x;
        };
        constexpr bool steps = in_discrete_time<System<dense<double>>>;
        const auto system = [&](index_t order, index_t inputs, index_t outputs, bool direct) {
            System<dense<double>> s{{read(order, order)}, read(order, inputs), read(outputs, order), {}};
            if (direct) s.d = read(outputs, inputs);
            if (steps && direct) {  // x' = A x + B u, y = C x + D u as a system whose current input enters at once: C A^-1, D - C A^-1 B
                s.c = detail::divide(s.c, s.a.a);
                multiply(s.c.view(), s.b.view(), s.d.view(), into::add, -1.0);
            }
            return s;
        };
        const auto g = system(n, m, p, false), v = system(nv, p, p, true), w = system(nw, m, m, true);
        for (const auto kind : {weighting::enns, weighting::lin_chiu}) {
            const auto sigma = read(1, n), edge = read(1, 1), response = read(4, 2 * p * m);
            const auto small = balance(g, weighted_controllability(g, w, kind), weighted_observability(g, v, kind), {.rank = r});
            CHECK_FALSE(small.certified);
            // The Gramians are formed here, and their factors not there: eps |W| weighs as its root in a small direction.
            for (std::size_t i = 0; i < small.sigma.size(); ++i)
                CHECK(std::abs(small.sigma[i] - sigma.flat()[i]) <= 1e-12 * sigma(0, 0) + 1e-7 * std::sqrt(sigma(0, 0) * sigma.flat()[i]));
            CHECK(small.spectral == doctest::Approx(edge(0, 0)).epsilon(1e-7));
            if (kind == weighting::lin_chiu) CHECK(small.stable);
            else unstable += !small.stable;
            const double angles[] = {0.05, 0.6, 1.9, 3.0};
            double size = 0, apart = 0;
            for (index_t k = 0; k < 4; ++k) {
                const auto h = frequency_response(small.system, angles[k]);
                for (index_t i = 0; i < p * m; ++i) {
                    const std::complex<double> want(response(k, 2 * i), response(k, 2 * i + 1)), turn = steps ? std::polar(1.0, angles[k]) : 1.0;
                    size = std::max(size, std::abs(want));
                    apart = std::max(apart, std::abs(h.flat()[static_cast<std::size_t>(i)] - turn * want));
                }
            }
            CHECK(apart <= 1e-8 * size);
        }
    }
};

}  // namespace

TEST_CASE("weights on both sides: SLICOT's AB09ID, after Enns, unstable at times, and after Lin & Chiu, never") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/weighted.txt");
    std::string time;
    int count = 0;
    both_kinds all;
    for (index_t n, m, p, nv, nw, r; file >> time >> n >> m >> p >> nv >> nw >> r; ++count)
        if (time == "C") all.check<continuous>(file, n, m, p, nv, nw, r);
        else all.check<discrete>(file, n, m, p, nv, nw, r);
    CHECK(count == 4);
    CHECK(all.unstable == 2);
}

TEST_CASE("Lin & Chiu: what is left of a Gramian beside the filter's states, and a stable reduction of every order") {
    random_stream r(4);
    for (int trial = 0; trial < 40; ++trial) {
        const index_t n = 2 + r.below(8), m = 1 + r.below(3), p = 1 + r.below(3);
        const auto z = random_dense(r, n, m, p, 0.9), wz = random_dense(r, 1 + r.below(5), m, m, 0.9), vz = random_dense(r, 1 + r.below(5), p, p, 0.9);
        const auto check = [&](const auto& g, auto w, auto v) {
            w.d = matrix<double>(m, m);
            v.d = matrix<double>(p, p);
            r.fill_normal(w.d.flat());
            r.fill_normal(v.d.flat());
            const auto wc = weighted_controllability(g, w, weighting::lin_chiu), wo = weighted_observability(g, v, weighting::lin_chiu);
            // 0 <= P - X F^-1 X^T <= P.
            auto gone = weighted_controllability(g, w);
            const double size = largest(gone);
            for (std::size_t i = 0; i < gone.flat().size(); ++i) gone.flat()[i] -= wc.flat()[i];
            for (index_t i = 0; i < n; ++i) gone(i, i) += 1e-12 * size;
            CHECK_NOTHROW(factor_semidefinite(gone));
            for (index_t k = 0; k <= n; ++k) CHECK(balance(g, wc, wo, {.rank = k}).stable);
        };
        check(z, wz, vz);
        const auto moved = [](const discrete<dense<double>>& s) {
            continuous<dense<double>> c{s.a, s.b, s.c, {}};
            for (index_t i = 0; i < c.order(); ++i) c.a.a(i, i) -= 1;
            return c;
        };
        check(moved(z), moved(wz), moved(vz));
    }
}

TEST_CASE("Lin & Chiu: a zero of the weight on a pole of the system costs that state, as the comment says") {
    // w = (s + 1)/(s + 3) before 1/(s + 1) + 1/(s + 2).
    const continuous<diagonal<double>> g{{{-1, -2}}, {{1}, {1}}, {{1, 1}}, {}}, w{{{-3}}, {{1}}, {{-2}}, {{1}}}, other{{{-3}}, {{1}}, {{-2.5}}, {{1}}};
    const double whole = weighted_controllability(g, w)(0, 0);
    CHECK(weighted_controllability(g, w, weighting::lin_chiu)(0, 0) <= 1e-15 * whole);
    CHECK(weighted_controllability(g, w, weighting::lin_chiu)(1, 1) >= 0.01 * whole);
    CHECK(weighted_controllability(g, other, weighting::lin_chiu)(0, 0) >= 0.01 * whole);
    // No filter states: nothing to take away.
    const continuous<dense<double>> still{{matrix<double>(0, 0)}, matrix<double>(0, 1), matrix<double>(1, 0), {{2}}};
    CHECK(weighted_controllability(g, still, weighting::lin_chiu) == weighted_controllability(g, still));
}

TEST_CASE("what is unstable is named: the system or the weight, and the function that was called") {
    const continuous<diagonal<double>> g{{{-1, 2}}, {{1}, {1}}, {{1, 1}}, {}}, stable{{{-1}}, {{1}}, {{1}}, {}}, w{{{1}}, {{1}}, {{1}}, {{1}}};
    CHECK_THROWS_WITH_AS(weighted_controllability(g, stable),
                         "hrm::weighted_controllability: the system (split takes its unstable part off): A is unstable: spectral abscissa 2, must be below 0", unstable_error);
    CHECK_THROWS_WITH_AS(weighted_observability(g, stable), doctest::Contains("hrm::weighted_observability: the system"), unstable_error);
    CHECK_THROWS_WITH_AS(weighted_controllability(stable, w), "hrm::weighted_controllability: the weight: A is unstable: spectral abscissa 1, must be below 0", unstable_error);
}

TEST_CASE("complex systems behind complex filters, by quadrature; a real side may stand beside a complex one") {
    for (const auto& r : operations_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            auto filter = g;
            filter.a.a = r.aw, filter.b = r.bw, filter.c = r.cw, filter.d = r.dw;
            CHECK(distance_of(weighted_controllability(g, filter), r.weighted) < 1e-10);  // what the quadrature was asked for
            CHECK(distance_of(weighted_observability(dual(g), dual(filter)), r.weighted) < 1e-10);
            // Lin & Chiu:  0 < P' = P - X F^-1 X^H <= P, and P - P' is of the filter's rank but for the quadrature's error.
            const auto less = weighted_controllability(g, filter, weighting::lin_chiu);
            auto rest = r.weighted;
            for (std::size_t i = 0; i < rest.flat().size(); ++i) rest.flat()[i] -= less.flat()[i];
            const auto sigma = jacobi_svd(rest).sigma;
            CHECK(sigma[1] > 1e-3 * sigma[0]);
            CHECK(sigma[2] < 1e-9 * sigma[0]);
            CHECK(factor_semidefinite(less).l.cols() == 5);
        });
    random_stream r(5);
    const auto g = random_dense(r, 5, 2, 3, 0.8), h = random_dense(r, 3, 4, 2, 0.7);
    const auto q = random_unitary(r, 5), u = random_unitary(r, 3);
    for (const auto kind : {weighting::enns, weighting::lin_chiu}) {
        const auto want = times(adjoint_of(q), times(complex_of(weighted_controllability(g, h, kind)), q));
        const auto turned = turned_by(q, complex_of(g));
        CHECK(distance_of(weighted_controllability(turned, turned_by(u, complex_of(h)), kind), want) < 1e-12);
        CHECK(distance_of(weighted_controllability(turned, h, kind), want) < 1e-12);
        CHECK(distance_of(weighted_controllability(g, complex_of(h), kind), complex_of(weighted_controllability(g, h, kind))) < 1e-12);
    }
    CHECK_THROWS_AS(weighted_controllability(complex_of(g), complex_of(random_dense(r, 3, 5, 2, 1.2))), unstable_error);
    CHECK_THROWS_AS(weighted_controllability(complex_of(g), complex_of(random_dense(r, 3, 5, 3, 0.5))), shape_error);
}
