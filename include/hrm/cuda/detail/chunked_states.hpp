#pragma once

#include <span>

#include <hrm/cuda/detail/twin.hpp>
#include <hrm/scan/modes.hpp>

// s_t = A s_{t-1} + z_t for poles and pairs, cut so that a GPU has enough to do.
//
//     e_k      = last state of chunk k, started from zero               local_ends      one thread a chunk and mode
//     c_{k+1}  = A^length c_k + e_k,   c_0 the initial state            carries         one thread a sequence and mode
//     s        = the recurrence in chunk k, started from c_k            write_states    one thread a chunk and mode
//
// The adjoint, lambda_t = ds_t + A^* lambda_{t+1}, is the same backwards in time. z is read twice and s written once; no
// thread waits for another within a launch, so the bits are the same from run to run, and nothing hinders a CUDA graph.
// States run in double, powers in twice that: errors are those of rounding s once, whatever S is.

namespace hrm::scan::detail {

using hrm::detail::read_view;
using hrm::detail::rows_of;
using hrm::detail::twofold;
using hrm::detail::work_area;

/// A real pole's state, or the real and the imaginary half of a pair's.
struct mode_state {
    double x = 0, y = 0;
};

/// The work of one call: which poles, which extents, which direction of time.
template <real S>
struct time_grid {
    const S* poles;  ///< [real q | re k | im k], on the device
    index_t reals, pairs, batch, time, length;
    bool adjoint;

    HRM_BOTH index_t order() const { return reals + 2 * pairs; }
    HRM_BOTH index_t modes() const { return reals + pairs; }
    HRM_BOTH index_t chunks() const { return (time + length - 1) / length; }
    index_t items() const { return batch * chunks() * modes(); }

    /// The thread of an index: modes vary fastest, so that neighbours read neighbouring columns.
    struct place {
        index_t sequence, chunk, mode;
    };
    HRM_BOTH place at(index_t i) const {
        const index_t m = modes(), c = chunks();
        return {i / (m * c), i / m % c, i % m};
    }
    HRM_BOTH bool pair(index_t mode) const { return mode >= reals; }
    HRM_BOTH double re(index_t mode) const { return static_cast<double>(poles[mode]); }
    HRM_BOTH double im(index_t mode) const {
        const double d = pair(mode) ? static_cast<double>(poles[mode + pairs]) : 0.0;
        return adjoint ? -d : d;
    }
    /// Steps count in the direction of the recurrence.
    HRM_BOTH index_t row(index_t sequence, index_t step) const { return sequence * time + (adjoint ? time - 1 - step : step); }
    HRM_BOTH index_t first(index_t chunk) const { return chunk * length; }
    HRM_BOTH index_t last(index_t chunk) const { return chunk * length + length < time ? chunk * length + length : time; }

    template <class T>
    HRM_BOTH mode_state load(rows_of<T> m, index_t row, index_t mode) const {
        return {hrm::detail::widened(m(row, mode)), pair(mode) ? hrm::detail::widened(m(row, mode + pairs)) : 0.0};
    }
    template <class T>
    HRM_BOTH void store(rows_of<T> m, index_t row, index_t mode, mode_state s) const {
        m(row, mode) = hrm::detail::narrowed<T>(s.x);
        if (pair(mode)) m(row, mode + pairs) = hrm::detail::narrowed<T>(s.y);
    }
};

/// A's action on one mode: re + i im.
struct pole {
    double re, im;
    HRM_BOTH mode_state operator()(mode_state s, mode_state z) const {
        return {fma(re, s.x, fma(-im, s.y, z.x)), fma(im, s.x, fma(re, s.y, z.y))};
    }
};

/// z at a step: the first takes in what comes from beyond the end (the adjoint of the final state). T: how z is stored.
template <real S, storable T = S>
struct inputs {
    rows_of<const T> z;
    rows_of<const S> beyond;
    HRM_BOTH mode_state operator()(const time_grid<S>& g, index_t sequence, index_t step, index_t mode) const {
        mode_state v = g.load(z, g.row(sequence, step), mode);
        if (step == 0 && beyond) {
            const mode_state b = g.load(beyond, sequence, mode);
            v.x += b.x, v.y += b.y;
        }
        return v;
    }
};

/// x = A x + z over a chunk, f(step, x) after each. Rows are read eight at a time before the first of them is written: they
/// may be the same rows, and the memory's latency is paid once for all eight.
template <real S, storable T, class F>
HRM_BOTH inline mode_state run_chunk(const time_grid<S>& g, const inputs<S, T>& z, index_t sequence, index_t chunk, index_t mode,
                                     mode_state x, const F& f) {
    constexpr int ahead = 8;
    const pole a{g.re(mode), g.im(mode)};
    const index_t last = g.last(chunk);
    index_t t = g.first(chunk);
    for (; t + ahead <= last; t += ahead) {
        mode_state in[ahead];
        for (int k = 0; k < ahead; ++k) in[k] = z(g, sequence, t + k, mode);
        for (int k = 0; k < ahead; ++k) f(t + k, x = a(x, in[k]));
    }
    for (; t < last; ++t) f(t, x = a(x, z(g, sequence, t, mode)));
    return x;
}

template <real S, storable T>
struct local_ends {
    time_grid<S> g;
    inputs<S, T> z;
    rows_of<double> ends;  ///< batch * chunks x order

