#include <hrm/reduction/identify.hpp>

#include <fstream>

#include <doctest/doctest.h>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/reduction/markov.hpp>
#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

struct record {
    matrix<double> u, y;
};
/// White input, and the output of the system from rest.
template <class A>
record run(const discrete<A>& s, index_t length, random_stream& r, index_t skip = 0) {
    const auto a = to_dense(s.a);
    matrix<double> u(length, s.inputs()), y(length, s.outputs()), x(s.order(), 1);
    r.fill_normal(u.flat());
    for (index_t t = 0; t < length; ++t) {
        auto next = product(a, x);
        for (index_t i = 0; i < s.order(); ++i)
            for (index_t j = 0; j < s.inputs(); ++j) next(i, 0) += s.b(i, j) * u(t, j);
        x = next;
        for (index_t i = 0; i < s.outputs(); ++i) {
            for (index_t k = 0; k < s.order(); ++k) y(t, i) += s.c(i, k) * x(k, 0);
            for (index_t j = 0; j < s.inputs() && !s.d.empty(); ++j) y(t, i) += s.d(i, j) * u(t, j);
        }
    }
    const auto late = [&](const matrix<double>& v) { return matrix<double>(matrix_view<const double>(v.view().slice_rows(skip, length - skip))); };
    return {late(u), late(y)};
}

}  // namespace

TEST_CASE("against NumPy's least squares: the observer, the Markov parameters and the gain") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/identification.txt");
    index_t length = 0, m = 0, p = 0, lags = 0, count = 0, direct = 0;
    file >> length >> m >> p >> lags >> count >> direct;
    const auto read = [&](index_t rows, index_t cols) {
        matrix<double> x(rows, cols);
        for (double& v : x.flat()) file >> v;
        REQUIRE(file);
        return x;
    };
    const auto u = read(length, m), y = read(length, p);
    const auto got = okid(u.view(), y.view(), {.lags = lags, .count = count});
    CHECK(got.fit.determined());
    // Both solutions err by some eps times the condition (about 30), twelve steps of recursion apart.
    for (index_t k = 0; k < count; ++k) CHECK(distance(got.h[static_cast<std::size_t>(k)], read(p, m)) <= 1e-12);
    for (index_t k = 1; k < count; ++k) CHECK(distance(got.gain[static_cast<std::size_t>(k)], read(p, p)) <= 1e-12);
    const auto plain = markov_parameters(u.view(), y.view(), {.count = direct, .start = before::unknown});
    for (index_t k = 0; k < direct; ++k) CHECK(distance(plain.h[static_cast<std::size_t>(k)], read(p, m)) <= 1e-12);
    const auto left = read(1, 2);
    CHECK(got.fit.residual == doctest::Approx(left(0, 0)).epsilon(1e-12));
    CHECK(plain.fit.residual == doctest::Approx(left(0, 1)).epsilon(1e-12));
}

TEST_CASE("noise-free: a system that is silent after a few steps is read off; then ERA finds it") {
    random_stream r(1);
    discrete<dense<double>> s{{matrix<double>(4, 4)}, matrix<double>(4, 2), matrix<double>(3, 4), matrix<double>(3, 2, 0.5)};
    for (index_t i = 0; i + 1 < 4; ++i) s.a.a(i + 1, i) = 1.0 + 0.3 * static_cast<double>(i);  // nilpotent
    r.fill_normal(s.b.flat());
    r.fill_normal(s.c.flat());
    const auto data = run(s, 200, r);
    const auto got = markov_parameters(data.u.view(), data.y.view(), {.count = 8});
    CHECK(got.fit.determined());
    CHECK(relative_distance(markov(s, 8), got.h) <= 1e-13);
    CHECK(got.fit.residual <= 1e-12);
    auto strict = got.h;
    for (index_t i = 0; i < 6; ++i) strict[0].flat()[static_cast<std::size_t>(i)] -= 0.5;
    CHECK(era(strict).system.order() == 4);
}

