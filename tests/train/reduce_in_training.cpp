#include <hrm/train/reduce_in_training.hpp>

#include <cmath>

#include <doctest/doctest.h>

#include <hrm/adapter/memory.hpp>
#include <hrm/core/random.hpp>
#include <hrm/train/loop.hpp>

using namespace hrm;

namespace {

constexpr index_t width = 6, length = 64;

/// Beside a layer that answers nothing, an echo of the first input that fades over twenty tokens and one that alternates:
/// two states' worth. Loss: half the squared error. The gradient is added to.
double item_loss(const adapter<double>& a, index_t step, index_t item, std::span<double> gradient, workspace& ws) {
    random_stream random(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(item));
    const auto u = ws.take_matrix<double>(length, width), y = ws.take_zero_matrix<double>(length, width),
               du = ws.take_matrix<double>(length, width);
    for (index_t t = 0; t < length; ++t) random.fill_normal(u.row_span(t));
    kept<double> keep;
    const call<double> how{.mode = pass::training};
    a.forward(u, y, how, keep, ws);
    double loss = 0, slow = 0, flip = 0;
    for (index_t t = 0; t < length; ++t) {
        slow = 0.95 * slow + 0.3 * u(t, 0);
        flip = -0.7 * flip + 0.3 * u(t, 1);
        for (index_t j = 0; j < width; ++j) {
            y(t, j) -= slow + (j % 2 ? flip : -flip);
            loss += y(t, j) * y(t, j) / 2;
        }
    }
    a.backward(u, y, du, gradient, how, keep, ws);
    return loss;
}

adapter_set<double> one(std::unique_ptr<adapter<double>> a) {
    adapter_set<double> set;
    set.attach(0, site::mlp_input, std::move(a));
    return set;
}
hrm_options options(index_t states) {
    hrm_options o;
    o.states = states;
    o.poles = poles::real_signed;
    o.start = start::like_lora;
    o.gate = gate::none;
    o.longest_memory = 16;
    return o;
}

struct run {
    adapter_set<double> adapters;
    trainer<double> by;

    explicit run(adapter_set<double> set)
        : adapters(std::move(set)), by(parameter_list<double>(adapters), {.batch = 4, .rate = constant_schedule{0.01}}) {}
    double train(index_t steps) {
        double last = 0;
        for (index_t i = 0; i < steps; ++i)
            last = by.step([&](index_t item, int worker, std::span<double> gradient) {
                         return score{item_loss(*adapters[0].adapter, by.steps(), item, gradient, by.scratch(worker)), length};
                     }).loss.nats;
        return last;
    }
};

/// Mean loss over sequences no training has seen.
double held_out(const adapter_set<double>& set) {
    workspace ws;
    buffer<double> gradient(static_cast<std::size_t>(set[0].adapter->parameters().size()));
    double sum = 0;
    for (index_t i = 0; i < 8; ++i) {
        ws.clear();
        sum += item_loss(*set[0].adapter, 1000000, i, gradient, ws) / 8;
    }
    return sum;
}

}  // namespace

TEST_CASE("cut in the middle of its training, an adapter goes on from where it was and loses nothing by it") {
    random_stream random(3);
    run whole(one(std::make_unique<hrm_adapter<double>>(width, width, options(10), random)));
    const double at_start = held_out(whole.adapters);
    whole.train(250);
    const double before = held_out(whole.adapters);
    REQUIRE(before < 0.1 * at_start);

    auto cut = reduce_in_training(whole.adapters, whole.by.save(), {.tolerance = 0.05});
    const auto& report = cut.reports[0];
    CAPTURE(report.order);
    CHECK(report.order < 10);
    CHECK(report.order >= 2);
    CHECK(report.certified);
    run small(std::move(cut.adapters));
    small.by.restore(cut.state);
    CHECK(small.by.steps() == whole.by.steps());
    // Half a squared error of e becomes at most that of e + bound |u|: sqrt(2 loss) moves by bound sqrt(length width).
    const double after = held_out(small.adapters);
    CHECK(std::sqrt(2 * after) <= std::sqrt(2 * before) + report.bound * std::sqrt(1.2 * length * width));

    small.train(100);
    whole.train(100);
    CHECK(held_out(small.adapters) < before);
    CHECK(held_out(small.adapters) < 1.5 * held_out(whole.adapters));
}

TEST_CASE("where what is cut off was idle, the moved first moment is the smaller adapter's gradient") {
    random_stream random(4);
    auto made = std::make_unique<hrm_adapter<double>>(width, width, options(7), random);
    auto& p = made->parameters();
    auto b = p[p.find("B")], c = p[p.find("C")];
    random.fill_normal(std::span(c.data, static_cast<std::size_t>(c.size())));
    for (const index_t idle : {1, 4, 6}) {  // neither driven nor read
        for (index_t j = 0; j < width; ++j) b(idle, j) = c(j, idle) = 0;
    }
    auto set = one(std::move(made));
    parameter_list<double> all(set);
    trainer<double> by(all, {.batch = 1});
    const auto gradient_of = [](const adapter_set<double>& of) {
        buffer<double> g(static_cast<std::size_t>(of[0].adapter->parameters().size()));
        workspace ws;
        item_loss(*of[0].adapter, 5, 0, g, ws);
        return g;
    };
    auto state = by.save();
    const auto prefix = parameter_list<double>::prefix(set, 0);
    const auto put = [&](const char* which, const adapter_set<double>& of, std::span<double> g) {
        const auto& parameters = of[0].adapter->parameters();
        for (const auto& e : parameters.entries()) {
            const auto part = parameters.in(g, parameters.find(e.name));
            state.put(which + prefix + e.name, std::span<const double>(part.data, static_cast<std::size_t>(part.size())));
        }
    };
    auto g = gradient_of(set);
    put("moment1/", set, g);
    const auto cut = reduce_in_training(set, state, {.tolerance = 1e-10});
    REQUIRE(cut.reports[0].order == 4);
    auto want = gradient_of(cut.adapters);
    const auto& parameters = cut.adapters[0].adapter->parameters();
    for (const char* name : {"B", "C"}) {
        const auto expected = parameters.in(std::span<double>(want), parameters.find(name));
        const auto& got = cut.state.get<double>("moment1/" + prefix + name);
        double off = 0, size = 0;
        for (index_t i = 0; i < got.size(); ++i) {
            off = std::max(off, std::abs(got.data()[i] - expected.data[i]));
            size = std::max(size, std::abs(expected.data[i]));
        }
        CAPTURE(name);
        CHECK(size > 0.1);
        CHECK(off <= 1e-9 * size);  // the balancing's own rounding, of cond(T) eps
    }
}

TEST_CASE("what loses no state stays as it is, and moments that are missing are named") {
    random_stream random(5);
    run whole(one(std::make_unique<hrm_adapter<double>>(width, width, options(4), random)));
    whole.train(30);
    const auto state = whole.by.save();
    const auto cut = reduce_in_training(whole.adapters, state, {.rank = 4});
    CHECK(cut.state == state);
    CHECK(cut.reports[0].sigma.empty());
    CHECK_THROWS_WITH_AS(reduce_in_training(whole.adapters, snapshot{}, {.rank = 2}),
                         doctest::Contains("no tensor named \"moment"), error);
    CHECK_THROWS_AS(reduce_in_training(whole.adapters, state, {}, std::vector<matrix<double>>(2)), shape_error);
}
