#pragma once

#include <hrm/core/workspace.hpp>
#include <hrm/scan/detail/sequence.hpp>

// The recurrence without a plan: one sequence, the caller's memory, one thread. What adapters and streaming use.
//     s_t = A s_{t-1} + z_t,   t = 1..time;   z, s: time x n (the same view is allowed)

namespace hrm::scan {

/// State in: s_0, state out: s_time. Allocates nothing; cutting a sequence in pieces gives the same bits.
/// O(time * n).
template <real S>
void sequential_states(const modes<S>& a, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    detail::check_sequence("hrm::scan::sequential_states", a.order(), z, s, state);
    detail::recur(a, detail::side::plain, detail::all_columns(a), detail::ascending(z), detail::ascending(s), z.rows,
                  state.data());
}
/// Dense A, n x n.   O(time * n^2).
template <real S>
void sequential_states(matrix_view<const S> a, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    require_shape("hrm::scan::sequential_states", "A", a.rows, a.cols, a.rows, a.rows);
    detail::check_sequence("hrm::scan::sequential_states", a.rows, z, s, state);
    detail::recur_rows<S>(a, z, s, state.data());
    if (z.rows) std::copy_n(s.row(z.rows - 1), a.rows, state.data());
}

/// The adjoint: ds in dL/ds_t, out lambda_t = dL/dz_t = ds_t + A^* lambda_{t+1}.
/// s: the states of the forward;  initial: s_0 or empty (zero);  da: += dL/dA, [real q | re k | im k];
/// dinitial: = dL/ds_0, or empty;  dfinal: dL/ds_time that enters beside ds, or empty.   O(time * n).
template <real S>
void sequential_states_backward(const modes<S>& a, matrix_view<const S> s, std::span<const S> initial,
                                matrix_view<S> ds, std::span<S> da, std::span<S> dinitial, std::span<const S> dfinal,
                                workspace& ws) {
    constexpr auto where = "hrm::scan::sequential_states_backward";
    detail::check_backward(where, a.order(), a.order(), s, initial, ds, da, dinitial, dfinal);
    scratch_scope scope(ws);
    const auto n = a.order();
    auto sum = ws.template take_zero<double>(n);
    detail::backward_sequence(a, detail::all_columns(a), s, initial.data(), ds, sum.data(), dinitial.data(),
                              dfinal.data(), ws.template take_zero<S>(2 * n).data());
    for (std::size_t i = 0; i < sum.size(); ++i) da[i] += static_cast<S>(sum[i]);
}
/// Dense A; da: n x n row-major, +=.   O(time * n^2).
template <real S>
void sequential_states_backward(matrix_view<const S> a, matrix_view<const S> s, std::span<const S> initial,
                                matrix_view<S> ds, std::span<S> da, std::span<S> dinitial, std::span<const S> dfinal,
                                workspace& ws) {
    constexpr auto where = "hrm::scan::sequential_states_backward";
    const auto n = a.rows;
    require_shape(where, "A", a.rows, a.cols, n, n);
    detail::check_backward(where, n, n * n, s, initial, ds, da, dinitial, dfinal);
    scratch_scope scope(ws);
    auto panels = ws.template take<double>(n * n), sum = ws.template take_zero<double>(n * n), x = ws.template take_zero<double>(2 * n);
    detail::fill_panels(a, detail::side::adjoint, panels.data());
    const index_t time = s.rows;
    S* last = time ? ds.row(time - 1) : dinitial.data();
    for (index_t i = 0; last && i < n; ++i)
        last[i] = (time ? last[i] : S{0}) + (dfinal.empty() ? S{0} : dfinal[static_cast<std::size_t>(i)]);
    detail::dense_track<S> one[] = {{detail::descending<const S>(ds), detail::descending(ds), time, x.data(), x.data() + n}};
    detail::recur_panels<double, S>(panels.data(), n, one);
    if (time && !dinitial.empty()) {
        one[0].z = {ws.template take_zero<S>(n).data(), 0}, one[0].s = {dinitial.data(), 0}, one[0].rows = 1;
        detail::recur_panels<double, S>(panels.data(), n, one);
    }
    const auto tile = ws.template take<S>(n * n);
    if (time) detail::with_previous<S>(ds, s, initial.data(), 0, time, [&](matrix_view<const S> l, matrix_view<const S> before) {
        detail::add_gradient_dense<S>(l, before, sum.data(), tile.data());
    });
    for (std::size_t i = 0; i < sum.size(); ++i) da[i] += static_cast<S>(sum[i]);
}

/// A structure is as good as its poles or its matrix.
template <real S>
void sequential_states(const diagonal<S>& a, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    sequential_states(modes<S>(a), z, s, state);
}
template <real S>
void sequential_states(const complex_pairs<S>& a, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    sequential_states(modes<S>(a), z, s, state);
}
template <real S>
void sequential_states(const dense<S>& a, matrix_view<const S> z, matrix_view<S> s, std::span<S> state) {
    sequential_states(a.a.view(), z, s, state);
}

}  // namespace hrm::scan
