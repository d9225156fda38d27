#include <hrm/reduction/limited.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/complex_balance.hpp>
#include <hrm/reduction/balance.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

continuous<complex_pairs<double>> random_continuous(random_stream& r, index_t q, index_t k, index_t m, index_t p) {
    continuous<complex_pairs<double>> s;
    for (index_t i = 0; i < q; ++i) s.a.real.push_back(-std::exp(r.normal()));
    for (index_t i = 0; i < k; ++i) {
        s.a.re.push_back(-0.3 * std::exp(r.normal()));
        s.a.im.push_back(std::exp(r.normal()));
    }
    fill_ports(r, s.b, s.c, q + 2 * k, m, p);
    return s;
}
template <template <class> class System, class A>
System<dense<double>> in_random_coordinates(random_stream& r, const System<A>& s, matrix<double>& t) {
    const index_t n = s.order();
    t = matrix<double>(n, n);
    r.fill_normal(t.flat(), 0.3);
    for (index_t i = 0; i < n; ++i) t(i, i) += 1;
    return {{product(t, turned(solve(turned(t), turned(to_dense(s.a)))))}, product(t, s.b), turned(solve(turned(t), turned(s.c))), {}};
}
matrix<double> between(const matrix<double>& t, const matrix<double>& w) { return product(product(t, w), turned(t)); }
matrix<double> sum(matrix<double> x, const matrix<double>& y) {
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) x(i, j) += y(i, j);
    return x;
}

// The integral by Simpson's rule on 4000 steps: the states' responses are those of a system with C = I.
template <template <class> class System>
matrix<double> by_quadrature(System<dense<double>> s, band w) {
    const index_t n = s.order();
    s.c = matrix<double>(n, n);
    for (index_t i = 0; i < n; ++i) s.c(i, i) = 1;
    matrix<double> total(n, n);
    const int steps = 4000;
    for (int k = 0; k <= steps; ++k) {
        const double omega = w.low + (w.high - w.low) * k / steps;
        const double weight = (k == 0 || k == steps ? 1 : k % 2 ? 4 : 2) * (w.high - w.low) / steps / 3;
        const auto x = frequency_response(s, omega);  // n x m
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j)
                for (index_t h = 0; h < x.cols(); ++h)
                    total(i, j) += weight / std::numbers::pi * (x(i, h) * std::conj(x(j, h))).real();
    }
    return total;
}

}  // namespace

