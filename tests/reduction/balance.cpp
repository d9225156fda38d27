#include <hrm/reduction/balance.hpp>

#include <complex>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

template <class T>
void full_order_is_exact(const T& s) {
    const auto r = balance(s);
    CHECK(r.order() == r.numerical_rank);
    CHECK(r.stable);
    // What is dropped is below n eps sigma_1; what is kept goes through factors of relative accuracy eps * condition.
    CHECK(relative_distance(markov(s, 60), markov(r.system, 60)) <= 1e-10);
    auto identity = product(turned(r.w), r.t);
    for (index_t i = 0; i < identity.rows(); ++i) identity(i, i) -= 1;
    CHECK(largest(identity) <= 1e-9);
}

}  // namespace

TEST_CASE("a reduction to full order reproduces the impulse response") {
    random_stream r(1);
    for (int trial = 0; trial < 20; ++trial) {
        const index_t n = 1 + r.below(16), m = 1 + r.below(5), p = 1 + r.below(5);
        full_order_is_exact(random_diagonal(r, n, m, p));
        full_order_is_exact(random_pairs(r, n / 2, (n + 1) / 2, m, p));
        full_order_is_exact(random_dense(r, n, m, p));
        auto d = random_dense(r, n, m, p);
        d.d = matrix<double>(p, m, 0.5);
        full_order_is_exact(d);
    }
}

TEST_CASE("the reduced system is balanced: both its Gramians are diag(sigma)") {
    random_stream r(2);
    const auto s = random_pairs(r, 4, 6, 3, 3, 0.95);
    const auto b = balance(s);
    const auto wc = controllability(b.system), wo = observability(b.system);
    for (index_t i = 0; i < b.order(); ++i)
        for (index_t j = 0; j < b.order(); ++j) {
            const double want = i == j ? b.sigma[static_cast<std::size_t>(i)] : 0;
            CHECK(std::abs(wc(i, j) - want) <= 1e-9 * b.sigma[0]);
            CHECK(std::abs(wo(i, j) - want) <= 1e-9 * b.sigma[0]);
        }
}

TEST_CASE("degenerate systems give a result") {
    for (index_t n : {0, 1, 4})
        for (index_t m : {0, 2})
            for (index_t p : {0, 3}) {
                discrete<diagonal<double>> s{{buffer<double>(static_cast<std::size_t>(n), 0.5)}, matrix<double>(n, m, 1.0),
                                             matrix<double>(p, n, 1.0), matrix<double>(p, m, 2.0)};
                for (const auto& r : {balance(s), balance(as_dense(s))}) {
                    CHECK(r.order() == (n > 0 && m > 0 && p > 0 ? 1 : 0));  // equal poles: one state does it all
                    CHECK(static_cast<index_t>(r.sigma.size()) == n);
                    CHECK(r.system.d == s.d);
                    CHECK(r.certified);
                    CHECK(r.system.b.cols() == m);
                    CHECK(r.system.c.rows() == p);
                }
            }
    random_stream g(3);
    auto s = random_diagonal(g, 5, 2, 2);
    const auto all = balance(s, {.rank = 0});
    CHECK(all.order() == 0);
    CHECK(all.bound == tail_bound(all.sigma, 0));
    for (auto& x : s.c.flat()) x = 0;
    CHECK(balance(s).order() == 0);
    CHECK(balance(s).bound == 0);
}

