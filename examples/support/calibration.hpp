#pragma once

#include <atomic>
#include <string>
#include <vector>

#include <hrm/adapter/calibrate.hpp>
#include <hrm/adapter/calibrated_start.hpp>
#include <hrm/adapter/reduce.hpp>
#include <hrm/core/progress.hpp>

#include "adapt.hpp"

namespace hrm::examples {

/// Streams crops of training text through the base and a calibrator's adapters.
template <class Listener>
void listen(const transformer<float>& base, const corpus& text, const budget& b, team& workers, Listener& to, index_t crops,
            const std::string& label) {
    const sampler where(text, b.length, b.seed + 1000);
    std::vector<workspace> scratch(static_cast<std::size_t>(workers.size()));
    progress bar(label, crops);
    std::atomic<index_t> done{0};
    workers.run(crops, [&](index_t item, int worker) {
        auto& ws = scratch[static_cast<std::size_t>(worker)];
        ws.clear();
        std::vector<std::int32_t> tokens, targets;
        text.read(where.crop(0, item), tokens, targets);
        const auto logits = ws.take_matrix<float>(static_cast<index_t>(tokens.size()), base.config().vocabulary);
        activations<float> keep;
        base.forward(tokens, to.adapters(), logits, keep, {}, ws);
        const auto n = ++done;
        if (worker == 0) bar.update(n);
    });
    bar.update(crops);
}

/// The trained set, every remembering adapter truncated with the Gramian it shows on training text.
inline adapter_set<float> truncated(const transformer<float>& base, const corpus& text, const adapter_set<float>& trained,
                                    double epsilon, const budget& b, team& workers, index_t crops) {
    calibrator<float> seen(trained);
    listen(base, text, b, workers, seen, crops, "calibration");
    std::vector<reduction_report> reports;
    return reduce(trained, std::span<const matrix<double>>(seen.gramians()), {.tolerance = epsilon}, reports);
}

/// A start for adapters at these places that were never trained: from what the places read.
inline adapter_set<float> calibrated(const transformer<float>& base, const corpus& text, const adapter_set<float>& places,
                                     index_t states, const budget& b, team& workers, index_t crops) {
    calibrator<float> inputs(places, collect::states_and_inputs);
    listen(base, text, b, workers, inputs, crops, "calibration: inputs");
    const wide_options wide;
    const auto system = wide_adapters(inputs, wide);
    calibrator<float> seen(system);
    listen(base, text, b, workers, seen, crops, "calibration: states");
    std::vector<reduction_report> reports;
    return calibrated_start(system, seen, states, wide, reports);
}

}  // namespace hrm::examples
