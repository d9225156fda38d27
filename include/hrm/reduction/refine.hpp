#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <hrm/reduction/complex_balance.hpp>
#include <hrm/reduction/detail/measure.hpp>
#include <hrm/reduction/detail/tall_sylvester.hpp>
#include <hrm/reduction/rediagonalize.hpp>
#include <hrm/systems/modal.hpp>

namespace hrm {

struct refine_options {
    int steps = 50;           ///< at most
    double tolerance = 1e-6;  ///< relative change of the poles that counts as none
    error_report error = error_report::bound;
    double margin = automatic_margin;  ///< poles nearer than this to the boundary count as unstable (systems/split.hpp)
};

/// R: discrete<dense<double>> or continuous<dense<double>>, or of complex.
template <class R>
struct refined_system : measured_errors {
    R system;                ///< the best one met, the start included; unstable states last
    double h2_error = 0;     ///< |G - Gr|_2
    double start_error = 0;  ///< that of the start: infinite in continuous time where its D is not the system's
    int steps = 0;
    bool converged = false;  ///< a fixed point: the first-order conditions of H2 optimality hold
    index_t unstable = 0;    ///< states of the unstable part, which both have and the errors are not about
};

namespace detail {

/// G - H of modal systems with the same D, modal.
template <template <class> class System, structure A>
System<complex_pairs<double>> modal_difference(const System<A>& whole, const System<complex_pairs<double>>& h) {
    const System<complex_pairs<double>> g{to_pairs(whole.a), whole.b, whole.c, {}};
    System<complex_pairs<double>> e{g.a, matrix<double>(g.order() + h.order(), g.inputs()), matrix<double>(g.outputs(), g.order() + h.order()), {}};
    e.a.real.insert(e.a.real.end(), h.a.real.begin(), h.a.real.end());
    e.a.re.insert(e.a.re.end(), h.a.re.begin(), h.a.re.end());
    e.a.im.insert(e.a.im.end(), h.a.im.begin(), h.a.im.end());
    index_t row = 0;
    const auto take = [&](const auto& s, index_t first, index_t count, double sign) {
        for (index_t i = first; i < first + count; ++i, ++row) {
            std::copy_n(s.b.view().row(i), s.inputs(), e.b.view().row(row));
            for (index_t j = 0; j < s.outputs(); ++j) e.c(j, row) = sign * s.c(j, i);
        }
    };
    for (const index_t part : {0, 1, 2}) {  // planar: real poles, real parts, imaginary parts
        const auto of = [&](const auto& s, double sign) {
            take(s, part == 0 ? 0 : s.a.reals() + (part - 1) * s.a.pairs(), part == 0 ? s.a.reals() : s.a.pairs(), sign);
        };
        of(g, 1);
        of(h, -1);
    }
    return e;
}

template <template <class> class System>
System<diagonal<complex>> modal_difference(System<diagonal<complex>> g, const System<diagonal<complex>>& h) {
    g.a.poles.insert(g.a.poles.end(), h.a.poles.begin(), h.a.poles.end());
    g.b = transpose(beside(transpose(g.b), transpose(h.b)));  // one above the other
    auto c = h.c;
    for (auto& x : c.flat()) x = -x;
    return {std::move(g.a), std::move(g.b), beside(g.c, c), {}};
}

/// L with L L^H = Wc of a modal system, but for columns below 1e-17 of the first.  Throws unstable_error, in the name of `where`.
template <linear_system T>
matrix<double> modal_factor(const char* where, const T& s) {
    const auto rows = modal(s.a, s.b);
    require_stable<domain_of<T>>(where, rows);
    return cauchy_factor<domain_of<T>>(rows, 1e-17);
}
template <complex_system T>
complex_matrix modal_factor(const char* where, const T& s) {
    require_stable<domain_of<T>>(where, s.a.poles);
    return complex_cauchy_factor<domain_of<T>>(s.a.poles, s.b, 1e-17);
}

/// |G - H|_2. Where g is modal and h can be, of order n and rank k, O(n k (m + p)) by the Cauchy factor; else O((n + r)^3).
template <template <class> class System, class A, class T>
double h2_distance(const System<A>& g, const System<dense<T>>& h) {
    const auto direct = [](const auto& s, index_t i, index_t j) { return s.d.empty() ? T{} : s.d(i, j); };
    bool same = true;
    for (index_t i = 0; i < g.outputs(); ++i)
        for (index_t j = 0; j < g.inputs(); ++j) same = same && direct(g, i, j) == direct(h, i, j);
    if (!same && !in_discrete_time<System<A>>) return std::numeric_limits<double>::infinity();
    if constexpr (is_modal<System<A>>)
        if (same) {
            const auto modes = rediagonalize(discrete<dense<T>>{h.a, h.b, h.c, {}});  // whatever the time
            if (const auto* s = std::get_if<0>(&modes.system)) {
                const auto e = modal_difference(g, System<modal_structure<T>>{s->a, s->b, s->c, {}});
                return reported_norm("hrm::refine_h2", product(e.c, modal_factor("hrm::refine_h2", e)));  // what is left out is below eps of |G|
            }
        }
    return h2_norm(error_system(g, h));
}

/// H with its modes apart, whatever the time, unless its eigenvectors are nearly dependent: the columns of X then come one by
/// one, each as accurate as itself, where those of mixed modes differ by digits that are lost.
template <class System>
System in_own_modes(System h) {
    auto modes = rediagonalize(discrete<typename System::structure_type>{h.a, h.b, h.c, {}}, 1e8);
    const auto* s = std::get_if<0>(&modes.system);
    return s ? System{{to_dense(s->a)}, s->b, s->c, h.d} : h;
}

/// H with its unstable poles l at their mirror images -conj l, 1/conj l, where its modes are apart; else H.
template <class System>
System mirrored(System h) {
    const auto modes = rediagonalize(discrete<typename System::structure_type>{h.a, h.b, h.c, {}}, 1e8);
    const auto* s = std::get_if<0>(&modes.system);
    if (!s) return h;
    const auto inside = [](complex l) {
        if (depth<System>(l) > 0) return l;
        return in_discrete_time<System> ? 1.0 / std::conj(l) : -std::conj(l);
    };
    auto a = s->a;
    if constexpr (complex_system<System>) std::transform(a.poles.begin(), a.poles.end(), a.poles.begin(), inside);
    else {
        for (auto& l : a.real) l = inside(l).real();
        for (std::size_t i = 0; i < a.re.size(); ++i) {
            const auto l = inside({a.re[i], a.im[i]});
            a.re[i] = l.real(), a.im[i] = l.imag();
        }
    }
    return {{to_dense(a)}, s->b, s->c, h.d};
}

/// refine_h2 of a stable system, modal or dense, in double; the start is stable.
template <any_system T>
refined_system<reduced_system<T>> refine_stable(const T& g, const reduced_system<T>& start, const refine_options& o) {
    using small_system = reduced_system<T>;
    refined_system<small_system> out{{}, start, h2_distance(g, start), 0, 0, false, 0};
    out.start_error = out.h2_error;
    const auto large = columns_of(g), turned = large.transposed();
    const auto b = large.into(g.b), c = turned.into(adjoint(g.c));
    auto now = in_own_modes(start), best = now;
    now.d = best.d = g.d;
    double least = std::numeric_limits<double>::infinity();
    bool latest_is_best = true;
    for (;; ++out.steps) try {
            const auto x = tall_sylvester(large, b, now);
            // |G - Gr|^2 = |G|^2 - 2 <G, Gr> + |Gr|^2,  <G, Gr> = tr(C X Cr^H), for nothing; good to a millionth of |G|.
            auto strict = now;
            strict.d = {};
            const auto seen = product(g.c, x);
            const double norm = h2_norm(strict), measure = norm * norm - 2 * std::real(inner(now.c.data(), seen.data(), seen.size()));
            if (latest_is_best = measure < least; latest_is_best) least = measure, best = now;
            if (out.converged || out.steps >= o.steps || now.order() == 0) break;

            const auto w = tall_sylvester(turned, c, dual(now));
            const auto t = orthonormal(x);
            auto u = orthonormal(w);
            u = divide(u, project(t, u));
            auto next = in_own_modes(small_system{{project(u, g.a, t)}, project(u, g.b), product(g.c, t), g.d});
            // Not every step is stable: the iteration needs no more of it than points to meet G at, which its mirror image has.
            const bool stable = is_stable(next);
            if (!stable && !is_stable(next = mirrored(next))) break;
            const auto poles = eigenvalues(next.a), before = eigenvalues(now.a);
            double radius = 0;
            for (const auto& l : poles) radius = std::max(radius, std::abs(l));
            out.converged = stable && std::all_of(poles.begin(), poles.end(), [&](const auto& l) {
                double nearest = std::numeric_limits<double>::infinity();
                for (const auto& h : before) nearest = std::min(nearest, std::abs(h - l));
                return nearest <= o.tolerance * std::abs(l) + std::numeric_limits<double>::epsilon() * radius;
            });
            now = std::move(next);
        } catch (const numerical_error&) {
            break;  // a singular step: what stands is the answer
        }
    out.converged = out.converged || now.order() == 0;
    const auto consider = [&](const small_system& met) {
        try {
            if (const double e = h2_distance(g, met); e < out.h2_error) out.h2_error = e, out.system = met;
        } catch (const numerical_error&) {  // beside g its poles are no longer stable
        }
    };
    consider(best);
    if (!latest_is_best) consider(now);  // below that millionth it is the better guess
    if (o.error == error_report::measured) measure(error_system(g, out.system), out);
    return out;
}

/// How far inside the poles of A lie, ascending.
template <class System, class A>
std::vector<double> depths(const A& a) {
    std::vector<double> out;
    for (const auto& l : eigenvalues(a)) out.push_back(depth<System>(l));
    std::sort(out.begin(), out.end());
    return out;
}

/// The start apart, beside a g of `unstable` such poles: its own so many nearest to the boundary or beyond, if they lie no deeper than
/// g's, but for rounding. A margin of its own would be another one, for it goes by the order and the norm.
template <class System, class T>
split_system<System> split_alike(const System& start, const T& g, index_t unstable) {
    double margin = 0;
    if (const auto own = depths<System>(start.a); unstable > 0 && unstable <= start.order()) {
        const auto k = static_cast<std::size_t>(unstable);
        double norm = frobenius(start.a.a);
        if constexpr (!is_modal<T>) norm = std::max(norm, frobenius(g.a.a));
        const double rounding = std::sqrt(pole_rounding(start.order(), norm) * norm);  // of two integrators in a row
        if (own[k - 1] <= depths<System>(g.a)[k - 1] + rounding)
            margin = k < own.size() ? std::max(0.0, (own[k - 1] + own[k]) / 2) : std::numeric_limits<double>::infinity();
    }
    return split(start, margin);
}

/// refine_h2 in double, g modal where it can be.
template <any_system T>
refined_system<reduced_system<T>> refine(const T& g, const reduced_system<T>& start, const refine_options& o) {
    if (nothing_to_split<T>(g.a, o.margin)) {
        require_stable("hrm::refine_h2: the start", start);
        return refine_stable(g, start, o);
    }
    index_t own_unstable = 0;
    auto [parts, out] = apart(g, o.margin, [&](const T& stable) {
        const auto own = split_alike(start, g, g.order() - stable.order());
        own_unstable = own.unstable.order();
        return refine_stable(stable, own.stable, o);
    });
    if (own_unstable != parts.unstable.order())
        throw unstable_error("hrm::refine_h2: the start has " + std::to_string(own_unstable) + " unstable poles, the system " +
                             std::to_string(parts.unstable.order()));
    out.unstable = parts.unstable.order();
    out.system = beside("hrm::refine_h2", out.system, parts.unstable);
    check_finite("hrm::refine_h2", out.system);
    return out;
}

}  // namespace detail

/// Improves a reduction until the H2 error has no slope: the two-sided iteration by Sylvester equations, started where balanced
/// truncation ended.
///     auto b = hrm::balance(system, {.rank = 6});
///     auto r = hrm::refine_h2(system, b.system);      // r.h2_error <= r.start_error
/// A step projects onto  range X,  A X + X A_r^H + B B_r^H = 0,  along the orthogonal complement of the dual equation's: the spaces, and
/// so the steps, of the iterative rational Krylov algorithm, {(-conj(l_i) I - A)^-1 B b_i} for residues c_i b_i^H at the poles l_i
/// of Gr, which a defective A_r does not have. The fixed point meets G at the mirror images -conj(l_i), discrete 1/conj(l_i), twice.
/// A step whose poles are not all stable goes on from their mirror images.
/// Never worse than the start: the best system met is returned. Its D is the system's, as every step keeps it: in continuous time
/// any other is infinitely far.
/// start: order r, its unstable part (balance keeps it) the system's, which is kept.  O(r n) a step for modal A, also in
/// disguise; dense O(r n^2) after O(n^3) once.
/// Throws unstable_error if the unstable parts are not of one order.
/// Xu & Zeng 2011; Gugercin, Antoulas & Beattie 2008; discrete, Bunse-Gerstner, Kubalinska, Vossen & Wilczek 2010.
template <any_system T>
auto refine_h2(const T& system, const detail::reduced_system<T>& start, const refine_options& options = {}) {
    system.check();
    start.check();
    require_size("hrm::refine_h2", "inputs of the start", start.inputs(), system.inputs());
    require_size("hrm::refine_h2", "outputs of the start", start.outputs(), system.outputs());
    detail::check_finite("hrm::refine_h2", system);
    detail::check_finite("hrm::refine_h2: the start", start);
    const auto g = cast<double>(system);
    if constexpr (linear_system<T> && !detail::is_modal<T>)
        if (const auto modes = find_modes(g.a.a)) return detail::refine(in_modes(*modes, g), start, options);
    return detail::refine(g, start, options);
}

}  // namespace hrm
