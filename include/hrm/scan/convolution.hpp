#pragma once

#include <memory>
#include <string>
#include <variant>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/overlap_save.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan {

/// What lies before and after the signals of a convolution, batch * (taps - 1) rows each, oldest first; empty: zeros
/// before, nothing wanted after.
template <real S>
struct convolution_borders {
    matrix_view<const S> initial = {};  ///< the taps - 1 inputs before the first
    matrix_view<S> final = {};          ///< the last taps - 1 inputs, `initial` of what follows
};
template <real S>
struct convolution_backward_borders {
    matrix_view<const S> initial = {};  ///< of the forward
    matrix_view<S> dinitial = {};       ///< = dL/d initial
    matrix_view<const S> dfinal = {};   ///< dL/d final
};

namespace detail {

/// What a convolution's calls must agree with, the same on every device.
class convolution_extents {
public:
    convolution_extents(index_t taps, index_t channels, shape extents) : taps_(taps), channels_(channels), extents_(extents) {
        if (taps < 1 || channels < 1)
            throw shape_error("hrm::scan::convolution: the kernel is " + hrm::extents(taps, channels) + ", expected at least 1x1");
        checked_extents("hrm::scan::convolution", extents);
    }
    index_t taps() const { return taps_; }
    index_t channels() const { return channels_; }

protected:
    template <real S, class T>
    void check_forward(matrix_view<const S> h, matrix_view<const T> u, matrix_view<T> y, const convolution_borders<S>& borders) const {
        constexpr auto where = "hrm::scan::convolution::forward";
        check(where, h, u);
        require_shape(where, "y", y.rows, y.cols, u.rows, channels_);
        check_border(where, "the initial history", borders.initial);
        check_border(where, "the final history", borders.final);
    }
    template <real S, class T>
    void check_backward(matrix_view<const S> h, matrix_view<const T> u, matrix_view<const T> dy, matrix_view<T> du, matrix_view<S> dh,
                        const convolution_backward_borders<S>& borders) const {
        constexpr auto where = "hrm::scan::convolution::backward";
        check(where, h, u);
        require_shape(where, "dy", dy.rows, dy.cols, u.rows, channels_);
        if (!du.empty()) require_shape(where, "du", du.rows, du.cols, u.rows, channels_);
        if (!dh.empty()) require_shape(where, "dh", dh.rows, dh.cols, taps_, channels_);
        check_border(where, "the initial history", borders.initial);
        check_border(where, "dinitial", borders.dinitial);
        check_border(where, "dfinal", borders.dfinal);
    }

    index_t taps_, channels_;
    shape extents_;

private:
    template <real S, class T>
    void check(std::string_view where, matrix_view<const S> h, matrix_view<const T> u) const {
        require_shape(where, "the kernel", h.rows, h.cols, taps_, channels_);
        require_rows(where, "u is", u, extents_, channels_);
    }
    template <class T>
    void check_border(std::string_view where, std::string_view what, matrix_view<T> m) const {
        if (!m.empty()) require_shape(where, what, m.rows, m.cols, extents_.batch * (taps_ - 1), channels_);
    }
};

}  // namespace detail

/// Causal convolutions of many channels with a kernel each (S4, H3, Hyena: one state-space kernel or filter a channel):
///     y_t = sum_{j < K} h_j u_{t-j}       h: K x channels;   u, y: (batch * time) x channels, row b * time + t
///     hrm::scan::convolution<float> conv(hrm::cpu{.threads = 2}, taps, channels, {.batch = 4, .time = 65536});
///     conv.forward(h, u, y);   conv.backward(h, u, dy, du, dh);
/// Overlap-save with real transforms, the channels in the lanes of the registers (one or few channels: each across all
/// lanes): O(log K) a sample and channel. Errors are of the size eps log2(window) of the largest in a window of
/// window() inputs, so that a burst leaves that much on outputs up to a window earlier; a NaN spoils its window.
/// The kernel's spectrum is kept and made anew when the kernel changes. Owns all scratch, which does not grow with the
/// signal; calls allocate nothing; the number of threads never changes a bit. A call may bring fewer steps than planned.
/// A convolution from m inputs to p outputs through n states is this one between two products: u B^T, conv, then C^T.
/// Stockham 1966; Oppenheim and Schafer, Discrete-Time Signal Processing, 8.7.3.
template <real S, class Policy = cpu>
class convolution;

template <real S>
class convolution<S, cpu> : public detail::convolution_extents {
public:
    convolution(cpu where, index_t taps, index_t channels, shape extents)
        : convolution_extents(taps, channels, extents), team_(std::make_unique<team>(where)),
          engine_(choose(taps, channels, extents, team_->size())), kept_(taps, channels), sum_(taps, channels) {}

    /// Inputs in a window.
    index_t window() const {
        return std::visit([](const auto& e) { return e.window(); }, engine_);
    }

    /// y must not overlap u; both borders may be one view, which then carries a long signal from piece to piece.
    void forward(matrix_view<const S> h, matrix_view<const S> u, matrix_view<S> y, const convolution_borders<S>& borders = {}) {
        check_forward(h, u, y, borders);
        const index_t time = u.rows / extents_.batch;
        prepare(h);
        run(time, [&](index_t b) { return inputs(u, borders.initial, b, time); },
            [&](index_t b) { return detail::signal<S>{detail::ascending(y.slice_rows(b * time, time)), time}; });
        for (index_t b = 0; b < extents_.batch && !borders.final.empty(); ++b) {
            const auto in = inputs(u, borders.initial, b, time);
            for (index_t i = 0; i < taps_ - 1; ++i) {
                const S* row = in.place(time - (taps_ - 1) + i);
                if (row) std::copy_n(row, channels_, borders.final.row(b * (taps_ - 1) + i));
                else std::fill_n(borders.final.row(b * (taps_ - 1) + i), channels_, S{0});
            }
        }
    }

