#pragma once

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <hrm/adapter/reduce.hpp>
#include <hrm/io/adapter_file.hpp>

#include "waiting.hpp"

namespace hrm::examples {

/// Every recurrent adapter of a file reduced with its exact Gramians; a table on the terminal, a row an adapter. Returns the
/// reduced set, and the table as JSON.
inline adapter_set<float> reduce_adapters(const std::string& path, const balance_options& rules, nlohmann::json& rows, waiting& at,
                                          const shared_rules& shared = {}) {
    at.now("reading " + path);
    const auto set = load_adapters<float>(path);
    at.now("reducing " + std::to_string(set.size()) + " adapters");
    std::vector<reduction_report> reports;
    const std::span<const matrix<double>> exact;
    auto out = shared.states >= 0 || shared.hinf_budget > 0 ? reduce(set, exact, shared, rules, reports) : reduce(set, exact, rules, reports);
    at.now("");
    std::printf("%5s  %-14s %-12s %6s %5s  %10s %10s %10s  %s\n", "layer", "site", "kind", "states", "kept", "sigma_1", "bound", "measured", "form");
    rows = nlohmann::json::array();
    std::size_t states = 0;
    index_t kept = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
        const auto& r = reports[i];
        const auto site = std::string(name(set[i].site)), kind = std::string(set[i].adapter->kind());
        if (!dynamic_cast<const recurrent_adapter<float>*>(set[i].adapter.get())) {
            std::printf("%5td  %-14s %-12s  no states: copied\n", set[i].layer, site.c_str(), kind.c_str());
            continue;
        }
        states += r.sigma.size();
        kept += r.order;
        const double error = r.measured_error.value_or(0);
        std::printf("%5td  %-14s %-12s %6zu %5td  %10.3e %10.3e %10.3e  %s%s\n", set[i].layer, site.c_str(), kind.c_str(), r.sigma.size(), r.order,
                    r.sigma.empty() ? 0 : r.sigma[0], r.bound, error, r.diagonal ? "modal" : "dense", r.certified ? "" : ", bound not certified");
        rows.push_back({{"layer", set[i].layer}, {"site", site}, {"kind", kind}, {"sigma", r.sigma}, {"order", r.order}, {"bound", r.bound},
                        {"hinf_error", error}, {"gain", r.gain}, {"certified", r.certified}, {"diagonal", r.diagonal}});
    }
    std::printf("%zu states, %td kept; %td parameters, %td after; bound and error are those of the adapter's output, gate and scale included\n", states, kept,
                set.count(), out.count());
    return out;
}

}  // namespace hrm::examples
