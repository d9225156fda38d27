#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <hrm/linalg/solve.hpp>
#include <hrm/reduction/factor.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/reduction/rank.hpp>
#include <hrm/systems/norms.hpp>
#include <hrm/systems/stability.hpp>

namespace hrm {

/// Whether the H-infinity error is computed as well, at the price of a norm of order n + r.
enum class error_report { bound, measured };

/// Coordinates of the reduced system, whose input-output map is the same. square_root: balanced, both Gramians diag(sigma).
/// balancing_free: orthonormal columns of t, better conditioned where kept sigma are tiny. Varga 1991.
enum class projection { square_root, balancing_free };

/// Which states to keep. Each rule that is set asks for an order, the largest is taken, and rank caps it. None set:
/// everything but rounding.
struct balance_options {
    index_t rank = -1;       ///< at most this many (-1: no cap)
    double tolerance = 0;    ///< sigma_i / sigma_1 >= tolerance
    double energy = 0;       ///< this fraction of sum sigma_i^2
    double hinf_budget = 0;  ///< the smallest order with |gain| * 2 * (distinct tail) <= hinf_budget
    double gain = 1;         ///< what multiplies the output, an adapter's alpha
    error_report error = error_report::bound;
    projection basis = projection::square_root;
};

/// A reduced system with everything that can be said about it.  R: discrete<dense<double>> or continuous<dense<double>>.
template <class R>
struct balanced_system {
    R system;                         ///< order r
    std::vector<double> sigma;        ///< all n Hankel singular values, descending
    double bound = 0;                 ///< 2 * sum of the distinct dropped sigma
    bool certified = false;           ///< bound is a theorem: the Gramians were exact and the result is stable
    std::optional<double> measured_error;  ///< |G - Gr|_inf, where asked for and both are stable
    index_t numerical_rank = 0;       ///< sigma above n eps sigma_1: no more states can be kept
    matrix<double> t, w;              ///< n x r:  s ~ t s_r,  s_r = w^T s,  w^T t = I
    double biorthogonality = 0;       ///< largest entry of w^T t - I before it was corrected
    double condition = 0;             ///< |t| |w| in the 2-norm, the norm of the projector at most; 0 for order 0
    double regularisation = 0;        ///< relative size of what factoring given Gramians left out
    double spectral = 0;              ///< spectral radius (continuous: abscissa) of the reduced A
    bool stable = true;

