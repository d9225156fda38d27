#include <hrm/linalg/stein.hpp>

#include <cmath>
#include <limits>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/resolvent.hpp>

#include "reference.hpp"

using namespace hrm;

namespace {

// |A X A^T + Q - X| / |X|.
double residual(const matrix<double>& a, const matrix<double>& x, const matrix<double>& q) {
    const auto ea = as_eigen(a), ex = as_eigen(x);
    return (ea.lazyProduct(ex.lazyProduct(ea.transpose()).eval()).eval() + as_eigen(q) - ex).norm() / ex.norm();
}

}  // namespace

TEST_CASE("stein and its factor agree with SciPy") {
    for (const char* name : {"stein_1", "stein_4", "stein_9", "stein_12"}) {
        CAPTURE(name);
        const reference r(name);
        // Conditioning is 1 / (1 - rho^2) or so: 500 at most here; both sides carry n eps of it.
        CHECK(relative_error(stein(r.a, square(r.b)), r.x) < 1e-11);
        const auto l = stein_factor(r.a, r.b);
        CHECK(relative_error(square(l), r.x) < 1e-11);
        for (index_t i = 0; i < l.rows(); ++i)
            for (index_t j = i + 1; j < l.rows(); ++j) CHECK(l(i, j) == 0);
    }
}

TEST_CASE("stein solves its equation, symmetric right-hand side or not") {
    random_stream r(9);
    for (index_t n : {2, 7, 33, 64, 65, 150, 270}) {  // from 65 on: blocks of columns and rows
        matrix<double> a(n, n), q(n, n), b(n, 2);
        r.fill_normal(a.flat(), 0.45 / std::sqrt(static_cast<double>(n)));
        r.fill_normal(q.flat());
        r.fill_normal(b.flat());
        CHECK(residual(a, stein(a, q), q) < 1e-13);  // n eps
        const auto x = stein(a, square(b));
        CHECK(residual(a, x, square(b)) < 1e-13);
        CHECK(as_eigen(x) == as_eigen(x).transpose());
        CHECK(relative_error(square(stein_factor(a, b)), x) < 1e-13);
    }
}

TEST_CASE("stein_factor of as many inputs as states and more") {
    random_stream r(14);
    for (const auto& [n, m] : {std::pair<index_t, index_t>{5, 9}, {40, 40}, {70, 100}}) {
        matrix<double> a(n, n), b(n, m);
        r.fill_normal(a.flat(), 0.6 / std::sqrt(static_cast<double>(n)));
        r.fill_normal(b.flat());
        CHECK(residual(a, square(stein_factor(a, b)), square(b)) < 1e-13);  // n eps
    }
}

TEST_CASE("what a discrete resolvent's bound is made of solves its equation, in one block and in several") {
    random_stream r(10);
    for (index_t n : {1, 2, 3, 37, 64, 65, 150}) {
        CAPTURE(n);
        matrix<double> a(n, n);
        r.fill_normal(a.flat(), 0.6 / std::sqrt(static_cast<double>(n)));
        const auto t = detail::factored_schur("test", a).t;
        auto x = detail::unit_gramian<detail::two_sided::product>(t.view());
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) x(i, j) = x(j, i);
        CHECK(residual(t, x, detail::identity(n)) < 1e-13);  // n eps
        CHECK(detail::resolvent_of<detail::two_sided::product>(t.view()) == doctest::Approx(2 * as_eigen(x).norm()).epsilon(1e-13));
    }
    CHECK(std::isinf(detail::resolvent_of<detail::two_sided::product>(matrix<double>{{0.5, 3}, {0, -1}}.view())));
}