TEST_CASE("noise-free, lightly damped: OKID gives every Markov parameter, order and Hankel singular values by ERA") {
    random_stream r(2);
    for (const auto start : {before::rest, before::unknown})
        for (index_t p : {1, 2, 3}) {
            const auto s = random_pairs(r, 1, 2, 2, p, 0.97);
            const auto data = run(s, 400, r, start == before::rest ? 0 : 57);
            const auto got = okid(data.u.view(), data.y.view(), {.lags = 8, .count = 1000, .start = start});
            CHECK(got.fit.residual <= 1e-10);
            CHECK(got.fit.determined() == (8 * p == 5));  // one of many observers, and the same system
            const auto want = markov(s, 1000);
            CHECK(relative_distance(want, got.h) <= 1e-9);
            const auto model = era(got.h, {.tolerance = 1e-7});
            CHECK(model.system.order() == 5);
            const auto exact = hankel_singular_values(s);
            for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(model.sigma[i] - exact[i]) <= 1e-8 * exact[0]);
        }
}

TEST_CASE("noise: OKID's gain is the Kalman filter's, and its parameters are nearer than those read off") {
    // x_t = 0.8 x_{t-1} + u_t + w_t,  y_t = x_t + v_t: what is to come of y given y up to t-1 has the gain a K, K from the
    // Riccati equation of the one-step error P:  P = a^2 (P - P^2 / (P + rv)) + rw.
    random_stream r(3);
    const double a = 0.8, rw = 0.2, rv = 0.5;
    const index_t length = 60000;
    matrix<double> u(length, 1), y(length, 1);
    double x = 0;
    for (index_t t = 0; t < length; ++t) {
        u(t, 0) = r.normal();
        x = a * x + u(t, 0) + std::sqrt(rw) * r.normal();
        y(t, 0) = x + std::sqrt(rv) * r.normal();
    }
    double error = 1;
    for (int i = 0; i < 200; ++i) error = a * a * (error - error * error / (error + rv)) + rw;
    const double gain = a * error / (error + rv);
    const auto got = okid(u.view(), y.view(), {.lags = 12, .count = 6});
    CHECK(got.fit.determined());
    // Each coefficient's standard error is at most sqrt((error + rv) / length) = 0.004 (its input has variance 1 and more);
    // five of them.
    const double five = 5 * std::sqrt((error + rv) / static_cast<double>(length));
    for (index_t k = 0; k < 6; ++k) CHECK(std::abs(got.h[static_cast<std::size_t>(k)](0, 0) - std::pow(a, k)) <= 2 * five);
    for (index_t k = 1; k < 4; ++k) CHECK(std::abs(got.gain[static_cast<std::size_t>(k)](0, 0) - gain * std::pow(a, k - 1)) <= 2 * five);
}

TEST_CASE("an input that does not excite: least norm, and it says so") {
    const index_t length = 50;
    matrix<double> u(length, 1, 1.0), y(length, 1, 3.0), silent(length, 1);
    const auto got = markov_parameters(u.view(), y.view(), {.count = 6, .start = before::unknown});
    CHECK(got.fit.rank == 1);
    CHECK_FALSE(got.fit.determined());
    for (const auto& h : got.h) CHECK(h(0, 0) == doctest::Approx(0.5));  // 3 shared by six
    const auto none = markov_parameters(silent.view(), y.view());
    CHECK(none.fit.rank == 0);
    CHECK(largest(none.h[0]) == 0);
    CHECK(none.fit.residual == doctest::Approx(3 * std::sqrt(50.0)));
}

TEST_CASE("too few samples, bad numbers, no inputs, no outputs") {
    const matrix<double> u(10, 2, 1.0), y(10, 3, 1.0), short_y(9, 3);
    CHECK_THROWS_WITH_AS(markov_parameters(u.view(), y.view(), {.count = 11, .start = before::unknown}),
                         "hrm::markov_parameters: 10 samples, expected at least 11", shape_error);
    CHECK_THROWS_AS(okid(u.view(), y.view(), {.lags = 10, .start = before::unknown}), shape_error);
    CHECK_THROWS_AS(markov_parameters(u.view(), short_y.view()), shape_error);
    CHECK_THROWS_AS(markov_parameters(u.view(), y.view(), {.count = 0}), shape_error);
    CHECK_THROWS_AS(okid(u.view(), y.view(), {.lags = -1}), shape_error);
    CHECK_THROWS_AS(okid(matrix<double>(0, 2).view(), matrix<double>(0, 3).view()), shape_error);
    auto bad = u;
    bad(3, 1) = std::nan("");
    CHECK_THROWS_AS(markov_parameters(bad.view(), y.view()), numerical_error);
    CHECK_THROWS_AS(okid(bad.view(), y.view(), {.lags = 2}), numerical_error);
    const matrix<double> nothing(10, 0);
    CHECK(markov_parameters(nothing.view(), y.view(), {.count = 3}).h[2].rows() == 3);
    CHECK(markov_parameters(u.view(), nothing.view(), {.count = 3}).h[2].cols() == 2);
    CHECK(okid(nothing.view(), y.view(), {.lags = 2, .count = 3}).h[2].cols() == 0);
    CHECK(okid(u.view(), nothing.view(), {.lags = 2, .count = 3}).h[2].rows() == 0);
    CHECK_FALSE(okid(u.view(), y.view(), {.lags = 40}).fit.determined());
}

