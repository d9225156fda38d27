#include <hrm/systems/response.hpp>

#include <fstream>

#include <hrm/systems/discretize.hpp>

#include "../support/complex_systems.hpp"
#include "support.hpp"

using namespace hrm;
using complex = std::complex<double>;

TEST_CASE("frequency response agrees with SciPy, one step ahead of it") {
    std::ifstream file(HRM_TEST_DATA "/systems/data/response.txt");
    int count = 0;
    for (index_t n, m, p; file >> n >> m >> p; ++count) {
        discrete<dense<double>> g;
        g.a.a = read_matrix(file, n, n);
        g.b = read_matrix(file, n, m);
        g.c = read_matrix(file, p, n);
        g.d = read_matrix(file, p, m);
        const auto omega = read_matrix(file, 1, 4), re = read_matrix(file, 1, 4), im = read_matrix(file, 1, 4);
        const auto got = frequency_response(g, omega.flat());
        for (index_t k = 0; k < 4; ++k) {
            // SciPy's C (zI - A)^-1 B answers a step later than ours: a factor z.
            const complex want = std::polar(1.0, omega(0, k)) * complex(re(0, k), im(0, k)) + g.d(0, 0);
            CHECK(std::abs(got[static_cast<std::size_t>(k)](0, 0) - want) < 1e-12 * (1 + std::abs(want)));
        }
    }
    CHECK(count == 3);
}

TEST_CASE("the response of diagonal and pairs is that of the dense system") {
    const auto check = [](const auto& g, const auto& want) {
        for (const double omega : {0.0, 0.7, 2.0, 3.14159}) CHECK(relative_error(frequency_response(g, omega), frequency_response(want, omega)) < 1e-11);
    };
    check(some_pairs(), to_dense(some_pairs()));
    const auto p = discretize(some_pairs(), 0.1);
    check(p, to_dense(p));
    auto slow = some_diagonal();
    slow.a.poles[3] = -0.2;
    const auto d = discretize(slow, 0.1);
    check(d, to_dense(d));
    const auto h = impulse_response(p, 20), k = impulse_response(to_dense(p), 20);
    for (std::size_t t = 0; t < 20; ++t) CHECK(relative_error(h[t], k[t]) < 1e-13);
}

TEST_CASE("the impulse response is what the recurrence answers, and its transform is the frequency response") {
    const auto g = random_system(1, 5, 2, 3, 0.8, true);
    const auto h = impulse_response(g, 300);
    // s_t = A s_{t-1} + B u_t, y_t = C s_t + D u_t with u = (1, 0), 0, 0, ...
    std::vector<double> s(5), next(5);
    for (std::size_t t = 0; t < 6; ++t) {
        for (index_t i = 0; i < 5; ++i) {
            next[static_cast<std::size_t>(i)] = t == 0 ? g.b(i, 0) : 0;
            for (index_t j = 0; j < 5; ++j) next[static_cast<std::size_t>(i)] += g.a.a(i, j) * s[static_cast<std::size_t>(j)];
        }
        s = next;
        for (index_t i = 0; i < 3; ++i) {
            double y = t == 0 ? g.d(i, 0) : 0;
            for (index_t j = 0; j < 5; ++j) y += g.c(i, j) * s[static_cast<std::size_t>(j)];
            CHECK(h[t](i, 0) == doctest::Approx(y).epsilon(1e-12));
        }
    }
    const double omega = 1.1;
    matrix<complex> sum(3, 2);
    for (std::size_t t = 0; t < h.size(); ++t)
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 2; ++j) sum(i, j) += h[t](i, j) * std::polar(1.0, -omega * static_cast<double>(t));
    CHECK(relative_error(sum, frequency_response(g, omega)) < 1e-12);  // 0.8^300 is nothing
    // The step response ends at the DC gain.
    CHECK(relative_error(step_response(g, 300).back(), frequency_response(g, 0.0)) < 1e-12);
    CHECK(impulse_response(g, 0).empty());
}

TEST_CASE("responses of wrong shapes are refused") {
    auto g = random_system(1, 2, 1, 1, 0.5, false);
    g.c = matrix<double>(1, 3);
    CHECK_THROWS_AS(impulse_response(g, 3), shape_error);
    CHECK_THROWS_AS(frequency_response(g, 0.0), shape_error);
}

TEST_CASE("a transfer function is prepared once, and finds modes in a dense A") {
    const auto pairs = some_pairs();
    const auto whole = to_dense(pairs);
    const transfer_function modal(pairs), dense_form(whole), hidden(random_system(3, 6, 2, 3, 0.9, true));
    for (const double omega : {0.0, 0.3, 4.0, 100.0}) {
        CHECK(relative_error(dense_form(omega), modal(omega)) < 1e-13);
        CHECK(relative_error(hidden(omega), frequency_response(random_system(3, 6, 2, 3, 0.9, true), omega)) == 0);
    }
    CHECK(transfer_function(continuous<dense<double>>{{}, matrix<double>(0, 1), matrix<double>(1, 0), {{7}}})(1.0)(0, 0) == complex(7));
}

TEST_CASE("the frequency response of complex systems agrees with NumPy, on both sides of zero") {
    for (const auto& r : complex_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            CAPTURE(r.diagonal);
            for (int k = 0; k < 3; ++k) {
                CHECK(distance_of(frequency_response(g, r.omega[k]), r.g[k]) < 1e-12);
                CHECK(distance_of(frequency_response(to_dense(g), r.omega[k]), r.g[k]) < 1e-12);
            }
        });
}

TEST_CASE("the impulse response of a complex system transforms to its frequency response, diagonal and dense alike") {
    random_stream r(17);
    const discrete<diagonal<number>> g{{{{0.5, 0.5}, {-0.25, 0.625}, {0, -0.5}}}, normal_complex(r, 3, 2), normal_complex(r, 2, 3), normal_complex(r, 2, 2)};
    const auto h = impulse_response(g, 120), k = impulse_response(to_dense(g), 120), s = step_response(g, 4);
    CHECK(distance_of(h[0], [&] {
              auto direct = times(g.c, g.b);
              for (std::size_t i = 0; i < direct.flat().size(); ++i) direct.flat()[i] += g.d.flat()[i];
              return direct;
          }()) < 1e-15);
    for (std::size_t t = 0; t < 120; ++t) CHECK(distance_of(h[t], k[t]) < 1e-12);
    matrix<number> sum(2, 2);
    for (std::size_t t = 0; t < 120; ++t)
        for (std::size_t i = 0; i < 4; ++i) sum.flat()[i] += h[t].flat()[i] * std::polar(1.0, 0.4 * static_cast<double>(t));
    CHECK(distance_of(sum, frequency_response(g, -0.4)) < 1e-13);  // 0.71^120 is 1e-18
    CHECK(std::abs(s[3](1, 0) - (h[0](1, 0) + h[1](1, 0) + h[2](1, 0) + h[3](1, 0))) < 1e-14);
}
