#include <hrm/reduction/complex_balance.hpp>

#include <limits>

#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"

using namespace hrm;

namespace {

double off_identity(const matrix<number>& x) {
    double off = 0;
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) off = std::max(off, std::abs(x(i, j) - (i == j ? 1.0 : 0.0)));
    return off;
}
template <class System>
void check_bounds(std::uint64_t seed) {
    random_stream r(seed);
    for (int trial = 0; trial < 18; ++trial) {
        CAPTURE(trial);
        const bool weak = trial % 2 == 1;
        const index_t n = 2 + r.below(9), m = 1 + r.below(3), p = 1 + r.below(3), rank = r.below(n);
        const auto g = drawn<System>(r, n, m, p);
        const auto basis = trial % 3 == 0 ? projection::square_root : trial % 3 == 1 ? projection::balancing_free : projection::biorthogonal;
        const auto out = balance(g, {.rank = rank, .error = error_report::measured, .basis = basis, .weak = weak ? weak_states::residualize : weak_states::truncate});
        REQUIRE(out.order() == std::min(rank, out.numerical_rank) + out.delayed);
        CHECK(out.stable);
        CHECK(out.certified);
        REQUIRE(out.measured_error);
        CHECK(*out.measured_error <= out.bound + out.rounding + out.measured_rounding);
        const index_t kept = out.order() - out.delayed;
        if (kept < n) CHECK(*out.measured_error >= out.sigma[static_cast<std::size_t>(kept)] * (1 - 1e-7) - out.rounding);
        CHECK(off_identity(times(adjoint_of(out.w), out.t)) < 1e-12);
        if (weak) {  // exact at frequency zero, and nowhere else
            CHECK(distance_of(frequency_response(out.system, 0), frequency_response(g, 0)) < 1e-11);
            if (kept < n) CHECK(distance_of(frequency_response(out.system, 0.5), frequency_response(g, 0.5)) > 1e-11);
            continue;
        }
        // The parts are what the projections say.
        CHECK(distance_of(out.system.b, times(adjoint_of(out.w), g.b)) < 1e-13);
        CHECK(distance_of(out.system.a.a, times(adjoint_of(out.w), times(to_dense(g.a), out.t))) < 1e-11);
    }
}
template <class System>
void check_references(const System& g, const complex_reference& r) {
    const auto out = balance(g, {.error = error_report::measured});
    for (std::size_t i = 0; i < r.sigma.size(); ++i) CHECK(out.sigma[i] == doctest::Approx(r.sigma[i]).scale(r.sigma[0]).epsilon(1e-11));
    // Everything above rounding is kept: the same answers.
    for (int k = 0; k < 3; ++k) CHECK(distance_of(frequency_response(out.system, r.omega[k]), r.g[k]) < 1e-10);
    REQUIRE(out.measured_h2);
    CHECK(*out.measured_h2 < 1e-6 * r.h2);
}

}  // namespace

TEST_CASE("complex systems: sigma as mpmath has them, and at full order the same transfer function") {
    for (const auto& r : complex_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            CAPTURE(r.diagonal);
            check_references(g, r);
        });
}

TEST_CASE("complex systems: bound >= measured error >= sigma_{r+1}, certified, in each basis") {
    SUBCASE("continuous, dense") { check_bounds<continuous<dense<number>>>(71); }
    SUBCASE("continuous, diagonal") { check_bounds<continuous<diagonal<number>>>(72); }
    SUBCASE("discrete, dense") { check_bounds<discrete<dense<number>>>(73); }
    SUBCASE("discrete, diagonal") { check_bounds<discrete<diagonal<number>>>(74); }
}

