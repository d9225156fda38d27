#include <hrm/reduction/hankel.hpp>

#include <cstdint>
#include <fstream>

#include <doctest/doctest.h>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/markov.hpp>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

void read(std::istream& in, std::span<double> out) {
    for (auto& x : out) in >> x;
    REQUIRE(in.good());
}

// Relative error of every value above `floor` sigma_1.
double worst(const std::vector<double>& got, const std::vector<double>& want, double floor) {
    REQUIRE(got.size() == want.size());
    double w = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
        if (want[i] > floor * want[0]) w = std::max(w, std::abs(got[i] / want[i] - 1));
    return w;
}

}  // namespace

TEST_CASE("dense discrete systems of more than one block have the values of SciPy and SLICOT") {
    // The entries of make_dense_discrete.py: whole numbers over 128, exact in double.
    const auto entries = [](index_t rows, index_t cols, std::uint32_t first, double unit) {
        matrix<double> x(rows, cols);
        for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(rows); ++i)
            for (std::uint32_t j = 0; j < static_cast<std::uint32_t>(cols); ++j) {
                std::uint32_t h = ((i + first) * 73856093u) ^ (j * 19349663u);
                h = (h ^ (h >> 15)) * 2654435761u;
                x(i, j) = unit * (static_cast<double>(h >> 24) - 128) / 128;
            }
        return x;
    };
    std::ifstream in(HRM_TEST_DATA "/reduction/data/dense_discrete.txt");
    index_t n, m, p, many, systems = 0;
    double unit;
    while (in >> n >> m >> p >> unit >> many) {
        CAPTURE(n);
        std::vector<double> want(static_cast<std::size_t>(many));
        read(in, want);
        const discrete<dense<double>> g{{entries(n, n, 0, unit)}, entries(n, m, 1000, 1), entries(p, n, 2000, 1), {}};
        // They agree among themselves to 3e-14 of the largest.
        for (const auto& got : {hankel_singular_values(g), balance(g).sigma})  // a Schur form for each side; one for both
            for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(got[i] - want[i]) <= 1e-12 * want[0]);
        ++systems;
    }
    CHECK(systems == 3);
}

TEST_CASE("Hankel singular values agree with 80-digit references") {
    std::ifstream in(HRM_TEST_DATA "/reduction/data/hankel.txt");
    REQUIRE(in);
    std::string kind;
    index_t numbers, q, n, m, p, systems = 0;
    while (in >> kind >> numbers >> q >> n >> m >> p) {
        std::vector<double> a(static_cast<std::size_t>(numbers)), want(static_cast<std::size_t>(n));
        matrix<double> b(n, m), c(p, n);
        read(in, a);
        read(in, b.flat());
        read(in, c.flat());
        read(in, want);
        CAPTURE(kind);
        CAPTURE(n);
        ++systems;
        if (kind == "diagonal") {
            const discrete<diagonal<double>> s{{{a.begin(), a.end()}}, b, c, {}};
            CHECK(worst(hankel_singular_values(s), want, 0) <= 1e-10);  // all of them: relative accuracy
            CHECK(worst(hankel_singular_values(as_dense(s)), want, 1e-6) <= 1e-10);
        } else if (kind == "pairs") {
            discrete<complex_pairs<double>> s{{}, b, c, {}};
            const auto k = static_cast<std::ptrdiff_t>((n - q) / 2);
            s.a.real.assign(a.begin(), a.begin() + q);
            s.a.re.assign(a.begin() + q, a.begin() + q + k);
            s.a.im.assign(a.begin() + q + k, a.end());
            CHECK(worst(hankel_singular_values(s), want, 0) <= 1e-10);
            CHECK(worst(hankel_singular_values(as_dense(s)), want, 1e-6) <= 1e-10);
        } else {
            discrete<dense<double>> d{{matrix<double>(n, n)}, b, c, {}};
            std::copy(a.begin(), a.end(), d.a.a.flat().begin());
            CHECK(worst(hankel_singular_values(d), want, 1e-6) <= 1e-10);
        }
    }
    CHECK(systems == 18);
}

