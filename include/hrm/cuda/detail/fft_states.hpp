#pragma once

#include <hrm/cuda/detail/chunked_states.hpp>
#include <hrm/cuda/detail/kept.hpp>
#include <hrm/cuda/detail/tile.hpp>
#include <hrm/scan/detail/mode_convolution.hpp>

// s = g * z with g_j = a^j for poles and pairs, in chunks zero-padded to twice their length and tied by a carry, as the CPU
// does (scan/detail/mode_convolution.hpp), in waves of chunks whose work areas do not grow with time:
//
//     gather    x = z r^-t, column by column                      a block 32 steps of 32 columns
//     cuFFT, multiply by the spectra of (a/r)^j / N, cuFFT back   a thread a bin
//     carry     c_{k+1} = a^length c_k + e_k in double            a thread a sequence and mode
//     scatter   s = x r^t + a^{t+1} c_k                           a block 32 steps of 32 columns
//
// r > 1 only where |a| > 1. Spectra are computed in double and rounded once, when A has changed. The order of chunks is
// by time, then by sequence. The adjoint is the same backwards in time with conj(g).

namespace hrm::scan::detail {

/// Chunks [first, first + count) of all sequences' in that order.
template <real S>
struct fft_wave {
    time_grid<S> g;
    index_t samples, first, count;
    const double* rates;  ///< log2 r of a mode

    HRM_BOTH index_t bins() const { return samples / 2 + 1; }
    HRM_BOTH index_t chunk(index_t item) const { return (first + item) / g.batch; }
    HRM_BOTH index_t sequence(index_t item) const { return (first + item) % g.batch; }
    HRM_BOTH index_t rows(index_t item) const { return g.last(chunk(item)) - g.first(chunk(item)); }
    HRM_BOTH index_t mode(index_t column) const { return column < g.modes() ? column : column - g.pairs; }
    HRM_BOTH double weight(index_t column, index_t step) const {
        const double rate = rates[mode(column)];
        return rate > 0 ? exp2(rate * static_cast<double>(step)) : 1.0;
    }
};

template <real S, storable T>
struct fft_gather {
    static constexpr int threads = hrm::detail::turning_tile::threads;
    fft_wave<S> w;
    rows_of<const T> z;
    rows_of<const S> beyond;
    S* x;

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const hrm::detail::turning_tile tile{w.samples, w.g.order()};
        tile.template columns_to_steps<S>(
            block,
            [&](index_t item, index_t t, index_t c) {
                if (t >= w.rows(item)) return S{0};
                const index_t step = w.g.first(w.chunk(item)) + t;
                double value = hrm::detail::widened(z(w.g.row(w.sequence(item), step), c));
                if (step == 0 && beyond) value += static_cast<double>(beyond(w.sequence(item), c));
                return static_cast<S>(value / w.weight(c, t));
            },
            [&](index_t item, index_t t, index_t c, S value) { x[(item * w.g.order() + c) * w.samples + t] = value; });
    }
};

/// Bins of the signals times those of the kernels; a pair's planes as one complex signal.
template <real S>
struct fft_multiply {
    fft_wave<S> w;
    const S* kernels;  ///< order x bins
    S* spectra;        ///< items x order x bins

    index_t size() const { return w.count * w.g.modes() * w.bins(); }
    HRM_BOTH void operator()(index_t i) const {
        const index_t bin = i % w.bins(), mode = i / w.bins() % w.g.modes(), item = i / w.bins() / w.g.modes();
        const S* k = kernels + 2 * (mode * w.bins() + bin);
        S* at = spectra + 2 * ((item * w.g.order() + mode) * w.bins() + bin);
        const S x = at[0], y = at[1];
        if (!w.g.pair(mode)) {
            at[0] = k[0] * x - k[1] * y, at[1] = k[0] * y + k[1] * x;
            return;
        }
        const index_t far = 2 * w.g.pairs * w.bins();
        S* plane = at + far;
        const S p = plane[0], q = plane[1], sign = w.g.adjoint ? S{-1} : S{1};
        const S c = k[0], d = k[1], e = sign * k[far], f = sign * k[far + 1];
        at[0] = c * x - d * y - (e * p - f * q), at[1] = c * y + d * x - (e * q + f * p);
        plane[0] = e * x - f * y + (c * p - d * q), plane[1] = e * y + f * x + (c * q + d * p);
    }
};

