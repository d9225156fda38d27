#pragma once

namespace hrm {

/// Where the work runs: this processor, on so many threads. The number never changes a result, only the time.
struct cpu {
    int threads = 1;
};

/// The same on an NVIDIA GPU. Complete after <hrm/cuda.hpp>; until then using it does not compile.
struct cuda;

}  // namespace hrm
