#include "../../examples/support/tasks.hpp"

#include <cmath>
#include <string>

#include <doctest/doctest.h>

using namespace hrm;
using namespace hrm::examples;

namespace {

/// The permutations in lexicographic order, to be applied point by point: no multiplication table.
std::vector<std::vector<int>> permutations(int points, bool even_only) {
    std::vector<std::vector<int>> all;
    std::vector<int> p(static_cast<std::size_t>(points));
    for (int i = 0; i < points; ++i) p[static_cast<std::size_t>(i)] = i;
    do {
        // Even: points minus cycles is even.
        int cycles = 0;
        std::vector<bool> seen(p.size());
        for (std::size_t i = 0; i < p.size(); ++i) {
            if (seen[i]) continue;
            ++cycles;
            for (auto j = i; !seen[j]; j = static_cast<std::size_t>(p[j])) seen[j] = true;
        }
        if (!even_only || (points - cycles) % 2 == 0) all.push_back(p);
    } while (std::next_permutation(p.begin(), p.end()));
    return all;
}

}  // namespace

TEST_CASE("a sample is a function of seed, step and item") {
    for (const auto* name : {"dfa", "permutation", "parity", "cyclic", "s3", "a5"}) {
        const task a(name, 4, 7), b(name, 4, 7), other(name, 4, 8);
        const auto later = a.sample(40, 3, 5);
        b.sample(40, 9, 1);
        CHECK(b.sample(40, 3, 5).tokens == later.tokens);
        CHECK(b.sample(40, 3, 5).targets == later.targets);
        CHECK(a.sample(40, 3, 6).tokens != later.tokens);
        CHECK(a.sample(40, 4, 5).tokens != later.tokens);
        CHECK(other.sample(40, 3, 5).tokens != later.tokens);
        for (index_t i = 0; i < 20; ++i) {
            const auto s = a.sample(33, 0, i);
            REQUIRE(s.tokens.size() == s.targets.size());
            for (const auto t : s.tokens) CHECK((t >= 0 && t < a.vocabulary()));
            for (const auto t : s.targets) CHECK(t < a.labels());
        }
    }
}

TEST_CASE("the last state follows from the tokens alone") {
    for (const auto* name : {"dfa", "permutation"})
        for (const index_t k : {2, 4, 8}) {
            const task from(name, k, 1);
            const auto states = static_cast<std::size_t>(k);
            for (index_t i = 0; i < 50; ++i) {
                const auto s = from.sample(31, 2, i);
                REQUIRE(s.tokens.size() == 2 * states + 33);
                CHECK(s.tokens[2 * states] == k + 2);
                CHECK(s.tokens.back() == k + 2);
                // Backwards: which states lead to the one where the word ends.
                std::vector<std::size_t> end(states);
                for (std::size_t q = 0; q < states; ++q) end[q] = q;
                for (std::size_t t = s.tokens.size() - 2; t > 2 * states; --t) {
                    auto before = end;
                    for (std::size_t q = 0; q < states; ++q)
                        before[q] = end[static_cast<std::size_t>(s.tokens[2 * q + static_cast<std::size_t>(s.tokens[t] - k)])];
                    end = before;
                }
                CHECK(s.targets.back() == static_cast<std::int32_t>(end[0]));
                CHECK(std::count(s.targets.begin(), s.targets.end(), -1) == static_cast<std::ptrdiff_t>(s.targets.size()) - 1);
            }
        }
}

TEST_CASE("running parities count ones, and are inputs one token late") {
    const auto s = task("parity", 0, 3).sample(16, 0, 0);
    REQUIRE(s.tokens.size() == 32);
    CHECK(s.tokens[16] == 2);
    for (std::size_t t = 0; t < 16; ++t) {
        CHECK(s.targets[t] == -1);
        CHECK(s.targets[16 + t] == std::count(s.tokens.begin(), s.tokens.begin() + static_cast<std::ptrdiff_t>(t) + 1, 1) % 2);
        if (t > 0) CHECK(s.tokens[16 + t] == s.targets[15 + t]);
    }
}

