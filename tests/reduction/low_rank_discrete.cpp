#include <hrm/reduction/low_rank.hpp>

#include <ctime>
#include <fstream>
#include <string>
#include <tuple>

#include <doctest/doctest.h>

#include <hrm/linalg/stein.hpp>
#include <hrm/systems/response.hpp>

#include "grid_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("low-rank Stein: the dense Gramians, and the residual is the equation's") {
    for (const auto* name : {"walk", "wind", "mass", "rings"}) {
        CAPTURE(name);
        const auto s = discrete_system(name, name == std::string("rings") ? 40 : 12);
        const auto g = explicit_form(s);
        const auto p = low_rank_controllability(s), q = low_rank_observability(s);
        CHECK(p.residual <= 1e-12);
        CHECK(q.residual <= 1e-12);
        const auto want = stein(g.a.a, outer(g.b)), dual_want = stein(detail::transpose(g.a.a), outer(detail::transpose(g.c)));
        auto difference = outer(p.l), dual_difference = outer(q.l);
        if (s.a.has_e()) dual_difference = outer(from_eigen(column_block<double>(s.a.e.transpose() * detail::to_columns<double>(q.l))));
        detail::add(difference, want, -1);
        detail::add(dual_difference, dual_want, -1);
        CHECK(norm(difference) <= 1e-10 * norm(want));
        CHECK(norm(dual_difference) <= 1e-10 * norm(dual_want));
        // Stopped early, the residual is still that of A X A^T - E X E^T + B B^T.
        const auto rough = low_rank_controllability(s, {.tolerance = 1e-4});
        CHECK(rough.residual > 1e-12);
        const auto times = [&](const sparse_matrix<double>& m) { return from_eigen(column_block<double>(m * detail::to_columns<double>(rough.l))); };
        auto r = outer(times(s.a.a)), b = outer(s.b);
        detail::add(r, s.a.has_e() ? outer(times(s.a.e)) : outer(rough.l), -1);
        detail::add(r, b);
        CHECK(norm(r) / norm(b) == doctest::Approx(rough.residual).epsilon(1e-6));
        for (const auto& shift : p.shifts) {
            CHECK(std::abs(shift) < 1);
            CHECK(shift.imag() >= 0);
        }
        if (name == std::string("rings")) CHECK(std::count_if(p.shifts.begin(), p.shifts.end(), [](auto x) { return x.imag() > 0; }) > 5);
    }
}

TEST_CASE("Hankel singular values are SciPy's, and the reduction keeps its bound at points") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/low_rank_discrete.txt");
    int count = 0;
    std::string name;
    for (index_t k, many; file >> name >> k >> many; ++count) {
        CAPTURE(name);
        const auto s = discrete_system(name, k);
        const auto r = balance(s, {.rank = 6});
        CHECK(r.controllability_residual <= 1e-12);
        CHECK(r.observability_residual <= 1e-12);
        CHECK(!r.certified);
        CHECK(r.stable);
        CHECK(r.order() == 6);
        double first = 0;
        for (index_t i = 0; i < many; ++i) {
            double want;
            file >> want;
            if (i == 0) first = want;
            CHECK(std::abs(r.sigma[static_cast<std::size_t>(i)] - want) <= 1e-9 * first);  // as in low_rank.cpp
        }
        const std::vector<double> omega{0, 0.01, 0.3, 1.5, 3.1};
        const auto g = frequency_response(s, omega), h = frequency_response(r.system, omega);
        double size = 0;
        for (std::size_t i = 0; i < omega.size(); ++i) {
            double error = 0;
            for (std::size_t j = 0; j < g[i].flat().size(); ++j) {
                error += std::norm(g[i].flat()[j] - h[i].flat()[j]);
                size = std::max(size, std::abs(g[i].flat()[j]));
            }
            CHECK(std::sqrt(error) <= r.bound + 1e-9 * first);
        }
        CHECK(size > 0.01 * first);
    }
    CHECK(count == 4);
}

TEST_CASE("a Cayley transform keeps the Hankel singular values that pyMOR found in continuous time") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/low_rank.txt");
    int count = 0;
    std::string name;
    for (index_t k, many; file >> name >> k >> many;) {
        std::vector<double> want(static_cast<std::size_t>(many));
        for (double& x : want) file >> x;
        if (k > 50) continue;  // n = 40,000 takes seconds: measured by hand
        ++count;
        CAPTURE(name);
        const auto s = cayley(grid_system(name, k), 1e-3);
        const auto start = std::clock();
        const auto r = balance(s, {.tolerance = 1e-6});
        MESSAGE(name << ", n = " << k * k << ": " << static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC << " s, "
                     << r.shifts.size() << " shifts, " << r.columns << " columns, order " << r.order());
        for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(r.sigma[i] - want[i]) <= 1e-9 * want[0]);
    }
    CHECK(count == 5);
}

