#pragma once

#include <hrm/cuda/detail/chunked_states.hpp>
#include <hrm/cuda/detail/kept.hpp>

// s_t = A s_{t-1} + z_t for a dense A: the chunks of chunked_states.hpp, a block of threads for some chunks at a time.
//
//     e_k      = last state of chunk k, started from zero         dense_recurrence   a block some chunks, a thread a state
//     c_{k+1}  = A^length c_k + e_k,   c_0 the initial state      dense_recurrence   over chunks in place of steps
//     s        = the recurrence in chunk k, started from c_k      dense_recurrence
//     dA       = sum_t lambda_t s_{t-1}^T                         dense_gradient_part a thread a span of steps and element
//
// States run in double, whatever S is. A^length is squared out in twice that and rounded once, when A has changed: its
// error does not repeat in every step of a chunk. The same bits from run to run.

namespace hrm::scan::detail {

/// How a block shares out n states: as many chunks side by side as it has threads for, A in shared memory while there is
/// room, and z some steps ahead.
struct dense_tile {
    static constexpr int threads = 128;
    static constexpr index_t most_order = 2048;
    index_t order;

    HRM_BOTH index_t chunks() const { return order < threads ? threads / (order > 0 ? order : 1) : 1; }
    HRM_BOTH index_t states() const { return chunks() * order; }
    HRM_BOTH bool holds_a() const { return order <= 64; }
    HRM_BOTH index_t steps() const {
        const index_t fit = 1024 / (order > 0 ? states() : 1);
        return fit < 1 ? 1 : fit < 16 ? fit : 16;
    }
    index_t bytes() const {
        const index_t numbers = (holds_a() ? order * order : 0) + 2 * states() + steps() * states();
        return numbers * static_cast<index_t>(sizeof(double));
    }
    index_t blocks(index_t items) const { return (items + chunks() - 1) / chunks(); }
};

/// x_t = M x_{t-1} + z_t in every chunk. I: what the states before the first step are stored as.
template <real S, storable T, real I>
struct dense_recurrence {
    static constexpr int threads = dense_tile::threads;
    time_grid<S> g;         ///< states are its real modes
    const double* columns;  ///< M(i, j) at [j * n + i]
    inputs<S, T> z;
    rows_of<const I> start;  ///< batch * chunks x n: states before the first step; null: zero
    rows_of<T> s;            ///< the states; null: not wanted
    bool lagged;             ///< s_t is the state before step t instead
    rows_of<double> ends;    ///< batch * chunks x n: last states of chunks; null: not wanted
    rows_of<S> final;        ///< batch x n: last states of sequences, or M times them; null: not wanted
    bool one_more;

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const dense_tile tile{g.order()};
        const index_t n = tile.order, width = tile.states(), items = g.batch * g.chunks(), first = block.index * tile.chunks();
        double* shared = reinterpret_cast<double*>(block.shared);
        const double* m = tile.holds_a() ? shared : columns;
        double *x = shared + (tile.holds_a() ? n * n : 0), *next = x + width, *ahead = next + width;
        // f(place in x, state, chunk, sequence) of a thread's states
        const auto each = [&](int thread, const auto& f) {
            for (index_t e = thread; e < width; e += threads) {
                const index_t item = first + e / n;
                if (item < items) f(e, e % n, item % g.chunks(), item / g.chunks());
            }
        };
        block.each([&](int thread) {
            for (index_t i = thread; i < n * n && tile.holds_a(); i += threads) shared[i] = columns[i];
            each(thread, [&](index_t e, index_t i, index_t chunk, index_t sequence) {
                x[e] = start ? static_cast<double>(start(sequence * g.chunks() + chunk, i)) : 0.0;
            });
        });
        for (index_t t = 0; t < g.length; ++t) {
            const index_t k = t % tile.steps();
            if (k == 0)
                block.each([&](int thread) {
                    each(thread, [&](index_t e, index_t i, index_t chunk, index_t sequence) {
                        for (index_t l = 0; l < tile.steps() && g.first(chunk) + t + l < g.last(chunk); ++l)
                            ahead[l * width + e] = z(g, sequence, g.first(chunk) + t + l, i).x;
                    });
                });
            block.each([&](int thread) {
                each(thread, [&](index_t e, index_t i, index_t chunk, index_t sequence) {
                    const index_t step = g.first(chunk) + t;
                    const bool running = step < g.last(chunk);
                    next[e] = running ? times(m, n, i, x + (e - i), ahead[k * width + e]) : x[e];
                    if (running && s) s(g.row(sequence, step), i) = hrm::detail::narrowed<T>(lagged ? x[e] : next[e]);
                });
            });
            double* const before = x;
            x = next, next = before;
        }
        block.each([&](int thread) {
            each(thread, [&](index_t e, index_t i, index_t chunk, index_t sequence) {
                if (ends) ends(sequence * g.chunks() + chunk, i) = x[e];
                if (final && chunk + 1 == g.chunks())
                    final(sequence, i) = static_cast<S>(one_more ? times(m, n, i, x + (e - i), 0) : x[e]);
            });
        });
    }

private:
    /// (M x + z)_i, even and odd columns apart: two chains in flight.
    HRM_BOTH static double times(const double* m, index_t n, index_t i, const double* x, double z) {
        double even = z, odd = 0;
        index_t j = 0;
        for (m += i; j + 2 <= n; j += 2, m += 2 * n) even = fma(m[0], x[j], even), odd = fma(m[n], x[j + 1], odd);
        return j < n ? fma(m[0], x[j], even) + odd : even + odd;
    }
};