TEST_CASE("a real system in complex coordinates: its sigma, its reduction") {
    random_stream r(75);
    const index_t n = 8;
    continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 2), matrix<double>(2, n), {}};
    r.fill_normal(g.a.a.flat());
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    const double abscissa = spectral_abscissa(g.a) + 0.3;
    for (index_t i = 0; i < n; ++i) g.a.a(i, i) -= abscissa;
    const auto wide = [](const matrix<double>& x) {
        matrix<number> y(x.rows(), x.cols());
        std::copy(x.flat().begin(), x.flat().end(), y.flat().begin());
        return y;
    };
    const auto q = random_unitary(r, n), qh = adjoint_of(q);
    const continuous<dense<number>> h{{times(times(q, wide(g.a.a)), qh)}, times(q, wide(g.b)), times(wide(g.c), qh), {}};
    const balance_options options{.rank = 4, .error = error_report::measured};
    const auto want = balance(g, options);
    const auto out = balance(h, options);
    for (std::size_t i = 0; i < want.sigma.size(); ++i) CHECK(out.sigma[i] == doctest::Approx(want.sigma[i]).scale(want.sigma[0]).epsilon(1e-12));
    CHECK(out.bound == doctest::Approx(want.bound).epsilon(1e-11));
    CHECK(*out.measured_error == doctest::Approx(*want.measured_error).epsilon(1e-6));
    CHECK(*out.measured_h2 == doctest::Approx(*want.measured_h2).epsilon(1e-6));
    for (const double omega : {-2.0, 0.0, 0.7}) CHECK(distance_of(frequency_response(out.system, omega), frequency_response(want.system, omega)) < 1e-10);
}

// On a grid: |G - Gr| of the whole is that of the stable part, for the unstable one is carried along as it is.
template <class System>
void check_unstable(std::uint64_t seed) {
    random_stream r(seed);
    for (int trial = 0; trial < 6; ++trial) {
        CAPTURE(trial);
        auto g = drawn<System>(r, 9, 2, 2);
        if constexpr (std::same_as<typename System::structure_type, diagonal<number>>) g.a.poles[4] = in_discrete_time<System> ? number(0, -1.25) : number(0.25, -1);
        else {  // two of its eigenvalues cross the boundary
            buffer<double> depths;
            for (const auto& l : eigenvalues(g.a)) depths.push_back(in_discrete_time<System> ? std::abs(l) : -l.real());
            std::sort(depths.begin(), depths.end());
            const double limit = in_discrete_time<System> ? (depths[6] + depths[7]) / 2 : (depths[1] + depths[2]) / 2;
            if constexpr (in_discrete_time<System>)
                for (auto& x : g.a.a.flat()) x /= limit;
            else
                for (index_t i = 0; i < 9; ++i) g.a.a(i, i) += limit;
        }
        const index_t unstable = std::same_as<typename System::structure_type, diagonal<number>> ? 1 : 2;
        const auto out = balance(g, {.rank = 3});
        CHECK(out.unstable == unstable);
        CHECK(out.order() == 3 + unstable);
        CHECK(!out.stable);
        CHECK(out.sigma.size() == static_cast<std::size_t>(9 - unstable));
        CHECK(off_identity(times(adjoint_of(out.w), out.t)) < 1e-12 * out.split_condition);
        const double spectral = in_discrete_time<System> ? spectral_radius(g.a) : spectral_abscissa(g.a);
        CHECK(out.spectral == doctest::Approx(spectral).epsilon(1e-12));
        const auto e = difference(g, out.system);
        double largest = 0;
        for (int k = -60; k <= 60; ++k)
            largest = std::max(largest, detail::largest_singular_value(frequency_response(e, 0.05 * k)));
        CHECK(largest <= out.bound + out.rounding + 1e-11 * out.split_condition);
        CHECK(largest > 1e-9);
    }
}

TEST_CASE("complex systems: unstable poles are split off and kept") {
    SUBCASE("continuous, dense") { check_unstable<continuous<dense<number>>>(81); }
    SUBCASE("continuous, diagonal") { check_unstable<continuous<diagonal<number>>>(82); }
    SUBCASE("discrete, dense") { check_unstable<discrete<dense<number>>>(83); }
    SUBCASE("discrete, diagonal") { check_unstable<discrete<diagonal<number>>>(84); }
}

TEST_CASE("complex systems: poles that lean on others next to the boundary are kept where the equations find them beyond it") {
    random_stream r(85);
    for (int trial = 0; trial < 100; ++trial) {
        CAPTURE(trial);
        const index_t n = 3 + r.below(5);
        auto g = drawn<discrete<dense<number>>>(r, n, 2, 2);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < i; ++j) g.a.a(i, j) = 0;
            for (index_t j = i + 1; j < n; ++j) g.a.a(i, j) *= std::pow(10, -12 * r.uniform());
            g.a.a(i, i) = 1 - std::pow(10, -13 * r.uniform());
        }
        const auto out = balance(g, {.rank = 1});
        CHECK(out.order() <= 1 + out.unstable);
        CHECK(static_cast<index_t>(out.sigma.size()) + out.unstable == n);
    }
}

