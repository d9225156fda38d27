#pragma once

#include <limits>
#include <string>

#include <hrm/cuda/detail/twin.hpp>
#include <hrm/cuda/runtime.hpp>

// The device as the work of twin.hpp asks for it.

namespace hrm::detail {

inline constexpr int index_threads = 128;

template <class F>
__attribute__((visibility("hidden"))) __global__ void __launch_bounds__(index_threads) run_indices(const F f, index_t count) {
    const index_t i = static_cast<index_t>(blockIdx.x) * index_threads + threadIdx.x;
    if (i < count) f(i);
}

/// A block of threads, and its shared memory.
struct device_block {
    index_t index;
    std::byte* shared;

    template <class F>
    HRM_BOTH void each(const F& f) const {
#if defined(__CUDA_ARCH__)
        f(static_cast<int>(threadIdx.x));
        __syncthreads();
#endif
    }
};

template <class F>
__attribute__((visibility("hidden"))) __global__ void __launch_bounds__(F::threads) run_blocks(const F f) {
    extern __shared__ double2 shared[];  // aligned for any number
    f(device_block{static_cast<index_t>(blockIdx.x), reinterpret_cast<std::byte*>(shared)});
}

/// f.before of every block, then, when all have come to the barrier, f.after. arrived: 0 before its first launch ever; it
/// counts on from launch to launch, so that 2^32 must be a multiple of the number of blocks.
template <class F>
__attribute__((visibility("hidden"))) __global__ void __launch_bounds__(F::threads, 1) run_together(const F f, int* arrived) {
    extern __shared__ __align__(128) std::byte room[];
    const device_block block{static_cast<index_t>(blockIdx.x), room};
    f.before(block);
    __syncthreads();
    if (threadIdx.x == 0) {
        const auto count = reinterpret_cast<unsigned*>(arrived);
        __threadfence();
        const unsigned ticket = atomicAdd(count, 1u), goal = ticket - ticket % gridDim.x + gridDim.x;
        while (static_cast<int>(*static_cast<volatile unsigned*>(count) - goal) < 0) {}
        __threadfence();
    }
    __syncthreads();
    f.after(block);
}

struct cuda_device {
    cuda where;

    template <class T>
    device_array<T> memory(index_t size) const {
        return device_array<T>(size);
    }
    template <class F>
    void launch(index_t count, const F& f) const {
        if (count == 0) return;
        run_indices<<<grid((count + index_threads - 1) / index_threads), index_threads, 0, where.stream>>>(f, count);
        check_cuda(cudaGetLastError(), "hrm::cuda", "kernel launch");
    }
    template <class F>
    void launch_blocks(index_t count, index_t shared_bytes, const F& f) const {
        if (count == 0) return;
        run_blocks<<<grid(count), F::threads, static_cast<std::size_t>(shared_bytes), where.stream>>>(f);
        check_cuda(cudaGetLastError(), "hrm::cuda", "kernel launch");
    }
    /// All blocks at once on the device, which a cooperative launch makes sure of.
    template <class F>
    void launch_together(index_t count, index_t shared_bytes, const F& f, int* arrived) const {
        void* arguments[] = {const_cast<F*>(&f), &arrived};
        check_cuda(cudaLaunchCooperativeKernel(run_together<F>, dim3(grid(count)), dim3(F::threads), arguments,
                                               static_cast<std::size_t>(shared_bytes), where.stream),
                   "hrm::cuda", "cudaLaunchCooperativeKernel");
    }
    /// Asks the driver for this kernel on the current device.
    template <class F>
    index_t most_together(index_t shared_bytes) const {
        int device = 0, processors = 0, each = 0;
        check_cuda(cudaGetDevice(&device), "hrm::cuda", "cudaGetDevice");
        check_cuda(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device), "hrm::cuda", "cudaDeviceGetAttribute");
        check_cuda(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, run_together<F>, F::threads, static_cast<std::size_t>(shared_bytes)),
                   "hrm::cuda", "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
        return index_t{processors} * each;
    }
    bool capturing() const {
        auto status = cudaStreamCaptureStatusNone;
        check_cuda(cudaStreamIsCapturing(where.stream, &status), "hrm::cuda", "cudaStreamIsCapturing");
        return status != cudaStreamCaptureStatusNone;
    }

private:
    static unsigned grid(index_t blocks) {
        if (blocks > std::numeric_limits<int>::max())
            throw shape_error("hrm::cuda: " + std::to_string(blocks) + " blocks of threads, expected at most " +
                              std::to_string(std::numeric_limits<int>::max()));
        return static_cast<unsigned>(blocks);
    }
};

}  // namespace hrm::detail
