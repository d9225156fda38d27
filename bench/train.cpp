// The demonstration's training step on one thread: a frozen model of 1 M parameters (width 128, 5 layers, window 64) with
// adapters, 4 sequences of 1024 bytes, forward, backward, clip and AdamW. What the ratio to Eigen's products of the linear
// layers alone is above 1 pays for everything else. Tokens a second: 4096 / the time.

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/model/initialize.hpp>
#include <hrm/train/loop.hpp>
#include <hrm/train/next_token.hpp>

#include <Eigen/Core>

#include "support/harness.hpp"

namespace {

using namespace hrm;
using dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr index_t batch = 4, length = 1024;

/// x W^T and dy W for every matrix of the model and every sequence.
class products {
public:
    explicit products(const parameter_set<float>& weights) {
        for (const auto& e : weights.entries())
            if (e.rows > 1 && e.name != "model.embed_tokens.weight")
                layers_.push_back({dense::Random(length, e.cols), dense::Random(e.rows, e.cols), dense::Random(length, e.rows)});
    }
    void run() {
        for (index_t s = 0; s < batch; ++s) {
            for (auto& l : layers_) l.y.noalias() = l.x * l.w.transpose();
            for (auto& l : layers_) l.x.noalias() = l.y * l.w;
        }
    }

private:
    struct layer {
        dense x, w, y;
    };
    std::vector<layer> layers_;
};

/// The same step again and again on the same bytes.
class step {
public:
    step(const transformer<float>& model, adapter_set<float> set)
        : model_(model), set_(std::move(set)), trainer_(parameter_list<float>(set_), {.batch = batch, .rate = constant_schedule{1e-4}}),
          tokens_(static_cast<std::size_t>(length)) {
        random_stream r(3);
        for (auto& t : tokens_) t = static_cast<std::int32_t>(r.below(model.config().vocabulary));
    }
    void run() {
        trainer_.step([&](index_t, int worker, std::span<float> gradient) {
            auto& ws = trainer_.scratch(worker);
            return next_token_loss<float>(model_, tokens_, tokens_, set_, gradient, {}, keep_, {}, ws);
        });
    }

private:
    const transformer<float>& model_;
    adapter_set<float> set_;
    trainer<float> trainer_;
    activations<float> keep_;
    std::vector<std::int32_t> tokens_;
};

}  // namespace

int main() {
    const transformer_config c{.vocabulary = 256, .width = 128, .layers = 5, .heads = 4, .kv_heads = 2, .head_width = 32,
                               .hidden = 384, .window = 64};
    transformer<float> model(c);
    random_stream random(1);
    initialize(model, random);
    adapter_set<float> lora_set, hrm_set, published_set;
    for (index_t l = 0; l < c.layers; ++l) {
        for (const auto where : {site::gate, site::up, site::down}) {
            const auto [in, out] = site_width(c, where);
            lora_set.attach(l, where, std::make_unique<lora<float>>(in, out, lora_options{.rank = 7, .alpha = 14}, random));
            hrm_set.attach(l, where, std::make_unique<hrm_adapter<float>>(in, out, hrm_options::shipped(7), random));
        }
        const auto [in, out] = site_width(c, site::mlp_input);
        published_set.attach(l, site::mlp_input, std::make_unique<hrm_adapter<float>>(in, out, hrm_options::published(42), random));
    }
    products eigen(model.parameters());
    step lora_step(model, std::move(lora_set)), hrm_step(model, std::move(hrm_set)), published(model, std::move(published_set));
    bench::report report("train", {.rounds = 9});
    report.compare("LoRA on gate, up, down", [&] { lora_step.run(); }, {{"Eigen's GEMMs", [&] { eigen.run(); }}});
    report.compare("HRM on gate, up, down", [&] { hrm_step.run(); },
                   {{"with LoRA", [&] { lora_step.run(); }}, {"Eigen's GEMMs", [&] { eigen.run(); }}});
    report.compare("HRM as published", [&] { published.run(); }, {{"with LoRA", [&] { lora_step.run(); }}});
    return report.finish();
}