TEST_CASE("complex systems: the rules choose the orders they choose for sigma alone") {
    random_stream r(76);
    const auto g = drawn<continuous<diagonal<number>>>(r, 12, 2, 2);
    const auto sigma = hankel_singular_values(g);
    CHECK(balance(g, {.tolerance = 1e-2}).order() == rank_by_tolerance(sigma, 1e-2));
    CHECK(balance(g, {.energy = 0.99}).order() == rank_by_energy(sigma, 0.99));
    CHECK(balance(g, {.hinf_budget = sigma[2]}).order() == rank_by_hinf_budget(sigma, sigma[2]));
    CHECK(balance(g, {.gap = gap_rule::largest}).order() == rank_by_gap(sigma));
    CHECK(balance(g, {.rank = 3}).bound == doctest::Approx(tail_bound(sigma, 3)).epsilon(1e-12));
    // In the balanced coordinates both Gramians of the whole are diag(sigma).
    const auto all = balance(g, {.rank = 6});
    matrix<number> want(6, 6);
    for (index_t i = 0; i < 6; ++i) want(i, i) = sigma[static_cast<std::size_t>(i)];
    CHECK(distance_of(times(adjoint_of(all.w), times(controllability(g), all.w)), want) < 1e-11);
    CHECK(distance_of(times(adjoint_of(all.t), times(observability(g), all.t)), want) < 1e-11);
}

// A_r = 0 has no inverse to read C out of: one more state holds the output.
TEST_CASE("complex systems: a residualised discrete system whose A_r is singular hands its output on a step later") {
    const discrete<dense<number>> g{{{{0, {0, 1}}, {0, 0}}}, {{0}, {{2, 1}}}, {{1, {0, 2}}}, {}};
    const auto out = balance(g, {.weak = weak_states::residualize});
    CHECK(out.delayed == 1);
    CHECK(out.order() == 2);
    for (const double omega : {-1.0, 0.0, 2.0}) CHECK(distance_of(frequency_response(out.system, omega), frequency_response(g, omega)) < 1e-13);
}

TEST_CASE("complex systems: no input, float, empty, and what is refused") {
    const discrete<diagonal<std::complex<float>>> g{{{{0, 0.5f}, {0.25f, 0}}}, matrix<std::complex<float>>(2, 1), {{1, 1}}, {{{0, 3}}}};
    const auto out = balance(g);
    CHECK(out.order() == 0);
    CHECK(out.system.d(0, 0) == number(0, 3));
    CHECK(out.sigma == std::vector<double>{0, 0});
    CHECK(balance(continuous<dense<number>>{{matrix<number>(0, 0)}, matrix<number>(0, 1), matrix<number>(1, 0), {}}).order() == 0);
    const matrix<number> a{{{-1, 1}}};
    CHECK(balance(continuous<dense<number>>{{a}, matrix<number>(1, 0), matrix<number>(2, 1), {}}).order() == 0);
    CHECK(balance(continuous<diagonal<number>>{{{{-1, 1}}}, matrix<number>(1, 0), matrix<number>(2, 1), {}}).order() == 0);
    CHECK(balance(continuous<diagonal<number>>{{{{-1, 1}}}, matrix<number>(1, 2), matrix<number>(0, 1), {}}).bound == 0);
    CHECK(balance(continuous<dense<number>>{{{{{1, 1}}}}, {{1}}, {{1}}, {}}).unstable == 1);  // nothing is stable
    const continuous<diagonal<number>> unstable{{{{0.5, 1}, {-1, 0}}}, matrix<number>(2, 1, 1.0), matrix<number>(1, 2, 1.0), {}};
    CHECK_THROWS_WITH_AS(balance(unstable, {.unstable = unstable_poles::refuse}), "hrm::balance: A is unstable: spectral abscissa 0.5, must be below 0",
                         unstable_error);
    auto slow = unstable;
    slow.a.poles[0] = {-0.5, 1};
    CHECK(balance(slow).unstable == 0);
    CHECK(balance(slow, {.margin = 0.75}).unstable == 1);
    CHECK_THROWS_AS(balance(slow, {.tolerance = -1}), numerical_error);
    slow.c(0, 1) = {0, std::numeric_limits<double>::quiet_NaN()};
    CHECK_THROWS_WITH_AS(balance(slow), "hrm::balance: C(0, 1) is not finite", numerical_error);
}
