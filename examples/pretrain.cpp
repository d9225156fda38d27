// Pretrains the small base model that ships with the library, from a plain text.
//
//     bible -f gen1:1-rev22:21 > kjv.txt          # Debian and Ubuntu: packages bible-kjv and bible-kjv-text
//     build/examples/pretrain --text kjv.txt --out kjv-base
//
// The last part of the text is held out for validation. Ctrl-C or a kill leaves a checkpoint in the run's folder, from
// which the same command goes on, to the same bits.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <hrm/hrm.hpp>
#include <hrm/io/checkpoint_folder.hpp>
#include <hrm/io/file.hpp>
#include <hrm/io/huggingface.hpp>

#include "support/checks.hpp"
#include "support/failure.hpp"
#include "support/options.hpp"
#include "support/texts.hpp"

using namespace hrm;

namespace {

struct settings {
    std::string text, run = "build/pretrain", out;
    transformer_config model{.vocabulary = 256,
                             .width = 128,
                             .layers = 5,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_width = 32,
                             .hidden = 384,
                             .window = 64,
                             .rms_eps = 1e-5,
                             .rope_theta = 10000,
                             .tied = false};
    index_t steps = 2200, batch = 8, length = 512, validate_every = 250;
    int threads = 2;
    std::uint64_t seed = 1;
    double rate = 4e-3, weight_decay = 0.1, holdout = 0.05;

    /// What must be the same for a checkpoint to go on: everything but threads and paths, the text's bytes included.
    std::string fingerprint(std::string_view bytes) const {
        return nlohmann::json{{"width", model.width},   {"layers", model.layers},   {"hidden", model.hidden},
                              {"window", model.window}, {"heads", model.heads},     {"kv_heads", model.kv_heads},
                              {"head_width", model.head_width}, {"steps", steps},   {"batch", batch},
                              {"length", length},       {"seed", seed},             {"rate", rate},
                              {"weight_decay", weight_decay}, {"holdout", holdout},
                              {"text", {bytes.size(), examples::detail::hash(bytes)}}}
            .dump();
    }
};

settings read_command_line(int argc, char** argv) {
    settings s;
    CLI::App app("Pretrains a byte-level decoder on a plain text.");
    app.add_option("--text", s.text, "the text")->check(examples::a_name())->required();
    app.add_option("--run", s.run, "folder of the checkpoints and log.jsonl")->check(examples::a_name())->capture_default_str();
    app.add_option("--out", s.out, "folder of the weights, model.safetensors, and their shape, config.json")->check(examples::a_name())->required();
    app.add_option("--steps", s.steps, "of the optimiser")->check(examples::at_least(1))->capture_default_str();
    app.add_option("--batch", s.batch, "sequences a step")->check(examples::at_least(1))->capture_default_str();
    app.add_option("--length", s.length, "bytes a sequence")->check(examples::at_least(1))->capture_default_str();
    app.add_option("--rate", s.rate, "peak learning rate")->check(examples::positive())->capture_default_str();
    app.add_option("--weight-decay", s.weight_decay, "never on norms")->check(examples::at_least(0))->capture_default_str();
    app.add_option("--holdout", s.holdout, "last part of the text, for validation")->capture_default_str();
    app.add_option("--validate-every", s.validate_every, "steps")->check(examples::at_least(1))->capture_default_str();
    app.add_option("--seed", s.seed, "of data order and first weights")->capture_default_str();
    app.add_option("--threads", s.threads, "never changes a result")->check(examples::at_least(1))->capture_default_str();
    app.add_option("--width", s.model.width, "of the residual stream")->capture_default_str();
    app.add_option("--layers", s.model.layers, "decoder blocks")->capture_default_str();
    app.add_option("--hidden", s.model.hidden, "width inside the MLP")->capture_default_str();
    app.add_option("--heads", s.model.heads, "of queries")->capture_default_str();
    app.add_option("--kv-heads", s.model.kv_heads, "of keys and values; divides --heads")->capture_default_str();
    app.add_option("--head-width", s.model.head_width, "of one head; even")->capture_default_str();
    app.add_option("--window", s.model.window, "bytes its attention sees; 0: all")->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        std::exit(app.exit(e));
    }
    return s;
}

/// Bits per byte of a text, in pieces of 4096 bytes.
score validate(const transformer<float>& model, const corpus& text, trainer<float>& t) {
    const adapter_set<float> none;
    return evaluate(text, 4096, t.workers(), [&](auto tokens, auto targets, int worker) {
        auto& ws = t.scratch(worker);
        ws.clear();
        activations<float> keep;
        return next_token_loss<float>(model, tokens, targets, none, {}, {}, keep, {}, ws).nats;
    });
}

