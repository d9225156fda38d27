#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <hrm/cuda/detail/adapter_steps.hpp>
#include <hrm/cuda/detail/tiles.hpp>

// One token of every sequence of a batch by one launch, which reads B and C once:
//     before the barrier   block g: z_g = B u over its columns               B's share of the block, 16 bytes a thread
//     barrier              all blocks wait for all
//     after                z = sum_g z_g in the order of g,  x' = A x + z,  y += C x' for the block's outputs
// Every block forms all of x' (n numbers a sequence); block 0 writes it. x is read before the barrier and written after it.

namespace hrm::detail {

template <storable T>
struct decode_step {
    using S = accumulate_t<T>;
    static constexpr int threads = 256;
    static constexpr index_t group = 8;  ///< sequences whose sums a thread holds at once
    static constexpr index_t wide = fetched<T>;

    index_t inputs, outputs, fixed, reals, pairs, stride, batch, blocks;
    const T *b, *c;              ///< states x inputs;  outputs x states, rows `stride` apart
    const S* poles;              ///< [real | re | im]
    rows_of<const T> u;          ///< batch x inputs
    rows_of<T> out;              ///< batch x outputs
    rows_of<S> state;            ///< batch x dynamic
    S* partial;                  ///< blocks x batch x states

    HRM_BOTH index_t dynamic() const { return reals + 2 * pairs; }
    HRM_BOTH index_t states() const { return fixed + dynamic(); }
    /// A block's slice of `count` columns or rows, whole vectors of columns.
    HRM_BOTH index_t share(index_t count) const { return ((count + blocks - 1) / blocks + wide - 1) / wide * wide; }
    HRM_BOTH index_t first(index_t count, index_t block) const { return block * share(count) < count ? block * share(count) : count; }
    /// Threads that share a row of a product: those its vectors ask for, at most a warp.
    HRM_BOTH static int together(index_t cols) {
        int t = 1;
        while (t < 32 && t * wide < cols) t *= 2;
        return t;
    }
    /// Shared memory: u's slice or x', x before, and the sums of threads.
    HRM_BOTH index_t room() const { return batch * (share(inputs) > states() ? share(inputs) : states()); }
    index_t shared_bytes() const {
        return (room() + batch * dynamic() + threads * group) * static_cast<index_t>(sizeof(S));
    }
    template <class Block>
    HRM_BOTH S* operands(const Block& block) const { return reinterpret_cast<S*>(block.shared); }
    template <class Block>
    HRM_BOTH S* earlier(const Block& block) const { return operands(block) + room(); }
    template <class Block>
    HRM_BOTH S* sums(const Block& block) const { return earlier(block) + batch * dynamic(); }

    /// done(row, sequence, <m_row, x_sequence>) for rows [0, rows) of m and all sequences; x: batch rows of `cols`, `apart` apart.
    template <class Block, class F>
    HRM_BOTH void products(const Block& block, const T* m, index_t rows, index_t cols, index_t m_stride, const S* x, index_t apart, const F& done) const {
        const int team = together(cols), height = threads / team;
        const bool whole = m_stride % wide == 0 && reinterpret_cast<std::size_t>(m) % 16 == 0;
        S* const sum = sums(block);
        for (index_t r0 = 0; r0 < rows; r0 += height)
            for (index_t b0 = 0; b0 < batch; b0 += group) {
                const index_t count = batch - b0 < group ? batch - b0 : group;
                block.each([&](int thread) {
                    const index_t row = r0 + thread / team;
                    S part[group] = {};
                    for (index_t j = thread % team * wide; row < rows && j < cols; j += team * wide) {
                        vector_of<T> v;
                        const T* from = m + row * m_stride + j;
                        if (whole && j + wide <= cols) v = *reinterpret_cast<const vector_of<T>*>(from);
                        else
                            for (int k = 0; k < wide; ++k) v.at[k] = j + k < cols ? from[k] : T(S{0});
                        for (index_t s = 0; s < group; ++s)
                            for (int k = 0; k < wide; ++k)
                                if (s < count && j + k < cols) part[s] = std::fma(static_cast<S>(v.at[k]), x[(b0 + s) * apart + j + k], part[s]);
                    }
                    for (index_t s = 0; s < group; ++s) sum[s * threads + thread] = part[s];
                });
                block.each([&](int thread) {
                    for (index_t i = thread; i < height * count; i += threads) {
                        const index_t row = i % height, s = i / height;
                        S total = 0;
                        for (int k = 0; k < team; ++k) total += sum[s * threads + row * team + k];
                        if (r0 + row < rows) done(r0 + row, b0 + s, total);
                    }
                });
            }
    }

    template <class Block>
    HRM_BOTH void before(const Block& block) const {
        const index_t from = first(inputs, block.index), cols = first(inputs, block.index + 1) - from;
        S* const x = operands(block);
        block.each([&](int thread) {
            for (index_t i = thread; i < batch * cols; i += threads) x[i] = static_cast<S>(u(i / cols, from + i % cols));
            for (index_t i = thread; i < batch * dynamic(); i += threads) earlier(block)[i] = state(i / dynamic(), i % dynamic());
        });
        products(block, b + from, states(), cols, inputs, x, cols, [&](index_t row, index_t s, S total) {
            partial[(block.index * batch + s) * states() + row] = total;
        });
    }

