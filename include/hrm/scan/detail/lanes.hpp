#pragma once

#include <cstring>
#include <utility>

#include <hrm/linalg/simd.hpp>

namespace hrm::scan::detail {

/// W numbers side by side; W = 1 is the plain scalar. Narrow widths take the states a full register leaves over.
template <real S, int W>
struct group {
    typedef S type __attribute__((vector_size(W * sizeof(S))));
};
template <real S>
struct group<S, 1> {
    using type = S;
};
template <real S, int W>
using group_t = typename group<S, W>::type;

template <class V, real S>
inline void load(V& to, const S* from) {
    std::memcpy(&to, from, sizeof(V));
}
template <class V, real S>
inline void store(S* to, const V& from) {
    std::memcpy(to, &from, sizeof(V));
}

/// Covers columns [first, first + count) by blocks of P groups of W: f.template operator()<P, W>(column).
/// Four full registers first (enough chains to hide the latency of a fused multiply-add), narrower ones at the end.
template <real S, int W = simd::lanes<S>, class F>
inline void sweep(index_t first, index_t count, F&& f) {
    if constexpr (W == simd::lanes<S>) {
        for (; count >= 4 * W; first += 4 * W, count -= 4 * W) f.template operator()<4, W>(first);
        for (; count >= 2 * W; first += 2 * W, count -= 2 * W) f.template operator()<2, W>(first);
    }
    for (; count >= W; first += W, count -= W) f.template operator()<1, W>(first);
    if constexpr (W > 1) sweep<S, W / 2>(first, count, std::forward<F>(f));
}

}  // namespace hrm::scan::detail
