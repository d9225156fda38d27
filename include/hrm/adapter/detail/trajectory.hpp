#pragma once

#include <algorithm>
#include <span>

#include <hrm/adapter/segments.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/scan/detail/state_pass.hpp>
#include <hrm/scan/sequential.hpp>

// The states of one call and their adjoint, some rows at a time: while what they are made of is in a cache, and with the same
// bits in any cut (sums of gradients: in one cut).

namespace hrm {

/// Extents of a recurrent adapter. The states are [static | real poles | Re of pairs | Im of pairs], or [static | dense].
struct recurrent_shape {
    index_t inputs = 0, outputs = 0;
    index_t fixed = 0;          ///< static states, Abar = 0: never carried
    index_t reals = 0, pairs = 0;
    index_t full = 0;           ///< states of a dense A; then reals = pairs = 0
    index_t dynamic() const { return reals + 2 * pairs + full; }
    index_t states() const { return fixed + dynamic(); }
    /// Numbers in A, as the scan lays out its gradient: [real | re | im], or full x full.
    index_t coefficients() const { return full ? full * full : dynamic(); }
};

namespace detail {

/// s_t = Abar s_{t-1} + scale (.) x_t, and what a document starts from.
template <real S>
struct state_equation {
    const recurrent_shape& shape;
    const S *a, *scale;     ///< shape.coefficients(), shape.states()
    const S* start;         ///< shape.dynamic()

    scan::modes<S> modes() const {
        const auto q = static_cast<std::size_t>(shape.reals), k = static_cast<std::size_t>(shape.pairs);
        return {{a, q}, {a + q, k}, {a + q + k, k}};
    }
    matrix_view<const S> square() const { return {a, shape.full, shape.full}; }
    /// Rows of B u become states; returns the last one, where it lies.
    const S* forward(const matrix_view<S>& rows, const S* before) const {
        const auto x = moving(rows, 0, rows.rows);
        if (x.empty()) return before;
        if (shape.full) scan::detail::recur_rows<S>(square(), x, x, before);
        else scan::detail::states_forward<S>(a, shape.reals, shape.pairs, scale + shape.fixed, x, before);
        return x.row(x.rows - 1);
    }
    /// The columns with memory of rows [first, first + rows).
    template <class T>
    matrix_view<T> moving(matrix_view<T> m, index_t first, index_t rows) const {
        return {m.row(first) + shape.fixed, rows, shape.dynamic(), m.stride};
    }
};

/// Forward. s: L x n, x in, states out;  state: of shape.dynamic() numbers, read where it lies.
template <real S>
struct trajectory {
    const state_equation<S>& by;
    matrix_view<S> s;
    segment_walk<S> segments;
    const S* state;            ///< before the next row: what was there before row 0 in, of the last row out
    S* initial = nullptr;      ///< out, for the backward: the state before row 0, unless it was reset there
    index_t* fresh = nullptr;  ///< out: a count and so many rows, those before which the state was reset
    typename segment_walk<S>::segment now = {};

    /// Rows [first, first + rows), those behind the rows so far.
    void advance(index_t first, index_t rows) {
        for (index_t t = first; t < first + rows;) {
            if (t == now.first + now.rows) enter(segments.next());
            const index_t some = std::min(first + rows, now.first + now.rows) - t;
            state = by.forward(s.slice_rows(t, some), state);
            t += some;
        }
    }

private:
    void enter(const typename segment_walk<S>::segment& next) {
        now = next;
        if (now.fresh) state = by.start;
        if (!fresh) return;
        if (now.fresh) fresh[++fresh[0]] = now.first;
        else if (now.first == 0) std::copy_n(state, by.shape.dynamic(), initial);
    }
};

/// Backward. lambda: L x n, e_t in, scale (.) lambda_t out (state_pass.hpp).
template <real S>
struct adjoint_trajectory {
    const state_equation<S>& by;
    matrix_view<const S> s;
    const S* initial;          ///< as the forward left them
    const index_t* fresh;
    S g;
    matrix_view<S> lambda;
    double* da;                ///< +=: the gradient of Abar, coefficients()
    std::span<double> inner;   ///< +=: sums of e_t (.) s_t, states()
    S* dstart;                 ///< +=: the gradient of by.start, or null
    S* running;                ///< scratch, dynamic(), zero
    index_t resets = fresh ? fresh[0] : 0;

    /// Whether every stretch began at zero; to be asked before the first retreat.
    bool at_rest() const { return !dstart && resets > 0 && fresh[1] == 0; }
    /// Rows [first, first + rows), those before the rows so far.
    void retreat(index_t first, index_t rows) {
        // Through a shut gate nothing comes back, while what a growing mode carries ends at infinity.
        const bool whole = by.shape.full || g == S{0};
        const index_t still = whole ? s.cols : by.shape.fixed;
        if (still > 0)
            scan::detail::static_backward<S>({s.row(first), rows, still, s.stride}, g, {lambda.row(first), rows, still, lambda.stride}, inner.data());
        if (whole || by.shape.dynamic() == 0) return;
        for (index_t end = first + rows; end > first;) {
            const index_t begins = resets > 0 ? fresh[resets] : 0, t = std::max(first, begins);
            const S* const before = t > begins ? s.row(t - 1) + by.shape.fixed : resets > 0 ? by.start : initial;
            scan::detail::states_backward<S>{by.a, by.shape.reals, by.shape.pairs, by.scale + by.shape.fixed, g,
                                             by.moving(s, t, end - t), before, by.moving(lambda, t, end - t), da,
                                             inner.data() + by.shape.fixed, running}.run();
            if (t == begins) leave(t);
            end = t;
        }
    }
    /// What is left when all rows of lambda are known: a dense A, whose states are not cut.
    [[gnu::noinline]] void finish(workspace& ws) {
        for (index_t end = s.rows, first = end; end > 0; end = first) {
            const bool anew = resets > 0;
            first = anew ? fresh[resets--] : 0;
            scratch_scope scope(ws);
            const auto n = static_cast<std::size_t>(by.shape.full);
            const auto rounded = ws.template take_zero<S>(by.shape.coefficients());
            scan::sequential_states_backward<S>(by.square(), by.moving(s, first, end - first), {anew ? by.start : initial, n},
                                                by.moving(lambda, first, end - first), rounded, {running, n}, {}, ws);
            for (std::size_t i = 0; i < rounded.size(); ++i) da[i] += static_cast<double>(rounded[i]);
            if (anew && dstart) axpy<S>(S{1}, running, dstart, by.shape.full);
        }
    }

private:
    /// To the row before a stretch.
    void leave(index_t row) {
        const bool anew = resets > 0;
        if (anew && dstart) {
            scan::detail::step_adjoint<S>(by.modes(), running);
            axpy<S>(g, running, dstart, by.shape.dynamic());
        }
        if (row > 0) std::fill_n(running, by.shape.dynamic(), S{0});
        if (anew) --resets;
    }
};

}  // namespace detail
}  // namespace hrm
