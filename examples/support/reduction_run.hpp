#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/reduction/hankel_norm.hpp>
#include <hrm/reduction/modal_truncation.hpp>
#include <hrm/reduction/refine.hpp>
#include <hrm/systems/norms.hpp>
#include <hrm/systems/response.hpp>

#include "plot.hpp"
#include "waiting.hpp"

// One reduction by whatever method, with all that is said about it.

namespace hrm::examples {

enum class method { balance, singular_perturbation, hankel_norm, modal, h2 };
enum class measuring { automatic, always, never };

struct reduction_request {
    method how = method::balance;
    balance_options rules;
    measuring errors = measuring::automatic;
    bool textbook = false;   ///< a discrete system whose input enters a step later
    bool curves = false;     ///< gains over frequency are wanted
};

/// The largest singular value of G, Gr and G - Gr at each frequency.
struct gains {
    std::vector<double> omega, full, reduced, error;
};

struct reduction_facts {
    index_t n = 0, m = 0, p = 0, order = 0, unstable = 0;
    std::vector<std::complex<double>> poles, reduced_poles;
    std::vector<double> sigma;       ///< Hankel singular values of the stable part; modal: the modes' weights
    double bound = 0;                ///< of |G - Gr|_inf
    bool certified = false, has_bound = true, modal = false;
    std::optional<double> hankel_error, norm, error, error_at, h2_norm, h2_error, h2_start;
    std::vector<std::string> notes;  ///< what was split, regularised, converted or left out
    double reduce_seconds = 0, measure_seconds = 0;
    gains bode;
};

/// Certified norms take several eigenvalue problems of twice the order: minutes from here on.
inline constexpr index_t most_measured = 500;
/// All Hankel singular values are listed up to here: balancing itself stops where it needs no more of them, and may then
/// have them to eps sigma_1 only.
inline constexpr index_t most_listed = 1200;

namespace detail {

/// How far inside the region of stability a pole lies.
template <class System>
double inside(std::complex<double> pole) {
    return in_discrete_time<System> ? 1 - std::abs(pole) : -pole.real();
}

/// Poles of a dense A, exact where it falls apart into single states and couples.
inline std::vector<std::complex<double>> poles_of(const matrix<double>& a) {
    const auto modes = find_modes(a);
    const auto l = modes ? eigenvalues(modes->a) : eigenvalues(dense<double>{a});
    return {l.begin(), l.end()};
}

/// The textbook system as one whose input enters at once: the inputs wait one step in m more states.
inline discrete<dense<double>> delayed_input(const discrete<dense<double>>& g) {
    const index_t n = g.order(), m = g.inputs();
    discrete<dense<double>> to{{matrix<double>(n + m, n + m)}, matrix<double>(n + m, m), matrix<double>(g.outputs(), n + m), g.d};
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) to.a.a(i, j) = g.a.a(i, j);
        for (index_t j = 0; j < m; ++j) to.a.a(i, n + j) = g.b(i, j);
        for (index_t k = 0; k < g.outputs(); ++k) to.c(k, i) = g.c(k, i);
    }
    for (index_t j = 0; j < m; ++j) to.b(n + j, j) = 1;
    return to;
}

template <class System>
void drop_zero_d(System& g) {
    if (std::all_of(g.d.flat().begin(), g.d.flat().end(), [](double x) { return x == 0; })) g.d = {};
}

/// Frequencies where something happens: a grid over the poles' range, and the poles near the boundary themselves.
template <class System>
std::vector<double> frequencies(const std::vector<std::complex<double>>& poles) {
    double low = HUGE_VAL, high = 0;
    std::vector<double> at;
    for (const auto& l : poles) {
        const auto s = in_discrete_time<System> ? std::log(l == 0.0 ? std::complex<double>(1e-3) : l) : l;
        const double size = std::abs(s);
        if (!(size > 0) || !std::isfinite(size)) continue;
        low = std::min(low, size);
        high = std::max(high, size);
        if (std::abs(s.real()) < 0.3 * size && at.size() < 300) at.push_back(size);
    }
    if (!(low <= high)) low = high = 1;
    low = std::max(low / 10, high * 1e-9);
    high = in_discrete_time<System> ? std::numbers::pi : high * 10;
    if (in_discrete_time<System>) low = std::min(low, 0.1);
    for (int i = 0; i <= 400; ++i) at.push_back(low * std::pow(high / low, i / 400.0));
    for (double& w : at) w = std::min(w, high);
    std::sort(at.begin(), at.end());
    return at;
}

