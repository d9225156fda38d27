#pragma once

#include <algorithm>
#include <vector>

#include <hrm/core/parallel.hpp>
#include <hrm/model/transformer.hpp>
#include <hrm/train/data.hpp>

namespace hrm::examples {

/// Bits per byte of held-out text, as a whole and against the position in the document.
struct measured {
    double bits = 0;
    std::vector<double> position, bits_at;  ///< the middle of each bin of bytes, and the bits per byte in it
    double seconds_per_1000_tokens = 0;     ///< of the forward pass
};

/// The first `longest` bytes of every document, each read from its start with an empty state and no cut.
inline measured measure(const transformer<float>& base, const adapter_set<float>& adapters, const corpus& text,
                        team& workers, index_t longest = 4096, index_t bin = 256) {
    const index_t bins = (longest + bin - 1) / bin;
    std::vector<std::vector<score>> per_document(static_cast<std::size_t>(text.size()));
    std::vector<workspace> scratch(static_cast<std::size_t>(workers.size()));
    const auto start = std::chrono::steady_clock::now();
    workers.run(text.size(), [&](index_t d, int worker) {
        auto& ws = scratch[static_cast<std::size_t>(worker)];
        ws.clear();
        std::vector<std::int32_t> tokens, targets;
        const auto bytes = static_cast<index_t>(text[d].bytes.size());
        text.read({d, 0, std::min(longest, bytes - 1)}, tokens, targets);
        const auto rows = static_cast<index_t>(tokens.size());
        const auto logits = ws.take_matrix<float>(rows, base.config().vocabulary);
        activations<float> keep;
        base.forward(tokens, adapters, logits, keep, {}, ws);
        auto& scores = per_document[static_cast<std::size_t>(d)];
        scores.resize(static_cast<std::size_t>(bins));
        for (index_t b = 0, at = 0; at < rows; ++b, at += bin) {
            const index_t n = std::min(bin, rows - at);
            const auto part = std::span<const std::int32_t>(targets).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(n));
            scores[static_cast<std::size_t>(b)] = {cross_entropy<float>(logits.slice_rows(at, n), part), n};
        }
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    score all;
    measured m;
    for (index_t b = 0; b < bins; ++b) {
        score here;
        for (const auto& scores : per_document) here += scores[static_cast<std::size_t>(b)];
        if (here.tokens == 0) break;
        m.position.push_back((static_cast<double>(b) + 0.5) * static_cast<double>(bin));
        m.bits_at.push_back(here.bits());
        all += here;
    }
    m.bits = all.bits();
    m.seconds_per_1000_tokens = seconds * 1000 / static_cast<double>(all.tokens);
    return m;
}

}  // namespace hrm::examples
