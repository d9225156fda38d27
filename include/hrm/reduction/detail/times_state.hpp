#pragma once

#include <algorithm>

#include <hrm/reduction/detail/rounding.hpp>
#include <hrm/systems/norms.hpp>
#include <hrm/systems/split.hpp>

// A x and w^T A x for every structure of A.

namespace hrm::detail {

/// Row i of a x, where A is modal.
inline void times_state(const diagonal<double>& a, const matrix<double>& x, index_t i, double* y) {
    const double pole = a.poles[static_cast<std::size_t>(i)];
    for (index_t j = 0; j < x.cols(); ++j) y[j] = pole * x(i, j);
}
inline void times_state(const complex_pairs<double>& a, const matrix<double>& x, index_t i, double* y) {
    const index_t q = a.reals(), k = a.pairs();
    if (i < q) {
        const double pole = a.real[static_cast<std::size_t>(i)];
        for (index_t j = 0; j < x.cols(); ++j) y[j] = pole * x(i, j);
        return;
    }
    const bool first = i < q + k;
    const auto at = static_cast<std::size_t>(first ? i - q : i - q - k);
    const index_t other = first ? i + k : i - k;
    const double re = a.re[at], im = first ? -a.im[at] : a.im[at];
    for (index_t j = 0; j < x.cols(); ++j) y[j] = re * x(i, j) + im * x(other, j);
}
template <class A>
concept modal_states = requires(const A& a, const matrix<double>& x, double* y) { times_state(a, x, index_t{}, y); };
/// a x.
template <modal_states A>
matrix<double> times_state(const A& a, const matrix<double>& x) {
    matrix<double> y(x.rows(), x.cols());
    for (index_t i = 0; i < x.rows(); ++i) times_state(a, x, i, y.view().row(i));
    return y;
}
inline matrix<double> times_state(const dense<double>& a, const matrix<double>& x) { return product(a.a, x); }
/// The same for a dense A of single states and couples. Through V and the poles it would cost the digits that V does.
inline matrix<double> times_state(const block_diagonal& a, const matrix<double>& x) {
    matrix<double> y(x.rows(), x.cols());
    for (const auto& [i, k, first, second, v, inverse] : a.modes.blocks)
        for (index_t j = 0; j < x.cols(); ++j) {
            y(i, j) = a.a(i, i) * x(i, j);
            if (k < 0) continue;
            y(i, j) += a.a(i, k) * x(k, j);
            y(k, j) = a.a(k, i) * x(i, j) + a.a(k, k) * x(k, j);
        }
    return y;
}

inline complex_matrix times_state(const dense<complex>& a, const complex_matrix& x) { return product(a.a, x); }
inline complex_matrix times_state(const diagonal<complex>& a, complex_matrix x) {
    for (index_t i = 0; i < x.rows(); ++i)
        for (auto& v : x.view().row_span(i)) v = times(a.poles[static_cast<std::size_t>(i)], v);
    return x;
}

/// The same for an A that only a function knows.
template <class F>
struct product_with {
    F times;
};
template <class F, class T>
matrix<T> times_state(const product_with<F>& a, const matrix<T>& x) {
    return a.times(x);
}

/// w^H A x.
template <class A>
complex_matrix project(const complex_matrix& w, const A& a, const complex_matrix& x) {
    return project(w, times_state(a, x));
}
/// w^T A x; a modal A takes some rows of x at a time into a cache.
template <class A>
matrix<double> project(const matrix<double>& w, const A& a, const matrix<double>& x) {
    if constexpr (modal_states<A>) {
        constexpr index_t some = 256;
        matrix<double> y(w.cols(), x.cols()), part(std::min(some, x.rows()), x.cols());
        for (index_t i = 0; i < x.rows(); i += some) {
            const index_t count = std::min(some, x.rows() - i);
            for (index_t k = 0; k < count; ++k) times_state(a, x, i + k, part.view().row(k));
            multiply(transposed(w.view().slice_rows(i, count)), part.view().slice_rows(0, count), y.view(), into::add);
        }
        return y;
    } else return project(w, times_state(a, x));
}

}  // namespace hrm::detail
