#include <hrm/model/sites.hpp>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("sites: an adapter on a missing layer or of other widths is refused") {
    const auto c = small_config();
    random_stream random(1);
    adapter_set<float> set;
    set.attach(2, site::q, std::make_unique<decaying_adapter<float>>(12, 16, 2, random));
    CHECK_THROWS_WITH_AS(check(set, c), "hrm::adapter_set: decaying at q of layer 2, the model has 2", shape_error);
    set = {};
    set.attach(1, site::k, std::make_unique<decaying_adapter<float>>(12, 16, 2, random));
    CHECK_THROWS_WITH_AS(check(set, c), "hrm::adapter_set: decaying at k of layer 1: the adapter (outputs x inputs) is 16x12, expected 8x12", shape_error);
    CHECK_NOTHROW(check(adapters_everywhere<float>(c), c));
}

TEST_CASE("sites: only this layer's and this site's adapters are called, each with a draw of its own") {
    struct spy : adapter<float> {
        std::vector<std::uint64_t>* draws;
        explicit spy(std::vector<std::uint64_t>* d) : draws(d) {}
        std::string_view kind() const override { return "spy"; }
        index_t inputs() const override { return 3; }
        index_t outputs() const override { return 3; }
        std::unique_ptr<adapter<float>> clone() const override { return std::make_unique<spy>(*this); }
        std::vector<std::pair<std::string, std::string>> options() const override { return {}; }
        void forward(matrix_view<const float>, matrix_view<float>, const call<float>& how, kept<float>&, workspace&) const override {
            draws->push_back(how.draw);
        }
        void backward(matrix_view<const float>, matrix_view<const float>, matrix_view<float>, std::span<float>,
                      const call<float>& how, const kept<float>&, workspace&) const override {
            draws->push_back(how.draw);
        }
    };
    std::vector<std::uint64_t> draws;
    adapter_set<float> set;
    set.attach(0, site::up, std::make_unique<spy>(&draws));
    set.attach(1, site::up, std::make_unique<spy>(&draws));
    set.attach(1, site::up, std::make_unique<spy>(&draws));
    set.attach(1, site::gate, std::make_unique<spy>(&draws));
    std::vector<kept<float>> keep(4);
    const site_calls<float> sites{set, 1, {.draw = 10}, nullptr, keep};
    matrix<float> u(2, 3), out(2, 3);
    workspace ws;
    CHECK(sites.any(site::up));
    CHECK(!sites.any(site::q));
    sites.forward(site::up, u, out, ws);
    CHECK(draws == std::vector<std::uint64_t>{41, 42});
    sites.backward(site::up, u, out, {}, {}, ws);
    CHECK(draws == std::vector<std::uint64_t>{41, 42, 41, 42});
}
