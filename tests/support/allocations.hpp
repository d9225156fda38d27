#pragma once

// Counts heap allocations of this program: the linker sends malloc and its kin through wrappers (tests/CMakeLists.txt).
//     const auto before = allocations();
//     plan.forward(system, u, y);
//     CHECK(allocations() == before);
// Under the sanitizers, which bring their own malloc, the count stays 0.

namespace hrm_test {

/// Calls of malloc, calloc, realloc and the aligned ones so far, operator new included, by all threads.
long allocations();

/// What they asked for in all.
long allocated_bytes();

/// Whether this build counts at all.
bool allocations_are_counted();

}  // namespace hrm_test