TEST_CASE("unstable input is refused with its spectral radius") {
    const discrete<diagonal<double>> s{{{0.5, 1.5}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK_THROWS_WITH_AS(balance(s), doctest::Contains("spectral radius 1.5"), numerical_error);
    auto bad = s;
    bad.a.poles[1] = 0.25;
    CHECK_NOTHROW(balance(bad));
    bad.c(0, 1) = std::nan("");
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::observability_factor: C(0, 1) is not finite", numerical_error);
    bad.c(0, 1) = 1;
    bad.b(0, 0) = HUGE_VAL;
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::controllability_factor: B(0, 0) is not finite", numerical_error);
}

TEST_CASE("given Gramians: the exact ones give the same reduction, and no certificate") {
    random_stream r(4);
    const auto s = random_diagonal(r, 8, 2, 3, 0.9);
    const auto exact = balance(s, {.rank = 3}), given = balance(s, controllability(s), observability(s), {.rank = 3});
    CHECK(exact.certified);
    CHECK_FALSE(given.certified);
    for (std::size_t i = 0; i < 3; ++i) CHECK(given.sigma[i] == doctest::Approx(exact.sigma[i]).epsilon(1e-10));
    CHECK(relative_distance(markov(exact.system, 40), markov(given.system, 40)) <= 1e-9);
    // Singular ones are no exception.
    matrix<double> rank_one(8, 8, 1.0);
    CHECK(balance(s, rank_one, observability(s)).order() == 1);
    CHECK(balance(s, matrix<double>(8, 8), observability(s)).order() == 0);
    matrix<double> indefinite(8, 8);
    for (index_t i = 0; i < 8; ++i) indefinite(i, i) = i ? 1 : -1;
    CHECK_THROWS_AS(balance(s, indefinite, observability(s)), numerical_error);
    CHECK_THROWS_AS(balance(s, matrix<double>(7, 7), observability(s)), shape_error);
}

namespace {

struct tally {
    int systems = 0;
    double above_bound = 0, below_next = 1e300, least_stable = 0;
};

/// One random order; the measured error against the bound above and sigma_{r+1} below, both relative to sigma_1.
template <class T>
void check_error(const T& s, random_stream& r, tally& t) {
    const auto full = balance(s);
    if (full.numerical_rank == 0) return;
    const index_t order = r.below(full.numerical_rank);
    const auto b = balance(s, {.rank = order, .error = error_report::measured});
    REQUIRE(b.order() == order);
    REQUIRE(b.measured_error);
    const double error = *b.measured_error, next = b.sigma[static_cast<std::size_t>(order)];
    ++t.systems;
    t.above_bound = std::max(t.above_bound, (error - b.bound) / b.sigma[0]);
    t.below_next = std::min(t.below_next, (error - next) / b.sigma[0]);
    t.least_stable = std::max(t.least_stable, b.spectral);
    CHECK(b.certified);
}

}  // namespace

TEST_CASE("1000 random systems: sigma_{r+1} <= |G - Gr|_inf <= 2 (sum of the tail)") {
    random_stream r(10);
    tally t;
    for (int trial = 0; trial < 250; ++trial) {
        // 1 to 64 ports, small counts more often; orders 1 to 24.
        const auto ports = [&] { return static_cast<index_t>(std::exp(r.uniform(0, std::log(64.99)))); };
        const index_t n = 1 + r.below(24), m = ports(), p = ports(), k = r.below(n / 2 + 1);
        check_error(random_diagonal(r, n, m, p), r, t);
        check_error(random_pairs(r, n - 2 * k, k, m, p), r, t);
        check_error(random_dense(r, n, m, p), r, t);
        check_error(random_dense(r, n, m, p, 0.5), r, t);
    }
    CHECK(t.systems == 1000);
    // Rounding: transfer functions are a few hundred eps of sigma_1 times the condition of (I - A); the norm is attained
    // up to its own tolerance of 2e-8.
    CHECK(t.above_bound <= 1e-11);
    CHECK(t.below_next >= -1e-7);
    CHECK(t.least_stable < 1);
    MESSAGE("above the bound by at most ", t.above_bound, ", above sigma_{r+1} by at least ", t.below_next);
}

TEST_CASE("the projectors are not swapped") {
    // t on the left and w on the right is exact at full order, where both are similarities, and wrong once truncated.
    random_stream r(11);
    int wrong = 0;
    for (int trial = 0; trial < 20; ++trial) {
        const auto s = random_dense(r, 12, 2, 2);
        const auto b = balance(s, {.rank = 5});
        const auto tt = turned(b.t);
        const discrete<dense<double>> swapped{{product(product(tt, s.a.a), b.w)}, product(tt, s.b), product(s.c, b.w), {}};
        CHECK(hinf_norm(difference(s, b.system)).value <= b.bound * (1 + 1e-10));
        if (!is_stable(swapped) || hinf_norm(difference(s, swapped)).value > b.bound) ++wrong;
        CHECK(distance(product(product(turned(b.w), s.a.a), b.t), b.system.a.a) <= 1e-12);
        CHECK(distance(product(turned(b.w), s.b), b.system.b) == 0);
    }
    CHECK(wrong >= 10);  // so this test would notice
}

TEST_CASE("balancing-free: the same map in orthonormal coordinates") {
    random_stream r(13);
    for (int trial = 0; trial < 10; ++trial) {
        const auto s = random_dense(r, 12, 2, 3);
        const auto plain = balance(s, {.rank = 6}), other = balance(s, {.rank = 6, .basis = projection::balancing_free});
        CHECK(relative_distance(markov(plain.system, 60), markov(other.system, 60)) <= 1e-10);
        auto tt = product(turned(other.t), other.t), wt = product(turned(other.w), other.t);
        for (index_t i = 0; i < 6; ++i) tt(i, i) -= 1, wt(i, i) -= 1;
        CHECK(largest(tt) <= 1e-13);
        CHECK(largest(wt) <= 1e-11);
        CHECK(other.bound == plain.bound);
        CHECK(other.certified);
    }
}

TEST_CASE("continuous time: the bound holds and the result is stable") {
    random_stream r(14);
    for (int trial = 0; trial < 10; ++trial) {
        const auto z = random_dense(r, 10, 2, 2);
        continuous<dense<double>> s{z.a, z.b, z.c, {}};
        for (index_t i = 0; i < 10; ++i) s.a.a(i, i) -= 1;
        const auto b = balance(s, {.rank = 4, .error = error_report::measured});
        CHECK(b.certified);
        CHECK(b.spectral < 0);
        CHECK(*b.measured_error <= b.bound * (1 + 1e-10));
        CHECK(*b.measured_error >= b.sigma[4] * (1 - 1e-7));
    }
}

TEST_CASE("options: each rule asks, the largest order wins, rank caps, the budget is kept") {
    random_stream r(12);
    const auto s = random_pairs(r, 4, 8, 2, 2);
    const auto all = balance(s);
    for (double eps : {0.3, 0.1, 0.01}) {
        const auto b = balance(s, {.tolerance = eps});
        CHECK(b.order() == rank_by_tolerance(all.sigma, eps));
        CHECK(b.bound == tail_bound(all.sigma, b.order()));
    }
    const auto budget = balance(s, {.hinf_budget = 0.1 * all.sigma[0], .gain = -0.5});
    CHECK(0.5 * budget.bound <= 0.1 * all.sigma[0]);
    CHECK(0.5 * tail_bound(all.sigma, budget.order() - 1) > 0.1 * all.sigma[0]);
    CHECK(balance(s, {.tolerance = 0.9, .energy = 0.999}).order() == rank_by_energy(all.sigma, 0.999));
    CHECK(balance(s, {.rank = 2, .tolerance = 1e-6}).order() == 2);
    CHECK(balance(s, {.rank = 1000}).order() == all.numerical_rank);
}
