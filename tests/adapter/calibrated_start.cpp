#include <hrm/adapter/calibrated_start.hpp>

#include <algorithm>
#include <array>

#include <hrm/linalg/solve.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

/// Inputs with structure: two slow directions (AR(1), 0.95 and 0.8) of a 6-dimensional space, and a little white noise.
matrix<double> coloured(index_t rows, random_stream& r) {
    matrix<double> u(rows, 6);
    double a = 0, b = 0;
    for (index_t t = 0; t < rows; ++t) {
        a = 0.95 * a + r.normal();
        b = 0.8 * b + r.normal();
        for (index_t j = 0; j < 6; ++j) u(t, j) = 0.05 * r.normal();
        u(t, 0) += a;
        u(t, 1) += a;
        u(t, 3) += b;
    }
    return u;
}

}  // namespace

TEST_CASE("a start from activations alone: a no-op of n unit-variance states that remember the leading directions") {
    random_stream r(1);
    adapter_set<double> set;
    set.attach(2, site::mlp_input, std::make_unique<hrm_adapter<double>>(6, 4, hrm_options::published(4), r));
    const auto listen = [&](const adapter_set<double>& to, collect what) {
        auto c = std::make_unique<calibrator<double>>(to, what);
        random_stream data(7);
        for (int i = 0; i < 8; ++i) output_of<double>(*c->adapters()[0].adapter, coloured(500, data));
        return c;
    };
    const auto first = listen(set, collect::states_and_inputs);
    const wide_options w{.directions = 3, .memories = 5, .longest_memory = 200};
    const auto wide = wide_adapters(*first, w);
    CHECK(wide[0].adapter->state_size() == 15);
    random_stream data(9);
    const auto u = coloured(400, data);
    CHECK(output_of<double>(*wide[0].adapter, u) == matrix<double>(400, 4));

    const auto second = listen(wide, collect::states);
    const auto& one = dynamic_cast<const hrm_adapter<double>&>(*wide[0].adapter);
    CHECK_THROWS_WITH_AS(calibrated_start(one, (*second)[0].states(), 6, 4),
                         "hrm::calibrated_start: 15 states are not directions times 4 memories", shape_error);
    std::vector<reduction_report> reports;
    const auto set_of = calibrated_start(wide, *second, 6, w, reports);
    const auto& a = dynamic_cast<const reduced_adapter<double>&>(*set_of[0].adapter);
    CHECK(set_of[0].layer == 2);
    CHECK(a.states() == 6);
    CHECK(reports[0].order == 6);
    CHECK(!reports[0].certified);
    CHECK(output_of<double>(a, u) == matrix<double>(400, 4));

    CHECK(reports[0].diagonal);
    double total = 0;
    for (int i = 0; i < 8; ++i) {
        matrix<double> seen(400, 6);
        workspace scratch;
        a.fill_states(coloured(400, data), {}, seen, scratch);
        for (const double x : seen.flat()) total += x * x / (8 * 2400);
    }
    CHECK(total == doctest::Approx(1).epsilon(0.35));  // other sequences of the same kind, memory up to 200 of 400 tokens
    // The reading directions lie in the span of the leading inputs: coordinates 2, 4 and 5 are noise.
    const auto b = a.parameters()[a.parameters().find("B")];
    double signal = 0, noise = 0;
    for (index_t i = 0; i < 6; ++i) {
        signal += b(i, 0) * b(i, 0) + b(i, 1) * b(i, 1) + b(i, 3) * b(i, 3);
        noise += b(i, 2) * b(i, 2) + b(i, 4) * b(i, 4) + b(i, 5) * b(i, 5);
    }
    CHECK(noise < 0.05 * signal);

    // The next input's leading coordinate by least squares from the six states.
    matrix<double> s(400, 6);
    workspace ws;
    a.fill_states(u, {}, s, ws);
    matrix<double> gram(6, 6), against(6, 1);
    double power = 0, explained = 0;
    for (index_t t = 0; t + 1 < 400; ++t) {
        const double next = u(t + 1, 0);
        power += next * next;
        for (index_t i = 0; i < 6; ++i) {
            against(i, 0) += s(t, i) * next;
            for (index_t j = 0; j < 6; ++j) gram(i, j) += s(t, i) * s(t, j);
        }
    }
    const auto fit = solve(gram, against);
    for (index_t i = 0; i < 6; ++i) explained += fit(i, 0) * against(i, 0);
    CHECK(explained > 0.7 * power);  // an AR(1) of 0.95 and little noise lets 90 % be known
}

