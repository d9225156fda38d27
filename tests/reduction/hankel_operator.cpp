#include <hrm/reduction/hankel_operator.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/markov.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("products are those of the matrix, and of its transpose") {
    random_stream r(1);
    struct shape {
        index_t p, m, count, rows, cols, first, k;
    };
    for (const auto& s : {shape{1, 1, 2, 1, 1, 0, 1}, {1, 1, 1, 1, 1, 0, 3}, {2, 3, 24, 12, 12, 1, 5}, {3, 2, 31, 10, 17, 0, 40}, {5, 1, 17, 3, 9, 4, 2}, {1, 7, 64, 60, 5, 0, 33}}) {
        std::vector<matrix<double>> h(static_cast<std::size_t>(s.count), matrix<double>(s.p, s.m));
        for (auto& x : h) r.fill_normal(x.flat());
        const block_hankel_operator op(h);
        const auto whole = block_hankel(h, s.rows, s.cols, s.first);
        matrix<double> x(s.cols * s.m, s.k), y(s.rows * s.p, s.k), z(s.cols * s.m, s.k);
        r.fill_normal(x.flat());
        op.apply(x.view(), y.view(), s.first);
        // Sums of cols m products of normal numbers, and transforms whose errors are log2(N) eps of the whole sequence.
        const double size = 1e-15 * std::sqrt(static_cast<double>(s.count * std::max(s.p, s.m))) * 20;
        CHECK(distance(y, product(whole, x)) <= size * std::sqrt(static_cast<double>(s.cols)));
        op.apply_adjoint(y.view(), z.view(), s.first);
        CHECK(distance(z, product(turned(whole), y)) <= size * std::sqrt(static_cast<double>(s.rows)) * std::max(1.0, largest(y)));
    }
}

TEST_CASE("shapes that do not fit are named") {
    const std::vector<matrix<double>> h(6, matrix<double>(2, 3, 1.0));
    const block_hankel_operator op(h);
    matrix<double> x(12, 1), y(8, 1), narrow(8, 2);
    CHECK_THROWS_WITH_AS(op.apply(x.view(), y.view()), "hrm::block_hankel_operator: 4x4 blocks from number 0 on, expected within 6 Markov parameters",
                         shape_error);
    CHECK_THROWS_AS(op.apply(x.view(), narrow.view()), shape_error);
    CHECK_THROWS_AS(op.apply(x.view().slice_rows(0, 11), y.view()), shape_error);
    auto bad = h;
    bad[3] = matrix<double>(3, 3);
    CHECK_THROWS_AS(block_hankel_operator{bad}, shape_error);
}

TEST_CASE("complex: products are those of the matrix, and of its adjoint") {
    random_stream r(2);
    struct shape {
        index_t p, m, count, rows, cols, first, k;
    };
    for (const auto& s : {shape{1, 1, 2, 1, 1, 0, 1}, {2, 3, 24, 12, 12, 1, 5}, {3, 2, 31, 10, 17, 0, 40}, {1, 7, 64, 60, 5, 0, 33}}) {
        std::vector<matrix<number>> h;
        for (index_t k = 0; k < s.count; ++k) h.push_back(normal_complex(r, s.p, s.m));
        const block_hankel_operator_of<number> op(h);
        CHECK(op.inputs() == s.m);
        CHECK(op.outputs() == s.p);
        const auto whole = block_hankel(h, s.rows, s.cols, s.first), x = normal_complex(r, s.cols * s.m, s.k);
        matrix<number> y(s.rows * s.p, s.k), z(s.cols * s.m, s.k);
        op.apply(x.view(), y.view(), s.first);
        // As above, relative to the largest entry: at least a normal number's size, and sums of two parts.
        const double size = 1e-15 * std::sqrt(static_cast<double>(s.count * std::max(s.p, s.m))) * 40;
        CHECK(distance_of(y, times(whole, x)) <= size);
        op.apply_adjoint(y.view(), z.view(), s.first);
        CHECK(distance_of(z, times(adjoint_of(whole), y)) <= size);
    }
    const std::vector<matrix<number>> h(6, matrix<number>(2, 3, number(0, 1)));
    const block_hankel_operator_of<number> op(h);
    matrix<number> x(12, 1), y(8, 1), narrow(8, 2);
    CHECK_THROWS_WITH_AS(op.apply(x.view(), y.view()), "hrm::block_hankel_operator: 4x4 blocks from number 0 on, expected within 6 Markov parameters",
                         shape_error);
    CHECK_THROWS_AS(op.apply(x.view(), narrow.view()), shape_error);
    CHECK_THROWS_WITH_AS(op.apply(x.view().slice_rows(0, 11), y.view()), "hrm::block_hankel_operator: x is 11x1, expected 9x1", shape_error);
    auto bad = h;
    bad[3] = matrix<number>(3, 3);
    CHECK_THROWS_WITH_AS(block_hankel_operator_of<number>{bad}, "hrm::block_hankel_operator: a Markov parameter is 3x3, expected 2x3", shape_error);
}
