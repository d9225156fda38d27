#include <hrm/reduction/sketch.hpp>

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "random_systems.hpp"
#include "support/allocations.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

template <class S>
matrix<S> normal(random_stream& r, index_t rows, index_t cols, double scale = 1) {
    matrix<S> x(rows, cols);
    r.fill_normal(x.flat(), scale);
    return x;
}
matrix<double> wide(const matrix<float>& x) {
    matrix<double> y(x.rows(), x.cols());
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) y(i, j) = static_cast<double>(x(i, j));
    return y;
}
matrix<double> moment(const matrix<double>& u) {
    auto m = product(turned(u), u);
    for (double& x : m.flat()) x /= static_cast<double>(u.rows());
    return m;
}
/// M - sum values v v^T.
matrix<double> left_out(matrix<double> m, const moment_estimate& e) {
    for (std::size_t k = 0; k < e.values.size(); ++k)
        for (index_t i = 0; i < m.rows(); ++i)
            for (index_t j = 0; j < m.cols(); ++j)
                m(i, j) -= e.values[k] * e.directions(static_cast<index_t>(k), i) * e.directions(static_cast<index_t>(k), j);
    return m;
}
matrix<double> gram(const moment_estimate& e) { return product(e.directions, turned(e.directions)); }
matrix<double> identity(index_t n) {
    matrix<double> x(n, n);
    for (index_t i = 0; i < n; ++i) x(i, i) = 1;
    return x;
}
/// Tokens whose i-th feature has variance decay^2i, in coordinates turned by reflections: a second moment of known shape.
template <class S>
matrix<S> decaying(random_stream& r, index_t tokens, index_t width, double decay) {
    const auto v = normal<double>(r, 3, width);
    auto x = normal<double>(r, tokens, width);
    for (index_t t = 0; t < tokens; ++t) {
        for (index_t i = 0; i < width; ++i) x(t, i) *= std::pow(decay, i);
        for (index_t k = 0; k < 3; ++k) {
            const double *h = v.view().row(k), f = 2 * dot(h, x.view().row(t), width) / dot(h, h, width);
            axpy(-f, h, x.view().row(t), width);
        }
    }
    matrix<S> u(tokens, width);
    for (index_t t = 0; t < tokens; ++t)
        for (index_t i = 0; i < width; ++i) u(t, i) = static_cast<S>(x(t, i));
    return u;
}

}  // namespace

TEST_CASE_TEMPLATE("the map is its matrix, and counts the squares", S, float, double) {
    random_stream r(1);
    struct shape {
        index_t width, columns, probes;
    };
    for (const auto& [width, columns, probes] : {shape{600, 60, 4}, {256, 40, 1}, {70, 30, 6}, {9, 9, 2}, {9, 30, 4}}) {
        const detail::sparse_map map(width, columns, probes, 7);
        CHECK(map.columns() == std::min(columns, width));
        const auto omega = map.dense();
        double smallest = 1e9, entries = 0;  // every feature takes part
        for (index_t i = 0; i < width; ++i) {
            double row = 0;
            for (index_t j = 0; j < map.columns(); ++j) row += std::abs(omega(i, j));
            smallest = std::min(smallest, row);
            entries += row;
        }
        CHECK(smallest >= (columns < width ? 4 : 1));
        CHECK(entries == doctest::Approx(columns < width ? 8.0 * static_cast<double>(width) : static_cast<double>(width)).epsilon(0.2));
        for (const index_t tokens : {0, 1, 7, 16, 45}) {
            const auto u = normal<S>(r, tokens, width);
            matrix<S> z(tokens, map.columns() + probes);
            workspace ws;
            const double squares = map.apply<S>(u.view(), z.view(), ws);
            double want_squares = 0, worst = 0;
            for (index_t t = 0; t < tokens; ++t) {
                for (index_t i = 0; i < width; ++i) want_squares += static_cast<double>(u(t, i)) * static_cast<double>(u(t, i));
                for (index_t j = 0; j < z.cols(); ++j) {
                    double sum = 0, size = 0;
                    for (index_t i = 0; i < width; ++i) {
                        sum += static_cast<double>(u(t, i)) * omega(i, j);
                        size += std::abs(static_cast<double>(u(t, i)) * omega(i, j));
                    }
                    if (size > 0) worst = std::max(worst, std::abs(static_cast<double>(z(t, j)) - sum) / size);
                }
            }
            // A sum of at most `width` terms, rounded after each.
            const double eps = std::numeric_limits<S>::epsilon();
            CHECK(worst <= static_cast<double>(width) * eps / 2);
            CHECK(std::abs(squares - want_squares) <= 600 * eps * want_squares);
        }
    }
}

