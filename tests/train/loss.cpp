#include <hrm/train/loss.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>

using namespace hrm;

namespace {

template <real S>
matrix<S> random_matrix(index_t rows, index_t cols, double scale) {
    matrix<S> m(rows, cols);
    random_stream r(7, static_cast<std::uint64_t>(cols));
    r.fill_normal(m.flat(), scale);
    return m;
}

/// The definition, in long double, without any care for overflow but the maximum.
template <real S>
double reference(const matrix<S>& x, const std::vector<std::int32_t>& targets) {
    long double nats = 0;
    for (index_t t = 0; t < x.rows(); ++t) {
        if (targets[static_cast<std::size_t>(t)] < 0) continue;
        long double sum = 0;
        for (index_t j = 0; j < x.cols(); ++j) sum += std::exp(static_cast<long double>(x(t, j)));
        nats += std::log(sum) - static_cast<long double>(x(t, targets[static_cast<std::size_t>(t)]));
    }
    return static_cast<double>(nats);
}

}  // namespace

TEST_CASE_TEMPLATE("cross entropy is -log softmax", S, float, double) {
    for (const index_t vocabulary : {1, 2, 15, 16, 17, 256}) {
        const auto x = random_matrix<S>(9, vocabulary, 3);
        std::vector<std::int32_t> targets(9);
        for (std::size_t t = 0; t < 9; ++t) targets[t] = static_cast<std::int32_t>(t % static_cast<std::size_t>(vocabulary));
        targets[4] = -1;
        const double want = reference(x, targets);
        // Nine rows, each off by a few roundings of numbers of size 10.
        const double tolerance = 9 * 4 * 10 * static_cast<double>(std::numeric_limits<S>::epsilon());
        CHECK(std::abs(cross_entropy<S>(x, targets) - want) <= tolerance);
        matrix<S> d(9, vocabulary, S{5});
        CHECK(cross_entropy<S>(x, targets, d.view()) == cross_entropy<S>(x, targets));
        for (index_t t = 0; t < 9; ++t) {
            double sum = 0;
            for (index_t j = 0; j < vocabulary; ++j) {
                sum += static_cast<double>(d(t, j));
                if (t == 4) CHECK(d(t, j) == S{0});
            }
            CHECK(std::abs(sum) <= 300 * static_cast<double>(std::numeric_limits<S>::epsilon()));
        }
    }
}

TEST_CASE("the gradient of cross entropy agrees with central differences") {
    auto x = random_matrix<double>(6, 37, 2);
    const std::vector<std::int32_t> targets = {3, 36, -100, 0, 17, 5};
    const double scale = 0.25, h = 1e-5;
    matrix<double> d(6, 37);
    cross_entropy<double>(x, targets, d.view(), scale);
    double error = 0, norm = 0;
    for (index_t i = 0; i < x.size(); ++i) {
        const double at = x.data()[i];
        x.data()[i] = at + h;
        const double up = cross_entropy<double>(x, targets);
        x.data()[i] = at - h;
        const double down = cross_entropy<double>(x, targets);
        x.data()[i] = at;
        const double want = scale * (up - down) / (2 * h);
        error += (d.data()[i] - want) * (d.data()[i] - want);
        norm += want * want;
    }
    CHECK(std::sqrt(error / norm) <= 1e-6);
}

TEST_CASE("cross entropy neither overflows nor hides a NaN, and may write over its logits") {
    matrix<float> x = {{1000, -1000, 0}, {-3e4f, -3e4f, -3e4f}};
    CHECK(cross_entropy<float>(x, std::vector<std::int32_t>{1, 2}) == doctest::Approx(2000 + std::log(3.0)));
    matrix<float> d(2, 3);
    cross_entropy<float>(x, std::vector<std::int32_t>{1, 2}, d.view());
    cross_entropy<float>(x, std::vector<std::int32_t>{1, 2}, x.view());
    CHECK(x == d);
    CHECK(d(0, 0) == 1.0f);
    CHECK(d(0, 1) == -1.0f);
    x(0, 2) = std::nanf("");
    CHECK(std::isnan(cross_entropy<float>(x, std::vector<std::int32_t>{1, 2})));
}

TEST_CASE("cross entropy refuses a target outside the vocabulary and extents that differ") {
    const auto x = random_matrix<float>(2, 4, 1);
    CHECK_THROWS_WITH(cross_entropy<float>(x, std::vector<std::int32_t>{0, 4}),
                      "hrm::cross_entropy: target 4 in row 1, expected below 4");
    CHECK_THROWS_AS(cross_entropy<float>(x, std::vector<std::int32_t>{0}), shape_error);
    matrix<float> d(2, 3);
    CHECK_THROWS_AS(cross_entropy<float>(x, std::vector<std::int32_t>{0, 1}, d.view()), shape_error);
}

TEST_CASE("scores add, and bits are nats over the tokens") {
    score s{std::log(2.0) * 3, 2};
    s += {std::log(2.0), 2};
    CHECK(s.tokens == 4);
    CHECK(s.bits() == doctest::Approx(1.0));
    CHECK(score{}.bits() == 0);
    CHECK(valid_targets(std::vector<std::int32_t>{-1, 0, 5, -100}) == 2);
}
