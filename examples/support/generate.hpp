#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/adapter/text.hpp>
#include <hrm/core/random.hpp>
#include <hrm/model/transformer.hpp>

namespace hrm::examples {

/// Bytes as a page or JSON can show them: what is neither printable ASCII nor a line break becomes '?'.
inline std::string printable(std::string text) {
    for (char& c : text)
        if ((c < ' ' || c > '~') && c != '\n' && c != '\t') c = '?';
    return text;
}

/// The token that a uniform number in [0, 1) picks: j with a probability proportional to e^(logit_j / temperature), at
/// temperature 0 the likeliest, the first of equals.
inline std::int32_t pick(std::span<const float> logits, double temperature, double uniform) {
    const auto top = std::max_element(logits.begin(), logits.end());
    if (temperature == 0) return static_cast<std::int32_t>(top - logits.begin());
    std::vector<double> weight;
    double sum = 0;
    for (const float x : logits) sum += weight.emplace_back(std::exp(static_cast<double>(x - *top) / temperature));
    double aim = uniform * sum;
    std::size_t chosen = 0;
    while (chosen + 1 < weight.size() && (aim -= weight[chosen]) > 0) ++chosen;
    return static_cast<std::int32_t>(chosen);
}

/// Continues a prompt byte by byte, streaming: the prompt fills the key-value cache and the adapters' states, then each
/// new byte costs one step, whatever the length so far. The same seed gives the same text.
/// Throws error for an empty prompt, which leaves nothing to continue, and for a temperature below 0.
inline std::string generate(const transformer<float>& base, const adapter_set<float>& adapters, std::string_view prompt,
                            index_t count, double temperature, std::uint64_t seed) {
    if (prompt.empty()) throw error("hrm::generate: the prompt has 0 bytes, expected at least 1");
    if (!(temperature >= 0)) throw error("hrm::generate: temperature is " + number_text(temperature) + ", expected 0 or more");
    workspace ws;
    cache<float> past;
    std::vector<std::int32_t> tokens;
    for (char c : prompt) tokens.push_back(static_cast<unsigned char>(c));
    const index_t vocabulary = base.config().vocabulary;
    matrix<float> logits(static_cast<index_t>(tokens.size()), vocabulary);
    base.extend(tokens, adapters, past, logits, ws);
    auto last = logits.view().row_span(logits.rows() - 1);
    matrix<float> next(1, vocabulary);
    random_stream random(seed, 0x73616d706c65);
    std::string text;
    for (index_t i = 0; i < count; ++i) {
        const std::int32_t chosen = pick(last, temperature, random.uniform());
        text += static_cast<char>(chosen);
        base.extend(std::span<const std::int32_t>(&chosen, 1), adapters, past, next, ws);
        last = next.view().row_span(0);
    }
    return text;
}

}  // namespace hrm::examples
