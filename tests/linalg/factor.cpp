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

TEST_CASE("many columns: rows that are independent, nearly dependent, of very different size or zero") {
    // Reference: Gram matrices in long double. Rows of L are accurate relative to their length: n eps |w_i| |w_j|.
    hrm::random_stream r(9);
    for (const int kind : {0, 1, 2, 3, 4}) {
        hrm::matrix<double> w(12, 400);
        r.fill_normal(w.flat());
        for (hrm::index_t j = 0; j < 400; ++j) {
            if (kind == 1) w(5, j) = w(2, j) + 1e-9 * w(5, j);
            if (kind == 2) w(3, j) *= 1e-120, w(7, j) *= 1e120;
            if (kind == 3) w(3, j) *= 1e-160, w(7, j) *= 1e160;
            if (kind == 4) w(11, j) = 0;
        }
        const auto l = hrm::lower_factor(w);
        for (hrm::index_t i = 0; i < 12; ++i) {
            CHECK(l(i, i) >= 0);
            for (hrm::index_t j = 0; j <= i; ++j) {
                long double exact = 0, ours = 0, mine = 0, other = 0;
                for (hrm::index_t k = 0; k < 400; ++k) {
                    exact += static_cast<long double>(w(i, k)) * w(j, k);
                    mine += static_cast<long double>(w(i, k)) * w(i, k);
                    other += static_cast<long double>(w(j, k)) * w(j, k);
                }
                for (hrm::index_t k = 0; k < 12; ++k) ours += static_cast<long double>(l(i, k)) * l(j, k);
                CHECK(std::abs(ours - exact) <= 12 * 2.3e-16L * std::sqrt(mine) * std::sqrt(other));
            }
        }
    }
    hrm::matrix<double> w(12, 400);  // what distinguishes two rows survives: 1e-9 of their length, to seven digits
    r.fill_normal(w.flat());
    long double square = 0, mixed = 0, length = 0;
    for (hrm::index_t j = 0; j < 400; ++j) {
        w(1, j) = w(0, j) + 0x1p-30 * w(1, j);
        const long double d = static_cast<long double>(w(1, j)) - w(0, j);
        square += d * d, mixed += d * w(0, j), length += static_cast<long double>(w(0, j)) * w(0, j);
    }
    CHECK(hrm::lower_factor(w)(1, 1) == doctest::Approx(static_cast<double>(std::sqrt(square - mixed * mixed / length))).epsilon(1e-6));
}

TEST_CASE("many columns: rows each of which is far from the one before, and together nearly dependent") {
    // W = B Q, B bidiagonal with unit rows (c, s), and Q orthonormal: each of B's entries 16 times, over 4, so that W is exact.
    // Every pivot of W W^T is s^2, an unstable fixed point of p <- 1 - (c s)^2 / p, which rounding leaves for c^2 or for
    // nothing. Reference: the smallest singular value of B by inverse iteration in long double. Reflections leave W + E,
    // |E| <= n eps |W|, which moves it by no more.
    const hrm::index_t n = 24;
    const auto smallest = [](const hrm::matrix<double>& l) {
        const auto at = [&](std::size_t i, std::size_t j) { return static_cast<long double>(l(static_cast<hrm::index_t>(i), static_cast<hrm::index_t>(j))); };
        std::vector<long double> x(static_cast<std::size_t>(l.rows()), 1.0L);
        long double size = 0;
        for (int round = 0; round < 30; ++round) {  // x <- L^-T L^-1 x
            for (std::size_t i = 0; i < x.size(); ++i) {
                for (std::size_t j = 0; j < i; ++j) x[i] -= at(i, j) * x[j];
                x[i] /= at(i, i);
            }
            for (std::size_t i = x.size(); i-- > 0;) {
                for (std::size_t j = i + 1; j < x.size(); ++j) x[i] -= at(j, i) * x[j];
                x[i] /= at(i, i);
            }
            size = 0;
            for (const auto v : x) size += v * v;
            size = std::sqrt(size);
            for (auto& v : x) v /= size;
        }
        return static_cast<double>(1 / std::sqrt(size));
    };
    for (int k = 0; k < 28; ++k) {
        const double s = 0.267 + 0.001 * k;
        hrm::matrix<double> b(n, n), w(n, 16 * n);
        for (hrm::index_t i = 0; i < n; ++i) {
            b(i, i) = i == 0 ? 1 : s;
            if (i > 0) b(i, i - 1) = std::sqrt(1 - s * s);
            for (hrm::index_t j = 0; j < n; ++j)
                for (hrm::index_t h = 0; h < 16; ++h) w(i, 16 * j + h) = b(i, j) / 4;
        }
        const double want = smallest(b), least = n * 2.3e-16 * (1 + s);
        CHECK(want > 10 * least);
        CHECK(want < 1e-11);
        CHECK(std::abs(smallest(hrm::lower_factor(w)) - want) <= least);
        CHECK(!hrm::detail::factor_of_square(hrm::strided_view<const double>(w.view())).has_value());
    }
    // Where rows are independent squares will do: |L^-1| < 2 for 16 n random columns, |L^-1|_1 and |L^-1|_inf below 8.
    hrm::random_stream r(13);
    hrm::matrix<float> some(40, 640);
    r.fill_normal(some.flat());
    CHECK(hrm::detail::factor_of_square(hrm::strided_view<const float>(some.view())).has_value());
}
