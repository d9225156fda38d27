#include <hrm/reduction/empirical.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/gramian.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

matrix<double> normal(random_stream& r, index_t rows, index_t cols) {
    matrix<double> x(rows, cols);
    r.fill_normal(x.flat());
    return x;
}

}  // namespace

TEST_CASE("the accumulator is the mean of the outer products") {
    random_stream r(1);
    state_covariance w(4);
    matrix<double> sum(4, 4);
    for (index_t rows : {1, 5, 0, 17}) {
        const auto s = normal(r, rows, 4);
        w.add(s.view());
        for (index_t t = 0; t < rows; ++t)
            for (index_t i = 0; i < 4; ++i)
                for (index_t j = 0; j < 4; ++j) sum(i, j) += s(t, i) * s(t, j) / 23;
    }
    CHECK(w.count() == 23);
    CHECK(distance(w.gramian(), sum) <= 1e-15 * 23);
    CHECK(largest(state_covariance(3).gramian()) == 0);
}

TEST_CASE("any order of adding and merging gives the same bits") {
    random_stream r(2);
    std::vector<matrix<float>> all;
    for (index_t i = 0; i < 12; ++i) {
        matrix<float> s(1 + r.below(40), 3);
        r.fill_normal(s.flat(), std::exp(10 * r.normal()));  // wildly different sizes: a plain sum would differ
        all.push_back(s);
    }
    state_covariance once(3);
    for (const auto& s : all) once.add(s.view());
    for (int trial = 0; trial < 20; ++trial) {
        for (std::size_t i = all.size(); i-- > 1;) std::swap(all[i], all[static_cast<std::size_t>(r.below(static_cast<index_t>(i + 1)))]);
        std::vector<state_covariance> workers(4, state_covariance(3));
        for (const auto& s : all) workers[static_cast<std::size_t>(r.below(4))].add(s.view());
        workers[2].merge(workers[0]);
        workers[1].merge(workers[3]);
        if (trial % 2) workers[1].merge(workers[2]);
        else workers[1].merge(workers[2].words());  // from another process
        CHECK(workers[1].gramian() == once.gramian());
        CHECK(workers[1].count() == once.count());
        CHECK(workers[1].words() == once.words());
    }
    auto words = once.words();
    state_covariance other(4), same(3);
    CHECK_THROWS_AS(other.merge(words), shape_error);
    CHECK_THROWS_AS(same.merge(std::span<const std::int64_t>(words).first(words.size() - 1)), shape_error);
    CHECK(same.count() == 0);
}

TEST_CASE("exact sums: cancellation, tiny and huge numbers, many carries") {
    detail::exact_sum s;
    for (double x : {1e30, 1e-30, -1e30, 3.0, -1e-30}) s.add(x);
    CHECK(s.value() == 3.0);
    detail::exact_sum negative;
    for (int i = 0; i < 100000; ++i) negative.add(-0.1);
    CHECK(negative.value() == doctest::Approx(-1e4).epsilon(1e-15));
    negative.carry();
    for (int i = 0; i < 100000; ++i) negative.add(0.1);
    CHECK(negative.value() == 0);
    detail::exact_sum ends;
    ends.add(0x1p126);
    ends.add(0x1p-159);
    ends.add(-0x1p126);
    CHECK(ends.value() == 0x1p-159);
    ends.add(0x1p-300);
    CHECK(ends.value() == 0x1p-159);
}

