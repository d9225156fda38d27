#include <hrm/systems/zeros.hpp>

#include <fstream>

#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "support.hpp"

using namespace hrm;
using complex = std::complex<double>;

namespace {

// Every value of x has a partner in y of its own: the largest distance, relative to 1 + |value|.
double mismatch(const buffer<complex>& x, buffer<complex> y) {
    REQUIRE(x.size() == y.size());
    double worst = 0;
    for (const auto& value : x) {
        auto nearest = y.begin();
        for (auto at = y.begin(); at != y.end(); ++at)
            if (std::abs(*at - value) < std::abs(*nearest - value)) nearest = at;
        worst = std::max(worst, std::abs(*nearest - value) / (1 + std::abs(value)));
        y.erase(nearest);
    }
    return worst;
}

}  // namespace

TEST_CASE("zeros and normal rank agree with SLICOT") {
    std::ifstream file(HRM_TEST_DATA "/systems/data/zeros.txt");
    int count = 0;
    for (index_t kind, n, m, p; file >> kind >> n >> m >> p; ++count) {
        CAPTURE(count);
        const auto a = read_matrix(file, n, n), b = read_matrix(file, n, m), c = read_matrix(file, p, n), d = read_matrix(file, p, m);
        index_t many, rank;
        file >> many >> rank;
        const auto re = read_matrix(file, many > 0, many), im = read_matrix(file, many > 0, many);
        buffer<complex> want;
        for (index_t i = 0; i < many; ++i) want.emplace_back(re(0, i), im(0, i));
        const auto got = kind == 0 ? zeros(continuous<dense<double>>{{a}, b, c, d}) : zeros(discrete<dense<double>>{{a}, b, c, d});
        CHECK(got.normal_rank == rank);
        CHECK(got.tolerance > 0);
        REQUIRE(got.finite.size() == want.size());
        // Zeros at the origin of discrete systems without D come n at a time: eps^(1/2) for a double one.
        const bool multiple = kind == 1 && std::count_if(want.begin(), want.end(), [](complex z) { return std::abs(z) < 1e-6; }) > 1;
        CHECK(mismatch(want, got.finite) < (multiple ? 1e-6 : 1e-9));
    }
    CHECK(count == 33);
}

TEST_CASE("zeros: closed forms") {
    // (s + 2)/((s + 1)(s + 3)) = 1/2/(s + 1) + 1/2/(s + 3).
    const auto one = zeros(continuous<diagonal<double>>{{{-1, -3}}, {{1}, {1}}, {{0.5, 0.5}}, {}});
    CHECK(one.normal_rank == 1);
    REQUIRE(one.finite.size() == 1);
    CHECK(std::abs(one.finite[0] + 2.0) < 1e-14);
    // z c b/(z - a): a zero at the origin; with D = -c b/2 it moves to z = -a:  c b (z/(z - a) - 1/2) = c b (z + a)/(2 (z - a)).
    const auto origin = zeros(discrete<diagonal<double>>{{{0.5}}, {{3}}, {{2}}, {}});
    REQUIRE(origin.finite.size() == 1);
    CHECK(std::abs(origin.finite[0]) < 1e-15);
    CHECK(std::abs(zeros(discrete<diagonal<double>>{{{0.5}}, {{3}}, {{2}}, {{-3}}}).finite.at(0) + 0.5) < 1e-15);
    // States that nothing drives and nothing sees are zeros, and poles.
    const auto still = zeros(continuous<diagonal<double>>{{{-1, -3}}, matrix<double>(2, 1), matrix<double>(1, 2), {{1}}});
    CHECK(mismatch({-1, -3}, still.finite) < 1e-15);
    // Nothing at all.
    CHECK(zeros(continuous<dense<double>>{{}, {}, {}, {}}).finite.empty());
    CHECK(zeros(continuous<dense<double>>{{{{-1}}}, matrix<double>(1, 0), matrix<double>(0, 1), {}}).normal_rank == 0);
    CHECK(zeros(continuous<dense<double>>{{}, matrix<double>(0, 2), matrix<double>(2, 0), {{1, 2}, {2, 4}}}).normal_rank == 1);
}

TEST_CASE("zeros do not move with the units of the states, and G loses rank there") {
    auto g = random_system(5, 6, 2, 2, 0.9, false);
    const continuous<dense<double>> s{g.a, g.b, g.c, {}};
    auto t = s;
    for (index_t i = 0; i < 6; ++i) {
        const double f = std::pow(10.0, static_cast<double>(3 * i) - 8);
        for (index_t j = 0; j < 6; ++j) t.a.a(i, j) *= f;
        for (index_t j = 0; j < 6; ++j) t.a.a(j, i) /= f;
        for (index_t j = 0; j < 2; ++j) t.b(i, j) *= f, t.c(j, i) /= f;
    }
    const auto x = zeros(s).finite, y = zeros(t).finite;
    CHECK(x.size() == 4);
    CHECK(mismatch(x, y) < 1e-10);
    // det G at the zero, with G by its definition.
    for (const auto z : x) {
        matrix<complex> pencil(6, 6), right(6, 2);
        for (index_t i = 0; i < 6; ++i) {
            for (index_t j = 0; j < 6; ++j) pencil(i, j) = (i == j ? z : complex{}) - s.a.a(i, j);
            for (index_t j = 0; j < 2; ++j) right(i, j) = s.b(i, j);
        }
        const auto states = solve(pencil, right);
        complex h[2][2] = {};
        for (index_t i = 0; i < 2; ++i)
            for (index_t j = 0; j < 2; ++j)
                for (index_t k = 0; k < 6; ++k) h[i][j] += s.c(i, k) * states(k, j);
        CHECK(std::abs(h[0][0] * h[1][1] - h[0][1] * h[1][0]) < 1e-10 * (std::abs(h[0][0] * h[1][1]) + std::abs(h[0][1] * h[1][0])));
    }
}

