#pragma once

#include <hrm/cuda/detail/tiles.hpp>

namespace hrm::detail {

/// One reading of X (tokens x columns) for both sums that a backward asks of it:
///     M += X^T S        over a range of tokens, kept in registers to its end      m: ranges x (whole slabs of columns) x Padded
///     G  = X C          where `gather`, a slab's share                            g: slabs x tokens x Padded
///     a block: a slab of columns and a range of tokens, 32 at a time, the next 32 on their way.
///     Warps: for M 16 `each` columns of the slab; for G one 16 x 16 tile and a share of the slab's columns.
/// What slabs and ranges hold is added afterwards, in their order.
template <class Tiles, int Padded, bool gather>
struct across_tile {
    using T = typename Tiles::T;
    static constexpr int warps = 8, threads = 32 * warps, step = 32, each = sizeof(T) == 2 ? 4 : 2, slab = 16 * each * warps;
    static constexpr int across = Padded / 16, pieces = step / 16 * across, parts = warps / pieces;
    static constexpr int x_stride = slab + fetched<T>, s_stride = Padded + fetched<T>, g_stride = Padded + 4;
    static constexpr int stage = step * (x_stride + s_stride), c_size = gather ? slab * s_stride : 0;

    index_t tokens, columns, ranges;
    rows_of<const T> x, s, c;  ///< tokens x columns;  tokens x Padded;  columns x Padded
    float *m, *g;

    HRM_BOTH index_t slabs() const { return (columns + slab - 1) / slab; }
    HRM_BOTH index_t range() const { return ((tokens + ranges - 1) / ranges + step - 1) / step * step; }
    index_t count() const { return slabs() * ranges; }
    static constexpr index_t operands = (2 * stage + c_size) * static_cast<index_t>(sizeof(T));
    static constexpr index_t shared_bytes() { return operands + (gather ? parts * step * g_stride * static_cast<index_t>(sizeof(float)) : 0); }

    /// So many that slabs times ranges fill a GPU; by the extents alone.
    static index_t ranges_for(index_t tokens, index_t columns) {
        const index_t most = (tokens + step - 1) / step, wanted = 128 / ((columns + slab - 1) / slab);
        return wanted < 1 ? 1 : wanted < most ? wanted : most < 1 ? 1 : most;
    }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t j0 = block.index % slabs() * slab, at = block.index / slabs();
        const index_t begin = at * range(), end = begin + range() < tokens ? begin + range() : tokens, wide = columns - j0 < slab ? columns - j0 : slab;
        T *const operand = reinterpret_cast<T*>(block.shared), *const cs = operand + 2 * stage;
        float* const gs = reinterpret_cast<float*>(block.shared + operands);
        const auto ask = [&](index_t t, index_t n) {
            T* const to = operand + n % 2 * stage;
            block.threads([&](int thread) {
                if (t < end) {
                    fetch_tile<step, slab, threads>(block, thread, to, x_stride, x.data + t * x.stride + j0, x.stride, end - t, wide);
                    fetch_tile<step, Padded, threads>(block, thread, to + step * x_stride, s_stride, s.data + t * s.stride, s.stride, end - t, Padded);
                }
                block.commit(thread);
            });
        };
        struct sums {
            typename Tiles::sum m[each][across];
        };
        typename Block::template per_warp<sums, warps> kept;
        block.warps([&](int warp) {
            for (auto& row : kept.at(warp).m)
                for (auto& one : row) Tiles::clear(one);
        });
        if constexpr (gather)
            block.threads([&](int thread) { fetch_tile<slab, Padded, threads>(block, thread, cs, s_stride, c.data + j0 * c.stride, c.stride, wide, Padded); });
        ask(begin, 0);
        for (index_t t = begin, n = 0; t < end; t += step, ++n) {
            block.template wait<0>();
            block.sync();  // these tokens are there for all, and all have left those before
            ask(t + step, n + 1);
            const T *const xs = operand + n % 2 * stage, *const ss = xs + step * x_stride;
            block.warps([&](int warp) {
                for (int i = 0; i < each; ++i)
                    for (int k = 0; k < step; k += 16)
                        Tiles::template add<true, false>(kept.at(warp).m[i], xs + k * x_stride + (warp * each + i) * 16, x_stride, ss + k * s_stride, s_stride, 16);
                if constexpr (gather) {
                    typename Tiles::sum part[1];
                    Tiles::clear(part[0]);
                    const int row = warp % pieces % 2 * 16, col = warp % pieces / 2 * 16, share = warp / pieces;
                    for (int k = share * (slab / parts); k < (share + 1) * (slab / parts); k += 16)
                        Tiles::template add<false, false>(part, xs + row * x_stride + k, x_stride, cs + k * s_stride + col, s_stride, 0);
                    Tiles::store(part[0], gs + (share * step + row) * g_stride + col, g_stride);
                }
            });
            if constexpr (gather) {
                block.sync();
                block.threads([&](int thread) {
                    float* const to = g + (j0 / slab * tokens + t) * Padded;
                    for (int i = thread; i < step * Padded; i += threads) {
                        const int row = i / Padded, col = i % Padded;
                        float sum = 0;
                        for (int p = 0; p < parts; ++p) sum += gs[(p * step + row) * g_stride + col];
                        if (t + row < end) to[i] = sum;
                    }
                });
            }
        }
        block.template wait<0>();
        block.warps([&](int warp) {
            for (int i = 0; i < each; ++i)
                for (int j = 0; j < across; ++j)
                    Tiles::store(kept.at(warp).m[i][j], m + (at * slabs() * slab + j0 + (warp * each + i) * 16) * Padded + 16 * j, Padded);
        });
    }
};

/// The ranges of M added in their order: to(column, state), or turned.
struct add_ranges {
    const float* m;
    rows_of<float> to;
    index_t columns, states, padded, ranges, apart;  ///< apart: numbers from range to range
    bool turned;
    index_t count() const { return columns * states; }
    HRM_BOTH void operator()(index_t i) const {
        const index_t column = i / states, state = i % states;
        float sum = 0;
        for (index_t r = 0; r < ranges; ++r) sum += m[r * apart + column * padded + state];
        (turned ? to(state, column) : to(column, state)) = sum;
    }
};

}  // namespace hrm::detail
