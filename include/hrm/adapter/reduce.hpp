#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <hrm/adapter/set.hpp>
#include <hrm/adapter/truncated.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/detail/keep_pages.hpp>
#include <hrm/reduction/empirical.hpp>
#include <hrm/reduction/rank.hpp>
#include <hrm/reduction/rediagonalize.hpp>

namespace hrm {

/// What truncating one adapter did. sigma and bound are those of the map u -> C s; the adapter's output is that times
/// its gate and factor, `gain` in all.
struct reduction_report {
    std::vector<double> sigma;  ///< all n Hankel singular values, descending
    index_t order = 0;          ///< states kept
    double gain = 1;            ///< |gate * factor|; per channel the gate is inside sigma, per token it counts as 1
    double bound = 0;           ///< of ||A - A_r||_inf, gain included
    double rounding = 0;        ///< what rounding in double may add, gain included
    std::optional<double> measured_error;  ///< ||A - A_r||_inf itself, gain included, where options.error asked for it
    bool certified = false;     ///< balanced_system's of u -> C s, all of it stable, and every document starts from zero
    bool diagonal = true;       ///< A_r runs by its poles; false: dense, because cond(V) was too large
    double condition = 1;       ///< cond(V) of the poles' coordinates
};

template <real S>
struct reduction : reduction_report {
    std::unique_ptr<reduced_adapter<S>> adapter;
    matrix<double> t, w;  ///< n x order:  s ~ t s_r,  s_r = w^T s,  both adapters' states as they run
};

namespace detail {

template <real S>
std::unique_ptr<reduced_adapter<S>> adapter_of(const rediagonalized& r, const reduced_options& o) {
    return std::visit([&](const auto& s) { return std::make_unique<reduced_adapter<S>>(s, o); }, r.system);
}

/// The gate's tensors of one adapter into another with the same kind of gate.
template <real S>
void copy_gate(const adapter<S>& from, adapter<S>& to) {
    for (const auto& e : from.parameters().entries())
        if (e.name.ends_with("gate"))
            std::copy_n(from.parameters()[from.parameters().find(e.name)].data, e.size(),
                        to.parameters()[to.parameters().find(e.name)].data);
}

/// Whether a gate that nobody trains becomes a scalar one that can be.
enum class constant_gate { opened, kept };

template <real S, class System>
reduction<S> truncate(const recurrent_adapter<S>& a, System weighted, const matrix<double>* wc, balance_options o, constant_gate fixed) {
    if (o.weak == weak_states::residualize)
        throw shape_error("hrm::reduce: residualised states go on in a dense D, which an adapter does not have; expected weak_states::truncate");
    const auto& gate_part = a.gating();
    const auto& p = a.parameters();
    const bool by_channel = gate_part.kind() == gate::per_channel;
    std::optional<matrix<double>> ungated;  // what the reduced adapter's own gate multiplies
    if (by_channel) {
        ungated = weighted.c;
        for (index_t i = 0; i < weighted.c.rows(); ++i)
            for (index_t j = 0; j < weighted.c.cols(); ++j) weighted.c(i, j) *= gate_part.at(p, i);
    }
    reduction<S> out;
    out.gain = std::abs(a.factor()) * (by_channel || gate_part.per_token() ? 1 : std::abs(gate_part.at(p, 0)));
    o.gain = out.gain;
    o.unstable = unstable_poles::refuse;  // an adapter that forgets nothing has no reduced form to train

    // Only B B^T and C^T C decide about the states, and small roots of them do as well as thousands of inputs and outputs.
    const bool compressed = std::min(weighted.inputs(), weighted.outputs()) > weighted.order();
    const auto balanced = [&](const System& s) { return wc ? balance(s, *wc, observability(s), o) : balance(s, o); };
    auto small = compressed ? balanced({weighted.a, lower_factor(strided_view<const double>(weighted.b.view())),
                                        transpose(lower_factor(transposed(weighted.c.view()))), {}})
                            : balanced(weighted);
    out.sigma = small.sigma;
    out.order = small.order();
    out.bound = out.gain * small.bound;
    out.rounding = out.gain * small.rounding;
    if (small.measured_error) out.measured_error = out.gain * *small.measured_error;
    out.certified = small.certified && !a.learns_initial_state();

    // Only w^T and t, which are small, go into the poles' coordinates; then B and C follow them, each once.
    const bool direct = !weighted.d.empty();
    auto modes = rediagonalize(discrete<dense<double>>{small.system.a, transpose(small.w), std::move(small.t), {}});
    std::visit(
        [&](auto& s) {
            out.w = transpose(s.b);
            s.b = product(s.b, weighted.b);
            out.t = std::move(s.c);
            s.c = product(ungated ? *ungated : weighted.c, out.t);
            s.d = std::move(weighted.d);
        },
        modes.system);
    out.diagonal = modes.diagonal();
    out.condition = modes.condition;

    reduced_options r;
    const bool constant = gate_part.kind() == gate::none || gate_part.kind() == gate::frozen;
    const bool opened = constant && fixed == constant_gate::opened;
    r.gate = opened ? gate::scalar : gate_part.kind();
    r.gate_start = constant ? gate_part.at(p, 0) : 0.5;
    r.scale = a.factor();
    r.feedthrough = direct ? feedthrough::diagonal : feedthrough::none;
    r.reset_every = a.reset_every();
    r.learn_initial_state = a.learns_initial_state();
    out.adapter = adapter_of<S>(modes, r);
    if (!constant) copy_gate<S>(a, *out.adapter);
    if (out.adapter->learns_initial_state()) {
        const auto start = a.initial_state();
        auto& q = out.adapter->parameters();
        for (index_t i = 0; i < out.order; ++i) {
            double sum = 0;
            for (index_t j = 0; j < out.w.rows(); ++j) sum += out.w(j, i) * start[static_cast<std::size_t>(j)];
            q[q.find("s0")](i, 0) = static_cast<S>(sum);
        }
    }
    return out;
}
template <real S>
reduction<S> truncate(const recurrent_adapter<S>& a, const matrix<double>* wc, const balance_options& o,
                      constant_gate fixed = constant_gate::opened) {
    keep_pages(16 * a.states() * (a.inputs() + a.outputs()));  // B and C in double, and at most as much again of the result
    if (a.shape().full > 0) return truncate(a, a.dense_system(output_gain::left_out), wc, o, fixed);
    return truncate(a, a.system(output_gain::left_out), wc, o, fixed);
}

}  // namespace detail

/// Balanced truncation of a trained adapter, in the discrete domain from end to end:
///     auto r = hrm::reduce(adapter, {.tolerance = 0.1});
///     r.adapter;  r.order;  r.sigma;  r.bound;
/// (Abar, scale B, C) is balanced and cut, and A_r diagonalised again, so that the scans of the full adapter apply. Gate,
/// factor, D, resets and a learned start go along; a frozen gate or none becomes a scalar one, so that it can be tuned again
/// (names ending in "gate"). O(n^3 + n^2 (inputs + outputs)). Throws numerical_error for an unstable adapter.
template <real S>
reduction<S> reduce(const recurrent_adapter<S>& a, const balance_options& options = {}) {
    return detail::truncate(a, nullptr, options);
}
/// The same with the controllability Gramian seen in calibration, wc: n x n, beside the exact observability Gramian.
/// The bound is then no theorem.
template <real S>
reduction<S> reduce(const recurrent_adapter<S>& a, const matrix<double>& wc, const balance_options& options = {}) {
    require_shape("hrm::reduce", "Wc", wc.rows(), wc.cols(), a.states(), a.states());
    return detail::truncate(a, &wc, options);
}

/// One rule for all of a set. Of both, that which leaves fewer states is taken.
struct shared_rules {
    index_t states = -1;     ///< at most this many in all, where gain * sigma is largest (share_ranks; -1: no cap)
    double hinf_budget = 0;  ///< sum of the adapters' bounds, gains included, at most this (share_hinf_budget; 0: not asked for)
};

namespace detail {

/// options(i): those of member i.
template <real S, class Options>
adapter_set<S> reduce_each(const adapter_set<S>& set, std::span<const matrix<double>> wc, Options options, std::vector<reduction_report>& reports) {
    if (!wc.empty())
        require_size("hrm::reduce", "Gramians", static_cast<index_t>(wc.size()), static_cast<index_t>(set.size()));
    adapter_set<S> out;
    std::vector<reduction_report> all(set.size());
    for (std::size_t i = 0; i < set.size(); ++i) {
        const auto* a = dynamic_cast<const recurrent_adapter<S>*>(set[i].adapter.get());
        if (!a) {
            out.attach(set[i].layer, set[i].site, set[i].adapter->clone());
            continue;
        }
        auto r = wc.empty() || wc[i].empty() ? reduce(*a, options(i)) : reduce(*a, wc[i], options(i));
        all[i] = r;
        out.attach(set[i].layer, set[i].site, std::move(r.adapter));
    }
    reports = std::move(all);
    return out;
}

}  // namespace detail

/// Every recurrent adapter of a set reduced, the others copied. wc: one Gramian a member (empty ones: the exact one), or
/// none at all. reports: one a member; a copied one has order 0 and no sigma.
template <real S>
adapter_set<S> reduce(const adapter_set<S>& set, std::span<const matrix<double>> wc, const balance_options& options,
                      std::vector<reduction_report>& reports) {
    return detail::reduce_each(set, wc, [&](std::size_t) { return options; }, reports);
}
/// The same with as many states in each as one rule for all of them gives it; options: what caps each by itself.
///     auto small = hrm::reduce(set, {}, hrm::shared_rules{.states = 256}, {}, reports);    // 32 layers, 8 states each on average
template <real S>
adapter_set<S> reduce(const adapter_set<S>& set, std::span<const matrix<double>> wc, const shared_rules& shared, balance_options options,
                      std::vector<reduction_report>& reports) {
    const auto error = std::exchange(options.error, error_report::bound);
    std::vector<reduction_report> seen;
    detail::reduce_each(set, wc, [&](std::size_t) { return options; }, seen);
    std::vector<std::vector<double>> sigma;
    std::vector<double> gains;
    for (const auto& r : seen) sigma.push_back(r.sigma), gains.push_back(r.gain);
    detail::check_rule("hrm::shared_rules", "hinf_budget", shared.hinf_budget, std::numeric_limits<double>::infinity(), "0 (not asked for)");
    std::vector<index_t> rank;
    for (const auto& r : seen) rank.push_back(r.order);
    if (shared.hinf_budget > 0) rank = share_hinf_budget(sigma, shared.hinf_budget, gains);
    if (shared.states >= 0 && std::accumulate(rank.begin(), rank.end(), index_t{0}) > shared.states) rank = share_ranks(sigma, shared.states, gains);
    options.error = error;
    return detail::reduce_each(
        set, wc,
        [&](std::size_t i) {
            auto own = options;
            own.rank = std::min(rank[i], seen[i].order);
            return own;
        },
        reports);
}

}  // namespace hrm