TEST_CASE("a system and its dual have the same Hankel singular values") {
    random_stream r(1);
    for (int trial = 0; trial < 5; ++trial) {
        const auto s = random_pairs(r, 3, 4, 2, 5);
        CHECK(worst(hankel_singular_values(dual(s)), hankel_singular_values(s), 0) <= 1e-10);
        const auto d = random_dense(r, 9, 2, 3);
        CHECK(worst(hankel_singular_values(dual(d)), hankel_singular_values(d), 1e-6) <= 1e-10);
    }
}

TEST_CASE("they do not depend on the coordinates: structured and dense, units and order of the states") {
    random_stream r(2);
    auto s = random_pairs(r, 2, 4, 3, 2);
    const auto want = hankel_singular_values(s);
    CHECK(worst(hankel_singular_values(as_dense(s)), want, 1e-6) <= 1e-10);
    // Units: b_i by a power of two, c_i by its inverse, pair by pair.
    for (index_t i = 0; i < 10; ++i) {
        const double unit = std::ldexp(1.0, static_cast<int>(i < 2 ? 20 * i - 10 : 9 * ((i - 2) % 4) - 14));
        for (index_t j = 0; j < 3; ++j) s.b(i, j) *= unit;
        for (index_t j = 0; j < 2; ++j) s.c(j, i) /= unit;
    }
    CHECK(worst(hankel_singular_values(s), want, 0) <= 1e-10);
}

TEST_CASE("they are the singular values of a long block Hankel matrix of the impulse response") {
    random_stream r(3);
    // 0.7^(2 * 60) = 3e-19: what lies beyond the matrix is rounding.
    for (index_t m : {1, 3}) {
        const auto s = random_pairs(r, 1, 2, m, 2, 0.7);
        const auto want = hankel_singular_values(s);
        auto got = jacobi_svd(block_hankel(markov(s, 120), 60, 60)).sigma;
        got.resize(want.size());
        CHECK(worst(got, want, 1e-6) <= 1e-9);
    }
}

TEST_CASE("continuous time and its bilinear image have the same values") {
    // z = (1 + w) / (1 - w) maps A to (I + A)(I - A)^-1, B and C to sqrt(2)(I - A)^-1 B, sqrt(2) C (I - A)^-1 . For poles:
    random_stream r(4);
    const index_t n = 9;
    continuous<diagonal<double>> c{{}, matrix<double>(n, 2), matrix<double>(2, n), {}};
    discrete<diagonal<double>> d{{}, matrix<double>(n, 2), matrix<double>(2, n), {}};
    r.fill_normal(c.b.flat());
    r.fill_normal(c.c.flat());
    for (index_t i = 0; i < n; ++i) {
        const double l = -std::exp(2 * r.normal());
        c.a.poles.push_back(l);
        d.a.poles.push_back((1 + l) / (1 - l));
        for (index_t j = 0; j < 2; ++j) {
            d.b(i, j) = std::sqrt(2.0) * c.b(i, j) / (1 - l);
            d.c(j, i) = std::sqrt(2.0) * c.c(j, i) / (1 - l);
        }
    }
    CHECK(worst(hankel_singular_values(d), hankel_singular_values(c), 1e-10) <= 1e-10);
}

TEST_CASE("unreachable and unobservable states have the value zero") {
    discrete<diagonal<double>> s{{{0.5, 0.25, -0.5}}, {{1}, {0}, {1}}, {{1, 1, 0}}, {}};
    const auto sigma = hankel_singular_values(s);
    CHECK(sigma[0] == doctest::Approx(1 / 0.75));
    CHECK(sigma[1] == 0);
    CHECK(sigma[2] == 0);
    const discrete<dense<double>> nothing{};
    CHECK(hankel_singular_values(nothing).empty());
}

TEST_CASE("inputs that are finite one by one and not together are refused") {
    // B B^T = (2.1e308)^2: its root is beyond 1.8e308.
    const discrete<diagonal<double>> s{{{0.5}}, {{1.5e308, 1.5e308}}, {{1}}, {}};
    CHECK_THROWS_WITH_AS(hankel_singular_values(s), "hrm::hankel_singular_values: the input or output of mode 0 is beyond the range of double",
                         numerical_error);
}
