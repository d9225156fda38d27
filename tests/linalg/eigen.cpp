#include <hrm/linalg/eigen.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("Eigen sees our elements where they are, strides and constness included") {
    matrix<double> m{{1, 2, 3}, {4, 5, 6}};
    as_eigen(m)(1, 2) = 7;
    CHECK(m(1, 2) == 7);
    as_eigen(m.view().slice_cols(1, 2)).setZero();
    CHECK(m == matrix<double>{{1, 0, 0}, {4, 0, 0}});
    const matrix<double>& c = m;
    CHECK(as_eigen(c).data() == m.data());
    CHECK(as_eigen(c).sum() == 5);
}

TEST_CASE("an expression becomes a matrix of ours, in our layout") {
    const matrix<float> m{{1, 2, 3}, {4, 5, 6}};
    CHECK(from_eigen(as_eigen(m).transpose()) == matrix<float>{{1, 4}, {2, 5}, {3, 6}});
    CHECK(from_eigen(as_eigen(m) * 2.0f) == matrix<float>{{2, 4, 6}, {8, 10, 12}});
}
