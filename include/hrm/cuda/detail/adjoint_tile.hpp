#pragma once

#include <hrm/cuda/detail/tile_scan.hpp>

namespace hrm::detail {

/// dL/ds of a tile of tokens from the slabs' shares, then the adjoint recurrence inside the tile.
template <int Padded>
struct gather_adjoint {
    static constexpr int threads = 256, z_stride = Padded + 1;
    tile_cut cut;  ///< adjoint
    index_t slabs;
    const float* poles;
    const float* g;                ///< slabs x batch * time x Padded
    rows_of<const float> dfinal;   ///< batch x dynamic, or null
    rows_of<float> local, ends;

    index_t count() const { return cut.count(); }
    static constexpr index_t shared_bytes() { return longest_tile * z_stride * static_cast<index_t>(sizeof(float)); }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t tile = block.index, first = cut.row(tile), live = cut.rows(tile % cut.tiles()), all = cut.batch * cut.time;
        float* const z = reinterpret_cast<float*>(block.shared);
        block.threads([&](int thread) {
            for (index_t i = thread; i < live * Padded; i += threads) {
                const index_t t = i / Padded, j = i % Padded, sequence = tile / cut.tiles();
                float sum = 0;
                for (index_t s = 0; s < slabs; ++s) sum += g[(s * all + first) * Padded + i];
                const bool end = first + t == (sequence + 1) * cut.time - 1 && j >= cut.fixed && j < cut.states();
                if (end && dfinal) sum += dfinal(sequence, j - cut.fixed);
                z[t * z_stride + j] = sum;
            }
        });
        block.sync();
        scan_tile(block, cut, poles, z, z_stride, threads, live, &ends(tile, 0));
        block.sync();
        block.threads([&](int thread) {
            for (index_t i = thread; i < live * Padded; i += threads) local(first + i / Padded, i % Padded) = z[i / Padded * z_stride + i % Padded];
        });
    }
};

/// lambda of a tile in T, for the products that follow, and the tile's share of dA = sum lambda_t conj s_{t-1}.
template <storable T>
struct spread_adjoint {
    static constexpr int threads = 256, most = 64;
    tile_cut cut;  ///< adjoint
    carried_on on;
    rows_of<const float> local, states, initial;  ///< rows x padded, rows x n, batch x dynamic or null
    rows_of<T> lambda;                            ///< rows x padded
    rows_of<double> da;                           ///< tiles x dynamic

    index_t count() const { return cut.count(); }
    static constexpr index_t shared_bytes() { return threads * static_cast<index_t>(sizeof(tile_planar)); }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t tile = block.index, sequence = tile / cut.tiles(), first = cut.row(tile), live = cut.rows(tile % cut.tiles());
        tile_planar* const shared = reinterpret_cast<tile_planar*>(block.shared);
        const auto width = static_cast<int>(cut.padded), height = threads / width;
        block.threads([&](int thread) {  // thread: a column of every height-th row; pairs are their real column's
            const index_t j = thread % width, k = j - cut.fixed;
            tile_planar sum{0, 0};
            if (thread / width < height)
                for (index_t t = thread / width; t < live; t += height) {
                    const index_t row = first + t, back = live - 1 - t;
                    const float l = on(local(row, j), tile, back, j);
                    lambda(row, j) = T(l);
                    if (k < 0 || k >= cut.modes()) continue;
                    const bool pair = k >= cut.reals;
                    const bool begins = row == sequence * cut.time;
                    const auto before = [&](index_t column) {
                        if (!begins) return static_cast<double>(states(row - 1, column));
                        return initial ? static_cast<double>(initial(sequence, column - cut.fixed)) : 0.0;
                    };
                    const double x = static_cast<double>(l), sx = before(j);
                    sum.re += x * sx;
                    if (!pair) continue;
                    const double y = static_cast<double>(on(local(row, j + cut.pairs), tile, back, j + cut.pairs)), sy = before(j + cut.pairs);
                    sum.re += y * sy;
                    sum.im += y * sx - x * sy;
                }
            shared[thread] = sum;
        });
        block.sync();
        block.threads([&](int thread) {
            if (thread >= cut.modes()) return;
            tile_planar sum{0, 0};
            for (int h = 0; h < height; ++h) {
                const tile_planar part = shared[h * width + cut.fixed + thread];
                sum.re += part.re, sum.im += part.im;
            }
            da(tile, thread) = sum.re;
            if (thread >= cut.reals) da(tile, thread + cut.pairs) = sum.im;
        });
    }
};

}  // namespace hrm::detail
