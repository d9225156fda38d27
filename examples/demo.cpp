// The whole idea on real text, in minutes: a frozen model of the King James Bible is adapted to the C++ headers of Eigen
// (or to any text file) by LoRA and by HRM adapters of equal size; the memory is calibrated and truncated; everything is
// printed as a table and written as one HTML page. A stopped run goes on when the same command is given again.
//     demo                      demo --text FILE

#include <cstdio>
#include <filesystem>

#include <CLI/CLI.hpp>

#include <hrm/io/adapter_file.hpp>

#include "support/base.hpp"
#include "support/calibration.hpp"
#include "support/checks.hpp"
#include "support/contestants.hpp"
#include "support/failure.hpp"
#include "support/generate.hpp"
#include "support/machine.hpp"
#include "support/memory.hpp"
#include "support/options.hpp"
#include "support/report.hpp"

using namespace hrm;
using namespace hrm::examples;

namespace {

constexpr index_t crops = 64;  // of training text, for calibration

/// Does the work once: a record already on the disk is read instead.
template <class F>
std::optional<record> stage(const std::string& folder, const std::string& name, F&& work) {
    const auto path = folder + "/" + name + ".json";
    if (std::filesystem::exists(path)) {
        try {
            return nlohmann::json::parse(read_text(path)).get<record>();
        } catch (const nlohmann::json::exception&) {
            throw io_error("demo: " + path + " is damaged, " + std::to_string(file_size(path)) + " bytes; without it that part is done again");
        }
    }
    auto r = work();
    if (!r) return r;
    const auto text = nlohmann::json(*r).dump();
    write_atomically(path, std::as_bytes(std::span(text)));
    return r;
}

struct demonstration {
    arena a;
    budget b;
    std::string folder, prompt;
    team workers;
    index_t window = 0;

    /// Fills in what every model is asked.
    void judge(record& r, const adapter_set<float>& adapters) {
        const auto m = measure(a.base, adapters, a.test, workers);
        r.bits = m.bits;
        r.position = m.position;
        r.bits_at = m.bits_at;
        r.forward_seconds = m.seconds_per_1000_tokens;
        r.parameters = adapters.count();
        r.prompt = printable(prompt);
        r.sample = printable(generate(a.base, adapters, prompt, 300, 0.7, b.seed));
        r.states = states_per_layer(adapters, a.base.config().layers);
    }
    std::string weights(const std::string& name) const { return folder + "/" + name + ".safetensors"; }

    /// Trains a contestant's adapters from `start`, judges them and keeps their weights.
    std::optional<record> compete(const contestant& who, adapter_set<float> start) {
        return stage(folder, who.name, [&]() -> std::optional<record> {
            record r{.name = who.name, .label = who.label, .colour = who.colour, .rate = who.rate};
            const auto untrained = start.clone();
            const auto learned = adapt(a.base, start, a.train, b, who.rate, print("%-28s", who.label.c_str()), weights(who.name + "-unfinished"));
            if (!learned) return std::nullopt;
            r.step = learned->step;
            r.learning = learned->bits;
            r.train_seconds = learned->seconds_per_1000_tokens;
            judge(r, start);
            if (remembers(start) && !who.name.ends_with("_reset")) {
                const auto m = measure(a.base, forgetful(start, window), a.test, workers);
                r.reset_bits = m.bits;
                r.reset_bits_at = m.bits_at;
                r.layers = layers_of(start, untrained);
            }
            save_adapters(weights(who.name), start);
            std::filesystem::remove(weights(who.name + "-unfinished"));
            return r;
        });
    }

