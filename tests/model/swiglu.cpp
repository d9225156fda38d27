#include <hrm/model/swiglu.hpp>

#include <cmath>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("swiglu: values, also far out") {
    const matrix<float> gate{{0, 1, -1, 200, -200}}, up{{3, 3, 3, 1, 1}};
    matrix<float> y(1, 5);
    swiglu_forward(gate, up, y.view());
    CHECK(y(0, 0) == 0.0f);
    CHECK(y(0, 1) == doctest::Approx(3 / (1 + std::exp(-1.0))));
    CHECK(y(0, 2) == doctest::Approx(-3 / (1 + std::exp(1.0))));
    CHECK(y(0, 3) == 200.0f);
    CHECK(y(0, 4) == 0.0f);
}

TEST_CASE("swiglu: gradients agree with central differences, in place too") {
    random_stream random(1);
    auto gate = random_matrix(4, 19, random, 2), up = random_matrix(4, 19, random);
    const auto dy = random_matrix(4, 19, random);
    matrix<double> y(4, 19), dgate(4, 19), dup = dy;
    const auto loss = [&] {
        swiglu_forward(gate, up, y.view());
        return inner(y.flat(), dy.flat());
    };
    swiglu_backward(gate, up, dup, dgate.view(), dup.view());
    CHECK(relative_error(dgate.flat(), central_differences(gate.flat(), loss)) < 1e-6);
    CHECK(relative_error(dup.flat(), central_differences(up.flat(), loss)) < 1e-6);
}
