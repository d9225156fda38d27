#pragma once

#include <cstring>
#include <limits>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/cuda/detail/twin.hpp>
#include <hrm/fourier/plan.hpp>

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

/// What cuda/fourier.cuh says, by the CPU's transforms (length: a good size).
template <hrm::real S>
class host_transforms {
public:
    host_transforms(index_t length, index_t count) : count_(count), plan_(length) {}
    void forward(S* x, S* spectrum) const {
        hrm::buffer<S> in(size(plan_.samples_size())), out(size(plan_.spectrum_size()));
        each(x, spectrum, [&](int w, S* signal, S* bins) {
            if (w == 0) {
                for (index_t t = 0; t < plan_.length(); ++t)
                    for (int l = 0; l < W; ++l) in[size(t * W + l)] = signal + l * plan_.length() < x + count_ * plan_.length() ? signal[l * plan_.length() + t] : S{0};
                plan_.forward(in.data(), out.data());
            }
            for (index_t k = 0; k < plan_.bins(); ++k) bins[2 * k] = out[size(2 * k * W + w)], bins[2 * k + 1] = out[size((2 * k + 1) * W + w)];
        });
    }
    void inverse(S* spectrum, S* x) const {
        hrm::buffer<S> in(size(plan_.spectrum_size())), out(size(plan_.samples_size()));
        each(x, spectrum, [&](int w, S* signal, S* bins) {
            if (w == 0) {
                for (index_t k = 0; k < plan_.bins(); ++k)
                    for (int l = 0; l < W; ++l) {
                        const S* from = bins + 2 * (l * plan_.bins() + k);
                        const bool there = from < spectrum + 2 * count_ * plan_.bins();
                        in[size(2 * k * W + l)] = there ? from[0] : S{0}, in[size((2 * k + 1) * W + l)] = there ? from[1] : S{0};
                    }
                plan_.inverse(in.data(), out.data());
            }
            for (index_t t = 0; t < plan_.length(); ++t) signal[t] = static_cast<S>(plan_.length()) * out[size(t * W + w)];
        });
    }

private:
    static constexpr int W = hrm::fourier::plan<S>::lanes;
    static std::size_t size(index_t n) { return static_cast<std::size_t>(n); }
    template <class F>
    void each(S* x, S* spectrum, F&& f) const {
        for (index_t i = 0; i < count_; ++i)
            f(static_cast<int>(i % W), x + i * plan_.length(), spectrum + 2 * i * plan_.bins());
    }
    index_t count_;
    hrm::fourier::plan<S> plan_;
};

/// What cuda/detail/twin.hpp asks of a device, on the host: launches as the device runs them, but one index after the
/// other and from the last to the first, so that what counts on another index of its launch fails. New memory holds NaN.
struct host_device {
    const bool* recording = nullptr;
    index_t side_by_side = 64;  ///< blocks it runs at once

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
    index_t most_together(index_t) const {
        return side_by_side;
    }
    template <class F>
    void launch_together(index_t count, index_t shared_bytes, const F& f, int*) const {
        hrm::require_size("host_device", "blocks at once", std::min(count, side_by_side), count);
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
    template <hrm::real S>
    host_transforms<S> transforms(index_t length, index_t count) const {
        return host_transforms<S>(length, count);
    }
};

}  // namespace cuda_test