template <real S>
struct fft_carry {
    fft_wave<S> w;
    const S* x;
    rows_of<const S> initial;  ///< batch x order, or null: zero
    rows_of<double> running;   ///< batch x order: the state after the chunks so far
    rows_of<double> carried;   ///< items x order: c_k
    rows_of<S> dinitial;       ///< batch x order: A^* times the last state, or null

    HRM_BOTH void operator()(index_t i) const {
        const auto& g = w.g;
        const index_t sequence = i / g.modes(), mode = i % g.modes();
        const auto [re, im] = hrm::detail::power(g.re(mode), g.im(mode), g.length);
        mode_state s;
        if (sequence < w.first) s = g.load(running, sequence, mode);  // its first chunk is behind
        else if (initial) s = g.load(initial, sequence, mode);
        for (index_t item = (sequence + g.batch - w.first % g.batch) % g.batch; item < w.count; item += g.batch) {
            g.store(carried, item, mode, s);
            const index_t last = w.rows(item) - 1;
            const auto end = [&](index_t column) {
                return static_cast<double>(x[(item * g.order() + column) * w.samples + last]) * w.weight(column, last);
            };
            const mode_state e{end(mode), g.pair(mode) ? end(mode + g.pairs) : 0.0};
            const bool whole = last + 1 == g.length;
            const auto [a, b] = whole ? hrm::detail::twofold_complex{re, im} : hrm::detail::power(g.re(mode), g.im(mode), last + 1);
            s = pole{a.high, b.high}(s, pole{a.low, b.low}(s, e));
            if (dinitial && w.chunk(item) + 1 == g.chunks()) g.store(dinitial, sequence, mode, pole{g.re(mode), g.im(mode)}(s, {}));
        }
        g.store(running, sequence, mode, s);
    }
};

template <real S, storable T>
struct fft_scatter {
    static constexpr int threads = hrm::detail::turning_tile::threads;
    fft_wave<S> w;
    const S* x;
    rows_of<const double> carried;
    const S* powers;  ///< length x order: a^{t+1}
    rows_of<T> s;
    rows_of<S> final;  ///< batch x order, or null

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const auto& g = w.g;
        const hrm::detail::turning_tile tile{g.length, g.order()};
        tile.template steps_to_columns<S>(
            block, [&](index_t item, index_t t, index_t c) { return x[(item * g.order() + c) * w.samples + t]; },
            [&](index_t item, index_t t, index_t c, S value) {
                if (t >= w.rows(item)) return;
                const index_t mode = w.mode(c), chunk = w.chunk(item), sequence = w.sequence(item);
                const S* power = powers + t * g.order() + mode;
                double sum = fma(static_cast<double>(power[0]), carried(item, c), static_cast<double>(value) * w.weight(c, t));
                if (g.pair(mode)) {
                    const bool imaginary = c != mode;
                    const double d = static_cast<double>(power[g.pairs]), part = imaginary == g.adjoint ? -d : d;
                    sum = fma(part, carried(item, imaginary ? mode : mode + g.pairs), sum);
                }
                s(g.row(sequence, g.first(chunk) + t), c) = hrm::detail::narrowed<T>(sum);
                if (final && g.first(chunk) + t + 1 == g.time) final(sequence, c) = static_cast<S>(sum);
            });
    }
};

/// partial(p, :) = sum lambda_t conj(s_{t-1}) over span p of the rows of all sequences.
template <real S, storable T>
struct mode_gradient_part {
    time_grid<S> g;
    rows_of<const T> lambda, s;
    rows_of<const S> initial;
    index_t span;
    rows_of<double> partial;

