// Whatever goes in: a result that can be trusted, or an error of the library that says what is wrong.

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>
#include <hrm/reduction/limited.hpp>
#include <hrm/reduction/minimal.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

double strange(random_stream& r) {
    constexpr double values[] = {0, 0, 0, 1, -1, 0.5, -0.5, 1e-8, 1e8, -1e8, 1e-160, 1e160, 1e-300, -1e300, 5e-324,
                                 std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(),
                                 1 - 1e-16, -1 + 1e-12, -1e-17};
    return values[r.below(static_cast<index_t>(std::size(values)))];
}
void fill(random_stream& r, std::span<double> x, double oddness) {
    for (auto& v : x) v = r.uniform() < oddness ? strange(r) : r.uniform() < 0.2 ? 0 : r.normal();
}
bool finite(const matrix<double>& x) {
    for (double v : x.flat())
        if (!std::isfinite(v)) return false;
    return true;
}

struct outcome {
    int results = 0, refusals = 0;
};

template <class T>
void check_one(const T& g, const balance_options& o, outcome& count) {
    try {
        const auto b = balance(g, o);
        ++count.results;
        CHECK(finite(b.system.a.a));
        CHECK(finite(b.system.b));
        CHECK(finite(b.system.c));
        CHECK(b.system.inputs() == g.inputs());
        CHECK(b.system.outputs() == g.outputs());
        CHECK(b.order() <= g.order() + b.delayed);
        CHECK(static_cast<index_t>(b.sigma.size()) + b.unstable == g.order());
        CHECK(b.t.cols() + b.delayed == b.order());
        for (double s : b.sigma) CHECK((std::isfinite(s) && s >= 0));
        if (o.rank >= 0) CHECK(b.order() - b.delayed - b.unstable <= o.rank);
    } catch (const error& e) {
        ++count.refusals;
        CHECK(std::string(e.what()).starts_with("hrm::"));
    }
}

template <template <class> class System>
void check_all(random_stream& r, double oddness, outcome& count) {
    const index_t n = r.below(6), m = r.below(4), p = r.below(4);
    System<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, m), matrix<double>(p, n), {}};
    fill(r, g.a.a.flat(), oddness);
    fill(r, g.b.flat(), oddness);
    fill(r, g.c.flat(), oddness);
    if (r.uniform() < 0.2) g.d = matrix<double>(p, m, 1.0);
    if (r.uniform() < 0.3)
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) g.a.a(i, j) = 0;  // triangular: often defective
    balance_options o;
    if (r.uniform() < 0.5) o.rank = r.below(n + 2);
    if (r.uniform() < 0.3) o.tolerance = r.uniform();
    if (r.uniform() < 0.2) o.hinf_budget = r.uniform();
    if (r.uniform() < 0.2) o.gap = gap_rule::largest;
    const double basis = r.uniform();
    if (basis < 0.5) o.basis = basis < 0.3 ? projection::balancing_free : projection::biorthogonal;
    if (r.uniform() < 0.3) o.weak = weak_states::residualize;
    if (r.uniform() < 0.2) o.unstable = unstable_poles::refuse;
    check_one(g, o, count);
    System<diagonal<double>> d{{}, g.b, g.c, g.d};
    System<complex_pairs<double>> c{{}, g.b, g.c, g.d};
    for (index_t i = 0; i < n; ++i) d.a.poles.push_back(g.a.a(i, i));
    for (index_t i = 0; i < n % 2; ++i) c.a.real.push_back(g.a.a(i, i));
    for (index_t i = 0; i < n / 2; ++i) {
        c.a.re.push_back(g.a.a(2 * i, 2 * i));
        c.a.im.push_back(g.a.a(2 * i, 2 * i + 1));
    }
    check_one(d, o, count);
    check_one(c, o, count);
}

}  // namespace

TEST_CASE("1500 small systems with zeros, infinities, NaN and extreme numbers: a result or an error, never anything else") {
    random_stream r(1);
    outcome plain, odd;
    for (int trial = 0; trial < 250; ++trial) {
        CAPTURE(trial);
        check_all<continuous>(r, 0.02, plain);
        check_all<discrete>(r, 0.02, plain);
        check_all<continuous>(r, 0.3, odd);
        check_all<discrete>(r, 0.3, odd);
    }
    CHECK(plain.results > 900);
    CHECK(odd.refusals > 100);
    MESSAGE("ordinary: ", plain.results, " results, ", plain.refusals, " refusals; strange: ", odd.results, ", ", odd.refusals);
}

