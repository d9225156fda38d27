#include <hrm/model/block.hpp>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("block: a frozen base needs gradients down to its lowest adapter only") {
    random_stream random(1);
    const auto with = [&](std::initializer_list<std::pair<index_t, site>> places) {
        adapter_set<double> set;
        for (const auto& [layer, where] : places) {
            const auto [in, out] = site_width(small_config(), where);
            set.attach(layer, where, std::make_unique<decaying_adapter<double>>(in, out, 1, random));
        }
        return set;
    };
    CHECK(!reach_of(with({}), 1));
    CHECK(!reach_of(with({{1, site::q}}), 0));
    CHECK(reach_of(with({{1, site::mlp_input}}), 1) == reach::mlp);
    CHECK(reach_of(with({{1, site::block}}), 1) == reach::mlp);
    CHECK(reach_of(with({{1, site::down}, {1, site::o}}), 1) == reach::attention);
    CHECK(reach_of(with({{0, site::down}}), 1) == reach::input);
}

TEST_CASE("block: a frozen layer keeps fewer numbers than a trainable one, and none below the lowest adapter") {
    const auto c = small_config();
    random_stream random(2);
    adapter_set<double> set;
    set.attach(1, site::mlp_input, std::make_unique<decaying_adapter<double>>(12, 12, 1, random));
    workspace ws;
    const auto scratch = scratch_memory<double>(c, 4, ws);
    auto below = scratch, frozen = scratch, trained = scratch;
    keep_memory(below, c, set, 0, false, ws);
    keep_memory(frozen, c, set, 1, false, ws);
    keep_memory(trained, c, set, 0, true, ws);
    CHECK(below.gate.data == scratch.gate.data);
    CHECK(frozen.n2.data != scratch.n2.data);    // the adapter's input
    CHECK(frozen.n1.data == scratch.n1.data);    // only the weights of q, k, v would need it
    CHECK(frozen.act.data == scratch.act.data);
    CHECK(trained.n1.data != scratch.n1.data);
    CHECK(trained.act.data != scratch.act.data);
}
