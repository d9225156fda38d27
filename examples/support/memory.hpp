#pragma once

#include <algorithm>
#include <vector>

#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/recurrent.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/reduction/hankel.hpp>

#include "record.hpp"

// What the report says about the memory of trained adapters.

namespace hrm::examples {

/// The recurrent kinds of a set, with their places: f(attachment, recurrent adapter).
template <class F>
void for_recurrent(const adapter_set<float>& set, F&& f) {
    for (const auto& a : set)
        if (const auto* r = dynamic_cast<const recurrent_adapter<float>*>(a.adapter.get())) f(a, *r);
}

inline bool remembers(const adapter_set<float>& set) {
    bool any = false;
    for_recurrent(set, [&](const auto&, const auto& r) { any |= r.state_size() > 0; });
    return any;
}

/// States of all recurrent adapters of each layer, static ones included; empty when there are none.
inline std::vector<index_t> states_per_layer(const adapter_set<float>& set, index_t layers) {
    std::vector<index_t> n(static_cast<std::size_t>(layers), 0);
    for_recurrent(set, [&](const auto& a, const auto& r) { n[static_cast<std::size_t>(a.layer)] += r.states(); });
    return std::any_of(n.begin(), n.end(), [](index_t s) { return s > 0; }) ? n : std::vector<index_t>{};
}

/// Gates, memory lengths and exact Hankel singular values of every remembering adapter, beside the untrained one's. An
/// adapter that starts at C = 0 has no singular values before training; its control then is the same adapter with a
/// random C.
inline std::vector<layer_record> layers_of(const adapter_set<float>& trained, const adapter_set<float>& untrained) {
    std::vector<layer_record> out;
    std::size_t i = 0;
    random_stream random(1, 0x636f6e74726f6c);
    for (const auto& a : trained) {
        const auto& before = untrained[i++];
        const auto* h = dynamic_cast<const hrm_adapter<float>*>(a.adapter.get());
        if (!h || h->state_size() == 0) continue;
        layer_record l{.layer = a.layer, .site = std::string(name(a.site)), .gate = h->gate_value()};
        for (double m : h->memory_lengths())
            if (m > 0) l.memory.push_back(m);
        // Relative values do not see the gate; a shut one would hide them.
        const auto sigma = [&](const hrm_adapter<float>& one) {
            auto s = one.system();
            const bool silent = std::all_of(s.c.flat().begin(), s.c.flat().end(), [](double c) { return c == 0; });
            if (silent) random.fill_normal(s.c.flat());
            return hankel_singular_values(s);
        };
        l.sigma = sigma(*h);
        l.untrained = sigma(dynamic_cast<const hrm_adapter<float>&>(*before.adapter));
        out.push_back(std::move(l));
    }
    return out;
}

}  // namespace hrm::examples
