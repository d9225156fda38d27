#include <hrm/reduction/low_rank.hpp>

#include <ctime>
#include <fstream>
#include <string>

#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "grid_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

matrix<number> outer(const matrix<number>& x) { return times(x, adjoint_of(x)); }
matrix<number> sparse_times(const sparse_matrix<number>& m, const matrix<number>& x) { return from_eigen(column_block<number>(m * detail::to_columns<number>(x))); }
double length(const matrix<number>& x) { return std::sqrt(detail::square_of(x.data(), x.size())); }

// f(system) of every system, n of about `size`.
template <class F>
void each_system(index_t k, index_t modes, F f) {
    for (const auto* name : {"ray", "wind", "mass", "modes"}) {
        CAPTURE(name);
        f(complex_system_of<continuous>(name, name == std::string("modes") ? modes : k));
    }
    for (const auto* name : {"ray", "mass", "modes"}) {
        CAPTURE(name);
        f(complex_system_of<discrete>(name, name == std::string("modes") ? modes : k));
    }
}
// The left side of the equation that l is to solve.
template <class System>
matrix<number> residual(const System& s, const matrix<number>& l) {
    auto e = s.a.e;
    if (!s.a.has_e()) e.resize(s.order(), s.order()), e.setIdentity();
    const auto al = sparse_times(s.a.a, l), el = sparse_times(e, l);
    auto r = outer(s.b);
    if constexpr (in_discrete_time<System>) {
        detail::add(r, outer(al));
        detail::add(r, outer(el), -1);
    } else {
        detail::add(r, times(al, adjoint_of(el)));
        detail::add(r, times(el, adjoint_of(al)));
    }
    return r;
}
template <class System>
System dual_of(const System& s) {
    return {{s.a.a.adjoint(), s.a.e.adjoint()}, adjoint_of(s.c), adjoint_of(s.b), {}};
}
template <template <class> class System>
System<sparse<number>> in_complex(const System<sparse<double>>& s) {
    return {{s.a.a.template cast<number>(), s.a.e.template cast<number>()}, complex_of(s.b), complex_of(s.c), complex_of(s.d)};
}

}  // namespace

TEST_CASE("complex low-rank Gramians are the dense ones, and the residual is the equation's") {
    each_system(10, 40, [](const auto& s) {
        constexpr bool discrete_time = in_discrete_time<std::decay_t<decltype(s)>>;
        const auto g = explicit_form(s);
        const auto p = low_rank_controllability(s), q = low_rank_observability(s);
        CHECK(p.residual <= 1e-12);
        CHECK(q.residual <= 1e-12);
        const auto want = controllability(g), dual_want = observability(g);
        const auto seen = s.a.has_e() ? sparse_times(s.a.e.adjoint(), q.l) : q.l;
        CHECK(distance_of(outer(p.l), want) <= 1e-10);
        CHECK(distance_of(outer(seen), dual_want) <= 1e-10);
        for (const auto& shift : p.shifts) CHECK((discrete_time ? std::abs(shift) < 1 : shift.real() < 0));
        CHECK(p.l.cols() == s.inputs() * static_cast<index_t>(p.shifts.size()));
        // Stopped early, the residual is still the equation's, on both sides.
        const auto rough = low_rank_controllability(s, {.tolerance = 1e-4}), dual_rough = low_rank_observability(s, {.tolerance = 1e-4});
        CHECK(rough.residual > 1e-12);
        CHECK(length(residual(s, rough.l)) / length(outer(s.b)) == doctest::Approx(rough.residual).epsilon(1e-6));
        const auto other = dual_of(s);
        CHECK(length(residual(other, dual_rough.l)) / length(outer(other.b)) == doctest::Approx(dual_rough.residual).epsilon(1e-6));
    });
}

TEST_CASE("complex Hankel singular values are SciPy's, and the reduction keeps its bound at points") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/complex_low_rank.txt");
    int count = 0;
    bool discrete_time = false;
    std::string name;
    for (index_t k, many; file >> discrete_time >> name >> k >> many; ++count) {
        CAPTURE(name);
        CAPTURE(discrete_time);
        std::vector<double> want(static_cast<std::size_t>(many));
        for (double& x : want) file >> x;
        const auto check = [&](const auto& s) {
            const auto start = std::clock();
            const auto r = balance(s, {.rank = 6});
            MESSAGE(name << ", n = " << s.order() << ": " << static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC << " s, " << r.shifts.size() << " shifts, "
                         << r.columns << " columns, residuals " << r.controllability_residual << " " << r.observability_residual);
            CHECK(r.controllability_residual <= 1e-12);
            CHECK(r.observability_residual <= 1e-12);
            CHECK(!r.certified);
            CHECK(r.stable);
            CHECK(r.order() == 6);
            for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(r.sigma[i] - want[i]) <= 1e-9 * want[0]);  // as in low_rank.cpp
            // The gain of a complex system is not even.
            const std::vector<double> omega{-20, -3, -0.3, 0, 0.01, 1.5, 10};
            const auto g = frequency_response(s, omega), h = frequency_response(r.system, omega);
            double size = 0;
            for (std::size_t i = 0; i < omega.size(); ++i) {
                double error = 0;
                for (std::size_t j = 0; j < g[i].flat().size(); ++j) {
                    error += std::norm(g[i].flat()[j] - h[i].flat()[j]);
                    size = std::max(size, std::abs(g[i].flat()[j]));
                }
                CHECK(std::sqrt(error) <= r.bound + 1e-9 * want[0]);
            }
            CHECK(size > 0.01 * want[0]);
        };
        if (discrete_time) check(complex_system_of<discrete>(name, k));
        else check(complex_system_of<continuous>(name, k));
    }
    CHECK(count == 7);
}

