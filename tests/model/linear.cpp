#include <hrm/model/linear.hpp>

#include <utility>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("linear: the adjoint identities <x W^T, dy> = <x, dy W> = <W, dy^T x>") {
    random_stream random(1);
    for (const index_t rows : {1, 2, 3, 4, 50}) {  // both sides of what few rows take
        const auto x = random_matrix(rows, 19, random), w = random_matrix(13, 19, random), dy = random_matrix(rows, 13, random);
        matrix<double> y(rows, 13), dx(rows, 19), dw(13, 19);
        linear_forward(x, w.view(), y.view());
        linear_backward<double>(dy, w.view(), dx);
        linear_weight_backward<double>(dy, x, dw);
        const double forward = inner(y.flat(), dy.flat());
        CHECK(inner(x.flat(), dx.flat()) == doctest::Approx(forward).epsilon(1e-12));
        CHECK(inner(w.flat(), dw.flat()) == doctest::Approx(forward).epsilon(1e-12));
        linear_weight_backward<double>(dy, x, dw);  // gradients of parameters add up
        CHECK(inner(w.flat(), dw.flat()) == doctest::Approx(2 * forward).epsilon(1e-12));
    }
}

TEST_CASE("linear: few rows and many, float and bf16 weights, compute the same") {
    random_stream random(2);
    matrix<float> x(9, 40), w(21, 40), many(9, 21), few(9, 21);
    matrix<bf16> rounded(21, 40);
    random.fill_normal(x.flat());
    random.fill_normal(w.flat());
    for (index_t i = 0; i < w.rows(); ++i)
        for (index_t j = 0; j < w.cols(); ++j) w(i, j) = rounded(i, j) = bf16(w(i, j));
    linear_forward(x, std::as_const(w).view(), many.view());
    for (index_t t = 0; t < 9; ++t)
        linear_forward(x.view().slice_rows(t, 1), std::as_const(rounded).view(), few.view().slice_rows(t, 1));
    CHECK(relative_error(few.flat(), many.flat()) < 1e-6);  // 40 roundings of 6e-8, most of them cancelling
}

TEST_CASE("linear: extents that do not fit") {
    matrix<double> x(5, 4), w(3, 6), y(5, 3);
    CHECK_THROWS_WITH_AS(linear_forward(x, std::as_const(w).view(), y.view()), "hrm::linear_forward: x is 5x4, expected 5x6", shape_error);
}
