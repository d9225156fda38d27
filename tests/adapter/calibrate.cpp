#include <hrm/adapter/calibrate.hpp>

#include <algorithm>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/core/parallel.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

adapter_set<double> some_set(random_stream& r) {
    adapter_set<double> set;
    hrm_options o = hrm_options::published(4);
    o.gate_start = 0.5;
    o.dt_max = 0.5;
    o.reset_every = 6;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<double>>(5, 3, o, r));
    set.attach(0, site::q, std::make_unique<lora<double>>(5, 3, lora_options{.rank = 2}, r));
    return set;
}

}  // namespace

TEST_CASE("calibration changes no output and sees the states that forward visits") {
    random_stream r(1);
    const auto set = some_set(r);
    const calibrator<double> listen(set, collect::states_and_inputs);
    const auto& inside = dynamic_cast<const recurrent_adapter<double>&>(*set[0].adapter);
    matrix<double> want(4, 4), moment(5, 5);
    workspace ws;
    const std::array<index_t, 2> starts = {0, 4};
    index_t tokens = 0;
    for (const index_t rows : {7, 20, 1}) {
        const auto u = random_matrix<double>(rows, 5, r);
        call<double> how;
        if (rows > 4) how.starts = starts;
        for (std::size_t i = 0; i < 2; ++i)
            CHECK(output_of<double>(*listen.adapters()[i].adapter, u, how) == output_of<double>(*set[i].adapter, u, how));
        matrix<double> s(rows, 4);
        inside.fill_states(u, how, s, ws);
        multiply(transposed(s.view()), s.view(), want.view(), into::add);
        multiply(transposed(u.view()), u.view(), moment.view(), into::add);
        tokens += rows;
    }
    for (double& x : want.flat()) x /= static_cast<double>(tokens);
    for (double& x : moment.flat()) x /= static_cast<double>(tokens);
    CHECK(listen[0].tokens() == tokens);
    CHECK(distance(listen[0].states(), want) <= 1e-14);
    CHECK(distance(listen[0].inputs(), moment) <= 1e-14);
    CHECK(listen[1].states().empty());
    CHECK(distance(listen[1].inputs(), moment) <= 1e-14);
}

TEST_CASE("what was seen does not depend on threads or order") {
    random_stream r(2);
    const auto set = some_set(r);
    std::vector<matrix<double>> sequences;
    for (index_t i = 0; i < 12; ++i) sequences.push_back(random_matrix<double>(10 + i, 5, r, 1.0 + static_cast<double>(i)));
    const auto seen = [&](int threads, bool backwards) {
        const calibrator<double> listen(set);
        team workers(cpu{.threads = threads});
        workers.run(12, [&](index_t i, int) {
            output_of<double>(*listen.adapters()[0].adapter, sequences[static_cast<std::size_t>(backwards ? 11 - i : i)]);
        });
        return listen.gramians()[0];
    };
    const auto one = seen(1, false);
    CHECK(seen(3, false) == one);
    CHECK(seen(2, true) == one);
}

TEST_CASE("a carried state goes on under calibration, backward passes through, clones report to the same place") {
    random_stream r(3);
    const auto set = some_set(r);
    const calibrator<double> listen(set);
    const auto clone = listen.adapters()[0].adapter->clone();
    const auto u = random_matrix<double>(23, 5, r);
    CHECK(streaming_error<double>(*clone, u, std::array<index_t, 2>{1, 5}) <= 1e-12);
    CHECK(listen[0].tokens() == 2 * 23);
    auto copy = set[0].adapter->clone();
    check_gradients(*copy, 9, {}, r, "plain");
    const auto w = random_matrix<double>(23, 3, r);
    const auto gradient = [&](const adapter<double>& a) {
        buffer<double> g(static_cast<std::size_t>(a.parameters().size()));
        matrix<double> out(23, 3);
        kept<double> keep;
        workspace ws;
        const call<double> how{.mode = pass::training};
        a.forward(u, out, how, keep, ws);
        a.backward(u, w, {}, g, how, keep, ws);
        return g;
    };
    CHECK(gradient(*clone) == gradient(*set[0].adapter));
}
