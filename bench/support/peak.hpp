#pragma once

#include <hrm/linalg/simd.hpp>

#include "harness.hpp"

namespace hrm::bench {

/// So many flop in registers, in float: as fast as this processor goes.
inline void peak(double flop) {
    using V = simd::pack<float>;
    constexpr int chains = 12, flop_a_round = 2 * chains * simd::lanes<float>;
    V x[chains] = {}, a = V{} + 0.5f, b = V{} + 0.25f;
    asm volatile("" : "+x"(a), "+x"(b));
    for (auto& chain : x) asm volatile("" : "+x"(chain));  // or they would be known to be equal
    for (long i = static_cast<long>(flop / flop_a_round); i > 0; --i)
#pragma GCC unroll 12
        for (int c = 0; c < chains; ++c) x[c] = x[c] * a + b;
    keep(x);
}

}  // namespace hrm::bench
