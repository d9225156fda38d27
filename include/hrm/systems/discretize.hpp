#pragma once

#include <cmath>
#include <complex>
#include <span>

#include <hrm/linalg/expm.hpp>
#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// How x' = A x + B u becomes s_t = Ad s_{t-1} + Bd u_t over a step h. C and D stay.
///     zoh                    Ad = e^{hA},                              Bd = A^-1 (e^{hA} - I) B      u constant over the step
///     generalized_bilinear   Ad = (I - theta h A)^-1 (I + (1 - theta) h A),  Bd = (I - theta h A)^-1 h B
/// forward_euler is theta = 0, bilinear 1/2, backward_euler 1. For theta >= 1/2 a stable A gives a stable Ad.
/// The current input enters at once (see discrete.hpp): the response is that of the textbook x_{k+1} = Ad x_k + Bd u_k one
/// step early.
enum class discretization { zoh, bilinear, forward_euler, backward_euler, generalized_bilinear };

namespace detail {

HRM_BOTH inline double theta_of(discretization method, double theta) {
    switch (method) {
        case discretization::bilinear: return 0.5;
        case discretization::forward_euler: return 0;
        case discretization::backward_euler: return 1;
        default: return theta;
    }
}

/// e^x - 1 without cancellation: Re = expm1(a) cos b - 2 sin^2(b/2), Im = e^a sin b.
inline double expm1(double x) { return std::expm1(x); }
inline std::complex<double> expm1(std::complex<double> x) {
    const double half = std::sin(x.imag() / 2);
    return {std::expm1(x.real()) * std::cos(x.imag()) - 2 * half * half, std::exp(x.real()) * std::sin(x.imag())};
}

/// One pole: ad and the factor that turns a row of B into a row of Bd. T: double or complex.
template <class T>
struct pole_step {
    T pole, gain;
};
template <class T>
pole_step<T> discretize_pole(T a, double h, discretization method, double theta) {
    if (method == discretization::zoh) {
        const T grown = expm1(h * a);
        return {1.0 + grown, a == T{} ? T(h) : grown / a};
    }
    const T denominator = 1.0 - theta * h * a;
    return {(1.0 + (1 - theta) * h * a) / denominator, h / denominator};
}

/// Step sizes: one for all, or one each; positive and finite.
template <real T>
void check_steps(std::span<const T> dt, index_t each) {
    if (dt.size() != 1) require_size("hrm::discretize", "number of step sizes", static_cast<index_t>(dt.size()), each);
    for (const T h : dt)
        if (!(h > 0) || !std::isfinite(h))
            throw numerical_error("hrm::discretize: a step size is " + std::to_string(h) + ", must be positive and finite");
}
template <real T>
double step_at(std::span<const T> dt, index_t i) {
    return static_cast<double>(dt.size() == 1 ? dt[0] : dt[static_cast<std::size_t>(i)]);
}

}  // namespace detail

/// Real or complex poles, a step size each (dt: n) or one for all (dt: 1). Computed in double, rounded once.  O(n m).
template <real_or_complex S, real T>
discrete<diagonal<S>> discretize(const continuous<diagonal<S>>& system, std::span<const T> dt, discretization method,
                                 double theta = 0.5) {
    system.check();
    detail::check_steps(dt, system.order());
    discrete<diagonal<S>> r{system.a, system.b, system.c, system.d};
    for (index_t i = 0; i < system.order(); ++i) {
        auto& pole = r.a.poles[static_cast<std::size_t>(i)];
        using wide = in_precision<double, S>;
        const auto step = detail::discretize_pole<wide>(pole, detail::step_at(dt, i), method, detail::theta_of(method, theta));
        pole = static_cast<S>(step.pole);
        for (index_t j = 0; j < r.inputs(); ++j) r.b(i, j) = static_cast<S>(step.gain * static_cast<wide>(r.b(i, j)));
    }
    return r;
}

