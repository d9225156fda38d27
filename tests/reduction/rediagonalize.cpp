#include <hrm/reduction/rediagonalize.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/balance.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

std::vector<matrix<double>> markov_of(const rediagonalized& r, index_t steps) {
    return std::visit([&](const auto& s) { return markov(s, steps); }, r.system);
}

}  // namespace

TEST_CASE("the modal form has the dense system's impulse response, real, with real and complex poles") {
    random_stream r(1);
    int complex = 0, trials = 0;
    for (int trial = 0; trial < 40; ++trial) {
        auto s = random_dense(r, 1 + r.below(12), 1 + r.below(3), 1 + r.below(3));
        s.d = matrix<double>(s.outputs(), s.inputs(), 0.5);
        const auto m = rediagonalize(s);
        if (!m.diagonal()) continue;
        ++trials;
        CHECK(m.condition <= largest_modal_condition);
        CHECK(relative_distance(markov(s, 80), markov_of(m, 80)) <= 1e-10);
        const auto& modal = std::get<0>(m.system);
        CHECK(modal.order() == s.order());
        complex += modal.a.pairs() > 0;
        for (double x : modal.a.im) CHECK(x > 0);
    }
    CHECK(trials >= 38);
    CHECK(complex >= 20);
}

TEST_CASE("truncated dynamics survive: the diagonal of A_r alone, or B scaled again, would not do") {
    random_stream r(2);
    for (int trial = 0; trial < 10; ++trial) {
        const auto full = random_pairs(r, 4, 6, 3, 3, 0.95);
        const auto b = balance(full, {.rank = 6});
        const auto h = markov(b.system, 100);
        const auto m = rediagonalize(b.system);
        CHECK(relative_distance(h, markov_of(m, 100)) <= 1e-10);
        // Each Markov parameter of the truncated system is within the H-infinity bound of the original's.
        const auto original = markov(full, 100), modal = markov_of(m, 100);
        for (std::size_t k = 0; k < h.size(); ++k) CHECK(distance(original[k], modal[k]) <= b.bound * (1 + 1e-9));
        // The two shortcuts that lose the dynamics.
        auto diagonal_only = b.system;
        for (index_t i = 0; i < 6; ++i)
            for (index_t j = 0; j < 6; ++j)
                if (i != j) diagonal_only.a.a(i, j) = 0;
        CHECK(relative_distance(h, markov(diagonal_only, 100)) > 0.05);
        auto rescaled = b.system;
        for (index_t i = 0; i < 6; ++i) {
            const double a = std::log(std::abs(rescaled.a.a(i, i)));  // as if B were continuous, one more ZOH
            for (index_t j = 0; j < 3; ++j) rescaled.b(i, j) *= std::expm1(a) / a;
        }
        CHECK(relative_distance(h, markov(rescaled, 100)) > 0.05);
    }
}

TEST_CASE("defective and nearly defective A stay dense, and say so") {
    discrete<dense<double>> jordan{{{{0.5, 1, 0}, {0, 0.5, 1}, {0, 0, 0.5}}}, {{0}, {0}, {1}}, {{1, 0, 0}}, {}};
    for (double split : {0.0, 1e-12, 1e-7}) {
        jordan.a.a(1, 1) = 0.5 + split;
        const auto m = rediagonalize(jordan);
        CHECK_FALSE(m.diagonal());
        CHECK(m.condition > largest_modal_condition);
        CHECK(std::get<1>(m.system).a.a == jordan.a.a);
        CHECK(relative_distance(markov(jordan, 30), markov_of(m, 30)) == 0);
    }
    // A caller may accept more.
    jordan.a.a(1, 1) = 0.51;
    jordan.a.a(2, 2) = 0.53;
    CHECK(rediagonalize(jordan, 1e12).diagonal());
}

TEST_CASE("repeated poles with independent eigenvectors are no obstacle; nor is order 0") {
    const discrete<dense<double>> s{{{{0.5, 0}, {0, 0.5}}}, {{1}, {2}}, {{1, 1}}, {}};
    const auto m = rediagonalize(s);
    CHECK(m.diagonal());
    CHECK(m.condition == doctest::Approx(1));
    const discrete<dense<float>> none{{matrix<float>(0, 0)}, matrix<float>(0, 2), matrix<float>(3, 0), {}};
    const auto e = rediagonalize(none);
    CHECK(e.diagonal());
    CHECK(std::get<0>(e.system).outputs() == 3);
    CHECK(std::get<0>(e.system).inputs() == 2);
    auto bad = s;
    bad.a.a(0, 1) = std::nan("");
    CHECK_THROWS_AS(rediagonalize(bad), numerical_error);
}

TEST_CASE("a complex system has one mode a pole, or stays dense where its eigenvectors depend on each other") {
    random_stream r(5);
    for (int trial = 0; trial < 10; ++trial) {
        const index_t n = 1 + r.below(10);
        discrete<dense<number>> s{{normal_complex(r, n, n)}, normal_complex(r, n, 2), normal_complex(r, 3, n), normal_complex(r, 3, 2)};
        for (auto& x : s.a.a.flat()) x *= 0.3;
        const auto m = rediagonalize(s);
        REQUIRE(m.diagonal());
        const auto x = impulse_response(s, 30), y = impulse_response(std::get<0>(m.system), 30);
        for (std::size_t k = 0; k < x.size(); ++k) CHECK(distance_of(y[k], x[k]) < 1e-13 * m.condition * m.condition);
    }
    CHECK(rediagonalize(discrete<dense<number>>{{random_unitary(r, 6)}, matrix<number>(6, 1), matrix<number>(1, 6), {}}).condition == doctest::Approx(1));  // normal
    const auto jordan = rediagonalize(discrete<dense<number>>{{{{{0, 0.5}, 1}, {0, {0, 0.5}}}}, {{1}, {1}}, {{1, 1}}, {}});
    CHECK_FALSE(jordan.diagonal());
    CHECK(std::get<1>(jordan.system).order() == 2);
    CHECK(rediagonalize(discrete<dense<number>>{}).diagonal());
    CHECK_THROWS_AS(rediagonalize(discrete<dense<number>>{{{{{0, std::nan("")}}}}, {{1}}, {{1}}, {}}), numerical_error);
}