TEST_CASE("a moment of low rank comes out exactly, and so do its trace and the nothing that is left") {
    random_stream r(2);
    const auto low = normal<double>(r, 300, 20), mix = normal<double>(r, 20, 500);
    const auto u = product(low, mix);
    moment_sketch s(500, {.columns = 44, .probes = 4});
    workspace ws;
    s.add(u.view(), ws);
    const auto m = moment(u), e_left = left_out(m, s.estimate(40));
    const auto e = s.estimate(40);
    CHECK(e.values.size() == 20);  // all that is above rounding
    // The core's condition: Omega^T M Omega over M's own, some 1e2 here; and eps times it once.
    CHECK(largest(e_left) <= 1e-11 * e.values[0]);
    CHECK(distance(gram(e), identity(20)) <= 1e-11);
    CHECK(e.rest <= 1e-11 * e.total);
    CHECK(e.error <= 1e-11 * e.total);
    double trace = 0;
    for (index_t i = 0; i < 500; ++i) trace += m(i, i);
    CHECK(e.total == doctest::Approx(trace).epsilon(1e-13));
    CHECK(s.estimate(3).values.size() == 3);
}

TEST_CASE("as many columns as features: the moment itself") {
    random_stream r(3);
    const auto u = decaying<double>(r, 200, 30, 0.8);
    moment_sketch s(30);
    workspace ws;
    s.add(u.view(), ws);
    const auto e = s.estimate(30);
    const auto m = moment(u);
    // Values down to 0.8^58 = 2e-6 of the first: all of them, to eps of the first.
    CHECK(e.values.size() == 30);
    CHECK(largest(left_out(m, e)) <= 30 * 2.3e-16 * 30 * e.values[0]);
    const auto exact = jacobi_svd(m).sigma;
    for (std::size_t i = 0; i < 30; ++i) CHECK(std::abs(e.values[i] - exact[i]) <= 1e-14 * 30 * exact[0]);
}

TEST_CASE("a decaying spectrum in float: leading values, and errors that hold what they promise") {
    random_stream r(4);
    int beyond = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const auto u = decaying<float>(r, 400, 320, 0.9);
        moment_sketch s(320, {.columns = 64, .seed = seed});
        workspace ws;
        s.add(u.view(), ws);
        const auto m = moment(wide(u));
        const auto exact = jacobi_svd(m).sigma;
        const auto e = s.estimate(20);
        REQUIRE(e.values.size() == 20);
        for (std::size_t i = 0; i < 20; ++i) CHECK(e.values[i] <= exact[i] + 1e-5 * exact[0]);  // never above, but for float
        for (std::size_t i = 0; i < 10; ++i) CHECK(e.values[i] >= 0.999 * exact[i]);
        // Nystroem at rank 20 of 60 columns: expected excess of the best rank's error at most 20 / (60 - 20 - 1) of its tail.
        double tail = 0;
        for (std::size_t i = 20; i < exact.size(); ++i) tail += exact[i];
        CHECK(e.rest >= tail - 1e-4 * exact[0]);
        CHECK(e.rest <= 1.5 * tail);
        const auto gap = left_out(m, e);
        CHECK(e.rest == doctest::Approx([&] {
                  double trace = 0;
                  for (index_t i = 0; i < 320; ++i) trace += gap(i, i);
                  return trace;
              }()).epsilon(1e-4));
        if (jacobi_svd(gap).sigma[0] > e.error) ++beyond;
        CHECK(e.failure == doctest::Approx(1e-4));
        CHECK(distance(gram(e), identity(20)) <= 1e-9);
        CHECK(e.regularisation < 1e-5);
    }
    CHECK(beyond == 0);  // 12 in 10^4 would be chance
}