TEST_CASE("running products of a group") {
    for (const bool a5 : {false, true}) {
        const task from(a5 ? "a5" : "s3", 0, 4);
        const auto list = permutations(a5 ? 5 : 3, a5);
        REQUIRE(from.labels() == static_cast<index_t>(list.size()));
        const auto s = from.sample(64, 0, 0);
        for (std::size_t t = 0; t < s.tokens.size(); ++t)
            for (std::size_t point = 0; point < list[0].size(); ++point) {
                int at = static_cast<int>(point);
                for (std::size_t u = 0; u <= t; ++u) at = list[static_cast<std::size_t>(s.tokens[u])][static_cast<std::size_t>(at)];
                REQUIRE(list[static_cast<std::size_t>(s.targets[t])][point] == at);
            }
    }
    const auto s = task("cyclic", 5, 4).sample(64, 0, 0);
    std::int32_t sum = 0;
    for (std::size_t t = 0; t < s.tokens.size(); ++t) CHECK(s.targets[t] == (sum += s.tokens[t]) % 5);
    CHECK(permutation_group(5, true).order() == 60);
}

TEST_CASE("what a window allows") {
    const task dfa("dfa", 4, 1), permutation("permutation", 4, 1);
    constexpr index_t samples = 2000;  // standard error below 0.25 / sqrt(2000) = 0.006; figures are rounded to 0.01
    CHECK(std::abs(dfa.window_bayes(512, 4, samples) - 0.82) < 0.02);
    CHECK(std::abs(dfa.window_bayes(512, 8, samples) - 0.87) < 0.02);
    CHECK(std::abs(dfa.window_bayes(512, 16, samples) - 0.91) < 0.02);
    CHECK(std::abs(dfa.window_bayes(512, 64, samples) - 0.93) < 0.02);
    // Seeing everything leaves no doubt.
    CHECK(dfa.window_bayes(20, 20, 200) == 1);
    // Permutations only rename the states: far from the start a window adds nothing, to rounding.
    const double blind = permutation.window_bayes(512, 0, samples);
    CHECK(permutation.window_bayes(512, 64, samples) == doctest::Approx(blind).epsilon(1e-6));
    CHECK(task("s3", 0, 1).window_bayes(12, 4, 0) == doctest::Approx((4 + 8.0 / 6) / 12));
    CHECK(task("parity", 0, 1).window_bayes(12, 12, 0) == 0.5);
    CHECK(task("parity", 0, 1).window_bayes(12, 13, 0) == 1);
}

TEST_CASE("a guesser with the window does as well as Bayes says") {
    // Straight simulation: the most frequent end over many prefixes, for one automaton and one window.
    random_stream random(5);
    for (int trial = 0; trial < 5; ++trial) {
        const auto a = random_automaton(4, random);
        const std::vector<int> window{1, 0, 0};
        std::array<int, 4> count{};
        constexpr int prefixes = 20000;  // standard error below 0.5 / sqrt(20000) = 0.0036
        for (int i = 0; i < prefixes; ++i) {
            std::int32_t state = 0;
            for (int t = 0; t < 9; ++t) state = a(state, static_cast<int>(random.below(2)));
            for (const int symbol : window) state = a(state, symbol);
            ++count[static_cast<std::size_t>(state)];
        }
        const double best = *std::max_element(count.begin(), count.end()) / static_cast<double>(prefixes);
        CHECK(std::abs(best - bayes_of(a, 12, window)) < 0.015);
    }
}

TEST_CASE("what makes no task is refused") {
    CHECK_THROWS_WITH_AS(task("dfa", 1, 0), "task: size 1, expected 2 or more", error);
    CHECK_THROWS_WITH_AS(task("sort", 4, 0), "task: \"sort\", expected dfa, permutation, parity, cyclic, s3 or a5", error);
}
