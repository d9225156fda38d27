#include <hrm/reduction/balance.hpp>

#include <complex>
#include <fstream>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>
#include <hrm/systems/descriptor.hpp>
#include <hrm/systems/response.hpp>
#include <hrm/systems/sparse.hpp>

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

TEST_CASE("what is not finite is named; unstable input is refused where asked, with its spectral radius") {
    const discrete<diagonal<double>> s{{{0.5, 1.5}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK_THROWS_WITH_AS(balance(s, {.unstable = unstable_poles::refuse}), doctest::Contains("spectral radius 1.5"), unstable_error);
    CHECK_THROWS_WITH_AS(balance(as_dense(s), {.unstable = unstable_poles::refuse}), doctest::Contains("spectral radius 1.5"),
                         unstable_error);
    auto bad = s;
    bad.a.poles[1] = 0.25;
    CHECK_NOTHROW(balance(bad));
    bad.c(0, 1) = std::nan("");
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::balance: C(0, 1) is not finite", numerical_error);
    bad.c(0, 1) = 1;
    bad.b(0, 0) = HUGE_VAL;
    CHECK_THROWS_WITH_AS(balance(bad), "hrm::balance: B(0, 0) is not finite", numerical_error);
    bad.b(0, 0) = 1;
    bad.a.poles[0] = std::nan("");
    CHECK_THROWS_AS(balance(bad), numerical_error);
    CHECK_THROWS_WITH_AS(balance(as_dense(bad)), "hrm::balance: A(0, 0) is not finite", numerical_error);
}

namespace {

/// Largest difference of the frequency responses, relative to the largest response, at points off the poles.
template <class S1, class S2>
double response_distance(const S1& g, const S2& h) {
    double apart = 0, size = 0;
    for (double omega : {0.01, 0.2, 0.9, 2.0, 3.1}) {
        const auto x = frequency_response(g, omega), y = frequency_response(h, omega);
        for (std::size_t i = 0; i < x.flat().size(); ++i) {
            size = std::max(size, std::abs(x.flat()[i]));
            apart = std::max(apart, std::abs(x.flat()[i] - y.flat()[i]));
        }
    }
    return size > 0 ? apart / size : apart;
}

template <class S>
void check_unstable_kept(const S& g, index_t unstable) {
    const auto all = balance(g), some = balance(g, {.rank = 2, .error = error_report::measured});
    for (const auto& b : {all, some}) {
        CHECK(b.unstable == unstable);
        CHECK(b.stable == (unstable == 0));
        CHECK(b.certified);
        CHECK(static_cast<index_t>(b.sigma.size()) == g.order() - unstable);
        auto identity = product(turned(b.w), b.t);
        for (index_t i = 0; i < identity.rows(); ++i) identity(i, i) -= 1;
        CHECK(largest(identity) <= 1e-9 * b.split_condition);
        CHECK(distance(product(product(turned(b.w), to_dense(g.a)), b.t), b.system.a.a) <= 1e-10 * b.split_condition * (1 + largest(b.system.a.a)));
    }
    CHECK(response_distance(g, all.system) <= 1e-9 * all.split_condition);
    CHECK(some.order() == std::min<index_t>(2, some.numerical_rank) + unstable);
    REQUIRE(some.measured_error);
    CHECK(*some.measured_error <= some.bound * (1 + 1e-8) + 1e-10 * some.sigma[0]);
}

}  // namespace

TEST_CASE("unstable and integrating parts are split off, kept and counted") {
    random_stream r(20);
    for (int trial = 0; trial < 10; ++trial) {
        const index_t n = 6 + r.below(6);
        auto z = random_dense(r, n, 2, 2, 1.3);
        index_t outside = 0, right = 0;
        for (const auto& l : eigenvalues(z.a)) outside += std::abs(l) >= 1, right += l.real() >= 0;
        check_unstable_kept(z, outside);
        check_unstable_kept(continuous<dense<double>>{z.a, z.b, z.c, {}}, right);
        auto p = random_pairs(r, 3, 3, 2, 2);
        p.a.real[1] = -1;  // on the circle
        p.a.re[0] = 0.8, p.a.im[0] = 0.7;
        check_unstable_kept(p, 3);
        check_unstable_kept(as_dense(p), 3);
    }
    // An integrator behind a similarity: the computed pole is a rounding error of either sign.
    for (int trial = 0; trial < 10; ++trial) {
        auto z = random_dense(r, 6, 1, 1, 0.8);
        continuous<dense<double>> g{{matrix<double>(7, 7)}, matrix<double>(7, 1), matrix<double>(1, 7), {}};
        for (index_t i = 0; i < 6; ++i) {
            for (index_t j = 0; j < 6; ++j) g.a.a(i, j) = z.a.a(i, j) - (i == j);
            g.a.a(6, i) = z.c(0, i);
            g.b(i, 0) = z.b(i, 0);
            g.c(0, i) = r.normal();
        }
        g.c(0, 6) = 1;
        matrix<double> turn(7, 7);
        r.fill_normal(turn.flat());
        g.a.a = product(turn, turned(solve(turned(turn), turned(g.a.a))));
        g.b = product(turn, g.b);
        g.c = turned(solve(turned(turn), turned(g.c)));
        const auto b = balance(g);
        CHECK(b.unstable == 1);
        CHECK(std::abs(b.spectral) <= 1e-9);
        CHECK(response_distance(g, b.system) <= 1e-7);
    }
    const auto margin = balance(random_diagonal(r, 9, 1, 1, 0.9), {.margin = 0.5});
    CHECK(margin.unstable + static_cast<index_t>(margin.sigma.size()) == 9);
    CHECK(margin.unstable > 0);
}

TEST_CASE("residualised: exact at frequency zero, within the bound, whatever the time") {
    random_stream r(21);
    for (int trial = 0; trial < 10; ++trial)
        for (const auto basis : {projection::square_root, projection::balancing_free}) {
            const auto z = random_dense(r, 10, 2, 3, 0.8);
            const balance_options o{.rank = 4, .error = error_report::measured, .basis = basis, .weak = weak_states::residualize};
            const auto check = [&](const auto& g) {
                const auto b = balance(g, o), cut = balance(g, {.rank = 4});
                CHECK(b.order() == 4);
                CHECK(b.delayed == 0);
                CHECK(b.certified);
                REQUIRE(b.measured_error);
                CHECK(*b.measured_error <= b.bound * (1 + 1e-8));
                const auto x = frequency_response(g, 0.0), y = frequency_response(b.system, 0.0), c = frequency_response(cut.system, 0.0);
                double apart = 0, cut_apart = 0;
                for (std::size_t i = 0; i < x.flat().size(); ++i) {
                    apart = std::max(apart, std::abs(x.flat()[i] - y.flat()[i]));
                    cut_apart = std::max(cut_apart, std::abs(x.flat()[i] - c.flat()[i]));
                }
                CHECK(apart <= 1e-11 * b.sigma[0]);
                CHECK(cut_apart > 1e-8 * b.sigma[0]);
            };
            check(z);
            auto s = continuous<dense<double>>{z.a, z.b, z.c, matrix<double>(3, 2, 0.25)};
            for (index_t i = 0; i < 10; ++i) s.a.a(i, i) -= 1;
            check(s);
            check(random_diagonal(r, 10, 2, 3));
            check(random_pairs(r, 2, 4, 2, 3));
        }
    // A pole at zero leaves no C A^-1: the outputs are held for one step instead.
    const discrete<diagonal<double>> delay{{{0, 0.5}}, {{1}, {1e-3}}, {{1, 1}}, {}};
    const auto d = balance(delay, {.weak = weak_states::residualize});
    CHECK(response_distance(delay, d.system) <= 1e-12);
    // Nor does one that is nothing but the rounding of a zero.
    const discrete<dense<double>> shift{{{{0.1, 1}, {-0.01, -0.1}}}, {{1}, {2}}, {{1, 3}}, {}};
    const auto e = balance(shift, {.rank = 1, .error = error_report::measured, .weak = weak_states::residualize});
    REQUIRE(e.measured_error);
    CHECK(*e.measured_error <= e.bound + 1e-11 * e.sigma[0]);
}

TEST_CASE("equal poles: what is left of their rows is nothing, not a quotient of nothings") {
    const index_t n = 160;
    continuous<diagonal<double>> s{{buffer<double>(static_cast<std::size_t>(n), -1.0)}, matrix<double>(n, 3), matrix<double>(1, n), {}};
    random_stream r(3);
    r.fill_normal(s.b.flat());
    r.fill_normal(s.c.flat());
    const auto g = product(s.c, s.b);  // G = C B / (s + 1), whose one Hankel singular value is |C B| / 2
    const auto sigma = hankel_singular_values(s);
    CHECK(sigma[0] == doctest::Approx(std::sqrt(g(0, 0) * g(0, 0) + g(0, 1) * g(0, 1) + g(0, 2) * g(0, 2)) / 2));
    CHECK(sigma[1] <= 1e-12 * sigma[0]);  // n eps |C| |B| / |C B|
    CHECK(balance(s, {.floor = 0}).order() == 1);
}

TEST_CASE("fast decay in coordinates of very different units: the Schur form takes over") {
    // Two heat rods beside each other, the second one's states in units of 1e-9: sigma does not know units.
    const index_t n = 160, half = n / 2;
    continuous<dense<double>> s{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    random_stream r(3);
    r.fill_normal(s.b.flat());
    r.fill_normal(s.c.flat());
    for (index_t i = 0; i < n; ++i) {
        const double rate = i < half ? 64 : 83;
        s.a.a(i, i) = -2 * rate;
        if (i % half > 0) s.a.a(i, i - 1) = rate;
        if (i % half < half - 1) s.a.a(i, i + 1) = rate;
    }
    const auto sigma = balance(s, {.rank = 10}).sigma;
    for (index_t i = half; i < n; ++i) s.b(i, 0) *= 1e-9, s.c(0, i) *= 1e9;
    const auto scaled = balance(s, {.rank = 10}).sigma;
    for (std::size_t i = 0; i < 10; ++i) CHECK(std::abs(scaled[i] - sigma[i]) <= 1e-11 * sigma[0]);
}

TEST_CASE("Gramians of low rank of a heat rod, as it is and turned round: what they miss is bounded, so that they are certified") {
    const index_t n = 120;
    continuous<dense<double>> s{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    s.b(n / 3, 0) = s.c(0, 2 * n / 3) = 1;
    for (index_t i = 0; i < n; ++i) {
        s.a.a(i, i) = -2;
        if (i > 0) s.a.a(i, i - 1) = 1;
        if (i < n - 1) s.a.a(i, i + 1) = 1;
    }
    const auto check = [](const continuous<dense<double>>& g) {
        const auto thin = detail::low_rank_factors(g.a.a, g.b, detail::transpose(g.c));
        REQUIRE(thin);
        REQUIRE(thin->bound);
        const auto b = balance(g, {.rank = 4}), whole = balance(g, {.rank = 4, .floor = 0});
        CHECK(b.certified);
        CHECK(whole.certified);
        CHECK(b.bound == doctest::Approx(whole.bound).epsilon(1e-10));
        CHECK(thin->bound->apart <= 1e-10 * b.sigma[0]);
        CHECK(thin->bound->rounding <= 1e-7 * b.sigma[0]);
    };
    check(s);
    auto turned = s;  // by the reflection I - 2 v v^T, v = [1 .. 1] / sqrt(n): no longer Metzler
    const auto reflect = [n](double* x, index_t step) {
        double sum = 0;
        for (index_t i = 0; i < n; ++i) sum += x[i * step];
        for (index_t i = 0; i < n; ++i) x[i * step] -= 2 * sum / static_cast<double>(n);
    };
    for (index_t i = 0; i < n; ++i) reflect(turned.a.a.view().row(i), 1);
    for (index_t j = 0; j < n; ++j) reflect(&turned.a.a(0, j), n);
    reflect(turned.b.data(), 1);
    reflect(turned.c.data(), 1);
    check(turned);
    const auto sigma = balance(s).sigma;
    auto far = s;  // squares of lengths beyond the range of double
    for (double& x : far.b.flat()) x *= 0x1p-520;
    for (double& x : far.c.flat()) x *= 0x1p520;
    const auto same = balance(far).sigma;
    for (std::size_t i = 0; i < 10; ++i) CHECK(std::abs(same[i] - sigma[i]) <= 1e-11 * sigma[0]);
    auto none = s;
    none.b = matrix<double>(n, 1);
    CHECK(balance(none).certified);
    for (index_t i = 0; i < n; ++i) {  // and Metzler in units that hide the symmetry
        const double d = i % 2 == 0 ? 1.0 : 1.5;
        for (index_t j = 0; j < n; ++j) s.a.a(i, j) *= d;
        for (index_t j = 0; j < n; ++j) s.a.a(j, i) /= d;
        s.b(i, 0) *= d;
        s.c(0, i) /= d;
    }
    check(s);
}

TEST_CASE("a proof that A is dissipative bounds what its resolvent does, and is refused where A is unstable or too far from normal") {
    random_stream r(8);
    for (const bool metzler : {false, true}) {
        const index_t n = 70;
        matrix<double> a(n, n), c(n, 2), b(n, 2);
        r.fill_normal(c.flat());
        r.fill_normal(b.flat());
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) a(i, j) = i == j ? -1.01 : metzler ? r.uniform(0, 1) / static_cast<double>(n - 1) : 0.5 * r.normal() / std::sqrt(static_cast<double>(n));
        if (metzler)
            for (index_t i = 0; i < n; ++i) {
                const double d = std::pow(10.0, r.uniform(-3, 3));
                for (index_t j = 0; j < n; ++j) a(i, j) *= d;
                for (index_t j = 0; j < n; ++j) a(j, i) /= d;
            }
        const auto proof = detail::dissipation::find(a, detail::lu(a), 0.01);
        REQUIRE(proof);
        CHECK(proof->depth() > 0.5e-5);
        auto in = b, out = c;
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < 2; ++j) {
                in(i, j) /= proof->units()[static_cast<std::size_t>(i)];
                out(i, j) *= proof->units()[static_cast<std::size_t>(i)];
            }
        proof->solve(in.view());
        proof->solve(out.view());
        const continuous<dense<double>> g{{a}, b, detail::transpose(c), {}};
        for (const double omega : {0.0, 0.1, 1.0, 10.0}) {
            const double gain = detail::largest_singular_value(frequency_response(g, omega));
            CHECK(gain <= std::sqrt(dot(in.data(), in.data(), in.size()) * dot(out.data(), out.data(), out.size())));
            CHECK(gain > 0);
        }
        a(0, 0) = 3;
        CHECK(!detail::dissipation::find(a, detail::lu(a), 0.01));
    }
    matrix<double> far(40, 40);  // a chain of strong couplings, turned by a reflection: dissipative in none of the units tried
    for (index_t i = 0; i < 40; ++i)
        for (index_t j = 0; j < 40; ++j)
            for (index_t k = 0; k < 40; ++k) {
                const auto h = [](index_t x, index_t y) { return (x == y) - 0.05; };
                far(i, j) += h(i, k) * (-h(k, j) + (k + 1 < 40 ? 4 * h(k + 1, j) : 0));
            }
    CHECK(!detail::dissipation::find(far, detail::lu(far), 1e-3));
}

TEST_CASE("random systems, normal and far from it, by Gramians of low rank: certified as they are only where the bound is proved, and it holds") {
    int proved = 0, estimated = 0;
    for (std::uint64_t seed = 0; seed < 24; ++seed) {
        random_stream r(seed);
        const index_t n = 100 + static_cast<index_t>(seed), m = 1 + static_cast<index_t>(seed % 3), p = 1 + static_cast<index_t>(seed / 3 % 3);
        continuous<dense<double>> s{{matrix<double>(n, n)}, matrix<double>(n, m), matrix<double>(p, n), {}};
        r.fill_normal(s.b.flat());
        r.fill_normal(s.c.flat());
        auto& a = s.a.a;
        const double range = seed % 2 == 0 ? 3 : 10, couple = seed % 2 == 0 ? 0.5 : 2;
        for (index_t i = 0; i < n; ++i) a(i, i) = -std::pow(range, r.uniform(0, 1));
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) a(i, j) = couple * r.normal() * std::min(-a(i, i), -a(j, j)) / std::sqrt(static_cast<double>(n));
        const auto thin = detail::low_rank_factors(a, s.b, detail::transpose(s.c));
        if (!thin) continue;
        ++(thin->bound ? proved : estimated);
        const auto b = balance(s, {.rank = 3}), measured = balance(s, {.rank = 3, .error = error_report::measured}), whole = balance(s, {.rank = 3, .floor = 0});
        CHECK(b.certified == thin->bound.has_value());
        REQUIRE(measured.measured_error);
        CHECK(*measured.measured_error <= b.bound + b.rounding + measured.measured_rounding);
        CHECK(measured.certified);
        CHECK(whole.certified);
        const double far = thin->bound ? thin->bound->apart + thin->bound->rounding : 0;
        for (std::size_t i = 0; i < b.sigma.size(); ++i) CHECK(std::abs(b.sigma[i] - whole.sigma[i]) <= far + b.rounding + whole.rounding);
    }
    CHECK(proved > 0);
    CHECK(estimated > 0);
}

TEST_CASE("the gap rule, and H2 errors on request") {
    const continuous<diagonal<double>> g{{{-1, -2, -1e3, -2e3}}, {{1}, {1}, {0.1}, {0.1}}, {{1, -1, 0.1, 0.1}}, {}};
    const auto b = balance(g, {.error = error_report::measured, .gap = gap_rule::largest});
    CHECK(b.order() == rank_by_gap(b.sigma));
    REQUIRE(b.measured_h2);
    CHECK(*b.measured_h2 == doctest::Approx(h2_norm(difference(g, b.system))).epsilon(1e-9));
    // With a D of its own the H2 norm in continuous time is infinite: nothing is said.
    const auto s = balance(g, {.rank = 2, .error = error_report::measured, .weak = weak_states::residualize});
    CHECK_FALSE(s.measured_h2);
    CHECK(s.measured_error);
}

TEST_CASE("a certificate is about the stable part, and there is none where the split may have moved that, or left nothing") {
    // An unstable mode [1; delta; 0] beside the stable one [1; 0; 0], turned by a reflection so that no units of the states help.
    const auto leaning = [](double delta) {
        const double m[3][3] = {{-1, 2 / delta, 0}, {0, 1, 0}, {0, 0, -2}}, u[3] = {1, 2, 3};
        const auto h = [&](index_t i, index_t j) { return (i == j) - u[i] * u[j] / 7; };
        continuous<dense<double>> g{{matrix<double>(3, 3)}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 3; ++j)
                for (index_t k = 0; k < 3; ++k)
                    for (index_t l = 0; l < 3; ++l) g.a.a(i, j) += h(i, k) * m[k][l] * h(l, j);
        return g;
    };
    const auto mild = balance(leaning(0.1), {.rank = 1});
    CHECK(mild.unstable == 1);
    CHECK(!mild.stable);
    CHECK(mild.certified);
    const auto steep = balance(leaning(1e-7), {.rank = 1});  // eps |w| |A| = 0.04
    CHECK(steep.unstable == 1);
    CHECK(steep.split_condition > 1e6);
    CHECK(!steep.certified);
    const continuous<dense<double>> nothing{{{{1, 0.3, 0}, {0.1, 2, 0.1}, {0, 0.1, 3}}}, {{1}, {1}, {1}}, {{1, 1, 1}}, {}};
    CHECK(balance(nothing).unstable == 3);
    CHECK(!balance(nothing).certified);
    const continuous<dense<double>> couple{{{{1, 0.3}, {0.1, 2}}}, {{1}, {1}}, {{1, 1}}, {}};
    CHECK(!balance(couple).certified);
    CHECK(balance(continuous<diagonal<double>>{{{1, 2}}, couple.b, couple.c, {}}).certified);  // picked, not computed
}

TEST_CASE("a resolvent between unit Gramians bounds what it does to B and C, where the resolvent as it is does not") {
    // A_ij = -b_i b_j / (s_i + s_j), C = B^T has both Gramians diag(s); R at 0 is -A^-1.
    const double s[2] = {1, 1e-6}, b[2] = {std::sqrt(2 * s[0]), std::sqrt(2 * s[1])}, couple = -b[0] * b[1] / (s[0] + s[1]);
    const continuous<dense<double>> g{{{{-1, couple}, {couple, -1}}}, {{b[0]}, {b[1]}}, {{b[0], b[1]}}, {}};
    const double det = 1 - couple * couple, x = (b[0] + couple * b[1]) / det, y = (b[1] + couple * b[0]) / det;  // -A^-1 B
    const double square = x * x / s[0] + y * y / s[1];  // |S^-1/2 R B|^2, and of C as well
    const std::vector<double> roots{std::sqrt(s[0]), std::sqrt(s[1])}, ones{1, 1};
    CHECK(square > 2 * 1.2 * detail::resolvents_of_both(g, ones, ones).reach);
    const auto both = detail::resolvents_of_both(g, roots, roots);
    CHECK(square <= 2 * both.reach);
    CHECK(square <= 2 * both.observe);
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

TEST_CASE("full order is the same map: either time, any basis, weak states followed or not, unstable poles kept, D, E") {
    random_stream r(16);
    for (int trial = 0; trial < 6; ++trial) {
        const index_t n = 4 + r.below(5), m = 1 + r.below(3), p = 1 + r.below(3), bad = trial % 3;
        const auto head = random_dense(r, n, m, p, 0.8);
        matrix<double> e(n + bad, n + bad);
        r.fill_normal(e.flat(), 0.3);
        for (index_t i = 0; i < n + bad; ++i) e(i, i) += 2;
        const auto check = [&]<template <class> class System>(System<dense<double>> g, double shift) {
            // [head - shift, coupling; 0, unstable], as E x' = A x + B u.
            g = {{matrix<double>(n + bad, n + bad)}, matrix<double>(n + bad, m), matrix<double>(p, n + bad), matrix<double>(p, m)};
            for (auto* x : {&g.a.a, &g.b, &g.c, &g.d}) r.fill_normal(x->flat(), 0.5);
            for (index_t i = 0; i < n + bad; ++i)
                for (index_t j = 0; j < std::max(n, i); ++j) g.a.a(i, j) = i < n ? head.a.a(i, j) - (i == j ? shift : 0) : 0;
            for (index_t i = n; i < n + bad; ++i) g.a.a(i, i) = 1.3 - shift + 0.2 * static_cast<double>(i - n);
            g.a.a = product(e, g.a.a);
            g.b = product(e, g.b);
            const System<sparse<double>> thin{{as_eigen(g.a.a).sparseView(), as_eigen(e).sparseView()}, g.b, g.c, g.d};
            for (const auto basis : {projection::square_root, projection::balancing_free, projection::biorthogonal})
                for (const auto weak : {weak_states::truncate, weak_states::residualize}) {
                    const auto small = balance(explicit_form(e, g), {.basis = basis, .weak = weak});
                    CHECK(small.unstable == bad);
                    CHECK(small.order() - small.delayed == n + bad);
                    CHECK(small.bound == 0);
                    for (const double omega : {0.1, 1.0, 2.9}) {  // a sparse factorisation of i omega E - A knows nothing of any of this
                        const auto x = frequency_response(small.system, omega), y = frequency_response(thin, std::vector{omega})[0];
                        double size = 0, apart = 0;
                        for (std::size_t i = 0; i < x.flat().size(); ++i) {
                            size = std::max(size, std::abs(y.flat()[i]));
                            apart = std::max(apart, std::abs(x.flat()[i] - y.flat()[i]));
                        }
                        CHECK(apart <= 1e-9 * size * small.split_condition);
                    }
                }
        };
        check(discrete<dense<double>>{}, 0);
        check(continuous<dense<double>>{}, 1);
    }
}

TEST_CASE("unstable poles beside residualised states: exact at frequency zero all the same") {
    random_stream r(17);
    for (int trial = 0; trial < 5; ++trial) {
        auto g = random_pairs(r, 3, 4, 2, 2, 0.9);
        g.a.real[0] = 1.4, g.a.re[1] = 0.9, g.a.im[1] = 0.8;
        const auto small = balance(g, {.rank = 3, .weak = weak_states::residualize}), cut = balance(g, {.rank = 3});
        CHECK(small.unstable == 3);
        CHECK(small.order() - small.delayed == 6);
        const auto x = frequency_response(g, 0.0), y = frequency_response(small.system, 0.0), c = frequency_response(cut.system, 0.0);
        double apart = 0, other = 0;
        for (std::size_t i = 0; i < x.flat().size(); ++i) {
            apart = std::max(apart, std::abs(x.flat()[i] - y.flat()[i]));
            other = std::max(other, std::abs(x.flat()[i] - c.flat()[i]));
        }
        CHECK(apart <= 1e-11 * small.sigma[0]);
        CHECK(other > 1e-8 * small.sigma[0]);
    }
}

namespace {

double length(const matrix<double>& x) { return std::sqrt(dot(x.data(), x.data(), x.size())); }

}  // namespace

TEST_CASE("biorthogonal: the same map, both Gramians diagonal, pairs of columns equally long, orders nested") {
    random_stream r(15);
    for (int trial = 0; trial < 10; ++trial) {
        // States in units a million apart, and sigma that span many orders.
        const auto z = random_dense(r, 12, 2, 3);
        continuous<dense<double>> s{z.a, z.b, z.c, {}};
        for (index_t i = 0; i < 12; ++i) s.a.a(i, i) -= 1;
        for (index_t i = 0; i < 12; ++i) {
            const double unit = std::pow(10, r.uniform(-3, 3));
            for (index_t j = 0; j < 12; ++j) s.a.a(i, j) *= unit, s.a.a(j, i) /= unit;
            for (index_t j = 0; j < 2; ++j) s.b(i, j) *= unit;
            for (index_t j = 0; j < 3; ++j) s.c(j, i) /= unit;
        }
        const auto plain = balance(s, {.rank = 6}), other = balance(s, {.rank = 6, .basis = projection::biorthogonal});
        const auto small = balance(s, {.rank = 4, .basis = projection::biorthogonal});
        CHECK(response_distance(plain.system, other.system) <= 1e-10);
        CHECK(other.bound == plain.bound);
        CHECK(other.certified);
        auto wt = product(turned(other.w), other.t);
        for (index_t i = 0; i < 6; ++i) wt(i, i) -= 1;
        CHECK(largest(wt) <= 12 * 2.3e-16 * other.condition);
        // The least |t|_F |w|_F of all scalings of the balanced columns; the 2-norms follow within sqrt(6) each.
        CHECK(length(other.t) * length(other.w) <= length(plain.t) * length(plain.w) * (1 + 1e-9));
        CHECK(other.condition <= 6 * plain.condition);
        const auto wc = controllability(other.system), wo = observability(other.system);
        const auto in = turned(other.t), out = turned(other.w);
        for (index_t i = 0; i < 6; ++i) {
            const double a = dot(in.view().row(i), in.view().row(i), 12), b = dot(out.view().row(i), out.view().row(i), 12);
            CHECK(a == doctest::Approx(b).epsilon(1e-12));
            CHECK(std::sqrt(wc(i, i) * wo(i, i)) == doctest::Approx(other.sigma[static_cast<std::size_t>(i)]).epsilon(1e-8));
            for (index_t j = 0; j < i; ++j) {
                CHECK(std::abs(wc(i, j)) <= 1e-9 * std::sqrt(wc(i, i) * wc(j, j)) * other.sigma[0] / other.sigma[5]);
                CHECK(std::abs(wo(i, j)) <= 1e-9 * std::sqrt(wo(i, i) * wo(j, j)) * other.sigma[0] / other.sigma[5]);
            }
        }
        for (index_t i = 0; i < 4; ++i)
            for (index_t j = 0; j < 4; ++j) CHECK(std::abs(small.system.a.a(i, j) - other.system.a.a(i, j)) <= 1e-9 * (1 + largest(other.system.a.a)));
    }
}

TEST_CASE("three bases, one map: what pyMOR's sr, bfsr and biorth reductors give, and how long their columns are") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/projections.txt");
    index_t n, m, p, r;
    for (int count = 0; file >> n >> m >> p >> r; ++count) {
        const auto read = [&](index_t rows, index_t cols) {
            matrix<double> x(rows, cols);
            for (double& v : x.flat()) file >> v;
            return x;
        };
        const auto a = read(n, n), b = read(n, m), c = read(p, n);
        const continuous<dense<double>> g{{a}, b, c, {}};
        const auto omega = read(1, 3), gain = read(3, 2 * p * m);  // Re, Im of the reduced response, the same for all bases
        const auto lengths = read(1, 3);                            // |t|_F |w|_F by pyMOR: sr, bfsr, biorth
        const auto check = [&](projection basis, double want) {
            const auto s = balance(g, {.rank = r, .basis = basis});
            for (index_t k = 0; k < 3; ++k) {
                const auto h = frequency_response(s.system, omega(0, k));
                for (index_t i = 0; i < p * m; ++i)
                    CHECK(std::abs(h.flat()[static_cast<std::size_t>(i)] - std::complex<double>(gain(k, 2 * i), gain(k, 2 * i + 1))) <= 1e-9 * s.sigma[0]);
            }
            CHECK(length(s.t) * length(s.w) == doctest::Approx(want).epsilon(1e-6));
        };
        check(projection::square_root, lengths(0, 0));
        check(projection::biorthogonal, lengths(0, 2));
        check(projection::balancing_free, lengths(0, 1));
        CHECK(lengths(0, 2) <= lengths(0, 0) * (1 + 1e-12));
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

TEST_CASE("two poles a thousandth apart and strongly coupled: the error stands within what the certificate allows for rounding") {
    const continuous<dense<double>> g{{{{-0.30029296875, -0.58212890625}, {0, -0.3}}},
                                      {{1.9990234375, 1.9990234375}, {1.9990234375, 1.9990234375}},
                                      {{1.416015625, 1.416015625}, {1.416015625, -1e-17}, {1.4072265625, 0}}, {}};
    const auto b = balance(g, {.rank = 1, .error = error_report::measured});
    REQUIRE(b.measured_error);
    CHECK(b.certified);
    CHECK(*b.measured_error <= b.bound + b.rounding + b.measured_rounding);
}

TEST_CASE("many modes, by tolerance: columns left out count in the bound, which holds and is no wider than the true tail by more than a tenth") {
    random_stream r(19);
    for (const index_t m : {1, 3}) {
        discrete<diagonal<double>> real{{}, matrix<double>(300, m), matrix<double>(m, 300), {}};
        continuous<complex_pairs<double>> pairs{{}, matrix<double>(300, m), matrix<double>(m, 300), {}};
        for (auto* x : {&real.b, &real.c, &pairs.b, &pairs.c}) r.fill_normal(x->flat());
        for (index_t i = 0; i < 300; ++i) {
            real.a.poles.push_back(1 - std::pow(10.0, r.uniform(-4, -0.05)));
            if (i < 100) pairs.a.real.push_back(-std::pow(10.0, r.uniform(-2, 3)));
            else if (i < 200) {
                pairs.a.im.push_back(std::pow(10.0, r.uniform(0, 3)));
                pairs.a.re.push_back(-pairs.a.im.back() * std::pow(10.0, r.uniform(-3, 0)));
            }
            const double unit = std::pow(10.0, r.uniform(-4, 4));
            for (index_t j = 0; j < m; ++j) pairs.b(i, j) *= unit, pairs.c(j, i) /= unit;
        }
        for (index_t i = 100; i < 200; ++i)  // the two states of a pair in one unit
            for (index_t j = 0; j < m; ++j) pairs.b(i + 100, j) = pairs.b(i, j), pairs.c(j, i + 100) = pairs.c(j, i);
        const auto check = [](const auto& s, double tolerance) {
            const auto b = balance(s, {.tolerance = tolerance, .error = error_report::measured});
            const auto sigma = hankel_singular_values(s);
            REQUIRE(b.measured_error);
            CHECK(!balance(s, {.tolerance = tolerance}).certified);  // by its bound alone
            CHECK(b.order() == rank_by_tolerance(sigma, tolerance));
            const double tail = tail_bound(sigma, b.order());
            CHECK(b.bound >= tail * (1 - 1e-3));  // of their own values those below rounding, 300 eps sigma_1, are not told apart
            CHECK(b.bound <= 1.1 * tail + 0.5 * tolerance * sigma[0]);
            CHECK(*b.measured_error <= b.bound + b.rounding + b.measured_rounding);
        };
        for (const double tolerance : {1e-2, 1e-5, 1e-8}) check(real, tolerance), check(pairs, tolerance);
    }
}
