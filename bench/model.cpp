// The small model of the demonstration (1 M parameters, window 64, 1024 tokens): each pass beside the matrix products of
// its linear layers alone, as Eigen does them, and beside PyTorch's model of the same shape (HRM_TORCH_PYTHON). What the
// first ratio is above 1 pays for attention, norms, SwiGLU and adapters.

#include <functional>
#include <memory>

#include <hrm/adapter/lora.hpp>
#include <hrm/model/initialize.hpp>

#include <Eigen/Core>

#include "support/child.hpp"
#include "support/harness.hpp"

namespace {

using hrm::index_t;
using dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// x W^T, dy W and dy^T x for every matrix of the model: forward, backward to the inputs, backward to the weights.
struct products {
    struct layer {
        dense x, w, y, dw;
    };
    std::vector<layer> layers;

    products(const hrm::parameter_set<float>& weights, index_t rows) {
        for (const auto& e : weights.entries())
            if (e.rows > 1 && e.name != "model.embed_tokens.weight")
                layers.push_back({dense::Random(rows, e.cols), dense::Random(e.rows, e.cols), dense::Random(rows, e.rows),
                                  dense::Zero(e.rows, e.cols)});
    }
    void forward() {
        for (auto& l : layers) l.y.noalias() = l.x * l.w.transpose();
    }
    void backward() {
        for (auto& l : layers) l.x.noalias() = l.y * l.w;
    }
    void weights() {
        for (auto& l : layers) l.dw.noalias() = l.y.transpose() * l.x;
    }
};

}  // namespace

int main() {
    const hrm::transformer_config c{.vocabulary = 256, .width = 128, .layers = 5, .heads = 4, .kv_heads = 2, .head_width = 32,
                                    .hidden = 384, .window = 64};
    constexpr index_t rows = 1024;
    hrm::transformer<float> model(c);
    hrm::random_stream random(1);
    initialize(model, random);
    hrm::adapter_set<float> none, lora;
    for (index_t l = 0; l < c.layers; ++l)
        for (const auto where : {hrm::site::gate, hrm::site::up, hrm::site::down}) {
            const auto [in, out] = site_width(c, where);
            lora.attach(l, where, std::make_unique<hrm::lora<float>>(in, out, hrm::lora_options{.rank = 4}, random));
        }
    std::vector<std::int32_t> tokens(rows);
    for (auto& t : tokens) t = static_cast<std::int32_t>(random.below(c.vocabulary));
    hrm::matrix<float> logits(rows, c.vocabulary), slopes(rows, c.vocabulary);
    random.fill_normal(slopes.flat(), 1e-3);
    hrm::buffer<float> of_lora(static_cast<std::size_t>(lora.gradient_size())), of_base(static_cast<std::size_t>(model.parameters().size()));
    hrm::activations<float> keep;
    hrm::workspace ws;
    products eigen(model.parameters(), rows), single(model.parameters(), 1);

    const auto train = [&](const hrm::adapter_set<float>& set, std::span<float> adapters, std::span<float> base) {
        const hrm::forward_options<float> options{.mode = hrm::pass::training, .base_gradients = !base.empty()};
        ws.clear();
        model.forward(tokens, set, logits, keep, options, ws);
        model.backward(tokens, slopes, set, adapters, base, keep, options, ws);
    };
    const auto python = hrm::bench::torch_peer(HRM_BENCH_SOURCE "/peers/torch_model.py", "torch, transformers and peft");
    hrm::bench::report report("model");
    const auto compare = [&](const std::string& name, auto ours, std::function<void()> gemms, const std::string& asked) {
        std::vector<hrm::bench::peer> peers{{"Eigen's GEMMs", std::move(gemms), 1.5}};
        if (python) peers.push_back({"PyTorch", {}, 1.0, [&python, asked](long n) { return python->number(asked + " " + std::to_string(n)); }});
        report.compare(name, ours, peers);
    };
    compare("forward, 1024 tokens", [&] { model.forward(tokens, none, logits, keep, {}, ws); }, [&] { eigen.forward(); }, "forward");
    compare("frozen, LoRA on the MLP", [&] { train(lora, of_lora, {}); }, [&] { eigen.forward(); eigen.backward(); }, "frozen");
    compare("everything trained", [&] { train(none, {}, of_base); }, [&] { eigen.forward(); eigen.backward(); eigen.weights(); }, "trained");
    hrm::cache<float> past;
    hrm::matrix<float> one(1, c.vocabulary);
    compare("one token, streaming", [&] { model.extend(std::span(tokens).first(1), none, past, one, ws); }, [&] { single.forward(); }, "token");
    return report.finish();
}
