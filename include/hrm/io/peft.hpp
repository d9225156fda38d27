#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/io/detail/json.hpp>
#include <hrm/io/safetensors.hpp>

namespace hrm {
namespace detail {

/// Where a LoRA tensor of the PEFT library belongs, from its name
///     base_model.model.model.layers.{layer}.{self_attn|mlp}.{q|k|v|o|gate|up|down}_proj.lora_{A|B}.weight
struct peft_place {
    index_t layer = 0;
    hrm::site site = site::q;
    std::string module;  ///< the name without prefix and ending: what patterns are matched against
    char factor = 'A';
};
inline std::optional<peft_place> peft_place_of(std::string_view name) {
    for (const std::string_view prefix : {"base_model.", "model.", "model."})
        if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    peft_place p;
    if (name.ends_with(".lora_B.weight")) p.factor = 'B';
    else if (!name.ends_with(".lora_A.weight")) return {};
    name.remove_suffix(std::string_view(".lora_A.weight").size());
    p.module = "model." + std::string(name);
    if (!name.starts_with("layers.")) return {};
    name.remove_prefix(7);
    const auto digits = name.find_first_not_of("0123456789");
    if (digits == 0 || digits == name.npos || digits > 6) return {};
    p.layer = std::stol(std::string(name.substr(0, digits)));
    name.remove_prefix(digits);
    using pair = std::pair<std::string_view, hrm::site>;
    for (const auto& [module, where] : {pair{".self_attn.q_proj", site::q}, pair{".self_attn.k_proj", site::k},
                                        pair{".self_attn.v_proj", site::v}, pair{".self_attn.o_proj", site::o},
                                        pair{".mlp.gate_proj", site::gate}, pair{".mlp.up_proj", site::up},
                                        pair{".mlp.down_proj", site::down}})
        if (name == module) {
            p.site = where;
            return p;
        }
    return {};
}

}  // namespace detail

/// Reads a LoRA that the PEFT library saved for a Mistral-style model: adapter_config.json and adapter_model.safetensors.
///     auto adapters = hrm::load_peft<float>("my-lora");
///     dW = (alpha / r) B A,  or (alpha / sqrt r) B A with use_rslora;  rank and alpha by module where patterns say so
/// The rank comes from the tensors. Variants with another forward (DoRA, biases, trained modules, ...) are refused, as is
/// every tensor that finds no place: nothing is dropped silently. Throws io_error.
template <real S>
adapter_set<S> load_peft(const std::string& folder) {
    const auto config_path = folder + "/adapter_config.json";
    const auto where = "hrm::load_peft: " + folder;
    const auto config = detail::parse_object(read_text(config_path), "hrm::load_peft: " + config_path);
    const auto fail = [&](const std::string& what) { throw io_error(where + ": " + what); };
    const auto given = [&](const char* key) {  // present, and not one of the ways to say no
        return config.contains(key) && !config[key].is_null() && config[key] != false && !config[key].empty();
    };
    const auto number = [&](const detail::json& j, const std::string& key) {
        if (!j.is_number()) fail(key + " is " + j.dump() + ", expected a number");
        return j.get<double>();
    };
    if (!given("peft_type") || config["peft_type"] != "LORA") fail("peft_type is not \"LORA\"");
    for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias", "modules_to_save", "alora_invocation_tokens", "use_qalora",
                            "layer_replication", "target_parameters", "trainable_token_indices", "arrow_config", "use_bdlora",
                            "kasa_config", "monteclora_config", "velora_config"})
        if (given(key)) fail(std::string(key) + " is " + config[key].dump() + ", which is not supported");
    if (given("bias") && config["bias"] != "none") fail("bias is " + config["bias"].dump() + ", only \"none\" is supported");
    if (!given("lora_alpha")) fail("lora_alpha is missing");

    // A pattern is the end of a module's name, from a dot on.
    const auto alpha_of = [&](const std::string& module) {
        if (given("alpha_pattern"))
            for (const auto& [pattern, value] : config["alpha_pattern"].items()) {
                if (pattern.find_first_of("^$*+?()[]{}|\\") != pattern.npos)
                    fail("alpha_pattern \"" + pattern + "\": regular expressions are not supported");
                if (module == pattern || module.ends_with("." + pattern)) return number(value, "alpha_pattern of " + pattern);
            }
        return number(config["lora_alpha"], "lora_alpha");
    };

    const auto file = tensor_file::read(folder + "/adapter_model.safetensors");
    std::map<std::pair<index_t, site>, std::map<char, std::pair<std::string, std::string>>> pairs;  // place -> A, B -> name, module
    for (const auto& name : file.names()) {
        const auto place = detail::peft_place_of(name);
        if (!place) fail("tensor " + name + " has no place in the model");
        if (!pairs[{place->layer, place->site}].try_emplace(place->factor, name, place->module).second)
            fail("tensor " + name + " appears under two names");
    }
    if (pairs.empty()) fail("no LoRA tensors");

    adapter_set<S> set;
    for (const auto& [at, factors] : pairs) {
        const auto& [name, module] = factors.begin()->second;
        if (factors.size() != 2) fail("tensor " + name + " lacks its partner");
        const auto a = file.to_matrix<S>(factors.at('A').first), b = file.to_matrix<S>(factors.at('B').first);
        const auto rank = a.rows();
        if (b.cols() != rank || rank < 1)
            fail(module + ": lora_A is " + extents(rank, a.cols()) + ", lora_B is " + extents(b.rows(), b.cols()));
        lora_options o{.rank = rank, .alpha = alpha_of(module)};
        if (given("use_rslora")) o.alpha *= std::sqrt(static_cast<double>(rank));
        if (given("lora_dropout")) o.dropout = number(config["lora_dropout"], "lora_dropout");
        random_stream masks(0, static_cast<std::uint64_t>(at.first) * site_names.size() + static_cast<std::uint64_t>(at.second));
        auto it = std::make_unique<lora<S>>(a.cols(), b.rows(), o, masks);
        file.copy_to(factors.at('A').first, it->parameters().flat().first(static_cast<std::size_t>(a.size())));
        const auto to_b = it->parameters()[it->parameters().find("lora_B")];
        file.copy_to(factors.at('B').first, std::span<S>(to_b.data, static_cast<std::size_t>(to_b.size())));
        set.attach(at.first, at.second, std::move(it));
    }
    return set;
}

}  // namespace hrm
