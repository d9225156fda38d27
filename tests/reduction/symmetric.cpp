#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/detail/symmetric.hpp>
#include <hrm/reduction/hankel.hpp>

// Heat on a rod: A = (n + 1)^2 tridiag(1, -2, 1), whose eigenvectors are sines and whose poles are known.
//     l_k = -4 (n + 1)^2 sin^2(theta / 2),   v_ik = sqrt(2 / (n + 1)) sin((i + 1) theta),   theta = k pi / (n + 1)

namespace {

using namespace hrm;
const double eps = std::numeric_limits<double>::epsilon();

struct rod {
    continuous<dense<double>> dense_one;
    continuous<diagonal<double>> modal;
};
rod heat(index_t n) {
    rod s{{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}},
          {{buffer<double>(static_cast<std::size_t>(n))}, matrix<double>(n, 1), matrix<double>(1, n), {}}};
    const long double cells = static_cast<long double>(n + 1);
    const index_t in = n / 3, out = 2 * n / 3;
    for (index_t i = 0; i < n; ++i) {
        s.dense_one.a.a(i, i) = -2 * static_cast<double>(cells * cells);
        if (i > 0) s.dense_one.a.a(i, i - 1) = s.dense_one.a.a(i - 1, i) = static_cast<double>(cells * cells);
        const long double theta = static_cast<long double>(i + 1) * std::numbers::pi_v<long double> / cells, half = std::sin(theta / 2);
        s.modal.a.poles[static_cast<std::size_t>(i)] = static_cast<double>(-4 * cells * cells * half * half);
        s.modal.b(i, 0) = static_cast<double>(std::sqrt(2 / cells) * std::sin(static_cast<long double>(in + 1) * theta));
        s.modal.c(0, i) = static_cast<double>(std::sqrt(2 / cells) * std::sin(static_cast<long double>(out + 1) * theta));
    }
    s.dense_one.b(in, 0) = s.dense_one.c(0, out) = 1;
    return s;
}
/// I + A h, explicit Euler's, h at half of what is stable: poles in (-0.0.., 1).
discrete<dense<double>> stepped(const continuous<dense<double>>& s) {
    discrete<dense<double>> d{{s.a.a}, s.b, s.c, {}};
    const double h = -1 / (2 * s.a.a(0, 0));
    for (index_t i = 0; i < s.order(); ++i)
        for (index_t j = 0; j < s.order(); ++j) d.a.a(i, j) = (i == j ? 1 : 0) + h * s.a.a(i, j);
    return d;
}

}  // namespace

TEST_CASE("a symmetric A gives its poles and orthonormal eigenvectors to n eps |A|") {
    for (index_t n : {3, 20, 77, 130}) {
        CAPTURE(n);
        const auto s = heat(n);
        const auto check = [&](const matrix<double>& a, const auto& m, const auto& pole, double size) {
            REQUIRE(m);
            const double tolerance = 10 * static_cast<double>(n) * eps;
            for (index_t j = 0; j < n; ++j) CHECK(std::abs(m->poles[static_cast<std::size_t>(j)] - pole(n - 1 - j)) <= tolerance * size);
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j) {
                    double gram = i == j ? -1 : 0, back = -a(i, j);
                    for (index_t k = 0; k < n; ++k) {
                        gram += m->v(k, i) * m->v(k, j);
                        back += m->v(i, k) * m->poles[static_cast<std::size_t>(k)] * m->v(j, k);
                    }
                    CHECK(std::abs(gram) <= tolerance);
                    CHECK(std::abs(back) <= tolerance * size);
                }
        };
        const auto& a = s.dense_one.a.a;
        check(a, detail::find_symmetric_modes<false>(a), [&](index_t k) { return s.modal.a.poles[static_cast<std::size_t>(k)]; }, -2 * a(0, 0));
        const auto d = stepped(s.dense_one);
        check(d.a.a, detail::find_symmetric_modes<true>(d.a.a), [&](index_t k) { return 1 - s.modal.a.poles[static_cast<std::size_t>(k)] / (2 * a(0, 0)); }, 1);
    }
}

TEST_CASE("what is not symmetric, not stable or beyond the range of squares is left to others") {
    auto a = heat(9).dense_one.a.a;
    a(3, 4) = std::nextafter(a(3, 4), 0.0);
    CHECK_FALSE(detail::find_symmetric_modes<false>(a));
    a = heat(9).dense_one.a.a;
    a(8, 8) = 500;
    CHECK_FALSE(detail::find_symmetric_modes<false>(a));
    CHECK_FALSE(detail::find_symmetric_modes<true>(a));
    for (double& x : a.flat()) x *= 1e-200;
    CHECK_FALSE(detail::find_symmetric_modes<false>(a));
}

