#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hrm/adapter/set.hpp>
#include <hrm/core/parameter.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/model/block.hpp>
#include <hrm/model/cache.hpp>
#include <hrm/model/config.hpp>
#include <hrm/model/embedding.hpp>

namespace hrm {

/// Everything about one forward (and its backward) that is not a tensor.
template <real S>
struct forward_options {
    pass mode = pass::inference;
    /// Backward will be asked for the base's gradient: keep what the weights' gradients need.
    bool base_gradients = false;
    /// Ascending rows at which new documents start: neither attention nor an adapter's state crosses them.
    std::span<const index_t> starts = {};
    /// The adapters' states, in and out; null: zero in, nothing out. An empty vector is zero.
    adapter_states<S>* states = nullptr;
    /// Names the dropout masks.
    std::uint64_t draw = 0;
};

/// What a training forward leaves for its backward: views into the caller's workspace, valid until that is released.
template <real S>
struct activations {
    std::vector<block_memory<S>> blocks;
    std::vector<kept<S>> adapters;
    rope_table<S> rope;
    std::span<const index_t> first;
    matrix_view<S> h, normed, r;  ///< the last block's output, the features (final norm of h), the norm's reciprocal roots
};

/// A Mistral-style decoder: RMSNorm, rotary positions, grouped-query attention with a sliding window, SwiGLU.
///     transformer<float> model(config);   random_stream seed(1);   initialize(model, seed);
///     model.forward(tokens, adapters, logits, keep, {.mode = pass::training}, ws);
///     model.backward(tokens, dlogits, adapters, adapter_gradient, {}, keep, {.mode = pass::training}, ws);
/// One sequence a call, one thread; calls are const and may run side by side with a workspace each. Weights are stored
/// as W (bf16: half the memory, widened as they are read) under Hugging Face's names, [out, in].
/// Jiang et al., "Mistral 7B", 2023.
template <real S, storable W = S>
class transformer {
public:
    explicit transformer(const transformer_config& config) : config_(config) {
        check(config);
        const auto& c = config_;
        const auto matrix = [&](const std::string& name, index_t out, index_t in) {
            return weights_.add(name + ".weight", out, in, decay::yes);
        };
        const auto norm = [&](const std::string& name) { return weights_.add(name + ".weight", 1, c.width, decay::no); };
        embedding_ = matrix("model.embed_tokens", c.vocabulary, c.width);
        for (index_t l = 0; l < c.layers; ++l) {
            const auto at = "model.layers." + std::to_string(l) + ".";
            block_handles b;
            b.input_norm = norm(at + "input_layernorm");
            b.q = matrix(at + "self_attn.q_proj", c.query_width(), c.width);
            b.k = matrix(at + "self_attn.k_proj", c.key_width(), c.width);
            b.v = matrix(at + "self_attn.v_proj", c.key_width(), c.width);
            b.o = matrix(at + "self_attn.o_proj", c.width, c.query_width());
            b.post_norm = norm(at + "post_attention_layernorm");
            b.gate = matrix(at + "mlp.gate_proj", c.hidden, c.width);
            b.up = matrix(at + "mlp.up_proj", c.hidden, c.width);
            b.down = matrix(at + "mlp.down_proj", c.width, c.hidden);
            blocks_.push_back(b);
        }
        norm_ = norm("model.norm");
        head_ = c.tied ? embedding_ : matrix("lm_head", c.vocabulary, c.width);
    }

    const transformer_config& config() const { return config_; }
    parameter_set<W>& parameters() { return weights_; }
    const parameter_set<W>& parameters() const { return weights_; }