    /// The adjoint with the same h and u:   du_t = sum_j h_j dy_{t+j} (or empty: not wanted),   dh_j += sum_t dy_t u_{t-j}
    /// (or empty), summed in double over groups of 16 windows.
    void backward(matrix_view<const S> h, matrix_view<const S> u, matrix_view<const S> dy, matrix_view<S> du,
                  matrix_view<S> dh, const convolution_backward_borders<S>& borders = {}) {
        check_backward(h, u, dy, du, dh, borders);
        const index_t time = u.rows / extents_.batch;
        prepare(h);
        auto gradients = [&](index_t b) { return input_gradients(du, borders.dinitial, b, time); };
        if (!du.empty() || !borders.dinitial.empty()) {  // the convolution of dy in reverse, run on into the history
            run(borders.dinitial.empty() ? time : time + taps_ - 1,
                [&](index_t b) { return detail::signal<const S>{detail::descending(dy.slice_rows(b * time, time)), time}; },
                gradients);
            for (index_t b = 0; b < extents_.batch && !borders.dfinal.empty(); ++b)
                for (index_t i = 0; i < taps_ - 1; ++i)
                    if (S* row = gradients(b).place(taps_ - 2 - i))
                        for (index_t c = 0; c < channels_; ++c) row[c] += borders.dfinal(b * (taps_ - 1) + i, c);
        }
        if (dh.empty()) return;
        std::fill_n(sum_.data(), sum_.size(), 0.0);
        std::visit([&](auto& e) {
            team_->run(e.blocks(), [&](index_t block, int worker) {
                for (index_t b = 0; b < extents_.batch; ++b)
                    e.correlate(block, inputs(u, borders.initial, b, time),
                                detail::signal<const S>{detail::ascending(dy.slice_rows(b * time, time)), time}, sum_, worker);
            });
        }, engine_);
        for (index_t j = 0; j < taps_; ++j)
            for (index_t c = 0; c < channels_; ++c) dh(j, c) += static_cast<S>(sum_(j, c));
    }

private:
    using wide = detail::overlap_save<S, fourier::plan<S>>;      ///< channels in the lanes
    using narrow = detail::overlap_save<S, fourier::single<S>>;  ///< a channel across the lanes
    using either = std::variant<wide, narrow>;

    /// A transform of one sequence costs about a third of one of full lanes (bench/fft.cpp, where the lanes are 16).
    static either choose(index_t taps, index_t channels, shape extents, int workers) {
        if (channels * 6 <= simd::lanes<S>)
            return either(std::in_place_type<narrow>, taps, channels, extents.time, workers, fourier::single<S>::good_size);
        return either(std::in_place_type<wide>, taps, channels, extents.time, workers, fourier::good_size);
    }

    void prepare(matrix_view<const S> h) {
        bool same = known_;
        for (index_t j = 0; j < taps_; ++j) {
            same = same && std::equal(h.row(j), h.row(j) + channels_, kept_.view().row(j));
            std::copy_n(h.row(j), channels_, kept_.view().row(j));
        }
        known_ = true;
        if (!same) std::visit([&](auto& e) { e.refresh(h); }, engine_);
    }
    /// Sequence b with its history: row t < 0 is the border's row taps - 1 + t.
    detail::signal<const S> inputs(matrix_view<const S> u, matrix_view<const S> initial, index_t b, index_t time) const {
        detail::signal<const S> s{detail::ascending(u.slice_rows(b * time, time)), time};
        if (initial.empty()) return s;
        s.beyond = {initial.row((b + 1) * (taps_ - 1)), initial.stride};
        s.from = -(taps_ - 1);
        return s;
    }
    /// The same places backward: row r is du_{time-1-r}, and from `time` on dinitial.
    detail::signal<S> input_gradients(matrix_view<S> du, matrix_view<S> dinitial, index_t b, index_t time) const {
        detail::signal<S> s;
        if (!du.empty()) s.rows = detail::descending(du.slice_rows(b * time, time)), s.time = time;
        if (dinitial.empty()) return s;
        s.beyond = {dinitial.row(b * (taps_ - 1)) + (taps_ - 2 + time) * dinitial.stride, -dinitial.stride};
        s.from = time, s.to = time + taps_ - 1;
        return s;
    }
    template <class In, class Out>
    void run(index_t outputs, In&& in, Out&& out) {
        std::visit([&](auto& e) {
            const index_t windows = e.windows(outputs);
            team_->run(extents_.batch * e.blocks() * windows, [&](index_t item, int worker) {
                const index_t w = item % windows, block = item / windows % e.blocks(), b = item / windows / e.blocks();
                e.run(block, w, in(b), out(b), worker);
            });
        }, engine_);
    }

    std::unique_ptr<team> team_;
    either engine_;
    bool known_ = false;
    matrix<S> kept_;      ///< the kernel whose spectrum is ready
    matrix<double> sum_;  ///< dh
};

}  // namespace hrm::scan