TEST_CASE("any order of adding and merging, through words or not, gives the same bits") {
    random_stream r(5);
    const sketch_options o{.columns = 20, .probes = 3, .seed = 9};
    std::vector<matrix<float>> all;
    for (index_t i = 0; i < 9; ++i) all.push_back(normal<float>(r, 1 + r.below(40), 600, std::exp(6 * r.normal())));
    workspace ws;
    moment_sketch once(600, o);
    for (const auto& u : all) once.add(u.view(), ws);
    const auto want = once.estimate(5);
    for (int trial = 0; trial < 12; ++trial) {
        for (std::size_t i = all.size(); i-- > 1;) std::swap(all[i], all[static_cast<std::size_t>(r.below(static_cast<index_t>(i + 1)))]);
        std::vector<moment_sketch> workers(3, moment_sketch(600, o));
        for (const auto& u : all) workers[static_cast<std::size_t>(r.below(3))].add(u.view(), ws);
        workers[2].merge(workers[0]);
        if (trial % 2) workers[1].merge(workers[2]);
        else workers[1].merge(workers[2].words());
        const auto got = workers[1].estimate(5);
        CHECK(got.directions == want.directions);
        CHECK(got.values == want.values);
        CHECK(got.rest == want.rest);
        CHECK(got.error == want.error);
        CHECK(workers[1].count() == once.count());
        CHECK(workers[1].words() == once.words());
    }
    auto words = once.words();
    moment_sketch other(600, {.columns = 20, .probes = 3, .seed = 10}), same(600, o);
    CHECK_THROWS_AS(other.merge(words), shape_error);
    CHECK_THROWS_WITH_AS(other.merge(once),
                         "hrm::moment_sketch: sketches with 20 columns, 3 probes, seed 9 and with 20 columns, 3 probes, seed 10 do not merge",
                         shape_error);
    for (std::size_t cut : {std::size_t{0}, std::size_t{3}, words.size() / 2, words.size() - 1})
        CHECK_THROWS_AS(same.merge(std::span<const std::int64_t>(words).first(cut)), shape_error);
    words.push_back(0);
    CHECK_THROWS_AS(same.merge(words), shape_error);
    // The same width, columns, probes and seed, and another Omega: another version's.
    words.pop_back();
    ++words[4];
    CHECK_THROWS_AS(same.merge(words), shape_error);
    --words[4];
    CHECK_NOTHROW(moment_sketch(600, o).merge(words));
    CHECK(same.count() == 0);
    CHECK(same.words() == moment_sketch(600, o).words());
}

TEST_CASE("many exact sums: what exact_sum holds, by arrays") {
    detail::exact_sums s(3);
    for (double x : {1e30, 1e-20, -1e30, 3.0, -1e-20}) {
        double v[3] = {x, -x, 0};
        s.add(v);
    }
    s.carry();
    CHECK(s.value(0) == 3);
    CHECK(s.value(1) == -3);
    CHECK(s.value(2) == 0);
    detail::exact_sums one(1);
    for (int i = 0; i < 100000; ++i) {
        float x = -0.1f;
        one.add(&x);
        if (i % 1000 == 0) one.carry();
    }
    one.carry();
    CHECK(one.value(0) == -100000 * static_cast<double>(0.1f));
    for (double x : {0x1p109, 0x1p-112, -0x1p109, 0x1p-113}) one.add(&x);
    one.carry();
    CHECK(one.value(0) == -100000 * static_cast<double>(0.1f));  // 2^-112 is below its last place
    double back = 100000 * static_cast<double>(0.1f);
    one.add(&back);
    one.carry();
    CHECK(one.value(0) == 0x1p-112);
}

