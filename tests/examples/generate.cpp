#include "../../examples/support/generate.hpp"

#include <limits>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::examples;
using namespace hrm::testing;

TEST_CASE("tokens are picked in proportion; temperature 0 takes the likeliest, the first of equals") {
    const float logits[] = {std::log(1.0f), std::log(3.0f), std::log(4.0f)};  // 1/8, 3/8, 1/2
    CHECK(pick(logits, 1, 0.1) == 0);
    CHECK(pick(logits, 1, 0.2) == 1);
    CHECK(pick(logits, 1, 0.49) == 1);
    CHECK(pick(logits, 1, 0.51) == 2);
    CHECK(pick(logits, 1, 0.999) == 2);
    CHECK(pick(logits, 0.01, 0.1) == 2);
    const float even[] = {-1, 5, 5};
    for (const double uniform : {0.0, 0.5, 0.999}) {
        CHECK(pick(logits, 0, uniform) == 2);
        CHECK(pick(even, 0, uniform) == 1);
    }
}

TEST_CASE("a text at temperature 0 is the likeliest byte after byte, whatever the seed") {
    const auto model = small_model<float>(small_config());
    const adapter_set<float> none;
    const auto text = generate(model, none, "\1\2", 6, 0, 1);
    CHECK(text == generate(model, none, "\1\2", 6, 0, 2));
    std::vector<std::int32_t> tokens = {1, 2};
    for (const char c : text) {
        const auto logits = logits_of(model, tokens, none);
        const auto last = logits.view().row_span(logits.rows() - 1);
        CHECK(c == std::max_element(last.begin(), last.end()) - last.begin());
        tokens.push_back(c);
    }
    CHECK(generate(model, none, "\1\2", 20, 1, 1) != generate(model, none, "\1\2", 20, 1, 2));
    CHECK_THROWS_WITH_AS(generate(model, none, "", 6, 1, 1), "hrm::generate: the prompt has 0 bytes, expected at least 1", error);
    for (const double bad : {-0.5, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS(generate(model, none, "\1", 6, bad, 1), error);
}