/// q real poles and k pairs: dt has q + k entries, in that order, or one. A pair is a complex pole re + i im whose rows of
/// B are the real and imaginary part of one complex row.  O(n m).
template <real S, real T>
discrete<complex_pairs<S>> discretize(const continuous<complex_pairs<S>>& system, std::span<const T> dt, discretization method,
                                      double theta = 0.5) {
    system.check();
    const index_t q = system.a.reals(), k = system.a.pairs();
    detail::check_steps(dt, q + k);
    theta = detail::theta_of(method, theta);
    discrete<complex_pairs<S>> r{system.a, system.b, system.c, system.d};
    for (index_t i = 0; i < q; ++i) {
        auto& pole = r.a.real[static_cast<std::size_t>(i)];
        const auto step = detail::discretize_pole<double>(pole, detail::step_at(dt, i), method, theta);
        pole = static_cast<S>(step.pole);
        for (index_t j = 0; j < r.inputs(); ++j) r.b(i, j) = static_cast<S>(step.gain * static_cast<double>(r.b(i, j)));
    }
    for (index_t i = 0; i < k; ++i) {
        auto &re = r.a.re[static_cast<std::size_t>(i)], &im = r.a.im[static_cast<std::size_t>(i)];
        const auto step = detail::discretize_pole<std::complex<double>>({re, im}, detail::step_at(dt, q + i), method, theta);
        re = static_cast<S>(step.pole.real());
        im = static_cast<S>(step.pole.imag());
        for (index_t j = 0; j < r.inputs(); ++j) {
            const auto b = step.gain * std::complex<double>(r.b(q + i, j), r.b(q + k + i, j));
            r.b(q + i, j) = static_cast<S>(b.real());
            r.b(q + k + i, j) = static_cast<S>(b.imag());
        }
    }
    return r;
}

/// Any A, one step size.  O(n^3): zoh by the exponential of [hA hI; 0 0] = [e^{hA}, integral_0^h e^{tA} dt; 0 I]
/// (Van Loan 1978), which never divides by A.  Throws numerical_error if I - theta h A is singular.
template <real_or_complex S, real T>
discrete<dense<S>> discretize(const continuous<dense<S>>& system, std::span<const T> dt, discretization method,
                              double theta = 0.5) {
    using wide = in_precision<double, S>;
    system.check();
    require_size("hrm::discretize", "number of step sizes", static_cast<index_t>(dt.size()), 1);
    detail::check_steps(dt, 1);
    const double h = static_cast<double>(dt[0]);
    theta = detail::theta_of(method, theta);
    const index_t n = system.order(), m = system.inputs();
    const auto& a = system.a.a;
    discrete<dense<S>> r{{matrix<S>(n, n)}, matrix<S>(n, m), system.c, system.d};
    matrix<wide> step(n, 2 * n);  // [Ad | the matrix that turns B into Bd]
    if (method == discretization::zoh) {
        matrix<wide> generator(2 * n, 2 * n);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) generator(i, j) = h * static_cast<wide>(a(i, j));
            generator(i, n + i) = h;
        }
        step = detail::submatrix(expm(generator), 0, n, 0, 2 * n);
    } else {
        matrix<wide> left(n, n);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) {
                left(i, j) = (i == j ? 1.0 : 0.0) - theta * h * static_cast<wide>(a(i, j));
                step(i, j) = (i == j ? 1.0 : 0.0) + (1 - theta) * h * static_cast<wide>(a(i, j));
            }
            step(i, n + i) = h;
        }
        step = solve(std::move(left), std::move(step));
    }
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) r.a.a(i, j) = static_cast<S>(step(i, j));
        for (index_t j = 0; j < m; ++j) {
            wide sum = 0;
            for (index_t k = 0; k < n; ++k) sum += step(i, n + k) * static_cast<wide>(system.b(k, j));
            r.b(i, j) = static_cast<S>(sum);
        }
    }
    return r;
}

/// One step size for every state: discretize(system, 0.01).
template <any_structure A>
discrete<A> discretize(const continuous<A>& system, double dt, discretization method = discretization::zoh, double theta = 0.5) {
    return discretize(system, std::span<const double>(&dt, 1), method, theta);
}

}  // namespace hrm
