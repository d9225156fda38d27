#pragma once

#include <type_traits>

#include <mma.h>

#include <hrm/cuda/detail/device.cuh>
#include <hrm/cuda/detail/tiles.hpp>

// The device as tiles.hpp asks for it. Fetches are cp.async; bf16 multiplies on tensor cores, float by fused multiply-adds.

namespace hrm::detail {

struct device_tile_block : device_block {
    template <class X, int>
    struct per_warp {
        X x;
        HRM_BOTH X& at(int) { return x; }
    };
    template <class F>
    HRM_BOTH void threads([[maybe_unused]] const F& f) const {
#if defined(__CUDA_ARCH__)
        f(static_cast<int>(threadIdx.x));
#endif
    }
    template <class F>
    HRM_BOTH void warps([[maybe_unused]] const F& f) const {
#if defined(__CUDA_ARCH__)
        f(static_cast<int>(threadIdx.x) / 32);
#endif
    }
    HRM_BOTH void sync() const {
#if defined(__CUDA_ARCH__)
        __syncthreads();
#endif
    }
    HRM_BOTH void fetch([[maybe_unused]] void* to, [[maybe_unused]] const void* from, [[maybe_unused]] int bytes) const {
#if defined(__CUDA_ARCH__)
        const auto place = static_cast<unsigned>(__cvta_generic_to_shared(to));
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(place), "l"(from), "r"(bytes) : "memory");
#endif
    }
    HRM_BOTH void commit(int) const {
#if defined(__CUDA_ARCH__)
        asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
    }
    template <int n>
    HRM_BOTH void wait() const {
#if defined(__CUDA_ARCH__)
        asm volatile("cp.async.wait_group %0;\n" ::"n"(n) : "memory");
#endif
    }
};

/// The lane a thread is.
struct device_lanes {
    static constexpr int held = 1;
    template <class F>
    HRM_BOTH static void each([[maybe_unused]] const F& f) {
#if defined(__CUDA_ARCH__)
        f(static_cast<int>(threadIdx.x) % 32, 0);
#endif
    }
};

/// bf16 times bf16 into float. Pointers lie on 32 bytes, strides are whole fetches.
struct tensor_tiles {
    using T = bf16;
    using sum = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;
    template <class Use, bool turned>
    using operand = nvcuda::wmma::fragment<Use, 16, 16, 16, __nv_bfloat16, std::conditional_t<turned, nvcuda::wmma::col_major, nvcuda::wmma::row_major>>;

    HRM_BOTH static void clear([[maybe_unused]] sum& s) {
#if defined(__CUDA_ARCH__)
        nvcuda::wmma::fill_fragment(s, 0.0f);
#endif
    }
    template <bool turn_a, bool turn_b, int N>
    HRM_BOTH static void add([[maybe_unused]] sum (&s)[N], [[maybe_unused]] const bf16* a, [[maybe_unused]] int a_stride, [[maybe_unused]] const bf16* b,
                             [[maybe_unused]] int b_stride, [[maybe_unused]] int step) {
#if defined(__CUDA_ARCH__)
        operand<nvcuda::wmma::matrix_a, turn_a> x;
        nvcuda::wmma::load_matrix_sync(x, reinterpret_cast<const __nv_bfloat16*>(a), static_cast<unsigned>(a_stride));
        for (int j = 0; j < N; ++j) {
            operand<nvcuda::wmma::matrix_b, turn_b> y;
            nvcuda::wmma::load_matrix_sync(y, reinterpret_cast<const __nv_bfloat16*>(b + j * step), static_cast<unsigned>(b_stride));
            nvcuda::wmma::mma_sync(s[j], x, y, s[j]);
        }
#endif
    }
    HRM_BOTH static void store([[maybe_unused]] const sum& s, [[maybe_unused]] float* to, [[maybe_unused]] int stride) {
#if defined(__CUDA_ARCH__)
        nvcuda::wmma::store_matrix_sync(to, s, static_cast<unsigned>(stride), nvcuda::wmma::mem_row_major);
#endif
    }
};
template <storable T>
using device_tiles = std::conditional_t<std::is_same_v<T, bf16>, tensor_tiles, fma_tiles<float, device_lanes>>;

template <class F>
__attribute__((visibility("hidden"))) __global__ void __launch_bounds__(F::threads, 1) run_tiles(const F f) {
    extern __shared__ __align__(128) std::byte room[];
    f(device_tile_block{{static_cast<index_t>(blockIdx.x), room}});
}

/// As many tiles as f counts; what it asks of shared memory beyond the usual limit the driver is asked for.
template <class F>
void launch_tiles(cuda where, const F& f) {
    const index_t count = f.count();
    if (count == 0) return;
    if (count > std::numeric_limits<int>::max())
        throw shape_error("hrm::cuda: " + std::to_string(count) + " blocks of threads, expected at most " + std::to_string(std::numeric_limits<int>::max()));
    constexpr auto bytes = static_cast<int>(F::shared_bytes());
    if (bytes > shared_limit)
        check_cuda(cudaFuncSetAttribute(run_tiles<F>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "hrm::cuda", "cudaFuncSetAttribute");
    run_tiles<<<static_cast<unsigned>(count), F::threads, static_cast<std::size_t>(bytes), where.stream>>>(f);
    check_cuda(cudaGetLastError(), "hrm::cuda", "kernel launch");
}

}  // namespace hrm::detail