TEST_CASE("many exact sums: any order, any sizes beside each other, merged or not, the same words") {
    random_stream r(8);
    const index_t count = 3000;
    for (int trial = 0; trial < 6; ++trial) {
        std::vector<std::vector<double>> all;
        for (int i = 0; i < 60; ++i) {  // sizes that drift, so that a piece changes where its digits lie
            const double scale = std::exp2(trial * 12.0 * r.normal() + (i < 30 ? 0 : -10 * trial));
            std::vector<double> x(count);
            for (double& v : x) v = std::clamp(scale * r.normal() * (r.below(50) == 0 ? 0x1p-70 : 1.0), -0x1p105, 0x1p105);
            if (i % 2)
                for (double& v : x) v = static_cast<double>(static_cast<float>(v));
            all.push_back(x);
        }
        std::vector<std::int64_t> want;
        for (int order = 0; order < 3; ++order) {
            std::vector<detail::exact_sums> workers(2, detail::exact_sums(count));
            for (std::size_t i = 0; i < all.size(); ++i) {
                const std::size_t n = order == 0 ? i : order == 1 ? all.size() - 1 - i : i * 7 % all.size();
                auto& s = workers[order == 2 ? n % 2 : 0];
                if (n % 2) {
                    std::vector<float> x(all[n].begin(), all[n].end());
                    s.add(x.data());
                } else {
                    auto x = all[n];
                    s.add(x.data());
                }
            }
            workers[1].merge(workers[0]);
            workers[1].carry();
            std::vector<std::int64_t> words;
            workers[1].write(words);
            if (order == 0) want = words;
            CHECK(words == want);
        }
    }
    double beside[3] = {1.0, 0x1.7p-111, -0x1.7p-111};  // cut towards zero
    detail::exact_sums s(3);
    s.add(beside);
    s.carry();
    CHECK(s.value(1) == 0x1p-111);
    CHECK(s.value(2) == -0x1p-111);
    // Where all of a piece is tiny its digits lie below 2^-112, and what is cut away must not wait there.
    const std::vector<float> tiny{0x1.8p-96f, 0x1.8p-112f, -0x1.8p-112f}, large{0x1p6f, 0, 0};
    std::vector<std::int64_t> want;
    for (int turn = 0; turn < 3; ++turn) {
        detail::exact_sums sums(3);
        for (int i = 0; i < 3; ++i) {
            auto x = i == turn ? large : tiny;
            sums.add(x.data());
        }
        sums.carry();
        CHECK(sums.value(1) == 0x1p-111);
        CHECK(sums.value(2) == -0x1p-111);
        std::vector<std::int64_t> words;
        sums.write(words);
        if (turn == 0) want = words;
        CHECK(words == want);
    }
    std::vector<std::int64_t> foreign{1, std::int64_t{1} << 31, 0, 0};  // a digit that carry() leaves nowhere
    std::span<const std::int64_t> rest(foreign);
    CHECK(!s.read(rest));
}

TEST_CASE("nothing, zeros, bad activations and bad shapes") {
    moment_sketch s(40, {.columns = 12});
    CHECK(s.estimate(5).values.empty());
    CHECK(s.estimate(5).directions.rows() == 0);
    workspace ws;
    const matrix<float> zero(4, 40), narrow(4, 39);
    s.add(zero.view(), ws);
    s.add(zero.view().slice_rows(0, 0), ws);
    CHECK(s.count() == 4);
    const auto nothing = s.estimate(5);
    CHECK(nothing.values.empty());
    CHECK(nothing.error == 0);
    const auto before = s.words();
    for (const float bad : {std::nanf(""), INFINITY, 1e30f}) {
        matrix<float> u(3, 40, 1.0f);
        u(1, 17) = bad;
        CHECK_THROWS_AS(s.add(u.view(), ws), numerical_error);
    }
    CHECK_THROWS_WITH_AS(s.add(narrow.view(), ws), "hrm::moment_sketch: the activations is 4x39, expected 4x40", shape_error);
    CHECK(s.words() == before);
    CHECK_THROWS_AS(moment_sketch(0), shape_error);
    CHECK_THROWS_AS(moment_sketch(8, {.columns = 4, .probes = 4}), shape_error);
    CHECK_THROWS_AS(moment_sketch(8, {.columns = 4, .probes = 0}), shape_error);
    CHECK_THROWS_AS(s.estimate(-1), shape_error);
}

TEST_CASE("the second call allocates nothing") {
    random_stream r(6);
    const auto u = normal<float>(r, 50, 300);
    moment_sketch s(300, {.columns = 32});
    workspace ws;
    s.add(u.view(), ws);
    ws.clear();
    s.add(u.view(), ws);
    ws.clear();
    const auto before = hrm_test::allocations();
    s.add(u.view(), ws);
    if (hrm_test::allocations_are_counted()) CHECK(hrm_test::allocations() == before);
}

TEST_CASE("the sparse part of the map sees every row, whatever the width: entries +-1, one a row and column, balanced but for their signs") {
    for (const index_t width : {2, 3, 5, 9, 40, 255, 256, 257, 258, 259, 300, 512, 513, 514, 1025})
        for (const index_t columns : {2, 3, 4, 7, 8, 32, 200}) {
            if (columns >= width) continue;
            const auto omega = detail::sparse_map(width, columns, 1, 11).dense();
            index_t unseen = 0, other = 0;
            for (index_t i = 0; i < width; ++i) {
                double most = 0;
                for (index_t j = 0; j < columns; ++j) {
                    const double x = std::abs(omega(i, j));
                    most = std::max(most, x);
                    other += x != 0 && x != 1;
                }
                unseen += most == 0;
            }
            INFO(width, " x ", columns);
            CHECK(unseen == 0);
            CHECK(other == 0);
        }
}