    HRM_BOTH index_t rows() const { return g.batch * g.time; }
    HRM_BOTH index_t parts() const { return (rows() + span - 1) / span; }
    HRM_BOTH void operator()(index_t i) const {
        const index_t part = i / g.modes(), mode = i % g.modes(), end = (part + 1) * span < rows() ? (part + 1) * span : rows();
        mode_state da;
        for (index_t r = part * span, t = r % g.time; r < end; ++r, t = t + 1 == g.time ? 0 : t + 1) {
            mode_state before;
            if (t > 0) before = g.load(s, r - 1, mode);
            else if (initial) before = g.load(initial, r / g.time, mode);
            const mode_state l = g.load(lambda, r, mode);
            da.x += l.x * before.x + l.y * before.y;
            da.y += l.y * before.x - l.x * before.y;
        }
        g.store(partial, part, mode, da);
    }
};

/// The kernels (a/r)^t, zero from `length` on, in double, and a^{t+1}.
template <real S>
struct fft_kernels {
    fft_wave<S> w;
    double* x;  ///< order x samples
    S* powers;  ///< length x order

    index_t size() const { return w.g.modes() * w.samples; }
    HRM_BOTH void operator()(index_t i) const {
        const auto& g = w.g;
        const index_t t = i % w.samples, mode = i / w.samples;
        const auto now = t < g.length ? hrm::detail::power(g.re(mode), g.im(mode), t) : hrm::detail::twofold_complex{};
        const double weight = w.weight(mode, t);
        const mode_state value{now.re.high / weight, now.im.high / weight};
        x[mode * w.samples + t] = t < g.length ? value.x : 0;
        if (g.pair(mode)) x[(mode + g.pairs) * w.samples + t] = t < g.length ? value.y : 0;
        if (t >= g.length) return;
        const auto next = product(now, {{g.re(mode), 0}, {g.im(mode), 0}});
        g.store(rows_of<S>(powers, g.order()), t, mode, mode_state{next.re.high, next.im.high});
    }
};
template <real S>
struct round_spectra {
    const double* from;
    S* to;
    double scale;
    HRM_BOTH void operator()(index_t i) const { to[i] = static_cast<S>(from[i] * scale); }
};

/// Device: also transforms<S>(length, count), real transforms of `count` signals (cuda/fourier.cuh).
template <class A, class Device>
class fft_states {
public:
    using S = typename A::scalar;
    static constexpr index_t usual_wave = index_t{1} << 22;  ///< samples: 16 MiB in float, half of an H100's cache

    fft_states(Device device, const A& a, index_t batch, index_t time, index_t wave = usual_wave)
        : device_(device), reals_(modes<S>(a).reals()), pairs_(modes<S>(a).pairs()), batch_(batch),
          length_(mode_convolution<A>::chunk(a, time)), samples_(fourier::good_size(2 * length_ - 1)),
          items_(std::clamp<index_t>(wave / (samples_ * columns()), 1, std::max<index_t>(1, batch * ((time + length_ - 1) / length_)))),
          kept_(order()), host_rates_(static_cast<std::size_t>(reals_ + pairs_)),
          transforms_(device.template transforms<S>(samples_, items_ * columns())), exact_(device.template transforms<double>(samples_, columns())),
          poles_(device, order()), powers_(device, length_ * order()), kernels_(device, order() * 2 * bins()),
          x_(device, items_ * order() * samples_), spectra_(device, items_ * order() * 2 * bins()), rates_(device, order()),
          exact_x_(device, order() * samples_), exact_spectra_(device, order() * 2 * bins()), running_(device, batch * order()),
          carried_(device, items_ * order()), sums_(device, (parts + parts / 32) * order()) {}

    index_t length() const { return length_; }
    index_t order() const { return reals_ + 2 * pairs_; }
    index_t wave_items() const { return items_; }

