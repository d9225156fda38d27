#pragma once

#include <hrm/cuda/detail/tile_scan.hpp>

namespace hrm::detail {

/// Z = U B^T of a tile of tokens, and the recurrence inside the tile while Z is in shared memory. u is read once.
///     a block: 16 WR tokens, all Padded states.   Warps: WR rows of tiles x WK shares of every stage's columns.
/// Three stages of 128 bytes of every row of U and B are on their way at once; the shares of Z are added in their order.
template <class Tiles, int Padded, int WR, int WK>
struct down_tile {
    using T = typename Tiles::T;
    static constexpr int warps = WR * WK, threads = 32 * warps, rows = 16 * WR, across = Padded / 16;
    static constexpr int depth = 128 / static_cast<int>(sizeof(T)), stride = depth + fetched<T>, stages = 3;
    static constexpr int stage = (rows + Padded) * stride, z_stride = Padded + 4;
    static_assert(depth / 16 % WK == 0);

    tile_cut cut;
    index_t inputs;
    const float* poles;
    rows_of<const T> u, b;  ///< batch * time x inputs;  padded x inputs
    rows_of<float> local;   ///< batch * time x padded
    rows_of<float> ends;    ///< batch * tiles x padded

    index_t count() const { return cut.count(); }
    static constexpr index_t shared_bytes() {
        constexpr index_t operands = stages * stage * static_cast<index_t>(sizeof(T)), z = WK * rows * z_stride * static_cast<index_t>(sizeof(float));
        return operands > z ? operands : z;
    }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t tile = block.index, first = cut.row(tile), live = cut.rows(tile % cut.tiles());
        T* const operands = reinterpret_cast<T*>(block.shared);
        const auto ask = [&](index_t step) {  // of U and B the columns from step * depth on
            const index_t j = step * depth;
            T* const to = operands + step % stages * stage;
            block.threads([&](int thread) {
                if (j < inputs) {
                    fetch_tile<rows, depth, threads>(block, thread, to, stride, u.data + first * u.stride + j, u.stride, live, inputs - j);
                    fetch_tile<Padded, depth, threads>(block, thread, to + rows * stride, stride, b.data + j, b.stride, Padded, inputs - j);
                }
                block.commit(thread);
            });
        };
        struct strip {
            typename Tiles::sum z[across];
        };
        typename Block::template per_warp<strip, warps> sums;
        block.warps([&](int warp) {
            for (auto& z : sums.at(warp).z) Tiles::clear(z);
        });
        for (int s = 0; s < stages - 1; ++s) ask(s);
        for (index_t step = 0; step * depth < inputs; ++step) {
            block.template wait<stages - 2>();
            block.sync();  // the stage is there for all, and all have left the one before, which is asked for again
            ask(step + stages - 1);
            const T* const from = operands + step % stages * stage;
            block.warps([&](int warp) {
                const int row = warp % WR * 16;
                for (int k = warp / WR * 16; k < depth; k += 16 * WK)
                    Tiles::template add<false, true>(sums.at(warp).z, from + row * stride + k, stride, from + rows * stride + k, stride, 16 * stride);
            });
        }
        block.template wait<0>();
        block.sync();

        float* const z = reinterpret_cast<float*>(block.shared);
        block.warps([&](int warp) {
            float* const to = z + (warp / WR * rows + warp % WR * 16) * z_stride;
            for (int j = 0; j < across; ++j) Tiles::store(sums.at(warp).z[j], to + 16 * j, z_stride);
        });
        block.sync();
        if constexpr (WK > 1) {
            block.threads([&](int thread) {
                for (int i = thread; i < rows * z_stride; i += threads)
                    for (int part = 1; part < WK; ++part) z[i] += z[part * rows * z_stride + i];
            });
            block.sync();
        }
        scan_tile(block, cut, poles, z, z_stride, threads, live, &ends(tile, 0));
        block.sync();
        block.threads([&](int thread) {
            for (int i = thread; i < rows * Padded; i += threads)
                if (i / Padded < live) local(first + i / Padded, i % Padded) = z[i / Padded * z_stride + i % Padded];
        });
    }
};

}  // namespace hrm::detail
