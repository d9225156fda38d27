#include <hrm/systems/continuous.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a continuous system knows its sizes, and D may be absent") {
    continuous<diagonal<double>> s{{{-0.1, -0.2, -0.3}}, matrix<double>(3, 2), matrix<double>(4, 3), {}};
    CHECK(s.order() == 3);
    CHECK(s.inputs() == 2);
    CHECK(s.outputs() == 4);
    CHECK_NOTHROW(s.check());
    s.d = matrix<double>(4, 2);
    CHECK_NOTHROW(s.check());
}

TEST_CASE("each matrix of a continuous system that does not fit is named") {
    const continuous<dense<float>> good{{matrix<float>(2, 2)}, matrix<float>(2, 3), matrix<float>(1, 2), {}};
    CHECK_NOTHROW(good.check());
    auto s = good;
    s.a.a = matrix<float>(2, 3);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::dense: A is 2x3, expected 2x2", shape_error);
    s = good;
    s.b = matrix<float>(3, 3);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: B is 3x3, expected 2x3", shape_error);
    s = good;
    s.c = matrix<float>(1, 4);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: C is 1x4, expected 1x2", shape_error);
    s = good;
    s.d = matrix<float>(3, 1);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: D is 3x1, expected 1x3", shape_error);
    s = good;
    s.b = matrix<float>(1, 2);  // a vector saved the other way
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: B is 1x2, expected 2x1; transpose it?", shape_error);
    s = good;
    s.c = matrix<float>(2, 1);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: C is 2x1, expected 1x2; transpose it?", shape_error);
    s.c = matrix<float>(2, 3);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::continuous: C is 2x3, expected 3x2; transpose it?", shape_error);
}
