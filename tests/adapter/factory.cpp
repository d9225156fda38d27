#include <hrm/adapter/factory.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

TEST_CASE("what a file keeps of an adapter makes it again") {
    random_stream r(1);
    auto o = hrm_options::shipped(8);
    o.static_states = 4;
    o.poles = poles::complex_pairs;
    o.gate = gate::per_channel;
    o.reset_every = 3;
    std::vector<std::unique_ptr<adapter<float>>> kinds;
    kinds.push_back(std::make_unique<lora<float>>(6, 4, lora_options{.rank = 3, .dropout = 0.25}, r));
    kinds.push_back(std::make_unique<hrm_adapter<float>>(6, 4, o, r));
    kinds.push_back(std::make_unique<reduced_adapter<float>>(6, 4, reduced_options{.reals = 1, .pairs = 2, .reset_every = 5}));
    kinds.push_back(std::make_unique<reduced_adapter<float>>(6, 4, reduced_options{.full = 3}));
    const auto u = random_matrix<float>(9, 6, r);
    for (const auto& a : kinds) {
        shake(*a, r);
        const auto b = make_adapter<float>(a->kind(), a->inputs(), a->outputs(), a->options());
        REQUIRE(b->parameters().size() == a->parameters().size());
        std::copy(a->parameters().flat().begin(), a->parameters().flat().end(), b->parameters().flat().begin());
        CHECK(b->options() == a->options());
        const call<float> how{.mode = pass::training, .draw = 3};
        CHECK(output_of<float>(*b, u, how) == output_of<float>(*a, u, how));
    }
    CHECK_THROWS_WITH_AS(make_adapter<float>("rola", 4, 4, {}), "hrm::make_adapter: kind is \"rola\", expected lora, hrm or hrm-reduced", error);
    CHECK_THROWS_WITH_AS(make_adapter<float>("hrm", 4, 4, {{"states", "4"}, {"rank", "4"}}), "hrm::make_adapter: hrm has no option \"rank\"", error);
}
