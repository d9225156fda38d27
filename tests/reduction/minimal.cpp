#include <hrm/reduction/minimal.hpp>

#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

/// k states beside the given ones that the input does not reach, k that the output does not see, all in random coordinates.
template <class System>
System padded(random_stream& r, const System& s, index_t k) {
    const index_t n = s.order(), big = n + 2 * k;
    System g{{matrix<double>(big, big)}, matrix<double>(big, s.inputs()), matrix<double>(s.outputs(), big), s.d};
    for (index_t i = 0; i < big; ++i)
        for (index_t j = 0; j < big; ++j) {
            const bool zero = (i >= n && i < n + k && (j < n || j >= n + k)) || (i < n + k && j >= n + k);  // unreached; unseen
            g.a.a(i, j) = i < n && j < n ? s.a.a(i, j) : zero ? 0 : 0.2 * r.normal();
        }
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < s.inputs(); ++j) g.b(i, j) = s.b(i, j);
        for (index_t j = 0; j < s.outputs(); ++j) g.c(j, i) = s.c(j, i);
    }
    for (index_t i = n; i < n + k; ++i)
        for (index_t j = 0; j < s.outputs(); ++j) g.c(j, i) = r.normal();
    for (index_t i = n + k; i < big; ++i)
        for (index_t j = 0; j < s.inputs(); ++j) g.b(i, j) = r.normal();
    matrix<double> t(big, big);
    r.fill_normal(t.flat(), 0.3);
    for (index_t i = 0; i < big; ++i) t(i, i) += 1;
    return {{product(t, turned(solve(turned(t), turned(g.a.a))))}, product(t, g.b), turned(solve(turned(t), turned(g.c))), g.d};
}

}  // namespace

TEST_CASE("unreachable and unobservable states go, the impulse response stays, stable or not") {
    random_stream r(1);
    for (double radius : {0.7, 1.0, 1.1})
        for (int trial = 0; trial < 4; ++trial) {
            const auto s = random_dense(r, 4, 2, 2, radius);
            const auto g = padded(r, s, 2);
            const auto b = minimal(g, 1e-9);
            CHECK(b.order() == 4);
            CHECK(relative_distance(markov(g, 12), markov(b.system, 12)) <= 1e-8);
            // The same matrices in continuous time have the same Markov parameters C A^k B.
            const continuous<dense<double>> c{g.a, g.b, g.c, g.d};
            const auto bc = minimal(c, 1e-9);
            CHECK(bc.order() == 4);
            const discrete<dense<double>> read{bc.system.a, bc.system.b, bc.system.c, bc.system.d};
            CHECK(relative_distance(markov(g, 12), markov(read, 12)) <= 1e-8);
        }
}

TEST_CASE("nothing to remove, nothing at all, and integrators") {
    random_stream r(2);
    CHECK(minimal(random_dense(r, 5, 1, 1, 0.8), 1e-12).order() == 5);
    CHECK(minimal(random_diagonal(r, 5, 0, 2)).order() == 0);
    CHECK(minimal(continuous<dense<double>>{}).order() == 0);
    const continuous<diagonal<double>> two{{{0, 0, -1}}, {{1}, {2}, {1}}, {{1, 1, 0}}, {}};  // one integrator is enough
    const auto m = minimal(two, 1e-12);
    CHECK(m.order() == 1);
    CHECK(std::abs(m.system.a.a(0, 0)) <= 1e-12);
    CHECK(m.system.b(0, 0) * m.system.c(0, 0) == doctest::Approx(3).epsilon(1e-12));
}