    HRM_BOTH void operator()(index_t i) const {
        const auto [sequence, chunk, mode] = g.at(i);
        const mode_state end = run_chunk(g, z, sequence, chunk, mode, {}, [](index_t, mode_state) {});
        g.store(ends, sequence * g.chunks() + chunk, mode, end);
    }
};

template <real S>
struct carries {
    time_grid<S> g;
    rows_of<const S> initial;  ///< batch x order, or null: zero
    rows_of<const double> ends;
    rows_of<double> carried;   ///< batch * chunks x order: c_k

    HRM_BOTH void operator()(index_t i) const {
        const index_t sequence = i / g.modes(), mode = i % g.modes(), count = g.chunks();
        const auto [re, im] = hrm::detail::power(g.re(mode), g.im(mode), g.length);
        mode_state s = initial ? g.load(initial, sequence, mode) : mode_state{};
        for (index_t k = 0; k < count; ++k) {
            const index_t row = sequence * count + k;
            g.store(carried, row, mode, s);
            if (k + 1 == count) break;
            const mode_state low = pole{re.low, im.low}(s, g.load(ends, row, mode));
            s = pole{re.high, im.high}(s, low);
        }
    }
};

template <real S, storable T>
struct write_states {
    time_grid<S> g;
    inputs<S, T> z;
    rows_of<const double> carried;
    rows_of<T> s;      ///< may be z
    rows_of<S> final;  ///< batch x order, or null

    HRM_BOTH void operator()(index_t i) const {
        const index_t sequence = g.at(i).sequence, chunk = g.at(i).chunk, mode = g.at(i).mode;  // clang 14 captures no bindings
        const mode_state before = g.load(carried, sequence * g.chunks() + chunk, mode);
        const mode_state x = run_chunk(g, z, sequence, chunk, mode, before,
                                       [&](index_t t, mode_state now) { g.store(s, g.row(sequence, t), mode, now); });
        if (final && g.last(chunk) == g.time) g.store(final, sequence, mode, x);
    }
};

/// The adjoint states in place of ds, the chunk's share of dL/dA, and dL/d initial = A^* lambda_0.
template <real S, storable T>
struct write_adjoint {
    time_grid<S> g;  ///< adjoint
    inputs<S, T> ds;
    rows_of<const double> carried;
    rows_of<const T> s;
    rows_of<const S> initial;
    rows_of<T> lambda;
    rows_of<S> dinitial;
    rows_of<double> partial;  ///< batch * chunks x order

