#include <hrm/core/parallel.hpp>

#include <latch>
#include <stdexcept>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "support/allocations.hpp"

using namespace hrm;

TEST_CASE("every item runs once, by a worker of the team, for any number of threads and items") {
    for (int threads : {0, 1, 2, 5}) {
        team t(cpu{.threads = threads});
        CHECK(t.size() == (threads > 1 ? threads : 1));
        for (index_t items : {0, 1, 2, 7, 1000}) {
            std::vector<int> runs(static_cast<std::size_t>(items)), worker(runs.size());
            t.run(items, [&](index_t i, int w) {
                ++runs[static_cast<std::size_t>(i)];
                worker[static_cast<std::size_t>(i)] = w;
            });
            for (int r : runs) REQUIRE(r == 1);
            for (int w : worker) REQUIRE((w >= 0 && w < t.size()));
        }
    }
}

TEST_CASE("a worker's scratch is never shared: sums a worker are exact over many short loops") {
    team t(cpu{.threads = 3});
    std::vector<long> sum(3);
    for (int round = 0; round < 2000; ++round)
        t.run(10, [&](index_t i, int w) { sum[static_cast<std::size_t>(w)] += i; });
    CHECK(sum[0] + sum[1] + sum[2] == 2000 * 45);
}

TEST_CASE("an exception of an item is rethrown, and the team goes on") {
    team t(cpu{.threads = 2});
    for (int round = 0; round < 50; ++round) {
        CHECK_THROWS_WITH_AS(t.run(20, [](index_t i, int) { if (i == 11) throw std::runtime_error("item 11"); }),
                             "item 11", std::runtime_error);
        std::atomic<int> done{0};
        t.run(20, [&](index_t, int) { ++done; });
        CHECK(done == 20);
    }
}

TEST_CASE("run allocates nothing") {
    team t(cpu{.threads = 2});
    std::atomic<index_t> sum{0};
    auto work = [&](index_t i, int) { sum += i; };
    t.run(100, work);
    const auto before = hrm_test::allocations();
    for (int round = 0; round < 10; ++round) t.run(100, work);
    CHECK(hrm_test::allocations() == before);
    CHECK(sum == 11 * 4950);
}

TEST_CASE("shared blocks cover a range once, each with scratch of its own") {
    workspace ws;
    for (int threads : {0, 1, 3}) {
        team t(cpu{.threads = threads});
        for (index_t size : {0, 1, 10, 1001}) {
            std::vector<int> seen(static_cast<std::size_t>(size));
            share(threads ? &t : nullptr, size, 7, ws, [&](index_t first, index_t count, workspace& own) {
                scratch_scope scope(own);
                const auto mine = own.take<index_t>(count);
                for (index_t i = 0; i < count; ++i) mine[static_cast<std::size_t>(i)] = first + i;
                CHECK(first % 7 == 0);
                for (index_t i : mine) ++seen[static_cast<std::size_t>(i)];
            });
            for (int s : seen) REQUIRE(s == 1);
        }
    }
}

TEST_CASE("shared blocks allocate nothing from the second time on, whichever thread takes which") {
    team two(cpu{.threads = 2});
    workspace ws;
    const auto here = std::this_thread::get_id();
    // Each block waits for the other, so each thread has one of them; much work falls to one thread, then to the other.
    const auto work = [&](bool much_here) {
        std::latch both(2);
        share(&two, 2, 1, ws, [&](index_t, index_t, workspace& own) {
            both.arrive_and_wait();
            const bool much = (std::this_thread::get_id() == here) == much_here;
            (void)own.take<double>(10);
            if (much) (void)own.take<double>(1 << 17);  // a second block
        });
    };
    work(true);
    const auto before = hrm_test::allocations();
    work(false);
    work(true);
    CHECK(hrm_test::allocations() == before);
}

TEST_CASE("a shared block gives back what it took, on one thread too") {
    workspace ws;
    const auto kept = ws.take<double>(10);
    share(nullptr, 100, 1, ws, [&](index_t, index_t, workspace& own) { (void)own.take<double>(1000); });
    CHECK(ws.take<double>(1).data() == kept.data() + 16);  // behind two cache lines
    CHECK(ws.capacity() == std::size_t{1} << 16);
}