    /// Balanced truncation of a trained contestant: zero-shot, then with its gates tuned again.
    std::optional<std::vector<record>> truncate(const contestant& who, double epsilon) {
        const auto name = who.name + print("_bt%g", epsilon);
        const auto label = who.label + print(", truncated at %g", epsilon);
        std::optional<adapter_set<float>> reduced;
        const auto make = [&] {
            if (!reduced) reduced = truncated(a.base, a.train, load_adapters<float>(weights(who.name)), epsilon, b, workers, crops);
        };
        auto zero = stage(folder, name, [&]() -> std::optional<record> {
            make();
            record r{.name = name, .label = label, .colour = who.colour};
            judge(r, *reduced);
            return r;
        });
        auto tuned = stage(folder, name + "_tuned", [&]() -> std::optional<record> {
            make();
            auto b_gates = b;
            b_gates.steps = std::max<index_t>(b.steps / 5, 1);
            constexpr double rate = 3e-3;
            if (!adapt(a.base, *reduced, a.train, b_gates, rate, "gates again", {}, "gate")) return std::nullopt;
            record r{.name = name + "_tuned", .label = label + ", gates re-tuned", .colour = who.colour, .rate = rate};
            judge(r, *reduced);
            return r;
        });
        if (!tuned) return std::nullopt;
        return std::vector<record>{*zero, *tuned};
    }
};

int demo(int argc, char** argv) {
    CLI::App app("HRM adapters against LoRA on real text, with a report to look at");
    std::string text, base = default_base(), out = "build/demo";
    budget b;
    app.add_option("--text", text, "adapt to this file instead of Eigen's headers")->check(a_name());
    app.add_option("--out", out, "folder of the report and of everything needed to go on")->check(a_name())->capture_default_str();
    app.add_option("--base", base, "the frozen base model")->check(a_name())->capture_default_str();
    app.add_option("--steps", b.steps, "training steps of each contestant")->capture_default_str()->check(at_least(1));
    app.add_option("--batch", b.batch, "sequences a step")->capture_default_str()->check(at_least(1));
    app.add_option("--length", b.length, "bytes a sequence")->capture_default_str()->check(at_least(1));
    app.add_option("--seed", b.seed, "of data order and first weights")->capture_default_str();
    app.add_option("--threads", b.threads, "never changes a result")->capture_default_str()->check(at_least(1));
    CLI11_PARSE(app, argc, argv);
    catch_interrupts();
    const auto start = std::chrono::steady_clock::now();

    auto a = make_arena(base, text);
    const auto window = a.base.config().window;
    auto all = contestants();
    for (auto& who : {hrm_published(), hrm_shipped()}) all.push_back(forgetful(who, window));
    // Another setting is another run: its folder is named by all that decides the result.
    auto key = print("%td %td %td %d ", b.steps, b.batch, b.length, static_cast<int>(b.seed)) + fingerprint(a, all);
    for (const auto& who : all) key += " " + number_text(who.rate);
    const auto folder = out + print("/run-%012llx", static_cast<unsigned long long>(examples::detail::hash(key) >> 16));
    require_folder(folder);
    const auto prompt = a.test[0].bytes.substr(0, 200);
    demonstration d{std::move(a), b, folder, prompt, team(cpu{.threads = b.threads}), window};
    std::fprintf(stderr, "%s\nbase %s, %td parameters, window %td; %td steps of %td x %td bytes each\n", d.a.text.c_str(), base.c_str(),
                 d.a.base.parameters().count(), window, b.steps, b.batch, b.length);

    std::vector<record> rows;
    const auto add = [&](const std::optional<record>& r) {
        if (r) {
            std::fprintf(stderr, "  %-56s %.4f bits per byte\n", r->label.c_str(), r->bits);
            rows.push_back(*r);
        }
        return r.has_value();
    };
    add(stage(folder, "base", [&]() -> std::optional<record> {
        record r{.name = "base", .label = "frozen base, no adapter", .colour = 7};
        d.judge(r, {});
        return r;
    }));
    const auto& c = d.a.base.config();
    for (const auto& who : all)
        if (!add(d.compete(who, build(who, c, b.seed)))) return stopped(folder);
    {
        auto who = hrm_published();
        who.name = "hrm_calibrated";
        who.label = "HRM, started by calibration";
        who.rate = 1e-2;  // the best of 0.003, 0.01, 0.025 on validation data
        who.colour = 2;
        const bool done = std::filesystem::exists(folder + "/" + who.name + ".json");
        if (!add(d.compete(who, done ? adapter_set<float>{} : calibrated(d.a.base, d.a.train, build(hrm_published(), c, b.seed), 42, b, d.workers, crops)))) return stopped(folder);
    }
    for (const auto& who : {hrm_published(), hrm_shipped()})
        for (double epsilon : {0.1, 0.01}) {
            const auto pair = d.truncate(who, epsilon);
            if (!pair) return stopped(folder);
            for (const auto& r : *pair) add(r);
        }

    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (const auto& line : table_of(rows)) {
        std::printf("%-58s", line[0].c_str());
        for (std::size_t i = 1; i < line.size(); ++i) std::printf(" %*s", i == 7 ? 10 : 23, line[i].c_str());
        std::printf("\n");
    }
    const auto path = out + "/report.html";
    const auto html = report(rows, {d.a.text, base, machine(), b.steps, b.batch, b.length, window, seconds});
    write_atomically(path, std::as_bytes(std::span(html)));
    std::printf("\nreport: %s\n", path.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return guarded([&] { return demo(argc, argv); });
}
