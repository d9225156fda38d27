// Trains a small transformer, its adapters or both to track a state, and measures it at several lengths beside chance and
// beside what the last few symbols alone allow.
//
//     build/examples/state_tracking --task dfa --size 4 --adapter hrm --train all
//     build/examples/state_tracking --task cyclic --size 2 --adapter hrm-published --length 40 --test-lengths 40,80,160
//
// What to expect: an adapter's Abar is constant, so its states are a linear filter of the inputs. No such filter gives
// parity at every length; an integrator and the MLP can at lengths near those trained on. A random automaton forgets: most
// of the dfa task is in its last symbols, so a score there means something only above the window's line. The groups
// and the permutation automata have no such short cut.
//
// Ctrl-C or a kill leaves a checkpoint in the run's folder, from which the same command goes on, to the same bits.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/core/progress.hpp>
#include <hrm/io/checkpoint_folder.hpp>
#include <hrm/io/file.hpp>
#include <hrm/io/huggingface.hpp>
#include <hrm/model/initialize.hpp>
#include <hrm/train/loop.hpp>
#include <hrm/train/next_token.hpp>

#include "support/checks.hpp"
#include "support/failure.hpp"
#include "support/options.hpp"
#include "support/tasks.hpp"

using namespace hrm;
using examples::a_name;
using examples::at_least;
using examples::labelled;
using examples::positive;
using examples::task;

namespace {

constexpr index_t bayes_samples = 4000;  // standard error of a window's line below 0.008

struct settings {
    std::string task = "dfa", adapter = "hrm", train = "all", base, run = "build/state_tracking", out, poles = "real_positive";
    index_t size = 4, length = 64, steps = 3906, batch = 64, samples = 5000, validation = 500, states = 16, rank = 16;
    std::vector<index_t> test_lengths;  ///< empty: the length, twice and four times it
    transformer_config model{.vocabulary = 0,
                             .width = 64,
                             .layers = 2,
                             .heads = 4,
                             .kv_heads = 4,
                             .head_width = 16,
                             .hidden = 128,
                             .window = 0,
                             .rms_eps = 1e-5,
                             .rope_theta = 10000,
                             .tied = false};
    double rate = 3e-3, weight_decay = 0.01, expect_accuracy = 0;
    std::uint64_t seed = 1;
    int threads = 2;

