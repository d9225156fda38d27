#include <hrm/train/adamw.hpp>

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

using namespace hrm;

TEST_CASE("AdamW is the published recurrence, its decay decoupled and only where it belongs") {
    parameter_set<double> p;
    const auto weight = p.add("weight", 1, 3, decay::yes);
    const auto gate = p.add("gate", 1, 1, decay::no);
    const double start[4] = {0.5, -1, 2, 0.1};
    for (index_t j = 0; j < 3; ++j) p[weight](0, j) = start[j];
    p[gate](0, 0) = start[3];
    parameter_list<double> list(p);
    list.rate("gate", 3);
    const adamw_options o{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
    adamw<double> optimiser(list, o);

    // The same in scalars, written out as in the paper's algorithm 2 (with the schedule as the rate).
    std::vector<double> theta(start, start + 4), m(4), v(4);
    random_stream random(3);
    for (int t = 1; t <= 50; ++t) {
        buffer<double> g(static_cast<std::size_t>(p.size()));
        double flat[4];
        for (auto& x : flat) x = random.normal();
        for (std::size_t j = 0; j < 3; ++j) g[j] = flat[j];
        p.in(std::span<double>(g), gate)(0, 0) = flat[3];
        const double rate = 1e-2 * t;
        optimiser.step(list, std::span<const double>(g), rate);
        for (std::size_t j = 0; j < 4; ++j) {
            const double here = j == 3 ? 3 * rate : rate, lambda = j == 3 ? 0 : o.weight_decay;
            m[j] = o.beta1 * m[j] + (1 - o.beta1) * flat[j];
            v[j] = o.beta2 * v[j] + (1 - o.beta2) * flat[j] * flat[j];
            const double mh = m[j] / (1 - std::pow(o.beta1, t)), vh = v[j] / (1 - std::pow(o.beta2, t));
            theta[j] -= here * (mh / (std::sqrt(vh) + o.epsilon) + lambda * theta[j]);
        }
    }
    CHECK(optimiser.steps() == 50);
    for (index_t j = 0; j < 3; ++j) CHECK(p[weight](0, j) == doctest::Approx(theta[static_cast<std::size_t>(j)]).epsilon(1e-12));
    CHECK(p[gate](0, 0) == doctest::Approx(theta[3]).epsilon(1e-12));
}

TEST_CASE("a frozen tensor keeps its bits, moments and decay included") {
    parameter_set<float> p;
    const auto a = p.add("a", 1, 2, decay::yes), b = p.add("b", 1, 2, decay::yes);
    p[a](0, 0) = 1;
    p[b](0, 0) = 1;
    parameter_list<float> list(p);
    list.only("b");
    adamw<float> optimiser(list, {.weight_decay = 0.5});
    buffer<float> g(static_cast<std::size_t>(p.size()), 1.0f);
    for (int i = 0; i < 5; ++i) optimiser.step(list, std::span<const float>(g), 0.1);
    CHECK(p[a](0, 0) == 1);
    CHECK(p[b](0, 0) < 0.8f);
}

TEST_CASE("saved moments go on bit for bit") {
    parameter_set<float> p, q;
    for (auto* x : {&p, &q}) x->add("w", 3, 7, decay::yes);
    parameter_list<float> lp(p), lq(q);
    adamw<float> one(lp), two(lq);
    random_stream random(5);
    const auto gradient = [&] {
        buffer<float> g(static_cast<std::size_t>(p.size()));
        random.fill_normal(std::span<float>(g).first(21));
        return g;
    };
    for (int i = 0; i < 4; ++i) one.step(lp, std::span<const float>(gradient()), 1e-2);
    snapshot s;
    one.save(lp, s);
    two.restore(lq, s);
    std::copy(p.flat().begin(), p.flat().end(), q.flat().begin());
    for (int i = 0; i < 4; ++i) {
        const auto g = gradient();
        one.step(lp, std::span<const float>(g), 1e-2);
        two.step(lq, std::span<const float>(g), 1e-2);
    }
    CHECK(std::equal(p.flat().begin(), p.flat().end(), q.flat().begin()));
    CHECK(two.steps() == 8);
    CHECK_THROWS_AS(two.step(lq, std::span<const float>(q.flat()).first(3), 1e-2), shape_error);
}
