#pragma once

#include <hrm/reduction/complex_balance.hpp>

namespace hrm {

/// A realisation without unreachable and unobservable states, of any system, stable or not: the same transfer function with
/// as few states as its Hankel singular values say, those above tolerance sigma_1 (0: above n eps sigma_1).
/// Which states are reachable does not change when A is shifted (continuous) or scaled (discrete), so an unstable A is made
/// stable, balanced and cut, and what was found is applied to A itself.  O(n^3).  Kalman 1963.
/// sigma, bound and certificate are those of the system that was balanced: the system itself where it is stable.
template <any_system T>
auto minimal(const T& system, double tolerance = 0) {
    system.check();
    const auto s = to_dense(cast<double>(system));
    detail::check_finite("hrm::minimal", s);
    balance_options o{.tolerance = tolerance, .unstable = unstable_poles::refuse};
    o.floor = 0;
    auto moved = s;
    bool stable = true;
    if constexpr (in_discrete_time<T>) {
        const double radius = spectral_radius(s.a);
        stable = radius < 1 - 1e-8;
        if (!stable)
            for (auto& x : moved.a.a.flat()) x *= 0.5 / radius;
    } else {
        auto balanced = s.a.a;  // in the states' own units |A| may be far above its poles
        detail::balance_scales(balanced);
        double norm = 0;
        for (const auto& x : balanced.flat()) norm = std::hypot(norm, std::abs(x));
        const double abscissa = spectral_abscissa(s.a);
        stable = s.order() == 0 || abscissa < -1e-8 * norm;
        if (!stable)
            for (index_t i = 0; i < s.order(); ++i) moved.a.a(i, i) -= abscissa + (norm > 0 ? norm / 2 : 1);
    }
    auto out = balance(moved, o);
    if (stable) return out;
    out.system.a.a = detail::project(out.w, s.a, out.t);
    detail::describe(out);
    detail::describe_poles(out);
    out.certified = false;
    return out;
}

}  // namespace hrm