    /// logits: L x vocabulary. In training mode keep and ws hold what backward needs until ws is released.
    /// Throws shape_error on extents that do not fit, error on a token outside the vocabulary.
    void forward(std::span<const std::int32_t> tokens, const adapter_set<S>& adapters, matrix_view<S> logits,
                 activations<S>& keep, const forward_options<S>& options, workspace& ws) const {
        constexpr auto where = "hrm::transformer::forward";
        check_logits(where, tokens, logits);
        const auto mark = ws.mark();
        linear_forward(features(where, tokens, adapters, keep, options, ws), head(), logits);
        if (options.mode == pass::inference) ws.release(mark);
    }
    /// All but the head: the final norm's output, L x width, in ws. logits = features head()^T.
    matrix_view<const S> forward_features(std::span<const std::int32_t> tokens, const adapter_set<S>& adapters, activations<S>& keep,
                                          const forward_options<S>& options, workspace& ws) const {
        return features("hrm::transformer::forward_features", tokens, adapters, keep, options, ws);
    }
    /// vocabulary x width.
    matrix_view<const W> head() const { return weights_[head_]; }

    /// After a training forward with the same tokens, adapters and options:
    ///     adapter_gradient += dL/d(adapter parameters)   (adapters.gradient_size() elements)
    ///     base_gradient    += dL/d(base parameters)      (parameters().size() elements, or empty: frozen)
    /// With a frozen base it stops at the lowest adapter. dlogits: L x vocabulary.
    void backward(std::span<const std::int32_t> tokens, matrix_view<const S> dlogits, const adapter_set<S>& adapters,
                  std::span<S> adapter_gradient, std::span<S> base_gradient, activations<S>& keep,
                  const forward_options<S>& options, workspace& ws) const {
        constexpr auto where = "hrm::transformer::backward";
        check_logits(where, tokens, dlogits);
        check_backward(where, tokens, adapters, adapter_gradient, base_gradient, keep);
        if (base_gradient.empty() && adapters.empty()) return;
        scratch_scope scope(ws);
        const auto dn = ws.take_matrix<S>(dlogits.rows, config_.width);
        if (!base_gradient.empty()) linear_weight_backward(dlogits, keep.normed, head_gradient(base_gradient));
        linear_backward<S>(dlogits, head(), dn);
        features_backward(tokens, dn, adapters, adapter_gradient, base_gradient, keep, options, ws);
    }
    /// The same from dfeatures, L x width; the head's own share of base_gradient is the caller's: head_gradient() += dlogits^T features.
    void backward_features(std::span<const std::int32_t> tokens, matrix_view<const S> dfeatures, const adapter_set<S>& adapters,
                           std::span<S> adapter_gradient, std::span<S> base_gradient, activations<S>& keep,
                           const forward_options<S>& options, workspace& ws) const {
        constexpr auto where = "hrm::transformer::backward_features";
        require_shape(where, "dfeatures", dfeatures.rows, dfeatures.cols, static_cast<index_t>(tokens.size()), config_.width);
        check_backward(where, tokens, adapters, adapter_gradient, base_gradient, keep);
        if (base_gradient.empty() && adapters.empty()) return;
        scratch_scope scope(ws);
        features_backward(tokens, dfeatures, adapters, adapter_gradient, base_gradient, keep, options, ws);
    }
    /// The head's place in a gradient of the base; with tied weights also the embedding's.
    matrix_view<S> head_gradient(std::span<S> base_gradient) const { return weights_.in(base_gradient, head_); }

    /// Appends tokens to the sequence the cache holds: one, to generate, or many, to read a prompt.
    /// logits: a row a token, the same (to rounding) as forward over the whole sequence gives.
    void extend(std::span<const std::int32_t> tokens, const adapter_set<S>& adapters, cache<S>& past,
                matrix_view<S> logits, workspace& ws) const {
        const forward_options<S> options{.states = &past.states};
        constexpr auto where = "hrm::transformer::extend";
        check_call(where, tokens, adapters, options, past.position);
        check_logits(where, tokens, logits);
        scratch_scope scope(ws);
        linear_forward(run(tokens, adapters, options, nullptr, &past, ws), head(), logits);
        past.slide(config_);
    }

private:
    using handle = typename parameter_set<W>::handle;

