#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <hrm/cuda/runtime.hpp>

#include "records.hpp"

// Time on the device, by its own events. A sample is a CUDA graph of so many repeats that it lasts some milliseconds, so that
// what the host does is not in it; samples of all contestants of a case take turns, and the median is told.

namespace hrm::bench::gpu {

inline void check(cudaError_t status, const char* call) { hrm::detail::check_cuda(status, "bench_gpu", call); }

/// Work put into a stream. `slot` counts repeats: work takes other operands each time, so that the cache is cold, as far as
/// slots() asks for.
struct contestant {
    std::string who;
    std::function<void(int slot)> work;
    cost needs;
    std::optional<double> goal = {};
    std::function<double()> seconds = {};  ///< instead of work: a peer with a clock of its own tells the time of one repeat
};

/// Sets of operands of so many bytes that together go well beyond any cache.
inline int slots(double bytes) { return static_cast<int>(std::clamp(400e6 / std::max(bytes, 1.0), 1.0, 64.0)); }

class stopwatch {
public:
    explicit stopwatch(cuda where) : where_(where) {
        check(cudaEventCreate(&start_), "cudaEventCreate");
        check(cudaEventCreate(&end_), "cudaEventCreate");
    }
    stopwatch(const stopwatch&) = delete;
    ~stopwatch() {
        cudaEventDestroy(start_);
        cudaEventDestroy(end_);
    }
    /// Seconds between the two ends of what `work` puts into the stream.
    template <class F>
    double operator()(F&& work) const {
        check(cudaEventRecord(start_, where_.stream), "cudaEventRecord");
        work();
        check(cudaEventRecord(end_, where_.stream), "cudaEventRecord");
        check(cudaEventSynchronize(end_), "cudaEventSynchronize");
        float ms = 0;
        check(cudaEventElapsedTime(&ms, start_, end_), "cudaEventElapsedTime");
        return 1e-3 * static_cast<double>(ms);
    }

private:
    cuda where_;
    cudaEvent_t start_ = nullptr, end_ = nullptr;
};

/// A contestant's repeats, captured.
class repeated {
public:
    repeated(cuda where, const contestant& c, int repeats) : where_(where), repeats_(repeats) {
        cudaGraph_t graph = nullptr;
        check(cudaStreamBeginCapture(where.stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        for (int i = 0; i < repeats; ++i) c.work(i);
        check(cudaStreamEndCapture(where.stream, &graph), "cudaStreamEndCapture");
        const auto status = cudaGraphInstantiate(&run_, graph, 0);
        cudaGraphDestroy(graph);
        check(status, "cudaGraphInstantiate");
    }
    repeated(const repeated&) = delete;
    ~repeated() { cudaGraphExecDestroy(run_); }
    double seconds(const stopwatch& watch) const {
        return watch([&] { check(cudaGraphLaunch(run_, where_.stream), "cudaGraphLaunch"); }) / repeats_;
    }

private:
    cuda where_;
    int repeats_;
    cudaGraphExec_t run_ = nullptr;
};

struct timing {
    int rounds = 11;
    double sample_s = 3e-3;
    int most_repeats = 256;
};

/// One row a contestant, their samples taken in turns.
inline std::vector<figure> compare(cuda where, const std::string& name, const std::vector<contestant>& all, const timing& how = {}) {
    const stopwatch watch(where);
    std::vector<std::unique_ptr<repeated>> work;
    for (const auto& c : all) {
        if (c.seconds) {
            c.seconds();
            work.push_back(nullptr);
            continue;
        }
        for (int i = 0; i < 2; ++i) c.work(i);  // modules are loaded, memory is touched
        synchronize(where);
        const double once = repeated(where, c, 4).seconds(watch);
        work.push_back(std::make_unique<repeated>(where, c, static_cast<int>(std::clamp(how.sample_s / once, 1.0, static_cast<double>(how.most_repeats)))));
        work.back()->seconds(watch);
    }
    std::vector<std::vector<double>> samples(all.size());
    for (int round = 0; round < how.rounds; ++round)
        for (std::size_t i = 0; i < all.size(); ++i) samples[i].push_back(all[i].seconds ? all[i].seconds() : work[i]->seconds(watch));
    std::vector<figure> out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& s = samples[i];
        std::sort(s.begin(), s.end());
        const double median = s[s.size() / 2];
        out.push_back({name, all[i].who, median, i ? out[0].seconds / median : 1, all[i].needs, all[i].goal, s.front(), s.back()});
    }
    return out;
}

}  // namespace hrm::bench::gpu
