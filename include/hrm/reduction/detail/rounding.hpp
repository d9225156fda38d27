#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <hrm/linalg/detail/resolvent.hpp>
#include <hrm/reduction/detail/gramian_factors.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/systems/modal.hpp>

// What rounding may add to the error of a reduced system, to first order. With R(s) = (sI - A_r)^-1 and balanced coordinates
// (both Gramians S), a change dA of A_r moves G_r by C R dA R B. From A S + S A^T + B B^T = 0 and its dual,
//     R B B^T R^* = R S + S R^*,    so that with  R' = S^-1/2 R S^1/2    |S^-1/2 R B|^2 <= 2 |R'|,
//     R^* C^T C R = S R + R^* S,    so that with  R'' = S^1/2 R S^-1/2   |C R S^-1/2|^2 <= 2 |R''|.
// Neither is bounded by |R|: both are resolvents of their own, of A' = S^-1/2 A S^1/2 and of A''. With X of  A X + X A^T + I = 0
// in the same way  |R|^2 <= 2 |R| |X|:  |R| <= rho = 2 |X|, the reciprocal of the depth of the poles where A is normal, and
// more where it is not. (Discrete: A S A^T - S + B B^T = 0 and so on, with the same bounds.) Projected, A_r = w^T (A t) is off
// by at most eps |w|^T |A| |t|, so with the rows t_i, w_i of t S^1/2 and w S^1/2,  r' = sqrt(2 rho'),  r'' = sqrt(2 rho'')
//     |dG_r| <= eps sum_i (r'' |w_i|) (|A| r' |t|)_i + eps sum_i r'' |w_i| |b_i| + eps sum_i |c_i| r' |t_i|.
// The small columns of t and w count as little as they should. Gramians of a dense A are those of A + E, |E| ~ 10 eps |A| in
// the units of its Schur form (backward stability): the bound is about A + E, so that what E moves in G is added, and what
// w^T E t moves in G_r. In those units  |R B|^2 <= 2 rho |Wc|,  |C R|^2 <= 2 rho |Wo|  with the rho of A itself, whose
// poles may lie nearer to the boundary than all that were kept. Poles of couples are rounded: by eps |l|.