TEST_CASE("white input: the empirical Gramian tends to the exact one; coloured input: to the Enns Gramian") {
    // Each entry of W_emp is a mean over N independent sequences of z_i z_j; its standard error is estimated from the
    // sequences themselves, and 5 of them fail by chance once in 10^6 entries.
    random_stream r(5);
    const auto s = random_pairs(r, 1, 2, 2, 1, 0.8);
    const index_t n = s.order(), length = 400, sequences = 300, skip = 150;
    const double colour = 0.6;
    // Coloured input: u_t = colour u_{t-1} + e_t, which is the system with the filter's two states in front. Its Gramian's
    // leading block is the Enns Gramian.
    discrete<dense<double>> enns{{matrix<double>(n + 2, n + 2)}, matrix<double>(n + 2, 2), matrix<double>(1, n + 2), {}};
    const auto a = to_dense(s.a);
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) enns.a.a(i, j) = a(i, j);
        for (index_t j = 0; j < 2; ++j) enns.a.a(i, n + j) = colour * s.b(i, j), enns.b(i, j) = s.b(i, j);
    }
    for (index_t j = 0; j < 2; ++j) enns.a.a(n + j, n + j) = colour, enns.b(n + j, j) = 1;

    for (const double c : {0.0, colour}) {
        const auto want = c == 0 ? controllability(s) : controllability(enns);
        state_covariance w(n);
        matrix<double> square(n, n);
        for (index_t q = 0; q < sequences; ++q) {
            matrix<double> states(length, n);
            std::vector<double> x(static_cast<std::size_t>(n)), u(2);
            for (index_t t = 0; t < length; ++t) {
                auto next = x;
                for (auto& v : u) v = c * v + r.normal();
                for (index_t i = 0; i < n; ++i) {
                    double sum = 0;
                    for (index_t j = 0; j < n; ++j) sum += a(i, j) * x[static_cast<std::size_t>(j)];
                    for (index_t j = 0; j < 2; ++j) sum += s.b(i, j) * u[static_cast<std::size_t>(j)];
                    next[static_cast<std::size_t>(i)] = states(t, i) = sum;
                }
                x = next;
            }
            // The start from zero biases the mean; 0.8^150 = 3e-15 does not.
            const auto steady = states.view().slice_rows(skip, length - skip);
            w.add(steady);
            state_covariance one(n);
            one.add(steady);
            const auto g = one.gramian();
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j) square(i, j) += g(i, j) * g(i, j) / static_cast<double>(sequences);
        }
        const auto got = w.gramian();
        double worst = 0;
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) {
                const double variance = (square(i, j) - got(i, j) * got(i, j)) / static_cast<double>(sequences);
                worst = std::max(worst, std::abs(got(i, j) - want(i, j)) / std::sqrt(variance));
            }
        CHECK(worst < 5);
        // And the two limits are far apart, so that the test can tell them from each other.
        if (c != 0) CHECK(std::abs(want(0, 0) / controllability(s)(0, 0) - 1) > 0.05);
    }
}

TEST_CASE("bad states are refused whole") {
    state_covariance w(2);
    const matrix<double> bad{{1, std::nan("")}}, wide(1, 3);
    CHECK_THROWS_AS(w.add(bad.view()), numerical_error);
    CHECK_THROWS_WITH_AS(w.add(wide.view()), "hrm::state_covariance: states is 1x3, expected 1x2", shape_error);
    CHECK(w.count() == 0);
    CHECK(largest(w.gramian()) == 0);
    CHECK_THROWS_AS(w.merge(state_covariance(3)), shape_error);
}

TEST_CASE("complex: the mean of s s^H, Hermitian, the same bits in any order; impulse responses give the Gramian") {
    random_stream r(6);
    const index_t n = 3;
    std::vector<matrix<std::complex<float>>> all;
    state_covariance_of<number> once(n);
    matrix<number> sum(n, n);
    index_t rows = 0;
    for (int k = 0; k < 9; ++k) {
        all.emplace_back(1 + r.below(30), n);
        r.fill_normal(all.back().flat(), std::exp(4 * r.normal()));
        once.add(all.back().view());
        rows += all.back().rows();
    }
    for (const auto& s : all)
        for (index_t t = 0; t < s.rows(); ++t)
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j) sum(i, j) += number(s(t, i)) * std::conj(number(s(t, j))) / static_cast<double>(rows);
    CHECK(once.count() == rows);
    CHECK(distance_of(once.gramian(), sum) <= static_cast<double>(rows) * 2.3e-16);
    CHECK(adjoint_of(once.gramian()) == once.gramian());
    for (int trial = 0; trial < 5; ++trial) {
        std::vector<state_covariance_of<number>> workers(3, state_covariance_of<number>(n));
        for (std::size_t i = all.size(); i-- > 0;) workers[static_cast<std::size_t>(r.below(3))].add(all[i].view());
        workers[0].merge(workers[1]);
        workers[0].merge(workers[2].words());
        CHECK(workers[0].gramian() == once.gramian());
        CHECK(workers[0].words() == once.words());
    }
    state_covariance of_reals(n);
    CHECK_THROWS_AS(of_reals.merge(once.words()), shape_error);
    matrix<number> bad(2, n);
    bad(1, 2).imag(std::nan(""));
    CHECK_THROWS_WITH_AS(once.add(bad.view()), "hrm::state_covariance: states are not finite", numerical_error);
    CHECK(once.count() == rows);

    const auto g = drawn<discrete<diagonal<number>>>(r, 4, 1, 1);
    matrix<number> states(9000, 4);
    for (index_t t = 0; t < 9000; ++t)
        for (index_t i = 0; i < 4; ++i) states(t, i) = t == 0 ? g.b(i, 0) : g.a.poles[static_cast<std::size_t>(i)] * states(t - 1, i);
    state_covariance_of<number> impulse(4);
    impulse.add(states.view());
    CHECK(distance_of(times(9000, impulse.gramian()), controllability(g)) <= 1e-12);
}
