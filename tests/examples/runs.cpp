#include "../../examples/support/runs.hpp"

#include <csignal>
#include <set>

#include <doctest/doctest.h>

#include "support/folder.hpp"
#include "support/small_model.hpp"

using namespace hrm;
using namespace hrm::examples;
using namespace hrm::testing;

namespace {

/// Bytes below the small model's vocabulary.
document some_text(int from) {
    document d{"text", {}};
    for (int i = 0; i < 200; ++i) d.bytes += static_cast<char>((from + i * i) % 11);
    return d;
}
arena some_arena(int test_text = 3, std::uint64_t base = 1) {
    return {small_model<float>(small_config(), base), corpus({some_text(1)}), corpus({some_text(2)}), corpus({some_text(test_text)}), "text"};
}
contestant some_contestant(lora_options o = {.rank = 2}, site where = site::q) { return {"lora", "LoRA", {{{where}, o}}, 1e-2, 0}; }

constexpr budget few{.steps = 4, .batch = 2, .length = 16, .seed = 1, .threads = 1};

}  // namespace

TEST_CASE("a fingerprint changes with text, base, place and options, and with nothing else") {
    auto renamed = some_contestant();
    renamed.name = renamed.label = "other";
    renamed.rate = 1;
    const auto one = fingerprint(some_arena(), {some_contestant()});
    CHECK(one.size() == 16);
    CHECK(fingerprint(some_arena(), {renamed}) == one);
    CHECK(std::set<std::string>{one,
                                fingerprint(some_arena(4), {some_contestant()}),
                                fingerprint(some_arena(3, 2), {some_contestant()}),
                                fingerprint(some_arena(), {some_contestant({.rank = 3})}),
                                fingerprint(some_arena(), {some_contestant({.rank = 2, .alpha = 8})}),
                                fingerprint(some_arena(), {some_contestant({.rank = 2}, site::v)}),
                                fingerprint(some_arena(), {some_contestant(), some_contestant()})}
              .size() == 7);
}

TEST_CASE("a result answers for the run it came from and for no other; lines without a key for none") {
    const ::test::folder here;
    const auto path = here.file("results.jsonl");
    write_atomically(path, R"({"batch":2,"label":"LoRA","length":16,"name":"lora","parameters":1,"rate":0.01,"seconds_per_1000_tokens":1,)"
                           R"("seed":1,"steps":4,"test":1,"validation":1})"
                           "\n");
    run_log log(path);
    const auto a = some_arena();
    const auto key = fingerprint(a, {some_contestant()});
    CHECK(!log.find("lora", key, 1e-2, few));
    const auto done = run(a, some_contestant(), 1e-2, few, log);
    REQUIRE(done);
    CHECK(done->test > 1);
    CHECK(log.find("lora", key, 1e-2, few));
    CHECK(!log.find("lora", fingerprint(a, {some_contestant({.rank = 3})}), 1e-2, few));

    run_log again(path);
    REQUIRE(again.find("lora", key, 1e-2, few));
    CHECK(again.find("lora", key, 1e-2, few)->test == done->test);
    CHECK(!again.find("lora", key, 2e-2, few));
}

TEST_CASE("a run of other length does not go on from a checkpoint; the same one does, to the same bits") {
    const ::test::folder here;
    const auto a = some_arena();
    const auto path = here.file("unfinished");
    const auto train = [&](const budget& b, const std::string& checkpoint) {
        auto adapters = build(some_contestant(), a.base.config(), b.seed);
        return adapt(a.base, adapters, a.train, b, 1e-2, "test", checkpoint);
    };
    examples::detail::signal_seen = SIGINT;
    CHECK(!train(few, path));
    examples::detail::signal_seen = 0;
    auto longer = few;
    longer.steps = 6;
    CHECK_THROWS_WITH_AS(train(longer, path), ("hrm::adapt: the curve in " + path + " is 2x4, expected 2x6").c_str(), shape_error);
    const auto resumed = train(few, path), straight = train(few, {});
    REQUIRE(resumed);
    REQUIRE(straight);
    CHECK(resumed->bits == straight->bits);
}