TEST_CASE("generalised eigenvalues: those of B^-1 A, infinite ones, a random pencil's residual") {
    using hrm::detail::generalized_eigenvalues;
    const auto values = generalized_eigenvalues("test", {{2, 1}, {0, 3}}, {{1, 5}, {0, 0}});
    index_t infinite = 0;
    for (const auto& x : values) {
        if (x.beta == complex{}) ++infinite;
        else CHECK(std::abs(x.alpha / x.beta - 2.0) < 1e-14);
    }
    CHECK(infinite == 1);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        random_stream r(seed);
        const index_t n = 2 + r.below(14);
        matrix<complex> a(n, n), b(n, n);
        for (auto& x : a.flat()) x = {r.normal(), r.normal()};
        for (auto& x : b.flat()) x = {r.normal(), r.normal()};
        if (seed % 3 == 0)  // a direction in which B is nothing
            for (index_t j = 0; j < n; ++j) b(n - 1, j) = b(0, j);
        complex trace = 0;  // of A^-1 B: the sum of beta / alpha
        const auto inverse = solve(a, b);
        for (index_t i = 0; i < n; ++i) trace += inverse(i, i);
        complex sum = 0;
        double size = 0;
        index_t at_infinity = 0;
        for (const auto& x : generalized_eigenvalues("test", a, b)) {
            sum += x.beta / x.alpha;
            size += std::abs(x.beta / x.alpha);
            at_infinity += x.beta == complex{};
        }
        CHECK(std::abs(sum - trace) < 1e-11 * size);
        CHECK(at_infinity == (seed % 3 == 0 ? 1 : 0));
    }
}

TEST_CASE("zeros say what is wrong") {
    CHECK_THROWS_AS(zeros(continuous<diagonal<double>>{{{std::nan("")}}, {{1}}, {{1}}, {}}), numerical_error);
    CHECK_THROWS_AS(zeros(continuous<diagonal<double>>{{{-1}}, {{1}, {2}}, {{1}}, {}}), shape_error);
}

TEST_CASE("zeros of complex systems are SciPy's generalised eigenvalues of the pencil") {
    for (const auto& r : operations_references())
        r.visit([&](auto g) {
            CAPTURE(r.discrete);
            const auto check = [&](const matrix<number>& want, double tolerance) {
                const auto got = zeros(g);
                CHECK(got.normal_rank == 2);
                REQUIRE(got.finite.size() == want.flat().size());
                CHECK(mismatch({want.flat().begin(), want.flat().end()}, got.finite) < tolerance);
            };
            check(r.zeros, 1e-12);
            g.d = {};
            check(r.zeros_without_d, r.discrete ? 1e-6 : 1e-12);  // at the origin a double one: eps^(1/2)
        });
}

TEST_CASE("zeros of a real system in unitary coordinates, of a diagonal one, of none, and what is refused") {
    random_stream r(9);
    for (const bool with_d : {false, true}) {
        const auto s = random_system(6, 7, 2, 3, 0.9, with_d);  // more outputs than inputs: no zeros
        const auto wide = random_system(7, 7, 2, 2, 0.9, with_d);
        CHECK(zeros(turned_by(random_unitary(r, 7), complex_of(s))).finite.size() == zeros(s).finite.size());
        const continuous<dense<double>> g{wide.a, wide.b, wide.c, wide.d};
        const auto want = zeros(g), got = zeros(turned_by(random_unitary(r, 7), complex_of(g)));
        CHECK(got.normal_rank == want.normal_rank);
        CHECK(mismatch(want.finite, got.finite) < 1e-10);
    }
    // (s + 2i)/((s + i)(s + 3i)) = 1/2/(s + i) + 1/2/(s + 3i).
    const auto one = zeros(continuous<diagonal<number>>{{{{0, -1}, {0, -3}}}, {{1}, {1}}, {{0.5, 0.5}}, {}});
    REQUIRE(one.finite.size() == 1);
    CHECK(std::abs(one.finite[0] + number(0, 2)) < 1e-14);
    const auto still = zeros(continuous<diagonal<number>>{{{{-1, 1}, -3}}, matrix<number>(2, 1), matrix<number>(1, 2), {{1}}});
    CHECK(mismatch({{-1, 1}, -3}, still.finite) < 1e-15);
    CHECK(zeros(continuous<dense<number>>{{}, {}, {}, {}}).finite.empty());
    CHECK(zeros(discrete<dense<number>>{{{{-1}}}, matrix<number>(1, 0), matrix<number>(0, 1), {}}).normal_rank == 0);
    CHECK_THROWS_AS(zeros(discrete<diagonal<number>>{{{{0, std::nan("")}}}, {{1}}, {{1}}, {}}), numerical_error);
}
