#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <hrm/core/progress.hpp>
#include <hrm/io/checkpoint.hpp>
#include <hrm/model/transformer.hpp>
#include <hrm/train/data.hpp>
#include <hrm/train/loop.hpp>
#include <hrm/train/next_token.hpp>

#include "interrupt.hpp"
#include "plot.hpp"

namespace hrm::examples {

/// What every contestant gets alike: the same crops in the same order, the same number of steps.
struct budget {
    index_t steps = 100, batch = 4, length = 1024;
    std::uint64_t seed = 1;
    int threads = 2;
};

struct learning {
    std::vector<double> step, bits;  ///< bits per byte of each training batch, before its step
    double seconds_per_1000_tokens = 0;
};

/// Trains the adapters (all of them, or only the tensors whose name ends in `only`) beside the frozen base. Goes on from
/// `checkpoint` if that exists; a signal saves there and returns nothing.
inline std::optional<learning> adapt(const transformer<float>& base, adapter_set<float>& adapters, const corpus& text,
                                     const budget& b, double rate, const std::string& label,
                                     const std::string& checkpoint = {}, const std::string& only = {}) {
    parameter_list<float> what(adapters);
    if (!only.empty()) what.only(only);
    const cosine_schedule schedule{.peak = rate, .warmup = std::max<index_t>(1, b.steps / 10), .total = b.steps, .floor = 0.1 * rate};
    trainer<float> t(what, {.where = {.threads = b.threads}, .batch = b.batch, .adamw = {.weight_decay = 0.0}, .rate = schedule});
    const sampler crops(text, b.length, b.seed);
    matrix<double> curve(2, b.steps);  // bits, seconds per 1000 tokens
    if (!checkpoint.empty() && std::filesystem::exists(checkpoint)) {
        const auto saved = load_checkpoint(checkpoint);
        auto so_far = saved.get<double>("curve");
        require_shape("hrm::adapt", "the curve in " + checkpoint, so_far.rows(), so_far.cols(), 2, b.steps);
        t.restore(saved);
        curve = std::move(so_far);
    }
    const auto save = [&] {
        if (checkpoint.empty()) return;
        auto s = t.save();
        s.put<double>("curve", curve.view());
        save_checkpoint(checkpoint, s);
    };
    progress bar(label, b.steps);
    bar.begin_at(t.steps());
    auto saved_at = std::chrono::steady_clock::now();
    while (t.steps() < b.steps) {
        const index_t step = t.steps();
        const auto r = t.step([&](index_t item, int worker, std::span<float> gradient) {
            auto& ws = t.scratch(worker);
            std::vector<std::int32_t> tokens, targets;
            text.read(crops.crop(step, item), tokens, targets);
            activations<float> keep;
            return next_token_loss<float>(base, tokens, targets, adapters, gradient, {}, keep,
                                          {.draw = static_cast<std::uint64_t>(step * b.batch + item)}, ws);
        });
        curve(0, step) = r.loss.bits();
        curve(1, step) = 1000 / r.tokens_per_second();
        bar.update(t.steps(), print("%.3f bits per byte", r.loss.bits()));
        const auto now = std::chrono::steady_clock::now();
        if (interrupted()) {
            bar.finish();
            save();
            return std::nullopt;
        }
        if (now - saved_at > std::chrono::seconds(10)) {
            save();
            saved_at = now;
        }
    }
    learning done;
    std::vector<double> cost;
    for (index_t i = 0; i < b.steps; ++i) {
        done.step.push_back(static_cast<double>(i));
        done.bits.push_back(curve(0, i));
        cost.push_back(curve(1, i));
    }
    std::nth_element(cost.begin(), cost.begin() + static_cast<std::ptrdiff_t>(cost.size() / 2), cost.end());
    done.seconds_per_1000_tokens = cost[cost.size() / 2];
    return done;
}

}  // namespace hrm::examples
