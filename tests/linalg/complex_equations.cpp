#include <hrm/linalg/complex_equations.hpp>

#include <cmath>

#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/stein.hpp>

#include "../support/complex_systems.hpp"

using namespace hrm;

namespace {

double norm(const matrix<number>& x) {
    double sum = 0;
    for (const auto& v : x.flat()) sum += std::norm(v);
    return std::sqrt(sum);
}
matrix<number> sum_of(matrix<number> x, const matrix<number>& y, number factor = 1.0) {
    for (std::size_t i = 0; i < x.flat().size(); ++i) x.flat()[i] += factor * y.flat()[i];
    return x;
}
matrix<number> square(const matrix<number>& b) { return times(b, adjoint_of(b)); }
// Stable: the eigenvalues of a Gaussian matrix lie within a radius of about sqrt(2 n).
matrix<number> stable(random_stream& r, index_t n, bool discrete) {
    auto a = normal_complex(r, n, n);
    const double radius = 2 * std::sqrt(2.0 * static_cast<double>(n));
    if (discrete)
        for (auto& x : a.flat()) x /= radius;
    else
        for (index_t i = 0; i < n; ++i) a(i, i) -= radius;
    return a;
}
void check_lower(const matrix<number>& l) {
    for (index_t i = 0; i < l.rows(); ++i) {
        CHECK(l(i, i).imag() == 0);
        CHECK(l(i, i).real() >= 0);
        for (index_t j = i + 1; j < l.cols(); ++j) CHECK(l(i, j) == 0.0);
    }
}

}  // namespace

// Conditioning is (|A| + |B|) / sep, some 100 here; both sides carry n eps of it.
TEST_CASE("complex Gramian equations and their factors agree with mpmath, sylvester with SciPy") {
    sylvester_reference s;
    for (const auto& r : complex_references(&s)) {
        if (r.diagonal) continue;
        CAPTURE(r.discrete);
        const auto ah = adjoint_of(r.a), ch = adjoint_of(r.c);
        CHECK(distance_of(r.discrete ? stein(r.a, square(r.b)) : lyapunov(r.a, square(r.b)), r.wc) < 1e-12);
        CHECK(distance_of(r.discrete ? stein(ah, square(ch)) : lyapunov(ah, square(ch)), r.wo) < 1e-12);
        const auto lc = r.discrete ? stein_factor(r.a, r.b) : lyapunov_factor(r.a, r.b);
        check_lower(lc);
        CHECK(distance_of(square(lc), r.wc) < 1e-12);
        CHECK(distance_of(square(r.discrete ? stein_factor(ah, ch) : lyapunov_factor(ah, ch)), r.wo) < 1e-12);
    }
    CHECK(distance_of(sylvester(s.a, s.b, s.c), s.x) < 1e-12);
}

// Backward stable: |A X + X B - C| <= n eps (|A| + |B|) |X|, and as much for the others.
TEST_CASE("complex equations: the residual is rounding") {
    random_stream r(14);
    for (const auto& shape : {std::pair<index_t, index_t>{1, 5}, {2, 2}, {9, 4}, {40, 33}}) {
        const auto n = shape.first, m = shape.second;
        CAPTURE(n);
        const double size = static_cast<double>(n + m) * std::numeric_limits<double>::epsilon();
        const auto a = normal_complex(r, n, n), b = normal_complex(r, m, m), c = normal_complex(r, n, m);
        const auto x = sylvester(a, b, c), z = discrete_sylvester(a, b, c);
        CHECK(norm(sum_of(sum_of(times(a, x), times(x, b)), c, -1)) <= size * (norm(a) + norm(b)) * norm(x));
        CHECK(norm(sum_of(sum_of(times(times(a, z), b), z, -1), c, -1)) <= size * (norm(a) * norm(b) + 1) * norm(z));
        for (const bool discrete : {false, true}) {
            const auto s = stable(r, n, discrete), q = normal_complex(r, n, n), sh = adjoint_of(s);
            const auto residual = [&](const matrix<number>& y, const matrix<number>& right) {
                return norm(sum_of(discrete ? sum_of(times(times(s, y), sh), y, -1) : sum_of(times(s, y), times(y, sh)), right));
            };
            const auto solve = [&](const matrix<number>& right) { return discrete ? stein(s, right) : lyapunov(s, right); };
            const double bound = 4 * size * (norm(s) + (discrete ? 1 : norm(s)));
            const auto y = solve(q), hermitian = solve(square(q));
            CHECK(residual(y, q) <= bound * norm(y));
            CHECK(residual(hermitian, square(q)) <= bound * norm(hermitian));
            CHECK(hermitian == adjoint_of(hermitian));
            const auto l = discrete ? stein_factor(s, c) : lyapunov_factor(s, c);
            check_lower(l);
            CHECK(residual(square(l), square(c)) <= bound * norm(square(l)));
        }
    }
}

