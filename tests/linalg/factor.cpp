#include <hrm/linalg/factor.hpp>

#include <hrm/core/random.hpp>

#include "reference.hpp"

using namespace hrm;

TEST_CASE("lower_factor squares to what it was given, whatever the shape or rank") {
    random_stream r(5);
    for (auto [n, k] : {std::array<index_t, 2>{1, 1}, {4, 9}, {9, 4}, {30, 30}}) {
        matrix<double> w(n, k);
        r.fill_normal(w.flat());
        if (n > 2)
            for (index_t j = 0; j < k; ++j) w(2, j) = 3 * w(0, j) - w(1, j);  // a dependent row
        const auto l = lower_factor(w);
        CHECK(relative_error(square(l), square(w)) < 1e-14);  // n eps, n <= 30
        for (index_t i = 0; i < n; ++i) {
            CHECK(l(i, i) >= 0);
            for (index_t j = i + 1; j < n; ++j) CHECK(l(i, j) == 0);
        }
    }
    matrix<double> wide(7, 700);  // by panels
    r.fill_normal(wide.flat());
    for (index_t j = 0; j < 700; ++j) wide(2, j) = 3 * wide(0, j) - wide(1, j);  // a dependent row
    const auto l = lower_factor(wide);
    CHECK(relative_error(square(l), square(wide)) < 1e-13);  // sums of 700
    for (index_t i = 0; i < 7; ++i) {
        CHECK(l(i, i) >= 0);
        for (index_t j = i + 1; j < 7; ++j) CHECK(l(i, j) == 0);
    }
    matrix<double> tall(700, 7);
    for (index_t i = 0; i < 7; ++i)
        for (index_t j = 0; j < 700; ++j) tall(j, i) = wide(i, j);
    CHECK(lower_factor(transposed(tall.view())) == l);
    CHECK(relative_error(square(lower_factor(transposed(tall.view().slice_rows(0, 5)))), square(matrix<double>(
              matrix_view<const double>(wide.view().slice_cols(0, 5))))) < 1e-14);
    CHECK(lower_factor(matrix<double>(3, 2)) == matrix<double>(3, 3));
    CHECK(lower_factor(matrix<double>{}).empty());
}

TEST_CASE("lower_factor keeps what squaring would lose") {
    // Rows (1, 0), (1, 1e-12): the second pivot is 1e-12, of whose square 1 + 1e-24 keeps nothing.
    const auto l = lower_factor(matrix<double>{{1, 0}, {1, 1e-12}});
    CHECK(l(1, 1) == doctest::Approx(1e-12).epsilon(1e-3));
    // Neither overflow nor underflow in the squares.
    matrix<double> wide(2, 300, 1.0);  // by panels: the second row is (1, .., 1, 1 + 1e-9)
    wide(1, 299) += 1e-9;
    const double rest = 1e-9 * std::sqrt(299.0 / 300);
    CHECK(lower_factor(wide)(1, 1) == doctest::Approx(rest).epsilon(1e-5));  // 1 + 1e-9 is rounded
    CHECK(lower_factor(matrix<double>(1, 400, 1e200))(0, 0) == doctest::Approx(2e201).epsilon(1e-14));
    CHECK(lower_factor(matrix<double>(1, 400, 1e-200))(0, 0) == doctest::Approx(2e-199).epsilon(1e-14));
    CHECK(lower_factor(matrix<double>{{3e200, 4e200}})(0, 0) == doctest::Approx(5e200).epsilon(1e-15));
    CHECK(lower_factor(matrix<double>{{3e-200, 4e-200}})(0, 0) == doctest::Approx(5e-200).epsilon(1e-15));
}