    /// of(handle) for every tensor of a layer.
    template <class T, class F>
    block_tensors<T> tensors(index_t layer, F&& of) const {
        const auto& b = blocks_[static_cast<std::size_t>(layer)];
        return {of(b.input_norm), of(b.q), of(b.k), of(b.v), of(b.o), of(b.post_norm), of(b.gate), of(b.up), of(b.down)};
    }
    block_tensors<const W> weights(index_t layer) const {
        return tensors<const W>(layer, [&](handle h) { return weights_[h]; });
    }

    static void require_some(std::string_view where, std::span<const std::int32_t> tokens) {
        if (tokens.empty()) throw shape_error(std::string(where) + ": no tokens");
    }
    void check_logits(std::string_view where, std::span<const std::int32_t> tokens, matrix_view<const S> logits) const {
        require_some(where, tokens);
        require_shape(where, "logits", logits.rows, logits.cols, static_cast<index_t>(tokens.size()), config_.vocabulary);
    }
    void check_call(std::string_view where, std::span<const std::int32_t> tokens, const adapter_set<S>& adapters,
                    const forward_options<S>& options, index_t position) const {
        require_some(where, tokens);
        const auto rows = static_cast<index_t>(tokens.size());
        require_tokens(where, tokens, config_.vocabulary, position);
        index_t least = 0;
        for (const index_t start : options.starts) {
            if (start < least || start >= rows)
                throw shape_error(std::string(where) + ": a document starts at row " + std::to_string(start) +
                                  ", expected ascending rows below " + std::to_string(rows));
            least = start + 1;
        }
        check(adapters, config_);
        if (options.states) {
            if (options.states->empty()) options.states->resize(adapters.size());
            require_size(where, "adapter states", static_cast<index_t>(options.states->size()),
                         static_cast<index_t>(adapters.size()));
        }
    }

    void check_backward(std::string_view where, std::span<const std::int32_t> tokens, const adapter_set<S>& adapters,
                        std::span<S> adapter_gradient, std::span<S> base_gradient, const activations<S>& keep) const {
        require_size(where, "adapter_gradient", static_cast<index_t>(adapter_gradient.size()), adapters.gradient_size());
        require_size(where, "the kept sequence", keep.h.rows, static_cast<index_t>(tokens.size()));
        require_size(where, "the number of kept adapters", static_cast<index_t>(keep.adapters.size()), static_cast<index_t>(adapters.size()));
        if (base_gradient.empty()) return;
        require_size(where, "base_gradient", static_cast<index_t>(base_gradient.size()), weights_.size());
        if (!std::same_as<S, W>) throw error(std::string(where) + ": bf16 weights have no gradient");
        if (keep.normed.empty()) throw error(std::string(where) + ": forward ran without base_gradients");
    }

    matrix_view<const S> features(std::string_view where, std::span<const std::int32_t> tokens, const adapter_set<S>& adapters,
                                  activations<S>& keep, const forward_options<S>& options, workspace& ws) const {
        check_call(where, tokens, adapters, options, 0);
        return run(tokens, adapters, options, options.mode == pass::training ? &keep : nullptr, nullptr, ws);
    }

    void features_backward(std::span<const std::int32_t> tokens, matrix_view<const S> dn, const adapter_set<S>& adapters,
                           std::span<S> adapter_gradient, std::span<S> base_gradient, activations<S>& keep,
                           const forward_options<S>& options, workspace& ws) const {
        const bool base = !base_gradient.empty();
        const auto gradient = [&](handle h) {
            return base ? weights_.in(base_gradient, h) : matrix_view<S>{};
        };
        const auto dh = ws.take_zero_matrix<S>(dn.rows, config_.width);
        rms_norm_backward(keep.h, weights_[norm_], row_of(matrix_view<const S>(keep.r)), dn, dh, gradient(norm_));

        const block_context<S> context{config_, keep.rope, keep.first};
        for (index_t l = config_.layers - 1; l >= 0; --l) {
            const auto how_far = base ? std::optional(reach::input) : reach_of(adapters, l);
            if (!how_far) return;
            block_tensors<S> dw;
            if (base) dw = tensors<S>(l, gradient);
            const site_calls<S> sites{adapters, l, {options.mode, options.starts, nullptr, options.draw}, options.states,
                                      keep.adapters};
            block_backward<S, W>(weights(l), context, sites, keep.blocks[static_cast<std::size_t>(l)], *how_far, dh,
                                 adapter_gradient, dw, ws);
        }
        if (base) embedding_backward<S>(tokens, dh, gradient(embedding_));
    }

