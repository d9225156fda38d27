// An HRM adapter around a transformer block that is not ours: the feed-forward half of a Mistral block, the host's own
// code, gets an adapter in parallel to its MLP.
//
//     mistral_block                      # a quarter of Mistral-7B's width;  --width 4096 --hidden 14336 is the real one
//
//     out_t = h_t + MLP(n_t) + alpha C s_t,   n_t = RMSNorm(h_t),   s_t = Abar s_{t-1} + Bbar n_t
#include <chrono>
#include <cmath>
#include <cstdio>

#include <CLI/CLI.hpp>

#include <hrm/hrm.hpp>

#include "support/failure.hpp"
#include "support/options.hpp"

using hrm::index_t;
using matrix = hrm::matrix<float>;

// The host's frozen block: any code that can show its hidden states will do.
struct mlp_block {
    matrix gate, up, down;
    mlp_block(index_t width, index_t hidden, hrm::random_stream& r) : gate(hidden, width), up(hidden, width), down(width, hidden) {
        r.fill_normal(gate.flat(), 1 / std::sqrt(static_cast<double>(width)));
        r.fill_normal(up.flat(), 1 / std::sqrt(static_cast<double>(width)));
        r.fill_normal(down.flat(), 1 / std::sqrt(static_cast<double>(hidden)));
    }
    static matrix rms_norm(const matrix& h) {
        matrix n = h;
        for (index_t t = 0; t < h.rows(); ++t) {
            const float* row = h.view().row(t);
            const float scale = 1 / std::sqrt(hrm::dot(row, row, h.cols()) / static_cast<float>(h.cols()) + 1e-5f);
            for (index_t c = 0; c < h.cols(); ++c) n(t, c) *= scale;
        }
        return n;
    }
    // h + down(silu(gate n) * up n)
    matrix operator()(const matrix& h, const matrix& n) const {
        matrix g(h.rows(), gate.rows()), v(h.rows(), up.rows()), out = h;
        hrm::multiply(n.view(), hrm::transposed(gate.view()), g.view());
        hrm::multiply(n.view(), hrm::transposed(up.view()), v.view());
        for (index_t i = 0; i < g.size(); ++i) g.data()[i] *= hrm::sigmoid(g.data()[i]) * v.data()[i];
        hrm::multiply(g.view(), hrm::transposed(down.view()), out.view(), hrm::into::add);
        return out;
    }
};

template <class F>
double milliseconds(F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}
double largest_difference(const matrix& x, const matrix& y) {
    float d = 0;
    for (index_t i = 0; i < x.size(); ++i) d = std::max(d, std::abs(x.data()[i] - y.data()[i]));
    return d;
}

int run(int argc, char** argv) {
    index_t width = 1024, hidden = 3584, tokens = 128, states = 32;
    CLI::App app("An HRM adapter around the MLP of one Mistral-shaped block.");
    app.add_option("--width", width, "of the residual stream")->capture_default_str()->check(hrm::examples::at_least(1));
    app.add_option("--hidden", hidden, "width inside the MLP")->capture_default_str()->check(hrm::examples::at_least(1));
    app.add_option("--tokens", tokens, "of the sequence")->capture_default_str()->check(hrm::examples::at_least(1));
    app.add_option("--states", states, "of the adapter")->capture_default_str()->check(hrm::examples::at_least(1));
    CLI11_PARSE(app, argc, argv);

    hrm::random_stream random(1);
    const mlp_block block(width, hidden, random);
    matrix h(tokens, width);
    random.fill_normal(h.flat());

    // Around the block: its MLP's input goes in, its output is added to.
    hrm::hrm_adapter<float> adapter(width, width, hrm::hrm_options::published(states), random);
    hrm::workspace ws;
    hrm::kept<float> keep;
    const matrix n = mlp_block::rms_norm(h);
    matrix frozen, adapted;
    const double block_ms = milliseconds([&] { frozen = block(h, n); });
    adapted = frozen;
    adapter.forward(n.view(), adapted.view(), {}, keep, ws);
    std::printf("block %td x %td, %td tokens; adapter with %td states: %td parameters (block: %td)\n", width, hidden, tokens, states,
                adapter.parameters().count(), 3 * width * hidden);
    std::printf("gate shut: the output moves by %g\n", largest_difference(adapted, frozen));

    // The gate is an ordinary tensor. Open, the adapter answers; prefill and single tokens give the same.
    auto& p = adapter.parameters();
    p[p.find("gate")](0, 0) = 1;
    const double adapter_ms = milliseconds([&] { adapter.forward(n.view(), adapted.view(), {}, keep, ws); });
    matrix streamed = frozen;
    hrm::adapter_state<float> state;
    const index_t prompt = tokens / 2;
    adapter.forward(n.view().slice_rows(0, prompt), streamed.view().slice_rows(0, prompt), {.carried = &state}, keep, ws);
    for (index_t t = prompt; t < tokens; ++t)
        adapter.forward(n.view().slice_rows(t, 1), streamed.view().slice_rows(t, 1), {.carried = &state}, keep, ws);
    std::printf("time: block %.1f ms, adapter %.2f ms\n", block_ms, adapter_ms);
    std::printf("gate at 1: the output moves by %.3g; prompt and single tokens agree with one pass to %.1e\n",
                largest_difference(adapted, frozen), largest_difference(adapted, streamed));
    return 0;
}

int main(int argc, char** argv) {
    return hrm::examples::guarded([&] { return run(argc, argv); });
}
