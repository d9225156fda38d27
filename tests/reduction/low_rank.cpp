#include <hrm/reduction/low_rank.hpp>

#include <ctime>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include <hrm/linalg/lyapunov.hpp>
#include <hrm/systems/response.hpp>

#include "grid_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("low-rank Gramians are the dense ones, and the residual is the equation's") {
    for (const auto& s : {grid_system("heat", 12), grid_system("convection", 12), oscillators(40)}) {
        const auto g = explicit_form(s);
        const auto p = low_rank_controllability(s), q = low_rank_observability(s);
        CHECK(p.residual <= 1e-12);
        CHECK(q.residual <= 1e-12);
        auto bb = outer(g.b), ctc = outer(detail::transpose(g.c));
        auto difference = outer(p.l), dual_difference = outer(q.l);
        const auto want = lyapunov(g.a.a, bb), dual_want = lyapunov(detail::transpose(g.a.a), ctc);
        detail::add(difference, want, -1);
        detail::add(dual_difference, dual_want, -1);
        CHECK(norm(difference) <= 1e-10 * norm(want));
        CHECK(norm(dual_difference) <= 1e-10 * norm(dual_want));
        // Stopped early, the residual is still the equation's.
        const auto rough = low_rank_controllability(s, {.tolerance = 1e-5});
        CHECK(rough.residual > 1e-12);
        auto x = outer(rough.l), ax = detail::product(g.a.a, x), r = ax;
        detail::add(r, detail::transpose(ax));
        detail::add(r, bb);
        CHECK(norm(r) / norm(bb) == doctest::Approx(rough.residual).epsilon(1e-4));
    }
}

TEST_CASE("complex shifts come in pairs, the factor is real and converges") {
    const auto r = low_rank_controllability(oscillators(40));
    index_t pairs = 0;
    for (const auto& s : r.shifts) {
        CHECK(s.real() < 0);
        CHECK(s.imag() >= 0);
        pairs += s.imag() > 0;
    }
    CHECK(pairs > 0);
    CHECK(r.l.cols() == 2 * (static_cast<index_t>(r.shifts.size()) + pairs));
    CHECK(r.residual <= 1e-12);
}

TEST_CASE("Hankel singular values agree with pyMOR's low-rank ADI, up to n = 40,000") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/low_rank.txt");
    int count = 0;
    std::string name;
    for (index_t k, many; file >> name >> k >> many; ++count) {
        CAPTURE(name);
        CAPTURE(k);
        const auto s = grid_system(name, k);
        const auto start = std::clock();
        const auto r = balance(s, {.tolerance = 1e-6});
        MESSAGE(name << ", n = " << k * k << ": " << static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC << " s, "
                     << r.shifts.size() << " shifts, " << r.columns << " columns, order " << r.order() << ", residuals "
                     << r.controllability_residual << " " << r.observability_residual);
        CHECK(r.controllability_residual <= 1e-12);
        CHECK(r.observability_residual <= 1e-12);
        CHECK(!r.certified);
        CHECK(r.stable);
        double first = 0;
        for (index_t i = 0; i < many; ++i) {
            double want;
            file >> want;
            if (i == 0) first = want;
            // Residuals of 1e-12 on both sides leave errors of sqrt(1e-12) sqrt(sigma_1 sigma) at the very worst; two independent
            // runs agree far better.
            CHECK(std::abs(r.sigma[static_cast<std::size_t>(i)] - want) <= 1e-9 * first);
        }
        // The promise, at points: 1e-9 of the largest value is what the residuals may hide.
        const std::vector<double> omega{0, 1, 10, 20, 100, 1000};
        if (k > 50) continue;
        const auto g = frequency_response(s, omega), h = frequency_response(r.system, omega);
        for (std::size_t i = 0; i < omega.size(); ++i) {
            double error = 0;
            for (index_t row = 0; row < 2; ++row) error += std::norm(g[i](row, 0) - h[i](row, 0));
            CHECK(std::sqrt(error) <= r.bound + 1e-9 * first);
        }
    }
    CHECK(count == 6);
}

TEST_CASE("a sparse system and its dense form reduce to the same map, E or not, truncated or residualised") {
    for (const auto* name : {"heat", "mass"})
        for (const auto weak : {weak_states::truncate, weak_states::residualize}) {
            const auto s = grid_system(name, 10);
            const balance_options o{.rank = 4, .weak = weak};
            // A residual of 1e-22 leaves 1e-11 of the factors, and that of the projections.
            const auto r = balance(s, o, {.tolerance = 1e-22});
            const auto d = balance(explicit_form(s), o);
            for (const double w : {0.0, 5.0, 50.0}) {
                const auto x = frequency_response(r.system, w), y = frequency_response(d.system, w);
                for (index_t i = 0; i < 2; ++i) CHECK(std::abs(x(i, 0) - y(i, 0)) <= 1e-8 * d.sigma[0]);
            }
            // s ~ t s_r, s_r = w^T s.
            CHECK(r.t.rows() == 100);
            auto identity = detail::product(detail::transpose(r.w), r.t);
            for (index_t i = 0; i < 4; ++i) identity(i, i) -= 1;
            CHECK(norm(identity) < 1e-12);
        }
}

TEST_CASE("E or not: within the bound of the sparse original at points, exact at 0 where residualised") {
    for (const auto* name : {"heat", "mass", "convection"})
        for (const auto weak : {weak_states::truncate, weak_states::residualize}) {
            const auto s = grid_system(name, 10);
            const auto r = balance(s, {.rank = 4, .weak = weak}, {.tolerance = 1e-22});  // leaves 1e-11 of the factors
            for (const double w : {0.0, 5.0, 50.0, 500.0}) {
                const auto x = frequency_response(r.system, w), y = frequency_response(s, std::vector{w})[0];
                double error = 0;
                for (index_t i = 0; i < 2; ++i) error += std::norm(x(i, 0) - y(i, 0));
                CHECK(std::sqrt(error) <= r.bound);
                // n = 100 roundings of a solve whose condition is some hundreds.
                if (w == 0 && weak == weak_states::residualize) CHECK(std::sqrt(error) <= 1e-11 * r.sigma[0]);
            }
        }
}

TEST_CASE("sparse systems without inputs, outputs or states, and what is refused") {
    auto s = grid_system("heat", 6);
    auto still = s;
    for (auto& x : still.b.flat()) x = 0;
    CHECK(balance(still).order() == 0);
    still.b = matrix<double>(36, 0);
    CHECK(balance(still).order() == 0);
    CHECK(balance(continuous<sparse<double>>{}).order() == 0);
    CHECK_THROWS_AS(balance(s, {.error = error_report::measured}), error);
    CHECK_THROWS_AS(low_rank_controllability(s, {.tolerance = 0}), numerical_error);
    s.b(3, 0) = std::nan("");
    CHECK_THROWS_AS(low_rank_controllability(s), numerical_error);
    auto unstable = grid_system("heat", 6);
    for (index_t i = 0; i < 36; ++i) unstable.a.a.coeffRef(i, i) += 300;
    CHECK_THROWS_AS(low_rank_controllability(unstable), numerical_error);
}