    /// The common forward, up to the features. keep: where training keeps; past: the cache of a streaming call.
    matrix_view<const S> run(std::span<const std::int32_t> tokens, const adapter_set<S>& adapters,
                             const forward_options<S>& options, activations<S>* keep, cache<S>* past, workspace& ws) const {
        const auto rows = static_cast<index_t>(tokens.size());
        const auto& c = config_;
        const index_t position = past ? past->position : 0, before = past ? past->rows : 0;
        if (past) past->grow(c, rows);
        const rope_table<S> rope(position, rows, c.head_width, c.rope_theta, ws);
        const auto first = ws.take<index_t>(rows);
        visible_from(first, before, c.window, options.starts);
        if (keep) {
            keep->blocks.resize(static_cast<std::size_t>(c.layers));
            keep->adapters.assign(adapters.size(), {});
            keep->rope = rope;
            keep->first = first;
        }
        const site_calls<S> sites{adapters, 0, {options.mode, options.starts, nullptr, options.draw}, options.states,
                                  keep ? std::span<kept<S>>(keep->adapters)
                                       : ws.take_zero<kept<S>>(static_cast<index_t>(adapters.size()))};
        const auto shared = scratch_memory<S>(c, rows, ws);
        matrix_view<S> h = ws.take_matrix<S>(rows, c.width), other = ws.take_matrix<S>(rows, c.width);
        const block_context<S> context{c, rope, first};
        embedding_forward(tokens, weights_[embedding_], h);

        for (index_t l = 0; l < c.layers; ++l) {
            auto memory = shared;
            auto out = other;
            if (keep) {
                keep_memory(memory, c, adapters, l, options.base_gradients, ws);
                // Where a later layer's backward reads its input, this layer writes to a place of its own.
                if (l + 1 == c.layers || options.base_gradients || reach_of(adapters, l + 1))
                    out = ws.take_matrix<S>(rows, c.width);
            }
            if (past) {
                auto& log = past->layers[static_cast<std::size_t>(l)];
                memory.all_k = {log.keys.data(), before + rows, c.key_width()};
                memory.all_v = {log.values.data(), before + rows, c.key_width()};
                memory.k = memory.all_k.slice_rows(before, rows);
                memory.v = memory.all_v.slice_rows(before, rows);
            } else {
                memory.all_k = memory.k;
                memory.all_v = memory.v;
            }
            memory.h = h;
            auto here = sites;
            here.layer = l;
            block_forward<S, W>(weights(l), context, here, memory, out, ws);
            if (keep) keep->blocks[static_cast<std::size_t>(l)] = memory;
            other = h;
            h = out;
        }
        const auto normed = ws.take_matrix<S>(rows, c.width), r = ws.take_matrix<S>(1, rows);
        rms_norm_forward(h, weights_[norm_], c.rms_eps, normed, row_of(r));
        if (keep) {
            keep->h = h;
            keep->r = r;
            keep->normed = options.base_gradients ? normed : matrix_view<S>{};
        }
        return normed;
    }

    struct block_handles {
        handle input_norm, q, k, v, o, post_norm, gate, up, down;
    };
    transformer_config config_;
    parameter_set<W> weights_;
    std::vector<block_handles> blocks_;
    handle embedding_ = 0, norm_ = 0, head_ = 0;
};

}  // namespace hrm
