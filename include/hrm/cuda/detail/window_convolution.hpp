#pragma once

#include <hrm/cuda/detail/tile.hpp>
#include <hrm/fourier/good_size.hpp>
#include <hrm/scan/engine.hpp>

// Causal convolutions of long signals by short transforms, windows that overlap by the kernel's length, as the CPU does
// (scan/detail/overlap_save.hpp), in waves of windows whose work areas do not grow with time. The adjoint is the same on dy
// backwards in time, run on into the history; dh is summed in double over all windows as spectra.

namespace hrm::scan::detail {

using hrm::detail::narrowed;
using hrm::detail::read_view;
using hrm::detail::rows_of;
using hrm::detail::turning_tile;
using hrm::detail::widened;
using hrm::detail::work_area;

/// Windows [first, first + count) of all sequences', by sequence; hop outputs each, after `lead` samples of overlap.
struct window_wave {
    index_t samples, lead, channels, batch, time, windows, first, count;
    bool adjoint;

    HRM_BOTH index_t hop() const { return samples - lead; }
    HRM_BOTH index_t bins() const { return samples / 2 + 1; }
    HRM_BOTH index_t sequence(index_t item) const { return (first + item) / windows; }
    /// The step of a window's sample t, in the direction of time.
    HRM_BOTH index_t step(index_t item, index_t t) const { return (first + item) % windows * hop() + t - lead; }
    HRM_BOTH index_t at(index_t item, index_t c, index_t t) const { return (item * channels + c) * samples + t; }
    /// The input's time at a step: before 0 it lies in the history.
    HRM_BOTH index_t when(index_t step) const { return adjoint ? time - 1 - step : step; }
};

template <real S, storable T>
struct gather_windows {
    static constexpr int threads = turning_tile::threads;
    window_wave w;
    rows_of<const T> u;
    rows_of<const S> history;  ///< batch * lead x channels; null: zeros
    index_t skip;              ///< so many samples of a window are zero
    S* x;

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        turning_tile{w.samples, w.channels}.template columns_to_steps<S>(
            block,
            [&](index_t item, index_t t, index_t c) {
                const index_t step = w.step(item, t), when = w.when(step), b = w.sequence(item);
                if (t < skip || step >= w.time) return S{0};
                if (step >= 0) return static_cast<S>(widened(u(b * w.time + when, c)));
                return history && !w.adjoint ? history(b * w.lead + w.lead + when, c) : S{0};
            },
            [&](index_t item, index_t t, index_t c, S value) { x[w.at(item, c, t)] = value; });
    }
};

/// The kernel as one window, times 1 / samples.
template <real S>
struct gather_kernel {
    static constexpr int threads = turning_tile::threads;
    window_wave w;
    rows_of<const S> h;
    S* x;
    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        turning_tile{w.samples, w.channels}.template columns_to_steps<S>(
            block, [&](index_t, index_t t, index_t c) { return t <= w.lead ? h(t, c) / static_cast<S>(w.samples) : S{0}; },
            [&](index_t, index_t t, index_t c, S value) { x[w.at(0, c, t)] = value; });
    }
};

template <real S>
struct multiply_windows {
    window_wave w;
    const S* kernel;
    S* spectra;
    HRM_BOTH void operator()(index_t i) const {
        const S* k = kernel + 2 * (i % (w.channels * w.bins()));
        S* at = spectra + 2 * i;
        const S x = at[0], y = at[1];
        at[0] = k[0] * x - k[1] * y, at[1] = k[0] * y + k[1] * x;
    }
};

