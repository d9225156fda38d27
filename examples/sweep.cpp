// Which learning rate suits each contestant, and which member of the family is shipped: measured on validation data
// only. Results are lines of JSON; a stopped sweep goes on where it was.
//     sweep --out docs/results/sweep.jsonl

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>

#include "support/base.hpp"
#include "support/contestants.hpp"
#include "support/failure.hpp"
#include "support/options.hpp"
#include "support/runs.hpp"

using namespace hrm;
using namespace hrm::examples;

namespace {

constexpr double factor = 1.6;  // between neighbouring rates

/// The best of the rates middle * factor^k: starts at k = 0 and walks until both neighbours of the best have been tried.
std::optional<run_result> best_rate(const arena& a, const contestant& who, double middle, const budget& b, run_log& log) {
    std::map<int, run_result> seen;
    for (int next = 0;;) {
        const double rate = std::stod(print("%.2g", middle * std::pow(factor, next)));
        const auto r = run(a, who, rate, b, log);
        if (!r) return std::nullopt;
        seen[next] = *r;
        const auto best = std::min_element(seen.begin(), seen.end(), [](const auto& x, const auto& y) { return x.second.validation < y.second.validation; });
        if (!seen.contains(best->first + 1)) next = best->first + 1;
        else if (!seen.contains(best->first - 1)) next = best->first - 1;
        else return best->second;
    }
}

int sweep(int argc, char** argv) {
    CLI::App app("Learning rates and the shipped member of the family, chosen on validation data");
    std::string out = "build/sweep.jsonl", text, base = default_base(), only;
    budget b;
    double middle = 0.016;
    app.add_option("--out", out, "lines of results, one a run; a run that is in it is not done again")->check(a_name())->capture_default_str();
    app.add_option("--text", text, "adapt to this file instead of Eigen's headers")->check(a_name());
    app.add_option("--base", base, "the frozen base model")->check(a_name())->capture_default_str();
    app.add_option("--only", only, "only contestants whose name begins so");
    app.add_option("--steps", b.steps, "training steps a run")->capture_default_str()->check(at_least(1));
    app.add_option("--batch", b.batch, "sequences a step")->capture_default_str()->check(at_least(1));
    app.add_option("--length", b.length, "bytes a sequence")->capture_default_str()->check(at_least(1));
    app.add_option("--seed", b.seed, "of data order and first weights")->capture_default_str();
    app.add_option("--threads", b.threads, "never changes a result")->capture_default_str()->check(at_least(1));
    app.add_option("--middle", middle, "the first learning rate tried")->capture_default_str()->check(positive());
    CLI11_PARSE(app, argc, argv);
    catch_interrupts();

    const auto a = make_arena(base, text);
    run_log log(out);
    auto all = candidates();
    for (auto& who : {hrm_published(), lora_mlp(), lora_attention()}) all.insert(all.begin(), who);
    std::string names;
    for (const auto& who : all) names += " " + who.name;
    std::erase_if(all, [&](const auto& who) { return !who.name.starts_with(only); });
    if (all.empty()) throw hrm::error("sweep: no contestant's name begins with " + only + "; they are" + names);
    std::printf("%s\n%-52s %10s %9s %12s\n", a.text.c_str(), "contestant", "parameters", "best rate", "validation");
    for (const auto& who : all) {
        const auto best = best_rate(a, who, middle, b, log);
        if (!best) return stopped(out);
        std::printf("%-52s %10td %9.2g %12.4f\n", who.label.c_str(), best->parameters, best->rate, best->validation);
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return guarded([&] { return sweep(argc, argv); });
}
