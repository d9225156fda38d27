// A short training run for tests/train/crash_resume.cpp to kill: victim FOLDER THREADS STEPS. It saves after every step,
// prints the number of the step it is about to take, goes on from FOLDER if it can, and leaves FOLDER/final.safetensors.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <hrm/hrm.hpp>
#include <hrm/io/checkpoint_folder.hpp>

using namespace hrm;

int main(int argc, char** argv) try {
    if (argc != 4) throw error("victim: " + std::to_string(argc - 1) + " arguments, expected 3");
    const std::string folder = argv[1];
    const index_t steps = std::atoi(argv[3]);

    std::string bytes;
    for (int i = 0; i < 4000; ++i) bytes += static_cast<char>('a' + i * i % 23);
    const corpus text(std::vector<document>{{"synthetic", bytes}});
    const sampler crops(text, 24, 5);

    transformer<float> model({.vocabulary = 128, .width = 16, .layers = 1, .heads = 2, .kv_heads = 1, .head_width = 8, .hidden = 24, .window = 8});
    random_stream start(3);
    initialize(model, start);
    trainer<float> run(parameter_list<float>(model.parameters()),
                       {.where = {std::atoi(argv[2])},
                        .batch = 5,
                        .rate = cosine_schedule{.peak = 5e-3, .warmup = 5, .total = steps}});
    const adapter_set<float> none;

    checkpoint_folder checkpoints(folder);
    if (const auto saved = checkpoints.load()) run.restore(*saved);
    while (run.steps() < steps) {
        const index_t step = run.steps();
        std::printf("%td\n", step);
        std::fflush(stdout);
        run.step([&](index_t item, int worker, std::span<float> gradient) {
            auto& ws = run.scratch(worker);
            std::vector<std::int32_t> tokens, targets;
            text.read(crops.crop(step, item), tokens, targets);
            activations<float> keep;
            return next_token_loss<float>(model, tokens, targets, none, {}, gradient, keep, {}, ws);
        });
        checkpoints.save(run.save());
    }
    save_checkpoint(folder + "/final.safetensors", run.save());
} catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