/// G at each frequency; O(n) a point where A falls apart, otherwise O(n^2).
template <class System>
std::vector<matrix<std::complex<double>>> response(const System& g, const std::vector<double>& omega, bool textbook) {
    auto strict = g;
    strict.d = {};
    const std::span<const double> at(omega);
    const auto modes = find_modes(g.a.a);
    auto r = modes ? frequency_response(in_modes(*modes, strict), at) : frequency_response(strict, at);
    for (std::size_t k = 0; k < r.size(); ++k)
        for (index_t i = 0; i < g.outputs(); ++i)
            for (index_t j = 0; j < g.inputs(); ++j) {
                if (textbook) r[k](i, j) *= std::polar(1.0, -omega[k]);
                if (!g.d.empty()) r[k](i, j) += g.d(i, j);
            }
    return r;
}

template <class System>
gains gains_of(const System& g, const System& h, const std::vector<std::complex<double>>& poles, bool textbook) {
    gains out{frequencies<System>(poles), {}, {}, {}};
    const auto x = response(g, out.omega, textbook), y = response(h, out.omega, textbook);
    for (std::size_t k = 0; k < x.size(); ++k) {
        auto e = x[k];
        for (std::size_t i = 0; i < e.flat().size(); ++i) e.flat()[i] -= y[k].flat()[i];
        out.full.push_back(hrm::detail::largest_singular_value(x[k]));
        out.reduced.push_back(hrm::detail::largest_singular_value(y[k]));
        out.error.push_back(hrm::detail::largest_singular_value(e));
    }
    return out;
}

/// The stable part of g reduced by the method asked for.
template <class System>
System reduce_stable(const System& g, const reduction_request& q, reduction_facts& f) {
    auto rules = q.rules;
    if (g.order() <= most_listed) rules.floor = 0;  // all of sigma, for the report
    const auto take = [&](auto r) {
        f.sigma = std::move(r.sigma);
        f.bound = r.bound;
        return std::move(r.system);
    };
    if (q.how == method::modal) {
        if (rules.energy > 0 || rules.hinf_budget > 0 || rules.gap != gap_rule::ignore)
            throw error("reduce: modal truncation knows --rank and --tolerance, not --energy, --budget or --gap");
        auto r = modal_truncation(g, {.rank = rules.rank, .tolerance = rules.tolerance});
        f.sigma = r.weight;
        f.bound = r.bound;
        f.modal = f.certified = true;
        if (r.condition > 1) f.notes.push_back(print("eigenvectors of condition %.1e", r.condition));
        return to_dense(r.system);
    }
    if (q.how == method::hankel_norm) {
        auto r = approximate_hankel_norm(g, rules);
        f.hankel_error = r.hankel_error;
        f.certified = r.stable;
        if (r.delayed > 0) f.notes.push_back(print("%td states added for a delayed read-out", r.delayed));
        return take(std::move(r));
    }
    if (q.how == method::singular_perturbation) rules.weak = weak_states::residualize;
    auto r = balance(g, rules);
    f.unstable += r.unstable;
    f.certified = r.certified;
    if (r.delayed > 0) f.notes.push_back(print("%td states added for a delayed read-out", r.delayed));
    if (r.regularisation > 0) f.notes.push_back(print("regularised: %.1e of the Gramians was left out", r.regularisation));
    if (r.order() > 0) f.notes.push_back(print("projection of condition %.1e, biorthogonal to %.0e", r.condition, r.biorthogonality));
    auto small = take(std::move(r));
    if (q.how != method::h2) return small;
    auto better = refine_h2(g, small);
    f.h2_start = better.start_error;
    f.has_bound = f.certified = false;  // the bound was balanced truncation's
    f.notes.push_back(print("H2 refinement: %d steps, %s", better.steps, better.converged ? "converged" : "the best one met is kept"));
    return better.system;
}

template <class System>
void measure_errors(const System& g, const System& r, const reduction_request& q, reduction_facts& f) {
    auto e = difference(g, r), whole = g;
    drop_zero_d(e);
    drop_zero_d(whole);
    if constexpr (in_discrete_time<System>)
        if (q.textbook && !whole.d.empty()) whole = delayed_input(whole);
    f.norm = hinf_norm(whole).value;
    const auto peak = hinf_norm(e);
    f.error = peak.value;
    f.error_at = peak.omega;
    f.h2_norm = hrm::h2_norm(whole);
    f.h2_error = hrm::h2_norm(e);
}

}  // namespace detail

