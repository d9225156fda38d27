#pragma once

#include <algorithm>
#include <cmath>

#include <hrm/fourier/single.hpp>
#include <hrm/scan/detail/recurrence.hpp>

// Causal convolutions of long signals by short transforms: windows that overlap by the kernel's length.

namespace hrm::scan::detail {

/// Rows 0..time-1 of a signal in one direction of time, and rows from..to-1 beyond them that lie elsewhere; the rest is
/// zero.
template <class T>
struct signal {
    track<T> rows;
    index_t time = 0;
    track<T> beyond = {};
    index_t from = 0, to = 0;

    T* place(index_t t) const {
        if (t >= 0 && t < time) return rows.row(t);
        return t >= from && t < to ? beyond.row(t) : nullptr;
    }
    signal column(index_t c) const {
        auto moved = [c](track<T> x) { return track<T>{x.first ? x.first + c : nullptr, x.step}; };
        return {moved(rows), time, moved(beyond), from, to};
    }
};

/// The length of transform that costs least for `time` outputs of a kernel of `taps`: windows of n give n - taps + 1
/// outputs each, at log2 n passes and about four more; beyond 2^19 bytes a window falls out of the second-level cache
/// and every doubling costs what five passes do (bench/fft.cpp).
template <class Transform, real S, class F>
index_t window_length(index_t taps, index_t time, F&& good) {
    const index_t whole = good(taps - 1 + std::max<index_t>(time, 1));
    auto cost = [&](index_t n) {
        const index_t hop = n - taps + 1, windows = (time + hop - 1) / hop;
        const double size = static_cast<double>(n), bytes = size * static_cast<double>(Transform::width * sizeof(S));
        return static_cast<double>(windows) * size * (std::log2(size) + 4 + 5 * std::max(0.0, std::log2(bytes) - 19));
    };
    index_t best = whole;
    for (index_t n = good(2 * taps); n < whole; n = good(n + n / 4 + 1))
        if (cost(n) < cost(best)) best = n;
    return best;
}

/// y_t = sum_{j < taps} h_j u_{t-j} channel by channel, as tasks of one window of up to Transform::width channels, and
/// the gradient of h. Linear in the length of the signal; scratch of four windows a worker.
template <real S, class Transform>
class overlap_save {
public:
    template <class F>
    overlap_save(index_t taps, index_t channels, index_t time, int workers, F&& good)
        : taps_(taps), channels_(channels), transform_(window_length<Transform, S>(taps, time, good)),
          hop_(transform_.length() - taps + 1), kernel_(blocks(), transform_.spectrum_size()),
          x_(workers, transform_.samples_size()), f_(workers, 3 * transform_.spectrum_size()),
          scratch_(workers, transform_.scratch_size()) {}

    index_t blocks() const { return (channels_ + width - 1) / width; }
    index_t windows(index_t outputs) const { return (outputs + hop_ - 1) / hop_; }
    index_t window() const { return transform_.length(); }