TEST_CASE("a sparse discrete system and its dense form reduce to the same map, E or not, truncated or residualised") {
    for (const auto* name : {"walk", "mass", "wind"})
        for (const auto weak : {weak_states::truncate, weak_states::residualize}) {
            CAPTURE(name);
            auto s = discrete_system(name, 10);
            s.d = matrix<double>(2, 1, 0.25);
            const balance_options o{.rank = 4, .weak = weak};
            // A residual of 1e-22 leaves 1e-11 of the factors, and that of the projections.
            const auto r = balance(s, o, {.tolerance = 1e-22});
            const auto d = balance(explicit_form(s), o);
            CHECK(r.delayed == d.delayed);
            for (const double w : {0.0, 0.02, 0.7, 3.0}) {
                const auto x = frequency_response(r.system, w), y = frequency_response(d.system, w), z = frequency_response(s, std::vector{w})[0];
                double error = 0;
                for (index_t i = 0; i < 2; ++i) {
                    CHECK(std::abs(x(i, 0) - y(i, 0)) <= 1e-8 * d.sigma[0]);
                    error += std::norm(x(i, 0) - z(i, 0));
                }
                CHECK(std::sqrt(error) <= r.bound + 1e-12 * r.sigma[0]);
                // n = 100 roundings of a solve whose condition is some hundreds.
                if (w == 0 && weak == weak_states::residualize) CHECK(std::sqrt(error) <= 1e-11 * r.sigma[0]);
            }
        }
}

TEST_CASE("shifts: a pair next to the real axis is a real shift, also where it comes from outside the circle") {
    // Nothing lies inside: 1.5 +- 1e-9 i and 1.25 +- 0.5 i are mirrored, to 2/3 +- 4e-10 i, by whose imaginary part a step
    // would divide, and (1.25 +- 0.5 i)/1.8125.
    sparse<double> a{sparse_matrix<double>(4, 4)};
    for (const auto& [at, re, im] : {std::tuple{0, 1.5, 1e-9}, {2, 1.25, 0.5}}) {
        a.a.coeffRef(at, at) = a.a.coeffRef(at + 1, at + 1) = re;
        a.a.coeffRef(at, at + 1) = im;
        a.a.coeffRef(at + 1, at) = -im;
    }
    a.a.makeCompressed();
    const auto shifts = detail::projected_shifts<unit_disk>(a, column_block<double>(column_block<double>::Identity(4, 4)), {});
    REQUIRE(shifts.size() >= 2);
    int pairs = 0;
    for (const auto& s : shifts) {
        CHECK(std::abs(s) < 1);
        pairs += s.imag() != 0;
        if (s.imag() != 0) CHECK(std::abs(s - std::complex<double>(1.25, 0.5) / 1.8125) <= 1e-14);  // 4 eps
        else CHECK(std::abs(s - 2.0 / 3) <= 1e-14);
    }
    CHECK(pairs == 1);
    // Inside: as they are.
    a.a *= 0.5;
    for (const auto& s : detail::projected_shifts<unit_disk>(a, column_block<double>(column_block<double>::Identity(4, 4)), {}))
        CHECK(std::abs(s - (s.imag() == 0 ? std::complex<double>(0.75) : std::complex<double>(0.625, 0.25))) <= 1e-14);
}

TEST_CASE("sparse discrete systems without inputs, outputs or states, and what is refused") {
    auto s = discrete_system("walk", 6);
    auto still = s;
    for (auto& x : still.b.flat()) x = 0;
    CHECK(balance(still).order() == 0);
    still.b = matrix<double>(36, 0);
    CHECK(balance(still).order() == 0);
    CHECK(balance(discrete<sparse<double>>{}).order() == 0);
    CHECK_THROWS_AS(balance(s, {.error = error_report::measured}), error);
    s.b(3, 0) = std::nan("");
    CHECK_THROWS_AS(low_rank_controllability(s), numerical_error);
    auto unstable = discrete_system("walk", 6);
    for (index_t i = 0; i < 36; ++i) unstable.a.a.coeffRef(i, i) += 0.3;
    CHECK_THROWS_AS(low_rank_controllability(unstable), numerical_error);
    // Nilpotent: a chain of delays is exact after as many steps of shift zero.
    discrete<sparse<double>> chain{{sparse_matrix<double>(5, 5)}, matrix<double>(5, 1), matrix<double>(1, 5), {}};
    for (index_t i = 1; i < 5; ++i) chain.a.a.coeffRef(i, i - 1) = 1;
    chain.b(0, 0) = chain.c(0, 4) = 1;
    const auto x = low_rank_controllability(chain);
    CHECK(x.residual <= 1e-12);
    auto one = outer(x.l);
    for (index_t i = 0; i < 5; ++i) one(i, i) -= 1;
    CHECK(norm(one) <= 1e-10);
}