/// Reduces g, hands the result to save (unstable states last), then measures its errors, which may take long.
template <class System, class Save>
void run_reduction(System g, const reduction_request& q, reduction_facts& f, waiting& at, Save&& save) {
    f.n = g.order(), f.m = g.inputs(), f.p = g.outputs();
    at.now("poles of A");
    const auto begin = waiting::clock::now();
    f.poles = detail::poles_of(g.a.a);
    const bool falls_apart = find_modes(g.a.a).has_value();
    double norm = 0;
    for (double x : g.a.a.flat()) norm = std::hypot(norm, x);
    const double limit = falls_apart ? 0 : static_cast<double>(f.n) * std::numeric_limits<double>::epsilon() * norm;
    index_t outside = 0;
    for (const auto& l : f.poles) outside += !(detail::inside<System>(l) > limit);
    if (outside > 0 && q.rules.unstable == unstable_poles::refuse)
        throw unstable_error(print("reduce: %td of %td poles are unstable or integrating; without --refuse-unstable they are kept", outside, f.n));

    at.now("reducing");
    bool textbook = q.textbook;
    if constexpr (in_discrete_time<System>)
        if (textbook && (q.how == method::singular_perturbation || q.how == method::hankel_norm)) {
            if (g.d.empty()) g.d = matrix<double>(g.outputs(), g.inputs());
            if (const auto more = hrm::detail::from_textbook(g); more > 0)
                f.notes.push_back(print("A is singular: %td states added for a delayed read-out", more));
            textbook = false;
        }
    auto stable = g;
    System kept;
    if (outside > 0) {
        const auto modes = find_modes(g.a.a);
        if (modes) {
            const auto parts = split(in_modes(*modes, g));
            stable = to_dense(parts.stable);
            kept = to_dense(parts.unstable);
        } else {
            const auto parts = split(g);
            stable = parts.stable;
            kept = parts.unstable;
            f.notes.push_back(print("the unstable part leans on the rest: projector of norm %.1e", parts.condition));
        }
        f.unstable = kept.order();
        f.notes.insert(f.notes.begin(), print("%td unstable or integrating poles split off and kept", f.unstable));
    }
    auto small = detail::reduce_stable(stable, q, f);
    auto out = f.unstable > 0 && kept.order() > 0 ? hrm::detail::beside("reduce", small, kept) : small;
    f.reduced_poles = detail::poles_of(out.a.a);
    f.order = out.order();
    if (q.rules.hinf_budget > 0 && f.has_bound && f.bound > q.rules.hinf_budget)
        f.notes.push_back(print("--rank %td caps the order: the budget of %.4e is not kept", q.rules.rank, q.rules.hinf_budget));
    if constexpr (in_discrete_time<System>)
        if (q.textbook && !textbook) out = hrm::detail::to_textbook(out);
    save(out);
    f.reduce_seconds = std::chrono::duration<double>(waiting::clock::now() - begin).count();

    const auto then = waiting::clock::now();
    if (!f.modal && stable.order() <= most_listed && is_stable(stable)) {
        at.now("Hankel singular values to their last digit");
        f.sigma = hankel_singular_values(stable);
    }
    at.now("measuring errors");
    const bool comparable = is_stable(stable) && is_stable(small);
    const bool certified = q.errors == measuring::always || (q.errors == measuring::automatic && stable.order() <= most_measured);
    auto request = q;
    request.textbook = textbook;
    if (comparable && certified) detail::measure_errors(stable, small, request, f);
    if (q.curves || (comparable && !certified && q.errors != measuring::never)) {
        f.bode = detail::gains_of(stable, small, f.poles, textbook);
        if (comparable && !f.error && q.errors != measuring::never && !f.bode.omega.empty()) {
            const auto peak = std::max_element(f.bode.error.begin(), f.bode.error.end());
            f.error = *peak;
            f.error_at = f.bode.omega[static_cast<std::size_t>(peak - f.bode.error.begin())];
            f.norm = *std::max_element(f.bode.full.begin(), f.bode.full.end());
            f.notes.push_back(print("norms are the largest of %zu frequencies: above %td states --measure always computes them to the end", f.bode.omega.size(), most_measured));
        }
        if (f.unstable > 0) f.notes.push_back("norms and curves are those of the stable part");
    } else if (f.unstable > 0 && f.error) f.notes.push_back("norms are those of the stable part");
    if (!comparable) f.notes.push_back("no error is measured: a part that should be stable is not");
    f.measure_seconds = std::chrono::duration<double>(waiting::clock::now() - then).count();
    at.now("");
}

}  // namespace hrm::examples
