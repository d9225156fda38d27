#include <hrm/model/initialize.hpp>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace hrm;

TEST_CASE("initialize: norms are 1, matrices have the deviation they should, and a seed names them") {
    const transformer_config c{.vocabulary = 64, .width = 64, .layers = 2, .heads = 4, .kv_heads = 2, .head_width = 16, .hidden = 128};
    transformer<float> model(c), again(c);
    random_stream one(7), two(7);
    initialize(model, one);
    initialize(again, two);
    CHECK(std::ranges::equal(model.parameters().flat(), again.parameters().flat()));
    const auto& p = model.parameters();
    const auto deviation = [&](std::string_view name) {
        const auto m = p[p.find(name)];
        double sum = 0;
        for (index_t i = 0; i < m.rows; ++i)
            for (const float x : m.row_span(i)) sum += x * x;
        return std::sqrt(sum / static_cast<double>(m.size()));
    };
    CHECK(deviation("model.norm.weight") == 1.0);
    // 2000 to 8000 numbers: the sample's deviation is within 1 / sqrt(2 * 2000) = 1.6 %, three times over.
    CHECK(deviation("model.layers.0.self_attn.k_proj.weight") == doctest::Approx(0.5 / 8).epsilon(0.05));
    CHECK(deviation("model.layers.1.mlp.down_proj.weight") == doctest::Approx(0.5 / std::sqrt(128.0) / 2).epsilon(0.05));
}
