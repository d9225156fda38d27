#include <hrm/train/loop.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

using namespace hrm;

namespace {

/// Softmax regression from 12 inputs to 5 classes, each item a few rows, with a teacher to learn from. Some targets are
/// negative, and items differ in how many count.
template <real S>
struct toy {
    static constexpr index_t inputs = 12, classes = 5;
    parameter_set<S> p;
    typename parameter_set<S>::handle w, b;
    trainer<S> run;

    explicit toy(int threads, index_t batch = 37, double clip = 1)
        : w(p.add("w", classes, inputs, decay::yes)), b(p.add("b", 1, classes, decay::no)),
          run(parameter_list<S>(p), {.where = {threads},
                                     .batch = batch,
                                     .clip = clip,
                                     .rate = cosine_schedule{.peak = 0.05, .warmup = 5, .total = 200}}) {}

    score item(index_t step, index_t item, matrix_view<const S> w_at, std::span<S> gradient, workspace& ws) const {
        random_stream random(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(item));
        const index_t rows = 1 + item % 4;
        auto x = ws.take_matrix<S>(rows, inputs);
        auto logits = ws.take_zero_matrix<S>(rows, classes);
        auto targets = ws.take<std::int32_t>(rows);
        for (index_t t = 0; t < rows; ++t) {
            random.fill_normal(x.row_span(t));
            index_t best = 0;
            for (index_t c = 0; c < classes; ++c) {
                logits(t, c) = p[b](0, c) + dot(w_at.row(c), x.row(t), inputs);
                if (x(t, c) > x(t, best)) best = c;
            }
            targets[static_cast<std::size_t>(t)] = item % 5 == 2 && t == 0 ? -1 : static_cast<std::int32_t>(best);
        }
        const double nats = cross_entropy<S>(logits, targets, logits);
        const auto dw = p.in(gradient, w), db = p.in(gradient, b);
        for (index_t t = 0; t < rows; ++t)
            for (index_t c = 0; c < classes; ++c) {
                axpy(logits(t, c), x.row(t), dw.row(c), inputs);
                db(0, c) += logits(t, c);
            }
        return {nats, valid_targets(targets)};
    }
    step_report step() {
        return run.step([&](index_t i, int worker, std::span<S> gradient) {
            return item(run.steps(), i, std::as_const(p)[w], gradient, run.scratch(worker));
        });
    }
};

}  // namespace

TEST_CASE_TEMPLATE("the toy is learned, with the same bits on one thread and on three", S, float, double) {
    toy<S> one(1), three(3);
    double first = 0, last = 0;
    for (int i = 0; i < 200; ++i) {
        const auto a = one.step(), b = three.step();
        if (i == 0) first = a.loss.bits();
        last = a.loss.bits();
        REQUIRE(a.loss.nats == b.loss.nats);
        REQUIRE(a.gradient_norm == b.gradient_norm);
    }
    CHECK(std::equal(one.p.flat().begin(), one.p.flat().end(), three.p.flat().begin()));
    CHECK(first == doctest::Approx(std::log2(5.0)));
    CHECK(last < 0.5 * first);
}

TEST_CASE("the gradient is that of all nats over all tokens, not a mean of means") {
    toy<double> t(1, 37, 0);
    const auto r = t.step();
    // The norm the trainer reports, against the sum over every item divided once.
    toy<double> fresh(1);
    workspace ws;
    buffer<double> g(static_cast<std::size_t>(fresh.p.size()));
    score all;
    for (index_t i = 0; i < 37; ++i) all += fresh.item(0, i, std::as_const(fresh.p)[fresh.w], g, ws);
    double norm = 0;
    for (const double x : g) norm += x * x;
    CHECK(r.loss.tokens == all.tokens);
    CHECK(r.gradient_norm == doctest::Approx(std::sqrt(norm) / static_cast<double>(all.tokens)).epsilon(1e-12));
}

TEST_CASE("a run goes on from its snapshot bit for bit, on another number of threads too") {
    toy<float> whole(2);
    for (int i = 0; i < 60; ++i) whole.step();
    toy<float> first(1);
    for (int i = 0; i < 23; ++i) first.step();
    auto s = first.run.save();
    toy<float> second(3);
    second.run.restore(s);
    CHECK(second.run.steps() == 23);
    for (int i = 23; i < 60; ++i) second.step();
    CHECK(std::equal(whole.p.flat().begin(), whole.p.flat().end(), second.p.flat().begin()));
    s.tensors.erase("moment2/w");
    CHECK_THROWS_WITH(second.run.restore(s), "hrm::snapshot: no tensor named \"moment2/w\"");
}

TEST_CASE("a step that cannot be taken leaves everything as it was") {
    toy<float> t(2);
    for (int i = 0; i < 3; ++i) t.step();
    const buffer<float> before(t.p.flat().begin(), t.p.flat().end());
    const auto s = t.run.save();
    const float nan = std::nanf("");
    CHECK_THROWS_WITH_AS(t.run.step([&](index_t i, int, std::span<float> g) {
        g[0] += i == 20 ? nan : 1.0f;
        return score{1, 1};
    }), "hrm::global_norm: the gradient of w is not finite", numerical_error);
    CHECK_THROWS_WITH_AS(t.run.step([&](index_t, int, std::span<float>) {
        return score{static_cast<double>(nan), 1};
    }), "hrm::trainer: the loss of step 4 is not finite", numerical_error);
    CHECK_THROWS_WITH(t.run.step([&](index_t, int, std::span<float>) { return score{}; }),
                      "hrm::trainer: the batch of step 4 predicts 0 tokens");
    CHECK_THROWS_WITH(t.run.step([&](index_t i, int, std::span<float>) -> score {
        if (i == 9) throw error("out of text");
        return {1, 1};
    }), "out of text");
    CHECK(s == t.run.save());
    CHECK_THROWS_WITH(toy<float>(1, 0), "hrm::trainer: batch of 0, expected 1 or more");
    CHECK_THROWS_WITH(toy<float>(1, -3), "hrm::trainer: batch of -3, expected 1 or more");
}

TEST_CASE("a log line is one JSON object") {
    step_report r{.step = 7, .loss = {2 * std::log(2.0), 1}, .rate = 1e-3, .gradient_norm = 0.5, .seconds = 0.25};
    CHECK(json_line(r) ==
          R"({"step": 7, "loss": 1.38629, "bits_per_byte": 2, "lr": 0.001, "grad_norm": 0.5, "tokens_per_s": 4})");
}
