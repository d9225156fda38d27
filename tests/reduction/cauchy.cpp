#include <hrm/reduction/cauchy.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/detail/gramian_factors.hpp>

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

namespace {

/// Lo^T Lc from the steps of its factors beside the sum over the states in long double: the largest difference of entries, over
/// eps sum_i |o_i| |c_i|, by which the sum in double is off as well.
template <class Domain>
double apart(const complex_pairs<double>& a, const matrix<double>& b, const matrix<double>& d, double floor) {
    detail::cauchy_record<Domain> of_c, of_o;
    const auto lc = detail::leading_cauchy_factor<Domain>(detail::modal(a, b), floor, &of_c).l;
    const auto lo = detail::leading_cauchy_factor<Domain>(detail::modal(detail::transpose(a), d), floor, &of_o).l;
    const auto k = detail::cauchy_product<Domain>::of(lc, of_c.steps, b, lo, of_o);
    REQUIRE(k.rows() == lo.cols());
    REQUIRE(k.cols() == lc.cols());
    const double size = detail::sum_of_products(detail::row_lengths(lo), detail::row_lengths(lc));
    double worst = 0;
    for (index_t i = 0; i < k.rows(); ++i)
        for (index_t j = 0; j < k.cols(); ++j) {
            long double sum = 0;
            for (index_t h = 0; h < lc.rows(); ++h) sum += static_cast<long double>(lo(h, i)) * lc(h, j);
            worst = std::max(worst, std::abs(static_cast<double>(k(i, j) - sum)));
        }
    return worst / (2.3e-16 * size);
}

}  // namespace

TEST_CASE("the product of two factors from their steps is the sum over the states: real poles, pairs, flat ones, equal ones, next to the boundary") {
    random_stream r(31);
    const auto normal = [&](index_t rows, index_t cols) {
        matrix<double> x(rows, cols);
        r.fill_normal(x.flat());
        return x;
    };
    for (const auto& [m, p] : {std::pair<index_t, index_t>{1, 1}, {1, 3}, {2, 1}, {5, 16}, {17, 2}})
        for (const double depth : {1e-2, 1e-9})
            for (const double floor : {1e-3, 1e-10}) {
                complex_pairs<double> inside, left;
                for (int i = 0; i < 40; ++i) {
                    const double gap = depth * std::pow(1 / depth, r.uniform());
                    inside.real.push_back(i % 8 == 0 ? 0.5 : std::copysign(1 - gap, r.uniform(-0.3, 1)));
                    left.real.push_back(i % 8 == 0 ? -2 : -gap);
                }
                for (int i = 0; i < 40; ++i) {
                    const double angle = 3 * std::pow(10.0, -4 * r.uniform()), gap = depth * std::pow(1 / depth, r.uniform()), w = std::pow(10.0, r.uniform(-3, 2));
                    inside.re.push_back((1 - gap) * std::cos(angle));
                    inside.im.push_back(i % 8 == 0 ? 0 : (1 - gap) * std::sin(angle));
                    left.re.push_back(-gap * w);
                    left.im.push_back(i % 8 == 0 ? 0 : w);
                }
                const auto b = normal(120, m), d = normal(120, p);
                INFO("m " << m << ", p " << p << ", depth " << depth << ", floor " << floor);
                CHECK(apart<unit_disk>(inside, b, d, floor) <= 20);  // 3.3 at most, of 900 states
                CHECK(apart<half_plane>(left, b, d, floor) <= 20);
                inside.re.clear(), inside.im.clear(), left.re.clear(), left.im.clear();
                const auto b_real = normal(40, m), d_real = normal(40, p);
                CHECK(apart<unit_disk>(inside, b_real, d_real, floor) <= 20);
                CHECK(apart<half_plane>(left, b_real, d_real, floor) <= 20);
            }
}

TEST_CASE("the gap of a pole next to the unit circle has all its digits") {
    const auto check = [](double re, double im) {  // 1 - x^2 - y^2 without rounding: squares as two doubles each, summed from the largest on
        const double x = re * re, y = im * im;
        const long double whole = (1.0L - x) - y, rest = -static_cast<long double>(std::fma(re, re, -x)) - std::fma(im, im, -y);
        CHECK(std::abs(unit_disk::gap({re, im}) - (whole + rest)) <= 4.6e-16L * (whole + rest));
    };
    for (const double depth : {1e-3, 1e-9, 1e-14})
        for (const double angle : {0.0, 1e-8, 0.3, 0.785, 2.0, 3.141592653589793}) check((1 - depth) * std::cos(angle), (1 - depth) * std::sin(angle));
    for (const auto& [re, im] : {std::pair(0.70710678118648773, 0.70710678118653902), {-0.70710678116391112, 0.70710678118470971}}) check(re, im);  // both squares below 1/2
}
