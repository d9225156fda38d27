#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <hrm/core/error.hpp>

// How many states to keep, from the Hankel singular values sigma, descending. Every rule gives 0 .. sigma.size(), and throws
// numerical_error on a number that is negative or none.

namespace hrm {

namespace detail {
/// Values that agree to this, relatively, count as equal: a tie is never cut by rounding.
inline constexpr double tie = 64 * std::numeric_limits<double>::epsilon();

/// Throws unless 0 <= value <= most: with a NaN no comparison below would say what the caller meant.
inline void check_rule(const char* where, const char* what, double value, double most = std::numeric_limits<double>::infinity(),
                       const char* zero = "0") {
    if (value >= 0 && value <= most) return;
    throw numerical_error(std::string(where) + ": " + what + " is " + std::to_string(value) + ", expected " + zero +
                          (std::isfinite(most) ? " to " + std::to_string(static_cast<int>(most)) : " or more"));
}
inline void check_gains(const char* where, std::span<const double> gains, std::size_t systems) {
    if (!gains.empty()) require_size(where, "gains", static_cast<index_t>(gains.size()), static_cast<index_t>(systems));
    for (const double g : gains) check_rule(where, "the size of a gain", std::abs(g));
}
}  // namespace detail

/// 2 (sigma_{r+1} + sigma_{r+2} + ...), each distinct value once: the H-infinity error bound of balanced truncation.
/// Enns 1984, Glover 1984; discrete time: Al-Saggaf & Franklin 1987, Hinrichsen & Pritchard 1990.
inline double tail_bound(std::span<const double> sigma, index_t rank) {
    double sum = 0;
    for (auto i = static_cast<std::size_t>(rank); i < sigma.size(); ++i)
        if (i == static_cast<std::size_t>(rank) || sigma[i] < sigma[i - 1] * (1 - detail::tie)) sum += sigma[i];
    return 2 * sum;
}

/// The number of sigma_i >= tolerance sigma_1 (and > 0).
inline index_t rank_by_tolerance(std::span<const double> sigma, double tolerance) {
    detail::check_rule("hrm::rank_by_tolerance", "the tolerance", tolerance);
    if (sigma.empty()) return 0;
    const double floor = tolerance * sigma[0] * (1 - detail::tie);
    return std::count_if(sigma.begin(), sigma.end(), [&](double s) { return s > 0 && s >= floor; });
}

/// The smallest r with sum_{i <= r} sigma_i^2 >= fraction * sum_i sigma_i^2.
inline index_t rank_by_energy(std::span<const double> sigma, double fraction) {
    detail::check_rule("hrm::rank_by_energy", "the fraction", fraction, 1);
    // From the small end, so that a tail of tiny values is summed exactly enough to matter.
    if (sigma.empty() || sigma[0] == 0) return 0;
    const double unit = std::ldexp(1.0, std::ilogb(sigma[0]));
    const auto square = [&](std::size_t i) { return (sigma[i] / unit) * (sigma[i] / unit); };
    double total = 0;
    for (auto i = sigma.size(); i-- > 0;) total += square(i);
    double tail = 0;
    auto r = sigma.size();
    while (r > 0) {
        tail += square(r - 1);
        if (tail > (1 - fraction) * total * (1 + detail::tie) || (fraction >= 1 && tail > 0)) break;
        --r;
    }
    return static_cast<index_t>(r);
}

/// The smallest r with |gain| * tail_bound(sigma, r) <= budget: gain is the adapter's alpha.
inline index_t rank_by_hinf_budget(std::span<const double> sigma, double budget, double gain = 1) {
    detail::check_rule("hrm::rank_by_hinf_budget", "the budget", budget);
    detail::check_gains("hrm::rank_by_hinf_budget", {&gain, 1}, 1);
    auto r = static_cast<index_t>(sigma.size());
    while (r > 0 && std::abs(gain) * tail_bound(sigma, r - 1) <= budget) --r;
    return r;
}

/// The r in 1 .. n - 1 with the largest ratio sigma_r / sigma_{r+1}; values below eps sigma_1 are rounding and have no
/// gaps among them. n for fewer than two values above that.
inline index_t rank_by_gap(std::span<const double> sigma) {
    const index_t n = rank_by_tolerance(sigma, std::numeric_limits<double>::epsilon());
    index_t best = n;
    double widest = 1;
    for (index_t r = 1; r < static_cast<index_t>(sigma.size()) && r <= n; ++r) {
        const double floor = std::numeric_limits<double>::epsilon() * sigma[0];
        const double ratio = sigma[static_cast<std::size_t>(r - 1)] / std::max(sigma[static_cast<std::size_t>(r)], floor);
        if (ratio > widest * (1 + detail::tie)) widest = ratio, best = r;
    }
    return best;
}

/// One budget of states shared by many systems: keeps the `states` largest gain_l sigma_{l,i} of all, so that the
/// largest dropped value, which bounds every system's error from below, is as small as it can be. Ties go to the earlier
/// system. gains: one a system, or empty for 1.
inline std::vector<index_t> share_ranks(std::span<const std::vector<double>> sigma, index_t states,
                                        std::span<const double> gains = {}) {
    detail::check_rule("hrm::share_ranks", "the number of states", static_cast<double>(states));
    detail::check_gains("hrm::share_ranks", gains, sigma.size());
    std::vector<index_t> rank(sigma.size(), 0);
    for (index_t kept = 0; kept < states; ++kept) {
        auto best = sigma.size();
        double largest = 0;
        for (std::size_t l = 0; l < sigma.size(); ++l) {
            const auto next = static_cast<std::size_t>(rank[l]);
            if (next == sigma[l].size()) continue;
            const double value = sigma[l][next] * (gains.empty() ? 1 : std::abs(gains[l]));
            if (value > largest) largest = value, best = l;
        }
        if (best == sigma.size()) break;
        ++rank[best];
    }
    return rank;
}

/// One H-infinity budget shared by many systems: few states in all with  sum_l |gain_l| tail_bound(sigma_l, r_l) <= budget.
/// From full order down, what costs least a state goes first: a group of equal values counts once in a bound. Greedy, so
/// within one group of the least number. Ties go to the later system.
inline std::vector<index_t> share_hinf_budget(std::span<const std::vector<double>> sigma, double budget,
                                              std::span<const double> gains = {}) {
    detail::check_rule("hrm::share_hinf_budget", "the budget", budget);
    detail::check_gains("hrm::share_hinf_budget", gains, sigma.size());
    std::vector<index_t> rank;
    for (const auto& s : sigma) rank.push_back(static_cast<index_t>(s.size()));
    for (double spent = 0;;) {
        auto best = sigma.size();
        double least = std::numeric_limits<double>::infinity(), cost_of_best = 0;
        index_t group_of_best = 0;
        for (std::size_t l = 0; l < sigma.size(); ++l) {
            if (rank[l] == 0) continue;
            const auto& s = sigma[l];
            auto first = static_cast<std::size_t>(rank[l]) - 1;
            const double value = s[first];
            while (first > 0 && s[first - 1] * (1 - detail::tie) <= s[first]) --first;
            const index_t group = rank[l] - static_cast<index_t>(first);
            const double cost = 2 * value * (gains.empty() ? 1 : std::abs(gains[l]));
            if (cost / static_cast<double>(group) <= least) {
                least = cost / static_cast<double>(group);
                best = l, cost_of_best = cost, group_of_best = group;
            }
        }
        if (best == sigma.size() || spent + cost_of_best > budget) return rank;
        spent += cost_of_best;
        rank[best] -= group_of_best;
    }
}

}  // namespace hrm
