// The whole life of an adapter, beside one frozen linear layer: make it, run it forward, run it backward, take a step.
//
//     quickstart
//
// The layer answers y_t = W u_t. What it should have answered also holds an echo of the past that fades over some twenty
// tokens. A LoRA adapter sees one token at a time and cannot supply the echo; an HRM adapter of the same size can.
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <hrm/hrm.hpp>

constexpr hrm::index_t width = 16, length = 256, steps = 300;

// Yours: the frozen layer, and a batch with the answers wanted.
struct host {
    hrm::matrix<float> w{width, width}, u{length, width}, y{length, width}, target{length, width};
    hrm::random_stream random{1};

    host() { random.fill_normal(w.flat(), 0.25); }
    void next_batch() {
        random.fill_normal(u.flat());
        hrm::multiply(u.view(), hrm::transposed(w.view()), y.view());
        for (hrm::index_t c = 0; c < width; ++c) {
            float echo = 0;
            for (hrm::index_t t = 0; t < length; ++t) {
                echo = 0.95f * echo + 0.3f * u(t, c % 4);
                target(t, c) = y(t, c) + echo;
            }
        }
    }
};

// Trains the adapter beside the layer and returns the last mean squared error.
double train(hrm::adapter<float>& adapter) {
    host layer;
    hrm::parameter_list<float> parameters(adapter.parameters());
    hrm::adamw<float> optimizer(parameters);
    hrm::buffer<float> gradient(static_cast<std::size_t>(parameters.size()));
    hrm::matrix<float> dy(length, width), du(length, width);
    hrm::workspace ws;
    double loss = 0;
    for (hrm::index_t step = 0; step < steps; ++step) {
        layer.next_batch();  // y = W u

        hrm::kept<float> keep;
        const hrm::call<float> how{.mode = hrm::pass::training};
        adapter.forward(layer.u.view(), layer.y.view(), how, keep, ws);  // y += A(u)

        loss = 0;
        for (hrm::index_t i = 0; i < dy.size(); ++i) {
            const float e = layer.y.data()[i] - layer.target.data()[i];
            loss += e * e / static_cast<double>(dy.size());
            dy.data()[i] = 2 * e / static_cast<float>(dy.size());
        }

        std::fill(gradient.begin(), gradient.end(), 0.0f);
        adapter.backward(layer.u.view(), dy.view(), du.view(), gradient, how, keep, ws);
        optimizer.step(parameters, gradient, 1e-2);
        ws.clear();
        if (step == 0) std::printf("%-5s %4td parameters: error %.4f at the first step,", adapter.kind().data(), parameters.count(), loss);
    }
    std::printf(" %.4f after %td\n", loss, steps);
    return loss;
}

int main(int argc, char** argv) {
    if (argc > 1) {
        const bool help = std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "-h";
        std::fprintf(help ? stdout : stderr, "%squickstart: makes adapters, trains them beside one linear layer for a second, and streams; takes no options\n",
                     help ? "" : (std::string(argv[1]) + "? ").c_str());
        return help ? 0 : 1;
    }
    hrm::random_stream random(7);
    hrm::lora<float> lora(width, width, {.rank = 8}, random);
    hrm::hrm_adapter<float> memory(width, width, hrm::hrm_options::shipped(8), random);
    const double without = train(lora), with = train(memory);

    // One token at a time, with the state carried in a plain value: the same answers as the whole sequence at once.
    host layer;
    layer.next_batch();
    hrm::matrix<float> whole = layer.y, stream = layer.y;
    hrm::workspace ws;
    hrm::kept<float> keep;
    memory.forward(layer.u.view(), whole.view(), {}, keep, ws);
    hrm::adapter_state<float> state;
    for (hrm::index_t t = 0; t < length; ++t)
        memory.forward(layer.u.view().slice_rows(t, 1), stream.view().slice_rows(t, 1), {.carried = &state}, keep, ws);
    float apart = 0;
    for (hrm::index_t i = 0; i < whole.size(); ++i) apart = std::max(apart, std::abs(whole.data()[i] - stream.data()[i]));
    std::printf("streamed token by token: within %.1e of the whole sequence\n", apart);
    return with < without ? 0 : 1;
}
