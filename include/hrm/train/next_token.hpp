#pragma once

#include <algorithm>
#include <span>

#include <hrm/model/transformer.hpp>
#include <hrm/train/loss.hpp>

// Forward, loss and backward of one training sequence, whose logits never exist all at once: for a vocabulary of 32,768
// and 2048 tokens those would be 256 MiB, twice. A few rows at a time are made, scored and turned into
//     dfeatures_t = dlogits_t W,    dW += dlogits_t^T features_t
// while they are in the cache.

namespace hrm {

/// Logits held at a time: 4 MiB of float. From this many rows on the products run at full speed.
inline constexpr index_t logits_at_a_time = 1 << 20, least_logit_rows = 48;

/// Rows of logits made at once for a vocabulary of so many.
inline index_t logit_rows(index_t rows, index_t vocabulary) {
    return std::clamp(logits_at_a_time / std::max<index_t>(vocabulary, 1), std::min(rows, least_logit_rows), std::max<index_t>(rows, 1));
}

/// The loss of predicting targets from tokens, in nats, summed, and its gradients:
///     adapter_gradient += (adapters.gradient_size(), or empty: no backward)    base_gradient += (or empty: frozen)
/// targets: L, negative ones count nothing. keep and ws hold what backward needed until ws is released.
/// The same, to rounding, as transformer::forward, cross_entropy, transformer::backward with L x V logits.
template <real S, storable W>
score next_token_loss(const transformer<S, W>& model, std::span<const std::int32_t> tokens, std::span<const std::int32_t> targets,
                      const adapter_set<S>& adapters, std::span<S> adapter_gradient, std::span<S> base_gradient, activations<S>& keep,
                      forward_options<S> options, workspace& ws) {
    const auto rows = static_cast<index_t>(tokens.size()), vocabulary = model.config().vocabulary;
    require_size("hrm::next_token_loss", "number of targets", static_cast<index_t>(targets.size()), rows);
    const bool base = !base_gradient.empty(), learns = base || !adapter_gradient.empty();
    options.mode = learns ? pass::training : pass::inference;
    options.base_gradients = base;
    const auto features = model.forward_features(tokens, adapters, keep, options, ws);

    scratch_scope scope(ws);
    const index_t step = logit_rows(rows, vocabulary);
    const auto slopes = ws.template take_matrix<S>(learns ? rows : 0, features.cols), some = ws.template take_matrix<S>(step, vocabulary);
    score total;
    for (index_t t = 0; t < rows; t += step) {
        const index_t n = std::min(step, rows - t);
        const auto logits = some.slice_rows(0, n);
        const auto part = targets.subspan(static_cast<std::size_t>(t), static_cast<std::size_t>(n));
        linear_forward(features.slice_rows(t, n), model.head(), logits);
        total += {cross_entropy<S>(logits, part, learns ? logits : matrix_view<S>{}), valid_targets(part)};
        if (!learns) continue;
        linear_backward<S>(logits, model.head(), slopes.slice_rows(t, n));
        if (base) linear_weight_backward<S>(logits, features.slice_rows(t, n), model.head_gradient(base_gradient));
    }
    if (learns) model.backward_features(tokens, slopes, adapters, adapter_gradient, base_gradient, keep, options, ws);
    return total;
}

}  // namespace hrm
