#include "allocations.hpp"

#include <atomic>
#include <cstddef>

namespace {
std::atomic<long> count{0}, bytes{0};

[[maybe_unused]] void note(std::size_t n) {
    ++count;
    bytes += static_cast<long>(n);
}
}

#if defined(HRM_COUNT_ALLOCATIONS)
// The names are the linker's: with --wrap=f every call of f reaches __wrap_f, and __real_f is the original.
extern "C" {
void* __real_malloc(std::size_t);
void* __real_calloc(std::size_t, std::size_t);
void* __real_realloc(void*, std::size_t);
void* __real_aligned_alloc(std::size_t, std::size_t);
int __real_posix_memalign(void**, std::size_t, std::size_t);

void* __wrap_malloc(std::size_t n) {
    note(n);
    return __real_malloc(n);
}
void* __wrap_calloc(std::size_t n, std::size_t size) {
    note(n * size);
    return __real_calloc(n, size);
}
void* __wrap_realloc(void* p, std::size_t n) {
    note(n);
    return __real_realloc(p, n);
}
void* __wrap_aligned_alloc(std::size_t border, std::size_t n) {
    note(n);
    return __real_aligned_alloc(border, n);
}
int __wrap_posix_memalign(void** p, std::size_t border, std::size_t n) {
    note(n);
    return __real_posix_memalign(p, border, n);
}
}
#endif

namespace hrm_test {

long allocations() { return count; }
long allocated_bytes() { return bytes; }

bool allocations_are_counted() {
#if defined(HRM_COUNT_ALLOCATIONS)
    return true;
#else
    return false;
#endif
}

}  // namespace hrm_test
