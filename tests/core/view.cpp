#include <hrm/core/view.hpp>

#include <type_traits>

#include <doctest/doctest.h>

using namespace hrm;

// A writable view reads, a reading view does not write.
static_assert(std::is_convertible_v<matrix_view<float>, matrix_view<const float>>);
static_assert(!std::is_convertible_v<matrix_view<const float>, matrix_view<float>>);
static_assert(std::is_convertible_v<matrix_view<float>, strided_view<const float>>);
static_assert(!std::is_convertible_v<matrix_view<const float>, strided_view<float>>);
static_assert(!std::is_convertible_v<matrix_view<float>, matrix_view<const double>>);

TEST_CASE("rows and columns of a view are views of the same elements") {
    double x[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const matrix_view<double> m(x, 3, 4);
    CHECK(m(2, 1) == 9);
    CHECK(m.size() == 12);
    CHECK(m.contiguous());
    const auto part = m.slice_rows(1, 2).slice_cols(1, 3);
    CHECK(part(0, 0) == 5);
    CHECK(part(1, 2) == 11);
    CHECK(part.row_span(1).size() == 3);
    CHECK(!part.contiguous());
    CHECK(part.slice_rows(0, 1).contiguous());
    part(1, 1) = -1;
    CHECK(x[10] == -1);
    CHECK(m.slice_cols(4, 0).empty());
    CHECK(matrix_view<double>().empty());
}

TEST_CASE("a transpose moves nothing") {
    double x[6] = {1, 2, 3, 4, 5, 6};
    const matrix_view<double> m(x, 2, 3);
    const auto t = transposed(m);
    CHECK(t.rows == 3);
    CHECK(t.cols == 2);
    for (index_t i = 0; i < 2; ++i)
        for (index_t j = 0; j < 3; ++j) CHECK(&t(j, i) == &m(i, j));
    const strided_view<const double> reads = t;
    CHECK(reads(2, 1) == 6);
    const auto block = reads.block(1, 0, 2, 1);
    CHECK(block.rows == 2);
    CHECK(block.cols == 1);
    CHECK(&block(1, 0) == &m(0, 2));
}
