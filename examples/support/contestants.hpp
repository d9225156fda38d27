#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/model/config.hpp>

// Who competes. Everybody gets 10,752 trainable parameters a layer of the demonstration's base (width 128, hidden 384,
// two key-value heads), within 1 percent, and the learning rate at which it did best on validation data (see sweep.cpp).

namespace hrm::examples {

/// One adapter at each of these sites, in every layer.
struct part {
    std::vector<site> sites;
    std::variant<lora_options, hrm_options> kind;
};

struct contestant {
    std::string name, label;
    std::vector<part> parts;
    double rate = 0;
    int colour = 0;
};

inline const std::vector<site> mlp_linears = {site::gate, site::up, site::down};

inline adapter_set<float> build(const contestant& who, const transformer_config& c, std::uint64_t seed) {
    adapter_set<float> set;
    random_stream random(seed, 0x61646170746572);
    for (index_t layer = 0; layer < c.layers; ++layer)
        for (const auto& p : who.parts)
            for (site where : p.sites) {
                const auto w = site_width(c, where);
                std::unique_ptr<adapter<float>> a;
                if (const auto* l = std::get_if<lora_options>(&p.kind)) a = std::make_unique<lora<float>>(w.inputs, w.outputs, *l, random);
                else a = std::make_unique<hrm_adapter<float>>(w.inputs, w.outputs, std::get<hrm_options>(p.kind), random);
                set.attach(layer, where, std::move(a));
            }
    return set;
}

/// The control: the same adapters, made to forget everything each `window` bytes of a document.
inline contestant forgetful(contestant who, index_t window) {
    who.name += "_reset";
    who.label += ", reset every " + std::to_string(window) + " bytes";
    for (auto& p : who.parts)
        if (auto* o = std::get_if<hrm_options>(&p.kind)) o->reset_every = window;
    return who;
}
/// The same for adapters already trained: their parameters, in an adapter that forgets.
inline adapter_set<float> forgetful(const adapter_set<float>& trained, index_t window) {
    adapter_set<float> set;
    for (const auto& a : trained) {
        auto copy = a.adapter->clone();
        if (const auto* h = dynamic_cast<const hrm_adapter<float>*>(a.adapter.get())) {
            auto options = h->settings();
            options.reset_every = window;
            random_stream unused(0);
            copy = std::make_unique<hrm_adapter<float>>(h->inputs(), h->outputs(), options, unused);
            std::copy(h->parameters().flat().begin(), h->parameters().flat().end(), copy->parameters().flat().begin());
        }
        set.attach(a.layer, a.site, std::move(copy));
    }
    return set;
}

inline contestant lora_attention() {
    return {"lora_qv", "LoRA on q, v", {{{site::q, site::v}, lora_options{.rank = 24, .alpha = 48}}}, 0.01, 4};
}
inline contestant lora_mlp() {
    return {"lora_mlp", "LoRA on gate, up, down", {{mlp_linears, lora_options{.rank = 7, .alpha = 14}}}, 0.016, 1};
}
inline contestant hrm_published() {
    return {"hrm_published", "HRM as published", {{{site::mlp_input}, hrm_options::published(42)}}, 0.066, 3};
}

/// Members of the family of LoRA with memory: n states, of which some are static (plain LoRA), at some sites.
inline hrm_options family(index_t states, index_t static_states) {
    auto o = hrm_options::shipped(states);
    o.static_states = static_states;
    o.scale = 2;  // LoRA's alpha / r above
    return o;
}
inline hrm_options averages(index_t states, index_t static_states) {
    auto o = family(states, static_states);
    o.poles = poles::real_positive;
    o.normalization = normalization::unit_gain;
    o.longest_memory = 1024;
    return o;
}
inline hrm_options rotations(index_t states, index_t static_states) {
    auto o = family(states, static_states);
    o.poles = poles::complex_pairs;
    return o;
}
inline std::vector<contestant> candidates() {
    const auto at = [](std::string name, std::string label, std::vector<part> parts) {
        return contestant{std::move(name), std::move(label), std::move(parts), 0.016, 0};
    };
    const std::vector<site> into = {site::gate, site::up}, out = {site::down};
    return {
        at("into_5_2", "gate, up: 5 static + 2 dynamic; down: 7 static", {{into, family(7, 5)}, {out, family(7, 7)}}),
        at("into_3_4", "gate, up: 3 static + 4 dynamic; down: 7 static", {{into, family(7, 3)}, {out, family(7, 7)}}),
        at("into_5_2c", "the first with a complex pair", {{into, rotations(7, 5)}, {out, family(7, 7)}}),
        at("into_5_2a", "the first with moving averages, up to 1024 bytes", {{into, averages(7, 5)}, {out, family(7, 7)}}),
        at("linears_5_2", "gate, up, down: 5 static + 2 dynamic", {{mlp_linears, family(7, 5)}}),
        at("linears_0_7", "gate, up, down: 7 dynamic", {{mlp_linears, family(7, 0)}}),
        at("mlp_input_21_21", "MLP input: 21 static + 21 dynamic", {{{site::mlp_input}, family(42, 21)}}),
    };
}

/// HRM as we ship it: the member of the family that did best on validation data.
inline contestant hrm_shipped() {
    auto who = candidates()[0];
    who.name = "hrm";
    who.label = "HRM as shipped";
    return who;
}

inline std::vector<contestant> contestants() { return {lora_attention(), lora_mlp(), hrm_published(), hrm_shipped()}; }

}  // namespace hrm::examples
