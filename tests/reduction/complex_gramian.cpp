#include <hrm/reduction/complex_gramian.hpp>

#include <limits>

#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/hankel.hpp>

#include "../support/complex_systems.hpp"

using namespace hrm;

TEST_CASE("complex Gramians, their factors and Hankel singular values agree with mpmath") {
    for (const auto& r : complex_references())
        r.visit([&](const auto& g) {
            CAPTURE(r.discrete);
            CAPTURE(r.diagonal);
            // Conditioning of the dense equation, |A| / depth: some hundreds here.
            CHECK(distance_of(controllability(g), r.wc) < 1e-12);
            CHECK(distance_of(observability(g), r.wo) < 1e-12);
            const auto lc = controllability_factor(g), lo = observability_factor(g);
            CHECK(distance_of(times(lc, adjoint_of(lc)), r.wc) < 1e-12);
            CHECK(distance_of(times(lo, adjoint_of(lo)), r.wo) < 1e-12);
            const auto sigma = hankel_singular_values(g), dense_sigma = hankel_singular_values(to_dense(g));
            REQUIRE(sigma.size() == r.sigma.size());
            for (std::size_t i = 0; i < sigma.size(); ++i) {
                CHECK(dense_sigma[i] == doctest::Approx(r.sigma[i]).scale(r.sigma[0]).epsilon(1e-11));
                // Of diagonal A each is accurate by itself, down to 1e-14 of the first.
                if (r.diagonal) CHECK(sigma[i] == doctest::Approx(r.sigma[i]).scale(0).epsilon(1e-11));
            }
        });
}

// The Hankel singular values of a real system: those of its complex form, whose poles are the pairs.
TEST_CASE("conjugate pairs and the complex diagonal of the same system have the same Hankel singular values") {
    random_stream r(61);
    const index_t k = 5, m = 2, p = 3;
    continuous<complex_pairs<double>> g{{{}, {}, {}}, matrix<double>(2 * k, m), matrix<double>(p, 2 * k), {}};
    continuous<diagonal<number>> h{{{}}, matrix<number>(2 * k, m), matrix<number>(p, 2 * k), {}};
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    for (index_t i = 0; i < k; ++i) {
        g.a.re.push_back(-r.uniform(0.01, 2));
        g.a.im.push_back(r.uniform(0.5, 4));
    }
    // z = x + i y and its conjugate: b -> b_x + i b_y, y = c_x x + c_y y = Re(...): c z/2 + conj(c) conj(z)/2 with c = c_x - i c_y.
    for (index_t i = 0; i < 2 * k; ++i) {
        const index_t x = i % k, y = x + k;
        const double sign = i < k ? 1 : -1;
        h.a.poles.emplace_back(g.a.re[static_cast<std::size_t>(x)], sign * g.a.im[static_cast<std::size_t>(x)]);
        for (index_t j = 0; j < m; ++j) h.b(i, j) = {g.b(x, j), sign * g.b(y, j)};
        for (index_t j = 0; j < p; ++j) h.c(j, i) = 0.5 * number(g.c(j, x), -sign * g.c(j, y));
    }
    const auto want = hankel_singular_values(g), sigma = hankel_singular_values(h), full = hankel_singular_values(to_dense(h));
    for (std::size_t i = 0; i < want.size(); ++i) {
        CHECK(sigma[i] == doctest::Approx(want[i]).scale(0).epsilon(1e-12));
        CHECK(full[i] == doctest::Approx(want[i]).scale(want[0]).epsilon(1e-12));
    }
    const auto wc = controllability(h);
    const auto wz = controllability(g);
    CHECK(wc(0, 1).real() == doctest::Approx(wz(0, 1) + wz(k, 1 + k)).epsilon(1e-12));  // E z_0 conj z_1
    CHECK(wc(0, 1).imag() == doctest::Approx(wz(k, 1) - wz(0, 1 + k)).epsilon(1e-12));
}

