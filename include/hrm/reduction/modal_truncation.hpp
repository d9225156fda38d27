#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include <hrm/reduction/detail/measure.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/reduction/rediagonalize.hpp>
#include <hrm/systems/modal.hpp>
#include <hrm/systems/split.hpp>

namespace hrm {

/// What makes a mode worth keeping: its share of the response, |c| |b| / depth, or its slowness alone, 1 / depth; depth is
/// -Re l, in discrete time 1 - |l|.
enum class mode_order { dominant, slowest };

struct modal_options {
    index_t rank = -1;     ///< at most this many states (-1: no cap); a pair of a real system is kept or left whole
    double tolerance = 0;  ///< weight / largest weight >= tolerance
    mode_order order = mode_order::dominant;
    error_report error = error_report::bound;
};

/// System: continuous or discrete<complex_pairs<double>>, complex diagonal<complex>, some of the poles of the whole and no others.
template <class System>
struct modal_reduction : measured_errors {
    System system;
    std::vector<double> weight;  ///< of every mode, a real system's pair once, descending; infinite for unstable ones
    double bound = 0;            ///< |G - Gr|_inf <= sum of |c| |b| / depth over the modes left out
    double condition = 1;        ///< of the eigenvectors, 2-norm; 1 where A was modal already
};

namespace detail {

template <template <class> class System, class A, class T = typename A::scalar>
System<modal_structure<T>> modal_system(const System<A>& s, double& condition) {
    if constexpr (complex_scalar<T> && !std::same_as<A, dense<T>>) return s;
    else if constexpr (!std::same_as<A, dense<T>>) return {to_pairs(s.a), s.b, s.c, s.d};
    else {
        require_finite("hrm::modal_truncation", "A", s.a.a);
        if constexpr (real<T>)
            if (const auto modes = find_modes(s.a.a)) return in_modes(*modes, s);
        System<modal_structure<T>> to{{}, {}, {}, s.d};
        const auto v = modal_vectors(s.a.a, to.a);
        const auto sigma = jacobi_svd(v).sigma;
        condition = sigma.empty() ? 1 : sigma.back() > 0 ? sigma.front() / sigma.back() : std::numeric_limits<double>::infinity();
        if (!(condition <= 1e10))
            throw numerical_error("hrm::modal_truncation: A is defective to rounding: its eigenvectors have condition " +
                                  std::to_string(condition) + ", expected at most 1e+10");
        to.b = solve(v, s.b);
        to.c = product(s.c, v);
        return to;
    }
}

/// The single poles of a modal A, before pairs.
inline index_t singles(const complex_pairs<double>& a) { return a.reals(); }
inline index_t singles(const diagonal<complex>& a) { return a.order(); }

}  // namespace detail

/// Keeps the modes that matter most, their poles untouched: D stays, unstable modes always stay. Of a complex system every pole is a
/// mode of its own, half a conjugate pair as well.  O(n (m + p)) for modal A, also in disguise; dense A through its eigenvectors, O(n^3).
/// Throws numerical_error where those are dependent.
/// Davison 1966; dominance after Rommes & Martins 2006.
template <template <class> class System, any_structure A>
modal_reduction<System<detail::modal_structure<typename A::scalar>>> modal_truncation(const System<A>& system, const modal_options& options = {}) {
    system.check();
    modal_reduction<System<detail::modal_structure<typename A::scalar>>> out;
    detail::check_finite("hrm::modal_truncation", system);
    const auto g = detail::modal_system(cast<double>(system), out.condition);
    detail::require_finite("hrm::modal_truncation", "B", g.b);
    detail::require_finite("hrm::modal_truncation", "C", g.c);
    const index_t q = detail::singles(g.a), k = (g.order() - q) / 2;
    const auto l = eigenvalues(g.a);  // a pair is two neighbours there
    std::vector<double> weight, share;
    for (index_t i = 0; i < q + k; ++i) {
        double b = 0, c = 0;
        for (index_t row = i; row < g.order(); row += i < q ? g.order() : k) {
            for (index_t j = 0; j < g.inputs(); ++j) b = std::hypot(b, std::abs(g.b(row, j)));
            for (index_t j = 0; j < g.outputs(); ++j) c = std::hypot(c, std::abs(g.c(j, row)));
        }
        const double depth = detail::depth<System<A>>(l[static_cast<std::size_t>(i < q ? i : 2 * i - q)]);
        share.push_back(depth > 0 ? b * c / depth : std::numeric_limits<double>::infinity());
        weight.push_back(options.order == mode_order::dominant || !(depth > 0) ? share.back() : 1 / depth);
    }
    std::vector<std::size_t> rank(weight.size());
    std::iota(rank.begin(), rank.end(), std::size_t{0});
    std::stable_sort(rank.begin(), rank.end(), [&](auto i, auto j) { return weight[i] > weight[j]; });
    double largest = 0;
    for (const double w : weight)
        if (std::isfinite(w)) largest = std::max(largest, w);

    std::vector<index_t> reals, pairs, left_reals, left_pairs;
    bool open = true;
    index_t states = 0;
    for (const auto i : rank) {
        const auto mode = static_cast<index_t>(i);
        const index_t size = mode < q ? 1 : 2;
        out.weight.push_back(weight[i]);
        const bool unstable = std::isinf(share[i]);
        open = open && (unstable || ((options.rank < 0 || states + size <= options.rank) && weight[i] >= options.tolerance * largest));
        if (!open) {
            out.bound += share[i];
            (mode < q ? left_reals : left_pairs).push_back(mode);
            continue;
        }
        states += size;
        (mode < q ? reals : pairs).push_back(mode);
    }
    const auto some_of = [&](std::vector<index_t> chosen, const std::vector<index_t>& pairs) {  // planar: real parts, then imaginary ones
        chosen.insert(chosen.end(), pairs.begin(), pairs.end());
        for (const auto i : pairs) chosen.push_back(i + k);
        return detail::pick_states(g, chosen);
    };
    out.system = some_of(reals, pairs);
    out.system.d = g.d;
    if (options.error == error_report::measured) detail::measure(some_of(left_reals, left_pairs), out);  // G - Gr is what was left out
    return out;
}

}  // namespace hrm