TEST_CASE("complex systems: what is not reached or not seen goes, stable or not, in either time") {
    random_stream r(7);
    for (const bool stable : {true, false})
        for (int trial = 0; trial < 4; ++trial) {
            // A 7 x 7 of three parts of 3, 2 and 2 states: the second is not reached, the third not seen; then a turn.
            auto a = normal_complex(r, 7, 7), b = normal_complex(r, 7, 2), c = normal_complex(r, 2, 7);
            for (index_t i = 0; i < 7; ++i) {
                for (index_t j = 0; j < 7; ++j)
                    if ((i >= 3 && i < 5 && (j < 3 || j >= 5)) || (i < 5 && j >= 5)) a(i, j) = 0;
                for (index_t j = 0; j < 2; ++j) {
                    if (i >= 3 && i < 5) b(i, j) = 0;
                    if (i >= 5) c(j, i) = 0;
                }
            }
            const double radius = spectral_radius(dense<number>{a});
            for (auto& x : a.flat()) x *= (stable ? 0.8 : 1.1) / radius;
            const auto g = turned_by(random_unitary(r, 7), discrete<dense<number>>{{a}, b, c, normal_complex(r, 2, 2)});
            const auto out = minimal(g, 1e-9);
            CHECK(out.order() == 3);
            const auto x = impulse_response(g, 8), y = impulse_response(out.system, 8);
            for (std::size_t k = 0; k < 8; ++k) CHECK(distance_of(y[k], x[k]) < 1e-9);
            continuous<dense<number>> h{g.a, g.b, g.c, g.d};
            if (stable)
                for (index_t i = 0; i < 7; ++i) h.a.a(i, i) -= 1;
            const auto small = minimal(h, 1e-9);
            CHECK(small.order() == 3);
            CHECK(small.certified == stable);
            for (const double omega : {-1.0, 0.3}) CHECK(distance_of(frequency_response(small.system, omega), frequency_response(h, omega)) < 1e-9);
        }
    const continuous<diagonal<number>> two{{{{0, 1}, {0, 1}, {-1, 0}}}, {{1}, {2}, {1}}, {{1, {0, 1}, 0}}, {}};  // one oscillator is enough
    const auto m = minimal(two, 1e-12);
    CHECK(m.order() == 1);
    CHECK(std::abs(m.system.a.a(0, 0) - number(0, 1)) <= 1e-12);
    CHECK(std::abs(m.system.b(0, 0) * m.system.c(0, 0) - number(1, 2)) < 1e-12);
    CHECK(minimal(discrete<dense<number>>{}).order() == 0);
    CHECK(minimal(discrete<dense<number>>{{{{0.5}}}, matrix<number>(1, 0), matrix<number>(2, 1), {}}).order() == 0);
    CHECK_THROWS_AS(minimal(discrete<diagonal<number>>{{{{0, std::nan("")}}}, {{1}}, {{1}}, {}}), numerical_error);
}

TEST_CASE("the units of the states decide neither what is stable nor what is left") {
    random_stream r(9);
    for (const double decades : {0.0, 4.0, 8.0, 80.0}) {
        CAPTURE(decades);
        continuous<dense<double>> g{{matrix<double>(4, 4)}, matrix<double>(4, 2), matrix<double>(2, 4), {}};
        for (auto* x : {&g.a.a, &g.b, &g.c}) r.fill_normal(x->flat(), 1);
        for (index_t i = 0; i < 4; ++i) g.a.a(i, i) -= 6;
        const double power[] = {1, 0, -0.7, -1};
        for (index_t i = 0; i < 4; ++i) {
            const double unit = std::exp2(std::round(std::log2(10) * decades * power[i]));
            for (index_t j = 0; j < 4; ++j) g.a.a(i, j) *= unit, g.a.a(j, i) /= unit;
            for (index_t j = 0; j < 2; ++j) g.b(i, j) *= unit, g.c(j, i) /= unit;
        }
        const auto m = minimal(g);
        CHECK(m.order() == 4);
        CHECK(m.certified);
    }
}

TEST_CASE("inputs and outputs in units far apart: the same order, singular values and bound") {
    random_stream r(10);
    for (const double rate : {1.0, 0x1p-66, 0x1p-498}) {
        CAPTURE(rate);
        continuous<dense<double>> g{{matrix<double>(3, 3)}, matrix<double>(3, 2), matrix<double>(2, 3), {}};
        for (auto* x : {&g.a.a, &g.b, &g.c}) r.fill_normal(x->flat(), 1);
        for (index_t i = 0; i < 3; ++i) g.a.a(i, i) -= 6;
        for (auto& x : g.a.a.flat()) x *= rate;
        auto far = g;
        for (auto& x : far.b.flat()) x *= 0x1p564;
        for (auto& x : far.c.flat()) x *= 0x1p-564;
        const auto want = balance(g, {.rank = 1}), got = balance(far, {.rank = 1});
        CHECK(got.numerical_rank == 3);
        for (std::size_t i = 0; i < 3; ++i) CHECK(got.sigma[i] == doctest::Approx(want.sigma[i]).epsilon(1e-12));
        CHECK(got.bound == doctest::Approx(want.bound).epsilon(1e-12));
        CHECK(got.t(0, 0) == doctest::Approx(std::ldexp(want.t(0, 0), 564)));
        CHECK(got.w(0, 0) == doctest::Approx(std::ldexp(want.w(0, 0), -564)));
        CHECK(minimal(far).order() == 3);
        CHECK(hinf_norm(far).value == doctest::Approx(hinf_norm(g).value).epsilon(1e-7));
        const continuous<dense<number>> turned{complex_of(far).a, complex_of(far).b, complex_of(far).c, {}};
        CHECK(balance(turned, {.rank = 1}).sigma[2] == doctest::Approx(want.sigma[2]).epsilon(1e-12));
    }
}

