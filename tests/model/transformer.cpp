#include <hrm/model/transformer.hpp>

#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "support/allocations.hpp"
#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

struct gradients {
    buffer<double> adapters, base;
};

// A loss linear in the logits: <logits, weights>.
template <storable W = double>
gradients backward_of(const transformer<double, W>& model, std::span<const std::int32_t> tokens, const adapter_set<double>& set,
                      const matrix<double>& weights, bool base, std::span<const index_t> starts = {}) {
    gradients g{buffer<double>(static_cast<std::size_t>(set.gradient_size())),
                buffer<double>(base ? static_cast<std::size_t>(model.parameters().size()) : 0)};
    const forward_options<double> options{.mode = pass::training, .base_gradients = base, .starts = starts};
    matrix<double> logits(weights.rows(), weights.cols());
    activations<double> keep;
    workspace ws;
    model.forward(tokens, set, logits, keep, options, ws);
    model.backward(tokens, weights, set, g.adapters, g.base, keep, options, ws);
    return g;
}

std::span<double> elements(parameter_set<double>& p, index_t h) {
    return {p[h].data, static_cast<std::size_t>(p[h].size())};
}

// The text of the exception f throws, or nothing.
template <class F>
std::string complaint(F&& f) {
    try {
        f();
    } catch (const error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("every base parameter's gradient agrees with central differences") {
    for (const auto& c : {small_config(), small_config(0, true)}) {
        auto model = small_model<double>(c);
        const auto set = adapters_everywhere<double>(c);
        random_stream random(3);
        const auto tokens = random_tokens(9, c.vocabulary, random);
        const auto weights = random_matrix(9, c.vocabulary, random);
        const index_t starts[] = {6};
        auto g = backward_of(model, tokens, set, weights, true, starts);
        const auto loss = [&] { return inner(logits_of(model, tokens, set, {.starts = starts}).flat(), weights.flat()); };
        for (std::size_t h = 0; h < model.parameters().entries().size(); ++h) {
            const auto handle = static_cast<index_t>(h);
            const auto m = model.parameters().in(std::span(g.base), handle);
            INFO(model.parameters().entries()[h].name);
            CHECK(relative_error(std::span(m.data, static_cast<std::size_t>(m.size())),
                                 central_differences(elements(model.parameters(), handle), loss)) < 1e-6);
        }
    }
}

TEST_CASE("the gradient of an adapter at every site agrees with central differences") {
    const auto c = small_config();
    const auto model = small_model<double>(c);
    auto set = adapters_everywhere<double>(c);
    random_stream random(4);
    const auto tokens = random_tokens(9, c.vocabulary, random);
    const auto weights = random_matrix(9, c.vocabulary, random);
    const index_t starts[] = {0, 4};
    const auto g = backward_of(model, tokens, set, weights, false, starts);
    const auto loss = [&] { return inner(logits_of(model, tokens, set, {.starts = starts}).flat(), weights.flat()); };
    for (std::size_t i = 0; i < set.size(); ++i) {
        auto& p = set[i].adapter->parameters();
        auto all = g.adapters;
        for (index_t h = 0; h < static_cast<index_t>(p.entries().size()); ++h) {
            const auto m = p.in(set.gradient_of(i, std::span(all)), h);
            INFO(std::string(name(set[i].site)) << " of layer " << set[i].layer << ", " << p.entries()[static_cast<std::size_t>(h)].name);
            CHECK(relative_error(std::span(m.data, static_cast<std::size_t>(m.size())),
                                 central_differences(elements(p, h), loss)) < 1e-6);
        }
    }
}

TEST_CASE("a frozen base gives each adapter, alone or among others, the gradient that a trainable one gives") {
    const auto c = small_config();
    const auto model = small_model<double>(c);
    const auto all = adapters_everywhere<double>(c);
    random_stream random(5);
    const auto tokens = random_tokens(70, c.vocabulary, random);
    const auto weights = random_matrix(70, c.vocabulary, random);
    const auto same = [&](const adapter_set<double>& set) {
        const auto frozen = backward_of(model, tokens, set, weights, false), trained = backward_of(model, tokens, set, weights, true);
        return frozen.adapters == trained.adapters;
    };
    CHECK(same(all));
    for (const auto& a : all) {
        adapter_set<double> one;
        one.attach(a.layer, a.site, a.adapter->clone());
        INFO(std::string(name(a.site)) << " of layer " << a.layer);
        CHECK(same(one));
    }
}

TEST_CASE("a second backward after one forward gives the same bits") {
    const auto c = small_config();
    const auto model = small_model<float>(c);
    const auto set = adapters_everywhere<float>(c);
    random_stream random(6);
    const auto tokens = random_tokens(20, c.vocabulary, random);
    matrix<float> logits(20, c.vocabulary), weights(20, c.vocabulary);
    random.fill_normal(weights.flat());
    const forward_options<float> options{.mode = pass::training};
    activations<float> keep;
    workspace ws;
    model.forward(tokens, set, logits, keep, options, ws);
    buffer<float> first(static_cast<std::size_t>(set.gradient_size())), second(first.size());
    model.backward(tokens, weights, set, first, {}, keep, options, ws);
    model.backward(tokens, weights, set, second, {}, keep, options, ws);
    CHECK(first == second);
    CHECK(logits == logits_of(model, tokens, set));  // training and inference: the same logits
}

TEST_CASE("documents in one sequence do not see each other") {
    const auto c = small_config(0);
    const auto model = small_model<double>(c);
    const auto set = adapters_everywhere<double>(c);
    random_stream random(7);
    const auto tokens = random_tokens(90, c.vocabulary, random);
    const index_t starts[] = {0, 37};
    const auto together = logits_of(model, tokens, set, {.starts = starts});
    const auto one = logits_of(model, std::span(tokens).first(37), set), two = logits_of(model, std::span(tokens).subspan(37), set);
    // The second stands at other absolute positions, so that its rotations round differently: n eps with n ~ 100.
    CHECK(relative_error(std::span(together.data(), one.flat().size()), one.flat()) < 1e-13);
    CHECK(relative_error(together.flat().subspan(one.flat().size()), two.flat()) < 1e-13);
    CHECK(relative_error(together.flat(), logits_of(model, tokens, set).flat()) > 1e-3);  // and would without starts
}

TEST_CASE("a query sees exactly the window's keys") {
    auto c = small_config(5);
    c.layers = 1;
    const auto model = small_model<double>(c);
    random_stream random(8);
    const auto tokens = random_tokens(12, c.vocabulary, random);
    const auto logits = logits_of(model, tokens, {});
    for (std::size_t j = 0; j < 12; ++j) {
        auto other = tokens;
        other[j] = (other[j] + 1) % 11;
        const auto changed = logits_of(model, other, {});
        for (std::size_t p = 0; p < 12; ++p) {
            const bool differs = std::memcmp(&logits(static_cast<index_t>(p), 0), &changed(static_cast<index_t>(p), 0), 11 * sizeof(double)) != 0;
            CHECK(differs == (j <= p && p - j < 5));
        }
    }
}

TEST_CASE("adapters that add exactly nothing leave the logits bit for bit") {
    const auto c = small_config();
    const auto model = small_model<float>(c);
    auto set = adapters_everywhere<float>(c);
    for (auto& a : set) dynamic_cast<decaying_adapter<float>&>(*a.adapter).silence();
    random_stream random(9);
    const auto tokens = random_tokens(130, c.vocabulary, random);
    const auto with = logits_of(model, tokens, set), without = logits_of(model, tokens, {});
    CHECK(std::memcmp(with.data(), without.data(), with.flat().size_bytes()) == 0);
}

TEST_CASE("bf16 weights compute what their rounded values compute in float") {
    const auto c = small_config();
    const auto stored = small_model<float, bf16>(c);
    transformer<float> widened(c);
    for (index_t h = 0; h < static_cast<index_t>(stored.parameters().entries().size()); ++h) {
        const auto from = stored.parameters()[h];
        const auto to = widened.parameters()[h];
        for (index_t i = 0; i < to.rows; ++i)
            for (index_t j = 0; j < to.cols; ++j) to(i, j) = from(i, j);
    }
    const auto set = adapters_everywhere<float>(c);
    random_stream random(10);
    const auto tokens = random_tokens(40, c.vocabulary, random);
    CHECK(logits_of(stored, tokens, set) == logits_of(widened, tokens, set));

    matrix<float> logits(40, c.vocabulary), weights(40, c.vocabulary);
    random.fill_normal(weights.flat());
    const auto adapters_gradient = [&](const auto& model) {
        buffer<float> g(static_cast<std::size_t>(set.gradient_size()));
        const forward_options<float> options{.mode = pass::training};
        activations<float> keep;
        workspace ws;
        model.forward(tokens, set, logits, keep, options, ws);
        model.backward(tokens, weights, set, g, {}, keep, options, ws);
        return g;
    };
    CHECK(adapters_gradient(stored) == adapters_gradient(widened));
}

TEST_CASE("a second round in the same workspace allocates nothing") {
    const auto c = small_config();
    const auto model = small_model<float>(c);
    const auto set = adapters_everywhere<float>(c);
    random_stream random(11);
    const auto tokens = random_tokens(300, c.vocabulary, random);
    matrix<float> logits(300, c.vocabulary);
    buffer<float> base(static_cast<std::size_t>(model.parameters().size())), g(static_cast<std::size_t>(set.gradient_size()));
    activations<float> keep;
    workspace ws;
    const auto round = [&] {
        const auto before = hrm_test::allocations();
        const forward_options<float> options{.mode = pass::training, .base_gradients = true};
        ws.clear();
        model.forward(tokens, set, logits, keep, options, ws);
        model.backward(tokens, logits, set, g, base, keep, options, ws);
        return hrm_test::allocations() - before;
    };
    round();
    round();  // clear() joined the first round's blocks into one
    CHECK(round() == 0);
}

TEST_CASE("what does not fit is named with both numbers") {
    const auto c = small_config();
    const auto model = small_model<double>(c);
    std::vector<std::int32_t> tokens(6, 1);
    matrix<double> logits(6, c.vocabulary), narrow(6, 7);
    activations<double> keep;
    workspace ws;
    tokens[5] = 300;
    CHECK(complaint([&] { model.forward(tokens, {}, logits, keep, {}, ws); }) ==
          "hrm::transformer::forward: token 300 at position 5, vocabulary 11");
    tokens[5] = -1;
    CHECK(complaint([&] { model.forward(tokens, {}, logits, keep, {}, ws); }) ==
          "hrm::transformer::forward: token -1 at position 5, vocabulary 11");
    tokens[5] = 1;
    CHECK(complaint([&] { model.forward(tokens, {}, narrow, keep, {}, ws); }) ==
          "hrm::transformer::forward: logits is 6x7, expected 6x11");
    CHECK(complaint([&] { model.forward({}, {}, logits, keep, {}, ws); }) == "hrm::transformer::forward: no tokens");
    const index_t late[] = {6};
    CHECK(complaint([&] { model.forward(tokens, {}, logits, keep, {.starts = late}, ws); }) ==
          "hrm::transformer::forward: a document starts at row 6, expected ascending rows below 6");
    const index_t twice[] = {2, 2};
    CHECK(complaint([&] { model.forward(tokens, {}, logits, keep, {.starts = twice}, ws); }) ==
          "hrm::transformer::forward: a document starts at row 2, expected ascending rows below 6");
    CHECK(complaint([&] { model.backward(tokens, logits, {}, {}, {}, keep, {}, ws); }) ==
          "hrm::transformer::backward: the kept sequence is 0, expected 6");
    model.forward(tokens, {}, logits, keep, {.mode = pass::training}, ws);
    buffer<double> g(static_cast<std::size_t>(model.parameters().size()));
    CHECK(complaint([&] { model.backward(tokens, logits, {}, {}, g, keep, {}, ws); }) ==
          "hrm::transformer::backward: forward ran without base_gradients");
    const auto set = adapters_everywhere<double>(c);
    buffer<double> late_gradient(static_cast<std::size_t>(set.gradient_size()));
    CHECK(complaint([&] { model.backward(tokens, logits, set, late_gradient, {}, keep, {}, ws); }) ==
          "hrm::transformer::backward: the number of kept adapters is 0, expected 24");
}

TEST_CASE("tensors bear Hugging Face's names and shapes") {
    auto c = small_config();
    const transformer<float> model(c);
    const auto& p = model.parameters();
    CHECK(p.count() == parameter_count(c));
    CHECK(p.entries().size() == 3 + 2 * 9);
    const auto k = p[p.find("model.layers.1.self_attn.k_proj.weight")], d = p[p.find("model.layers.0.mlp.down_proj.weight")];
    CHECK((k.rows == 8 && k.cols == 12 && d.rows == 12 && d.cols == 10));
    c.tied = true;
    CHECK_THROWS_AS(transformer<float>(c).parameters().find("lm_head.weight"), error);
    CHECK(transformer<float>(c).parameters().count() == parameter_count(c));
}