TEST_CASE("a real equation turned by a unitary matrix has the real one's solution, turned") {
    random_stream r(15);
    const index_t n = 7;
    for (const bool discrete : {false, true}) {
        matrix<double> a(n, n), b(n, 2);
        r.fill_normal(a.flat(), discrete ? 0.2 : 1);
        r.fill_normal(b.flat());
        if (!discrete)
            for (index_t i = 0; i < n; ++i) a(i, i) -= 6;
        matrix<number> ac(n, n), bc(n, 2), want(n, n);
        std::copy(a.flat().begin(), a.flat().end(), ac.flat().begin());
        std::copy(b.flat().begin(), b.flat().end(), bc.flat().begin());
        const auto x = discrete ? stein_factor(a, b) : lyapunov_factor(a, b);
        std::copy(x.flat().begin(), x.flat().end(), want.flat().begin());
        const auto q = random_unitary(r, n), turned = times(times(q, ac), adjoint_of(q)), in = times(q, bc);
        const auto y = square(discrete ? stein_factor(turned, in) : lyapunov_factor(turned, in));
        CHECK(distance_of(y, square(times(q, want))) < 1e-13);
    }
}

TEST_CASE("complex equations: float in, units far apart, nothing to reach, empty, and what is wrong") {
    using c32 = std::complex<float>;
    CHECK(sylvester(matrix<c32>{{{0, 2}}}, matrix<c32>{{{0, 3}}}, matrix<c32>{{{0, 10}}})(0, 0) == 2.0);
    CHECK(lyapunov(matrix<c32>{{{-2, 5}}}, matrix<c32>{{8}})(0, 0) == 2.0);
    CHECK(stein(matrix<c32>{{{0, 0.5f}}}, matrix<c32>{{3}})(0, 0) == 4.0);
    CHECK(lyapunov_factor(matrix<c32>{{{-2, 5}}}, matrix<c32>{{{0, 4}}})(0, 0) == 2.0);
    // In the units diag(1e-60, 1, 1e60) it is harmless.
    const matrix<number> a{{{-1, 1}, 1, 0}, {0, {-2, 0}, {0, 1}}, {{0.5, 0}, 0, {-3, -1}}}, b{{1}, {{0, 1}}, {2}};
    auto scaled = a;
    auto in = b;
    const double d[] = {0x1p-200, 1, 0x1p200};
    for (index_t i = 0; i < 3; ++i) {
        in(i, 0) *= d[i];
        for (index_t j = 0; j < 3; ++j) scaled(i, j) *= d[i] / d[j];
    }
    const auto l = lyapunov_factor(a, b), far = lyapunov_factor(scaled, in);
    for (index_t i = 0; i < 3; ++i)
        for (index_t j = 0; j <= i; ++j) CHECK(std::abs(far(i, j) / d[i] - l(i, j)) < 1e-14);
    CHECK(lyapunov_factor(a, matrix<number>(3, 1)) == matrix<number>(3, 3));
    CHECK(stein_factor(matrix<number>(3, 3), b)(0, 0) == 1.0);
    CHECK(lyapunov(matrix<number>{}, matrix<number>{}).empty());
    CHECK(stein_factor(matrix<number>{}, matrix<number>(0, 2)).empty());

    const matrix<number> one{{1}};
    CHECK_THROWS_WITH_AS(lyapunov(matrix<number>{{{0.25, 3}}}, one), "hrm::lyapunov: A is unstable: spectral abscissa 0.25, must be below 0", unstable_error);
    CHECK_THROWS_WITH_AS(stein_factor(matrix<number>{{{0, 1.25}}}, one), "hrm::stein_factor: A is unstable: spectral radius 1.25, must be below 1", unstable_error);
    CHECK_THROWS_WITH_AS(sylvester(matrix<number>{{{0, 1}}}, matrix<number>{{{0, -1}}}, one),
                         "hrm::sylvester: A and -B share an eigenvalue to rounding: they miss by 0, must by more than 4.44089e-16", numerical_error);
    CHECK_THROWS_WITH_AS(stein(one, matrix<number>(2, 2)), "hrm::stein: Q is 2x2, expected 1x1", shape_error);
    CHECK_THROWS_WITH_AS(lyapunov(matrix<number>{{{0, std::nan("")}}}, one), "hrm::lyapunov: A(0, 0) is not finite", numerical_error);
}
