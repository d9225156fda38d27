#include <hrm/systems/convert.hpp>

#include <numbers>

#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/stein.hpp>
#include <hrm/systems/response.hpp>
#include <hrm/systems/split.hpp>

#include "../support/complex_systems.hpp"
#include "support.hpp"

using namespace hrm;

TEST_CASE("casts there and back, for every structure") {
    const auto g = some_pairs();
    const auto f = cast<float>(g);
    static_assert(std::same_as<decltype(f.a), complex_pairs<float>>);
    CHECK(f.b(1, 1) == static_cast<float>(g.b(1, 1)));
    CHECK(f.d.empty());
    CHECK(cast<float>(cast<double>(f)).a.im == f.a.im);
    CHECK(cast<double>(some_diagonal()).d == some_diagonal().d);
    CHECK(cast<double>(random_system(1, 3, 1, 1, 0.5, true)).a.a == random_system(1, 3, 1, 1, 0.5, true).a.a);
}

TEST_CASE("a difference answers with the difference of the answers") {
    const auto g = random_system(1, 4, 2, 3, 0.9, true);
    const discrete<diagonal<float>> h{{{0.5f, -0.5f}}, matrix<float>(2, 2, 1.0f), matrix<float>(3, 2, 2.0f), {}};
    const auto e = difference(g, h);
    CHECK(e.order() == 6);
    const auto x = impulse_response(e, 9), y = impulse_response(g, 9), z = impulse_response(h, 9);
    for (std::size_t t = 0; t < 9; ++t)
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 2; ++j) CHECK(x[t](i, j) == doctest::Approx(y[t](i, j) - z[t](i, j)).epsilon(1e-12));
    CHECK_THROWS_WITH_AS(difference(g, random_system(1, 2, 1, 3, 0.9, false)), "hrm::difference: inputs of H is 1, expected 2", shape_error);
    CHECK_THROWS_AS(difference(g, random_system(1, 2, 2, 1, 0.9, false)), shape_error);
}

TEST_CASE("to_continuous moves the frequencies and keeps the Gramians") {
    const auto g = random_system(3, 5, 2, 2, 0.95, true);
    const auto c = to_continuous(g);
    for (const double omega : {0.0, 0.4, 1.5, 3.0}) {
        // z = (1 + s)/(1 - s): e^{i omega} is s = i tan(omega / 2).
        CHECK(relative_error(frequency_response(c, std::tan(omega / 2)), frequency_response(g, omega)) < 1e-12);
    }
    // The observability Gramian is the same; the controllability Gramian is that of A B, which is A X A^T.
    matrix<double> at(5, 5), ct(5, 2), cat(5, 5), cct(5, 2);
    for (index_t i = 0; i < 5; ++i) {
        for (index_t j = 0; j < 5; ++j) {
            at(i, j) = g.a.a(j, i);
            cat(i, j) = c.a.a(j, i);
        }
        for (index_t j = 0; j < 2; ++j) {
            ct(i, j) = g.c(j, i);
            cct(i, j) = c.c(j, i);
        }
    }
    CHECK(relative_error(lyapunov_factor(cat, cct), stein_factor(at, ct)) < 1e-11);
    CHECK_THROWS_AS(to_continuous(discrete<diagonal<double>>{{{-1.0}}, {{1}}, {{1}}, {}}), numerical_error);
}

TEST_CASE("a complex system is cast to another precision and stays complex; beside a real one the difference is complex") {
    random_stream r(12);
    const continuous<diagonal<number>> g{{{{-1, 2}, {-0.5, -1}}}, normal_complex(r, 2, 1), normal_complex(r, 1, 2), {}};
    const auto f = cast<float>(g);
    static_assert(std::same_as<decltype(f.a), diagonal<std::complex<float>>>);
    CHECK(f.b(1, 0) == static_cast<std::complex<float>>(g.b(1, 0)));
    CHECK(cast<double>(f).a.poles == g.a.poles);
    const continuous<dense<float>> h{{{{-1, 1}, {0, -2}}}, {{1}, {2}}, {{1, -1}}, {{3}}};
    const auto e = difference(g, h);
    static_assert(std::same_as<decltype(e.a), dense<number>>);
    CHECK(e.order() == 4);
    const auto x = frequency_response(e, -0.3)(0, 0), y = frequency_response(g, -0.3)(0, 0) - frequency_response(h, -0.3)(0, 0);
    CHECK(std::abs(x - y) < 1e-14 * std::abs(y));
}

TEST_CASE("to_continuous of complex systems moves the frequencies, on the whole axis") {
    for (const auto& r : complex_references())
        r.visit([](const auto& g) {
            if constexpr (detail::is_discrete<std::decay_t<decltype(g)>>) {
                const auto c = to_continuous(g);
                for (const double omega : {-2.0, 0.0, 0.4, 3.0})
                    CHECK(distance_of(frequency_response(c, std::tan(omega / 2)), frequency_response(g, omega)) < 1e-12);
            }
        });
    CHECK_THROWS_AS(to_continuous(discrete<diagonal<number>>{{{-1.0}}, {{1}}, {{1}}, {}}), numerical_error);
}
