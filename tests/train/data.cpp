#include <hrm/train/data.hpp>

#include <cmath>
#include <map>
#include <set>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

using namespace hrm;

namespace {
corpus three() {
    return corpus(std::vector<document>{{"long", std::string(1000, 'a')}, {"empty", ""}, {"short", "xyz"}, {"middle", std::string(101, 'b')}});
}
}  // namespace

TEST_CASE("a crop is a function of seed, step and item") {
    const auto text = three();
    const sampler one(text, 64, 9), two(text, 64, 9), other(text, 64, 10);
    index_t different = 0;
    for (index_t step : {0, 1, 1000000})
        for (index_t item = 0; item < 50; ++item) {
            const auto a = one.crop(step, item), b = two.crop(step, item), c = other.crop(step, item);
            CHECK(a.document == b.document);
            CHECK(a.offset == b.offset);
            CHECK(a.length == b.length);
            different += a.offset != c.offset;
        }
    CHECK(different > 100);
}

TEST_CASE("documents are drawn by size, places evenly, and a short document is taken whole") {
    const auto text = three();
    CHECK(text.size() == 3);
    CHECK(text.targets() == 999 + 2 + 100);
    const sampler draw(text, 64, 1);
    std::map<index_t, double> count;
    std::set<index_t> places;
    const index_t n = 40000;
    for (index_t i = 0; i < n; ++i) {
        const auto c = draw.crop(i / 16, i % 16);
        ++count[c.document];
        const auto size = static_cast<index_t>(text[c.document].bytes.size());
        CHECK(c.offset >= 0);
        CHECK(c.offset + c.length + 1 <= size);
        CHECK(c.length == (c.document == 1 ? 2 : 64));
        if (c.document == 2) places.insert(c.offset);
    }
    CHECK(places.size() == 101 - 64);
    // Binomial: the share of document d is p_d within 4 sqrt(p (1 - p) / n).
    for (const auto& [d, share] : {std::pair{0, 999.0}, {1, 2.0}, {2, 100.0}}) {
        const double p = share / 1101;
        CHECK(std::abs(count[d] / n - p) <= 4 * std::sqrt(p * (1 - p) / n));
    }
}

TEST_CASE("targets are the tokens one further on, bytes above 127 included") {
    const corpus text(std::vector<document>{{"t", "a\xff\x80z"}});
    std::vector<std::int32_t> tokens, targets;
    text.read({0, 0, 3}, tokens, targets);
    CHECK(tokens == std::vector<std::int32_t>{'a', 255, 128});
    CHECK(targets == std::vector<std::int32_t>{255, 128, 'z'});
    CHECK_THROWS_AS(text.read({0, 1, 3}, tokens, targets), shape_error);
    CHECK_THROWS_WITH_AS(text.read({0, -1, 3}, tokens, targets), "hrm::corpus: 3 tokens from -1 of document 0, of 1 documents", shape_error);
    CHECK_THROWS_AS(text.read({1, 0, 3}, tokens, targets), shape_error);
}

TEST_CASE("evaluation meets every target once, with the same bits on one thread and on two") {
    const auto text = three();
    const auto nats = [](std::span<const std::int32_t> tokens, std::span<const std::int32_t> targets, int) {
        double sum = 0;
        for (std::size_t i = 0; i < tokens.size(); ++i) sum += std::sqrt(static_cast<double>(tokens[i] + targets[i]));
        return sum;
    };
    team alone(cpu{1}), pair(cpu{2});
    const auto one = evaluate(text, 37, alone, nats), two = evaluate(text, 37, pair, nats);
    CHECK(one.nats == two.nats);
    CHECK(one.tokens == 1101);
    const double want = 999 * std::sqrt(2.0 * 'a') + std::sqrt('x' + 'y') + std::sqrt('y' + 'z') + 100 * std::sqrt(2.0 * 'b');
    CHECK(one.nats == doctest::Approx(want).epsilon(1e-12));
}

TEST_CASE("a split keeps documents whole and apart") {
    std::vector<document> all;
    for (int i = 0; i < 40; ++i) all.push_back({std::to_string(i), std::string(static_cast<std::size_t>(10 + i), 'x')});
    const auto a = split(all, 0.2, 4), b = split(all, 0.2, 4), c = split(all, 0.2, 5);
    std::set<std::string> seen;
    double aside = 0;
    for (const auto& d : a.validation) aside += static_cast<double>(d.bytes.size()), seen.insert(d.name);
    for (const auto& d : a.train) CHECK(seen.insert(d.name).second);
    CHECK(seen.size() == 40);
    CHECK(aside >= 0.2 * 1180);
    CHECK(aside < 0.2 * 1180 + 50);
    CHECK(a.validation.front().name == b.validation.front().name);
    CHECK(a.validation.front().name != c.validation.front().name);
    const auto greedy = split({{"a", "xx"}, {"b", "yy"}}, 1.0, 0);
    CHECK(greedy.train.size() == 1);
    CHECK(greedy.validation.size() == 1);

    const auto cut = split_tail({"t", "0123456789"}, 0.3);
    CHECK(cut.train[0].bytes == "0123456");
    CHECK(cut.validation[0].bytes == "789");
}

TEST_CASE("texts that cannot be learned from are refused in one line") {
    CHECK_THROWS_WITH(corpus(std::vector<document>{}), "hrm::corpus: none of 0 documents has 2 bytes or more");
    CHECK_THROWS_WITH(corpus(std::vector<document>{{"a", ""}, {"b", "x"}}), "hrm::corpus: none of 2 documents has 2 bytes or more");
    CHECK_THROWS_WITH(split({{"a", "xyz"}}, 0.5, 1), "hrm::split: 1 documents, expected 2 or more");
    CHECK_THROWS_WITH(split_tail({"t", "0123456789"}, 0.05),
                      "hrm::split_tail: t has 10 bytes, 0 for validation, expected 2 or more on either side");
    for (const double fraction : {1.5, -0.5})
        CHECK_THROWS_WITH(split_tail({"t", "0123456789"}, fraction),
                          ("hrm::split_tail: a fraction of " + std::to_string(fraction) + ", expected between 0 and 1").c_str());
    const auto text = three();
    CHECK_THROWS_WITH(sampler(text, 0, 1), "hrm::sampler: length 0, expected 1 or more");
    static_assert(!std::is_constructible_v<sampler, corpus, index_t, std::uint64_t>);
    CHECK_THROWS_WITH(text.pieces(0), "hrm::corpus: pieces of 0 tokens, expected 1 or more");
}
