#pragma once

#include <algorithm>
#include <cstdio>
#include <limits>

#include <hrm/core/matrix.hpp>
#include <hrm/cuda/runtime.hpp>

namespace cuda_test {

using namespace hrm;

/// Whether there is a device to run on; says loudly where not.
inline bool present() {
    static const bool yes = [] {
        const bool found = hrm::device_count() > 0;
        if (!found) std::printf("SKIPPED: no CUDA device; what runs on one was compiled and not run\n");
        return found;
    }();
    return yes;
}

/// A matrix on the device, filled from the host, or with NaN.
template <class S>
struct on_device {
    index_t rows, cols;
    device_array<S> memory;

    on_device(index_t rows_, index_t cols_) : on_device(poison(rows_, cols_)) {}
    on_device(const matrix<S>& m) : rows(m.rows()), cols(m.cols()), memory(m.size()) {
        memory.read_from(m.flat());
        synchronize({});
    }
    operator matrix_view<S>() const { return {memory.data(), rows, cols}; }
    operator matrix_view<const S>() const { return {memory.data(), rows, cols}; }
    matrix<S> back(cuda where = {}) const {
        matrix<S> m(rows, cols);
        memory.write_to(m.flat(), where);
        synchronize(where);
        return m;
    }
    static matrix<S> poison(index_t rows, index_t cols) {
        matrix<S> m(rows, cols);
        std::fill_n(m.data(), m.size(), S(std::numeric_limits<float>::quiet_NaN()));
        return m;
    }
};

/// Work captured as a graph and run, `times` over.
template <class F>
void run_as_graph(cuda where, F&& work, int times = 1) {
    const auto check = [](cudaError_t status, const char* call) { hrm::detail::check_cuda(status, "test", call); };
    cudaGraph_t graph;
    cudaGraphExec_t run;
    check(cudaStreamBeginCapture(where.stream, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    work();
    check(cudaStreamEndCapture(where.stream, &graph), "cudaStreamEndCapture");
    check(cudaGraphInstantiate(&run, graph, 0), "cudaGraphInstantiate");
    for (int i = 0; i < times; ++i) check(cudaGraphLaunch(run, where.stream), "cudaGraphLaunch");
    synchronize(where);
    cudaGraphExecDestroy(run);
    cudaGraphDestroy(graph);
}
/// A stream that ends with its scope.
struct own_stream {
    cuda where;
    own_stream() { hrm::detail::check_cuda(cudaStreamCreate(&where.stream), "test", "cudaStreamCreate"); }
    ~own_stream() { cudaStreamDestroy(where.stream); }
    own_stream(const own_stream&) = delete;
};
/// Bytes of the device's memory that nobody has.
inline std::size_t free_memory() {
    std::size_t available = 0, total = 0;
    hrm::detail::check_cuda(cudaMemGetInfo(&available, &total), "test", "cudaMemGetInfo");
    return available;
}

}  // namespace cuda_test