/// partial(p, i n + j) = sum lambda_t,i s_{t-1},j over span p of the rows of all sequences.
template <real S, storable T>
struct dense_gradient_part {
    rows_of<const T> lambda, s;
    rows_of<const S> initial;
    index_t order, time, rows, span;
    rows_of<double> partial;

    index_t parts() const { return (rows + span - 1) / span; }
    HRM_BOTH void operator()(index_t index) const {
        const index_t element = index % (order * order), part = index / (order * order), i = element / order, j = element % order;
        const index_t first = part * span, end = first + span < rows ? first + span : rows;
        double sum = 0;
        for (index_t r = first, t = first % time; r < end; ++r, t = t + 1 == time ? 0 : t + 1) {
            const double l = hrm::detail::widened(lambda(r, i));
            if (t > 0) sum = fma(l, hrm::detail::widened(s(r - 1, j)), sum);
            else if (initial) sum = fma(l, static_cast<double>(initial(r / time, j)), sum);
        }
        partial(part, element) = sum;
    }
};

/// out = x y, n x n, in twice the precision of double.
struct multiply_twofold {
    const twofold *x, *y;
    twofold* out;
    index_t order;
    HRM_BOTH void operator()(index_t index) const {
        const index_t i = index / order, j = index % order;
        twofold s;
        for (index_t k = 0; k < order; ++k) s = sum(s, product(x[i * order + k], y[k * order + j]));
        out[index] = s;
    }
};

/// A matrix given by rows, rounded to double: by columns for A itself, by rows for A^T.
template <class X>
struct lay_out_dense {
    const X* a;
    index_t order;
    double *plain, *adjoint;
    twofold* copy;
    HRM_BOTH void operator()(index_t index) const {
        const index_t i = index / order, j = index % order;
        double x;
        if constexpr (std::same_as<X, twofold>) x = a[index].high;
        else x = static_cast<double>(a[index]);
        plain[j * order + i] = x, adjoint[index] = x;
        if (copy) copy[index] = {x, 0};
    }
};

template <real S, class Device>
class chunked_dense {
public:
    chunked_dense(Device device, index_t order, index_t batch, index_t time, index_t length)
        : device_(device), order_(checked(order)), batch_(batch),
          length_(length > 0 ? length : chunked_states<S, Device>::usual_length(time)),
          rows_(batch * ((time + length_ - 1) / length_)), kept_(order * order), a_(device, order * order),
          matrices_(device, 4 * order * order), powers_(device, many() ? 3 * order * order : 0),
          ends_(device, many() ? rows_ * order : 0), carried_(device, many() ? rows_ * order : 0),
          sums_(device, (most_parts() + (most_parts() + 31) / 32) * order * order) {}

    index_t length() const { return length_; }

    template <storable T = S>
    void states(const dense<S>& a, read_view<T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        if (z.empty()) return hrm::detail::copy_border<S>(device_, initial, final);
        prepare(a);
        run<T>(grid(z.rows / batch_, false), {z, {}}, initial, s, final);
    }
    /// da, dinitial, dfinal as in scan::plan, all on the device.
    template <storable T = S>
    void states_backward(const dense<S>& a, read_view<T> s, matrix_view<const S> initial, matrix_view<T> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        if (s.empty()) return hrm::detail::copy_border<S>(device_, dfinal, dinitial);
        prepare(a);
        const auto g = grid(s.rows / batch_, true);
        const matrix_view<const T> lambda(ds);
        run<T>(g, {lambda, dfinal}, {}, ds, dinitial);
        const index_t parts = most_parts(), span = std::max<index_t>(64, (s.rows + parts - 1) / parts);
        const rows_of<double> sums(sums_.data(), order_ * order_);
        const dense_gradient_part<S, T> sum{lambda, s, initial, order_, g.time, s.rows, span, sums};
        device_.launch(sum.parts() * order_ * order_, sum);
        const rows_of<double> spare(sums_.data() + parts * order_ * order_, order_ * order_);
        hrm::detail::add_rows(device_, sums, spare, sum.parts(), order_ * order_, da.data());
    }

