#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include <hrm/adapter/options.hpp>
#include <hrm/linalg/elementary.hpp>

// One pole as a function of its one or two parameters, in double: where it lies, the factor of its row of B, and the
// derivatives of both. Everything an adapter needs to know of a parametrisation. One pole by <cmath>, on either side; many by
// exponentials that are evaluated side by side.

namespace hrm {

/// Abar = re + i im;  Bbar_row = scale * B_row.  Index 0, 1 of a derivative: the first and second parameter.
struct pole {
    double re = 0, im = 0, scale = 1;
    double d_re[2] = {}, d_im[2] = {}, d_scale[2] = {};
};

/// The derivatives of some poles and of the logarithms of their scales, each a plane of `count` numbers: those that only pairs have come last.
struct pole_slopes {
    const double* all = nullptr;
    index_t count = 0;
    const double* re(int parameter) const { return all + parameter * count; }
    const double* log_scale(int parameter) const { return all + (2 + parameter) * count; }
    const double* im(int parameter) const { return all + (4 + parameter) * count; }
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
/// Delta = clamp(softplus(logdt)) and dDelta/dlogdt, 0 where the clamp holds. small = e^-|logdt|.
struct step {
    double dt, slope;
};
HRM_BOTH inline step step_size(double log_dt, double small, double free_dt, const hrm_options& o) {
    const double dt = free_dt < o.dt_min ? o.dt_min : o.dt_max < free_dt ? o.dt_max : free_dt;
    return {dt, free_dt == dt ? (log_dt < 0 ? small : 1) / (1 + small) : 0};
}
// These write in place: a pole that is returned is built elsewhere and copied, at more than its arithmetic costs.
/// e = e^logA;  decayed = e^-x and lost = 1 - e^-x of x = Delta e.
HRM_BOTH inline void positive_pole(pole& p, double e, step to, double decayed, double lost, const hrm_options& o) {
    const double dt = to.dt, x = dt * e;
    p = {};
    double slope = 0, rest = 0;  // dAbar/dx, 1 - Abar^2
    if (o.discretization == discretization::zoh) {
        p.re = decayed;
        p.scale = lost / e;
        slope = -p.re;
        rest = lost * (1 + decayed);
        p.d_scale[0] = dt * p.re - p.scale;
        p.d_scale[1] = p.re * to.slope;
    } else {
        const double theta = theta_of(o.discretization, o.theta), below = 1 + theta * x;
        p.re = (1 - (1 - theta) * x) / below;
        p.scale = dt / below;
        slope = -1 / (below * below);
        rest = x * (2 + (2 * theta - 1) * x) / (below * below);
        p.d_scale[0] = -dt * theta * x / (below * below);
        p.d_scale[1] = to.slope / (below * below);
    }
    p.d_re[0] = slope * x;
    p.d_re[1] = slope * e * to.slope;
    normalize(p, o.normalization, rest, {2 * p.re * p.d_re[0], 2 * p.re * p.d_re[1]});
}
/// small = e^-2|theta|, lost = 1 - small:  |tanh theta| = lost / (1 + small),  1 - tanh^2 = 4 small / (1 + small)^2.
HRM_BOTH inline void signed_pole(pole& p, double theta, double small, double lost, const hrm_options& o) {
    p = {};
    p.re = std::copysign(lost / (1 + small), theta);
    p.d_re[0] = 4 * small / ((1 + small) * (1 + small));
    normalize(p, o.normalization, p.d_re[0], {2 * p.re * p.d_re[0], 0});
}
/// rate = e^nu;  radius = e^-rate, lost = 1 - radius^2.
HRM_BOTH inline void pair_pole(pole& p, double rate, double phase, double radius, double lost, const hrm_options& o) {
    p = {};
    p.re = radius * std::cos(phase);
    p.im = radius * std::sin(phase);
    p.d_re[0] = -rate * p.re;
    p.d_im[0] = -rate * p.im;
    p.d_re[1] = -p.im;
    p.d_im[1] = p.re;
    normalize(p, o.normalization, lost, {-2 * rate * radius * radius, 0});
}
}  // namespace detail

/// a = -e^l, l = logA;  Delta = clamp(softplus(logdt));  x = Delta e^l.
///     zoh        Abar = e^-x                                 scale = (Abar - 1) / a
///     bilinear   Abar = (1 - (1 - theta) x) / (1 + theta x)  scale = Delta / (1 + theta x)
/// forward_euler, and any theta < 1/2, leave the unit disc at large x.
HRM_BOTH inline pole real_positive_pole(double log_a, double log_dt, const hrm_options& o) {
    const auto step = detail::step_size(log_dt, std::exp(-std::abs(log_dt)), softplus(log_dt), o);
    const double e = std::exp(log_a), x = step.dt * e;
    pole p;
    detail::positive_pole(p, e, step, std::exp(-x), -std::expm1(-x), o);
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
    const double twice = -2 * std::abs(theta);
    pole p;
    detail::signed_pole(p, theta, std::exp(twice), -std::expm1(twice), o);
    return p;
}

/// Abar = exp(-exp(nu) + i phase): the exponential form of Orvieto et al. 2023 (LRU), stable by construction.
HRM_BOTH inline pole complex_pole(double nu, double phase, const hrm_options& o) {
    const double rate = std::exp(nu);
    pole p;
    detail::pair_pole(p, rate, phase, std::exp(-rate), -std::expm1(-2 * rate), o);
    return p;
}

/// out[i] = the pole of first[i] and second[i] (null where the kind has no second parameter), the same to a few ulp: a pole
/// alone costs as much as a thousand products, and each has its turn at every step.
template <real S>
void fill_poles(poles kind, const S* first, const S* second, index_t count, const hrm_options& o, pole* out) {
    constexpr index_t many = 8;
    double x[many] = {}, y[many] = {}, at[many], whole[3][many], lost[3][many], soft[many];
    const auto exponential_of = [&](int k, auto&& f) {
        for (index_t i = 0; i < many; ++i) at[i] = f(i);
        for (index_t i = 0; i < many; ++i) {
            const auto e = exponentials(at[i]);
            whole[k][i] = e.whole;
            lost[k][i] = -e.less_one;
        }
    };
    for (index_t i0 = 0; i0 < count; i0 += many) {
        const index_t live = std::min(many, count - i0);
        for (index_t i = 0; i < live; ++i) x[i] = static_cast<double>(first[i0 + i]);
        if (second)
            for (index_t i = 0; i < live; ++i) y[i] = static_cast<double>(second[i0 + i]);
        if (kind == poles::real_positive) {
            detail::step to[many];
            exponential_of(0, [&](index_t i) { return x[i]; });
            exponential_of(1, [&](index_t i) { return -std::abs(y[i]); });
            for (index_t i = 0; i < many; ++i) soft[i] = 0.5 * (y[i] + std::abs(y[i])) + log_one_plus(whole[1][i]);
            for (index_t i = 0; i < many; ++i) to[i] = detail::step_size(y[i], whole[1][i], soft[i], o);
            exponential_of(2, [&](index_t i) { return -to[i].dt * whole[0][i]; });
            for (index_t i = 0; i < live; ++i) detail::positive_pole(out[i0 + i], whole[0][i], to[i], whole[2][i], lost[2][i], o);
        } else if (kind == poles::real_signed) {
            exponential_of(0, [&](index_t i) { return -2 * std::abs(x[i]); });
            for (index_t i = 0; i < live; ++i) detail::signed_pole(out[i0 + i], x[i], whole[0][i], lost[0][i], o);
        } else {
            exponential_of(0, [&](index_t i) { return x[i]; });
            exponential_of(1, [&](index_t i) { return -whole[0][i]; });
            for (index_t i = 0; i < live; ++i)
                detail::pair_pole(out[i0 + i], whole[0][i], y[i], whole[1][i], lost[1][i] * (1 + whole[1][i]), o);
        }
    }
}

}  // namespace hrm
