#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

// Google Benchmark as the clock: it finds out how often a piece of work must be repeated, and runs the contestants' rounds
// in a random order. Machines drift and are shared, so only times taken side by side compare; the median is what is told.

namespace hrm::bench {

struct options {
    int threads = 1;         ///< what the contestants were told; printed, and stored in the header
    int rounds = 21;         ///< samples of each contestant
    double sample_s = 4e-3;  ///< a sample repeats its work until it lasts so long
    double budget_s = 30;    ///< fewer rounds where they would take longer, though never fewer than three
};

/// What is timed: work, by our clock, or the seconds that a peer with a clock of its own says a repeat took.
struct contestant {
    std::function<void()> work;
    std::function<double(long)> seconds = {};
    double run() const {
        const auto start = std::chrono::steady_clock::now();
        if (seconds) return seconds(1);
        work();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
};

/// The median of each contestant's seconds. One thread is timed by the processor's clock, which stops while a neighbour has
/// the core; several by the wall's.
inline std::vector<double> medians(const std::vector<contestant>& all, const options& how) {
    struct collector : benchmark::BenchmarkReporter {
        std::vector<std::vector<double>> cpu, wall;
        bool ReportContext(const Context&) override { return true; }
        void ReportRuns(const std::vector<Run>& runs) override {
            for (const auto& r : runs) {
                if (r.run_type != Run::RT_Iteration) continue;
                const auto i = std::stoul(r.run_name.function_name);
                cpu[i].push_back(r.GetAdjustedCPUTime());
                wall[i].push_back(r.GetAdjustedRealTime());
            }
        }
    } collect;
    collect.cpu.resize(all.size());
    collect.wall.resize(all.size());

    double round_s = 0;
    for (const auto& c : all) {
        c.run();  // first touch of its memory
        round_s += std::max(how.sample_s, c.run());
    }
    const int rounds = std::clamp(static_cast<int>(how.budget_s / round_s), 3, how.rounds);
    char name[] = "bench", order[] = "--benchmark_enable_random_interleaving=true";
    char* words[] = {name, order, nullptr};
    int count = 2;
    benchmark::Initialize(&count, words);
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto* b = benchmark::RegisterBenchmark(std::to_string(i).c_str(), [&c = all[i]](benchmark::State& state) {
            if (c.seconds)
                for (auto unused : state) state.SetIterationTime(c.seconds(1));
            else
                for (auto unused : state) c.work();
        });
        b->Unit(benchmark::kSecond)->MinTime(how.sample_s)->Repetitions(rounds)->MeasureProcessCPUTime();
        if (all[i].seconds) b->UseManualTime();
        else if (how.threads > 1) b->UseRealTime();  // how long is long enough
    }
    benchmark::RunSpecifiedBenchmarks(&collect);
    benchmark::ClearRegisteredBenchmarks();

    std::vector<double> out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& s = (how.threads > 1 || all[i].seconds ? collect.wall : collect.cpu)[i];
        const auto middle = s.begin() + static_cast<std::ptrdiff_t>(s.size() / 2);
        std::nth_element(s.begin(), middle, s.end());
        out.push_back(*middle);
    }
    return out;
}

}  // namespace hrm::bench
