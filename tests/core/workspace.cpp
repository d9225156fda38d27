#include <hrm/core/workspace.hpp>

#include <cstdint>
#include <stdexcept>
#include <utility>

#include <doctest/doctest.h>

#include "support/allocations.hpp"

using namespace hrm;

TEST_CASE("pieces are aligned, apart, and keep their values while the stack grows") {
    workspace ws;
    std::vector<std::span<double>> pieces;
    for (index_t n = 1; n <= 1 << 16; n *= 3) {
        pieces.push_back(ws.take<double>(n));
        CHECK(reinterpret_cast<std::uintptr_t>(pieces.back().data()) % 64 == 0);
        for (auto& x : pieces.back()) x = static_cast<double>(n);
    }
    index_t n = 1;
    for (auto p : pieces) {
        for (double x : p) REQUIRE(x == static_cast<double>(n));
        n *= 3;
    }
}

TEST_CASE("zeros are zeros, also in memory that was used before") {
    workspace ws;
    for (auto& x : ws.take<float>(1000)) x = 1;
    ws.clear();
    for (float x : ws.take_zero<float>(1000)) REQUIRE(x == 0);
    ws.clear();
    auto m = ws.take_zero_matrix<float>(10, 100);
    CHECK(m.rows == 10);
    CHECK(m.cols == 100);
    for (float x : m.row_span(9)) REQUIRE(x == 0);
    CHECK(ws.take<float>(0).empty());
}

TEST_CASE("release gives back exactly what was taken since the mark, across blocks") {
    workspace ws;
    auto kept = ws.take<int>(10);
    for (auto& x : kept) x = 7;
    const auto mark = ws.mark();
    const auto* first = ws.take<int>(100).data();
    (void)ws.take<int>(1 << 20);  // a second block
    ws.release(mark);
    CHECK(ws.take<int>(100).data() == first);
    for (int x : kept) CHECK(x == 7);
    {
        scratch_scope scope(ws);
        (void)ws.take<int>(50);
    }
    CHECK(ws.take<int>(16).data() == first + 112);  // 100 ints occupy seven lines of 16
}

TEST_CASE("after clear() has joined the blocks, the same work allocates nothing") {
    workspace ws;
    auto work = [&] {
        for (index_t n : {1000, 200000, 5, 3000000}) {
            scratch_scope scope(ws);
            (void)ws.take<double>(n);
            (void)ws.take_matrix<float>(n, 3);
        }
        (void)ws.take<double>(70000);
    };
    work();
    ws.clear();
    const auto capacity = ws.capacity();
    const auto before = hrm_test::allocations();
    work();
    CHECK(hrm_test::allocations() == before);
    CHECK(ws.capacity() == capacity);
}

TEST_CASE("parts are apart, keep their memory, and leave the whole as it was") {
    workspace ws;
    const auto whole = ws.take<double>(100);
    for (int round = 0; round < 3; ++round) {
        const auto parts = ws.split(3);
        REQUIRE(parts.size() == 3);
        const auto before = hrm_test::allocations();
        std::vector<std::span<double>> taken(3);
        for (std::size_t i = 0; i < 3; ++i) {
            taken[i] = parts[i].take<double>(1000);
            for (double& x : taken[i]) x = static_cast<double>(i);
        }
        for (double& x : whole) x = 7;
        for (std::size_t i = 0; i < 3; ++i)
            for (double x : taken[i]) REQUIRE(x == static_cast<double>(i));
        if (round > 0 && hrm_test::allocations_are_counted()) CHECK(hrm_test::allocations() == before + 1);  // the vector of spans
    }
    CHECK(ws.capacity() >= 3100 * sizeof(double));
}

TEST_CASE("levelled parts have the room of the largest, in one block") {
    workspace ws;
    const auto work = [](workspace& part) {
        for (index_t n : {1000, 200000, 5}) (void)part.take<double>(n);
    };
    work(ws.split(3)[1]);
    workspace::level(ws.split(3));
    const auto parts = ws.split(3);
    const auto before = hrm_test::allocations();
    for (auto& part : parts) work(part);
    CHECK(hrm_test::allocations() == before);
    CHECK(parts[0].capacity() == parts[1].capacity());
    CHECK(parts[2].capacity() == parts[1].capacity());
}

TEST_CASE("where there is no memory for what clear() asks, the workspace is an empty one") {
    workspace ws;
    (void)ws.take<double>(100);
    CHECK_THROWS_AS(ws.clear(std::size_t{1} << 63), std::length_error);  // more than any vector holds
    CHECK(ws.capacity() == 0);
    const auto piece = ws.take<double>(100);
    CHECK(ws.capacity() >= piece.size_bytes());
}

TEST_CASE("a workspace that was moved from is an empty one") {
    workspace a;
    for (int i = 0; i < 4; ++i) (void)a.take<double>(1 << (14 + 2 * i));
    const workspace b = std::move(a);
    CHECK(b.capacity() > 0);
    const auto mark = a.mark();  // NOLINT(bugprone-use-after-move): the point of the test
    (void)a.take<double>(3);
    a.release(mark);
    CHECK(a.mark().block == 0);
    CHECK(a.mark().used == 0);
}

TEST_CASE("the allocation counter counts: new, aligned new and growth") {
    if (!hrm_test::allocations_are_counted()) return;
    const auto before = hrm_test::allocations();
    std::vector<int> v(100);
    const auto plain = hrm_test::allocations();
    CHECK(plain == before + 1);
    buffer<double> b(100);
    CHECK(hrm_test::allocations() == plain + 1);
    CHECK(v.size() + b.size() == 200);
}