namespace hrm::detail {

/// |A| v, the magnitudes of the entries.
inline std::vector<double> times_magnitudes(const diagonal<double>& a, std::vector<double> v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= std::abs(a.poles[i]);
    return v;
}
inline std::vector<double> times_magnitudes(const complex_pairs<double>& a, std::vector<double> v) {
    const std::size_t q = a.real.size(), k = a.re.size();
    for (std::size_t i = 0; i < q; ++i) v[i] *= std::abs(a.real[i]);
    for (std::size_t i = 0; i < k; ++i) {
        const double re = std::abs(a.re[i]), im = std::abs(a.im[i]), x = v[q + i], y = v[q + k + i];
        v[q + i] = re * x + im * y;
        v[q + k + i] = im * x + re * y;
    }
    return v;
}
inline std::vector<double> times_magnitudes(const dense<double>& a, const std::vector<double>& v) {
    std::vector<double> y(v.size());
    for (std::size_t i = 0; i < v.size(); ++i)
        for (std::size_t j = 0; j < v.size(); ++j) y[i] += std::abs(a.a(static_cast<index_t>(i), static_cast<index_t>(j))) * v[j];
    return y;
}

/// The same for a dense A of single states and couples.
struct block_diagonal {
    const modal_coordinates& modes;
    const matrix<double>& a;
};
inline std::vector<double> times_magnitudes(const block_diagonal& a, const std::vector<double>& v) {
    std::vector<double> y(v.size());
    const auto add = [&](index_t i, index_t j) { y[static_cast<std::size_t>(i)] += std::abs(a.a(i, j)) * v[static_cast<std::size_t>(j)]; };
    for (const auto& b : a.modes.blocks) {
        add(b.first, b.first);
        if (b.second < 0) continue;
        add(b.first, b.second);
        add(b.second, b.first);
        add(b.second, b.second);
    }
    return y;
}

/// What one Schur form of the reduced A, finite, tells.
struct poles_and_resolvents {
    double spectral;        ///< spectral abscissa, or radius
    double reach, observe;  ///< 2 |X|_F, at least max |(sI - A)^-1| over the boundary, for A' and A''; infinite where A is not stable
};
/// A' = diag(t)^-1 A diag(t),  A'' = diag(w) A diag(w)^-1; t, w: at least n.  O(n^3).
template <class System>
poles_and_resolvents resolvents_of_both(const System& g, std::span<const double> t_scale, std::span<const double> w_scale) {
    constexpr double none = std::numeric_limits<double>::infinity();
    constexpr bool discrete = in_discrete_time<System>;
    const index_t n = g.order();
    double spectral = discrete ? 0 : -none;
    if (n == 0) return {spectral, 0, 0};
    auto form = balanced_real_schur("hrm::balance", g.a.a);
    const auto& t = form.t;
    for (index_t i = 0; i < n; ++i) {  // [a b; c a] has the modulus |a + i sqrt(-b c)|
        const double a = t(i, i), b = i + 1 < n ? t(i + 1, i) != 0 ? t(i, i + 1) : 0 : 0;
        if constexpr (discrete) spectral = std::max(spectral, b == 0 ? std::abs(a) : std::hypot(a, std::sqrt(std::abs(b)) * std::sqrt(std::abs(t(i + 1, i)))));
        else spectral = std::max(spectral, a);
    }
    if (!(spectral < (discrete ? 1 : 0))) return {spectral, none, none};
    const auto resolvent = [&] {
        const auto m = form.out_of(quasi_triangular_factor<equation_of<System>>(t.view(), form.into(identity(n))));
        matrix<double> x(n, n);
        multiply(transposed(m.view()), m.view(), x.view());  // as long as M M^T
        return 2 * length_in_range(std::move(x));
    };
    bool same = true;  // one matrix, but for a unit of all states
    for (std::size_t i = 0; i < form.d.size(); ++i) same = same && t_scale[i] * w_scale[i] == t_scale[0] * w_scale[0];
    for (std::size_t i = 0; i < form.d.size(); ++i) form.d[i] /= t_scale[i];
    const double reach = resolvent();
    if (same) return {spectral, reach, reach};
    for (std::size_t i = 0; i < form.d.size(); ++i) form.d[i] *= t_scale[i] * w_scale[i];
    return {spectral, reach, resolvent()};
}

/// What the projection says about itself: G_r = C_r R B_r + D with both Gramians at most s^2 in its coordinates, the rows of
/// t and w in lengths; and what stands beside R where weak states were residualised. Rounding of w^T A t knows no
/// cancellation between columns: with t = t1 + t2 E^-1 A21 each row is |t1| + |t2| |E^-1 A21|, beside it |t2| |E^-1 B2|.
struct projected_rows {
    std::vector<double> t, w;                    ///< of t S^1/2, w S^1/2
    std::vector<double> direct_t, direct_w;      ///< beside r' t and r'' w; empty: none
    double read_out = 0;                         ///< |C| S^1/2 where C was divided by A_r afterwards, else 0
};

inline double root_of_squares(const std::vector<double>& v) {
    double sum = 0;
    for (double x : v) sum = std::hypot(sum, x);
    return sum;
}

/// 2 |X|_F of A itself in the units of its Schur form.  O(n^3), and O(18 n^3) for another such form where none is left.
template <linear_system T>
double whole_resolvent(const T& s, const gramian_factors& f) {
    if (f.resolvent > 0) return f.resolvent;
    constexpr auto kind = equation_of<T>;
    if (f.coordinates) return resolvent_of<kind>(f.coordinates->t.view());
    auto a = to_dense(s.a);
    if (!f.units.empty()) into_units(a, f.units);
    return resolvent_of<kind>(factored_schur("hrm::balance", std::move(a)).t.view());
}

/// What rounded poles of couples move in G, at most: sum_i eps (|l_i| / depth_i + 6) |b_i| |c_i| / depth_i,  b = V^-1 B, c = C V,
/// on the way to which and back V, V^-1 and products with them are rounded; of the stable modes.
template <linear_system T>
double rounded_couples(const T& s, const modal_coordinates& modes) {
    const auto b = row_lengths(s.b), c = row_lengths(transpose(s.c));
    const auto& a = modes.a;
    double sum = 0;
    for (const auto& block : modes.blocks) {
        if (block.second < 0) continue;
        const auto *v = block.v, *u = block.inverse;
        const double b0 = b[static_cast<std::size_t>(block.first)], b1 = b[static_cast<std::size_t>(block.second)];
        const double c0 = c[static_cast<std::size_t>(block.first)], c1 = c[static_cast<std::size_t>(block.second)];
        const double in[2] = {std::abs(u[0]) * b0 + std::abs(u[1]) * b1, std::abs(u[2]) * b0 + std::abs(u[3]) * b1};
        const double out[2] = {std::abs(v[0]) * c0 + std::abs(v[2]) * c1, std::abs(v[1]) * c0 + std::abs(v[3]) * c1};
        const auto moved = [](double size, double depth, double x, double y) { return depth > 0 ? (size / depth + 6) * x * y / depth : 0; };
        const bool pair = block.first_mode >= a.reals();
        if (pair) {
            const auto at = static_cast<std::size_t>(block.first_mode - a.reals());
            const complex l{a.re[at], a.im[at]};
            sum += moved(std::abs(l), depth<T>(l), std::hypot(in[0], in[1]), std::hypot(out[0], out[1]));
        } else
            for (int i = 0; i < 2; ++i) {
                const double l = a.real[static_cast<std::size_t>(i == 0 ? block.first_mode : block.second_mode)];
                sum += moved(std::abs(l), depth<T>(complex(l)), in[i], out[i]);
            }
    }
    return std::numeric_limits<double>::epsilon() * sum;
}

/// The allowance itself, infinite where nobody knows it (sparse A) or double does not hold it.  a: A as it was multiplied by;
/// rho: of the reduced A;  bound: the tail;  f: whose Gramians they were;  cut: whether more was dropped than rounding.
template <linear_system T, class A>
double rounding_allowance(const T& s, const A& a, const poles_and_resolvents& rho, const projected_rows& rows, double bound, const gramian_factors& f, bool cut) {
    if constexpr (!requires { times_magnitudes(a, rows.t); }) return std::numeric_limits<double>::infinity();
    else {
        const double eps = std::numeric_limits<double>::epsilon(), n = static_cast<double>(s.order()), gamma = (4 + std::sqrt(n)) * eps;
        const double along_t = std::sqrt(2 * rho.reach), along_w = std::sqrt(2 * rho.observe), larger = std::max(rho.reach, rho.observe);
        if (!std::isfinite(larger)) return larger;
        std::vector<double> u(rows.w.size()), v(rows.t.size());
        for (std::size_t i = 0; i < u.size(); ++i) {
            u[i] = along_w * rows.w[i] + (rows.direct_w.empty() ? 0 : rows.direct_w[i]);
            v[i] = along_t * rows.t[i] + (rows.direct_t.empty() ? 0 : rows.direct_t[i]);
        }
        const auto av = times_magnitudes(a, v), b = row_lengths(s.b), c = row_lengths(transpose(s.c));
        double sum = along_t * rows.read_out;
        // In discrete time |z (w^T t - I)| counts as well.
        for (std::size_t i = 0; i < u.size(); ++i) sum += u[i] * (av[i] + b[i] + (in_discrete_time<T> ? v[i] : 0)) + c[i] * v[i];
        if (!rows.direct_t.empty()) sum += frobenius(s.d);
        double out = gamma * (sum + (n + 4) * bound);
        if constexpr (std::same_as<A, block_diagonal>) out += rounded_couples(s, a.modes);
        if (!f.graded || f.rotated) {
            const auto whole = cut ? std::max(larger, whole_resolvent(s, f)) : larger;
            auto scaled = to_dense(s.a);
            if (!f.units.empty()) into_units(scaled, f.units);
            double uu = 0, vv = 0;
            for (std::size_t i = 0; i < u.size(); ++i) {
                const double unit = f.units.empty() ? 1 : f.units[i];
                uu = std::hypot(uu, u[i] * unit);
                vv = std::hypot(vv, v[i] / unit);
            }
            // In Schur coordinates a factor is as long as in their units.
            const double reach = f.coordinates ? frobenius(f.lc) : root_of_squares(lengths_in_units(f, f.lc, false));
            const double observe = f.coordinates ? frobenius(f.lo) : root_of_squares(lengths_in_units(f, f.lo, true));
            out += 10 * eps * frobenius(scaled) * (uu * vv + 2 * whole * reach * observe);
        }
        return std::isfinite(out) ? out : std::numeric_limits<double>::infinity();
    }
}

/// What rounding may add to a norm of e that was measured by its Schur form, exact for A + E with |E| <= 10 eps |A| in the
/// units of e: as above, with the Gramians P, Q of e itself in those units,
///     |dG| <= 10 eps (|A| |C R| |R B| + |B| |C R| + |C| |R B|),    |R B|^2 <= 2 rho |P|,  |C R|^2 <= 2 rho |Q|.    O(n^3)
/// grown: how many times larger E is, and what B and C are off by.
template <template <class> class System>
double allowance_in_these_units(const System<dense<double>>& e, double value, double grown = 1) {
    const double eps = std::numeric_limits<double>::epsilon(), n = static_cast<double>(e.order());
    const auto reach = [](const System<dense<double>>& g) {
        if constexpr (in_discrete_time<System<dense<double>>>) return stein_factor(g.a.a, g.b);
        else return lyapunov_factor(g.a.a, g.b);
    };
    const std::vector<double> given(static_cast<std::size_t>(e.order()), 1.0);
    const double rho = resolvents_of_both(e, given, given).reach, rb = std::sqrt(2 * rho) * frobenius(reach(e)), cr = std::sqrt(2 * rho) * frobenius(reach(dual(e)));
    return grown * 10 * eps * (frobenius(e.a.a) * cr * rb + frobenius(e.b) * cr + frobenius(e.c) * rb) + (4 + n) * eps * value;
}
/// The same in the units that balance A, which its Schur form is computed in.
template <template <class> class System>
double measure_allowance(System<dense<double>> e, double value) {
    const auto d = balance_scales(e.a.a);
    for (index_t i = 0; i < e.order(); ++i) {
        for (double& x : std::span(e.b.view().row(i), static_cast<std::size_t>(e.inputs()))) x /= d[static_cast<std::size_t>(i)];
        for (index_t j = 0; j < e.outputs(); ++j) e.c(j, i) *= d[static_cast<std::size_t>(i)];
    }
    return allowance_in_these_units(e, value);
}

}  // namespace hrm::detail
