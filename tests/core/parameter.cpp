#include <hrm/core/parameter.hpp>

#include <cstdint>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("tensors lie in one flat buffer, on 64-byte borders, zero when made") {
    parameter_set<float> p;
    const auto a = p.add("A", 3, 5, decay::no);
    const auto b = p.add("B", 1, 16, decay::yes);
    const auto c = p.add("C", 0, 4, decay::yes);
    CHECK(p.count() == 3 * 5 + 16);
    CHECK(p.size() == 32);
    for (auto h : {a, b}) CHECK(reinterpret_cast<std::uintptr_t>(p[h].data) % 64 == 0);
    for (float x : p.flat()) CHECK(x == 0);
    CHECK(p[c].empty());
    CHECK(p.entries()[0].name == "A");
    CHECK(p.entries()[0].decay == decay::no);
    CHECK(p.entries()[1].decay == decay::yes);
}

TEST_CASE("one handle finds the same tensor in every buffer of the same layout") {
    parameter_set<double> p;
    (void)p.add("first", 2, 3, decay::yes);
    const auto h = p.add("second", 2, 2, decay::yes);
    p[h](1, 1) = 5;
    buffer<double> gradient(static_cast<std::size_t>(p.size()));
    p.in(std::span<double>(gradient), h)(1, 0) = 7;
    CHECK(p.flat()[8 + 3] == 5);
    CHECK(gradient[8 + 2] == 7);
    const auto copy = p;
    p[h](1, 1) = 0;
    CHECK(copy[h](1, 1) == 5);
    CHECK(copy.find("second") == h);
}

TEST_CASE("a missing name and a foreign buffer are named") {
    parameter_set<float> p;
    const auto h = p.add("A", 2, 2, decay::yes);
    std::vector<float> wrong(3);
    CHECK_THROWS_WITH_AS(p.find("B"), "hrm::parameter_set: no tensor named \"B\"", error);
    CHECK_THROWS_WITH_AS(p.in(std::span<float>(wrong), h), "hrm::parameter_set: a flat buffer's size is 3, expected 16",
                         shape_error);
}

TEST_CASE("bf16 weights: 32 to a border") {
    parameter_set<bf16> p;
    (void)p.add("A", 1, 1, decay::yes);
    const auto h = p.add("B", 1, 1, decay::yes);
    CHECK(p.entries()[static_cast<std::size_t>(h)].offset == 32);
}

TEST_CASE("extents whose product would wrap are refused, not made small") {
    parameter_set<float> p;
    CHECK_THROWS_WITH_AS((void)p.add("A", index_t{1} << 61, 8, decay::yes),
                         "hrm::parameter_set: A is 2305843009213693952x8, expected 0 to 2^48 elements", shape_error);
    CHECK_THROWS_AS((void)p.add("A", -1, 8, decay::yes), shape_error);
    CHECK(p.entries().empty());
}
