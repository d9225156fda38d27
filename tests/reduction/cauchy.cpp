#include <hrm/reduction/cauchy.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/gramian.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("one input, real poles: the factor's diagonal has its closed form, down to 1e-24 of the first") {
    // Cauchy determinants: with poles taken in the order of elimination, the j-th pivot of P_ij = 1/(1 - l_i l_j) is
    //     1/(1 - l_j^2) * prod_{i < j} ((l_j - l_i)/(1 - l_i l_j))^2,
    // and the factor holds its square root. The product is evaluated in long double.
    discrete<diagonal<double>> s;
    for (int i = 0; i < 24; ++i) s.a.poles.push_back(0.9 - 0.005 * i);
    s.b = matrix<double>(24, 1, 1.0);
    s.c = matrix<double>(1, 24, 1.0);
    const auto l = controllability_factor(s);
    REQUIRE(l.cols() == 24);
    std::vector<index_t> order;
    for (index_t j = 0; j < 24; ++j) {
        // The pivot row of column j: nonzero there, and exactly zero in every later column.
        for (index_t i = 0; i < 24; ++i) {
            bool last = l(i, j) != 0;
            for (index_t k = j + 1; k < 24; ++k) last = last && l(i, k) == 0;
            if (last && std::find(order.begin(), order.end(), i) == order.end()) order.push_back(i);
        }
        REQUIRE(static_cast<index_t>(order.size()) == j + 1);
        const long double lj = s.a.poles[static_cast<std::size_t>(order.back())];
        long double pivot = 1 / std::sqrt((1 - lj) * (1 + lj));
        for (index_t i = 0; i < j; ++i) {
            const long double li = s.a.poles[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
            pivot *= std::abs((lj - li) / (1 - li * lj));
        }
        CHECK(std::abs(l(order.back(), j)) == doctest::Approx(static_cast<double>(pivot)).epsilon(1e-13));
    }
    CHECK(std::abs(l(order.back(), 23)) < 1e-24 * std::abs(l(order[0], 0)));
}

TEST_CASE("real and planar, many inputs: L L^T is the closed form, columns stop at the tolerance") {
    random_stream r(2);
    for (index_t m : {1, 2, 3, 9}) {
        const auto s = random_pairs(r, 3, 6, m, 1);
        const auto rows = detail::modal(s.a, s.b);
        const auto w = controllability(s), l = cauchy_factor<unit_disk>(rows);
        CHECK(distance(product(l, turned(l)), w) <= 1e-12 * largest(w));
        const auto cut = cauchy_factor<unit_disk>(rows, 1e-2);
        CHECK(cut.cols() <= l.cols());
        const auto back = product(cut, turned(cut));
        // What remains is semidefinite with a diagonal below 1e-4 of the largest (planar: a pair shares its own).
        for (index_t i = 0; i < s.order(); ++i) CHECK(w(i, i) - back(i, i) <= 2.1e-4 * largest(w));
    }
}

TEST_CASE("repeated poles and a pair on the real axis lower the rank, and nothing else") {
    const discrete<diagonal<double>> s{{{0.5, 0.5, 0.5}}, {{1, 0}, {0, 2}, {1, 2}}, {{1, 1, 1}}, {}};
    const auto l = controllability_factor(s);
    CHECK(distance(product(l, turned(l)), controllability(s)) <= 1e-15 * 10);
    auto columns = 0;
    for (index_t j = 0; j < l.cols(); ++j) columns += std::abs(l(0, j)) + std::abs(l(1, j)) + std::abs(l(2, j)) > 1e-14;
    CHECK(columns == 2);
    const discrete<complex_pairs<double>> flat{{{0.3}, {0.5}, {0.0}}, {{1}, {1}, {2}}, {{1, 1, 1}}, {}};
    const auto f = controllability_factor(flat);
    CHECK(f.cols() == 2);
    CHECK(distance(product(f, turned(f)), controllability(flat)) <= 1e-15 * 10);
}

TEST_CASE("a pair close to the real axis keeps its second, tiny direction") {
    // Of two states driven by one input through the poles re +- i im the second pivot is a - z^2/a ~ im^2: its digits
    // must survive im = 1e-9. Reference: det = |b|^4 4 im^2 / (gap^2 |1 - l^2|^2), from the text of the method.
    const double re = 0.5, im = 1e-9;
    const discrete<complex_pairs<double>> s{{{}, {re}, {im}}, {{1}, {0}}, {{1, 1}}, {}};
    const auto l = controllability_factor(s);
    REQUIRE(l.cols() == 2);
    const double det = l(0, 0) * l(1, 1) - l(0, 1) * l(1, 0);
    const double gap = 1 - re * re - im * im, other = std::norm(1.0 - std::complex<double>(re, im) * std::complex<double>(re, im));
    // Complex (s, conj s) to planar divides the determinant of the factor by 2.
    CHECK(std::abs(det) == doctest::Approx(im / (gap * std::sqrt(other))).epsilon(1e-12));
}