TEST_CASE("a sparse complex system and its dense form reduce to the same map, truncated or residualised, in each basis") {
    each_system(9, 30, [](auto s) {
        s.d = matrix<number>(s.outputs(), s.inputs(), {0.25, -0.5});
        for (const auto weak : {weak_states::truncate, weak_states::residualize})
            for (const auto basis : {projection::square_root, projection::balancing_free, projection::biorthogonal}) {
                const balance_options o{.rank = 4, .basis = basis, .weak = weak};
                // A residual of 1e-22 leaves 1e-11 of the factors, and that of the projections.
                const auto r = balance(s, o, {.tolerance = 1e-22});
                const auto d = balance(explicit_form(s), o);
                CHECK(r.delayed == d.delayed);
                CHECK(r.bound == doctest::Approx(d.bound).epsilon(1e-8));
                for (const double w : {-3.0, -0.7, 0.0, 0.02, 5.0}) {
                    const auto x = frequency_response(r.system, w), y = frequency_response(d.system, w), z = frequency_response(s, std::vector{w})[0];
                    double error = 0;
                    for (std::size_t i = 0; i < x.flat().size(); ++i) {
                        CHECK(std::abs(x.flat()[i] - y.flat()[i]) <= 1e-8 * d.sigma[0]);
                        error += std::norm(x.flat()[i] - z.flat()[i]);
                    }
                    CHECK(std::sqrt(error) <= r.bound + 1e-12 * r.sigma[0]);
                    // n = 81 roundings of a solve whose condition is some hundreds.
                    if (w == 0 && weak == weak_states::residualize) CHECK(std::sqrt(error) <= 1e-11 * r.sigma[0]);
                }
                auto identity = times(adjoint_of(r.w), r.t);  // s ~ t s_r, s_r = w^H s
                for (index_t i = 0; i < 4; ++i) identity(i, i) -= 1;
                CHECK(length(identity) < 1e-12);
            }
    });
}

TEST_CASE("a real sparse system given as a complex one has its sigma and its reduction; float is widened") {
    const auto check = [](const auto& s) {
        const auto z = in_complex(s);
        const auto want = balance(s, {.rank = 5}), narrow = balance(cast<float>(s), {.rank = 5});
        const auto got = balance(z, {.rank = 5}), thin = balance(cast<float>(z), {.rank = 5});
        for (std::size_t i = 0; i < 10; ++i) {
            CHECK(std::abs(got.sigma[i] - want.sigma[i]) <= 1e-9 * want.sigma[0]);  // as in low_rank.cpp
            CHECK(std::abs(thin.sigma[i] - narrow.sigma[i]) <= 1e-9 * want.sigma[0]);
        }
        for (const double w : {-2.0, 0.0, 0.3}) CHECK(distance_of(frequency_response(got.system, w), frequency_response(want.system, w)) <= 1e-7);
    };
    check(grid_system("mass", 10));
    check(oscillators(20));
    check(discrete_system("mass", 10));
    check(discrete_system("rings", 20));
}

TEST_CASE("sparse complex systems without inputs, outputs or states, and what is refused, as of real ones") {
    const auto check = [](auto s, double shift) {
        using System = decltype(s);
        auto still = s;
        for (auto& x : still.b.flat()) x = 0;
        CHECK(balance(still).order() == 0);
        still.b = matrix<number>(36, 0);
        CHECK(balance(still).order() == 0);
        CHECK(balance(System{}).order() == 0);
        CHECK_THROWS_WITH_AS(balance(s, {.error = error_report::measured}),
                             "hrm::balance: the error of a sparse system of order 36 is not measured; compare frequency responses", error);
        CHECK_THROWS_WITH_AS(low_rank_controllability(s, {.tolerance = 0}), "hrm::low_rank: tolerance is 0, must be in (0, 1)", numerical_error);
        auto other = s;
        other.b(3, 0) = {0, std::nan("")};
        CHECK_THROWS_WITH_AS(low_rank_controllability(other), "hrm::low_rank: B(3, 0) is not finite", numerical_error);
        other = s;
        other.c(1, 5) = {std::numeric_limits<double>::infinity(), 0};
        CHECK_THROWS_WITH_AS(balance(other), "hrm::low_rank: C(1, 5) is not finite", numerical_error);
        other = s;
        other.b = matrix<number>(35, 1);
        CHECK_THROWS_AS(balance(other), shape_error);
        auto unstable = s;
        for (index_t i = 0; i < 36; ++i) unstable.a.a.coeffRef(i, i) += shift;
        CHECK_THROWS_WITH_AS(low_rank_controllability(unstable), doctest::Contains("A is unstable, or its Gramian has no low rank"), numerical_error);
    };
    check(complex_system_of<continuous>("ray", 6), 300);
    check(complex_system_of<discrete>("ray", 6), 0.3);
}
