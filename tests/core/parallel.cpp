#include <hrm/core/parallel.hpp>

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

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

TEST_CASE("no wake-up is lost, whether a thread looks for work or sleeps, and on more threads than cores") {
    const int cores = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
    for (const int threads : {2, cores, 3 * cores}) {
        team t(cpu{.threads = threads});
        std::atomic<index_t> sum{0};
        for (int round = 0; round < 300; ++round) {
            t.run(2 + round % 7, [&](index_t i, int) {
                sum += i;
                // The caller waits for this item: a little while, or long enough that it sleeps.
                if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round % 2 ? 20 : 200));
            });
            if (round % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20 * (round % 11)));
        }
        index_t want = 0;
        for (index_t round = 0; round < 300; ++round) want += (2 + round % 7) * (1 + round % 7) / 2;
        CHECK(sum == want);
    }
}

TEST_CASE("every thread takes part where an item waits for the others") {
    team t(cpu{.threads = 4});
    for (int round = 0; round < 20; ++round) {
        std::latch all(4);
        std::atomic<int> workers{0};
        t.run(4, [&](index_t, int worker) {
            all.arrive_and_wait();
            workers += 1 << worker;
        });
        CHECK(workers == 0b1111);
    }
}

TEST_CASE("a team ends at once, whether its threads look for work or sleep") {
    for (int round = 0; round < 50; ++round) {
        team t(cpu{.threads = 3});
        if (round % 2) t.run(3, [](index_t, int) {});
        if (round % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
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

TEST_CASE("shared pieces cover a range once, in whole units, each with scratch of its own") {
    workspace ws;
    for (int threads : {0, 1, 3}) {
        team t(cpu{.threads = threads});
        for (index_t size : {0, 1, 7, 10, 1001}) {
            std::vector<int> seen(static_cast<std::size_t>(size));
            std::atomic<index_t> pieces{0}, largest{0}, last{0};
            share(threads ? &t : nullptr, size, 7, ws, [&](index_t first, index_t count, workspace& own) {
                scratch_scope scope(own);
                const auto mine = own.take<index_t>(count);
                for (index_t i = 0; i < count; ++i) mine[static_cast<std::size_t>(i)] = first + i;
                CHECK(first % 7 == 0);
                CHECK((count % 7 == 0 || first + count == size));
                for (index_t i : mine) ++seen[static_cast<std::size_t>(i)];
                ++pieces;
                if (first == 0) largest = count;
                if (first + count == size) last = count;
            });
            for (int s : seen) REQUIRE(s == 1);
            if (threads < 2) CHECK(pieces == (size > 0 ? 1 : 0));
            else if (size == 1001) {
                CHECK(largest == 77);  // of 143 units a twelfth
                CHECK(last == 7);
            }
        }
    }
}

TEST_CASE("shared pieces allocate nothing from the second time on, whichever thread takes which") {
    team two(cpu{.threads = 2});
    workspace ws;
    const auto here = std::this_thread::get_id();
    // Each piece waits for the other, so each thread has one of them; much work falls to one thread, then to the other.
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

TEST_CASE("a shared piece gives back what it took, on one thread too") {
    workspace ws;
    const auto kept = ws.take<double>(10);
    share(nullptr, 100, 1, ws, [&](index_t, index_t, workspace& own) { (void)own.take<double>(1000); });
    CHECK(ws.take<double>(1).data() == kept.data() + 16);  // behind two cache lines
    CHECK(ws.capacity() == std::size_t{1} << 16);
}
