// A host project's CUDA source: the tag, and a plan of each kind.
#include <cstdio>

#include <hrm/cuda.hpp>

int main() {
    const hrm::diagonal<float> a{{0.5f, 0.9f}};
    if (hrm::device_count() == 0) return std::puts("no CUDA device") < 0;
    hrm::scan::plan p(hrm::cuda{}, hrm::scan::chunked{}, a, {.batch = 1, .time = 64});
    hrm::scan::plan q(hrm::cuda{}, hrm::scan::fft{}, a, {.batch = 1, .time = 64});  // links cuFFT
    return p.order() == 2 && q.order() == 2 ? 0 : 1;
}
