#include <hrm/linalg/lyapunov.hpp>

#include <cmath>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/resolvent.hpp>

#include "reference.hpp"

using namespace hrm;

TEST_CASE("lyapunov and its factor agree with SciPy") {
    for (const char* name : {"lyapunov_1", "lyapunov_4", "lyapunov_9", "lyapunov_12"}) {
        CAPTURE(name);
        const reference r(name);
        // Conditioning is |A| / (2 * 0.05) or so, below 200 here; both sides carry n eps of it.
        CHECK(relative_error(lyapunov(r.a, square(r.b)), r.x) < 1e-11);
        CHECK(relative_error(square(lyapunov_factor(r.a, r.b)), r.x) < 1e-11);
    }
}

TEST_CASE("lyapunov solves its equation, symmetric right-hand side or not") {
    random_stream r(9);
    for (index_t n : {2, 7, 33, 150, 270}) {  // 150: bulges, early deflation and blocks of columns; 270: panels
        matrix<double> a(n, n), q(n, n);
        r.fill_normal(a.flat(), 0.45 / std::sqrt(static_cast<double>(n)));
        r.fill_normal(q.flat());
        for (index_t i = 0; i < n; ++i) a(i, i) -= 1;
        const auto ea = as_eigen(a);
        const auto x = lyapunov(a, q);
        const auto ex = as_eigen(x);
        CHECK((ea.lazyProduct(ex).eval() + ex.lazyProduct(ea.transpose()).eval() + as_eigen(q)).norm() / ex.norm() < 1e-13);  // n eps |A|
        const auto s = lyapunov(a, square(q));
        CHECK(as_eigen(s) == as_eigen(s).transpose());
        CHECK(relative_error(square(lyapunov_factor(a, q)), s) < 1e-13);
    }
}

TEST_CASE("what a resolvent's bound is made of solves its equation, in one block and in several") {
    random_stream r(10);
    for (index_t n : {1, 2, 3, 37, 64, 65, 150}) {
        CAPTURE(n);
        matrix<double> a(n, n);
        r.fill_normal(a.flat(), 0.45 / std::sqrt(static_cast<double>(n)));
        for (index_t i = 0; i < n; ++i) a(i, i) -= 1;
        const auto t = detail::factored_schur("test", a).t;
        auto x = detail::unit_gramian<detail::two_sided::sum>(t.view());
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) x(i, j) = x(j, i);
        const auto et = as_eigen(t);
        const auto ex = as_eigen(x);
        const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(n, n);
        CHECK((et.lazyProduct(ex).eval() + ex.lazyProduct(et.transpose()).eval() + one).norm() / ex.norm() < 1e-13);  // n eps |T|
        CHECK(detail::resolvent_of<detail::two_sided::sum>(t.view()) == doctest::Approx(2 * ex.norm()).epsilon(1e-13));
    }
    CHECK(std::isinf(detail::resolvent_of<detail::two_sided::sum>(matrix<double>{{-1, 3}, {0, 1e-9}}.view())));
    // X = -1 / (2 T), whose square leaves the range of double, or X itself does.
    for (const double t : {1e-160, 1e-300, 1e160, 1e300})
        CHECK(detail::resolvent_of<detail::two_sided::sum>(matrix<double>{{-t}}.view()) == doctest::Approx(1 / t).epsilon(1e-15));
    CHECK(std::isinf(detail::resolvent_of<detail::two_sided::sum>(matrix<double>{{-1e-320}}.view())));
    const double pair = detail::resolvent_of<detail::two_sided::sum>(matrix<double>{{-1e-160, 0}, {0, -2e-160}}.view());
    CHECK(pair == doctest::Approx(1e160 * std::hypot(1.0, 0.5)).epsilon(1e-15));
}

