#include <hrm/adapter/set.hpp>

#include <doctest/doctest.h>

#include "support/decaying_adapter.hpp"

using namespace hrm;

namespace {
adapter_set<float> three() {
    random_stream r(1);
    adapter_set<float> set;
    set.attach(0, site::mlp_input, std::make_unique<testing::decaying_adapter<float>>(4, 4, 2, r));
    set.attach(1, site::q, std::make_unique<testing::decaying_adapter<float>>(4, 8, 3, r));
    set.attach(0, site::mlp_input, std::make_unique<testing::decaying_adapter<float>>(4, 4, 1, r));
    return set;
}
}  // namespace

TEST_CASE("a set finds its adapters by layer and site, in the order attached") {
    const auto set = three();
    std::vector<std::size_t> found;
    set.at(0, site::mlp_input, [&](std::size_t i, const adapter<float>& a) {
        found.push_back(i);
        CHECK(&a == set[i].adapter.get());
    });
    CHECK(found == std::vector<std::size_t>{0, 2});
    CHECK(set.any_at(1, site::q));
    CHECK(!set.any_at(1, site::mlp_input));
    CHECK(!set.any_at(0, site::q));
    CHECK(set.size() == 3);
    CHECK(adapter_set<float>().empty());
}

TEST_CASE("one gradient buffer serves the set: slices tile it without overlap") {
    const auto set = three();
    std::vector<float> gradient(static_cast<std::size_t>(set.gradient_size()));
    const float* next = gradient.data();
    index_t count = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
        const auto mine = set.gradient_of(i, gradient);
        CHECK(mine.data() == next);
        CHECK(static_cast<index_t>(mine.size()) == set[i].adapter->parameters().size());
        next = mine.data() + mine.size();
        count += set[i].adapter->parameters().count();
    }
    CHECK(next == gradient.data() + gradient.size());
    CHECK(set.count() == count);
}

TEST_CASE("a clone is a deep copy") {
    auto set = three();
    const auto copy = set.clone();
    CHECK(copy.gradient_size() == set.gradient_size());
    const float before = copy[1].adapter->parameters().flat()[16];
    set[1].adapter->parameters().flat()[16] = before + 1;
    CHECK(copy[1].adapter->parameters().flat()[16] == before);
    CHECK(copy[1].layer == 1);
    CHECK(copy[1].site == site::q);
}