TEST_CASE("recordings in float are taken as they are, in double inside") {
    random_stream r(8);
    matrix<float> u(200, 2), y(200, 1);
    r.fill_normal(std::span<float>(u.flat()), 1.0f);
    for (index_t t = 0; t < 200; ++t) y(t, 0) = u(t, 0) + (t > 0 ? 0.5f * u(t - 1, 1) : 0.0f);
    const auto m = markov_parameters(u.view(), y.view(), {.count = 3});
    CHECK(m.h[0](0, 0) == doctest::Approx(1).epsilon(1e-6));
    CHECK(m.h[1](0, 1) == doctest::Approx(0.5).epsilon(1e-6));
    const auto wide_u = detail::cast_elements<double>(u), wide_y = detail::cast_elements<double>(y);
    CHECK(markov_parameters(wide_u.view(), wide_y.view(), {.count = 3}).h == m.h);
    CHECK(okid(u.view(), y.view(), {.lags = 2, .count = 4}).h == okid(wide_u.view(), wide_y.view(), {.lags = 2, .count = 4}).h);
}

TEST_CASE("complex: against NumPy's least squares; ERA of what was found against NumPy's SVD") {
    std::ifstream file(HRM_TEST_DATA "/reduction/data/complex_identification.txt");
    index_t length = 0, m = 0, p = 0, lags = 0, count = 0, direct = 0;
    file >> length >> m >> p >> lags >> count >> direct;
    const auto u = read_complex(file, length, m), y = read_complex(file, length, p);
    const auto got = okid(u.view(), y.view(), {.lags = lags, .count = count});
    CHECK(got.fit.determined());
    for (index_t k = 0; k < count; ++k) CHECK(distance_of(got.h[static_cast<std::size_t>(k)], read_complex(file, p, m)) <= 1e-12);
    for (index_t k = 1; k < count; ++k) CHECK(distance_of(got.gain[static_cast<std::size_t>(k)], read_complex(file, p, p)) <= 1e-11);  // small ones by themselves
    const auto plain = markov_parameters(u.view(), y.view(), {.count = direct, .start = before::unknown});
    for (index_t k = 0; k < direct; ++k) CHECK(distance_of(plain.h[static_cast<std::size_t>(k)], read_complex(file, p, m)) <= 1e-12);
    const auto left = read_complex(file, 1, 2);
    CHECK(got.fit.residual == doctest::Approx(left(0, 0).real()).epsilon(1e-12));
    CHECK(plain.fit.residual == doctest::Approx(left(0, 1).real()).epsilon(1e-12));

    const auto model = era(got.h, {.rank = 3});
    const auto sigma = read_complex(file, 1, 12), poles = read_complex(file, 1, 3);
    for (std::size_t i = 0; i < 12; ++i) CHECK(std::abs(model.sigma[i] - sigma.flat()[i].real()) <= 1e-12 * model.sigma[0]);
    const auto found = eigenvalues(model.system.a);
    for (const auto& pole : poles.flat()) {
        double nearest = 1;
        for (const auto& l : found) nearest = std::min(nearest, std::abs(l - pole));
        CHECK(nearest <= 1e-12);
    }
}

