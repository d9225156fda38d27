#include <hrm/systems/stability.hpp>

#include <algorithm>
#include <limits>
#include <numbers>

#include <Eigen/Eigenvalues>

#include <hrm/linalg/eigen.hpp>

#include "../support/complex_systems.hpp"
#include "support.hpp"

using namespace hrm;

TEST_CASE("eigenvalues of matrices that are hard for the QR iteration") {
    // A cyclic permutation: all n-th roots of unity, where the plain shift stands still.
    for (index_t n : {2, 3, 4, 17}) {
        dense<double> a{matrix<double>(n, n)};
        for (index_t i = 0; i < n; ++i) a.a(i, (i + 1) % n) = 1;
        auto values = eigenvalues(a);
        for (index_t k = 0; k < n; ++k) {
            const auto want = std::polar(1.0, 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
            const auto near = std::min_element(values.begin(), values.end(), [&](auto x, auto y) { return std::abs(x - want) < std::abs(y - want); });
            CHECK(std::abs(*near - want) < 1e-14 * static_cast<double>(n));
        }
        CHECK(spectral_radius(a) == doctest::Approx(1).epsilon(1e-14));
    }
    CHECK(spectral_radius(dense<double>{matrix<double>(5, 5)}) == 0);
    CHECK(spectral_radius(dense<double>{{{0, 1}, {0, 0}}}) == 0);
    CHECK(spectral_radius(dense<double>{{{0, 1e150}, {1e-150, 0}}}) == doctest::Approx(1).epsilon(1e-14));
}

TEST_CASE("Schur forms are similar to A by a unitary Q, whatever numbers next to nothing stand beside others") {
    constexpr double numbers[] = {0, 0, 0, 0.25, -0.25, 1, 0.9, 5e-324, -5e-324, 1e-323, -1.5e-323, 3e-310};
    random_stream r(41);
    for (int trial = 0; trial < 4000; ++trial) {
        const index_t n = 2 + r.below(4);
        matrix<double> a(n, n);
        const bool next_to_nothing = trial % 8 == 0;  // all of it
        for (auto& x : a.flat()) x = numbers[r.below(next_to_nothing ? 5 : 12) + (next_to_nothing ? 7 : 0)];
        double largest = 0;
        for (double x : a.flat()) largest = std::max(largest, std::abs(x));
        const auto check = [&](const auto& t, const auto& q) {
            double skew = 0, off = 0;
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j) {
                    std::complex<double> inner = i == j ? -1 : 0, entry = -a(i, j);
                    for (index_t k = 0; k < n; ++k) {
                        inner += q(k, i) * std::conj(std::complex<double>(q(k, j)));
                        for (index_t l = 0; l < n; ++l) entry += q(i, k) * t(k, l) * std::conj(std::complex<double>(q(j, l)));
                    }
                    skew = std::max(skew, std::abs(inner));
                    off = std::max(off, std::abs(entry));
                }
            CHECK(skew <= 1e-13);  // some tens of rotations and reflections, eps each
            CHECK(off <= 1e-13 * largest + 1e-290);  // what is below the least normal number over eps may be left out
        };
        const auto real = detail::real_schur("test", a);
        check(real.t, real.q);
        const auto form = detail::schur("test", a, buffer<double>(static_cast<std::size_t>(n), 1.0));
        check(form.t, form.q);
    }
}

TEST_CASE("eigenvalues agree with Eigen's on random matrices") {
    for (index_t n : {1, 2, 3, 10, 60}) {
        random_stream r(static_cast<std::uint64_t>(n));
        dense<double> a{matrix<double>(n, n)};
        r.fill_normal(a.a.flat());
        const auto want = Eigen::EigenSolver<Eigen::MatrixXd>(as_eigen(a.a), false).eigenvalues().eval();
        const auto values = eigenvalues(a);
        for (const auto& x : values) CHECK((want.array() - x).abs().minCoeff() < 1e-11);  // eps |A| times a conditioning of some hundreds
        for (index_t k = 0; k < n; ++k) {
            double nearest = std::numeric_limits<double>::infinity();
            for (const auto& x : values) nearest = std::min(nearest, std::abs(x - want(k)));
            CHECK(nearest < 1e-11);
        }
    }
}

TEST_CASE("radius, abscissa and stability of every structure") {
    const diagonal<double> d{{0.5, -0.9}};
    CHECK(spectral_radius(d) == 0.9);
    CHECK(spectral_abscissa(d) == 0.5);
    const complex_pairs<float> p{{0.25f}, {0.6f}, {0.8f}};
    CHECK(spectral_radius(p) == doctest::Approx(1).epsilon(1e-7));
    CHECK(spectral_abscissa(p) == doctest::Approx(0.6).epsilon(1e-7));
    CHECK(is_stable(discrete<diagonal<double>>{d, matrix<double>(2, 1), matrix<double>(1, 2), {}}));
    CHECK_FALSE(is_stable(continuous<diagonal<double>>{d, matrix<double>(2, 1), matrix<double>(1, 2), {}}));
    CHECK_FALSE(is_stable(discrete<diagonal<double>>{{{1.0}}, matrix<double>(1, 1), matrix<double>(1, 1), {}}));
    CHECK(is_stable(some_pairs()));
    CHECK(is_stable(discrete<dense<double>>{}));
    CHECK(spectral_abscissa(dense<double>{}) == -std::numeric_limits<double>::infinity());
}