template <real S, storable T>
struct scatter_windows {
    static constexpr int threads = turning_tile::threads;
    window_wave w;
    const S* x;
    rows_of<T> y;               ///< null: not wanted
    rows_of<S> beyond;          ///< batch * lead x channels: what falls into the history, adjoint only; null: not wanted
    rows_of<const S> after;     ///< batch * lead x channels: added to the last inputs, adjoint only

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        turning_tile{w.samples, w.channels}.template steps_to_columns<S>(
            block, [&](index_t item, index_t t, index_t c) { return x[w.at(item, c, t)]; },
            [&](index_t item, index_t t, index_t c, S value) {
                const index_t step = w.step(item, t), when = w.when(step), b = w.sequence(item);
                if (t < w.lead || step >= w.time + (w.adjoint ? w.lead : 0)) return;
                if (after && step < w.lead) value += after(b * w.lead + w.lead - 1 - step, c);
                if (when >= 0 && y) y(b * w.time + when, c) = narrowed<T>(static_cast<double>(value));
                else if (when < 0 && beyond) beyond(b * w.lead + w.lead + when, c) = value;
            });
    }
};

/// total (+)= sum over the wave's windows of dy's spectrum times the conjugate of u's.
template <real S>
struct correlate_windows {
    window_wave w;
    const S *dy, *u;
    double* total;  ///< channels x bins
    HRM_BOTH void operator()(index_t i) const {
        const index_t size = w.channels * w.bins();
        double re = w.first ? total[2 * i] : 0, im = w.first ? total[2 * i + 1] : 0;
        for (index_t item = 0; item < w.count; ++item) {
            const S *p = dy + 2 * (item * size + i), *q = u + 2 * (item * size + i);
            const double a = static_cast<double>(p[0]), b = static_cast<double>(p[1]), c = static_cast<double>(q[0]),
                         d = static_cast<double>(q[1]);
            re += a * c + b * d, im += b * c - a * d;
        }
        total[2 * i] = re, total[2 * i + 1] = im;
    }
};
template <real S>
struct add_kernel_gradient {
    window_wave w;
    const double* x;
    rows_of<S> dh;
    HRM_BOTH void operator()(index_t i) const {
        const index_t j = i / w.channels, c = i % w.channels;
        dh(j, c) += static_cast<S>(x[w.at(0, c, j)] / static_cast<double>(w.samples));
    }
};

/// The last `lead` inputs of every sequence and channel, one thread from the oldest to the newest: `to` may be `history`.
template <real S, storable T>
struct keep_history {
    window_wave w;
    rows_of<const T> u;
    rows_of<const S> history;
    rows_of<S> to;
    HRM_BOTH void operator()(index_t i) const {
        const index_t b = i / w.channels, c = i % w.channels;
        for (index_t k = 0; k < w.lead; ++k) {
            const index_t t = w.time - w.lead + k;
            if (t >= 0) to(b * w.lead + k, c) = static_cast<S>(widened(u(b * w.time + t, c)));
            else to(b * w.lead + k, c) = history ? history(b * w.lead + w.lead + t, c) : S{0};
        }
    }
};

template <real S, class Device>
class window_convolution {
public:
    static constexpr index_t usual_wave = index_t{1} << 22;  ///< samples, as in fft_states

    window_convolution(Device device, index_t taps, index_t channels, shape extents, index_t wave = usual_wave)
        : device_(device), taps_(taps), channels_(channels), batch_(extents.batch), samples_(window_length(taps, extents.time)),
          items_(std::clamp<index_t>(wave / (samples_ * channels), 1,
                                     batch_ * std::max<index_t>(1, windows(extents.time + taps - 1)))),
          signals_(device.template transforms<S>(samples_, items_ * channels)), kernels_(device.template transforms<S>(samples_, channels)),
          sums_(device.template transforms<double>(samples_, channels)), x_(device, items_ * channels * samples_),
          f_(device, items_ * channels * 2 * bins()), g_(device, items_ * channels * 2 * bins()),
          kernel_(device, channels * 2 * bins()), total_(device, channels * 2 * bins()), sum_(device, channels * samples_) {}

    /// Windows of at least four kernels and 1024 samples, a power of two: three quarters of a window are outputs; one window
    /// where the signal is shorter. By what has to be moved; not measured.
    static index_t window_length(index_t taps, index_t time) {
        const index_t whole = fourier::good_size(taps - 1 + std::max<index_t>(time, 1));
        index_t n = 1024;
        while (n < 4 * taps) n *= 2;
        return std::min(n, whole);
    }
    index_t window() const { return samples_; }