TEST_CASE("lyapunov survives poles eight decades apart and bad scaling") {
    // Two real poles behind one input: X_ij = b_i b_j / -(a_i + a_j), here with states in units 1e9 apart.
    const double fast = -1e4, slow = -1e-4, unit = 1e9;
    const matrix<double> a{{fast, 0}, {0, slow}}, b{{1}, {unit}};
    for (const auto& x : {lyapunov(a, square(b)), square(lyapunov_factor(a, b))}) {
        CHECK(x(0, 0) == doctest::Approx(1 / (-2 * fast)).epsilon(1e-14));
        CHECK(x(0, 1) == doctest::Approx(unit / -(fast + slow)).epsilon(1e-14));
        CHECK(x(1, 1) == doctest::Approx(unit * unit / (-2 * slow)).epsilon(1e-14));
    }
}

TEST_CASE("lyapunov_factor: what B has next to nothing turns nothing else") {
    const matrix<double> a{{-0.5, 0.25, -0.25}, {0, -0.25, 0.5}, {0, 0, -0.75}};
    const auto x = square(lyapunov_factor(a, {{1, -2}, {0.5, 1}, {5e-324, 5e-324}})), y = square(lyapunov_factor(a, {{1, -2}, {0.5, 1}, {0, 0}}));
    CHECK(relative_error(x, y) <= 1e-14);
}

TEST_CASE("lyapunov says what is wrong, and a zero B is no error") {
    const matrix<double> q{{1}};
    CHECK_THROWS_WITH_AS(lyapunov(matrix<double>{{0.5}}, q), "hrm::lyapunov: A is unstable: spectral abscissa 0.5, must be below 0", numerical_error);
    CHECK_THROWS_AS(lyapunov_factor(matrix<double>{{0}}, q), numerical_error);
    CHECK_THROWS_WITH_AS(lyapunov(matrix<double>{{-1}}, matrix<double>{{std::nan("")}}), "hrm::lyapunov: Q(0, 0) is not finite", numerical_error);
    CHECK_THROWS_AS(lyapunov(matrix<double>{{-1}}, matrix<double>(2, 1)), shape_error);
    CHECK(lyapunov_factor(matrix<double>{{-1}}, matrix<double>{{0}})(0, 0) == 0);
    CHECK(lyapunov(matrix<double>{}, matrix<double>{}).empty());
}

TEST_CASE("a pair that is almost a double pole: its factor solves the equation, beside what stands above it") {
    for (const double w : {1e-15, 1e-13, 1e-9, 1e-4, 0.3, 30.0})
        for (const double skew : {1.0, 1e-3})
            for (const index_t inputs : {1, 2, 3}) {
                const index_t n = 5;
                random_stream r(8);
                matrix<double> t(n, n), b(n, inputs);
                r.fill_normal(b.flat());
                for (index_t i = 0; i < n; ++i) {
                    t(i, i) = -1 - static_cast<double>(i);
                    for (index_t j = i + 1; j < n; ++j) t(i, j) = r.normal();
                }
                t(3, 3) = t(2, 2);
                t(2, 3) = w / skew;
                t(3, 2) = -w * skew;
                if (inputs == 2)
                    for (index_t j = 0; j < inputs; ++j) b(3, j) = 2 * b(2, j);  // parallel rows
                const auto u = detail::quasi_triangular_factor<detail::two_sided::sum>(t.view(), b);
                matrix<double> x(n, n), tx(n, n), bb(n, n);
                multiply(u.view(), transposed(u.view()), x.view());
                multiply(t.view(), x.view(), tx.view());
                multiply(b.view(), transposed(b.view()), bb.view());
                double off = 0, size = 0;
                for (index_t i = 0; i < n; ++i)
                    for (index_t j = 0; j < n; ++j) {
                        off = std::max(off, std::abs(tx(i, j) + tx(j, i) + bb(i, j)));
                        size = std::max(size, std::abs(tx(i, j)));
                    }
                CAPTURE(w);
                CAPTURE(skew);
                CAPTURE(inputs);
                CHECK(off <= 100 * 0x1p-52 * size);  // of n^2 terms of that size
            }
}
