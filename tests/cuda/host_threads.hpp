#pragma once

#include <barrier>
#include <thread>

#include <cuda/host_tiles.hpp>

namespace cuda_test {

/// One of a block's threads, all of which run at once: nothing but a barrier orders what they do. Where one is missing, a
/// thread runs ahead into what others have not written yet, and ThreadSanitizer (-fsanitize=thread) names both places.
struct running_thread {
    index_t index;
    std::byte* shared;
    int thread;
    std::barrier<>* all;
    mutable fetch_queue queue = {};

    template <class X, int>
    struct per_warp {
        X x;
        X& at(int) { return x; }
    };
    void sync() const { all->arrive_and_wait(); }
    template <class F>
    void threads(const F& f) const {
        f(thread);
    }
    template <class F>
    void each(const F& f) const {
        f(thread);
        sync();
    }
    /// The first thread of a warp does the work of its lanes.
    template <class F>
    void warps(const F& f) const {
        if (thread % 32 == 0) f(thread / 32);
    }
    void fetch(void* to, const void* from, int bytes) const { queue.fetch(to, from, bytes); }
    void commit(int) const { queue.commit(); }
    template <int n>
    void wait() const {
        queue.wait(n);
    }
};

/// The host as a device that runs the threads of a block at once, the blocks one after the other, the last one first.
struct threaded_host : host_products {
    bool late = true;

    template <class F>
    void launch_blocks(index_t count, index_t shared_bytes, const F& f) const {
        rooms memory{1, shared_bytes};
        run<F>(count, memory, true, [&](const running_thread& t) { f(t); });
    }
    template <class F>
    void launch_tiles(const F& f) const {
        rooms memory{1, F::shared_bytes()};
        run<F>(f.count(), memory, true, [&](const running_thread& t) { f(t); });
    }
    template <class F>
    void launch_together(index_t count, index_t shared_bytes, const F& f, int*) const {
        rooms memory{count, shared_bytes};
        run<F>(count, memory, true, [&](const running_thread& t) { f.before(t); });
        run<F>(count, memory, false, [&](const running_thread& t) { f.after(t); });
    }

private:
    /// Shared memory of one block, or of each.
    struct rooms {
        index_t count, bytes, apart = (bytes + 63) / 64 * 64;
        std::vector<std::byte> memory = std::vector<std::byte>(static_cast<std::size_t>(count * apart + 64));
        std::byte* of(index_t block) {
            return memory.data() + (64 - reinterpret_cast<std::size_t>(memory.data()) % 64) + block % count * apart;
        }
    };
    template <class F, class Body>
    void run(index_t count, rooms& memory, bool poison, const Body& body) const {
        std::barrier<> all(F::threads);
        std::vector<std::jthread> team;
        for (int thread = 0; thread < F::threads; ++thread)
            team.emplace_back([&, thread] {
                for (index_t b = count; b-- > 0;) {
                    std::byte* const shared = memory.of(b);
                    if (thread == 0 && poison) std::memset(shared, 0xff, static_cast<std::size_t>(memory.bytes));
                    all.arrive_and_wait();
                    body(running_thread{b, shared, thread, &all, {late}});
                    all.arrive_and_wait();
                }
            });
    }
};

}  // namespace cuda_test
