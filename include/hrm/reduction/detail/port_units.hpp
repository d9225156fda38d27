#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <hrm/reduction/balanced.hpp>

// Systems whose B, C or gain have squares next to the end of the range of double, or beyond it.

namespace hrm::detail {

/// reduce(s, options) in the units of B and C (units_of_ports), whose result is given back in those of s. D has no part in it but
/// where the result's differs. Nothing is certified where rounding is too small a number, or the units would not be exact.
template <any_system T, class F>
auto in_port_units(const char* where, const T& s, const balance_options& options, F reduce) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    const auto units = units_of_ports(s.b, s.c);
    if (units.none()) {
        auto out = reduce(s, options);
        if constexpr (requires { out.certified; }) out.certified = out.certified && units.exact;
        return out;
    }
    require_finite(where, "D", s.d);
    auto scaled = s;
    scaled.d = {};
    into_port_units(scaled);
    auto in_units = options;
    if (options.hinf_budget > 0) in_units.hinf_budget = std::max(std::ldexp(options.hinf_budget, -units.gain()), std::numeric_limits<double>::denorm_min());
    auto out = reduce(scaled, in_units);

    const auto back = [&](double& x) { x = std::ldexp(x, units.gain()); };
    constexpr double square_in_range = 0x1p-450;
    const bool nothing = out.sigma.empty() || out.sigma[0] == 0, accurate = nothing || out.sigma[0] >= square_in_range;
    for (double& x : out.sigma) back(x);
    back(out.bound);
    if (!std::isfinite(out.bound) || !(out.sigma.empty() || std::isfinite(out.sigma[0])))
        throw numerical_error(std::string(where) + ": the singular values are beyond the range of double");
    for (auto* x : {&out.measured_error, &out.measured_h2})
        if (*x) {
            back(**x);
            if (!std::isfinite(**x)) x->reset();
        }
    back(out.measured_rounding);
    // Balanced states are so in the units of s as well; those of a basis that has a length of its own keep it.
    const int half = units.gain() / 2;
    const bool balanced_states = options.basis == projection::square_root;
    scale_by_power(out.system.b, balanced_states ? half : units.in);
    scale_by_power(out.system.c, balanced_states ? half : units.out);
    scale_by_power(out.system.d, units.gain());
    double rounded = 0;  // of D
    if (!s.d.empty()) {
        if (out.system.d.empty()) out.system.d = s.d;
        else {
            add(out.system.d, s.d);
            rounded = eps * frobenius(out.system.d);
        }
    }
    check_finite(where, out.system);
    out.measured_rounding += rounded;
    if constexpr (requires { out.hankel_error; }) back(out.hankel_error);
    else {
        back(out.rounding);
        out.rounding += rounded;
        out.certified = out.certified && accurate && allows(out) && (nothing || out.sigma[0] >= std::numeric_limits<double>::min() / eps);
        if (balanced_states) {
            scale_by_power(out.t, units.in - half);
            scale_by_power(out.w, half - units.in);
            require_finite(where, "t", out.t);
            require_finite(where, "w", out.w);
        }
    }
    return out;
}

}  // namespace hrm::detail
