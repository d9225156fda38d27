#pragma once

#include <string>

#include <hrm/cuda/detail/twin.hpp>

// y_t = sum_{j < K} h_j u_{t-j} for the next token of every sequence of a batch: what decoding asks for. The last K inputs lie
// in a ring, the token's number on the device, so that a captured graph goes on from token to token.

namespace hrm::scan::detail {

using hrm::detail::narrowed;
using hrm::detail::read_view;
using hrm::detail::rows_of;
using hrm::detail::widened;
using hrm::detail::work_area;

/// A block: 32 columns (channels of all sequences) and 8 lanes, which share the taps; sums in double, added in the lanes' order.
template <real S, storable T>
struct convolve_token {
    static constexpr int side = 32, lanes = 8, threads = side * lanes;
    index_t taps, channels, batch;
    const index_t* now;  ///< tokens so far
    rows_of<const S> h;  ///< taps x channels
    rows_of<const T> u;  ///< batch x channels
    rows_of<T> y;        ///< may be u
    rows_of<S> past;     ///< taps x batch * channels: u_t in row t % taps

    HRM_BOTH index_t columns() const { return batch * channels; }
    index_t blocks() const { return (columns() + side - 1) / side; }
    static constexpr index_t bytes() { return threads * static_cast<index_t>(sizeof(double)); }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        double* const sums = reinterpret_cast<double*>(block.shared);
        const index_t t = *now, first = block.index * side;
        const auto newest = [&](index_t k) { return static_cast<S>(widened(u(k / channels, k % channels))); };
        block.each([&](int thread) {
            const index_t k = first + thread % side;
            if (k >= columns()) return;
            double sum = 0;
            for (index_t j = thread / side; j < taps; j += lanes) {
                const S x = j == 0 ? newest(k) : past((t - j + taps) % taps, k);
                sum = fma(static_cast<double>(h(j, k % channels)), static_cast<double>(x), sum);
            }
            sums[thread] = sum;
        });
        block.each([&](int thread) {
            const index_t k = first + thread;
            if (thread >= side || k >= columns()) return;
            double sum = 0;
            for (int lane = 0; lane < lanes; ++lane) sum += sums[lane * side + thread];
            past(t % taps, k) = newest(k);  // in place of the one that no tap reaches any more
            y(k / channels, k % channels) = narrowed<T>(sum);
        });
    }
};

/// The ring from a history, oldest first, or from zeros; token 0 is next.
template <real S>
struct begin_tokens {
    index_t taps, channels, batch;
    rows_of<const S> history;  ///< batch * (taps - 1) x channels, or null
    rows_of<S> past;
    index_t* now;
    HRM_BOTH void operator()(index_t i) const {
        const index_t row = i / (batch * channels), k = i % (batch * channels);
        past(row, k) = row > 0 && history ? history(k / channels * (taps - 1) + row - 1, k % channels) : S{0};
        if (i == 0) *now = 0;
    }
};
struct count_token {
    index_t* now;
    HRM_BOTH void operator()(index_t) const { ++*now; }
};

template <real S, class Device>
class token_convolution {
public:
    token_convolution(Device device, index_t taps, index_t channels, index_t batch)
        : device_(device), taps_(taps), channels_(channels), batch_(batch), past_(device, taps * batch * channels), now_(device, 1) {
        begin({});
    }
    void begin(matrix_view<const S> history) {
        device_.launch(taps_ * batch_ * channels_, begin_tokens<S>{taps_, channels_, batch_, history, past(), now_.data()});
    }
    template <storable T>
    void push(matrix_view<const S> h, read_view<T> u, matrix_view<T> y) {
        const convolve_token<S, T> f{taps_, channels_, batch_, now_.data(), h, u, y, past()};
        device_.launch_blocks(f.blocks(), f.bytes(), f);
        device_.launch(1, count_token{now_.data()});
    }

private:
    rows_of<S> past() { return {past_.data(), batch_ * channels_}; }

    Device device_;
    index_t taps_, channels_, batch_;
    work_area<Device, S> past_;
    work_area<Device, index_t> now_;
};

}  // namespace hrm::scan::detail
