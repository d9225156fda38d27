#pragma once

#include <cstring>
#include <utility>

#include <hrm/linalg/simd.hpp>

namespace hrm::scan::detail {

template <class V, real S>
inline void load(V& to, const S* from) {
    std::memcpy(&to, from, sizeof(V));
}
template <class V, real S>
inline void store(S* to, const V& from) {
    std::memcpy(to, &from, sizeof(V));
}

/// A bin of spectra side by side: the real parts of all lanes, then the imaginary ones.
template <real S>
struct bin {
    simd::pack<S> re, im;
    static constexpr int lanes = simd::lanes<S>;
    static bin at(const S* p) {
        bin b;
        simd::load<S>(b.re, p), simd::load<S>(b.im, p + lanes);
        return b;
    }
    void put(S* p) const { simd::store<S>(p, re), simd::store<S>(p + lanes, im); }
    friend bin operator*(const bin& x, const bin& y) {
        return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
    }
    friend bin operator+(const bin& x, const bin& y) { return {x.re + y.re, x.im + y.im}; }
    friend bin operator-(const bin& x, const bin& y) { return {x.re - y.re, x.im - y.im}; }
};

/// Covers columns [first, first + count) by blocks of P groups of W: f.template operator()<P, W>(column).
/// Four full registers first (enough chains to hide the latency of a fused multiply-add), narrower ones at the end.
template <real S, int W = simd::lanes<S>, class F>
inline void sweep(index_t first, index_t count, F&& f) {
    if constexpr (W == simd::lanes<S>) {
        for (; count >= 4 * W; first += 4 * W, count -= 4 * W) f.template operator()<4, W>(first);
        for (; count >= 2 * W; first += 2 * W, count -= 2 * W) f.template operator()<2, W>(first);
    }
    for (; count >= W; first += W, count -= W) f.template operator()<1, W>(first);
    if constexpr (W > 1)
        if (count > 0) sweep<S, W / 2>(first, count, std::forward<F>(f));
}

}  // namespace hrm::scan::detail
