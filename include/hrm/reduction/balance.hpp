#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <hrm/reduction/detail/keep_pages.hpp>
#include <hrm/reduction/detail/measure.hpp>
#include <hrm/reduction/detail/port_units.hpp>
#include <hrm/reduction/detail/project.hpp>
#include <hrm/reduction/factor.hpp>

namespace hrm {
namespace detail {

/// True where an A that passed as stable has a pole that is an integrator but for rounding: its Gramian lc lc^T exceeds
/// |B|^2 / (100 n eps |A|), or in Schur coordinates, where it shows, it lies as near to the boundary as split asks.
template <class System>
bool looks_integrating(const System& s, const gramian_factors& f) {
    if (f.lc.empty()) return false;
    const double eps = std::numeric_limits<double>::epsilon() * static_cast<double>(s.order());
    const auto grown = [&](double size, const matrix<double>& in) {
        return frobenius_squared(f.lc) * size * 100 * eps > frobenius_squared(in);
    };
    if (!(f.depth > pole_rounding(s.order(), frobenius(s.a.a)))) return true;
    if (!f.coordinates) return grown(frobenius(s.a.a), s.b);
    const auto& t = f.coordinates->t;
    const double size = frobenius(t);
    for (const auto& l : block_eigenvalues(t.view()))
        if (!(depth<System>(l) > pole_rounding(t.rows(), size))) return true;
    return grown(size, f.coordinates->into(s.b));
}

/// The modes of a dense A, if it has any to be seen; of a modal one nothing, for it needs none.
template <linear_system T>
std::optional<modal_coordinates> modes_of(const T& s) {
    if constexpr (is_modal<T>) return {};
    else return find_modes(s);
}

/// A stable system in double, whose poles lie where they should or the factorisation throws.  modes: modes_of(s).
template <linear_system T>
auto balance_stable(const T& s, const std::optional<modal_coordinates>& modes, const balance_options& o, bool* integrating = nullptr) {
    bool estimated = false;
    const auto run = [&](const auto& g) {
        // Where a tolerance alone decides about many states, columns of a ten-thousandth of it are enough; the bound counts
        // what they miss. What modal A misses counts in second order: of its root, unless the bound turns out to be wider by it.
        // So much they add to the dropped sigma; that the error is twice those is proved for whole Gramians alone.
        const bool alone = o.tolerance > 0 && o.energy == 0 && o.hinf_budget == 0 && o.gap == gap_rule::ignore;
        const bool coarse = alone && s.order() > 256 && o.weak == weak_states::truncate && o.floor > 0;
        const double least = coarse ? std::max(o.floor, 1e-4 * o.tolerance) : o.floor;
        if constexpr (is_modal<T>)
            if (coarse && o.basis != projection::balancing_free)
                for (double floor = 1e-4 * std::sqrt(std::min(1.0, o.tolerance)); floor > least; floor *= 1e-2) {
                    auto f = factors_of("hrm::balance", g, modes, floor);
                    estimated = f.estimated;
                    auto out = reduce_by_factors(g, g.a, std::move(f), o);
                    const double tail = tail_bound(out.sigma, out.order());
                    if (out.bound <= 1.05 * tail + 0.5 * o.tolerance * out.sigma[0]) return out;
                }
        auto f = factors_of("hrm::balance", g, modes, least);
        estimated = f.estimated;
        if constexpr (!is_modal<T>) {
            if (integrating) *integrating = looks_integrating(s, f);
            if (modes) return reduce_by_factors(g, block_diagonal{*modes, g.a.a}, std::move(f), o);
        }
        return reduce_by_factors(g, g.a, std::move(f), o);
    };
    auto out = [&] {
        if constexpr (in_discrete_time<T>)
            if (o.weak == weak_states::residualize) return run(to_textbook(s));
        return run(s);
    }();
    describe(out);
    if (o.error == error_report::measured && out.stable) measure(error_system(s, out.system), out);
    const bool within = out.measured_error && *out.measured_error + out.measured_rounding <= out.bound + out.rounding;
    out.certified = out.stable && allows(out) && (!estimated || within);
    return out;
}

/// What rounding moves in the stable part on the way to it:  A1 = w1^H A t1  and so on are off by eps |w1| |A|, where |w1| is
/// the norm of the projector, and what A1 is off by counts as in measure_allowance. In these units: A1 may be triangular, and would
/// look far smaller in others.
template <class System, any_system T>
double split_allowance(const split_system<System>& parts, const T& whole) {
    const auto g = to_dense(parts.stable);
    const auto times = [](const auto& all, const auto& part) {
        const double of = frobenius_squared(part);
        return of > 0 ? std::max(1.0, std::sqrt(frobenius_squared(all) / of)) : 1;
    };
    const double larger = std::max({times(to_dense(whole.a), g.a.a), times(whole.b, g.b), times(whole.c, g.c)});
    try {
        const double moved = allowance_in_these_units(real_form(g), 0, parts.condition * larger);
        if (std::isfinite(moved)) return moved;
    } catch (const numerical_error&) {  // poles next to the boundary, beyond it in these units
    }
    return std::numeric_limits<double>::infinity();
}

/// The stable part reduced by `reduce`, the rest put beside it again.
template <any_system T, class F>
auto balance_split(const T& s, const balance_options& o, F reduce) {
    auto [parts, out] = apart(s, o.margin, reduce);
    const index_t n = s.order(), ns = parts.stable.order(), nu = n - ns;
    out.unstable = nu;
    out.split_condition = parts.condition;
    if (nu == 0 && is_modal<T>) return out;
    const auto lift = [&](const auto& basis, const auto& inner) {
        return beside(product(submatrix(basis, 0, n, 0, ns), inner), submatrix(basis, 0, n, ns, nu));
    };
    out.t = lift(parts.t, out.t);
    out.w = lift(parts.w, out.w);
    out.system = beside("hrm::balance", out.system, parts.unstable);
    describe(out);
    describe_poles(out);
    if constexpr (!is_modal<T>) {
        if (ns > 0) out.rounding += split_allowance(parts, s);
        out.certified = out.certified && ns > 0 && allows(out);
    }
    return out;
}
template <linear_system T>
auto balance_split(const T& s, const balance_options& o) {
    return balance_split(s, o, [&](const T& stable) {
        return in_port_units("hrm::balance", stable, o, [](const T& g, const balance_options& own) { return balance_stable(g, modes_of(g), own); });
    });
}

template <linear_system T>
auto balance_double(const T& s, const balance_options& o) {
    const auto modes = modes_of(s);
    if (!modes) require_finite("hrm::balance", "A", s.a);  // zeros and finite modes
    require_finite("hrm::balance", "B", s.b);
    require_finite("hrm::balance", "C", s.c);
    require_finite("hrm::balance", "D", s.d);
    if (o.unstable == unstable_poles::refuse) return balance_stable(s, modes, o);
    if constexpr (is_modal<T>) {
        return nothing_to_split<T>(s.a, o.margin) ? balance_stable(s, modes, o) : balance_split(s, o);
    } else {
        keep_pages(80 * s.order() * s.order());
        if (modes) {
            if (nothing_to_split<T>(modes->a, o.margin)) return balance_stable(s, modes, o);
            auto out = balance_split(in_modes(*modes, s), o);
            out.t = modes->from_modes(out.t);
            out.w = modes->dual_from_modes(out.w);
            out.rounding += rounded_couples(s, *modes);
            out.certified = out.certified && !out.sigma.empty() && allows(out);
            return out;
        }
        // Asking first would cost a Schur form; the equations' own finds out.
        if (o.margin < 0) try {
                bool integrating = false;
                auto out = balance_stable(s, modes, o, &integrating);
                if (!integrating) return out;
            } catch (const unstable_error&) {
            }
        return balance_split(s, o);
    }
}

/// balance() with given Gramians; reduce(s, factor of wc, factor of wo) reduces.
template <any_system T, class S, class F>
auto balance_given(const T& system, const matrix<S>& wc, const matrix<S>& wo, const balance_options& options, F reduce) {
    system.check();
    require_shape("hrm::balance", "Wc", wc.rows(), wc.cols(), system.order(), system.order());
    require_shape("hrm::balance", "Wo", wo.rows(), wo.cols(), system.order(), system.order());
    auto s = cast<double>(system);
    check_finite("hrm::balance", s);
    const auto c = hrm::factor_semidefinite(wc), o = hrm::factor_semidefinite(wo);
    const auto whole = s;
    if constexpr (in_discrete_time<T>)
        if (options.weak == weak_states::residualize) s = to_textbook(s);
    auto out = reduce(s, c, o);
    describe(out);
    out.regularisation = std::max(c.dropped, o.dropped);
    if (options.error == error_report::measured && out.stable && is_stable(whole)) measure(error_system(whole, out.system), out);
    return out;
}

}  // namespace detail

/// Reduces a system to the states that matter most to its input-output map.
///     auto r = hrm::balance(system, {.tolerance = 1e-3});
///     r.system;  r.sigma;  r.bound;      // ||G - Gr||_inf <= bound + rounding, bound = 2 * (sum of the distinct dropped sigma)
/// a: n x n, b: n x m, c: p x n, d is kept.  O(n^3), and O(n^2) and a small O(rank^3) for modal A, also in disguise
/// (find_modes); offline, in double.  Unstable and integrating poles are split off, kept and counted, or refused: see
/// balance_options; certified and bound are then about the stable part. Unreachable and unobservable states, zero B or C, m, p or n = 0
/// give a result, of order at most the numerical rank.  Throws numerical_error on what is not finite, unstable_error (a numerical_error) where A is refused.
/// Residualising a discrete system balances its textbook form x_{k+1} = A x_k + B u_k, y_k = C A x_k + (D + C B) u_k; the
/// result needs C A_r^-1, and where A_r is singular p more states for a delayed read-out (counted in `delayed`).
/// Moore 1981, Glover 1984; square-root form, Laub, Heath, Paige & Ward 1987.
template <linear_system T>
auto balance(const T& system, const balance_options& options = {}) {
    system.check();
    const auto reduce = [](const auto& s, const balance_options& o) { return detail::balance_double(s, o); };
    if constexpr (std::same_as<typename T::scalar, double>) return detail::in_port_units("hrm::balance", system, options, reduce);
    else return detail::in_port_units("hrm::balance", cast<double>(system), options, reduce);
}

/// The same with given Gramians, n x n, symmetric positive semidefinite, singular or not: empirical, weighted or
/// time-limited ones. sigma are then the singular values of that pair, and the bound is no theorem: certified is false.
/// A may be unstable, and nothing is split off. Throws numerical_error if a Gramian is not semidefinite.
template <linear_system T>
auto balance(const T& system, const matrix<double>& wc, const matrix<double>& wo, const balance_options& options = {}) {
    return detail::balance_given(system, wc, wo, options, [&](const auto& s, const auto& c, const auto& o) {
        return detail::reduce_by_factors(s, s.a, detail::gramian_factors{c.l, o.l}, options);
    });
}

}  // namespace hrm
