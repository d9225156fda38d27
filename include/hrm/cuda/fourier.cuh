#pragma once

#include <string>
#include <utility>

#include <cufft.h>

#include <hrm/cuda/detail/device.cuh>

namespace hrm {
namespace detail {

/// Throws cuda_error("where: call: the error's name").
inline void check_cufft(cufftResult status, const char* where, const char* call) {
    if (status == CUFFT_SUCCESS) return;
    const char* name = nullptr;
    switch (status) {
        case CUFFT_INVALID_PLAN: name = "CUFFT_INVALID_PLAN"; break;
        case CUFFT_ALLOC_FAILED: name = "CUFFT_ALLOC_FAILED"; break;
        case CUFFT_INVALID_VALUE: name = "CUFFT_INVALID_VALUE"; break;
        case CUFFT_INTERNAL_ERROR: name = "CUFFT_INTERNAL_ERROR"; break;
        case CUFFT_EXEC_FAILED: name = "CUFFT_EXEC_FAILED"; break;
        case CUFFT_SETUP_FAILED: name = "CUFFT_SETUP_FAILED"; break;
        case CUFFT_INVALID_SIZE: name = "CUFFT_INVALID_SIZE"; break;
        case CUFFT_NO_WORKSPACE: name = "CUFFT_NO_WORKSPACE"; break;
        case CUFFT_NOT_SUPPORTED: name = "CUFFT_NOT_SUPPORTED"; break;
        default: break;
    }
    throw cuda_error(std::string(where) + ": " + call + ": " + (name ? name : "cufftResult " + std::to_string(static_cast<int>(status))));
}

/// A plan of cuFFT, freed with the object.
class cufft_plan {
public:
    cufft_plan() { check_cufft(cufftCreate(&handle_), "hrm::fourier::device_plan", "cufftCreate"); }
    ~cufft_plan() {
        if (handle_ != none) cufftDestroy(handle_);
    }
    cufft_plan(cufft_plan&& from) noexcept : handle_(std::exchange(from.handle_, none)) {}
    cufft_plan& operator=(cufft_plan&& from) noexcept {
        std::swap(handle_, from.handle_);
        return *this;
    }
    cufftHandle get() const { return handle_; }

    /// `count` transforms of `length`, packed one after the other; the bytes of work area it needs.
    std::size_t make(cuda where, cufftType type, index_t length, index_t count) {
        constexpr auto place = "hrm::fourier::device_plan";
        check_cufft(cufftSetAutoAllocation(handle_, 0), place, "cufftSetAutoAllocation");
        long long n = length;
        std::size_t bytes = 0;
        check_cufft(cufftMakePlanMany64(handle_, 1, &n, nullptr, 1, 0, nullptr, 1, 0, type, count, &bytes), place, "cufftMakePlanMany64");
        check_cufft(cufftSetStream(handle_, where.stream), place, "cufftSetStream");
        return bytes;
    }

private:
    static constexpr cufftHandle none = CUFFT_PLAN_NULL;
    cufftHandle handle_ = none;
};

}  // namespace detail

namespace fourier {

/// Real transforms of one length N >= 1 on the device, `count` signals at a time, by cuFFT:
///     X_k = sum_t x_t e^{-2 pi i tk / N},   k = 0..N/2;        inverse: N times the inverse
///     hrm::fourier::device_plan<float> p(hrm::cuda{stream}, 2048, 64);   p.forward(x, spectrum);
/// x: count x N;  spectrum: count x bins() complex numbers, real part beside imaginary part. Plans and their work area are
/// made here, once: calls allocate nothing and wait for nothing, and may be captured in a graph. Movable.
template <real S>
class device_plan {
public:
    device_plan(cuda where, index_t length, index_t count) : length_(checked(length, count)), count_(count) {
        constexpr bool wide = std::same_as<S, double>;
        const std::size_t there = forward_.make(where, wide ? CUFFT_D2Z : CUFFT_R2C, length, count);
        const std::size_t back = inverse_.make(where, wide ? CUFFT_Z2D : CUFFT_C2R, length, count);
        work_ = device_array<std::byte>(static_cast<index_t>(std::max(there, back)));
        for (const auto* p : {&forward_, &inverse_})
            hrm::detail::check_cufft(cufftSetWorkArea(p->get(), work_.data()), "hrm::fourier::device_plan", "cufftSetWorkArea");
    }

    index_t length() const { return length_; }
    index_t count() const { return count_; }
    index_t bins() const { return length_ / 2 + 1; }

    /// x: spoilt, as cuFFT may.
    void forward(S* x, S* spectrum) const {
        constexpr auto where = "hrm::fourier::device_plan::forward";
        if constexpr (std::same_as<S, double>)
            hrm::detail::check_cufft(cufftExecD2Z(forward_.get(), x, reinterpret_cast<cufftDoubleComplex*>(spectrum)), where, "cufftExecD2Z");
        else hrm::detail::check_cufft(cufftExecR2C(forward_.get(), x, reinterpret_cast<cufftComplex*>(spectrum)), where, "cufftExecR2C");
    }
    /// spectrum: spoilt.
    void inverse(S* spectrum, S* x) const {
        constexpr auto where = "hrm::fourier::device_plan::inverse";
        if constexpr (std::same_as<S, double>)
            hrm::detail::check_cufft(cufftExecZ2D(inverse_.get(), reinterpret_cast<cufftDoubleComplex*>(spectrum), x), where, "cufftExecZ2D");
        else hrm::detail::check_cufft(cufftExecC2R(inverse_.get(), reinterpret_cast<cufftComplex*>(spectrum), x), where, "cufftExecC2R");
    }

private:
    static index_t checked(index_t length, index_t count) {
        if (length < 1 || count < 1)
            throw shape_error("hrm::fourier::device_plan: the length is " + std::to_string(length) + " and the count " +
                              std::to_string(count) + ", expected at least 1");
        return length;
    }
    index_t length_, count_;
    hrm::detail::cufft_plan forward_, inverse_;
    device_array<std::byte> work_;
};

}  // namespace fourier

namespace detail {

/// A device with transforms: transforms<S>(length, count) has forward and inverse as above.
struct cuda_fourier_device : cuda_device {
    template <real S>
    fourier::device_plan<S> transforms(index_t length, index_t count) const {
        return fourier::device_plan<S>(where, length, count);
    }
};

}  // namespace detail
}  // namespace hrm