TEST_CASE("what is not finite has no eigenvalues") {
    CHECK_THROWS_AS(spectral_radius(diagonal<double>{{std::nan("")}}), numerical_error);
    CHECK_THROWS_AS(spectral_radius(complex_pairs<double>{{}, {0}, {std::numeric_limits<double>::infinity()}}), numerical_error);
    CHECK_THROWS_WITH_AS(spectral_radius(dense<double>{{{std::nan("")}}}), "hrm::eigenvalues: A(0, 0) is not finite", numerical_error);
    CHECK_THROWS_AS(spectral_radius(dense<double>{matrix<double>(2, 3)}), shape_error);
}

TEST_CASE("the poles of complex A: those of the diagonal, of a unitary similarity, and without their conjugates") {
    random_stream r(31);
    const diagonal<number> a{{{0.5, 0.75}, {-0.25, 0.5}, {0.125, -0.5}, {-0.5, 0}}};
    const auto q = random_unitary(r, 4);
    const dense<number> turned{times(times(q, to_dense(a)), adjoint_of(q))};
    const auto values = eigenvalues(turned);
    for (const auto& want : eigenvalues(a)) {
        double nearest = 1;
        for (const auto& x : values) nearest = std::min(nearest, std::abs(x - want));
        CHECK(nearest < 1e-14);
    }
    CHECK(spectral_radius(turned) == doctest::Approx(std::hypot(0.5, 0.75)).epsilon(1e-14));
    const matrix<number> b(4, 1), c(1, 4);
    CHECK(is_stable(discrete<dense<number>>{turned, b, c, {}}));
    CHECK(!is_stable(continuous<dense<number>>{turned, b, c, {}}));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(eigenvalues(dense<number>{{{{0, nan}}}}), "hrm::eigenvalues: A(0, 0) is not finite", numerical_error);
    CHECK_THROWS_WITH_AS(eigenvalues(diagonal<number>{{{0, nan}}}), "hrm::eigenvalues: a pole is not finite", numerical_error);
}

TEST_CASE("eigenvalues of singular matrices whose noise decays to nothing, of skew ones and of Jordan blocks") {
    // Noise of a zero eigenvalue gets below 1e-154, where squares vanish; each of these families stopped at "did not converge".
    const double eps = std::numeric_limits<double>::epsilon();
    for (index_t n = 3; n <= 80; ++n) {
        matrix<double> ones(n, n), checkers(n, n), skew(n, n), jordan(n, n);
        random_stream random(53, static_cast<std::uint64_t>(n));
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) {
                ones(i, j) = 0.5 / static_cast<double>(n);
                checkers(i, j) = (i + j) % 2 == 0 ? 0.25 : 0;
                if (j < i) skew(j, i) = -(skew(i, j) = random.normal());
            }
            jordan(i, i) = -1;
            if (i + 1 < n && i % 5 != 4) jordan(i, i + 1) = 1;
        }
        // A reflection I - 2 v v^T / v^T v on both sides hides the blocks.
        for (int side = 0; side < 2; ++side) {
            double square = 0;
            std::vector<double> v(static_cast<std::size_t>(n));
            random_stream same(54, static_cast<std::uint64_t>(n));
            for (auto& x : v) x = same.normal(), square += x * x;
            for (index_t j = 0; j < n; ++j) {
                double along = 0;
                for (index_t i = 0; i < n; ++i) along += v[static_cast<std::size_t>(i)] * jordan(i, j);
                for (index_t i = 0; i < n; ++i) jordan(i, j) -= 2 * along / square * v[static_cast<std::size_t>(i)];
            }
            jordan = detail::transpose(jordan);
        }
        const double rounding = 10 * static_cast<double>(n) * eps;  // of a normal matrix: n eps |A|, ten times
        CHECK(std::abs(spectral_radius(dense<double>{ones}) - 0.5) <= rounding);
        const index_t even = (n + 1) / 2;
        CHECK(std::abs(spectral_radius(dense<double>{checkers}) - 0.25 * static_cast<double>(even)) <= rounding * static_cast<double>(n));
        for (const auto& l : eigenvalues(dense<double>{skew})) CHECK(std::abs(l.real()) <= rounding * std::sqrt(2.0 * static_cast<double>(n)));
        // Of a Jordan block of 5 the fifth root of what rounding moves.
        for (const auto& l : eigenvalues(dense<double>{jordan})) CHECK(std::abs(l + 1.0) <= 2 * std::pow(rounding, 0.2));
    }
}

TEST_CASE("a conjugate pair stays one however small its matrix is") {
    for (int e : {0, -450, -550, -700, -1000}) {
        const double k = std::ldexp(1.0, e);
        const auto l = eigenvalues(dense<double>{matrix<double>{{k, 2 * k}, {-3 * k, k}}});
        CHECK(l[0].real() == doctest::Approx(k).epsilon(1e-14));
        CHECK(std::abs(l[0].imag()) == doctest::Approx(std::sqrt(6.0) * k).epsilon(1e-14));
        CHECK(l[1] == std::conj(l[0]));
    }
}