TEST_CASE("poles that meet leave fewer states, not a dense A") {
    const auto wide = wide_adapter<double>({{1, 0}}, 2, {.memories = 3, .longest_memory = 50});
    auto system = wide->system(output_gain::left_out);
    system.c = matrix<double>(1, 3, 1.0);
    // Gramians of rank 2 from one that leaves two real poles to another that leaves a pair.
    const auto gramian = [](double s) {
        const double x[3][2] = {{1 + 3 * s, -3 * s}, {2 * s, 1 + 3 * s}, {-4 * s, -s}};
        matrix<double> wc(3, 3);
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 3; ++j) wc(i, j) = x[i][0] * x[j][0] + x[i][1] * x[j][1];
        return wc;
    };
    const auto cut = [&](double s) { return balance(system, gramian(s), observability(system), {.rank = 2}).system; };
    double real = 0, pair = 1;
    for (int i = 0; i < 60; ++i) {
        const double s = (real + pair) / 2;
        const auto a = cut(s).a.a;
        const double apart = a(0, 0) - a(1, 1);
        (apart * apart + 4 * a(0, 1) * a(1, 0) > 0 ? real : pair) = s;
    }
    CHECK(calibrated_start(*wide, gramian(0), 2, 3).order == 2);
    CHECK(calibrated_start(*wide, gramian(1), 2, 3).order == 2);
    REQUIRE_FALSE(rediagonalize(cut(real)).diagonal());
    const auto start = calibrated_start(*wide, gramian(real), 2, 3);
    CHECK(start.order == 1);
    CHECK(start.diagonal);
    CHECK(start.adapter->parameters().count() == 1 + 2 + 2);  // a pole, B and C
}

TEST_CASE("fewer directions than asked for make a narrower start, none at all are refused") {
    random_stream r(3);
    adapter_set<double> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<double>>(6, 4, hrm_options::published(4), r));
    const calibrator<double> listen(set, collect::states_and_inputs);
    CHECK_THROWS_WITH_AS(wide_adapters(listen), "hrm::wide_adapters: place 0 has read no inputs but zeros in 0 tokens", numerical_error);
    matrix<double> u(50, 6);
    for (index_t t = 0; t < 50; ++t) u(t, 2) = r.normal(), u(t, 4) = 3 * r.normal();
    output_of<double>(*listen.adapters()[0].adapter, u);
    const auto wide = wide_adapters(listen, {.directions = 5, .memories = 2});
    CHECK(wide[0].adapter->state_size() == 4);
    const auto b = wide[0].adapter->parameters()[wide[0].adapter->parameters().find("B")];
    for (index_t i = 0; i < 4; ++i)
        for (const index_t j : {0, 1, 3, 5}) CHECK(b(i, j) == 0);
}

TEST_CASE("width 4096: from activations to a start of 16 states that read the direction and the time scale they came from") {
    random_stream r(4);
    const index_t d = 4096;
    adapter_set<float> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<float>>(d, d, hrm_options::published(4), r));
    // One slow signal along a known direction, and white noise in all.
    std::vector<double> v(static_cast<std::size_t>(d));
    for (index_t i = 0; i < d; ++i) v[static_cast<std::size_t>(i)] = (i % 3 == 0 ? -1.0 : 1.0) / 64;
    const auto sequence = [&] {
        matrix<float> u(200, d);
        double a = 0;
        for (index_t t = 0; t < 200; ++t) {
            a = 0.9 * a + r.normal();
            for (index_t i = 0; i < d; ++i) u(t, i) = static_cast<float>(10 * a * v[static_cast<std::size_t>(i)] + 0.01 * r.normal());
        }
        return u;
    };
    const auto listen = [&](const adapter_set<float>& to, collect what) {
        auto c = std::make_unique<calibrator<float>>(to, what, sketch_options{.columns = 40});
        for (int i = 0; i < 2; ++i) output_of<float>(*c->adapters()[0].adapter, sequence());
        return c;
    };
    const wide_options w{.directions = 16, .memories = 2, .longest_memory = 30};
    const auto wide = wide_adapters(*listen(set, collect::states_and_inputs), w);
    std::vector<reduction_report> reports;
    const auto start = calibrated_start(wide, *listen(wide, collect::states), 16, w, reports);
    CHECK(reports[0].order == 16);
    // sigma_1 belongs to the signal: some state reads it and next to nothing else.
    const auto b = start[0].adapter->parameters()[start[0].adapter->parameters().find("B")];
    double best = 0;
    for (index_t i = 0; i < 16; ++i) {
        double along = 0, all = 0;
        for (index_t j = 0; j < d; ++j) {
            const auto x = static_cast<double>(b(i, j));
            along += x * v[static_cast<std::size_t>(j)];
            all += x * x;
        }
        best = std::max(best, along * along / all);
    }
    CHECK(best >= 0.99);
}