    /// Spans of the gradient: 256, of large A fewer, so that they stay within 32 MiB.
    index_t most_parts() const { return std::clamp<index_t>((index_t{1} << 22) / std::max<index_t>(order_ * order_, 1), 1, 256); }

private:
    static index_t checked(index_t order) {
        if (order > dense_tile::most_order)
            throw shape_error("hrm::scan: a dense A of order " + std::to_string(order) + " on a GPU, expected at most " +
                              std::to_string(dense_tile::most_order));
        return order;
    }
    bool many() const { return rows_ > batch_; }
    time_grid<S> grid(index_t time, bool adjoint) { return {nullptr, order_, 0, batch_, time, length_, adjoint}; }
    double* matrix_of(bool power, bool adjoint) { return matrices_.data() + ((power ? 2 : 0) + (adjoint ? 1 : 0)) * order_ * order_; }

    template <storable T>
    void run(const time_grid<S>& g, inputs<S, T> z, matrix_view<const S> initial, matrix_view<T> s, matrix_view<S> border) {
        const dense_tile tile{order_};
        const double* a = matrix_of(false, g.adjoint);
        if (g.chunks() == 1) {
            device_.launch_blocks(tile.blocks(batch_), tile.bytes(),
                                  dense_recurrence<S, T, S>{g, a, z, initial, s, false, {}, border, g.adjoint});
            return;
        }
        const index_t blocks = tile.blocks(batch_ * g.chunks());
        const rows_of<double> ends(ends_.data(), order_), carried(carried_.data(), order_);
        device_.launch_blocks(blocks, tile.bytes(), dense_recurrence<S, T, S>{g, a, z, {}, {}, false, ends, {}, false});
        const time_grid<double> chunks{nullptr, order_, 0, batch_, g.chunks(), g.chunks(), false};
        const dense_recurrence<double, double, S> carry{
            chunks, matrix_of(true, g.adjoint), {ends.reading(), {}}, initial, carried, true, {}, {}, false};
        device_.launch_blocks(tile.blocks(batch_), tile.bytes(), carry);
        device_.launch_blocks(blocks, tile.bytes(),
                              dense_recurrence<S, T, double>{g, a, z, carried.reading(), s, false, {}, border, g.adjoint});
    }

    /// A and, where chunks are tied, A^length on the device.
    void prepare(const dense<S>& a) {
        kept_.refresh(device_, a, [&] {
            const index_t size = order_ * order_;
            hrm::detail::put(device_, a.a.flat(), a_.data());
            twofold *base = many() ? powers_.data() : nullptr, *result = base + size, *spare = result + size;
            device_.launch(size, lay_out_dense<S>{a_.data(), order_, matrix_of(false, false), matrix_of(false, true), base});
            if (!many()) return;
            bool started = false;
            for (index_t exponent = length_;; exponent /= 2) {
                if (exponent % 2 && started) {
                    device_.launch(size, multiply_twofold{result, base, spare, order_});
                    std::swap(result, spare);
                } else if (exponent % 2) {
                    device_.launch(size, hrm::detail::copy_rows<twofold>{{base, size}, {result, size}, size});
                    started = true;
                }
                if (exponent == 1) break;
                device_.launch(size, multiply_twofold{base, base, spare, order_});
                std::swap(base, spare);
            }
            device_.launch(size, lay_out_dense<twofold>{result, order_, matrix_of(true, false), matrix_of(true, true), nullptr});
        });
    }

    Device device_;
    index_t order_, batch_, length_, rows_;
    hrm::detail::kept_for<dense<S>> kept_;
    work_area<Device, S> a_;
    work_area<Device, double> matrices_;  ///< A by columns and by rows; A^length likewise
    work_area<Device, twofold> powers_;
    work_area<Device, double> ends_, carried_, sums_;
};

}  // namespace hrm::scan::detail
