#pragma once

#include <hrm/adapter/calibrate.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/reduce.hpp>

// A start for adapters that were never trained, from activations alone:
//   1  listen to what each place reads (collect::states_and_inputs), and take the leading directions;
//   2  beside each place run a wide system that remembers every direction over many time scales, and listen again;
//   3  truncate it, with the Gramian it has really seen, to the n states that hold most of that past.

namespace hrm {

struct wide_options {
    index_t directions = 32;    ///< leading directions of the inputs
    index_t memories = 2;       ///< time scales of each, an even grid in the logarithm
    double longest_memory = 4;  ///< tokens; activations share a mean, which swamps the states of long memories
};

/// Step 2 for one place: k * memories normalised real states, state j * memories + m follows row j of directions, k x inputs,
/// with time scale m. Its gate is shut: a model that carries it computes what it did without, bit for bit.
template <real S>
std::unique_ptr<hrm_adapter<S>> wide_adapter(const matrix<double>& directions, index_t outputs, const wide_options& w = {}) {
    hrm_options o;
    o.states = directions.rows() * w.memories;
    o.start = start::like_lora;
    o.normalization = normalization::unit_variance;
    o.gate = gate::frozen;
    o.longest_memory = w.longest_memory;
    random_stream unused(0);
    auto out = std::make_unique<hrm_adapter<S>>(directions.cols(), outputs, o, unused);
    auto& p = out->parameters();
    const auto b = p[p.find("B")], log_a = p[p.find("logA")], log_dt = p[p.find("logdt")];
    for (index_t i = 0; i < o.states; ++i) {
        const double place = (static_cast<double>(i % w.memories) + 0.5) / static_cast<double>(w.memories);
        const auto [a, dt] = real_positive_from_rate(std::pow(w.longest_memory, -place), o);
        log_a(i, 0) = static_cast<S>(a);
        log_dt(i, 0) = static_cast<S>(dt);
        for (index_t j = 0; j < b.cols; ++j) b(i, j) = static_cast<S>(directions(i / w.memories, j));
    }
    return out;
}

/// Step 3 for one place: n states from a wide adapter and the Gramian wc it has seen. What is to be preserved is a
/// read-out without preference, each direction's memories added up (C = [1 .. 1] for each), with its exact observability
/// Gramian. States are scaled to unit variance on the calibration data. C = 0: a no-op whose C learns at once.
/// Where poles cannot be told apart well enough (reduction/rediagonalize.hpp), fewer states are kept rather than a dense A,
/// which would have order^2 parameters more than was asked for; the report's order says how many.
/// The report's bound is no theorem (wc is empirical).
template <real S>
reduction<S> calibrated_start(const hrm_adapter<S>& wide, const matrix<double>& wc, index_t states, index_t memories,
                              gate kind = gate::none) {
    auto system = wide.system(output_gain::left_out);
    const index_t n = system.order(), outputs = system.outputs();
    require_shape("hrm::calibrated_start", "Wc", wc.rows(), wc.cols(), n, n);
    if (memories < 1 || n % memories != 0)
        throw shape_error("hrm::calibrated_start: " + std::to_string(n) + " states are not directions times " +
                          std::to_string(memories) + " memories");
    system.c = matrix<double>(n / memories, n);
    for (index_t i = 0; i < n; ++i) system.c(i / memories, i) = 1;

    reduction<S> out;
    rediagonalized modes;
    const auto wo = observability(system);
    const auto lc = factor_semidefinite(wc).l;
    do {
        auto small = balance(system, wc, wo, {.rank = states});
        out.sigma = small.sigma;
        out.order = small.order();
        out.bound = small.bound;
        modes = rediagonalize(discrete<dense<double>>{small.system.a, detail::transpose(small.w), matrix<double>(0, out.order), {}});
        states = out.order - 1;
    } while (!modes.diagonal());
    out.condition = modes.condition;
    auto& modal = std::get<discrete<complex_pairs<double>>>(modes.system);
    const auto seen = detail::product(modal.b, lc);
    modal.b = detail::product(modal.b, system.b);
    modal.c = matrix<double>(outputs, out.order);

    // The variance of state i is the squared length of its row; both states of a pair share a scale.
    const auto length = [&](index_t i) {
        double sum = 0;
        for (index_t j = 0; j < seen.cols(); ++j) sum += seen(i, j) * seen(i, j);
        return sum;
    };
    const index_t q = modal.a.reals(), k = modal.a.pairs();
    for (index_t i = 0; i < out.order; ++i) {
        const index_t mate = i < q ? i : (i < q + k ? i + k : i - k);
        const double variance = (length(i) + length(mate)) / 2;
        for (index_t j = 0; j < modal.b.cols() && variance > 0; ++j) modal.b(i, j) /= std::sqrt(variance);
    }
    out.adapter = detail::adapter_of<S>(modes, {.gate = kind});
    return out;
}

/// Step 2 for a whole set that was listened to with collect::states_and_inputs. A place whose inputs, as far as their sketch
/// holds them, have fewer directions than asked for gets those.  Throws numerical_error where a place read only zeros.
template <real S>
adapter_set<S> wide_adapters(const calibrator<S>& seen, const wide_options& w = {}) {
    adapter_set<S> out;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        const auto& place = seen.adapters()[i];
        const auto read = seen[i].inputs(w.directions);
        if (read.directions.rows() == 0)
            throw numerical_error("hrm::wide_adapters: place " + std::to_string(i) + " has read no inputs but zeros in " +
                                  std::to_string(seen[i].tokens()) + " tokens");
        out.attach(place.layer, place.site, wide_adapter<S>(read.directions, place.adapter->outputs(), w));
    }
    return out;
}
/// Step 3 for a whole set: wide, as wide_adapters made it, and what it has seen. reports: one a member.
template <real S>
adapter_set<S> calibrated_start(const adapter_set<S>& wide, const calibrator<S>& seen, index_t states, const wide_options& w,
                                std::vector<reduction_report>& reports, gate kind = gate::none) {
    adapter_set<S> out;
    reports.clear();
    for (std::size_t i = 0; i < wide.size(); ++i) {
        const auto& one = dynamic_cast<const hrm_adapter<S>&>(*wide[i].adapter);
        auto r = calibrated_start(one, seen[i].states(), states, w.memories, kind);
        reports.push_back(r);
        out.attach(wide[i].layer, wide[i].site, std::move(r.adapter));
    }
    return out;
}

}  // namespace hrm
