#include <hrm/io/checkpoint.hpp>

#include <limits>

#include <doctest/doctest.h>

#include "support/folder.hpp"

using namespace hrm;

namespace {
snapshot example() {
    snapshot s;
    const matrix<float> w{{1.5f, -0.0f, 3e-45f}, {std::numeric_limits<float>::infinity(), 5, 6}};
    const matrix<double> m{{0.1, -2.5e-310}};
    s.put<float>("weight", w);
    s.put<double>("moment", m);
    s.put<float>("nothing", matrix<float>(0, 4));
    s.put_number("step", 400);
    s.metadata["random"] = "seed 7\nposition \"12\"";
    return s;
}
}  // namespace

TEST_CASE("a snapshot comes back bit by bit, and equal snapshots make equal files") {
    const test::folder here;
    save_checkpoint(here.file("a"), example());
    CHECK(load_checkpoint(here.file("a")) == example());
    save_checkpoint(here.file("b"), load_checkpoint(here.file("a")));
    CHECK(read_file(here.file("a")) == read_file(here.file("b")));
    save_checkpoint(here.file("a"), snapshot());
    CHECK(load_checkpoint(here.file("a")) == snapshot());
}

TEST_CASE("cut at any byte, it is refused in one line that names the file") {
    const test::folder here;
    save_checkpoint(here.file("a"), example());
    const auto whole = read_file(here.file("a"));
    for (std::size_t n = 0; n < whole.size(); ++n) {
        std::string message = "nothing";
        try {
            load_checkpoint(tensor_file({whole.begin(), whole.begin() + static_cast<index_t>(n)}, "run/last"));
        } catch (const io_error& e) {
            message = e.what();
        }
        CHECK_MESSAGE(message.find("run/last: ") != message.npos, n, ": ", message);
        CHECK(message.find('\n') == message.npos);
    }
}

TEST_CASE("any byte changed, it is refused or means the same") {
    const test::folder here;
    save_checkpoint(here.file("a"), example());
    const auto whole = read_file(here.file("a"));
    int refused = 0;
    for (std::size_t n = 0; n < whole.size(); ++n)
        for (const int flip : {1, 4, 32, 128}) {
            auto changed = whole;
            changed[n] ^= static_cast<std::byte>(flip);
            bool same = false;
            try {
                same = load_checkpoint(tensor_file(changed)) == example();
            } catch (const io_error&) {
                ++refused;
                continue;
            }
            // A flip may turn a letter of a \u escape into its capital: nothing that changes the meaning may pass.
            CHECK_MESSAGE(same, "byte ", n, " flip ", flip);
        }
    CHECK(refused > 3 * static_cast<int>(whole.size()));
}

TEST_CASE("the message names the damaged tensor and both checksums") {
    const test::folder here;
    save_checkpoint(here.file("a"), example());
    auto bytes = read_file(here.file("a"));
    bytes.back() ^= std::byte{1};  // floats come last: "weight"
    write_atomically(here.file("a"), bytes);
    std::string message;
    try {
        load_checkpoint(here.file("a"));
    } catch (const io_error& e) {
        message = e.what();
    }
    CHECK(message.starts_with("hrm::load_checkpoint: " + here.file("a") + ": \"weight\" is damaged: checksum "));
    CHECK(message.find(", expected ") != message.npos);
}

TEST_CASE("an ordinary safetensors file is not a checkpoint") {
    const test::folder here;
    tensor_writer out;
    out.save(here.file("a"));
    CHECK_THROWS_WITH_AS(load_checkpoint(here.file("a")), ("hrm::load_checkpoint: " + here.file("a") + ": not a checkpoint").c_str(),
                         io_error);
}

TEST_CASE("a checkpoint that cannot be written leaves the last one intact") {
    const test::folder here;
    save_checkpoint(here.file("a"), example());
    CHECK_THROWS_AS(save_checkpoint(here.file("missing/a"), snapshot()), io_error);
    CHECK(load_checkpoint(here.file("a")) == example());
}