    /// State i of a sequence after this token.
    template <class Block>
    HRM_BOTH S next(const Block& block, index_t s, index_t i) const {
        double z = 0;
        for (index_t g = 0; g < blocks; ++g) z += static_cast<double>(partial[(g * batch + s) * states() + i]);
        if (i < fixed) return static_cast<S>(z);
        const index_t k = i - fixed;
        const S* const x = earlier(block) + s * dynamic();
        const auto number = [](S a) { return static_cast<double>(a); };
        if (k < reals) return static_cast<S>(std::fma(number(poles[k]), number(x[k]), z));
        const bool imaginary = k >= reals + pairs;
        const index_t p = imaginary ? k - pairs : k;  // the pair's real half
        const double re = number(poles[p]), im = number(poles[p + pairs]);
        const double twist = imaginary ? im * number(x[p]) : -im * number(x[p + pairs]);
        return static_cast<S>(std::fma(re, number(x[k]), twist + z));
    }
    template <class Block>
    HRM_BOTH void after(const Block& block) const {
        S* const x = operands(block);
        block.each([&](int thread) {
            for (index_t i = thread; i < batch * states(); i += threads) {
                const index_t s = i / states(), j = i % states();
                x[i] = next(block, s, j);
                if (block.index == 0 && j >= fixed) state(s, j - fixed) = x[i];
            }
        });
        const index_t from = first(outputs, block.index), rows = first(outputs, block.index + 1) - from;
        products(block, c + from * stride, rows, states(), stride, x, states(), [&](index_t row, index_t s, S total) {
            out(s, from + row) = T(static_cast<S>(out(s, from + row)) + total);
        });
    }
};

/// The step of an adapter for up to `batch` sequences: `most` of them a launch, as many as shared memory holds.
template <storable T, class Device>
class decode_plan {
public:
    using S = accumulate_t<T>;
    decode_plan(Device device, const adapter_layout& l, index_t batch)
        : device_(device), layout_(l), batch_(batch), blocks_(blocks_for(device, l)), most_(std::min(batch, fitting(l, blocks_))),
          partial_(device, blocks_ * most_ * l.states()), arrived_(device, 1) {
        device_.launch(1, fill_zero<int>{arrived_.data()});
    }

    /// x = A x + B u,  out += C x.  u: batch x inputs, out: batch x outputs, state: batch x dynamic.
    template <class Weights>
    void run(const Weights& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<S> state) {
        const auto& l = w.layout();
        if (!w.ready()) throw error("hrm::adapter_step: the weights were never set");
        require_shape("hrm::adapter_step", "C", l.outputs, l.states(), layout_.outputs, layout_.states());
        require_shape("hrm::adapter_step", "B", l.dynamic(), l.inputs, layout_.dynamic(), layout_.inputs);
        require_shape("hrm::adapter_step", "u", u.rows, u.cols, batch_, l.inputs);
        require_shape("hrm::adapter_step", "out", out.rows, out.cols, batch_, l.outputs);
        require_shape("hrm::adapter_step", "state", state.rows, state.cols, batch_, l.dynamic());
        if (l.states() == 0) return;
        for (index_t s = 0; s < batch_; s += most_) {
            const index_t count = std::min(most_, batch_ - s);
            auto f = step(l, count, blocks_);
            f.b = w.b().data, f.c = w.c().data, f.poles = w.poles();
            f.u = u.slice_rows(s, count), f.out = out.slice_rows(s, count), f.state = state.slice_rows(s, count);
            f.partial = partial_.data();
            device_.launch_together(f.blocks, f.shared_bytes(), f, arrived_.data());
        }
    }
    index_t batch() const { return batch_; }

private:
    static decode_step<T> step(const adapter_layout& l, index_t batch, index_t blocks) {
        return {l.inputs, l.outputs, l.fixed, l.reals, l.pairs, l.padded(), batch, blocks, nullptr, nullptr, nullptr, {}, {}, {}, nullptr};
    }
    /// Columns of about a cache line a block. A power of two, of which 2^32 is a multiple (the barrier counts that far), and no
    /// more than run at once on this device (or on the slice of one that a process may have).
    static index_t blocks_for(const Device& device, const adapter_layout& l) {
        const index_t most = device.template most_together<decode_step<T>>(shared_limit);
        index_t blocks = 1;
        while (blocks < 64 && 2 * blocks <= most && blocks * 64 < std::max(l.inputs, l.outputs)) blocks *= 2;
        return blocks;
    }
    static index_t fitting(const adapter_layout& l, index_t blocks) {
        index_t most = 32;
        while (most > 1 && step(l, most, blocks).shared_bytes() > shared_limit) most /= 2;
        if (step(l, most, blocks).shared_bytes() > shared_limit)
            throw shape_error("hrm::adapter_step: a token of a layer of " + extents(l.outputs, l.inputs) + " asks for " +
                              std::to_string(step(l, most, blocks).shared_bytes()) + " bytes of shared memory, expected at most " + std::to_string(shared_limit));
        return most;
    }

    Device device_;
    adapter_layout layout_;
    index_t batch_, blocks_, most_;
    work_area<Device, S> partial_;
    work_area<Device, int> arrived_;
};

}  // namespace hrm::detail
