#pragma once

#include <cstring>
#include <limits>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/cuda/detail/twin.hpp>

namespace cuda_test {

using hrm::index_t;

/// A block whose threads run one after the other, the last one first.
struct host_block {
    index_t index;
    std::byte* shared;
    int threads;

    template <class F>
    void each(const F& f) const {
        for (int i = threads; i-- > 0;) f(i);
    }
};

/// What cuda/detail/twin.hpp asks of a device, on the host: launches as the device runs them, but one index after the
/// other and from the last to the first, so that what counts on another index of its launch fails. New memory holds NaN.
struct host_device {
    const bool* recording = nullptr;

    template <class T>
    hrm::buffer<T> memory(index_t size) const {
        return hrm::buffer<T>(static_cast<std::size_t>(size), std::numeric_limits<T>::quiet_NaN());
    }
    template <class F>
    void launch(index_t count, const F& f) const {
        for (index_t i = count; i-- > 0;) f(i);
    }
    template <class F>
    void launch_blocks(index_t count, index_t shared_bytes, const F& f) const {
        hrm::require_size("host_device", "shared memory", std::min(shared_bytes, hrm::detail::shared_limit), shared_bytes);
        hrm::buffer<std::byte> shared(static_cast<std::size_t>(shared_bytes));
        for (index_t b = count; b-- > 0;) {
            std::memset(shared.data(), 0xff, shared.size());  // NaN, in float and in double
            f(host_block{b, shared.data(), F::threads});
        }
    }
    template <class F>
    void launch_together(index_t count, index_t shared_bytes, const F& f, int*) const {
        hrm::require_size("host_device", "shared memory", std::min(shared_bytes, hrm::detail::shared_limit), shared_bytes);
        std::vector<hrm::buffer<std::byte>> shared(static_cast<std::size_t>(count));
        for (index_t b = count; b-- > 0;) {
            auto& own = shared[static_cast<std::size_t>(b)];
            own.assign(static_cast<std::size_t>(shared_bytes), std::byte{0xff});
            f.before(host_block{b, own.data(), F::threads});
        }
        for (index_t b = count; b-- > 0;) f.after(host_block{b, shared[static_cast<std::size_t>(b)].data(), F::threads});
    }
    bool capturing() const { return recording && *recording; }
};

}  // namespace cuda_test
