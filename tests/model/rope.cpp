#include <hrm/model/rope.hpp>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("rope: pairs (i, i + half) turn by position times theta^(-2i / width)") {
    workspace ws;
    const rope_table<double> table(7, 1, 4, 100, ws);
    matrix<double> x{{1, 1, 0, 0}};
    rotate(x.view(), table);
    CHECK(x(0, 0) == doctest::Approx(std::cos(7.0)));
    CHECK(x(0, 2) == doctest::Approx(std::sin(7.0)));
    CHECK(x(0, 1) == doctest::Approx(std::cos(0.7)));
    CHECK(x(0, 3) == doctest::Approx(std::sin(0.7)));
}

TEST_CASE("rope: backward is the transpose and the inverse; scores depend on distance alone") {
    random_stream random(1);
    workspace ws;
    const rope_table<double> table(3, 6, 8, 10000, ws), later(1003, 6, 8, 10000, ws);
    const auto x = random_matrix(6, 16, random), y = random_matrix(6, 16, random);  // two heads
    auto rx = x, ry = y;
    rotate(rx.view(), table);
    rotate(ry.view(), table, turn::backward);
    CHECK(inner(rx.flat(), y.flat()) == doctest::Approx(inner(x.flat(), ry.flat())).epsilon(1e-12));
    auto back = rx;
    rotate(back.view(), table, turn::backward);
    CHECK(relative_error(back.flat(), x.flat()) < 1e-14);

    auto lx = x;
    rotate(lx.view(), later);
    // The angles near 1000 carry an error of 1000 eps = 2e-13.
    const auto score = [](const matrix<double>& m) { return inner(m.flat().subspan(16, 8), m.flat().subspan(64, 8)); };
    CHECK(score(lx) == doctest::Approx(score(rx)).epsilon(1e-11));
}

TEST_CASE("rope: gradient agrees with central differences") {
    random_stream random(2);
    workspace ws;
    const rope_table<double> table(0, 5, 4, 100, ws);
    auto x = random_matrix(5, 8, random);
    const auto dy = random_matrix(5, 8, random);
    const auto loss = [&] {
        auto y = x;
        rotate(y.view(), table);
        return inner(y.flat(), dy.flat());
    };
    auto dx = dy;
    rotate(dx.view(), table, turn::backward);
    CHECK(relative_error(dx.flat(), central_differences(x.flat(), loss)) < 1e-6);
}

TEST_CASE("rope: far positions keep their angles in float") {
    workspace ws;
    const rope_table<float> table(100000, 1, 4, 10000, ws);
    CHECK(table.cosine(0, 0) == doctest::Approx(std::cos(100000.0)).epsilon(1e-6));
}

TEST_CASE("rope: columns that are no heads of the table's width are refused") {
    workspace ws;
    const rope_table<double> table(0, 1, 8, 100, ws), flat(0, 1, 1, 100, ws);
    matrix<double> x(1, 12);
    CHECK_THROWS_WITH_AS(rotate(x.view(), table), "hrm::rotate: 12 columns, expected heads of width 8", shape_error);
    CHECK_THROWS_AS(rotate(x.view(), flat), shape_error);  // an odd width has no pairs to turn
}
