#include <hrm/reduction/rank.hpp>

#include <doctest/doctest.h>

using namespace hrm;

static const std::vector<double> sigma = {8, 4, 4, 2, 0.5, 0};

TEST_CASE("the bound counts equal values once") {
    CHECK(tail_bound(sigma, 0) == 2 * (8 + 4 + 2 + 0.5));
    CHECK(tail_bound(sigma, 1) == 2 * (4 + 2 + 0.5));
    CHECK(tail_bound(sigma, 2) == 2 * (4 + 2 + 0.5));
    CHECK(tail_bound(sigma, 5) == 0);
    CHECK(tail_bound(sigma, 6) == 0);
    CHECK(tail_bound({}, 0) == 0);
}

TEST_CASE("tolerance") {
    CHECK(rank_by_tolerance(sigma, 1) == 1);
    CHECK(rank_by_tolerance(sigma, 0.5) == 3);
    CHECK(rank_by_tolerance(sigma, 0.51) == 1);
    CHECK(rank_by_tolerance(sigma, 0) == 5);
    CHECK(rank_by_tolerance({}, 0.1) == 0);
    CHECK(rank_by_tolerance(std::vector<double>{0, 0}, 0.1) == 0);
    // Rounding does not split what is equal to the threshold.
    CHECK(rank_by_tolerance(std::vector<double>{1, 0.1, 0.1 * (1 - 1e-15)}, 0.1) == 3);
}

TEST_CASE("energy") {
    const double total = 64 + 16 + 16 + 4 + 0.25;
    CHECK(rank_by_energy(sigma, 64 / total) == 1);
    CHECK(rank_by_energy(sigma, 65 / total) == 2);
    CHECK(rank_by_energy(sigma, 96 / total) == 3);
    CHECK(rank_by_energy(sigma, 1) == 5);
    CHECK(rank_by_energy(sigma, 0) == 0);
    CHECK(rank_by_energy({}, 0.5) == 0);
}

TEST_CASE("budget") {
    CHECK(rank_by_hinf_budget(sigma, 1) == 4);
    CHECK(rank_by_hinf_budget(sigma, 0.99) == 5);
    CHECK(rank_by_hinf_budget(sigma, 0.5, -0.5) == 4);
    CHECK(rank_by_hinf_budget(sigma, 13) == 1);  // not 2: cutting between equal values costs nothing more
    CHECK(rank_by_hinf_budget(sigma, 100) == 0);
    CHECK(rank_by_hinf_budget(sigma, 0) == 5);
    CHECK(rank_by_hinf_budget(sigma, 0, 0) == 0);
}

TEST_CASE("gap") {
    CHECK(rank_by_gap(std::vector<double>{5, 4, 0.1, 0.05}) == 2);
    CHECK(rank_by_gap(std::vector<double>{5, 4, 1e-18, 1e-30}) == 2);
    CHECK(rank_by_gap(std::vector<double>{1}) == 1);
    CHECK(rank_by_gap({}) == 0);
}

TEST_CASE("a shared budget goes to the largest values of all") {
    const std::vector<std::vector<double>> all = {{8, 1, 0.5}, {4, 3, 2, 0}, {}};
    CHECK(share_ranks(all, 4) == std::vector<index_t>{1, 3, 0});
    CHECK(share_ranks(all, 5) == std::vector<index_t>{2, 3, 0});
    CHECK(share_ranks(all, 100) == std::vector<index_t>{3, 3, 0});  // zeros are never worth a state
    CHECK(share_ranks(all, 2, std::vector<double>{0.1, -1, 1}) == std::vector<index_t>{0, 2, 0});
    CHECK_THROWS_AS(share_ranks(all, 2, std::vector<double>{1.0}), shape_error);
}

TEST_CASE("one H-infinity budget for many systems: kept, and no further value would fit") {
    const std::vector<std::vector<double>> sigma{{8, 1, 0.1, 0.01}, {4, 0.5, 0.5, 0.5}, {}, {2, 0.02}};
    for (double budget : {0.0, 0.05, 0.3, 1.5, 4.0, 100.0}) {
        const auto r = share_hinf_budget(sigma, budget);
        double spent = 0;
        for (std::size_t l = 0; l < sigma.size(); ++l) spent += tail_bound(sigma[l], r[l]);
        CHECK(spent <= budget * (1 + 1e-12));
        if (budget == 0.0) CHECK(r == std::vector<index_t>{4, 4, 0, 2});
        if (budget == 0.05) CHECK(r == std::vector<index_t>{3, 4, 0, 2});
        if (budget == 0.3) CHECK(r == std::vector<index_t>{2, 4, 0, 1});
        if (budget == 1.5) CHECK(r == std::vector<index_t>{2, 1, 0, 1});  // three equal values for the price of one
        if (budget == 100.0) CHECK(r == std::vector<index_t>{0, 0, 0, 0});
    }
    const std::vector<double> gains{1, -100, 1, 1};
    CHECK(share_hinf_budget(sigma, 1.5, gains) == std::vector<index_t>{2, 4, 0, 1});
    CHECK_THROWS_AS(share_hinf_budget(sigma, 1, std::vector<double>{1}), shape_error);
}

TEST_CASE("a rule that is no number drops nothing: it is refused, and so is one that is negative") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    const std::vector<std::vector<double>> all = {{8, 1, 0.5}, {4, 3}};
    CHECK_THROWS_WITH_AS(share_hinf_budget(all, nan), "hrm::share_hinf_budget: the budget is nan, expected 0 or more", numerical_error);
    CHECK_THROWS_AS(share_hinf_budget(all, -1), numerical_error);
    CHECK_THROWS_WITH_AS(share_hinf_budget(all, 1, std::vector<double>{1, nan}), doctest::Contains("a gain is nan"), numerical_error);
    CHECK(share_hinf_budget(all, infinity) == std::vector<index_t>{0, 0});
    CHECK_THROWS_WITH_AS(share_ranks(all, -2), doctest::Contains("the number of states is -2"), numerical_error);
    CHECK_THROWS_AS(share_ranks(all, 2, std::vector<double>{nan, 1}), numerical_error);
    CHECK_THROWS_AS(rank_by_tolerance(sigma, nan), numerical_error);
    CHECK_THROWS_AS(rank_by_tolerance(sigma, -0.1), numerical_error);
    CHECK_THROWS_WITH_AS(rank_by_energy(sigma, nan), "hrm::rank_by_energy: the fraction is nan, expected 0 to 1", numerical_error);
    CHECK_THROWS_AS(rank_by_energy(sigma, 1.5), numerical_error);
    CHECK_THROWS_AS(rank_by_hinf_budget(sigma, nan), numerical_error);
    CHECK_THROWS_AS(rank_by_hinf_budget(sigma, 1, nan), numerical_error);
}

TEST_CASE("energy does not depend on the unit of the values") {
    for (const double unit : {1e-300, 1e-170, 1.0, 1e170, 1e300}) {
        const std::vector<double> sigma{3 * unit, 1 * unit, 0.1 * unit};
        CHECK(rank_by_energy(sigma, 0.85) == 1);
        CHECK(rank_by_energy(sigma, 0.95) == 2);
    }
    CHECK(rank_by_energy(std::vector<double>{0, 0}, 0.5) == 0);
}