// A pole is right to n eps |A|, so the slowest to n eps |A| / |l_1| of itself, and so are the values, however small.
TEST_CASE("Hankel singular values of a rod are those of its sines, nine decades down, and the bound holds") {
    for (index_t n : {20, 77, 200}) {
        CAPTURE(n);
        const auto s = heat(n);
        const auto want = hankel_singular_values(s.modal);
        const double tolerance = 4 * static_cast<double>(n) * eps * s.modal.a.poles[static_cast<std::size_t>(n - 1)] / s.modal.a.poles[0];
        const auto got = hankel_singular_values(s.dense_one);
        const auto r = balance(s.dense_one, {.rank = 5, .error = error_report::measured});
        for (std::size_t i = 0; i < want.size() && want[i] > 1e-9 * want[0]; ++i) {
            CHECK(std::abs(got[i] - want[i]) <= tolerance * want[i]);
            CHECK(std::abs(r.sigma[i] - want[i]) <= tolerance * want[i]);
        }
        CHECK(r.certified);
        REQUIRE(r.measured_error);
        CHECK(*r.measured_error <= r.bound + r.rounding + r.measured_rounding);
        CHECK(*r.measured_error + r.measured_rounding >= want[5] * (1 - tolerance));
        // Next to symmetric it is a Schur form that finds the same to eps sigma_1 or so.
        auto near = s.dense_one;
        near.a.a(1, 2) = std::nextafter(near.a.a(1, 2), 0.0);
        const auto other = balance(near, {.rank = 5});
        for (std::size_t i = 0; i < 5; ++i) CHECK(std::abs(other.sigma[i] - r.sigma[i]) <= r.rounding + other.rounding);
    }
}

TEST_CASE("the same in discrete time: the values are those of the poles and sines") {
    for (index_t n : {20, 77}) {
        const auto s = heat(n);
        const auto d = stepped(s.dense_one);
        discrete<diagonal<double>> modal{{s.modal.a.poles}, s.modal.b, s.modal.c, {}};
        for (double& l : modal.a.poles) l = 1 - l / (2 * s.dense_one.a.a(0, 0));
        const auto want = hankel_singular_values(modal), got = balance(d, {.rank = 5}).sigma;
        const double tolerance = 4 * static_cast<double>(n) * eps / (1 - modal.a.poles[0]);
        for (std::size_t i = 0; i < want.size() && want[i] > 1e-9 * want[0]; ++i) CHECK(std::abs(got[i] - want[i]) <= tolerance * want[i]);
    }
}

namespace {

/// I - 2 q q^T for a unit vector q, times `inside` on the complement and `along` on q: a repeated eigenvalue and a single one.
matrix<double> repeated(index_t n, double inside, double along) {
    matrix<double> a(n, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) a(i, j) = (i == j ? inside : 0) + (along - inside) / static_cast<double>(n);
    return a;
}

}  // namespace

// Vectors of a repeated singular value are any basis, so that no single one shows the sign of an eigenvalue.
TEST_CASE("an eigenvalue of the size of many others and the other sign is found, and kept as unstable") {
    for (index_t n : {3, 20, 64, 300}) {
        CAPTURE(n);
        const auto a = repeated(n, -1, 1), d = repeated(n, 0.9, 1.1);
        CHECK_FALSE(detail::find_symmetric_modes<false>(a));
        CHECK_FALSE(detail::find_symmetric_modes<true>(d));
        matrix<double> b(n, 1, 1.0), c(1, n);
        c(0, 0) = 1;
        CHECK(balance(continuous<dense<double>>{{a}, b, c, {}}, {.rank = 1}).unstable == 1);
        CHECK(balance(discrete<dense<double>>{{d}, b, c, {}}, {.rank = 1}).unstable == 1);
        CHECK_THROWS_AS(balance(continuous<dense<double>>{{a}, b, c, {}}, {.unstable = unstable_poles::refuse}), unstable_error);
    }
}

TEST_CASE("an integrator of a symmetric A is kept, whether it is reached or not") {
    for (const double reached : {0.0, 1e-12, 1e-5, 1.0})
        for (index_t n : {5, 10, 64}) {  // heat in a rod whose ends let nothing out
            CAPTURE(reached);
            CAPTURE(n);
            continuous<dense<double>> s{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
            for (index_t i = 0; i + 1 < n; ++i) {
                s.a.a(i, i) -= 1, s.a.a(i + 1, i + 1) -= 1;
                s.a.a(i, i + 1) = s.a.a(i + 1, i) = 1;
            }
            for (index_t i = 0; i < n; ++i) s.b(i, 0) = reached;
            s.b(0, 0) += 1, s.b(1, 0) -= 1, s.c(0, n - 1) = 1;
            const auto r = balance(s, {.rank = 2});
            CHECK(r.unstable == 1);
            CHECK(r.sigma[0] < 10);
        }
}
