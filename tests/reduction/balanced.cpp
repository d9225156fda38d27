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

TEST_CASE("time goes along") {
    CHECK(std::is_same_v<detail::reduced_system<discrete<diagonal<float>>>, discrete<dense<double>>>);
    CHECK(std::is_same_v<detail::reduced_system<continuous<complex_pairs<double>>>, continuous<dense<double>>>);
    CHECK(balanced{}.order() == 0);
}
