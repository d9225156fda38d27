#pragma once

#include <memory>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/truncated.hpp>

namespace hrm {

/// The adapter an adapter file describes, its tensors still to be read: make_adapter<float>("lora", 64, 64, options).
/// Options not listed keep their defaults. Throws error for an unknown kind, and for an option that the kind does not have.
template <real S>
std::unique_ptr<adapter<S>> make_adapter(std::string_view kind, index_t inputs, index_t outputs, const option_list& options) {
    random_stream r(0);
    std::unique_ptr<adapter<S>> made;
    if (kind == "lora") made = std::make_unique<lora<S>>(inputs, outputs, lora<S>::options_from(options), r);
    if (kind == "hrm") made = std::make_unique<hrm_adapter<S>>(inputs, outputs, hrm_options::from(options), r);
    if (kind == "hrm-reduced") made = std::make_unique<reduced_adapter<S>>(inputs, outputs, reduced_options::from(options));
    if (!made) throw error("hrm::make_adapter: kind is \"" + std::string(kind) + "\", expected lora, hrm or hrm-reduced");
    for (const auto own = made->options(); const auto& [name, text] : options)
        if (!find_option(own, name))
            throw error("hrm::make_adapter: " + std::string(kind) + " has no option \"" + name + "\"");
    return made;
}

}  // namespace hrm
