#pragma once

#include <algorithm>
#include <memory>
#include <new>

#include <hrm/core/matrix.hpp>

namespace hrm::detail {

/// Before work whose temporaries take about `bytes` at once: takes so much in one piece and gives it back untouched. glibc
/// then knows how much memory is worth keeping (M_TRIM_THRESHOLD, which follows the largest piece freed); else it returns
/// pages to the kernel between any two temporaries and has them zeroed again, a tenth of a reduction of order 100 to 1000.
inline void keep_pages(index_t bytes) {
    constexpr index_t least = 256 << 10, most = 31 << 20;  // what is beyond 32 MiB teaches glibc nothing
    const std::unique_ptr<std::byte[]> piece(new (std::nothrow) std::byte[static_cast<std::size_t>(std::clamp(bytes, least, most))]);
    asm volatile("" : : "r"(piece.get()) : "memory");  // or the compiler sees through it
}

}  // namespace hrm::detail
