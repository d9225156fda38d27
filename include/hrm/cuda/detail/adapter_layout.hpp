#pragma once

#include <string>
#include <string_view>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/truncated.hpp>

namespace hrm::detail {

/// What a device has to know of an adapter: a plain value that travels inside launches. Offsets count numbers from the
/// start of the flat buffer of parameters; -1: no such tensor. The states are [static | real poles | Re | Im].
/// LoRA is the case without poles: B its A, C its B, factor alpha / r.
struct adapter_layout {
    index_t inputs = 0, outputs = 0, fixed = 0, reals = 0, pairs = 0, size = 0;
    index_t b = -1, c = -1, s0 = -1;
    index_t real_at[2] = {-1, -1}, pair_at[2] = {-1, -1};  ///< logA and logdt | theta;  nu and phase
    index_t gate = -1;
    bool per_channel = false;
    double factor = 1;  ///< what multiplies beside a learned gate
    hrm_options options = {};

    HRM_BOTH index_t poles() const { return reals + pairs; }
    HRM_BOTH index_t dynamic() const { return reals + 2 * pairs; }
    HRM_BOTH index_t states() const { return fixed + dynamic(); }
    /// Whole tiles of a tensor core: 16, 32, 64, 80, 96 ...
    HRM_BOTH index_t padded() const { return states() > 32 && states() <= 64 ? 64 : (states() + 15) / 16 * 16; }

    /// Pole i, pairs after reals, from the parameters.
    template <real S>
    HRM_BOTH pole pole_at(const S* p, index_t i) const {
        const bool in_pair = i >= reals;
        const index_t(&at)[2] = in_pair ? pair_at : real_at;
        const index_t row = in_pair ? i - reals : i;
        const auto number = [&](int j) { return at[j] < 0 ? 0.0 : static_cast<double>(p[at[j] + row]); };
        if (in_pair) return complex_pole(number(0), number(1), options);
        if (options.poles == poles::real_positive) return real_positive_pole(number(0), number(1), options);
        return real_signed_pole(number(0), options);
    }
    /// What multiplies output i.
    template <real S>
    HRM_BOTH double gain(const S* p, index_t i) const {
        return factor * (gate < 0 ? 1.0 : static_cast<double>(p[gate + (per_channel ? i : 0)]));
    }
};

template <real S>
index_t offset_of(const parameter_set<S>& p, std::string_view name) {
    for (const auto& e : p.entries())
        if (e.name == name) return e.size() > 0 ? e.offset : -1;
    return -1;
}

/// Throws error naming what hrm::cuda does not run: token gates, a feedthrough, resets inside a call, a dense A, dropout.
template <real S>
adapter_layout layout_of(const adapter<S>& a) {
    const auto refuse = [&](const std::string& what, const std::string& is, const std::string& expected) {
        throw error("hrm::adapter_weights: " + what + " is " + is + ", expected " + expected + ": hrm::cuda runs nothing else");
    };
    const auto& p = a.parameters();
    adapter_layout l;
    l.inputs = a.inputs(), l.outputs = a.outputs(), l.size = p.size();
    if (a.kind() == "lora") {
        const auto o = lora<S>::options_from(a.options());
        if (o.dropout > 0) refuse("dropout", number_text(o.dropout), "0");
        l.fixed = o.rank, l.factor = o.alpha / static_cast<double>(o.rank);
        l.b = offset_of(p, "lora_A"), l.c = offset_of(p, "lora_B");
        return l;
    }
    const auto take = [&](const auto& o) {
        if (o.gate == gate::token) refuse("the gate", "token", "scalar, per_channel, frozen or none");
        if (o.feedthrough != feedthrough::none) refuse("feedthrough", "diagonal", "none");
        if (o.reset_every > 0) refuse("reset_every", std::to_string(o.reset_every), "0");
        l.factor = o.scale * (o.gate == gate::frozen ? o.gate_start : 1.0);
        l.per_channel = o.gate == gate::per_channel;
        l.gate = offset_of(p, "gate");
    };
    if (a.kind() == "hrm") {
        l.options = hrm_options::from(a.options());
        take(l.options);
        const bool in_pairs = l.options.poles == poles::complex_pairs;
        const index_t n = l.options.dynamic_states();
        l.fixed = l.options.static_states, l.reals = in_pairs ? 0 : n, l.pairs = in_pairs ? n / 2 : 0;
    } else if (a.kind() == "hrm-reduced") {
        const auto o = reduced_options::from(a.options());
        if (o.full > 0) refuse("the order of a dense A", std::to_string(o.full), "0");
        take(o);
        l.options.poles = poles::real_signed;
        l.reals = o.reals, l.pairs = o.pairs;
    } else {
        refuse("the kind", std::string(a.kind()), "lora, hrm or hrm-reduced");
    }
    const bool positive = l.options.poles == poles::real_positive;
    l.real_at[0] = offset_of(p, positive ? "logA" : "theta"), l.real_at[1] = positive ? offset_of(p, "logdt") : -1;
    l.pair_at[0] = offset_of(p, "nu"), l.pair_at[1] = offset_of(p, "phase");
    l.b = offset_of(p, "B"), l.c = offset_of(p, "C"), l.s0 = offset_of(p, "s0");
    return l;
}

}  // namespace hrm::detail