TEST_CASE("frequency-limited: the integral itself; all frequencies give the Gramian; dense A agrees") {
    random_stream r(1);
    for (int trial = 0; trial < 3; ++trial) {
        const auto s = random_continuous(r, 2, 2, 2, 2);
        const auto z = random_pairs(r, 2, 2, 2, 2, 0.9);
        const band w{0.4, 1.7};
        const auto ws = controllability(s, w), wz = controllability(z, w);
        CHECK(distance(ws, by_quadrature(to_dense(s), w)) <= 1e-8 * largest(ws));  // Simpson: the fourth power of 3e-4
        CHECK(distance(wz, by_quadrature(as_dense(z), w)) <= 1e-8 * largest(wz));
        CHECK(distance(sum(controllability(s, {0, 3}), controllability(s, {3, 1e14})), controllability(s)) <= 1e-11 * largest(ws) + 1e-11);
        CHECK(distance(controllability(z, {0, std::numbers::pi}), controllability(z)) <= 1e-12 * largest(controllability(z)));
        matrix<double> t;
        const auto d = in_random_coordinates(r, s, t);
        CHECK(distance(controllability(d, w), between(t, ws)) <= 1e-9 * largest(between(t, ws)));
        const auto e = in_random_coordinates(r, z, t);
        CHECK(distance(controllability(e, w), between(t, wz)) <= 1e-9 * largest(between(t, wz)));
        CHECK(distance(observability(s, w), controllability(dual(s), w)) == 0);
        CHECK(distance(controllability(to_dense(s), w), ws) <= 1e-12 * largest(ws));  // seen through
    }
    CHECK_THROWS_AS(controllability(continuous<diagonal<double>>{{{1}}, {{1}}, {{1}}, {}}, band{0, 1}), unstable_error);
    CHECK_THROWS_AS(controllability(continuous<diagonal<double>>{{{-1}}, {{1}}, {{1}}, {}}, band{2, 1}), numerical_error);
    const continuous<dense<double>> defective{{{{-1, 1, 0}, {0, -1, 1}, {0, 0, -1}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    CHECK_THROWS_WITH_AS(controllability(defective, band{0, 1}), doctest::Contains("too near to defective"), numerical_error);
}

TEST_CASE("a band that ends at infinity is the whole axis; one that is no band, or runs past pi, and no horizon are refused with the numbers") {
    random_stream r(4);
    const auto s = random_continuous(r, 2, 2, 2, 2);
    const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN(), pi = std::numbers::pi;
    CHECK(distance(controllability(s, {0, infinity}), controllability(s)) <= 1e-13 * largest(controllability(s)));
    CHECK(largest(controllability(s, {infinity, infinity})) == 0);
    // Whole: 1/(1 - 0.25). 32 half turns of the circle would give 42.
    const discrete<diagonal<double>> half{{{0.5}}, {{1}}, {{1}}, {}};
    CHECK(controllability(half, band{0, pi})(0, 0) == doctest::Approx(4.0 / 3));
    CHECK_THROWS_WITH_AS(controllability(half, band{0, 100}),
                         "hrm::controllability: the band runs from 0 to 100, expected 0 <= low <= high <= pi = 3.1415926535897931", numerical_error);
    CHECK_THROWS_WITH_AS(observability(half, band{0, 3.25}), doctest::Contains("hrm::observability: the band runs from 0 to 3.25"), numerical_error);
    CHECK_THROWS_WITH_AS(controllability(s, band{nan, 1}), "hrm::controllability: the band runs from nan to 1, expected 0 <= low <= high", numerical_error);
    CHECK_THROWS_AS(controllability(s, band{0, nan}), numerical_error);
    CHECK_THROWS_AS(controllability(half, band{0, nan}), numerical_error);
    CHECK_THROWS_AS(controllability(s, band{-1, 1}), numerical_error);
    CHECK_THROWS_WITH_AS(controllability(half, -3), "hrm::controllability: the horizon is -3 steps, expected 0 or more", numerical_error);
    CHECK_THROWS_AS(controllability(to_dense(half), -3), numerical_error);
    CHECK_THROWS_AS(observability(to_dense(half), -1), numerical_error);
    CHECK_THROWS_AS(controllability(s, horizon{nan}), numerical_error);
    const continuous<dense<double>> defective{{{{-1, 1, 0}, {0, -1, 1}, {0, 0, -1}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    CHECK_THROWS_WITH_AS(controllability(defective, band{0, 1}), doctest::Contains("weighted_controllability"), numerical_error);  // what to do
}

TEST_CASE("time-limited: closed form and dense agree, a long horizon gives the Gramian, horizons add up, unstable A too") {
    random_stream r(2);
    for (int trial = 0; trial < 3; ++trial) {
        auto s = random_continuous(r, 2, 2, 2, 2);
        CHECK(distance(controllability(s, horizon{1e4}), controllability(s)) <= 1e-12 * largest(controllability(s)));
        if (trial == 2) s.a.real[0] = 0.3, s.a.re[1] = 0.1, s.a.real[1] = 0;  // unstable, and an integrator
        matrix<double> t;
        const auto d = in_random_coordinates(r, s, t);
        for (double length : {0.01, 1.0, 7.0}) {
            const auto w = between(t, controllability(s, horizon{length}));
            CHECK(distance(controllability(d, horizon{length}), w) <= 1e-10 * largest(w));
        }
        // W(a + b) = W(a) + e^{Aa} W(b) e^{A^T a}.
        const auto whole = controllability(d, horizon{3.5});
        const auto parts = sum(controllability(d, horizon{1.5}), between(expm([&] {
                                                                             auto a = d.a.a;
                                                                             for (auto& x : a.flat()) x *= 1.5;
                                                                             return a;
                                                                         }()),
                                                                         controllability(d, horizon{2})));
        CHECK(distance(whole, parts) <= 1e-11 * largest(whole));
        CHECK(distance(observability(d, horizon{2}), controllability(dual(d), horizon{2})) == 0);
    }
    for (index_t steps : {0, 1, 2, 5, 64, 1000}) {
        const auto z = random_pairs(r, 2, 2, 2, 2, 0.95);
        matrix<double> t;
        const auto d = in_random_coordinates(r, z, t);
        const auto w = between(t, controllability(z, steps));
        CHECK(distance(controllability(d, steps), w) <= 1e-11 * (1 + largest(w)));
        CHECK(distance(observability(d, steps), controllability(dual(d), steps)) == 0);
    }
    CHECK_THROWS_AS(controllability(random_continuous(r, 1, 0, 1, 1), horizon{-1}), numerical_error);
}

TEST_CASE("balanced for a band, the error there is smaller than that of plain balancing") {
    random_stream r(3);
    int better = 0, trials = 10;
    for (int trial = 0; trial < trials; ++trial) {
        const auto s = random_continuous(r, 2, 5, 1, 1);
        const band w{0.0, 0.3};
        const auto plain = balance(s, {.rank = 4}), limited = balance(s, controllability(s, w), observability(s, w), {.rank = 4});
        CHECK_FALSE(limited.certified);
        const auto worst = [&](const auto& g) {
            double e = 0;
            for (int k = 0; k <= 20; ++k) {
                const double omega = w.high * k / 20;
                e = std::max(e, std::abs(frequency_response(s, omega)(0, 0) - frequency_response(g, omega)(0, 0)));
            }
            return e;
        };
        better += worst(limited.system) < worst(plain.system);
    }
    CHECK(better >= 8);
}

TEST_CASE("complex systems: over a band and a time they are SciPy's quadratures and sums, dense and diagonal") {
    for (const auto& r : operations_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            constexpr bool step = in_discrete_time<std::decay_t<decltype(g)>>;
            const auto in_time = [](const auto& s) {
                if constexpr (step) return controllability(s, index_t{7});
                else return controllability(s, horizon{1.5});
            };
            CHECK(distance_of(controllability(g, band{0.3, 2}), r.band) < 1e-10);  // what the quadrature was asked for
            CHECK(distance_of(in_time(g), r.horizon) < 1e-10);
            const double all = step ? std::numbers::pi : std::numeric_limits<double>::infinity();
            CHECK(distance_of(controllability(g, band{0, all}), controllability(g)) < 1e-12);
            const auto dual_of = dual(g);
            CHECK(distance_of(observability(dual_of, band{0.3, 2}), r.band) < 1e-10);
            if constexpr (step) CHECK(distance_of(observability(dual_of, index_t{7}), r.horizon) < 1e-10);
            else CHECK(distance_of(observability(dual_of, horizon{1.5}), r.horizon) < 1e-10);
            // Of the diagonal form V^-1 A V the Gramians are V^-1 W V^-H.
            diagonal<number> poles;
            const auto v = detail::modal_vectors(g.a.a, poles);
            auto modal = g;
            modal.a.a = to_dense(poles);
            modal.b = solve(v, g.b);
            const auto back = [&](const matrix<number>& w) { return times(v, times(w, adjoint_of(v))); };
            const auto on_diagonal = [&] {
                if constexpr (step) return discrete<diagonal<number>>{poles, modal.b, times(g.c, v), {}};
                else return continuous<diagonal<number>>{poles, modal.b, times(g.c, v), {}};
            }();
            CHECK(distance_of(back(controllability(on_diagonal, band{0.3, 2})), r.band) < 1e-10);
            CHECK(distance_of(back(in_time(on_diagonal)), r.horizon) < 1e-10);
            CHECK(distance_of(in_time(on_diagonal), in_time(modal)) < 1e-12);
        });
}

TEST_CASE("complex systems: those of a real one in unitary coordinates, a reduction by them, and what is refused") {
    random_stream r(8);
    const auto q = random_unitary(r, 6);
    const auto turned_gramian = [&](const matrix<double>& w) { return times(adjoint_of(q), times(complex_of(w), q)); };
    const auto s = random_dense(r, 6, 2, 3, 1.05);  // unstable
    const auto turned = turned_by(q, complex_of(s));
    CHECK(distance_of(controllability(turned, index_t{13}), turned_gramian(controllability(s, index_t{13}))) < 1e-13);
    CHECK(distance_of(observability(turned, index_t{6}), turned_gramian(observability(s, index_t{6}))) < 1e-13);
    CHECK(observability(turned, index_t{0}) == matrix<number>(6, 6));
    const continuous<dense<double>> c{s.a, s.b, s.c, {}};
    const continuous<dense<number>> turned_c{turned.a, turned.b, turned.c, {}};
    CHECK(distance_of(controllability(turned_c, horizon{5}), turned_gramian(controllability(c, horizon{5}))) < 1e-12);
    CHECK_THROWS_AS(controllability(turned_c, band{0, 1}), unstable_error);
    CHECK_THROWS_AS(controllability(turned_c, horizon{-1}), numerical_error);
    CHECK_THROWS_AS(controllability(turned, index_t{-1}), numerical_error);

    const auto g = random_dense(r, 6, 2, 3, 0.9);
    const auto turned_g = turned_by(q, complex_of(g));
    const band w{0, 2.5};
    for (const auto weak : {weak_states::truncate, weak_states::residualize}) {
        const auto want = balance(g, controllability(g, w), observability(g, w), {.rank = 3, .error = error_report::measured, .weak = weak});
        const auto got = balance(turned_g, controllability(turned_g, w), observability(turned_g, w), {.rank = 3, .error = error_report::measured, .weak = weak});
        for (std::size_t i = 0; i < 3; ++i) CHECK(got.sigma[i] == doctest::Approx(want.sigma[i]).epsilon(1e-8));
        CHECK(!got.certified);
        REQUIRE(want.measured_error);
        REQUIRE(got.measured_error);
        CHECK(*got.measured_error == doctest::Approx(*want.measured_error).epsilon(1e-6));
        for (const double omega : {-0.4, 0.2}) CHECK(distance_of(frequency_response(got.system, omega), frequency_response(want.system, omega)) < 1e-7);
    }
    CHECK_THROWS_AS(balance(turned_g, matrix<number>(5, 5), matrix<number>(6, 6)), shape_error);
    auto negative = controllability(turned_g);
    negative(0, 1) = -negative(0, 1), negative(1, 0) = 10.0 * negative(0, 0);
    CHECK_THROWS_AS(balance(turned_g, negative, negative), numerical_error);
}