    template <storable T>
    void forward(matrix_view<const S> h, read_view<T> u, matrix_view<T> y, matrix_view<const S> initial, matrix_view<S> final) {
        prepare(h);
        auto w = wave(u.rows / batch_, u.rows / batch_, false);
        convolve<T>(w, u, initial, y, {}, {});
        if (!final.empty()) device_.launch(batch_ * channels_, keep_history<S, T>{w, u, initial, final});
    }
    template <storable T>
    void backward(matrix_view<const S> h, read_view<T> u, read_view<T> dy, matrix_view<T> du, matrix_view<S> dh,
                  matrix_view<const S> initial, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        prepare(h);
        const index_t time = u.rows / batch_;
        if (!du.empty() || !dinitial.empty())
            convolve<T>(wave(time, time + (dinitial.empty() ? 0 : taps_ - 1), true), dy, {}, du, dinitial, dfinal);
        if (dh.empty() || time == 0) return;
        auto w = wave(time, time, false);
        each_wave(w, [&] {
            gather<T>(w, u, initial, 0, f_.data());
            gather<T>(w, dy, {}, w.lead, g_.data());
            device_.launch(channels_ * bins(), correlate_windows<S>{w, g_.data(), f_.data(), total_.data()});
        });
        sums_.inverse(total_.data(), sum_.data());
        device_.launch(taps_ * channels_, add_kernel_gradient<S>{w, sum_.data(), dh});
    }

private:
    index_t bins() const { return samples_ / 2 + 1; }
    index_t windows(index_t outputs) const {
        const index_t hop = samples_ - taps_ + 1;
        return (outputs + hop - 1) / hop;
    }
    window_wave wave(index_t time, index_t outputs, bool adjoint) const {
        return {samples_, taps_ - 1, channels_, batch_, time, windows(outputs), 0, 0, adjoint};
    }
    template <class F>
    void each_wave(window_wave& w, F&& f) {
        const index_t all = batch_ * w.windows;
        for (; w.first < all; w.first += w.count) {
            w.count = std::min(items_, all - w.first);
            f();
        }
    }
    template <class F>
    void turn(index_t items, const F& f) {
        device_.launch_blocks(turning_tile{samples_, channels_}.blocks(items), turning_tile::bytes<S>(), f);
    }
    template <storable T>
    void gather(const window_wave& w, matrix_view<const T> u, matrix_view<const S> history, index_t skip, S* spectra) {
        turn(w.count, gather_windows<S, T>{w, u, history, skip, x_.data()});
        signals_.forward(x_.data(), spectra);
    }
    /// The kernel lies on the device, where it may change unseen: its spectrum is made in every call.
    void prepare(matrix_view<const S> h) {
        turn(1, gather_kernel<S>{wave(0, 0, false), h, x_.data()});
        kernels_.forward(x_.data(), kernel_.data());
    }
    template <storable T>
    void convolve(window_wave w, matrix_view<const T> u, matrix_view<const S> history, matrix_view<T> y, matrix_view<S> beyond,
                  matrix_view<const S> after) {
        each_wave(w, [&] {
            gather<T>(w, u, history, 0, f_.data());
            device_.launch(w.count * channels_ * bins(), multiply_windows<S>{w, kernel_.data(), f_.data()});
            signals_.inverse(f_.data(), x_.data());
            turn(w.count, scatter_windows<S, T>{w, x_.data(), y, beyond, after});
        });
    }

    Device device_;
    index_t taps_, channels_, batch_, samples_, items_;
    decltype(std::declval<Device&>().template transforms<S>(1, 1)) signals_, kernels_;
    decltype(std::declval<Device&>().template transforms<double>(1, 1)) sums_;
    work_area<Device, S> x_, f_, g_, kernel_;
    work_area<Device, double> total_, sum_;
};

}  // namespace hrm::scan::detail
