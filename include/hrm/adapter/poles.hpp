#pragma once

#include <array>
#include <cmath>

#include <hrm/adapter/options.hpp>

// One pole as a function of its one or two parameters, in double: where it lies, the factor of its row of B, and the
// derivatives of both. Everything an adapter needs to know of a parametrisation.

namespace hrm {

/// Abar = re + i im;  Bbar_row = scale * B_row.  Index 0, 1 of a derivative: the first and second parameter.
struct pole {
    double re = 0, im = 0, scale = 1;
    double d_re[2] = {}, d_im[2] = {}, d_scale[2] = {};
};

/// log(1 + e^x), and its inverse.
HRM_BOTH inline double softplus(double x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }
HRM_BOTH inline double softplus_inverse(double y) { return y + std::log(-std::expm1(-y)); }

namespace detail {
/// scale = sqrt(1 - |Abar|^2) or 1 - |Abar|, given 1 - |Abar|^2 (free of cancellation) and d|Abar|^2/dp. A pole on the
/// unit circle hears nothing.
HRM_BOTH inline void normalize(pole& p, normalization how, double rest, const double (&d_square)[2]) {
    if (how == normalization::none) return;
    rest = rest < 0 ? 0 : rest;
    const bool variance = how == normalization::unit_variance;
    const double radius = std::sqrt(rest < 1 ? 1 - rest : 0);
    p.scale = variance ? std::sqrt(rest) : rest / (1 + radius);
    const double under = 2 * (variance ? p.scale : radius);
    for (int j = 0; j < 2; ++j) p.d_scale[j] = under > 0 && rest > 0 ? -d_square[j] / under : 0;
}
}  // namespace detail

/// a = -e^l, l = logA;  Delta = clamp(softplus(logdt));  x = Delta e^l.
///     zoh        Abar = e^-x                                 scale = (Abar - 1) / a
///     bilinear   Abar = (1 - (1 - theta) x) / (1 + theta x)  scale = Delta / (1 + theta x)
/// forward_euler, and any theta < 1/2, leave the unit disc at large x.
HRM_BOTH inline pole real_positive_pole(double log_a, double log_dt, const hrm_options& o) {
    const double e = std::exp(log_a), free_dt = softplus(log_dt);
    const double dt = free_dt < o.dt_min ? o.dt_min : o.dt_max < free_dt ? o.dt_max : free_dt;
    const double dt_slope = free_dt == dt ? 1 / (1 + std::exp(-log_dt)) : 0;  // dDelta/dlogdt: 0 where the clamp holds
    const double x = dt * e;
    pole p;
    double slope = 0, rest = 0;  // dAbar/dx, 1 - Abar^2
    if (o.discretization == discretization::zoh) {
        p.re = std::exp(-x);
        p.scale = -std::expm1(-x) / e;
        slope = -p.re;
        rest = -std::expm1(-2 * x);
        p.d_scale[0] = dt * p.re - p.scale;
        p.d_scale[1] = p.re * dt_slope;
    } else {
        const double theta = detail::theta_of(o.discretization, o.theta), below = 1 + theta * x;
        p.re = (1 - (1 - theta) * x) / below;
        p.scale = dt / below;
        slope = -1 / (below * below);
        rest = x * (2 + (2 * theta - 1) * x) / (below * below);
        p.d_scale[0] = -dt * theta * x / (below * below);
        p.d_scale[1] = dt_slope / (below * below);
    }
    p.d_re[0] = slope * x;
    p.d_re[1] = slope * e * dt_slope;
    detail::normalize(p, o.normalization, rest, {2 * p.re * p.d_re[0], 2 * p.re * p.d_re[1]});
    return p;
}
/// The (logA, logdt) whose pole is e^-rate, with Delta at the geometric middle of its range.
inline std::array<double, 2> real_positive_from_rate(double rate, const hrm_options& o) {
    const double dt = std::sqrt(o.dt_min * o.dt_max), abar = std::exp(-rate), theta = detail::theta_of(o.discretization, o.theta);
    const double x = o.discretization == discretization::zoh ? rate : -std::expm1(-rate) / (1 - theta + theta * abar);
    return {std::log(x / dt), softplus_inverse(dt)};
}

/// Abar = tanh(theta).
HRM_BOTH inline pole real_signed_pole(double theta, const hrm_options& o) {
    pole p;
    p.re = std::tanh(theta);
    const double c = 1 / std::cosh(theta);  // 1 - tanh^2 = 1 / cosh^2, without cancellation
    p.d_re[0] = c * c;
    detail::normalize(p, o.normalization, c * c, {2 * p.re * p.d_re[0], 0});
    return p;
}

/// Abar = exp(-exp(nu) + i phase): the exponential form of Orvieto et al. 2023 (LRU), stable by construction.
HRM_BOTH inline pole complex_pole(double nu, double phase, const hrm_options& o) {
    const double rate = std::exp(nu), radius = std::exp(-rate);
    pole p;
    p.re = radius * std::cos(phase);
    p.im = radius * std::sin(phase);
    p.d_re[0] = -rate * p.re;
    p.d_im[0] = -rate * p.im;
    p.d_re[1] = -p.im;
    p.d_im[1] = p.re;
    detail::normalize(p, o.normalization, -std::expm1(-2 * rate), {-2 * rate * radius * radius, 0});
    return p;
}

}  // namespace hrm