TEST_CASE("a pair that is almost a double pole, anywhere in the disk: its factor solves the equation, beside what stands above it") {
    // Depth times the size of X is that of the equation's terms: of n^2 of them each is rounded.
    for (const double re : {0.3, -0.3, 0.0, 1 - 1e-7, -1 + 1e-7})
        for (const double w : {1e-15, 1e-13, 1e-9, 1e-4, 0.3, 1 - 1e-7})
            for (const double skew : {1.0, 1e-3})
                for (const index_t inputs : {1, 2, 3}) {
                    if (!(std::hypot(re, w) < 1)) continue;
                    const index_t n = 5;
                    random_stream r(8);
                    matrix<double> t(n, n), b(n, inputs);
                    r.fill_normal(b.flat());
                    for (index_t i = 0; i < n; ++i) {
                        t(i, i) = 0.7 - 0.3 * static_cast<double>(i);
                        for (index_t j = i + 1; j < n; ++j) t(i, j) = r.normal();
                    }
                    t(2, 2) = t(3, 3) = re;
                    t(2, 3) = w / skew;
                    t(3, 2) = -w * skew;
                    if (inputs == 2)
                        for (index_t j = 0; j < inputs; ++j) b(3, j) = 2 * b(2, j);  // parallel rows
                    const auto u = detail::quasi_triangular_factor<detail::two_sided::product>(t.view(), b);
                    const auto x = square(u);
                    const auto et = as_eigen(t);
                    const auto ex = as_eigen(x);
                    const auto off = (et.lazyProduct(ex.lazyProduct(et.transpose()).eval()).eval() + as_eigen(square(b)) - ex).cwiseAbs().maxCoeff();
                    const auto size = et.cwiseAbs().lazyProduct(ex.cwiseAbs().lazyProduct(et.cwiseAbs().transpose()).eval()).eval().maxCoeff() + ex.cwiseAbs().maxCoeff();
                    CAPTURE(re);
                    CAPTURE(w);
                    CAPTURE(skew);
                    CAPTURE(inputs);
                    CHECK(off <= 100 * 0x1p-52 * size);
                }
}

TEST_CASE("poles within 1e-7 of the unit circle: every factor is right to what a rounding of A moves") {
    // A rotation by each angle, shrunk: A = (1 - gap) R and B = R' I, X = I / (1 - (1 - gap)^2), in disguise.
    random_stream r(15);
    for (const double gap : {1e-3, 1e-7})
        for (const index_t n : {6, 90}) {
            matrix<double> a(n, n), v(n, 1);
            for (index_t i = 0; i + 1 < n; i += 2) {
                const double angle = 3.14159 * static_cast<double>(i) / static_cast<double>(n);
                a(i, i) = a(i + 1, i + 1) = (1 - gap) * std::cos(angle);
                a(i, i + 1) = (1 - gap) * std::sin(angle);
                a(i + 1, i) = -a(i, i + 1);
            }
            r.fill_normal(v.flat());
            const auto ev = as_eigen(v).eval();
            const Eigen::MatrixXd h = Eigen::MatrixXd::Identity(n, n) - 2 / ev.squaredNorm() * ev.lazyProduct(ev.transpose()).eval();
            const auto disguised = from_eigen(h.lazyProduct(as_eigen(a).lazyProduct(h).eval()).eval());
            const auto x = square(stein_factor(disguised, detail::identity(n)));
            auto want = detail::identity(n);
            for (double& value : want.flat()) value /= gap * (2 - gap);
            // n eps of A, over the gap.
            CHECK(relative_error(x, want) < static_cast<double>(n) * 0x1p-52 / gap);
        }
}

TEST_CASE("stein up to a spectral radius of 1 - 1e-8") {
    // A is triangular, so 1 - rho^2 is known and X has a closed form: x22 = 1/(1 - l2^2), x12 = l2 x22/(1 - l1 l2), ...
    const double l1 = 1 - 1e-8, l2 = 0.5;
    const matrix<double> a{{l1, 1}, {0, l2}}, b{{0}, {1}};
    const double x22 = 1 / (1 - l2 * l2), x12 = l2 * x22 / (1 - l1 * l2), x11 = (2 * l1 * x12 + x22) / ((1 - l1) * (1 + l1));
    // One rounding of A moves x11 by eps / (1 - rho) = 2e-8 of itself: no algorithm on A can promise more.
    for (const auto& x : {stein(a, square(b)), square(stein_factor(a, b))}) {
        CHECK(x(0, 0) == doctest::Approx(x11).epsilon(2e-8));
        CHECK(x(0, 1) == doctest::Approx(x12).epsilon(1e-13));
        CHECK(x(1, 1) == doctest::Approx(x22).epsilon(1e-13));
    }
}

