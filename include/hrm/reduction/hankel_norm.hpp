#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include <hrm/reduction/complex_balance.hpp>

namespace hrm {

/// The best approximation of its order in the Hankel norm.  R: discrete<dense<double>> or continuous<dense<double>>, or of complex.
template <class R>
struct hankel_norm_approximation : measured_errors {
    R system;                    ///< order r, its own D; unstable states last
    std::vector<double> sigma;   ///< Hankel singular values, descending (discrete: of the textbook form, see balance)
    double hankel_error = 0;     ///< |G - Gr|_Hankel = sigma_{r+1}: no system of order r does better
    double bound = 0;            ///< |G - Gr|_inf <= sigma_{r+1} + 2 * (sum of the distinct sigma below it)
    index_t delayed = 0;         ///< states added for a delayed read-out (discrete time, see balance)
    bool stable = true;
    index_t unstable = 0;        ///< states that were split off and kept: all else is about the stable part

    index_t order() const { return system.order(); }
};

namespace detail {

/// The stable part of the all-pass dilation. Balanced, with sigma = sigma_{r+1} and its equals moved to the end (block 2):
///     U = -C2 (B2^H)^+,   Gamma = S1^2 - sigma^2,
///     A = Gamma^-1 (sigma^2 A11^H + S1 A11 S1 - sigma C1^H U B1^H),   B = Gamma^-1 (S1 B1 + sigma C1^H U),
///     C = C1 S1 + sigma U B1^H,   D = D - sigma U:
/// G - (A, B, C, D) is sigma times an all-pass, and r of the poles are stable. Glover 1984; pseudo-inverse, Safonov et al. 1990.
template <class T>
continuous<dense<T>> all_pass_part(const continuous<dense<T>>& g, const std::vector<double>& sigma, index_t r, index_t last) {
    const index_t n = g.order(), m = g.inputs(), p = g.outputs(), k = last - r, rest = n - k;
    const double s = sigma[static_cast<std::size_t>(r)];
    const auto from = [&](index_t i) { return i < r ? i : i + k; };  // state i of block 1
    const auto value = [&](index_t i) { return sigma[static_cast<std::size_t>(from(i))]; };
    matrix<T> b2(k, m), c2(p, k), b1(rest, m), c1(p, rest);
    for (index_t i = 0; i < k; ++i) {
        for (index_t j = 0; j < m; ++j) b2(i, j) = g.b(r + i, j);
        for (index_t j = 0; j < p; ++j) c2(j, i) = g.c(j, r + i);
    }
    for (index_t i = 0; i < rest; ++i) {
        for (index_t j = 0; j < m; ++j) b1(i, j) = g.b(from(i), j);
        for (index_t j = 0; j < p; ++j) c1(j, i) = g.c(j, from(i));
    }
    // (B2^H)^+ by its singular values: more equal sigma than ports leave B2 B2^H singular.
    const auto svd = jacobi_svd(b2);
    matrix<T> u(p, m);
    for (std::size_t h = 0; h < svd.sigma.size(); ++h) {
        if (!(svd.sigma[h] > 1e-12 * svd.sigma[0])) break;
        const auto col = static_cast<index_t>(h);
        for (index_t i = 0; i < p; ++i) {
            T sum = 0;
            for (index_t j = 0; j < k; ++j) sum += times(c2(i, j), svd.u(j, col));
            for (index_t j = 0; j < m; ++j) u(i, j) -= times(sum / svd.sigma[h], conjugate(svd.v(j, col)));
        }
    }
    const auto cu = project(c1, u), ub = product(u, adjoint(b1));  // C1^H U, U B1^H
    const auto cub = product(cu, adjoint(b1));
    continuous<dense<T>> to{{matrix<T>(rest, rest)}, matrix<T>(rest, m), matrix<T>(p, rest),
                                 g.d.empty() ? matrix<T>(p, m) : g.d};
    for (index_t i = 0; i < rest; ++i) {
        const double gamma = (value(i) - s) * (value(i) + s);
        for (index_t j = 0; j < rest; ++j)
            to.a.a(i, j) = (s * s * conjugate(g.a.a(from(j), from(i))) + value(i) * g.a.a(from(i), from(j)) * value(j) - s * cub(i, j)) / gamma;
        for (index_t j = 0; j < m; ++j) to.b(i, j) = (value(i) * b1(i, j) + s * cu(i, j)) / gamma;
        for (index_t j = 0; j < p; ++j) to.c(j, i) = c1(j, i) * value(i) + s * ub(j, i);
    }
    add(to.d, u, -s);
    return split(to, 0).stable;
}

/// The textbook discrete system with G(z), z = (1 + s)/(1 - s):
///     A = (I - A)^-1 (I + A),  B = sqrt2 (I - A)^-1 B,  C = sqrt2 C (I - A)^-1,  D = D + C (I - A)^-1 B.
template <class T>
discrete<dense<T>> textbook_of(const continuous<dense<T>>& g) {
    const index_t n = g.order();
    matrix<T> minus = g.a.a, plus = g.a.a;
    for (auto& x : minus.flat()) x = -x;
    for (index_t i = 0; i < n; ++i) minus(i, i) += 1, plus(i, i) += 1;
    discrete<dense<T>> to{{solve(minus, plus)}, solve(minus, g.b), divide(g.c, minus),
                               g.d.empty() ? matrix<T>(g.outputs(), g.inputs()) : g.d};
    add(to.d, product(to.c, g.b));
    for (auto& x : to.b.flat()) x *= std::sqrt(2.0);
    for (auto& x : to.c.flat()) x *= std::sqrt(2.0);
    return to;
}

/// approximate_hankel_norm of a stable system in double.
template <any_system T>
hankel_norm_approximation<reduced_system<T>> hankel_norm_of_stable(const T& system, const balance_options& options) {
    balance_options all;
    all.unstable = unstable_poles::refuse;
    all.floor = 0;
    std::vector<double> cut;  // by the first of two balancings
    // The map turns poles near -1 and 1 into rates as far apart as can be: in balanced coordinates these do not mix.
    const auto s = [&] {
        if constexpr (in_discrete_time<T>) {
            const auto first = balance(system, all);
            cut.assign(first.sigma.begin() + first.order(), first.sigma.end());
            return to_continuous(first.system);
        } else return system;
    }();
    const auto full = balance(s, all);
    const auto& sigma = full.sigma;
    hankel_norm_approximation<reduced_system<T>> out;
    out.sigma = sigma;
    out.sigma.insert(out.sigma.end(), cut.begin(), cut.end());
    std::inplace_merge(out.sigma.begin(), out.sigma.begin() + static_cast<std::ptrdiff_t>(sigma.size()), out.sigma.end(), std::greater<>());
    const index_t n = full.order(), r = choose_rank(sigma, n, options);
    auto g = full.system;
    out.bound = tail_bound(cut, 0);
    if (r < n) {
        index_t last = r + 1;  // equal values go together: beyond ten digits Gamma would be noise
        const double level = sigma[static_cast<std::size_t>(r)];
        while (last < n && sigma[static_cast<std::size_t>(last)] > level * (1 - 1e-10)) ++last;
        index_t first = r;
        while (first > 0 && sigma[static_cast<std::size_t>(first - 1)] < level * (1 + 1e-10)) --first;
        g = all_pass_part(full.system, sigma, first, last);
        out.bound += level + tail_bound(sigma, last);
    } else out.bound += tail_bound(sigma, r);
    // Where nothing else was dropped, what was dropped as rounding.
    out.hankel_error = r < static_cast<index_t>(out.sigma.size()) ? out.sigma[static_cast<std::size_t>(r)] : 0;
    if constexpr (in_discrete_time<T>) {
        out.system = textbook_of(g);
        out.delayed = from_textbook(out.system);
    } else out.system = std::move(g);
    check_finite("hrm::approximate_hankel_norm", out.system);
    out.stable = is_stable(out.system);
    if (options.error == error_report::measured && out.stable) measure(error_system(system, out.system), out);
    return out;
}

}  // namespace detail

/// Optimal Hankel-norm approximation; the rules for the order, the unstable part and the measured errors are those of balance.
///     auto r = hrm::approximate_hankel_norm(system, {.rank = 4});
///     r.hankel_error == r.sigma[4];
/// A discrete system goes through the bilinear map, which keeps the Hankel norm.  O(n^3).  Throws numerical_error where options
/// ask for a basis of its states or for residualisation, which it has not; unstable_error where A is refused.
template <any_system T>
auto approximate_hankel_norm(const T& system, const balance_options& options = {}) {
    system.check();
    detail::check_finite("hrm::approximate_hankel_norm", system);
    if (options.basis != projection::square_root)
        throw numerical_error("hrm::approximate_hankel_norm: options.basis is not square_root, but an optimal approximation is no projection");
    if (options.weak != weak_states::truncate)
        throw numerical_error("hrm::approximate_hankel_norm: options.weak is not truncate, but an optimal approximation has a D of its own");
    const auto s = cast<double>(system);
    using whole = std::decay_t<decltype(s)>;
    if (options.unstable == unstable_poles::refuse) detail::require_stable("hrm::approximate_hankel_norm", s);
    return detail::in_port_units("hrm::approximate_hankel_norm", s, options, [](const whole& g, const balance_options& o) {
        if (o.unstable == unstable_poles::refuse || detail::nothing_to_split<whole>(g.a, o.margin)) return detail::hankel_norm_of_stable(g, o);
        auto [parts, out] = detail::apart(g, o.margin, [&](const whole& stable) { return detail::hankel_norm_of_stable(stable, o); });
        out.unstable = parts.unstable.order();
        out.system = detail::beside("hrm::approximate_hankel_norm", out.system, parts.unstable);
        detail::check_finite("hrm::approximate_hankel_norm", out.system);  // the unstable part may have left the range of double
        out.stable = out.stable && out.unstable == 0;
        return out;
    });
}

}  // namespace hrm