    template <storable T = S>
    void states(const A& a, read_view<T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        if (z.empty()) return hrm::detail::copy_border<S>(device_, initial, final);
        prepare(a);
        run<T>(z.rows / batch_, false, z, {}, initial, s, final, {});
    }
    template <storable T = S>
    void states_backward(const A& a, read_view<T> s, matrix_view<const S> initial, matrix_view<T> ds, std::span<S> da,
                         matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        if (s.empty()) return hrm::detail::copy_border<S>(device_, dfinal, dinitial);
        prepare(a);
        const index_t time = s.rows / batch_, span = std::max<index_t>(64, (s.rows + parts - 1) / parts);
        run<T>(time, true, ds, dfinal, {}, ds, {}, dinitial);
        const rows_of<double> sums(sums_.data(), order());
        const mode_gradient_part<S, T> sum{grid(time, false), matrix_view<const T>(ds), s, initial, span, sums};
        device_.launch(sum.parts() * (reals_ + pairs_), sum);
        hrm::detail::add_rows(device_, sums, {sums_.data() + parts * order(), order()}, sum.parts(), order(), da.data());
    }

private:
    static constexpr index_t parts = 256;  ///< of the gradient
    index_t bins() const { return samples_ / 2 + 1; }
    index_t columns() const { return std::max<index_t>(order(), 1); }  ///< no transform is of nothing
    time_grid<S> grid(index_t time, bool adjoint) { return {poles_.data(), reals_, pairs_, batch_, time, length_, adjoint}; }

    template <storable T>
    void run(index_t time, bool adjoint, matrix_view<const T> z, matrix_view<const S> beyond, matrix_view<const S> initial,
             matrix_view<T> s, matrix_view<S> final, matrix_view<S> dinitial) {
        fft_wave<S> w{grid(time, adjoint), samples_, 0, 0, rates_.data()};
        const rows_of<double> running(running_.data(), order()), carried(carried_.data(), order());
        const index_t bytes = hrm::detail::turning_tile::bytes<S>(), items = batch_ * w.g.chunks();
        for (; w.first < items; w.first += w.count) {
            w.count = std::min(items_, items - w.first);
            device_.launch_blocks(hrm::detail::turning_tile{samples_, order()}.blocks(w.count), bytes,
                                  fft_gather<S, T>{w, z, beyond, x_.data()});
            transforms_.forward(x_.data(), spectra_.data());
            const fft_multiply<S> multiply{w, kernels_.data(), spectra_.data()};
            device_.launch(multiply.size(), multiply);
            transforms_.inverse(spectra_.data(), x_.data());
            device_.launch(batch_ * w.g.modes(), fft_carry<S>{w, x_.data(), initial, running, carried, dinitial});
            device_.launch_blocks(hrm::detail::turning_tile{length_, order()}.blocks(w.count), bytes,
                                  fft_scatter<S, T>{w, x_.data(), carried.reading(), powers_.data(), s, final});
        }
    }

    void prepare(const A& structure) {
        kept_.refresh(device_, structure, [&] {
            const modes<S> a(structure);
            const auto rate = [&](index_t i) { return mode_rate(a, i); };
            require_growth<S>(length_, a.reals() + a.pairs(), rate);
            for (std::size_t i = 0; i < host_rates_.size(); ++i) host_rates_[i] = rate(static_cast<index_t>(i));
            put_modes(device_, a, poles_.data());
            hrm::detail::put<double>(device_, host_rates_, rates_.data());
            const fft_kernels<S> kernels{{grid(length_, false), samples_, 0, 0, rates_.data()}, exact_x_.data(), powers_.data()};
            device_.launch(kernels.size(), kernels);
            exact_.forward(exact_x_.data(), exact_spectra_.data());
            device_.launch(order() * 2 * bins(),
                           round_spectra<S>{exact_spectra_.data(), kernels_.data(), 1 / static_cast<double>(samples_)});
        });
    }

    Device device_;
    index_t reals_, pairs_, batch_, length_, samples_, items_;
    hrm::detail::kept_for<A> kept_;
    buffer<double> host_rates_;
    decltype(std::declval<Device&>().template transforms<S>(1, 1)) transforms_;
    decltype(std::declval<Device&>().template transforms<double>(1, 1)) exact_;
    work_area<Device, S> poles_, powers_, kernels_, x_, spectra_;
    work_area<Device, double> rates_, exact_x_, exact_spectra_, running_, carried_, sums_;
};

}  // namespace hrm::scan::detail
