#pragma once

#include <string>
#include <vector>

#include <hrm/reduction/least_squares.hpp>
#include <hrm/systems/convert.hpp>

// Markov parameters h_0 = C B + D, h_k = C A^k B from a recorded input u (L x m) and output y (L x p):
//     markov_parameters   by their definition, y_t = sum_k h_k u_{t-k}, for systems that forget soon
//     okid                through an observer, which forgets at once, for lightly damped ones

namespace hrm {

/// What went before the first sample: nothing (u = 0, state 0), or who knows (as many samples only serve as a past).
enum class before { rest, unknown };

/// T: double or complex.
template <class T>
struct markov_fit_of {
    std::vector<matrix<T>> h;     ///< p x m each
    least_squares_fit_of<T> fit;  ///< fit.determined(): the input was rich enough; if not, h is the smallest that fits
};
using markov_fit = markov_fit_of<double>;

struct markov_options {
    index_t count = 32;      ///< h_0 .. h_{count-1}; what a system does beyond is noise to the fit
    before start = before::rest;
    double tolerance = 0;    ///< see least_squares::solve
};

struct okid_options {
    index_t lags = 16;       ///< q of the observer: with p outputs, systems of order up to p q
    index_t count = 64;      ///< h_0 .. h_{count-1}
    before start = before::rest;
    double tolerance = 0;    ///< see least_squares::solve
};
/// What okid found. inputs, outputs: the observer's Markov parameters,
///     y_t = sum_{k <= q} inputs_k u_{t-k} + sum_{1 <= k <= q} outputs_k y_{t-k},    outputs[0] is empty.
template <class T>
struct okid_fit_of : markov_fit_of<T> {
    std::vector<matrix<T>> inputs, outputs;
    /// Those of the observer's gain G from the prediction error, g_k = C A^{k-1} G', k = 1 .. count - 1 (g[0] is empty).
    std::vector<matrix<T>> gain;
};
using okid_fit = okid_fit_of<double>;

namespace detail {

/// Fits y_t by [u_t .. u_{t-lags}] and, where with_outputs, [y_{t-1} .. y_{t-lags}]: unknowns lag by lag, u before y.
template <class T>
least_squares_fit_of<T> fit_lags(const char* where, matrix_view<const T> u, matrix_view<const T> y, index_t lags, bool with_outputs,
                                 before start, double tolerance) {
    const index_t m = u.cols, p = y.cols, width = m + (with_outputs ? p : 0), first = start == before::rest ? 0 : lags;
    require_size(where, "samples of y", y.rows, u.rows);
    if (u.rows <= first)
        throw shape_error(std::string(where) + ": " + std::to_string(u.rows) + " samples, expected at least " + std::to_string(first + 1));
    least_squares_of<T> fit(m + lags * width, p);
    constexpr index_t piece = 256;
    for (index_t begin = first; begin < u.rows; begin += piece) {
        const index_t rows = std::min(piece, u.rows - begin);
        matrix<T> phi(rows, m + lags * width);
        for (index_t t = 0; t < rows; ++t)
            for (index_t k = 0; k <= std::min(lags, begin + t); ++k) {
                T* to = phi.view().row(t) + (k == 0 ? 0 : m + (k - 1) * width);
                std::copy_n(u.row(begin + t - k), m, to);
                if (with_outputs && k > 0) std::copy_n(y.row(begin + t - k), p, to + m);
            }
        fit.add(phi.view(), y.slice_rows(begin, rows));
    }
    return fit.solve(tolerance);
}
/// rows [first, first + count) of x, turned: the coefficient that belongs to them.
template <class T>
matrix<T> coefficient(const matrix<T>& x, index_t first, index_t count) {
    matrix<T> c(x.cols(), count);
    for (index_t i = 0; i < c.rows(); ++i)
        for (index_t j = 0; j < count; ++j) c(i, j) = x(first + j, i);
    return c;
}

template <class T>
markov_fit_of<T> markov_parameters_of(matrix_view<const T> u, matrix_view<const T> y, const markov_options& o) {
    if (o.count < 1) throw shape_error("hrm::markov_parameters: " + std::to_string(o.count) + " parameters, expected at least 1");
    markov_fit_of<T> out{{}, fit_lags("hrm::markov_parameters", u, y, o.count - 1, false, o.start, o.tolerance)};
    for (index_t k = 0; k < o.count; ++k) out.h.push_back(coefficient(out.fit.x, k * u.cols, u.cols));
    return out;
}

template <class T>
okid_fit_of<T> okid_of(matrix_view<const T> u, matrix_view<const T> y, const okid_options& o) {
    if (o.lags < 0 || o.count < 1)
        throw shape_error("hrm::okid: " + std::to_string(o.lags) + " lags, " + std::to_string(o.count) +
                          " parameters, expected at least 0 and 1");
    const index_t m = u.cols, p = y.cols;
    okid_fit_of<T> out;
    out.fit = fit_lags("hrm::okid", u, y, o.lags, true, o.start, o.tolerance);
    for (index_t k = 0; k <= o.lags; ++k) {
        const index_t at = k == 0 ? 0 : m + (k - 1) * (m + p);
        out.inputs.push_back(coefficient(out.fit.x, at, m));
        out.outputs.push_back(k == 0 ? matrix<T>() : coefficient(out.fit.x, at + m, p));
    }
    for (index_t k = 0; k < o.count; ++k) {
        auto h = k <= o.lags ? out.inputs[static_cast<std::size_t>(k)] : matrix<T>(p, m);
        auto g = k >= 1 && k <= o.lags ? out.outputs[static_cast<std::size_t>(k)] : matrix<T>(k == 0 ? 0 : p, k == 0 ? 0 : p);
        for (index_t i = 1; i <= std::min(k, o.lags); ++i) {
            const auto& alpha = out.outputs[static_cast<std::size_t>(i)];
            add_product(alpha, out.h[static_cast<std::size_t>(k - i)], h);
            if (i < k) add_product(alpha, out.gain[static_cast<std::size_t>(k - i)], g);
        }
        out.h.push_back(std::move(h));
        out.gain.push_back(std::move(g));
    }
    return out;
}
/// f(u, y) of data in float, in double.
template <real_or_complex S, class F>
auto widened(matrix_view<const S> u, matrix_view<const S> y, F f) {
    const auto wide_u = to_double(matrix<S>(u)), wide_y = to_double(matrix<S>(y));
    return f(wide_u.view(), wide_y.view());
}

}  // namespace detail

/// h_0 .. h_{count-1} by least squares,  min sum_t |y_t - sum_k h_k u_{t-k}|^2.   u: L x m;  y: L x p.   O(L (count m + p)^2).
/// Exact from noise-free data of a system that is silent after `count` steps. An input that does not excite everything gives
/// the h of least norm, and fit.rank says so.  Throws shape_error without samples, numerical_error on what is not finite.
inline markov_fit markov_parameters(matrix_view<const double> u, matrix_view<const double> y, const markov_options& o = {}) {
    return detail::markov_parameters_of(u, y, o);
}
inline markov_fit_of<std::complex<double>> markov_parameters(matrix_view<const std::complex<double>> u, matrix_view<const std::complex<double>> y,
                                                             const markov_options& o = {}) {
    return detail::markov_parameters_of(u, y, o);
}

/// Observer/Kalman filter identification: the Markov parameters of an observer by least squares, and from them
///     h_k = inputs_k + sum_{1 <= i <= min(k, q)} outputs_i h_{k-i},      g_k = outputs_k + sum_{1 <= i < k} outputs_i g_{k-i}.
/// Noise-free data of order n <= p q that excite all lags give h exactly, however long the system rings. What is fitted has
/// more unknowns than the data determine as soon as p q > n: the observer is then one of many (fit.determined() is false),
/// the h are the same. With white noise, q large and long data, g belongs to the Kalman filter.
/// u: L x m;  y: L x p.   O(L (q (m + p))^2).   Throws as markov_parameters.
/// Juang, Phan, Horta & Longman, J. Guidance 16 (1993), with this library's h_0 = C B + D.
inline okid_fit okid(matrix_view<const double> u, matrix_view<const double> y, const okid_options& o = {}) { return detail::okid_of(u, y, o); }
inline okid_fit_of<std::complex<double>> okid(matrix_view<const std::complex<double>> u, matrix_view<const std::complex<double>> y,
                                              const okid_options& o = {}) {
    return detail::okid_of(u, y, o);
}

/// The same of data in float; inside everything is in double.
inline markov_fit markov_parameters(matrix_view<const float> u, matrix_view<const float> y, const markov_options& o = {}) {
    return detail::widened(u, y, [&](auto u, auto y) { return markov_parameters(u, y, o); });
}
inline markov_fit_of<std::complex<double>> markov_parameters(matrix_view<const std::complex<float>> u, matrix_view<const std::complex<float>> y,
                                                             const markov_options& o = {}) {
    return detail::widened(u, y, [&](auto u, auto y) { return markov_parameters(u, y, o); });
}
inline okid_fit okid(matrix_view<const float> u, matrix_view<const float> y, const okid_options& o = {}) {
    return detail::widened(u, y, [&](auto u, auto y) { return okid(u, y, o); });
}
inline okid_fit_of<std::complex<double>> okid(matrix_view<const std::complex<float>> u, matrix_view<const std::complex<float>> y,
                                              const okid_options& o = {}) {
    return detail::widened(u, y, [&](auto u, auto y) { return okid(u, y, o); });
}

}  // namespace hrm
