#pragma once

#include <array>
#include <string>
#include <string_view>

#include <hrm/core/error.hpp>

namespace hrm {

/// Where in a transformer block an adapter reads u and adds y.
///     n1 = rms_norm(h);   a = attention(n1);   h' = h + a;    n2 = rms_norm(h');   m = mlp(n2);   out = h' + m
///     site              u     added to               site             u                     added to
///     block             h     out                    q, k, v          n1                    that projection's output
///     attention_input   n1    h'                     o                attention's heads     that projection's output
///     attention_output  a     h'                     gate, up         n2                    that projection's output
///     mlp_input         n2    out                    down             silu(gate) * up       that projection's output
///     mlp_output        m     out
enum class site { mlp_input, mlp_output, attention_input, attention_output, block, q, k, v, o, gate, up, down };

inline constexpr std::array<std::string_view, 12> site_names = {"mlp_input", "mlp_output", "attention_input",
                                                                "attention_output", "block", "q", "k", "v", "o",
                                                                "gate", "up", "down"};
inline std::string_view name(site s) { return site_names[static_cast<std::size_t>(s)]; }
inline site site_from(std::string_view text) {
    for (std::size_t i = 0; i < site_names.size(); ++i)
        if (site_names[i] == text) return static_cast<site>(i);
    throw error("hrm::site: \"" + std::string(text) + "\" is not a site");
}

}  // namespace hrm
