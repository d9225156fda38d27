#pragma once

#include <cstdio>
#if defined(HRM_BENCH_OPENBLAS)
#include <cstdlib>
#include <string_view>

#include <cblas.h>
#include <unistd.h>
#endif

namespace hrm::bench {

/// OpenBLAS as a peer on so many threads, with kernels for this processor. A release older than the processor does not know it and takes
/// those of 2004, a fifth as fast (0.3.21 on Emerald Rapids). It asks the environment as it is loaded: so the program starts once more.
inline void use_openblas([[maybe_unused]] int threads, [[maybe_unused]] char** argv) {
#if !defined(HRM_BENCH_OPENBLAS)
    std::printf("OpenBLAS is not installed: its rows are missing\n");
#else
    [[maybe_unused]] constexpr const char* name = "OPENBLAS_CORETYPE";
#if defined(__AVX2__)
    if (std::string_view(openblas_get_corename()) == "Prescott" && !std::getenv(name)) {
#if defined(__AVX512F__)
        setenv(name, "SkylakeX", 0);
#else
        setenv(name, "Haswell", 0);
#endif
        execv("/proc/self/exe", argv);
    }
#endif
    openblas_set_num_threads(threads);
    std::printf("OpenBLAS: kernels for %s\n", openblas_get_corename());
#endif
}

}  // namespace hrm::bench
