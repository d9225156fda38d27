#pragma once

#include <hrm/model/initialize.hpp>

#include "support/decaying_adapter.hpp"
#include "support/gradient.hpp"

namespace hrm::testing {

/// Window shorter than any test sequence, grouped queries, widths that are no multiple of a register.
inline transformer_config small_config(index_t window = 5, bool tied = false) {
    return {.vocabulary = 11, .width = 12, .layers = 2, .heads = 4, .kv_heads = 2, .head_width = 4, .hidden = 10,
            .window = window, .rms_eps = 1e-5, .rope_theta = 100, .tied = tied};
}

template <real S, storable W = S>
transformer<S, W> small_model(const transformer_config& c, std::uint64_t seed = 1) {
    transformer<S, W> model(c);
    random_stream random(seed);
    initialize(model, random);
    for (std::size_t h = 0; const auto& e : model.parameters().entries()) {  // norms apart from 1, so that they count
        const auto m = model.parameters()[static_cast<index_t>(h++)];
        if (e.rows == 1)
            for (index_t j = 0; j < m.cols; ++j) m(0, j) = static_cast<W>(static_cast<S>(1 + 0.2 * random.normal()));
    }
    return model;
}

/// A decaying adapter at every site of every layer, or of one.
template <real S>
adapter_set<S> adapters_everywhere(const transformer_config& c, std::uint64_t seed = 2) {
    adapter_set<S> set;
    random_stream random(seed);
    for (index_t l = 0; l < c.layers; ++l)
        for (const auto text : site_names) {
            const auto [in, out] = site_width(c, site_from(text));
            set.attach(l, site_from(text), std::make_unique<decaying_adapter<S>>(in, out, 2, random));
        }
    return set;
}

template <real S, storable W>
matrix<S> logits_of(const transformer<S, W>& model, std::span<const std::int32_t> tokens, const adapter_set<S>& set,
                    forward_options<S> options = {}) {
    matrix<S> logits(static_cast<index_t>(tokens.size()), model.config().vocabulary);
    activations<S> keep;
    workspace ws;
    model.forward(tokens, set, logits, keep, options, ws);
    return logits;
}

/// The cache's way to the same logits: pieces of the given lengths, round and round.
template <real S, storable W>
matrix<S> streamed_logits(const transformer<S, W>& model, std::span<const std::int32_t> tokens, const adapter_set<S>& set,
                          cache<S>& past, std::initializer_list<index_t> pieces) {
    const auto rows = static_cast<index_t>(tokens.size());
    matrix<S> logits(rows, model.config().vocabulary);
    workspace ws;
    auto piece = pieces.begin();
    for (index_t done = 0; done < rows; ++piece) {
        if (piece == pieces.end()) piece = pieces.begin();
        const index_t n = std::min(*piece, rows - done);
        model.extend(tokens.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n)), set, past,
                     logits.view().slice_rows(done, n), ws);
        done += n;
    }
    return logits;
}

}  // namespace hrm::testing