TEST_CASE("stein_factor: small directions keep their digits, singular ones are exactly zero") {
    // A chain with weak couplings: x_k is reached through eps^(k-1) only, X = diag(1, eps^2, eps^4, ...) when A is nilpotent.
    const double eps = 1e-6;
    matrix<double> a(4, 4), b(4, 1);
    b(0, 0) = 1;
    for (index_t i = 1; i < 4; ++i) a(i, i - 1) = eps;
    const auto l = stein_factor(a, b);
    for (index_t i = 0; i < 4; ++i) CHECK(l(i, i) == doctest::Approx(std::pow(eps, i)).epsilon(1e-12));
    CHECK(stein_factor(a, matrix<double>(4, 1)) == matrix<double>(4, 4));
    CHECK(stein_factor(a, matrix<double>(4, 0)) == matrix<double>(4, 4));
    const auto unreached = stein_factor(matrix<double>{{0.5, 0}, {0, 0.3}}, matrix<double>{{1}, {0}});
    CHECK(unreached(1, 0) == 0);
    CHECK(unreached(1, 1) == 0);
}

TEST_CASE("stein_factor: what B has next to nothing turns nothing else") {
    const matrix<double> a{{0.5, 0.25, -0.25}, {0, 0.25, 0.5}, {0, 0, -0.5}};
    const auto x = stein_factor(a, {{1, -2}, {0.5, 1}, {5e-324, 5e-324}}), y = stein_factor(a, {{1, -2}, {0.5, 1}, {0, 0}});
    for (std::size_t i = 0; i < 9; ++i) CHECK(std::abs(x.flat()[i] - y.flat()[i]) <= 1e-14);
}

TEST_CASE("stein says what is wrong") {
    const matrix<double> q{{1}};
    CHECK_THROWS_WITH_AS(stein(matrix<double>{{1.25}}, q), "hrm::stein: A is unstable: spectral radius 1.25, must be below 1", numerical_error);
    CHECK_THROWS_AS(stein_factor(matrix<double>{{-1}}, q), numerical_error);
    CHECK_THROWS_WITH_AS(stein(matrix<double>{{std::nan("")}}, q), "hrm::stein: A(0, 0) is not finite", numerical_error);
    CHECK_THROWS_WITH_AS(stein_factor(matrix<double>(2, 2), matrix<double>(3, 1)), "hrm::stein_factor: B is 3x1, expected 2x1", shape_error);
    CHECK_THROWS_AS(stein(matrix<double>(2, 3), q), shape_error);
    CHECK(stein(matrix<double>{}, matrix<double>{}).empty());
    CHECK(stein(matrix<float>{{0.5f}}, matrix<float>{{0.75f}})(0, 0) == 1.0);
}

TEST_CASE("a nearly nilpotent chain, its states in any order") {
    // Balancing makes the couplings of such an A as small as its pole, in units up to (0.3 / pole)^8 apart, in which a Schur form
    // of it says little about X. Residual of a backward stable solution: n eps |A|, here |X|.
    random_stream r(12);
    for (const double pole : {0.1, 1e-3, 1e-5}) {
        const index_t n = 8;
        matrix<double> a(n, n), b(n, 2);
        r.fill_normal(b.flat());
        const auto at = [](index_t i) { return (5 * i + 2) % n; };
        for (index_t i = 0; i < n; ++i) {
            a(at(i), at(i)) = pole;
            if (i + 1 < n) a(at(i), at(i + 1)) = 0.3;
        }
        CHECK(residual(a, stein(a, square(b)), square(b)) < 1e-14);
        CHECK(residual(a, square(stein_factor(a, b)), square(b)) < 1e-14);
    }
}