    index_t order() const { return system.order(); }
};
using balanced = balanced_system<discrete<dense<double>>>;

namespace detail {

/// The order the options ask for, among the first `limit`.
inline index_t choose_rank(std::span<const double> sigma, index_t limit, const balance_options& o) {
    index_t r = 0;
    bool asked = false;
    const auto ask = [&](bool set, auto rule) {
        if (set) asked = true, r = std::max(r, rule());
    };
    ask(o.tolerance > 0, [&] { return rank_by_tolerance(sigma, o.tolerance); });
    ask(o.energy > 0, [&] { return rank_by_energy(sigma, o.energy); });
    ask(o.hinf_budget > 0, [&] { return rank_by_hinf_budget(sigma, o.hinf_budget, o.gain); });
    if (!asked) r = limit;
    if (o.rank >= 0) r = std::min(r, o.rank);
    return std::min(r, limit);
}

/// Square-root balanced truncation from factors. With Lo^T Lc = U S V^T,
///     t = Lc V_r S_r^-1/2,  w = Lo U_r S_r^-1/2,  A_r = w^T A t,  B_r = w^T B,  C_r = C t.
template <linear_system T>
auto balance_factors(const T& system, const matrix<double>& lc, const matrix<double>& lo, const balance_options& options) {
    using reduced = std::conditional_t<in_discrete_time<T>, discrete<dense<double>>, continuous<dense<double>>>;
    const index_t n = system.order();
    balanced_system<reduced> out;
    matrix<double> k(lo.cols(), lc.cols());
    multiply(transposed(lo.view()), lc.view(), k.view());
    auto svd = jacobi_svd(k);
    out.sigma = svd.sigma;
    out.sigma.resize(static_cast<std::size_t>(n), 0.0);
    out.numerical_rank = rank_by_tolerance(out.sigma, static_cast<double>(n) * std::numeric_limits<double>::epsilon());
    const index_t r = choose_rank(out.sigma, out.numerical_rank, options);
    out.bound = tail_bound(out.sigma, r);

    for (index_t j = 0; j < r; ++j) {
        const double scale = 1 / std::sqrt(out.sigma[static_cast<std::size_t>(j)]);
        for (index_t i = 0; i < svd.v.rows(); ++i) svd.v(i, j) *= scale;
        for (index_t i = 0; i < svd.u.rows(); ++i) svd.u(i, j) *= scale;
    }
    out.t = matrix<double>(n, r);
    out.w = matrix<double>(n, r);
    multiply(lc.view(), svd.v.view().slice_cols(0, r), out.t.view());
    multiply(lo.view(), svd.u.view().slice_cols(0, r), out.w.view());

    if (options.basis == projection::balancing_free) {
        out.t = transpose(pivoted_qr(out.t).q);
        out.w = transpose(pivoted_qr(out.w).q);
        matrix<double> angles(r, r);  // w <- w (t^T w)^-1
        multiply(transposed(out.t.view()), out.w.view(), angles.view());
        out.w = transpose(solve(transpose(angles), transpose(out.w)));
    }

    // Small sigma leave w^T t short of I by rounding; t (w^T t)^-1 spans the same space and is exact again.
    matrix<double> product(r, r);
    multiply(transposed(out.w.view()), out.t.view(), product.view());
    for (index_t i = 0; i < r; ++i)
        for (index_t j = 0; j < r; ++j)
            out.biorthogonality = std::max(out.biorthogonality, std::abs(product(i, j) - (i == j)));
    out.t = transpose(solve(transpose(product), transpose(out.t)));

    const auto a = to_dense(system.a);
    matrix<double> at(n, r);
    out.system.a.a = matrix<double>(r, r);
    out.system.b = matrix<double>(r, system.inputs());
    out.system.c = matrix<double>(system.outputs(), r);
    out.system.d = system.d;
    multiply(a.view(), out.t.view(), at.view());
    multiply(transposed(out.w.view()), at.view(), out.system.a.a.view());
    multiply(transposed(out.w.view()), system.b.view(), out.system.b.view());
    multiply(system.c.view(), out.t.view(), out.system.c.view());

    if (r > 0) out.condition = jacobi_svd(out.t).sigma[0] * jacobi_svd(out.w).sigma[0];
    if constexpr (in_discrete_time<T>) out.spectral = spectral_radius(out.system.a);
    else out.spectral = spectral_abscissa(out.system.a);
    out.stable = is_stable(out.system);
    if (options.error == error_report::measured && out.stable && is_stable(system))
        out.measured_error = hinf_norm(difference(system, out.system)).value;
    return out;
}

}  // namespace detail

/// Truncates a stable system to the states that matter most to its input-output map.
///     auto r = hrm::balance(system, {.tolerance = 1e-3});
///     r.system;  r.sigma;  r.bound;      // ||G - Gr||_inf <= bound = 2 * (sum of the distinct dropped sigma)
/// a: n x n, b: n x m, c: p x n, d is kept.  O(n^3), offline, in double.  Unreachable and unobservable states, zero B or
/// C, m, p or n = 0 give a result, of order at most the numerical rank. Throws numerical_error, with the spectral radius,
/// if A is unstable. Moore 1981, Glover 1984; square-root form, Laub, Heath, Paige & Ward 1987.
template <linear_system T>
auto balance(const T& system, const balance_options& options = {}) {
    system.check();
    auto out = detail::balance_factors(cast<double>(system), controllability_factor(system), observability_factor(system),
                                       options);
    out.certified = out.stable;
    return out;
}

/// The same with given Gramians, n x n, symmetric positive semidefinite, singular or not: empirical, weighted or
/// time-limited ones. sigma are then the singular values of that pair, and the bound is no theorem: certified is false.
/// A may be unstable. Throws numerical_error if a Gramian is not semidefinite.
template <linear_system T>
auto balance(const T& system, const matrix<double>& wc, const matrix<double>& wo, const balance_options& options = {}) {
    system.check();
    require_shape("hrm::balance", "Wc", wc.rows(), wc.cols(), system.order(), system.order());
    require_shape("hrm::balance", "Wo", wo.rows(), wo.cols(), system.order(), system.order());
    const auto c = factor_semidefinite(wc), o = factor_semidefinite(wo);
    auto out = detail::balance_factors(cast<double>(system), c.l, o.l, options);
    out.regularisation = std::max(c.dropped, o.dropped);
    return out;
}

}  // namespace hrm
