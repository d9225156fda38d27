#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include <cuda_runtime_api.h>

#include <hrm/core/error.hpp>
#include <hrm/core/scalar.hpp>

// What host code needs of a GPU: where to run, memory there, errors. Any compiler that finds cuda_runtime_api.h takes this.

namespace hrm {

/// Where the work runs: the current device, in the order of `stream`. Nothing waits for the device behind your back: a call
/// returns when its work is in the stream. The plan of a call must outlive that work.
struct cuda {
    cudaStream_t stream = nullptr;
};

/// A call of the CUDA runtime that failed.
struct cuda_error : error {
    using error::error;
};

namespace detail {

/// Throws cuda_error("where: call: the error's name: its description").
inline void check_cuda(cudaError_t status, const char* where, const char* call) {
    if (status == cudaSuccess) return;
    throw cuda_error(std::string(where) + ": " + call + ": " + cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}

}  // namespace detail

/// `size` numbers on the device, not initialised. Movable; freed with the object, which waits for the device.
template <class T>
class device_array {
public:
    device_array() = default;
    explicit device_array(index_t size) : size_(size) {
        if (size < 0) throw shape_error("hrm::device_array: size is " + std::to_string(size) + ", expected at least 0");
        void* p = nullptr;
        if (size > 0) detail::check_cuda(cudaMalloc(&p, static_cast<std::size_t>(size) * sizeof(T)), "hrm::device_array", "cudaMalloc");
        data_.reset(static_cast<T*>(p));
    }
    T* data() const { return data_.get(); }
    index_t size() const { return size_; }

    /// In the order of the stream; `from` must live until it has run.
    void read_from(std::span<const T> from, cuda where = {}) {
        require_size("hrm::device_array::read_from", "from", static_cast<index_t>(from.size()), size_);
        detail::check_cuda(cudaMemcpyAsync(data(), from.data(), from.size_bytes(), cudaMemcpyHostToDevice, where.stream),
                           "hrm::device_array::read_from", "cudaMemcpyAsync");
    }
    void write_to(std::span<T> to, cuda where = {}) const {
        require_size("hrm::device_array::write_to", "to", static_cast<index_t>(to.size()), size_);
        detail::check_cuda(cudaMemcpyAsync(to.data(), data(), to.size_bytes(), cudaMemcpyDeviceToHost, where.stream),
                           "hrm::device_array::write_to", "cudaMemcpyAsync");
    }

private:
    struct release {
        void operator()(T* p) const { cudaFree(p); }
    };
    std::unique_ptr<T, release> data_;
    index_t size_ = 0;
};

/// Waits until everything in the stream is done, and reports what went wrong in it.
inline void synchronize(cuda where) {
    detail::check_cuda(cudaStreamSynchronize(where.stream), "hrm::synchronize", "cudaStreamSynchronize");
}

/// Devices this process can use; 0 where there is no driver.
inline int device_count() {
    int count = 0;
    const auto status = cudaGetDeviceCount(&count);
    if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver) return 0;
    detail::check_cuda(status, "hrm::device_count", "cudaGetDeviceCount");
    return count;
}

}  // namespace hrm
