#pragma once

#include <initializer_list>

#include <hrm/core/scalar.hpp>

namespace hrm::fourier {

/// Whether n is one of the fastest lengths: even, and no prime factor beyond 5.
inline bool is_good_size(index_t n) {
    if (n < 2 || n % 2) return false;
    for (const index_t p : {2, 3, 5})
        while (n % p == 0) n /= p;
    return n == 1;
}

/// The smallest good size >= n: at most a few per cent of padding where a power of two could double the work.
inline index_t good_size(index_t n) {
    n = n < 2 ? 2 : n + n % 2;
    while (!is_good_size(n)) n += 2;
    return n;
}

}  // namespace hrm::fourier