/// One line a step; a resumed run first drops the lines of steps it will take again.
std::ofstream open_log(const std::string& path, index_t steps) {
    std::vector<std::string> lines;
    std::ifstream old(path);
    for (std::string line; static_cast<index_t>(lines.size()) < steps && std::getline(old, line);) lines.push_back(line);
    std::ofstream log(path, std::ios::trunc);
    for (const auto& line : lines) log << line << '\n';
    return log;
}

int pretrain(const settings& s) {
    auto text = read_text(s.text);
    examples::require_text(s.text, text);
    examples::require_folder(s.out);
    const auto fingerprint = s.fingerprint(text);
    auto parts = split_tail({s.text, std::move(text)}, s.holdout);
    const corpus train(std::move(parts.train)), held_out(std::move(parts.validation));

    transformer<float> model(s.model);
    random_stream start(s.seed);
    initialize(model, start);
    const cosine_schedule schedule{
        .peak = s.rate, .warmup = std::min<index_t>(100, s.steps / 10), .total = s.steps, .floor = 0.05 * s.rate};
    trainer<float> t(parameter_list<float>(model.parameters()),
                     {.where = {s.threads},
                      .batch = s.batch,
                      .adamw = {.beta2 = 0.98, .weight_decay = s.weight_decay},
                      .rate = schedule});
    const sampler crops(train, s.length, s.seed);
    const adapter_set<float> none;

    checkpoint_folder folder(s.run);
    if (const auto saved = folder.load()) {
        examples::require_same_run("pretrain", s.run, saved->text("settings"), fingerprint);
        t.restore(*saved);
        std::printf("going on from step %td\n", t.steps());
    }
    if (!folder.damage().empty()) std::fprintf(stderr, "passed over: %s\n", folder.damage().c_str());
    const auto save = [&] {
        auto shot = t.save();
        shot.metadata["settings"] = fingerprint;
        folder.save(shot);
    };
    std::printf("%td parameters; %td bytes to learn from, %td held out\n", model.parameters().count(), train.targets(),
                held_out.targets());

    auto log = open_log(s.run + "/log.jsonl", t.steps());
    progress bar("pretrain", s.steps);
    bar.begin_at(t.steps());
    using clock = std::chrono::steady_clock;
    auto saved_at = clock::now();
    double seconds = 0;
    index_t tokens = 0, taken = 0;
    while (t.steps() < s.steps) {
        const index_t step = t.steps();
        const auto r = t.step([&](index_t item, int worker, std::span<float> gradient) {
            auto& ws = t.scratch(worker);
            thread_local std::vector<std::int32_t> inputs, targets;
            thread_local activations<float> keep;
            train.read(crops.crop(step, item), inputs, targets);
            return next_token_loss<float>(model, inputs, targets, none, {}, gradient, keep, {}, ws);
        });
        seconds += r.seconds;
        tokens += r.loss.tokens;
        ++taken;
        if (!(log << json_line(r) << std::endl)) throw io_error("pretrain: cannot write " + s.run + "/log.jsonl");
        char note[64];
        std::snprintf(note, sizeof note, "%.3f bits per byte", r.loss.bits());
        bar.update(t.steps(), note);
        if (t.steps() % s.validate_every == 0 && t.steps() < s.steps)
            std::printf("step %td: %.4f bits per byte held out\n", t.steps(), validate(model, held_out, t).bits()), std::fflush(stdout);
        const bool stop = examples::interrupted();
        if (stop || t.steps() == s.steps || clock::now() - saved_at > std::chrono::minutes(1)) {
            save();
            saved_at = clock::now();
        }
        if (stop && t.steps() < s.steps) {
            bar.finish();
            std::printf("stopped after step %td; the same command goes on from here\n", t.steps());
            return examples::interrupt_status();
        }
    }
    bar.finish();

    const auto result = validate(model, held_out, t);
    if (taken > 0)
        std::printf("%td steps in this sitting, %.0f s, %.0f bytes/s\n", taken, seconds, static_cast<double>(tokens) / seconds);
    std::printf("held out: %.4f bits per byte over %td bytes\n", result.bits(), result.tokens);
    save_huggingface<float>(s.out, model);
    std::printf("wrote %s\n", s.out.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto s = read_command_line(argc, argv);
    examples::catch_interrupts();
    return examples::guarded([&] { return pretrain(s); });
}
