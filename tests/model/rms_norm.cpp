#include <hrm/model/rms_norm.hpp>

#include <utility>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("rms_norm: a row in closed form") {
    const matrix<double> x{{3, 4}}, w{{1, 2}};
    matrix<double> y(1, 2);
    std::vector<double> r(1);
    rms_norm_forward(x, w.view(), 0.5, y.view(), r);  // mean square 12.5, with eps 13
    CHECK(r[0] == doctest::Approx(1 / std::sqrt(13.0)));
    CHECK(y(0, 0) == doctest::Approx(3 / std::sqrt(13.0)));
    CHECK(y(0, 1) == doctest::Approx(8 / std::sqrt(13.0)));
}

TEST_CASE("rms_norm: gradients agree with central differences") {
    random_stream random(1);
    for (const index_t width : {3, 16, 37}) {
        auto x = random_matrix(4, width, random), w = random_matrix(1, width, random);
        const auto dy = random_matrix(4, width, random);
        std::vector<double> r(4);
        matrix<double> y(4, width), dx(4, width), dw(1, width);
        const auto loss = [&] {
            rms_norm_forward(x, std::as_const(w).view(), 1e-2, y.view(), r);
            return inner(y.flat(), dy.flat());
        };
        loss();
        rms_norm_backward<double>(x, std::as_const(w).view(), r, dy, dx, dw);
        CHECK(relative_error(dx.flat(), central_differences(x.flat(), loss)) < 1e-6);
        CHECK(relative_error(dw.flat(), central_differences(w.flat(), loss)) < 1e-6);
    }
}
