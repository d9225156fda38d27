#pragma once

#include <array>
#include <deque>

#include <cuda/host_products.hpp>
#include <hrm/cuda/detail/tiles.hpp>

namespace cuda_test {

/// Sums of 16 x 16 tiles by the definition, what a tensor core does up to the order of its sums.
template <storable T_>
struct plain_tiles {
    using T = T_;
    struct sum {
        float x[16][16];
    };
    static void clear(sum& s) {
        for (auto& row : s.x)
            for (float& x : row) x = 0;
    }
    template <bool turn_a, bool turn_b, int N>
    static void add(sum (&s)[N], const T* a, int a_stride, const T* b, int b_stride, int step) {
        for (int n = 0; n < N; ++n)
            for (int i = 0; i < 16; ++i)
                for (int j = 0; j < 16; ++j)
                    for (int k = 0; k < 16; ++k) {
                        const T x = turn_a ? a[k * a_stride + i] : a[i * a_stride + k];
                        const T y = turn_b ? b[n * step + j * b_stride + k] : b[n * step + k * b_stride + j];
                        s[n].x[i][j] += static_cast<float>(x) * static_cast<float>(y);
                    }
    }
    static void store(const sum& s, float* to, int stride) {
        for (int i = 0; i < 16; ++i)
            for (int j = 0; j < 16; ++j) to[i * stride + j] = s.x[i][j];
    }
};
struct host_lanes {
    static constexpr int held = 32;
    template <class F>
    static void each(const F& f) {
        for (int lane = held; lane-- > 0;) f(lane, lane);
    }
};

/// What a thread has asked for. Fetches arrive as late as a wait allows, or at once: what reads too early or overwrites too
/// early differs in one of the two.
struct fetch_queue {
    struct copy {
        void* to;
        const void* from;
        int bytes;
    };
    bool late = true;
    std::vector<copy> open = {};  ///< since the last commit
    std::deque<std::vector<copy>> groups = {};

    void fetch(void* to, const void* from, int bytes) {
        const copy c{to, from, bytes};
        if (late) open.push_back(c);
        else run(c);
    }
    void commit() {
        groups.push_back(std::move(open));
        open.clear();
    }
    void wait(std::size_t n) {
        for (; groups.size() > n; groups.pop_front())
            for (const auto& c : groups.front()) run(c);
    }

private:
    static void run(const copy& c) {
        std::memset(c.to, 0, 16);
        std::memcpy(c.to, c.from, static_cast<std::size_t>(c.bytes));
    }
};

/// A block whose threads and warps run one after the other, the last one first.
struct host_tile_block : host_block {
    mutable std::vector<fetch_queue> queues;

    host_tile_block(index_t i, std::byte* memory, int count, bool late) : host_block{i, memory, count}, queues(static_cast<std::size_t>(count), fetch_queue{late}) {}

    template <class X, int warps>
    struct per_warp {
        std::array<X, warps> x;
        X& at(int warp) { return x[static_cast<std::size_t>(warp)]; }
    };
    template <class F>
    void threads(const F& f) const {
        for (now = host_block::threads; now-- > 0;) f(now);
    }
    template <class F>
    void warps(const F& f) const {
        for (int i = host_block::threads / 32; i-- > 0;) f(i);
    }
    void sync() const {}
    void fetch(void* to, const void* from, int bytes) const { queues[static_cast<std::size_t>(now)].fetch(to, from, bytes); }
    void commit(int thread) const { queues[static_cast<std::size_t>(thread)].commit(); }
    template <int n>
    void wait() const {
        for (auto& mine : queues) mine.wait(n);
    }

private:
    mutable int now = 0;
};

/// The host as a device that runs tiles, shared memory poisoned with NaN.
struct host_tiler : host_products {
    bool late = true;
    template <class F>
    void launch_tiles(const F& f) const {
        hrm::require_size("host_tiler", "shared memory", std::min<index_t>(F::shared_bytes(), 160 * 1024), F::shared_bytes());
        std::vector<std::byte> shared(static_cast<std::size_t>(F::shared_bytes()) + 64);
        std::byte* const aligned = shared.data() + (64 - reinterpret_cast<std::size_t>(shared.data()) % 64);
        for (index_t b = f.count(); b-- > 0;) {
            std::memset(aligned, 0xff, static_cast<std::size_t>(F::shared_bytes()));
            f(host_tile_block(b, aligned, F::threads, late));
        }
    }
};

}  // namespace cuda_test