TEST_CASE("a gain of any size: the reduction of the system whose gain is 1, times it") {
    random_stream r(11);
    const auto far = [](auto g, int in, int out) {
        detail::scale_by_power(g.b, in);
        detail::scale_by_power(g.c, out);
        return g;
    };
    for (const auto weak : {weak_states::truncate, weak_states::residualize})
        for (const auto basis : {projection::square_root, projection::balancing_free, projection::biorthogonal})
            for (const auto& exponents : {std::pair{530, 0}, {0, -530}, {-480, -480}, {500, 480}, {-900, -60}, {900, 90}}) {
                const int in = exponents.first, out = exponents.second;  // clang 14 captures no structured bindings
                CAPTURE(in);
                CAPTURE(out);
                continuous<dense<double>> g{{matrix<double>(5, 5)}, matrix<double>(5, 2), matrix<double>(2, 5), {}};
                for (auto* x : {&g.a.a, &g.b, &g.c}) r.fill_normal(x->flat(), 1);
                for (index_t i = 0; i < 5; ++i) g.a.a(i, i) -= 6;
                const auto want = balance(g, {.hinf_budget = 1e-3, .error = error_report::measured, .basis = basis, .weak = weak});
                const auto got = balance(far(g, in, out), {.hinf_budget = std::ldexp(1e-3, in + out), .error = error_report::measured, .basis = basis, .weak = weak});
                const auto back = [&](double x) { return std::ldexp(x, -in - out); };
                REQUIRE(got.order() == want.order());
                CHECK(got.certified);
                for (std::size_t i = 0; i < 5; ++i) CHECK(back(got.sigma[i]) == doctest::Approx(want.sigma[i]).scale(want.sigma[0]).epsilon(1e-14));
                CHECK(back(got.bound) == doctest::Approx(want.bound).epsilon(1e-9));
                CHECK(back(got.rounding) == doctest::Approx(want.rounding).epsilon(0.1));
                CHECK(back(*got.measured_error) == doctest::Approx(*want.measured_error).epsilon(1e-7));
                CHECK(back(*got.measured_h2) == doctest::Approx(*want.measured_h2).epsilon(1e-9));
                // The parts are what the projections say, and as long as their basis has them.
                const auto unit = far(got.system, -in, -out);
                CHECK(hinf_norm(difference(continuous<dense<double>>{unit.a, unit.b, unit.c, far(continuous<dense<double>>{{}, got.system.d, {}, {}}, -in - out, 0).b}, want.system)).value < 1e-12);
                if (basis == projection::square_root) CHECK(detail::frobenius(got.system.b) == doctest::Approx(detail::frobenius(got.system.c)).epsilon(1e-12).scale(0));
                else CHECK(detail::frobenius(got.t) == doctest::Approx(detail::frobenius(want.t)).epsilon(1e-12));
                CHECK(std::ldexp(h2_norm(far(g, in, out)), -in - out) == doctest::Approx(h2_norm(g)).epsilon(1e-14));
                CHECK(std::ldexp(hinf_norm(far(g, in, out)).value, -in - out) == doctest::Approx(hinf_norm(g).value).epsilon(1e-14));
            }
    // One whose rounding is no number above 0 is not certified; nor may units of the ports lose states in units of their own.
    CHECK(!balance(continuous<diagonal<double>>{{{-1, -2}}, {{1e-150}, {3e-150}}, {{1e-150, 2e-150}}, {}}).certified);
    const auto own = balance(continuous<diagonal<double>>{{{-1, -2}}, {{0x1p664}, {0x1p-664}}, {{0x1p-664, 0x1p664}}, {}}).sigma;
    const auto alike = balance(continuous<diagonal<double>>{{{-1, -2}}, {{1}, {1}}, {{1, 1}}, {}}).sigma;
    for (std::size_t i = 0; i < 2; ++i) CHECK(own[i] == doctest::Approx(alike[i]).epsilon(1e-13));
    // What D loses of the weak states' part is rounding as well.
    const continuous<diagonal<double>> faint{{{-1, -2}}, {{1e-70}, {1e-70}}, {{1, 1}}, {{1}}};
    CHECK(!balance(faint, {.rank = 1, .weak = weak_states::residualize}).certified);
    CHECK(balance(faint, {.rank = 1}).certified);
    const discrete<diagonal<double>> direct{{{0.5}}, {{1e-80}}, {{1}}, {{3}}};
    CHECK(hinf_norm(direct).value == doctest::Approx(3).epsilon(1e-14));
    CHECK(h2_norm(direct) == doctest::Approx(3).epsilon(1e-14));
}