    /// kernel: taps x channels.
    void refresh(matrix_view<const S> kernel) {
        const signal<const S> h{ascending(kernel), taps_};
        for (index_t b = 0; b < blocks(); ++b) {
            gather(h, b, 0, 0, transform_.length(), x_.data());
            transform_.forward(x_.data(), kernel_.view().row(b), scratch_.data());
        }
    }
    /// Outputs [w hop, (w + 1) hop) of the channels of a block; whatever `out` has no place for is dropped.
    void run(index_t block, index_t w, const signal<const S>& in, const signal<S>& out, int worker) {
        S *x = x_.view().row(worker), *f = f_.view().row(worker), *scratch = scratch_.view().row(worker);
        const index_t first = w * hop_, lead = taps_ - 1;
        gather(in, block, first - lead, 0, transform_.length(), x);
        transform_.forward(x, f, scratch);
        const S* h = kernel_.view().row(block);
        each_bin([&]<class V>(index_t re, index_t im) {
            V a, b, c, d;
            load(a, f + re), load(b, f + im), load(c, h + re), load(d, h + im);
            const V r = a * c - b * d, i = a * d + b * c;
            store(f + re, r), store(f + im, i);
        });
        transform_.inverse(f, x, scratch);
        scatter(x + lead * width, out, block, first, hop_);
    }
    /// sum (taps x channels) += sum_t dy_t u_{t-j} for the channels of a block: up to 16 windows are added up as spectra.
    void correlate(index_t block, const signal<const S>& u, const signal<const S>& dy, matrix_view<double> sum, int worker) {
        const index_t size = transform_.spectrum_size(), lead = taps_ - 1, count = std::min(width, channels_ - block * width);
        S *x = x_.view().row(worker), *scratch = scratch_.view().row(worker);
        S *f = f_.view().row(worker), *g = f + size, *total = g + size;
        const index_t all = windows(dy.time);
        for (index_t w = 0; w < all;) {
            std::fill_n(total, size, S{0});
            for (const index_t end = std::min(all, w + 16); w < end; ++w) {
                const index_t first = w * hop_ - lead;
                gather(u, block, first, 0, transform_.length(), x);
                transform_.forward(x, f, scratch);
                gather(dy, block, first, lead, transform_.length(), x);
                transform_.forward(x, g, scratch);
                each_bin([&]<class V>(index_t re, index_t im) {  // g conj(f)
                    V a, b, c, d, p, q;
                    load(a, g + re), load(b, g + im), load(c, f + re), load(d, f + im), load(p, total + re), load(q, total + im);
                    p += a * c + b * d, q += b * c - a * d;
                    store(total + re, p), store(total + im, q);
                });
            }
            transform_.inverse(total, x, scratch);
            for (index_t j = 0; j < taps_; ++j)
                for (index_t i = 0; i < count; ++i) sum(j, block * width + i) += static_cast<double>(x[j * width + i]);
        }
    }

private:
    static constexpr index_t width = Transform::width;
    /// Rows first + skip .. first + n - 1 of a block's channels as samples skip..n-1; the others are zero.
    void gather(const signal<const S>& all, index_t block, index_t first, index_t skip, index_t n, S* to) const {
        const auto from = all.column(block * width);
        const index_t count = std::min(width, channels_ - block * width);
        const index_t start = std::clamp(-first, skip, n), end = std::clamp(from.time - first, start, n);
        std::fill_n(to, skip * width, S{0});
        auto border = [&](index_t t) {
            const S* row = from.place(first + t);
            for (index_t i = 0; i < width; ++i) to[t * width + i] = row && i < count ? row[i] : S{0};
        };
        for (index_t t = skip; t < start; ++t) border(t);
        if (end > start) copy(from.rows.row(first + start), from.rows.step, to + start * width, width, end - start, count);
        if (count < width)
            for (index_t t = start; t < end; ++t) std::fill(to + t * width + count, to + (t + 1) * width, S{0});
        for (index_t t = end; t < n; ++t) border(t);
    }
    /// Samples x as rows first.. of a block's channels, where `out` has places for them.
    void scatter(const S* x, const signal<S>& all, index_t block, index_t first, index_t n) const {
        const auto to = all.column(block * width);
        const index_t count = std::min(width, channels_ - block * width);
        const index_t end = std::clamp(to.time - first, index_t{0}, n);
        if (end > 0) copy(x, width, to.rows.row(first), to.rows.step, end, count);
        for (index_t t = end; t < n; ++t)
            if (S* row = to.place(first + t)) std::copy_n(x + t * width, count, row);
    }
    /// `rows` rows of `count` numbers, at either side so many numbers apart.
    static void copy(const S* from, index_t from_step, S* to, index_t to_step, index_t rows, index_t count) {
        if (count == 1 && from_step == 1 && to_step == 1) {
            std::copy_n(from, rows, to);
        } else if (count == width) {
            for (index_t t = 0; t < rows; ++t) std::copy_n(from + t * from_step, width, to + t * to_step);
        } else {
            for (index_t t = 0; t < rows; ++t) std::copy_n(from + t * from_step, count, to + t * to_step);
        }
    }
    /// f.template operator()<V>(where real parts lie, where imaginary parts do): every number of a spectrum, a register V
    /// of each at a time and, of one sequence, what is left over alone.
    template <class F>
    void each_bin(F&& f) const {
        constexpr int W = simd::lanes<S>;
        using V = simd::pack<S, W>;
        const index_t gap = transform_.gap(), bins = transform_.bins();
        if constexpr (width == 1) {
            index_t k = 0;
            for (; k + W <= bins; k += W) f.template operator()<V>(k, k + gap);
            for (; k < bins; ++k) f.template operator()<S>(k, k + gap);
        } else {
            static_assert(width == W && Transform::step == 2 * W);
            for (index_t k = 0; k < bins; ++k) f.template operator()<V>(k * 2 * W, k * 2 * W + W);
        }
    }

    index_t taps_, channels_;
    Transform transform_;
    index_t hop_;
    matrix<S> kernel_;           ///< spectra, a row a block
    matrix<S> x_, f_, scratch_;  ///< a worker's
};

}  // namespace hrm::scan::detail
