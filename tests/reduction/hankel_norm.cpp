#include <hrm/reduction/hankel_norm.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

continuous<dense<double>> random_continuous(random_stream& r, index_t n, index_t m, index_t p) {
    const auto z = random_dense(r, n, m, p, 0.9);
    continuous<dense<double>> s{z.a, z.b, z.c, {}};
    for (index_t i = 0; i < n; ++i) s.a.a(i, i) -= 1;
    return s;
}

}  // namespace

TEST_CASE("the Hankel norm of the error is sigma_{r+1}, smaller than that of balanced truncation; the bound holds") {
    random_stream r(1);
    for (const auto& [m, p] : {std::pair<index_t, index_t>{1, 1}, {2, 2}, {2, 3}, {3, 1}})
        for (index_t rank : {0, 1, 3, 6}) {
            CAPTURE(m);
            CAPTURE(p);
            CAPTURE(rank);
            const auto s = random_continuous(r, 8, m, p);
            const auto h = approximate_hankel_norm(s, {.rank = rank});
            REQUIRE(h.order() == rank);
            CHECK(h.stable);
            CHECK(h.hankel_error == h.sigma[static_cast<std::size_t>(rank)]);
            const auto e = difference(s, h.system);
            CHECK(hankel_singular_values(e)[0] == doctest::Approx(h.hankel_error).epsilon(1e-8));
            CHECK(hinf_norm(e).value <= h.bound * (1 + 1e-8));
            if (rank > 0) CHECK(hankel_singular_values(difference(s, balance(s, {.rank = rank}).system))[0] >= h.hankel_error * (1 - 1e-8));
        }
}

TEST_CASE("discrete time keeps the value and the bound") {
    random_stream r(2);
    for (index_t rank : {1, 3}) {
        const auto z = random_dense(r, 7, 2, 2, 0.8);
        const auto h = approximate_hankel_norm(z, {.rank = rank});
        CHECK(h.order() == rank + h.delayed);
        CHECK(h.stable);
        CHECK(hinf_norm(difference(z, h.system)).value <= h.bound * (1 + 1e-8));
        CHECK(hankel_singular_values(to_continuous(difference(z, h.system)))[0] == doctest::Approx(h.hankel_error).epsilon(1e-7));
    }
}

TEST_CASE("full order, equal values, nothing at all, and unstable systems") {
    random_stream r(3);
    const auto s = random_continuous(r, 5, 1, 1);
    const auto full = approximate_hankel_norm(s);
    CHECK(full.order() == 5);
    CHECK(full.hankel_error == 0);
    // Two equal copies beside each other: sigma come in pairs, and a pair is never cut.
    continuous<dense<double>> twice{{matrix<double>(10, 10)}, matrix<double>(10, 2), matrix<double>(2, 10), {}};
    for (index_t i = 0; i < 5; ++i)
        for (index_t h = 0; h < 2; ++h) {
            for (index_t j = 0; j < 5; ++j) twice.a.a(5 * h + i, 5 * h + j) = s.a.a(i, j);
            twice.b(5 * h + i, h) = s.b(i, 0);
            twice.c(h, 5 * h + i) = s.c(0, i);
        }
    const auto h = approximate_hankel_norm(twice, {.rank = 4});
    CHECK(h.order() == 4);
    CHECK(hankel_singular_values(difference(twice, h.system))[0] == doctest::Approx(h.hankel_error).epsilon(1e-7));
    CHECK(approximate_hankel_norm(twice, {.rank = 3}).order() == 2);
    CHECK(approximate_hankel_norm(continuous<dense<double>>{}).order() == 0);
    CHECK_THROWS_AS(approximate_hankel_norm(continuous<diagonal<double>>{{{1}}, {{1}}, {{1}}, {}}), unstable_error);
}
