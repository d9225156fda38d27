#include <algorithm>
#include <limits>

#include <doctest/doctest.h>

#include <hrm/train/next_token.hpp>

#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

struct sequence {
    std::vector<std::int32_t> tokens, targets;
    sequence(index_t rows, index_t vocabulary) {
        random_stream r(5);
        for (index_t t = 0; t < rows; ++t) {
            tokens.push_back(static_cast<std::int32_t>(r.below(vocabulary)));
            targets.push_back(t % 7 == 3 ? -1 : static_cast<std::int32_t>(r.below(vocabulary)));
        }
    }
};

/// By logits of the whole sequence: the definition.
template <real S>
score by_logits(const transformer<S>& model, const sequence& x, const adapter_set<S>& set, std::span<S> of_set, std::span<S> of_base) {
    const auto rows = static_cast<index_t>(x.tokens.size());
    matrix<S> logits(rows, model.config().vocabulary);
    activations<S> keep;
    workspace ws;
    const forward_options<S> how{.mode = pass::training, .base_gradients = !of_base.empty()};
    model.forward(x.tokens, set, logits, keep, how, ws);
    const double nats = cross_entropy<S>(logits, x.targets, logits);
    model.backward(x.tokens, logits, set, of_set, of_base, keep, how, ws);
    return {nats, valid_targets(x.targets)};
}

}  // namespace

TEST_CASE_TEMPLATE("next_token_loss is forward, cross_entropy and backward, whatever the vocabulary leaves of rows at a time", S, float, double) {
    for (index_t vocabulary : {11, 30000})
        for (bool tied : {false, true}) {
            CAPTURE(vocabulary);
            auto c = small_config(5, tied);
            c.vocabulary = vocabulary;
            const auto model = small_model<S>(c);
            const auto set = adapters_everywhere<S>(c);
            const sequence x(113, vocabulary);  // 48 + 48 + 17 rows of the large vocabulary
            std::vector<S> set_want(static_cast<std::size_t>(set.gradient_size())), set_got = set_want;
            std::vector<S> base_want(static_cast<std::size_t>(model.parameters().size())), base_got = base_want;
            const auto want = by_logits<S>(model, x, set, set_want, base_want);
            activations<S> keep;
            workspace ws;
            const auto got = next_token_loss<S>(model, x.tokens, x.targets, set, set_got, base_got, keep, {}, ws);
            // Sums over 113 rows in another order of chunks.
            const double tolerance = 113 * std::numeric_limits<S>::epsilon();
            CHECK(got.tokens == want.tokens);
            CHECK(got.nats == doctest::Approx(want.nats).epsilon(tolerance));
            const auto apart = [](const std::vector<S>& a, const std::vector<S>& b) {
                double most = 0, scale = 0;
                for (std::size_t i = 0; i < a.size(); ++i) {
                    most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
                    scale = std::max(scale, static_cast<double>(std::abs(b[i])));
                }
                return most / scale;
            };
            CHECK(apart(set_got, set_want) <= tolerance);
            CHECK(apart(base_got, base_want) <= tolerance);
            const auto scored = next_token_loss<S>(model, x.tokens, x.targets, set, {}, {}, keep, {}, ws);
            CHECK(scored.nats == doctest::Approx(want.nats).epsilon(tolerance));
        }
}

TEST_CASE("next_token_loss: logits of a large vocabulary are never all there") {
    auto c = small_config();
    c.vocabulary = 40000;
    const auto model = small_model<float>(c);
    const sequence x(512, c.vocabulary);
    activations<float> keep;
    workspace ws;
    next_token_loss<float>(model, x.tokens, x.targets, {}, {}, {}, keep, {}, ws);
    CHECK(ws.capacity() < 512 * 40000 * sizeof(float) / 4);  // a quarter of the logits
    CHECK(logit_rows(512, 40000) == least_logit_rows);
    CHECK(logit_rows(512, 256) == 512);
    CHECK(logit_rows(3, 1 << 30) == 3);
    CHECK(logit_rows(0, 0) == 1);
}

TEST_CASE("next_token_loss: another number of targets is refused with both numbers") {
    const auto c = small_config();
    const auto model = small_model<float>(c);
    const sequence x(6, c.vocabulary);
    activations<float> keep;
    workspace ws;
    CHECK_THROWS_WITH_AS(next_token_loss<float>(model, x.tokens, std::span(x.targets).first(5), {}, {}, {}, keep, {}, ws),
                         "hrm::next_token_loss: number of targets is 5, expected 6", shape_error);
}
