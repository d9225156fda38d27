#pragma once

#include <hrm/cuda/detail/twin.hpp>

namespace hrm::detail {

/// Rows that lie column by column elsewhere: a block turns 32 steps of 32 columns in shared memory, so that neighbouring
/// threads touch neighbouring numbers on both sides.
struct turning_tile {
    static constexpr int threads = 256, side = 32;
    index_t steps, columns;  ///< of one item

    HRM_BOTH index_t across() const { return (columns + side - 1) / side; }
    HRM_BOTH index_t down() const { return (steps + side - 1) / side; }
    index_t blocks(index_t items) const { return items * down() * across(); }
    template <class S>
    static index_t bytes() {
        return side * (side + 1) * static_cast<index_t>(sizeof(S));
    }

    /// get(item, step, column) along the columns, then put(item, step, column, value) along the steps.
    template <class S, class Block, class Get, class Put>
    HRM_BOTH void columns_to_steps(const Block& block, const Get& get, const Put& put) const {
        run<S>(block, true, get, put);
    }
    /// The other way.
    template <class S, class Block, class Get, class Put>
    HRM_BOTH void steps_to_columns(const Block& block, const Get& get, const Put& put) const {
        run<S>(block, false, get, put);
    }

private:
    template <class S, class Block, class Get, class Put>
    HRM_BOTH void run(const Block& block, bool by_columns, const Get& get, const Put& put) const {
        const index_t item = block.index / (down() * across()), t0 = block.index / across() % down() * side,
                      c0 = block.index % across() * side;
        S* shared = reinterpret_cast<S*>(block.shared);
        const auto each = [&](int thread, bool columns_first, const auto& f) {
            for (int e = thread; e < side * side; e += threads) {
                const int fast = e % side, slow = e / side, t = columns_first ? slow : fast, c = columns_first ? fast : slow;
                if (t0 + t < steps && c0 + c < columns) f(t * (side + 1) + c, t0 + t, c0 + c);
            }
        };
        block.each([&](int thread) {
            each(thread, by_columns, [&](int at, index_t t, index_t c) { shared[at] = get(item, t, c); });
        });
        block.each([&](int thread) {
            each(thread, !by_columns, [&](int at, index_t t, index_t c) { put(item, t, c, shared[at]); });
        });
    }
};

}  // namespace hrm::detail
