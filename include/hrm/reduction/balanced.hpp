#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <hrm/reduction/dual.hpp>
#include <hrm/reduction/rank.hpp>
#include <hrm/systems/split.hpp>

// What balance() can be asked for, and what it answers.

namespace hrm {

/// Whether the errors are computed as well, at the price of norms of order n + r.
enum class error_report { bound, measured };

/// Coordinates of the reduced system, whose input-output map is the same. square_root: balanced, both Gramians diag(sigma).
/// balancing_free: orthonormal columns of t, better conditioned where kept sigma are tiny. Varga 1991.
/// biorthogonal: the directions of square_root, each of t as long as its of w: both Gramians stay diagonal, and the first k
/// states are still the reduction to k, yet no column is long because its sigma is small.
enum class projection { square_root, balancing_free, biorthogonal };

/// What becomes of the weak states. truncate: they are set to zero, exact at infinite frequency. residualize: they follow
/// the others at once (singular perturbation), exact at frequency zero. Liu & Anderson 1989. The bound is the same.
enum class weak_states { truncate, residualize };

/// What becomes of unstable and integrating poles: they are split off, kept as they are and counted; or A is refused.
enum class unstable_poles { keep, refuse };

/// Whether the widest gap between neighbouring sigma asks for an order as well.
enum class gap_rule { ignore, largest };

/// Which states to keep. Each rule that is set asks for an order, the largest is taken, and rank caps it. None set:
/// everything but rounding. Rules are about the stable part; what is unstable comes on top.
struct balance_options {
    index_t rank = -1;       ///< at most this many (-1: no cap)
    double tolerance = 0;    ///< sigma_i / sigma_1 >= tolerance
    double energy = 0;       ///< this fraction of sum sigma_i^2
    double hinf_budget = 0;  ///< the smallest order with |gain| * 2 * (distinct tail) <= hinf_budget
    double gain = 1;         ///< what multiplies the output, an adapter's alpha
    error_report error = error_report::bound;
    projection basis = projection::square_root;
    gap_rule gap = gap_rule::ignore;
    weak_states weak = weak_states::truncate;
    unstable_poles unstable = unstable_poles::keep;
    double margin = automatic_margin;  ///< poles nearer than this to the boundary count as unstable (systems/split.hpp)
    double floor = 1e-18;              ///< sigma below this of sigma_1 may come out as 0; 0: all, and those of modal A to their own accuracy
};

/// What a reduction really missed, where options asked for it and both systems are stable but for common poles.
struct measured_errors {
    std::optional<double> measured_error;  ///< |G - Gr|_inf
    double measured_rounding = 0;          ///< what rounding may have added to measured_error, to first order
    std::optional<double> measured_h2;     ///< |G - Gr|_2; nothing where D changed in continuous time
};

/// A reduced system with everything that can be said about it.  R: discrete<dense<double>> or continuous<dense<double>>, or of complex.
template <class R>
struct balanced_system : measured_errors {
    R system;                         ///< order r, unstable states last
    std::vector<double> sigma;        ///< all Hankel singular values of the stable part, descending
    double bound = 0;                 ///< 2 * sum of the distinct dropped sigma
    double rounding = 0;              ///< what rounding may add, to first order (hrm/reduction/detail/rounding.hpp)
    /// |G - Gr|_inf <= bound + rounding, to first order in rounding: exact Gramians, the reduced stable part stable, rounding
    /// <= sigma_1 / 100. About the stable part: |G - Gr| where both carry the same unstable part, beside which `stable` is false;
    /// where nothing is stable, only if modal A was split, which is exact. Where a dense continuous A of 100 states or more showed
    /// Gramians of low rank, what they miss is bounded, and the bound counts it, if A is dissipative in some units of the
    /// states: as given or balanced, or Metzler (hrm/linalg/detail/dissipative.hpp). Else it is estimated (2e-15 of a factor):
    /// the error has to be measured as well, and be within the bound. So it has to where a tolerance alone decides about more
    /// than 256 states in modal coordinates, for small columns of the Gramians are left out there. floor = 0 takes everything.
    bool certified = false;
    index_t numerical_rank = 0;       ///< sigma above n eps sigma_1: no more states can be kept
    matrix<typename R::scalar> t, w;  ///< n x r:  s ~ t s_r,  s_r = w^T s,  w^T t = I (complex: w^H)
    double biorthogonality = 0;       ///< largest entry of w^T t - I before it was corrected
    double condition = 0;             ///< |t| |w| in the 2-norm, the norm of the projector at most; 0 for order 0
    double regularisation = 0;        ///< relative size of what factoring given Gramians left out
    double spectral = 0;              ///< spectral radius (continuous: abscissa) of the reduced A
    bool stable = true;
    index_t unstable = 0;             ///< states that were split off and kept
    double split_condition = 1;       ///< norm of the projector between them and the rest
    index_t delayed = 0;              ///< states added for a delayed read-out (discrete residualisation, see balance)

    index_t order() const { return system.order(); }
};
using balanced = balanced_system<discrete<dense<double>>>;

namespace detail {

/// The order the options ask for, among the first `limit`.  Throws numerical_error on a rule that is no number or negative.
inline index_t choose_rank(std::span<const double> sigma, index_t limit, const balance_options& o) {
    const auto require = [](const char* what, double value, double most = std::numeric_limits<double>::infinity()) {
        check_rule("hrm::balance_options", what, value, most, "0 (not asked for)");
    };
    require("tolerance", o.tolerance);
    require("energy", o.energy, 1);
    require("hinf_budget", o.hinf_budget);
    require("floor", o.floor, 1);
    if (std::isnan(o.margin)) throw numerical_error("hrm::balance_options: margin is nan, expected a distance");
    index_t r = 0;
    bool asked = false;
    const auto ask = [&](bool set, auto rule) {
        if (set) asked = true, r = std::max(r, rule());
    };
    ask(o.tolerance > 0, [&] { return rank_by_tolerance(sigma, o.tolerance); });
    ask(o.energy > 0, [&] { return rank_by_energy(sigma, o.energy); });
    ask(o.hinf_budget > 0, [&] { return rank_by_hinf_budget(sigma, o.hinf_budget, o.gain); });
    ask(o.gap == gap_rule::largest, [&] { return rank_by_gap(sigma); });
    if (!asked) r = limit;
    if (o.rank >= 0) r = std::min(r, o.rank);
    return std::min(r, limit);
}

/// Beyond a hundredth of sigma_1 an allowance of first order allows for nothing.
template <class Result>
bool allows(const Result& out) {
    return out.rounding <= (out.sigma.empty() ? 0 : 0.01 * out.sigma[0]);
}

template <any_system T, class S = in_precision<double, typename T::scalar>>
using reduced_system = std::conditional_t<in_discrete_time<T>, discrete<dense<S>>, continuous<dense<S>>>;

}  // namespace detail
}  // namespace hrm
