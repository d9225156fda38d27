#pragma once

#include <hrm/cuda/detail/tiles.hpp>

namespace hrm::detail {

/// Y += X W of a tile of tokens and outputs, the sum with Y in float, rounded once. Y is read and written once.
///     x: tokens x Padded.   turned: w is outputs x Padded (C), else Padded x outputs (B)
///     a block: 64 tokens x 128 outputs;  warps: 4 x 2, 16 x 64 each
template <class Tiles, int Padded, bool turned>
struct up_tile {
    using T = typename Tiles::T;
    static constexpr int warps = 8, threads = 32 * warps, rows = 64, cols = 128, each = 4;
    static constexpr int x_stride = Padded + fetched<T>, w_rows = turned ? cols : Padded, w_cols = turned ? Padded : cols;
    static constexpr int w_stride = w_cols + fetched<T>, sum_stride = cols + 4;

    index_t tokens, outputs;
    rows_of<const T> x, w;
    rows_of<T> y;

    HRM_BOTH index_t across() const { return (outputs + cols - 1) / cols; }
    index_t count() const { return (tokens + rows - 1) / rows * across(); }
    static constexpr index_t operands = (rows * x_stride + w_rows * w_stride + rows * cols) * static_cast<index_t>(sizeof(T));
    static constexpr index_t shared_bytes() { return operands + rows * sum_stride * static_cast<index_t>(sizeof(float)); }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t i0 = block.index / across() * rows, j0 = block.index % across() * cols;
        const index_t live = tokens - i0 < rows ? tokens - i0 : rows, wide = outputs - j0 < cols ? outputs - j0 : cols;
        T *const xs = reinterpret_cast<T*>(block.shared), *const ws = xs + rows * x_stride, *const ys = ws + w_rows * w_stride;
        float* const sums = reinterpret_cast<float*>(block.shared + operands);
        block.threads([&](int thread) {
            fetch_tile<rows, Padded, threads>(block, thread, xs, x_stride, x.data + i0 * x.stride, x.stride, live, Padded);
            if constexpr (turned) fetch_tile<w_rows, w_cols, threads>(block, thread, ws, w_stride, w.data + j0 * w.stride, w.stride, wide, Padded);
            else fetch_tile<w_rows, w_cols, threads>(block, thread, ws, w_stride, w.data + j0, w.stride, Padded, wide);
            block.commit(thread);
            fetch_tile<rows, cols, threads>(block, thread, ys, cols, y.data + i0 * y.stride + j0, y.stride, live, wide);
            block.commit(thread);
        });
        block.template wait<1>();
        block.sync();
        block.warps([&](int warp) {
            const int row = warp % 4 * 16, col = warp / 4 * 64;
            typename Tiles::sum s[each];
            for (auto& x_ : s) Tiles::clear(x_);
            for (int k = 0; k < Padded; k += 16) {
                const T* const from = turned ? ws + col * w_stride + k : ws + k * w_stride + col;
                Tiles::template add<false, turned>(s, xs + row * x_stride + k, x_stride, from, w_stride, turned ? 16 * w_stride : 16);
            }
            for (int j = 0; j < each; ++j) Tiles::store(s[j], sums + row * sum_stride + col + 16 * j, sum_stride);
        });
        block.template wait<0>();
        block.sync();
        block.threads([&](int thread) {
            constexpr int vectors = cols / fetched<T>;
            for (int v = thread; v < rows * vectors; v += threads) {
                const int i = v / vectors, j = v % vectors * fetched<T>;
                if (i >= live || j >= wide) continue;
                vector_of<T> to = *reinterpret_cast<const vector_of<T>*>(ys + i * cols + j);
                for (int q = 0; q < fetched<T>; ++q) to.at[q] = T(static_cast<float>(to.at[q]) + sums[i * sum_stride + j + q]);
                *reinterpret_cast<vector_of<T>*>(y.data + (i0 + i) * y.stride + j0 + j) = to;
            }
        });
    }
};

}  // namespace hrm::detail
