#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include <cublas_v2.h>

#include <hrm/cuda/detail/blas_layout.hpp>
#include <hrm/cuda/runtime.hpp>

// Products on the device by cuBLAS. Any host compiler that finds cublas_v2.h takes this; the target hrm::cuda links it.

namespace hrm::detail {

inline void check_blas(cublasStatus_t status, const char* where, const char* call) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw cuda_error(std::string(where) + ": " + call + ": " + cublasGetStatusName(status) + ": " + cublasGetStatusString(status));
}

template <class T>
inline constexpr cudaDataType_t blas_type = std::is_same_v<T, bf16> ? CUDA_R_16BF : std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;

/// A handle with a work area of its own, so that calls allocate nothing, may be captured in a graph, and give the same bits
/// from run to run on devices of one kind (cuBLAS promises as much where no two streams share a work area).
class blas {
public:
    explicit blas(cuda where) : work_(work_bytes) {
        cublasHandle_t handle = nullptr;
        check_blas(cublasCreate(&handle), "hrm::blas", "cublasCreate");
        handle_.reset(handle);
        check_blas(cublasSetStream(handle, where.stream), "hrm::blas", "cublasSetStream");
        check_blas(cublasSetWorkspace(handle, work_.data(), work_bytes), "hrm::blas", "cublasSetWorkspace");
        // Else a sum over K that is cut in parts may be added up in C's own bf16.
        check_blas(cublasSetMathMode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION), "hrm::blas", "cublasSetMathMode");
    }

    /// C = A B + beta C, sums in accumulate_t<T>, rounded once to C; C in T or in that. Each of A and B has one stride of 1.
    template <storable T, storable To>
    void multiply(strided_view<const T> a, strided_view<const T> b, accumulate_t<T> beta, matrix_view<To> c) const {
        require_shape("hrm::blas", "C", c.rows, c.cols, a.rows, b.cols);
        require_size("hrm::blas", "rows of B", b.rows, a.cols);
        if (c.empty()) return;
        const accumulate_t<T> one = 1;  // cuBLAS counts by columns: it is asked for C^T = B^T A^T
        const bool double_sums = std::is_same_v<T, double>;
        const auto x = blas_layout::of(a), y = blas_layout::of(b);
        check_blas(cublasGemmEx_64(handle_.get(), turned(y), turned(x), c.cols, c.rows, a.cols, &one, b.data, blas_type<T>, y.apart,
                                   a.data, blas_type<T>, x.apart, &beta, c.data, blas_type<To>, blas_layout::of(strided_view<To>(c)).apart,
                                   double_sums ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                   "hrm::blas", "cublasGemmEx");
    }

private:
    static constexpr index_t work_bytes = index_t{32} << 20;  ///< what NVIDIA recommends from Hopper on

    static cublasOperation_t turned(blas_layout l) { return l.by_rows ? CUBLAS_OP_N : CUBLAS_OP_T; }
    struct release {
        void operator()(cublasHandle_t h) const { cublasDestroy(h); }
    };
    device_array<char> work_;
    std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, release> handle_;
};

}  // namespace hrm::detail
