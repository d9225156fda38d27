#include <hrm/adapter/state.hpp>

#include <doctest/doctest.h>

#include "support/decaying_adapter.hpp"

using namespace hrm;

TEST_CASE("a state is a value: a copy forks, an old copy rolls back, {} starts a new document") {
    random_stream r(2);
    const testing::decaying_adapter<double> a(2, 2, 3, r);
    const matrix<double> prompt{{1, 2}, {3, -1}}, left{{0.5, 1}}, right{{-4, 2}};
    workspace ws;
    kept<double> keep;
    auto run = [&](const matrix<double>& u, adapter_state<double>& state) {
        matrix<double> out(u.rows(), 2);
        a.forward(u, out, {.carried = &state}, keep, ws);
        return out;
    };
    adapter_state<double> state;
    const auto first = run(prompt, state);
    const auto saved = state;
    auto fork = state;
    const auto y = run(left, state);
    CHECK(run(right, fork) != y);
    CHECK(state.position == 3);
    state = saved;
    CHECK(run(left, state) == y);
    state = {};
    CHECK(state.value.empty());
    CHECK(run(prompt, state) == first);
}
