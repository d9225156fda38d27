#include <hrm/reduction/gramian.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

// |A W A^T - W + B B^T| against |W|: the closed forms divide once, so a few eps times the number of inputs.
template <class A>
double stein_residual(const discrete<A>& s, const matrix<double>& w) {
    const auto a = to_dense(s.a);
    auto r = product(product(a, w), turned(a));
    const auto q = product(s.b, turned(s.b));
    for (index_t i = 0; i < w.rows(); ++i)
        for (index_t j = 0; j < w.cols(); ++j) r(i, j) += q(i, j) - w(i, j);
    return largest(r) / std::max(largest(w), 1e-300);
}
template <class A>
double lyapunov_residual(const continuous<A>& s, const matrix<double>& w) {
    const auto a = to_dense(s.a);
    const auto aw = product(a, w), q = product(s.b, turned(s.b));
    double r = 0;
    for (index_t i = 0; i < w.rows(); ++i)
        for (index_t j = 0; j < w.cols(); ++j) r = std::max(r, std::abs(aw(i, j) + aw(j, i) + q(i, j)));
    return r / largest(q);
}

template <class T>
void check_factor(const T& s) {
    const auto w = controllability(s), l = controllability_factor(s);
    CHECK(l.rows() == s.order());
    CHECK(l.cols() <= s.order());
    CHECK(distance(product(l, turned(l)), w) <= 1e-11 * largest(w));
    const auto o = observability(s), lo = observability_factor(s);
    CHECK(distance(product(lo, turned(lo)), o) <= 1e-11 * largest(o));
}

}  // namespace

TEST_CASE("Gramians solve their equation, and factors give them back, for every structure and shape") {
    random_stream r(1);
    for (index_t m : {1, 2, 3, 7})
        for (index_t n : {1, 2, 5, 12}) {
            const auto d = random_diagonal(r, n, m, 2);
            CHECK(stein_residual(d, controllability(d)) <= 1e-14);
            CHECK(stein_residual(dual(d), observability(d)) <= 1e-14);
            check_factor(d);
            for (index_t q : {0, 1, 3}) {
                const auto p = random_pairs(r, q, n, m, 2);
                CHECK(stein_residual(p, controllability(p)) <= 1e-13);
                CHECK(stein_residual(dual(p), observability(p)) <= 1e-13);
                check_factor(p);
            }
            const auto f = random_dense(r, n, m, 2);
            CHECK(stein_residual(f, controllability(f)) <= 1e-13);
            check_factor(f);
        }
}

TEST_CASE("continuous time: the Lyapunov equation") {
    random_stream r(2);
    for (index_t m : {1, 3}) {
        const auto z = random_pairs(r, 2, 4, m, 2);
        continuous<complex_pairs<double>> s{z.a, z.b, z.c, {}};
        for (auto& x : s.a.real) x = -1 - x;
        for (auto& x : s.a.re) x -= 1;
        CHECK(lyapunov_residual(s, controllability(s)) <= 1e-13);
        check_factor(s);
        const continuous<dense<double>> f{{to_dense(s.a)}, s.b, s.c, {}};
        CHECK(distance(controllability(f), controllability(s)) <= 1e-11 * largest(controllability(s)));
        check_factor(f);
        const continuous<diagonal<double>> d{{{-1, -2, -1e-3}}, matrix<double>(3, m, 1.0), matrix<double>(1, 3, 1.0), {}};
        CHECK(lyapunov_residual(d, controllability(d)) <= 1e-13);
        check_factor(d);
    }
}

TEST_CASE("structured and dense forms of one system agree") {
    random_stream r(3);
    const auto p = random_pairs(r, 3, 5, 4, 3, 0.9);
    CHECK(distance(controllability(p), controllability(as_dense(p))) <= 1e-11 * largest(controllability(p)));
    CHECK(distance(observability(p), observability(as_dense(p))) <= 1e-11 * largest(observability(p)));
}

TEST_CASE("the time-limited Gramian is its sum, at any horizon, and tends to the infinite one") {
    random_stream r(4);
    const auto p = random_pairs(r, 3, 4, 2, 2, 0.9);
    const auto a = to_dense(p.a);
    matrix<double> sum(p.order(), p.order());
    auto x = p.b;
    for (index_t steps = 0; steps <= 40; ++steps) {
        CHECK(distance(controllability(p, steps), sum) <= 1e-13 * std::max(1.0, largest(sum)));
        const auto xx = product(x, turned(x));
        for (index_t i = 0; i < sum.rows(); ++i)
            for (index_t j = 0; j < sum.cols(); ++j) sum(i, j) += xx(i, j);
        x = product(a, x);
    }
    CHECK(distance(controllability(p, 10000), controllability(p)) <= 1e-12 * largest(controllability(p)));
    CHECK(distance(observability(p, 7), controllability(dual(p), 7)) == 0);
    // On and beyond the circle it is still a finite sum: 1 + 1 + 1, 1 + 4 + 16.
    const discrete<diagonal<double>> u{{{1, 2}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK(controllability(u, 3)(0, 0) == 3);
    CHECK(controllability(u, 3)(1, 1) == 21);
}

TEST_CASE("float systems are widened, poles next to the circle keep their digits") {
    const discrete<diagonal<float>> f{{{0.5f, -0.25f}}, {{1}, {2}}, {{1, 1}}, {}};
    CHECK(controllability(f)(0, 0) == doctest::Approx(1 / 0.75).epsilon(1e-15));
    // |l|^2 = 1 - 2e-9 + ..: a pair whose gap to the circle loses nothing. Reference: (1 - re^2 - im^2) with re = im = h,
    // h = 0.70710678 exactly as stored, in 40 digits: 1 - 2 h^2 = 3.356230e-9 is checked through the product form.
    const double h = 0.70710678;
    const auto gap = unit_disk::denominator({h, h}, {h, h}).real();
    const long double want = (1 - std::sqrt(2.0L) * static_cast<long double>(h)) * (1 + std::sqrt(2.0L) * static_cast<long double>(h));
    CHECK(std::abs(static_cast<long double>(gap) / want - 1) < 1e-9L);
}

TEST_CASE("unstable poles are named; nothing else throws") {
    discrete<diagonal<double>> s{{{0.5, -1.25}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK_THROWS_WITH_AS(controllability(s), "hrm::controllability: A is unstable: spectral radius 1.25, must be below 1",
                         numerical_error);
    CHECK_THROWS_AS(controllability_factor(s), numerical_error);
    CHECK_THROWS_AS(controllability(as_dense(s)), numerical_error);
    s.a.poles[1] = std::nan("");
    CHECK_THROWS_AS(controllability(s), numerical_error);
    continuous<diagonal<double>> c{{{-1, 0.5}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK_THROWS_WITH_AS(controllability(c), "hrm::controllability: A is unstable: spectral abscissa 0.5, must be below 0",
                         numerical_error);
    const discrete<diagonal<double>> zero{{{0.5, 0.5}}, matrix<double>(2, 0), matrix<double>(0, 2), {}};
    CHECK(largest(controllability(zero)) == 0);
    CHECK(controllability_factor(zero).cols() == 0);
    CHECK(observability_factor(zero).rows() == 2);
}
