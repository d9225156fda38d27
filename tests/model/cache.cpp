#include <hrm/model/cache.hpp>

#include <doctest/doctest.h>

#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE_TEMPLATE("a sequence read in pieces gives the logits of the whole", S, float, double) {
    // Every logit is a sum of a few hundred rounded terms in either way: 100 eps, and 1e-5 for float is the promise.
    const double bar = std::same_as<S, float> ? 1e-5 : 1e-13;
    for (const index_t window : {0, 1, 5, 200}) {
        const auto c = small_config(window);
        const auto model = small_model<S>(c);
        const auto set = adapters_everywhere<S>(c);
        random_stream random(1);
        const auto tokens = random_tokens(150, c.vocabulary, random);
        const auto whole = logits_of(model, tokens, set);
        for (const auto& pieces : {std::initializer_list<index_t>{1}, {64, 1, 7}, {3, 1, 1, 20}}) {
            cache<S> past;
            CHECK(relative_error(streamed_logits(model, tokens, set, past, pieces).flat(), whole.flat()) < bar);
            CHECK(past.position == 150);
            if (window > 0) CHECK(past.rows < 2 * window);
        }
    }
}

TEST_CASE("bf16 weights stream like they run") {
    const auto c = small_config();
    const auto model = small_model<float, bf16>(c);
    random_stream random(2);
    const auto tokens = random_tokens(30, c.vocabulary, random);
    cache<float> past;
    CHECK(relative_error(streamed_logits(model, tokens, {}, past, {1}).flat(), logits_of(model, tokens, {}).flat()) < 1e-5);
}

TEST_CASE("a cache is copied to fork, assigned to roll back, and cleared for a new document") {
    const auto c = small_config();
    const auto model = small_model<double>(c);
    const auto set = adapters_everywhere<double>(c);
    random_stream random(3);
    const auto tokens = random_tokens(40, c.vocabulary, random);
    const auto head = std::span(tokens).first(25), tail = std::span(tokens).subspan(25);
    cache<double> past;
    streamed_logits(model, head, set, past, {25});
    const auto saved = past;
    const auto first = streamed_logits(model, tail, set, past, {4, 1});
    auto fork = saved;
    CHECK(streamed_logits(model, tail, set, fork, {4, 1}) == first);
    CHECK(!(streamed_logits(model, tail, set, past, {4, 1}) == first));  // the same tokens later on are another text
    past = saved;
    CHECK(streamed_logits(model, tail, set, past, {4, 1}) == first);
    past = {};
    cache<double> fresh;
    CHECK(streamed_logits(model, tail, set, past, {3}) == streamed_logits(model, tail, set, fresh, {3}));
}

TEST_CASE("a cache of another model is refused, and stays as it was") {
    auto c = small_config(0);
    const auto model = small_model<double>(c);
    c.layers = 3;
    const auto deeper = small_model<double>(c);
    c = small_config(0);
    c.kv_heads = 1;
    const auto narrower = small_model<double>(c);
    const std::vector<std::int32_t> tokens{1, 2, 3};
    cache<double> past;
    streamed_logits(model, tokens, {}, past, {3});
    CHECK_THROWS_WITH_AS(streamed_logits(deeper, tokens, {}, past, {3}), "hrm::cache: the number of layers is 2, expected 3", shape_error);
    CHECK_THROWS_WITH_AS(streamed_logits(narrower, tokens, {}, past, {3}),
                         "hrm::cache: numbers in the keys of a layer is 24, expected 12", shape_error);
    CHECK(past.position == 3);
    CHECK(past.layers.size() == 2);
}

TEST_CASE("a token outside the vocabulary leaves the cache as it was") {
    const auto c = small_config();
    const auto model = small_model<double>(c);
    const std::vector<std::int32_t> good{1, 2, 3}, bad{300};
    cache<double> past;
    streamed_logits(model, good, {}, past, {3});
    CHECK_THROWS_WITH_AS(streamed_logits(model, bad, {}, past, {1}),
                         "hrm::transformer::extend: token 300 at position 3, vocabulary 11", error);
    CHECK(past.position == 3);
    CHECK(past.rows == 3);
}
