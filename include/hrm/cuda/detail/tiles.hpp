#pragma once

#include <cmath>

#include <hrm/cuda/detail/twin.hpp>

// Products by tiles in shared memory, the schedule the same on host and device. A kernel is a function of a Block with
//     threads(f), warps(f)         f(thread), f(warp) for all of them, nobody waiting        sync()   all wait for all
//     fetch(to, from, bytes)       16 bytes of shared memory from memory, zeros after the first `bytes`; on its way until
//     commit(), wait<n>()          closes a group of fetches; waits for this thread's groups but the last n
//     per_warp<X>                  an X that every warp has for itself: at(warp)
// and of Tiles, which multiply 16 x 16 tiles by a warp: sums in float,
//     clear(sum),  store(sum, to, stride)
//     add<turn_a, turn_b>(sums, a, a_stride, b, b_stride, step)    sums[j] += A B_j,  B_j at b + j * step
// with A(i, k) at a[i * a_stride + k], turned a[k * a_stride + i]; B(k, j) at b[k * b_stride + j], turned b[j * b_stride + k].

namespace hrm::detail {

/// Numbers of 16 bytes, the unit of a fetch; shared rows are one longer than they must be, against bank conflicts.
template <storable T>
inline constexpr int fetched = 16 / static_cast<int>(sizeof(T));

/// So many numbers at once.
template <storable T>
struct alignas(16) vector_of {
    T at[fetched<T>];
};

/// A Rows x Cols piece of a matrix into shared memory; what lies outside its `rows` x `cols` becomes zero. cols, m's stride and
/// its place in memory are multiples of a fetch.
template <int Rows, int Cols, int Threads, storable T, class Block>
HRM_BOTH void fetch_tile(const Block& block, int thread, T* to, int stride, const T* from, index_t from_stride, index_t rows, index_t cols) {
    constexpr int across = Cols / fetched<T>;
    static_assert(Cols % fetched<T> == 0);
    for (int v = thread; v < Rows * across; v += Threads) {
        const int i = v / across, j = v % across * fetched<T>;
        const bool inside = i < rows && j < cols;
        block.fetch(to + i * stride + j, inside ? from + i * from_stride + j : from, inside ? 16 : 0);
    }
}

/// Tiles by fused multiply-adds: a lane keeps 2 x 4 of the 16 x 16 sums. Lanes says which a thread stands for.
template <storable T_, class Lanes>
struct fma_tiles {
    using T = T_;
    struct sum {
        float x[Lanes::held][2][4];
    };
    HRM_BOTH static void clear(sum& s) {
        for (auto& lane : s.x)
            for (auto& row : lane)
                for (float& x : row) x = 0;
    }
    template <bool turn_a, bool turn_b, int N>
    HRM_BOTH static void add(sum (&s)[N], const T* a, int a_stride, const T* b, int b_stride, int step) {
        Lanes::each([&](int lane, int at) {
            const int row = lane / 4 * 2, col = lane % 4 * 4;
            for (int k = 0; k < 16; ++k) {
                float x[2];
                for (int i = 0; i < 2; ++i) x[i] = static_cast<float>(turn_a ? a[k * a_stride + row + i] : a[(row + i) * a_stride + k]);
                for (int j = 0; j < N; ++j)
                    for (int q = 0; q < 4; ++q) {
                        const T* from = b + j * step;
                        const float y = static_cast<float>(turn_b ? from[(col + q) * b_stride + k] : from[k * b_stride + col + q]);
                        for (int i = 0; i < 2; ++i) s[j].x[at][i][q] = std::fma(x[i], y, s[j].x[at][i][q]);
                    }
            }
        });
    }
    HRM_BOTH static void store(const sum& s, float* to, int stride) {
        Lanes::each([&](int lane, int at) {
            for (int i = 0; i < 2; ++i)
                for (int q = 0; q < 4; ++q) to[(lane / 4 * 2 + i) * stride + lane % 4 * 4 + q] = s.x[at][i][q];
        });
    }
};

/// re + i im in double, and its powers.
struct tile_planar {
    double re = 1, im = 0;
    HRM_BOTH tile_planar operator*(tile_planar o) const { return {re * o.re - im * o.im, re * o.im + im * o.re}; }
};
HRM_BOTH inline tile_planar raised(tile_planar a, index_t exponent) {
    const auto p = power(a.re, a.im, exponent);
    return {p.re.high, p.im.high};
}

}  // namespace hrm::detail