    /// What a checkpoint must agree on, and what a result is worth nothing without.
    nlohmann::json json() const {
        return {{"task", task}, {"size", size}, {"length", length}, {"adapter", adapter}, {"train", train}, {"base", base},
                {"poles", poles}, {"states", states}, {"rank", rank}, {"steps", steps}, {"batch", batch},
                {"samples", samples}, {"rate", rate}, {"weight_decay", weight_decay}, {"seed", seed},
                {"width", model.width}, {"layers", model.layers}, {"heads", model.heads}, {"kv_heads", model.kv_heads},
                {"head_width", model.head_width}, {"hidden", model.hidden}, {"window", model.window}};
    }
};

settings read_command_line(int argc, char** argv) {
    settings s;
    CLI::App app("State tracking: automata, parity and word problems of groups.");
    const auto option = [&](const char* name, auto& value, const char* what) {
        return app.add_option(name, value, what)->capture_default_str();
    };
    option("--task", s.task, "what to track")->check(CLI::IsMember({"dfa", "permutation", "parity", "cyclic", "s3", "a5"}));
    option("--size", s.size, "states of an automaton, order of the cyclic group")->check(CLI::Range(2, 4096));
    option("--length", s.length, "symbols in training")->check(at_least(1));
    app.add_option("--test-lengths", s.test_lengths, "symbols in testing; default: once, twice and four times --length")
        ->delimiter(',')
        ->check(at_least(1));
    option("--adapter", s.adapter, "in every layer: at gate, up and down, as published at the MLP's input")
        ->check(CLI::IsMember({"none", "lora", "hrm", "hrm-published"}));
    option("--states", s.states, "of an hrm adapter");
    option("--poles", s.poles, "of an hrm adapter")->check(CLI::IsMember({"real_positive", "real_signed", "complex_pairs"}));
    option("--rank", s.rank, "of lora");
    option("--train", s.train, "everything, or the adapters of a frozen base")->check(CLI::IsMember({"all", "adapters"}));
    auto* base = app.add_option("--base", s.base, "folder of a pretrained base; default: random weights")->check(a_name());
    option("--steps", s.steps, "of the optimiser; 3906 are 50 epochs of 5000 samples")->check(at_least(1));
    option("--batch", s.batch, "sequences a step")->check(at_least(1));
    option("--samples", s.samples, "training sequences, drawn with replacement; 0: always new ones")->check(at_least(0));
    option("--validation", s.validation, "test sequences of each length")->check(at_least(1));
    option("--rate", s.rate, "peak learning rate")->check(positive());
    option("--weight-decay", s.weight_decay, "never on gates, norms and poles")->check(at_least(0));
    option("--width", s.model.width, "of the random base")->excludes(base);
    option("--layers", s.model.layers, "of the random base")->excludes(base);
    option("--heads", s.model.heads, "of the random base")->excludes(base);
    option("--kv-heads", s.model.kv_heads, "of the random base")->excludes(base);
    option("--head-width", s.model.head_width, "of the random base")->excludes(base);
    option("--hidden", s.model.hidden, "of the random base")->excludes(base);
    option("--window", s.model.window, "tokens its attention sees; 0: all")->excludes(base);
    option("--seed", s.seed, "of data and weights");
    option("--threads", s.threads, "never changes a result")->check(at_least(1));
    option("--run", s.run, "folder of the checkpoints")->check(a_name());
    app.add_option("--out", s.out, "file of the results, JSON; default: results.json in the run's folder")->check(a_name());
    option("--expect-accuracy", s.expect_accuracy, "exit with status 2 below this, at the training length");
    try {
        app.parse(argc, argv);
        const auto only = [&](const char* name, bool used, const std::string& why) {
            if (app.count(name) > 0 && !used) throw CLI::ValidationError(name, why);
        };
        only("--size", s.task == "dfa" || s.task == "permutation" || s.task == "cyclic", "is for dfa, permutation and cyclic; " + s.task + " has one of its own");
        only("--rank", s.adapter == "lora", "is for --adapter lora, not for " + s.adapter);
        for (const char* name : {"--states", "--poles"}) only(name, s.adapter.starts_with("hrm"), "is for --adapter hrm and hrm-published, not for " + s.adapter);
    } catch (const CLI::ParseError& e) {
        std::exit(app.exit(e));
    }
    if (s.test_lengths.empty()) s.test_lengths = {s.length, 2 * s.length, 4 * s.length};
    if (s.out.empty()) s.out = s.run + "/results.json";
    return s;
}

adapter_set<float> make_adapters(const settings& s, const transformer_config& c) {
    adapter_set<float> set;
    if (s.adapter == "none") return set;
    auto options = s.adapter == "hrm" ? hrm_options::shipped(s.states) : hrm_options::published(s.states);
    options.poles = s.poles == "real_signed" ? poles::real_signed : s.poles == "complex_pairs" ? poles::complex_pairs : poles::real_positive;
    if (s.adapter == "hrm") {  // these tasks ask for long memories, and those for averages
        options.normalization = normalization::unit_gain;
        options.longest_memory = static_cast<double>(s.length);
    }
    random_stream random(s.seed, 0x61646170746572);
    const auto sites = s.adapter == "hrm-published" ? std::vector{site::mlp_input} : std::vector{site::gate, site::up, site::down};
    for (index_t layer = 0; layer < c.layers; ++layer)
        for (const auto where : sites) {
            const auto w = site_width(c, where);
            if (s.adapter == "lora")
                set.attach(layer, where, std::make_unique<lora<float>>(w.inputs, w.outputs, lora_options{.rank = s.rank, .alpha = 2.0 * static_cast<double>(s.rank)}, random));
            else
                set.attach(layer, where, std::make_unique<hrm_adapter<float>>(w.inputs, w.outputs, options, random));
        }
    return set;
}

/// The pretrained base, or random weights made for the task.
transformer<float> make_base(const settings& s, const task& what) {
    if (!s.base.empty()) {
        auto model = load_huggingface<float>(s.base);
        if (model.config().vocabulary < what.vocabulary())
            throw error("state_tracking: the base knows " + std::to_string(model.config().vocabulary) + " tokens, the task has " +
                        std::to_string(what.vocabulary()));
        return model;
    }
    auto config = s.model;
    config.vocabulary = what.vocabulary();
    transformer<float> model(config);
    random_stream random(s.seed);
    initialize(model, random);
    return model;
}

struct accuracy {
    index_t right = 0, labels = 0, last_right = 0, sequences = 0;
    double all() const { return static_cast<double>(right) / static_cast<double>(labels); }
    double last() const { return static_cast<double>(last_right) / static_cast<double>(sequences); }
};

/// Sequences of a seed of their own: none was trained on.
accuracy measure(const transformer<float>& model, const adapter_set<float>& adapters, const task& what, index_t length,
                 index_t sequences, trainer<float>& t) {
    std::vector<accuracy> each(static_cast<std::size_t>(sequences));
    t.workers().run(sequences, [&](index_t i, int worker) {
        auto& ws = t.scratch(worker);
        ws.clear();
        const auto s = what.sample(length, 0, i);
        const auto logits = ws.take_matrix<float>(static_cast<index_t>(s.tokens.size()), model.config().vocabulary);
        activations<float> keep;
        model.forward(s.tokens, adapters, logits, keep, {}, ws);
        auto& a = each[static_cast<std::size_t>(i)];
        a.sequences = 1;
        for (index_t row = 0; row < logits.rows; ++row) {
            const auto target = s.targets[static_cast<std::size_t>(row)];
            if (target < 0) continue;
            const bool right = std::max_element(logits.row(row), logits.row(row) + logits.cols) - logits.row(row) == target;
            ++a.labels;
            a.right += right;
            a.last_right = right;
        }
    });
    accuracy sum;
    for (const auto& a : each) {
        sum.right += a.right;
        sum.labels += a.labels;
        sum.last_right += a.last_right;
        sum.sequences += a.sequences;
    }
    return sum;
}

/// Prints a line a length and returns them as JSON.
nlohmann::json report(const settings& s, const transformer<float>& model, const adapter_set<float>& adapters,
                      const task& test, trainer<float>& t) {
    const std::vector<index_t> windows{4, 8, 16, 64};
    std::printf("%8s %10s %10s %8s   best from the last", "length", "accuracy", "last label", "chance");
    for (const auto w : windows) std::printf(" %7td", w);
    std::printf("\n");
    auto lengths = nlohmann::json::array();
    for (const auto length : s.test_lengths) {
        const auto a = measure(model, adapters, test, length, s.validation, t);
        nlohmann::json line{{"length", length}, {"accuracy", a.all()}, {"last_label", a.last()}, {"labels", a.labels},
                            {"sequences", a.sequences}, {"chance", test.chance()}};
        std::printf("%8td %10.4f %10.4f %8.4f   %18s", length, a.all(), a.last(), test.chance(), "");
        for (const auto w : windows) {
            const double best = test.window_bayes(length, w, bayes_samples);
            line["window_bayes"][std::to_string(w)] = best;
            std::printf(" %7.4f", best);
        }
        std::printf("\n");
        std::fflush(stdout);
        lengths.push_back(line);
    }
    return lengths;
}

int track(settings s) {
    const task what(s.task, s.size, s.seed), test(s.task, s.size, s.seed + 0x7465737400000000);
    auto model = make_base(s, what);
    s.model = model.config();  // what --base brought
    auto adapters = make_adapters(s, model.config());
    const bool all = s.train == "all";
    if (!all && adapters.empty()) throw error("state_tracking: --train adapters with --adapter none leaves nothing to train");
    parameter_list<float> list;
    if (all) list.add("base.", model.parameters());
    for (std::size_t i = 0; i < adapters.size(); ++i)
        list.add(std::to_string(i) + "." + std::string(name(adapters[i].site)) + ".", adapters[i].adapter->parameters());
    const auto base_size = static_cast<std::size_t>(all ? model.parameters().size() : 0);

    const cosine_schedule schedule{.peak = s.rate, .warmup = std::min<index_t>(500, s.steps / 10), .total = s.steps};
    trainer<float> t(list, {.where = {s.threads}, .batch = s.batch, .adamw = {.weight_decay = s.weight_decay}, .clip = 1, .rate = schedule});
    const auto kind = std::string(all ? "trained with its adapters" : "frozen") + (s.base.empty() ? ", from random weights" : ", from " + s.base);
    std::printf("%s, size %td, length %td; adapter %s; base %s; %td parameters move\n", s.task.c_str(), what.labels(), s.length,
                s.adapter.c_str(), kind.c_str(), list.count());

    checkpoint_folder folder(s.run);
    examples::require_place(s.out);
    if (const auto saved = folder.load()) {
        examples::require_same_run("state_tracking", s.run, saved->text("settings"), s.json().dump());
        t.restore(*saved);
        std::printf("going on from step %td\n", t.steps());
    }
    if (!folder.damage().empty()) std::fprintf(stderr, "passed over: %s\n", folder.damage().c_str());
    const auto save = [&] {
        auto shot = t.save();
        shot.metadata["settings"] = s.json().dump();
        folder.save(shot);
    };

    progress bar("state tracking", s.steps);
    bar.begin_at(t.steps());
    using clock = std::chrono::steady_clock;
    auto saved_at = clock::now();
    while (t.steps() < s.steps) {
        const index_t step = t.steps();
        const auto r = t.step([&](index_t item, int worker, std::span<float> gradient) {
            auto& ws = t.scratch(worker);
            thread_local activations<float> keep;
            // Step 0 holds the fixed samples; fresh ones have steps of their own from 1.
            random_stream choice(s.seed, (std::uint64_t{0x63686f69} << 32) + static_cast<std::uint64_t>(step));
            choice.seek(static_cast<std::uint64_t>(item));
            const auto x = s.samples > 0 ? what.sample(s.length, 0, choice.below(s.samples)) : what.sample(s.length, step + 1, item);
            return next_token_loss<float>(model, x.tokens, x.targets, adapters, gradient.subspan(base_size), gradient.first(base_size),
                                          keep, {.draw = static_cast<std::uint64_t>(step * s.batch + item)}, ws);
        });
        char note[64];
        std::snprintf(note, sizeof note, "%.3f nats a label", r.loss.nats / static_cast<double>(r.loss.tokens));
        bar.update(t.steps(), note);
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

    const auto lengths = report(s, model, adapters, test, t);
    const nlohmann::json results{{"settings", s.json()}, {"parameters", list.count()}, {"window_samples", bayes_samples}, {"lengths", lengths}};
    write_atomically(s.out, results.dump(1) + "\n");
    std::printf("wrote %s\n", s.out.c_str());
    if (s.expect_accuracy <= 0) return 0;
    const double reached = measure(model, adapters, test, s.length, s.validation, t).all();
    if (reached >= s.expect_accuracy) return 0;
    std::fprintf(stderr, "state_tracking: accuracy %.4f, expected %.4f\n", reached, s.expect_accuracy);
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const auto s = read_command_line(argc, argv);
    examples::catch_interrupts();
    return examples::guarded([&] { return track(s); });
}