    HRM_BOTH void operator()(index_t i) const {
        const index_t sequence = g.at(i).sequence, chunk = g.at(i).chunk, mode = g.at(i).mode;  // clang 14 captures no bindings
        const mode_state after = g.load(carried, sequence * g.chunks() + chunk, mode);
        mode_state da;
        const mode_state l = run_chunk(g, ds, sequence, chunk, mode, after, [&](index_t t, mode_state now) {
            const index_t row = g.row(sequence, t);
            g.store(lambda, row, mode, now);
            mode_state before;
            if (t + 1 < g.time) before = g.load(s, row - 1, mode);
            else if (initial) before = g.load(initial, sequence, mode);
            da.x += now.x * before.x + now.y * before.y;
            da.y += now.y * before.x - now.x * before.y;
        });
        g.store(partial, sequence * g.chunks() + chunk, mode, da);
        if (dinitial && g.last(chunk) == g.time) g.store(dinitial, sequence, mode, pole{g.re(mode), g.im(mode)}(l, {}));
    }
};

/// The poles on the device: [real q | re k | im k].
template <real S, class Device>
void put_modes(const Device& device, const modes<S>& a, S* to) {
    const std::span<const S> parts[] = {a.real, a.re, a.im};
    for (const auto part : parts) {
        hrm::detail::put(device, part, to);
        to += part.size();
    }
}

/// The plan around these steps: work areas made once, launches in order.
/// Device: as cuda/detail/twin.hpp says.
template <real S, class Device>
class chunked_states {
public:
    chunked_states(Device device, const modes<S>& a, index_t batch, index_t time, index_t length)
        : chunked_states(device, a.reals(), a.pairs(), batch, time, length) {}
    chunked_states(Device device, index_t reals, index_t pairs, index_t batch, index_t time, index_t length)
        : device_(device), reals_(reals), pairs_(pairs), batch_(batch), length_(length > 0 ? length : usual_length(time)),
          rows_(batch * ((time + length_ - 1) / length_)), poles_(device, order()), ends_(device, rows_ * order()),
          carried_(device, rows_ * order()) {}

    /// About as many chunks as steps in one: both are walked one after the other.
    static index_t usual_length(index_t time) {
        index_t length = 16;
        while (length < 256 && 4 * length * length < 2 * time) length *= 2;
        return length;
    }
    index_t length() const { return length_; }
    index_t order() const { return reals_ + 2 * pairs_; }

    /// T: how z and s are stored; borders are in S.
    template <storable T = S>
    void states(const modes<S>& a, read_view<T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        put_modes(device_, a, poles_.data());
        states(poles_.data(), z, s, initial, final);
    }
    /// The same with poles that are on the device already: [real q | re k | im k].
    template <storable T = S>
    void states(const S* poles, read_view<T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        if (z.rows == 0) return hrm::detail::copy_border<S>(device_, initial, final);
        const auto g = grid(poles, z.rows / batch_, false);
        const inputs<S, T> in{z, {}};
        tie(g, in, initial);
        device_.launch(g.items(), write_states<S, T>{g, in, carried().reading(), s, final});
    }
    /// da, dinitial, dfinal as in scan::plan, all on the device.
    template <storable T = S>
    void states_backward(const modes<S>& a, read_view<T> s, matrix_view<const S> initial, matrix_view<T> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        put_modes(device_, a, poles_.data());
        states_backward(poles_.data(), s, initial, ds, da, dinitial, dfinal);
    }
    template <storable T = S>
    void states_backward(const S* poles, read_view<T> s, matrix_view<const S> initial, matrix_view<T> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        if (s.rows == 0) return hrm::detail::copy_border<S>(device_, dfinal, dinitial);
        const auto g = grid(poles, s.rows / batch_, true);
        const inputs<S, T> in{matrix_view<const T>(ds), dfinal};
        tie(g, in, {});
        device_.launch(g.items(), write_adjoint<S, T>{g, in, carried().reading(), s, initial, ds, dinitial, ends()});
        hrm::detail::add_rows(device_, ends(), carried(), batch_ * g.chunks(), order(), da.data());
    }

private:
    time_grid<S> grid(const S* poles, index_t time, bool adjoint) { return {poles, reals_, pairs_, batch_, time, length_, adjoint}; }
    /// The state before every chunk.
    template <storable T>
    void tie(const time_grid<S>& g, const inputs<S, T>& in, matrix_view<const S> initial) {
        if (g.chunks() > 1) device_.launch(g.items(), local_ends<S, T>{g, in, ends()});
        device_.launch(batch_ * g.modes(), carries<S>{g, initial, ends().reading(), carried()});
    }
    rows_of<double> ends() { return matrix_view<double>(ends_.data(), rows_, order()); }
    rows_of<double> carried() { return matrix_view<double>(carried_.data(), rows_, order()); }

    Device device_;
    index_t reals_, pairs_, batch_, length_, rows_;
    work_area<Device, S> poles_;
    work_area<Device, double> ends_, carried_;
};

}  // namespace hrm::scan::detail
