// HRM against LoRA at equal parameters, equal data, equal budget, each at its own best learning rate: mean and spread
// over seeds, with the control whose memory is reset every window.
//     compare --seeds 5 --out docs/results/compare.jsonl

#include <cmath>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "support/base.hpp"
#include "support/contestants.hpp"
#include "support/failure.hpp"
#include "support/options.hpp"
#include "support/runs.hpp"

using namespace hrm;
using namespace hrm::examples;

namespace {

struct spread {
    double mean = 0, deviation = 0;
};
spread of(const std::vector<double>& x) {
    spread s;
    for (double v : x) s.mean += v / static_cast<double>(x.size());
    for (double v : x) s.deviation += (v - s.mean) * (v - s.mean);
    s.deviation = x.size() > 1 ? std::sqrt(s.deviation / static_cast<double>(x.size() - 1)) : 0;
    return s;
}

int compare(int argc, char** argv) {
    CLI::App app("HRM against LoRA over several seeds, with the reset control");
    std::string out = "build/compare.jsonl", text, base = default_base();
    budget b;
    std::uint64_t seeds = 5;
    app.add_option("--out", out, "lines of results, one a run; a run that is in it is not done again")->check(a_name())->capture_default_str();
    app.add_option("--text", text, "adapt to this file instead of Eigen's headers")->check(a_name());
    app.add_option("--base", base, "the frozen base model")->check(a_name())->capture_default_str();
    app.add_option("--seeds", seeds, "how many")->capture_default_str()->check(at_least(1));
    app.add_option("--steps", b.steps, "training steps a run")->capture_default_str()->check(at_least(1));
    app.add_option("--batch", b.batch, "sequences a step")->capture_default_str()->check(at_least(1));
    app.add_option("--length", b.length, "bytes a sequence")->capture_default_str()->check(at_least(1));
    app.add_option("--threads", b.threads, "never changes a result")->capture_default_str()->check(at_least(1));
    CLI11_PARSE(app, argc, argv);
    catch_interrupts();

    const auto a = make_arena(base, text);
    run_log log(out);
    auto all = contestants();
    for (auto& who : {hrm_published(), hrm_shipped()}) all.push_back(forgetful(who, a.base.config().window));
    std::vector<std::vector<run_result>> results(all.size());
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto here = b;
            here.seed = seed;
            const auto r = run(a, all[i], all[i].rate, here, log);
            if (!r) return stopped(out);
            results[i].push_back(*r);
        }

    const auto column = [&](std::size_t i, double run_result::*what) {
        std::vector<double> x;
        for (const auto& r : results[i]) x.push_back(r.*what);
        return x;
    };
    std::size_t rival = 0;  // the better LoRA
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].name.starts_with("lora") && of(column(i, &run_result::test)).mean < of(column(rival, &run_result::test)).mean) rival = i;
    std::printf("%s; %td steps of %td x %td bytes, %d seeds; differences are paired, against %s\n", a.text.c_str(), b.steps, b.batch, b.length,
                static_cast<int>(seeds), all[rival].label.c_str());
    std::printf("%-44s %10s %8s %20s %24s %10s\n", "contestant", "parameters", "rate", "test bits per byte", "difference", "s/1000 tok");
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto x = column(i, &run_result::test), y = column(rival, &run_result::test);
        std::vector<double> difference;
        for (std::size_t k = 0; k < x.size(); ++k) difference.push_back(x[k] - y[k]);
        const auto s = of(x), d = of(difference);
        std::printf("%-44s %10td %8.2g %10.4f +- %.4f %+12.4f +- %.4f %10.4f\n", all[i].label.c_str(), results[i][0].parameters, all[i].rate, s.mean,
                    s.deviation, d.mean, d.deviation, of(column(i, &run_result::seconds_per_1000_tokens)).mean);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return guarded([&] { return compare(argc, argv); });
}