TEST_CASE("errors say which entry, which extent, which pole") {
    continuous<dense<double>> g{{{{-1, 2, 0}, {0, -2, 1}, {0, 0, -3}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    auto bad = g;
    bad.a.a(1, 2) = std::nan("");
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::balance: A(1, 2) is not finite", numerical_error);
    bad = g;
    bad.b = matrix<double>(2, 1);
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::continuous: B is 2x1, expected 3x1", shape_error);
    bad = g;
    bad.c = matrix<double>(1, 4);
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::continuous: C is 1x4, expected 1x3", shape_error);
    bad = g;
    bad.d = matrix<double>(2, 2);
    CHECK_THROWS_AS(balance(bad), shape_error);
    bad = g;
    bad.a.a = matrix<double>(3, 2);
    CHECK_THROWS_AS(balance(bad), shape_error);
    bad = g;
    bad.a.a(2, 2) = 3;
    CHECK_THROWS_WITH_AS(balance(bad, {.unstable = unstable_poles::refuse}), doctest::Contains("spectral abscissa 3"), unstable_error);
    CHECK(balance(bad).unstable == 1);
}

TEST_CASE("no states, one state, no ports, zero ports, defective A: results") {
    CHECK(balance(continuous<dense<double>>{}).order() == 0);
    CHECK(minimal(discrete<dense<double>>{}).order() == 0);
    const discrete<dense<double>> one{{{{0.5}}}, {{2}}, {{3}}, {}};
    const auto b = balance(one, {.error = error_report::measured});
    CHECK(b.sigma[0] == doctest::Approx(6 / 0.75).epsilon(1e-14));
    CHECK(*b.measured_error <= 1e-13);
    auto zero = one;
    zero.b(0, 0) = 0;
    CHECK(balance(zero).order() == 0);
    CHECK(balance(zero, {.weak = weak_states::residualize}).order() == 0);
    // A Jordan block of size 8: as far from diagonal as A can be.
    continuous<dense<double>> jordan{{matrix<double>(8, 8)}, matrix<double>(8, 1), matrix<double>(1, 8), {}};
    for (index_t i = 0; i < 8; ++i) {
        jordan.a.a(i, i) = -1;
        if (i > 0) jordan.a.a(i - 1, i) = 1;
    }
    jordan.b(7, 0) = jordan.c(0, 0) = 1;
    const auto j = balance(jordan, {.rank = 4, .error = error_report::measured});
    CHECK(j.certified);
    CHECK(*j.measured_error <= j.bound * (1 + 1e-9));
}

TEST_CASE("numbers whose squares leave the range of double: the singular values where they are representable, else an error") {
    using one_pole = discrete<diagonal<double>>;
    const one_pole beyond{{{0.5}}, {{1e155}}, {{1e155}}, {}};  // sigma = b c / (1 - 0.25)
    CHECK_THROWS_WITH_AS(hankel_singular_values(beyond), doctest::Contains("beyond the range of double"), numerical_error);
    CHECK_THROWS_WITH_AS(balance(beyond), doctest::Contains("beyond the range of double"), numerical_error);
    for (const auto& [b, c] : {std::pair{1.2e308, 1.0}, {1.0, 1.2e308}, {1e-200, 1e-100}, {1e200, 1e-200}, {1e-308, 1e308}}) {
        CAPTURE(b);
        const one_pole g{{{0.5}}, {{b}}, {{c}}, {}};
        CHECK(hankel_singular_values(g)[0] == doctest::Approx(b * c / 0.75).epsilon(1e-14));
        const auto r = balance(g);
        REQUIRE(r.order() == 1);
        CHECK(r.sigma[0] == doctest::Approx(b * c / 0.75).epsilon(1e-14));
        CHECK(!std::isnan(r.rounding));
        CHECK(r.system.b(0, 0) * r.system.c(0, 0) == doctest::Approx(b * c).epsilon(1e-14));
    }
    // Units of B, and the opposite ones of C, change no singular value; those next to the edges of double are no worse.
    const auto same_in_units = [](auto g, int exponent) {
        const auto got = hankel_singular_values(g);
        const auto balanced = balance(g, {.rank = 1}).sigma;  // of state 2 the coordinates are not representable
        for (double& x : g.b.flat()) x = std::ldexp(x, exponent);
        for (double& x : g.c.flat()) x = std::ldexp(x, -exponent);
        const auto want = hankel_singular_values(g);
        CHECK(want[0] > 0);
        for (std::size_t i = 0; i < want.size(); ++i) {
            CHECK(std::abs(got[i] - want[i]) <= 1e-14 * want[0]);
            CHECK(std::abs(balanced[i] - want[i]) <= 1e-14 * want[0]);
        }
    };
    same_in_units(discrete<diagonal<double>>{{{0.5, 0.3}}, {{1e-300, 1e-300, 1e-300}, {5e-324, 0, 0}}, {{1e300, 1e300}}, {}}, 900);
    same_in_units(continuous<diagonal<double>>{{{-1, -2}}, {{1e-300}, {1e-310}}, {{1e300, 1e308}}, {}}, 900);
    // B is finite, and what it is in the coordinates of the modes is not; balance() takes B in units of 2^1023.
    const discrete<dense<double>> g{{{{0.5, 0.1}, {0.2, 0.3}}}, {{1.5e308, -1.5e308}, {-1.5e308, 1.5e308}}, {{1, 1}}, {}};
    CHECK_THROWS_WITH_AS(hankel_singular_values(g), doctest::Contains("of mode 1 is beyond the range of double"), numerical_error);
    const auto sigma = balance(g).sigma;  // SciPy's solve_discrete_lyapunov of the quarter of it
    CHECK(sigma[0] / 1e308 == doctest::Approx(1.39962081).epsilon(1e-8));
    CHECK(sigma[1] / 1e308 == doctest::Approx(0.60025375).epsilon(1e-8));
    CHECK_THROWS_WITH_AS(balance(g, {.rank = 0}), "hrm::balance: the singular values are beyond the range of double", numerical_error);  // the bound is
    const continuous<dense<double>> turning{{{{-0.5, 0.1}, {-0.2, -0.3}}}, g.b, g.c, {}};
    CHECK_THROWS_WITH_AS(hankel_singular_values(turning), doctest::Contains("of mode 0 is beyond the range of double"), numerical_error);
}

TEST_CASE("a gain whose square is beyond the range of double has no certificate it does not keep") {
    // Found by the fuzzer: the singular values lost the smaller rows of C, and the error was 1.0026 of the bound.
    using pairs = continuous<complex_pairs<double>>;
    const pairs g{{{}, {-2.663, -4.147}, {-1.194, -1.727}}, {{1.38, 0, 1.735}, {-1.177, -1e160, -0.327}, {0, 1e-300, 0.329}, {0.876, 0.165, -1e160}},
                  {{0.5, -0.234, 0, 1.685}, {-0.404, -1.147, -0.562, 0}, {0, 0.744, 0, 0.9}}, {}};
    const auto r = balance(g, {.rank = 1, .error = error_report::measured});
    if (r.certified) CHECK(*r.measured_error <= (r.bound + r.rounding) * (1 + 1e-9));
    CHECK(r.rounding > 0);
}

TEST_CASE("eigenvectors that double does not hold make no modes") {
    // [1; 1e324] and its inverse: found by the fuzzer.
    const continuous<dense<double>> g{{{{-5e-324, 0}, {-1.1640625, 0}}}, matrix<double>(2, 0), {{-1.3, 1.5}, {-0.6, -1.6}}, {}};
    CHECK(!find_modes(g));
    const auto r = balance(g, {.rank = 1, .error = error_report::measured, .weak = weak_states::residualize});
    CHECK(finite(r.t));
    CHECK(finite(r.w));
}

TEST_CASE("an equal pair of poles in any rotated coordinates has the values of the unrotated one") {
    const continuous<dense<double>> g{{{{-1, 0.9}, {0, -1}}}, {{0.3}, {1}}, {{1, -0.4}}, {}};
    const auto want = hankel_singular_values(g);
    for (int i = 1; i < 500; ++i) {
        const double c = std::cos(0.013 * i), s = std::sin(0.013 * i), q[2][2] = {{c, s}, {-s, c}};
        continuous<dense<double>> turned{{matrix<double>(2, 2)}, matrix<double>(2, 1), matrix<double>(1, 2), {}};  // Q A Q^T, Q B, C Q^T
        for (index_t j = 0; j < 2; ++j)
            for (index_t k = 0; k < 2; ++k) {
                turned.b(j, 0) += q[j][k] * g.b(k, 0);
                turned.c(0, j) += g.c(0, k) * q[j][k];
                for (index_t l = 0; l < 2; ++l)
                    for (index_t m = 0; m < 2; ++m) turned.a.a(j, k) += q[j][l] * g.a.a(l, m) * q[k][m];
            }
        CAPTURE(i);
        // The poles move by sqrt(eps) |A|, the singular values, smooth in A, by eps times their condition.
        const auto got = hankel_singular_values(turned);
        for (std::size_t k = 0; k < 2; ++k) CHECK(std::abs(got[k] - want[k]) <= 1e-12 * want[0]);
        CHECK(balance(turned, {.rank = 1}).order() == 1);
    }
}

TEST_CASE("a floor or margin that is no number is refused with its name") {
    const continuous<diagonal<double>> s{{{-1.0, -2.0, -3.0}}, matrix<double>(3, 1, 1.0), matrix<double>(1, 3, 1.0), {}};
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -1.0, 2.0}) CHECK_THROWS_WITH_AS(balance(s, {.floor = bad}), doctest::Contains("floor"), numerical_error);
    CHECK_THROWS_WITH_AS(balance(s, {.margin = std::numeric_limits<double>::quiet_NaN()}), doctest::Contains("margin"), numerical_error);
}

// Entries to 1e200, whose squares overflow, are balanced all the same: powers of two change no bit of the values.
TEST_CASE("states in units 200 decades apart have the values of those in one unit") {
    const index_t n = 6;
    random_stream r(4);
    continuous<dense<double>> s{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    for (auto* m : {&s.a.a, &s.b, &s.c}) r.fill_normal(m->flat());
    for (index_t i = 0; i < n; ++i) s.a.a(i, i) -= 6;
    const auto want = balance(s, {.rank = 3});
    for (index_t i = 0; i < n; ++i) {
        const double unit = std::ldexp(1.0, i % 2 == 0 ? 330 : -330);
        for (index_t j = 0; j < n; ++j) s.a.a(i, j) /= unit, s.a.a(j, i) *= unit;
        s.b(i, 0) /= unit;
        s.c(0, i) *= unit;
    }
    const auto got = balance(s, {.rank = 3});
    CHECK(got.unstable == 0);
    for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(got.sigma[i] - want.sigma[i]) <= got.rounding + want.rounding);
}

TEST_CASE("a certificate of what is left beside an unstable part of another size") {
    // Found by the fuzzer and by systems of a nilpotent A.
    const discrete<diagonal<double>> g{{{-1.1, 0.789}}, {{0.4, -1e300, -1.5}, {1e8, 0.8, 0.8}}, {{-0.4, 1.7}, {1.4, -1.3}, {0.5, 0.9}}, {}};
    const auto r = balance(g, {.tolerance = 0.01});
    const auto alone = balance(discrete<diagonal<double>>{{{0.789}}, {{1e8, 0.8, 0.8}}, {{1.7}, {-1.3}, {0.9}}, {}});
    REQUIRE(r.sigma.size() == 1);
    CHECK(r.unstable == 1);
    CHECK(r.sigma[0] == doctest::Approx(alone.sigma[0]).epsilon(1e-14));
    // A = u v^H with v^H u = 0, rounded: its eigenvalues are all rounding, also where that happens to make them stable.
    random_stream random(17);
    for (int trial = 0; trial < 200; ++trial) {
        CAPTURE(trial);
        using number = std::complex<double>;
        number u[3], v[3], along = 0;
        double square = 0;
        for (int i = 0; i < 3; ++i) {
            double part[4];
            random.fill_normal(std::span<double>(part), 1);
            u[i] = {part[0], part[1]}, v[i] = {part[2], part[3]};
            along += std::conj(v[i]) * u[i], square += std::norm(u[i]);
        }
        continuous<dense<number>> nilpotent{{matrix<number>(3, 3)}, matrix<number>(3, 1, 1.0), matrix<number>(1, 3, 1.0), {}};
        for (int i = 0; i < 3; ++i) v[i] -= std::conj(along / square) * u[i];
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 3; ++j) nilpotent.a.a(i, j) = u[i] * std::conj(v[j]);
        const auto out = balance(nilpotent, {.rank = 1});
        CHECK((!out.certified || out.unstable >= 2));
    }
}