TEST_CASE("complex, noise-free: OKID gives every Markov parameter, ERA the system, however long it rings") {
    random_stream r(9);
    for (const auto start : {before::rest, before::unknown})
        for (index_t p : {1, 2, 3}) {
            discrete<diagonal<number>> s{{}, normal_complex(r, 5, 2), normal_complex(r, p, 5), {}};
            for (int i = 0; i < 5; ++i) s.a.poles.push_back(std::polar(r.uniform(0.6, 0.97), 1.2 * i + r.uniform(0, 0.5)));
            const index_t skip = start == before::rest ? 0 : 57;
            const auto u = normal_complex(r, 400 + skip, 2);
            matrix<number> y(400 + skip, p), x(5, 1);
            for (index_t t = 0; t < u.rows(); ++t) {
                for (index_t i = 0; i < 5; ++i) x(i, 0) = s.a.poles[static_cast<std::size_t>(i)] * x(i, 0) + s.b(i, 0) * u(t, 0) + s.b(i, 1) * u(t, 1);
                const auto out = times(s.c, x);
                for (index_t i = 0; i < p; ++i) y(t, i) = out(i, 0);
            }
            const auto late_u = u.view().slice_rows(skip, 400), late_y = matrix_view<const number>(y.view().slice_rows(skip, 400));
            const auto got = okid(late_u, late_y, {.lags = 8, .count = 1000, .start = start});
            CHECK(got.fit.residual <= 1e-10);
            CHECK(got.fit.determined() == (8 * p == 5));
            CHECK(distance_of(got.h, impulse_response(s, 1000)) <= 1e-9);
            const auto model = era(got.h, {.tolerance = 1e-7});
            CHECK(model.system.order() == 5);
            const auto exact = hankel_singular_values(s);
            for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(model.sigma[i] - exact[i]) <= 1e-8 * exact[0]);
            // An output turned by a phase turns the parameters, and leaves what is left.
            const auto turned = okid(late_u, times(std::polar(1.0, 0.9), matrix<number>(late_y)).view(), {.lags = 8, .count = 30, .start = start});
            for (std::size_t k = 0; k < 30; ++k) CHECK(distance_of(turned.h[k], times(std::polar(1.0, 0.9), got.h[k])) <= 1e-9);
        }
}

TEST_CASE("complex: real data give the real fit, data in float are widened, bad ones are refused as real ones are") {
    random_stream r(10);
    const auto s = random_pairs(r, 1, 2, 2, 2, 0.9);
    auto data = run(s, 300, r);
    for (double& v : data.y.flat()) v += 0.01 * r.normal();
    const auto u = complex_of(data.u), y = complex_of(data.y);
    const auto want = okid(data.u.view(), data.y.view(), {.lags = 6, .count = 20}), plain = okid(data.u.view(), data.y.view(), {.lags = 0, .count = 1});
    const auto got = okid(u.view(), y.view(), {.lags = 6, .count = 20});
    CHECK(distance_of(got.h, complex_of(want.h)) <= 300 * 2.3e-16 * want.fit.condition);
    for (std::size_t k = 1; k < 20; ++k) CHECK(distance_of(got.gain[k], complex_of(want.gain[k])) <= 1e-9);
    CHECK(got.fit.rank == want.fit.rank);
    CHECK(distance_of(markov_parameters(u.view(), y.view(), {.count = 1}).h, complex_of(plain.h)) <= 1e-13);

    const auto narrow_u = detail::cast_elements<std::complex<float>>(normal_complex(r, 200, 2)), narrow_y = detail::cast_elements<std::complex<float>>(normal_complex(r, 200, 1));
    const auto wide_u = detail::cast_elements<number>(narrow_u), wide_y = detail::cast_elements<number>(narrow_y);
    CHECK(markov_parameters(narrow_u.view(), narrow_y.view(), {.count = 3}).h == markov_parameters(wide_u.view(), wide_y.view(), {.count = 3}).h);
    CHECK(okid(narrow_u.view(), narrow_y.view(), {.lags = 2, .count = 4}).h == okid(wide_u.view(), wide_y.view(), {.lags = 2, .count = 4}).h);

    CHECK_THROWS_WITH_AS(markov_parameters(u.view(), y.view(), {.count = 301, .start = before::unknown}),
                         "hrm::markov_parameters: 300 samples, expected at least 301", shape_error);
    CHECK_THROWS_AS(okid(u.view(), y.view().slice_rows(0, 299)), shape_error);
    CHECK_THROWS_WITH_AS(markov_parameters(u.view(), y.view(), {.count = 0}), "hrm::markov_parameters: 0 parameters, expected at least 1", shape_error);
    auto bad = u;
    bad(3, 1).imag(std::nan(""));
    CHECK_THROWS_WITH_AS(markov_parameters(bad.view(), y.view()), "hrm::least_squares: sample 3 is not finite", numerical_error);
    const matrix<number> nothing(300, 0);
    CHECK(okid(nothing.view(), y.view(), {.lags = 2, .count = 3}).h[2].cols() == 0);
    CHECK(okid(u.view(), nothing.view(), {.lags = 2, .count = 3}).h[2].rows() == 0);
}
