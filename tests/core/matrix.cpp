#include <hrm/core/matrix.hpp>

#include <cstdint>
#include <limits>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a matrix is zero when made, row-major, and aligned to 64 bytes") {
    matrix<float> m(3, 5);
    for (float x : m.flat()) CHECK(x == 0);
    m(1, 2) = 7;
    CHECK(m.data()[1 * 5 + 2] == 7);
    CHECK(reinterpret_cast<std::uintptr_t>(m.data()) % 64 == 0);
    CHECK(m.size() == 15);
    CHECK(matrix<double>(2, 2, 4.0)(1, 1) == 4.0);
    CHECK(matrix<double>().empty());
    CHECK(matrix<double>(0, 3).cols() == 3);
}

TEST_CASE("written row by row; rows of different lengths are refused") {
    const matrix<double> m{{1, 2, 3}, {4, 5, 6}};
    CHECK(m.rows() == 2);
    CHECK(m.cols() == 3);
    CHECK(m(1, 0) == 4);
    CHECK_THROWS_WITH_AS((matrix<double>{{1, 2}, {3}}), "hrm::matrix: length of a row is 1, expected 2", shape_error);
}

TEST_CASE("a copy of a view drops the gaps between its rows") {
    matrix<double> m{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
    const matrix<double> corner(m.view().slice_rows(1, 2).slice_cols(0, 2));
    CHECK(corner == matrix<double>{{4, 5}, {7, 8}});
    CHECK(corner.view().contiguous());
    CHECK(corner != matrix<double>{{4, 5}, {7, 0}});
}

TEST_CASE("extents that make no matrix are refused") {
    CHECK_THROWS_WITH_AS(matrix<double>(-1, 2), "hrm::matrix: negative extents -1x2", shape_error);
    constexpr index_t huge = std::numeric_limits<index_t>::max() / 2;
    CHECK_THROWS_AS(matrix<double>(huge, 3), shape_error);
}
