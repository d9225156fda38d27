#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/reduction/detail/complex_projection.hpp>
#include <hrm/reduction/detail/core_svd.hpp>
#include <hrm/reduction/detail/project.hpp>
#include <hrm/reduction/simulate.hpp>

namespace hrm {

struct pod_options {
    index_t steps = 100;       ///< snapshots after each impulse
    index_t rank = -1;         ///< at most this order (-1: no cap)
    double tolerance = 1e-10;  ///< keeps sigma_i / sigma_1 >= tolerance
};

/// A linear system that was known by its simulations, reduced.  T: double or complex.
template <class T>
struct balanced_pod_result_of {
    discrete<dense<T>> system;
    std::vector<double> sigma;  ///< Hankel singular values over the horizon of the snapshots
    matrix<T> t, w;             ///< n x r:  s ~ t s_r,  s_r = w^H s,  w^H t = I
    double horizon = 0;         ///< the last snapshots' share of all, |s_last| / |s|: how far the impulses had died away
};
using balanced_pod_result = balanced_pod_result_of<double>;

/// Balanced truncation of a linear system that is only simulated, forward and adjoint: with the snapshots
///     X = [s_0 .. s_{steps-1} after an impulse at each input],   Y = the same of the adjoint (A^H, C^H, B^H),
///     Wc ~ X X^H,  Wo ~ Y Y^H,   Y^H X = U S V^H,   t = X V S^-1/2,  w = Y U S^-1/2,
/// and A_r = w^H A t, B_r = w^H B, C_r = C t by one more step or read-out for each column. The time-limited balanced
/// truncation exactly, and the infinite one as far as `horizon` is small. Nothing of n x n is formed.
///     balanced_pod(simulate(g), simulate(dual(g)), {.steps = 200, .rank = 10});
/// adjoint: of the same order, inputs and outputs exchanged. Steps: (steps + r)(inputs + outputs) calls or so;
/// O(n steps^2 m p) for Y^H X and its decomposition.  Throws numerical_error on a snapshot that is not finite.
/// Rowley, Int. J. Bifurcation and Chaos 15 (2005).
template <class T>
balanced_pod_result_of<T> balanced_pod(const simulator_of<T>& g, const simulator_of<T>& adjoint, const pod_options& o = {}) {
    require_size("hrm::balanced_pod", "states of the adjoint", adjoint.states, g.states);
    require_size("hrm::balanced_pod", "inputs of the adjoint", adjoint.inputs, g.outputs);
    detail::check_callbacks("hrm::balanced_pod", g);
    detail::check_callbacks("hrm::balanced_pod: the adjoint", adjoint);
    if (o.steps < 1) throw shape_error("hrm::balanced_pod: " + std::to_string(o.steps) + " steps, expected at least 1");
    const index_t n = g.states, m = g.inputs, p = g.outputs;
    balanced_pod_result_of<T> out;
    // Snapshots as columns. Where there are more of them than states, X is replaced by the triangle with the same X X^H.
    const auto snapshots = [&](const simulator_of<T>& s) {
        matrix<T> x(o.steps * s.inputs, n);
        double all = 0, last = 0;
        for (index_t j = 0; j < s.inputs; ++j) {
            const auto states = detail::impulse_states(s, {.steps = o.steps}, j, 1);
            std::copy(states.flat().begin(), states.flat().end(), x.view().row(j * o.steps));
            last += detail::square_of(states.view().row(o.steps - 1), n);
        }
        for (const T& v : x.flat()) all += detail::square(v);
        if (!std::isfinite(all)) throw numerical_error("hrm::balanced_pod: a snapshot is not finite");
        if (all > 0) out.horizon = std::max(out.horizon, std::sqrt(last / all));
        return x.rows() > n ? lower_factor(detail::transpose(x)) : detail::transpose(x);
    };
    const auto x = snapshots(g), y = snapshots(adjoint);
    auto core = detail::product(detail::adjoint(y), x);
    detail::core_svd svd(std::move(core), false);
    out.sigma = svd.sigma();
    const double rounding = static_cast<double>(n) * std::numeric_limits<double>::epsilon();
    index_t r = rank_by_tolerance(out.sigma, std::max(o.tolerance, rounding));
    if (o.rank >= 0) r = std::min(r, o.rank);
    using oblique_projection = std::conditional_t<real<T>, detail::oblique_projection, detail::complex_projection>;
    const oblique_projection both({x, y}, svd.leading(r), 0, r, projection::square_root);
    out.t = both.t;
    out.w = both.w;

    // Columns of t through the system: without input for A, read out for C. B is one step from rest.
    const auto wide = [](index_t size) { return std::vector<T>(static_cast<std::size_t>(size)); };
    matrix<T> at(n, r), b(n, m), c(p, r);
    auto s = wide(n), u = wide(m), read = wide(p);
    for (index_t k = 0; k < r; ++k) {
        for (index_t i = 0; i < n; ++i) s[static_cast<std::size_t>(i)] = out.t(i, k);
        g.output(s, read);
        for (index_t i = 0; i < p; ++i) c(i, k) = read[static_cast<std::size_t>(i)];
        g.step(s, u);
        for (index_t i = 0; i < n; ++i) at(i, k) = s[static_cast<std::size_t>(i)];
    }
    for (index_t j = 0; j < m; ++j) {
        std::fill(s.begin(), s.end(), T{});
        u[static_cast<std::size_t>(j)] = 1;
        g.step(s, u);
        u[static_cast<std::size_t>(j)] = 0;
        for (index_t i = 0; i < n; ++i) b(i, j) = s[static_cast<std::size_t>(i)];
    }
    out.system = {{detail::project(out.w, at)}, detail::project(out.w, b), std::move(c), {}};
    return out;
}

}  // namespace hrm
