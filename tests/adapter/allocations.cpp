#include "support/allocations.hpp"

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/stored.hpp>
#include <hrm/adapter/truncated.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

/// Heap allocations of the second forward, backward and streamed token.
template <real S>
long allocations_of(const adapter<S>& a, index_t rows = 40, team* threads = nullptr) {
    random_stream r(1);
    const auto u = random_matrix<S>(rows, a.inputs(), r), w = random_matrix<S>(rows, a.outputs(), r);
    matrix<S> out(rows, a.outputs()), du(rows, a.inputs());
    buffer<S> gradient(static_cast<std::size_t>(a.parameters().size()));
    const std::array<index_t, 2> starts = {3, 17};
    workspace ws;
    kept<S> keep;
    adapter_state<S> state;
    const call<S> training{.mode = pass::training, .starts = starts, .draw = 4, .threads = threads};
    const call<S> streaming{.carried = &state, .threads = threads};
    long before = 0;
    for (int round = 0; round < 3; ++round) {
        ws.clear();  // after the first round it joins what that took
        if (round == 1) before = hrm_test::allocations();
        a.forward(u, out, training, keep, ws);
        a.backward(u, w, du, gradient, training, keep, ws);
        a.forward(u, out, streaming, keep, ws);
        a.forward(u.view().slice_rows(0, 1), out.view().slice_rows(0, 1), streaming, keep, ws);
    }
    return hrm_test::allocations() - before;
}

/// The same in bf16, weights rounded again in every round.
long allocations_of(stored_adapter<bf16> a, index_t d, index_t size, index_t rows, team* threads) {
    const matrix<bf16> u(rows, d, bf16(1.0f)), w = u;
    matrix<bf16> out(rows, d), du(rows, d);
    buffer<float> gradient(static_cast<std::size_t>(size));
    workspace ws;
    kept<float> keep;
    adapter_state<float> state;
    const call<float> training{.mode = pass::training, .threads = threads}, streaming{.carried = &state, .threads = threads};
    long before = 0;
    for (int round = 0; round < 3; ++round) {
        ws.clear();
        if (round == 1) before = hrm_test::allocations();
        a.set();
        a.forward(u, out, training, keep, ws);
        a.backward(u, w, du, gradient, training, keep, ws);
        a.forward(u.view().slice_rows(0, 1), out.view().slice_rows(0, 1), streaming, keep, ws);
    }
    return hrm_test::allocations() - before;
}

}  // namespace

TEST_CASE("nor does one in bf16, whether its sums are rounded in registers or in scratch") {
    random_stream r(3);
    team two(cpu{.threads = 2});
    const hrm_adapter<float> few(24, 24, hrm_options::published(8), r), many(24, 24, hrm_options::published(140), r);
    auto o = hrm_options::published(8);
    o.feedthrough = feedthrough::diagonal;
    const hrm_adapter<float> direct(24, 24, o, r);
    const lora<float> flat(24, 24, {.rank = 4}, r);
    for (const adapter<float>* a : std::initializer_list<const adapter<float>*>{&few, &many, &direct, &flat})
        for (const index_t rows : {40, 1100})
            CHECK(allocations_of(stored_adapter<bf16>(*a), 24, a->parameters().size(), rows, rows > 1000 ? &two : nullptr) == 0);
}

TEST_CASE_TEMPLATE("no adapter touches the heap in its second forward and backward", S, float, double) {
    random_stream r(2);
    CHECK(allocations_of<S>(lora<S>(24, 16, {.rank = 4, .dropout = 0.1}, r)) == 0);
    for (const poles kind : {poles::real_positive, poles::real_signed, poles::complex_pairs})
        for (const gate g : {gate::scalar, gate::per_channel, gate::token, gate::none}) {
            hrm_options o;
            o.states = 8;
            o.static_states = 2;
            o.poles = kind;
            o.gate = g;
            o.gate_start = 0.5;
            o.feedthrough = feedthrough::diagonal;
            o.learn_initial_state = true;
            o.reset_every = 7;
            CHECK(allocations_of<S>(hrm_adapter<S>(24, 24, o, r)) == 0);
        }
    CHECK(allocations_of<S>(reduced_adapter<S>(24, 16, {.reals = 3, .pairs = 2})) == 0);
    CHECK(allocations_of<S>(reduced_adapter<S>(24, 16, {.full = 6})) == 0);
    team two(cpu{.threads = 2});  // who takes which part varies: tests/core/parallel.cpp forces the worst
    CHECK(allocations_of<S>(lora<S>(24, 16, {.rank = 4}, r), 1100, &two) == 0);
    CHECK(allocations_of<S>(hrm_adapter<S>(24, 24, {}, r), 1100, &two) == 0);
    CHECK(allocations_of<S>(reduced_adapter<S>(24, 16, {.reals = 3, .pairs = 2}), 1100, &two) == 0);
    std::vector<int> seen(100);
    if (hrm_test::allocations_are_counted()) CHECK(hrm_test::allocations() > 0);
}
