#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/model/transformer.hpp>

namespace hrm::examples {

/// Bytes as a page or JSON can show them: what is neither printable ASCII nor a line break becomes '?'.
inline std::string printable(std::string text) {
    for (char& c : text)
        if ((c < ' ' || c > '~') && c != '\n' && c != '\t') c = '?';
    return text;
}

/// Continues a prompt byte by byte, streaming: the prompt fills the key-value cache and the adapters' states, then each
/// new byte costs one step, whatever the length so far. The same seed gives the same text.
inline std::string generate(const transformer<float>& base, const adapter_set<float>& adapters, std::string_view prompt,
                            index_t count, double temperature, std::uint64_t seed) {
    workspace ws;
    cache<float> past;
    std::vector<std::int32_t> tokens;
    for (char c : prompt) tokens.push_back(static_cast<unsigned char>(c));
    const index_t vocabulary = base.config().vocabulary;
    matrix<float> logits(static_cast<index_t>(tokens.size()), vocabulary);
    base.extend(tokens, adapters, past, logits, ws);
    const float* last = logits.view().row(logits.rows() - 1);
    matrix<float> next(1, vocabulary);
    random_stream random(seed, 0x73616d706c65);
    std::string text;
    std::vector<double> weight(static_cast<std::size_t>(vocabulary));
    for (index_t i = 0; i < count; ++i) {
        const float top = *std::max_element(last, last + vocabulary);
        double sum = 0;
        for (index_t j = 0; j < vocabulary; ++j)
            sum += weight[static_cast<std::size_t>(j)] = std::exp(static_cast<double>(last[j] - top) / temperature);
        double aim = random.uniform() * sum;
        std::int32_t chosen = 0;
        while (chosen + 1 < vocabulary && (aim -= weight[static_cast<std::size_t>(chosen)]) > 0) ++chosen;
        text += static_cast<char>(chosen);
        base.extend(std::span<const std::int32_t>(&chosen, 1), adapters, past, next, ws);
        last = next.data();
    }
    return text;
}

}  // namespace hrm::examples
