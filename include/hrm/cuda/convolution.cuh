#pragma once

#include <hrm/cuda/detail/token_convolution.hpp>
#include <hrm/cuda/detail/window_convolution.hpp>
#include <hrm/cuda/fourier.cuh>
#include <hrm/scan/convolution.hpp>
#include <hrm/scan/convolution_stream.hpp>

namespace hrm::scan {

/// The same on the device, everything there, h too; u, y and their gradients in S or bf16:
///     hrm::scan::convolution<float, hrm::cuda> conv(hrm::cuda{stream}, taps, channels, {.batch = 4, .time = 65536});
///     conv.forward(h, u, y);   conv.backward(h, u, dy, du, dh);
/// Overlap-save by cuFFT; a long signal comes in pieces through the borders, which may be one view. h is read in every call.
/// Allocates nothing and waits for nothing after construction, and may be captured. dh is summed in double.
template <real S>
class convolution<S, cuda> : public detail::convolution_extents {
public:
    convolution(cuda where, index_t taps, index_t channels, shape extents)
        : convolution_extents(taps, channels, extents), work_({{where}}, taps, channels, extents) {}

    index_t window() const { return work_.window(); }

    void forward(matrix_view<const S> h, matrix_view<const S> u, matrix_view<S> y, const convolution_borders<S>& borders = {}) {
        run_forward(h, u, y, borders);
    }
    void forward(matrix_view<const S> h, matrix_view<const bf16> u, matrix_view<bf16> y, const convolution_borders<S>& borders = {}) {
        run_forward(h, u, y, borders);
    }
    void backward(matrix_view<const S> h, matrix_view<const S> u, matrix_view<const S> dy, matrix_view<S> du, matrix_view<S> dh,
                  const convolution_backward_borders<S>& borders = {}) {
        run_backward(h, u, dy, du, dh, borders);
    }
    void backward(matrix_view<const S> h, matrix_view<const bf16> u, matrix_view<const bf16> dy, matrix_view<bf16> du,
                  matrix_view<S> dh, const convolution_backward_borders<S>& borders = {}) {
        run_backward(h, u, dy, du, dh, borders);
    }

private:
    template <class T>
    void run_forward(matrix_view<const S> h, matrix_view<const T> u, matrix_view<T> y, const convolution_borders<S>& borders) {
        check_forward(h, u, y, borders);
        work_.forward(h, u, y, borders.initial, borders.final);
    }
    template <class T>
    void run_backward(matrix_view<const S> h, matrix_view<const T> u, matrix_view<const T> dy, matrix_view<T> du, matrix_view<S> dh,
                      const convolution_backward_borders<S>& borders) {
        check_backward(h, u, dy, du, dh, borders);
        work_.backward(h, u, dy, du, dh, borders.initial, borders.dinitial, borders.dfinal);
    }
    detail::window_convolution<S, hrm::detail::cuda_fourier_device> work_;
};

/// A convolution's next token of every sequence of a batch, everything on the device:
///     hrm::scan::convolution_stream<float, hrm::cuda> stream(hrm::cuda{s}, taps, channels, batch);
///     stream.begin(history);      // as convolution's `final`, or empty: zeros
///     stream.push(h, u, y);       // batch x channels, in S or bf16; y may be u
/// Reads h and the last `taps` inputs in every call, in a launch and a small one: O(taps) a number. Captured, a graph goes on
/// from token to token. Sums run in double, always in the same order.
template <real S>
class convolution_stream<S, cuda> : public detail::convolution_extents {
public:
    convolution_stream(cuda where, index_t taps, index_t channels, index_t batch)
        : convolution_extents(taps, channels, {.batch = batch, .time = 1}), work_({where}, taps, channels, batch) {}

    index_t batch() const { return extents_.batch; }

    /// Forgets every input but those of the history: batch * (taps - 1) x channels, oldest first.
    void begin(matrix_view<const S> history = {}) {
        if (!history.empty())
            require_shape("hrm::scan::convolution_stream::begin", "the history", history.rows, history.cols, extents_.batch * (taps_ - 1), channels_);
        work_.begin(history);
    }
    void push(matrix_view<const S> h, matrix_view<const S> u, matrix_view<S> y) { run(h, u, y); }
    void push(matrix_view<const S> h, matrix_view<const bf16> u, matrix_view<bf16> y) { run(h, u, y); }

private:
    template <class T>
    void run(matrix_view<const S> h, matrix_view<const T> u, matrix_view<T> y) {
        constexpr auto where = "hrm::scan::convolution_stream::push";
        require_shape(where, "the kernel", h.rows, h.cols, taps_, channels_);
        require_shape(where, "u", u.rows, u.cols, extents_.batch, channels_);
        require_shape(where, "y", y.rows, y.cols, extents_.batch, channels_);
        work_.push(h, u, y);
    }
    detail::token_convolution<S, hrm::detail::cuda_device> work_;
};

}  // namespace hrm::scan
