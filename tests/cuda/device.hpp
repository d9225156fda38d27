#pragma once

#include <cstdio>

#include <hrm/cuda/runtime.hpp>

namespace cuda_test {

/// Whether there is a device to run on; says loudly where not.
inline bool present() {
    static const bool yes = [] {
        const bool found = hrm::device_count() > 0;
        if (!found) std::printf("SKIPPED: no CUDA device; what runs on one was compiled and not run\n");
        return found;
    }();
    return yes;
}

}  // namespace cuda_test