// One input and poles a ratio apart: sigma_i fall like the square of what one pole leaves of the next, to 1e-60 and below, and do not
// depend on the units of modes, nor on the unit of B. A shift of all poles along the axis is a frequency: it changes no sigma.
TEST_CASE("small Hankel singular values of a diagonal system keep their relative accuracy") {
    const index_t n = 40;
    continuous<diagonal<double>> real{{buffer<double>(static_cast<std::size_t>(n))}, matrix<double>(n, 1, 1.0), matrix<double>(1, n, 1.0), {}};
    continuous<diagonal<number>> g{{{}}, matrix<number>(n, 1), matrix<number>(1, n), {}};
    random_stream r(62);
    for (index_t i = 0; i < n; ++i) {
        const double pole = real.a.poles[static_cast<std::size_t>(i)] = -1 - static_cast<double>(i) / 8;
        g.a.poles.emplace_back(pole, 0.75);  // real and imaginary part are exact
        const number turn = std::polar(std::ldexp(1.0, static_cast<int>(i % 7) * 20), r.uniform(0, 6));
        g.b(i, 0) = turn;
        g.c(0, i) = 1.0 / turn;
    }
    const auto want = hankel_singular_values(real), sigma = hankel_singular_values(g);
    CHECK(want.back() < 1e-50 * want[0]);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(sigma[i] == doctest::Approx(want[i]).scale(0).epsilon(1e-10));
}

TEST_CASE("complex Gramians: float in, nothing to reach, empty, unstable, not finite") {
    using c32 = std::complex<float>;
    const discrete<diagonal<c32>> g{{{{0, 0.5f}}}, {{3}}, {{{0, 2}}}, {}};
    CHECK(controllability(g)(0, 0).real() == doctest::Approx(12).epsilon(1e-15));
    CHECK(hankel_singular_values(g)[0] == doctest::Approx(8).epsilon(1e-15));
    const continuous<diagonal<number>> idle{{{{-1, 1}, {-2, 0}}}, {{1}, {0}}, {{1, 1}}, {}};
    CHECK(hankel_singular_values(idle)[1] == 0);
    CHECK(hankel_singular_values(continuous<diagonal<number>>{{{}}, matrix<number>(0, 2), matrix<number>(1, 0), {}}).empty());
    CHECK(hankel_singular_values(continuous<dense<number>>{{matrix<number>(0, 0)}, matrix<number>(0, 2), matrix<number>(1, 0), {}}).empty());
    CHECK(hankel_singular_values(discrete<dense<number>>{{{{{0, 0.5}}}}, matrix<number>(1, 0), {{1}}, {}})[0] == 0);
    const discrete<diagonal<number>> unstable{{{{0, 1.25}}}, {{1}}, {{1}}, {}};
    CHECK_THROWS_WITH_AS(controllability(unstable), "hrm::controllability: A is unstable: spectral radius 1.25, must be below 1", unstable_error);
    CHECK_THROWS_WITH_AS(hankel_singular_values(to_dense(unstable)), "hrm::hankel_singular_values: A is unstable: spectral radius 1.25, must be below 1",
                         unstable_error);
    auto broken = idle;
    broken.b(1, 0) = {0, std::numeric_limits<double>::infinity()};
    CHECK_THROWS_WITH_AS(hankel_singular_values(broken), "hrm::hankel_singular_values: B(1, 0) is not finite", numerical_error);
    auto huge = idle;
    huge.b(0, 0) = 1e200;
    huge.c(0, 0) = 1e200;
    CHECK_THROWS_AS(hankel_singular_values(huge), numerical_error);
}

TEST_CASE("complex systems: singular values beyond the range of double are refused, entries of Lo^H Lc within it or not") {
    for (const double c : {1.5e154, 1.5e155}) {  // Lo^H Lc = 1e154 [c c; 0 0]
        const discrete<dense<number>> g{{matrix<number>(2, 2)}, {{1e154, 0}, {0, 1e154}}, {{c, c}}, {}};
        CHECK_THROWS_WITH_AS(hankel_singular_values(g), "hrm::hankel_singular_values: the singular values are beyond the range of double", numerical_error);
    }
    const discrete<dense<number>> g{{matrix<number>(2, 2)}, {{1e154, 0}, {0, 1e154}}, {{1e154, 1e154}}, {}};
    CHECK(hankel_singular_values(g)[0] == doctest::Approx(std::sqrt(2.0) * 1e308));
}
