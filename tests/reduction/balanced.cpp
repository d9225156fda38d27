#include <hrm/reduction/balanced.hpp>

#include <type_traits>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("rules for the order: the largest answer, never above the limit or the cap") {
    const std::vector<double> sigma{1, 0.5, 0.4, 1e-3, 1e-4};
    CHECK(detail::choose_rank(sigma, 5, {}) == 5);
    CHECK(detail::choose_rank(sigma, 4, {}) == 4);
    CHECK(detail::choose_rank(sigma, 5, {.gap = gap_rule::largest}) == 3);
    CHECK(detail::choose_rank(sigma, 5, {.tolerance = 0.45, .gap = gap_rule::largest}) == 3);
    CHECK(detail::choose_rank(sigma, 5, {.rank = 1, .gap = gap_rule::largest}) == 1);
    CHECK(detail::choose_rank(sigma, 5, {.tolerance = 1e-9, .gap = gap_rule::largest}) == 5);
    CHECK(detail::choose_rank({}, 0, {.rank = 3, .energy = 0.5}) == 0);
}

TEST_CASE("a rule that is no number, negative or more than all of the energy is refused, not passed over") {
    const std::vector<double> sigma{2, 1};
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(detail::choose_rank(sigma, 2, {.tolerance = -3}),
                         "hrm::balance_options: tolerance is -3.000000, expected 0 (not asked for) or more", numerical_error);
    CHECK_THROWS_WITH_AS(detail::choose_rank(sigma, 2, {.energy = 2}), "hrm::balance_options: energy is 2.000000, expected 0 (not asked for) to 1", numerical_error);
    for (const auto& o : {balance_options{.tolerance = nan}, {.energy = nan}, {.energy = -0.5}, {.hinf_budget = nan}, {.hinf_budget = -1}})
        CHECK_THROWS_AS(detail::choose_rank(sigma, 2, o), numerical_error);
    CHECK(detail::choose_rank(sigma, 2, {.tolerance = 2}) == 0);
}

TEST_CASE("time goes along") {
    CHECK(std::is_same_v<detail::reduced_system<discrete<diagonal<float>>>, discrete<dense<double>>>);
    CHECK(std::is_same_v<detail::reduced_system<continuous<complex_pairs<double>>>, continuous<dense<double>>>);
    CHECK(balanced{}.order() == 0);
}
