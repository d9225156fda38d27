#include <hrm/core/error.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a shape that fits is silent, one that does not is named with both extents") {
    CHECK_NOTHROW(require_shape("hrm::f", "B", 2, 4, 2, 4));
    CHECK_THROWS_WITH_AS(require_shape("hrm::f", "B", 2, 4, 4, 4), "hrm::f: B is 2x4, expected 4x4", shape_error);
    CHECK_THROWS_WITH_AS(require_shape("hrm::f", "B", 4, 2, 4, 4), "hrm::f: B is 4x2, expected 4x4", shape_error);
    CHECK_NOTHROW(require_size("hrm::f", "length", 3, 3));
    CHECK_THROWS_WITH_AS(require_size("hrm::f", "length", 3, 5), "hrm::f: length is 3, expected 5", shape_error);
}

TEST_CASE("every kind of error is an hrm::error and a std::exception") {
    CHECK_THROWS_AS(throw shape_error("x"), error);
    CHECK_THROWS_AS(throw numerical_error("x"), error);
    CHECK_THROWS_AS(throw io_error("x"), error);
    CHECK_THROWS_AS(throw error("x"), std::exception);
}
