#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <hrm/core/parallel.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/train/adamw.hpp>
#include <hrm/train/checkpoint.hpp>
#include <hrm/train/clip.hpp>
#include <hrm/train/loss.hpp>
#include <hrm/train/parameter_list.hpp>
#include <hrm/train/schedule.hpp>

namespace hrm {

struct trainer_options {
    cpu where = {};
    index_t batch = 16;  ///< items a step
    adamw_options adamw = {};
    double clip = 1;                                        ///< bound of the gradient's norm; 0: none
    std::function<double(index_t)> rate = constant_schedule{};  ///< learning rate at step 0, 1, ..
};

/// What one step did.
struct step_report {
    index_t step = 0;  ///< counted from 1
    score loss;        ///< before the step, over the whole batch
    double rate = 0, gradient_norm = 0, seconds = 0;
    double tokens_per_second() const { return seconds > 0 ? static_cast<double>(loss.tokens) / seconds : 0; }
};

/// One line of a JSONL log: step, loss (nats a token), bits_per_byte, lr, grad_norm, tokens_per_s.
inline std::string json_line(const step_report& r) {
    char line[256];
    std::snprintf(line, sizeof line,
                  R"({"step": %td, "loss": %.6g, "bits_per_byte": %.6g, "lr": %.6g, "grad_norm": %.6g, "tokens_per_s": %.6g})",
                  r.step, r.loss.bits() * std::numbers::ln2, r.loss.bits(), r.rate, r.gradient_norm,
                  r.tokens_per_second());
    return line;
}

/// The training loop, one step at a time, of anything with a gradient: adapters, a transformer, a toy.
///     trainer<float> t(parameter_list<float>(adapters), {.where = {.threads = 2}, .batch = 8});
///     auto r = t.step([&](index_t item, int worker, std::span<float> gradient) {
///         ...                                       // forward and backward of this item in t.scratch(worker)
///         return score{nats, tokens};               // gradient += d(nats)/d(parameters)
///     });
/// The step follows the gradient of (sum of nats) / (number of tokens) over the whole batch, never a mean of means.
/// Items share the team's threads; item i adds to buffer i mod 16, each buffer takes its items in order, and buffers are
/// summed in order: the bits depend on the batch, not on the threads. A run goes on exactly where save() left it.
template <real S>
class trainer {
public:
    static constexpr index_t lanes = 16;

    trainer(parameter_list<S> what, trainer_options options)
        : what_(std::move(what)), options_(checked(std::move(options))), team_(options_.where), adamw_(what_, options_.adamw),
          gradients_(std::min(lanes, options_.batch), what_.size()), scores_(static_cast<std::size_t>(options_.batch)),
          scratch_(static_cast<std::size_t>(team_.size())) {}

    /// Throws numerical_error, with the parameters as they were, if the loss or a gradient is not finite.
    template <class F>
    step_report step(F&& loss_of) {
        const auto start = std::chrono::steady_clock::now();
        team_.run(gradients_.rows(), [&](index_t lane, int worker) {
            const auto gradient = gradients_.view().row_span(lane);
            std::fill(gradient.begin(), gradient.end(), S{0});
            for (index_t item = lane; item < options_.batch; item += lanes) {
                scratch(worker).clear();
                scores_[static_cast<std::size_t>(item)] = loss_of(item, worker, gradient);
            }
        });
        step_report report;
        for (const auto& s : scores_) report.loss += s;
        if (report.loss.tokens < 1) throw error("hrm::trainer: the batch of step " + std::to_string(steps() + 1) + " predicts 0 tokens");
        if (!std::isfinite(report.loss.nats))
            throw numerical_error("hrm::trainer: the loss of step " + std::to_string(steps() + 1) + " is not finite");
        const auto gradient = sum(S{1} / static_cast<S>(report.loss.tokens));
        report.rate = options_.rate(steps());
        report.gradient_norm = hrm::clip(what_, gradient, options_.clip);
        adamw_.step(what_, std::span<const S>(gradient), report.rate);
        report.step = steps();
        report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return report;
    }

    /// Steps taken, those before a restore included.
    index_t steps() const { return adamw_.steps(); }
    const parameter_list<S>& parameters() const { return what_; }
    team& workers() { return team_; }
    /// This worker's scratch, cleared before each item.
    workspace& scratch(int worker) { return scratch_[static_cast<std::size_t>(worker)]; }

    /// Parameters, moments and the step: all there is, since data and masks are functions of the step.
    void save(snapshot& to) const {
        for (const auto& t : what_.tensors())
            to.put("parameter/" + t.name, matrix_view<const S>(t.values()));
        adamw_.save(what_, to);
    }
    snapshot save() const {
        snapshot s;
        save(s);
        return s;
    }
    void restore(const snapshot& from) {
        for (const auto& t : what_.tensors()) {
            const auto values = t.values();
            from.copy_to("parameter/" + t.name, std::span<S>(values.data, static_cast<std::size_t>(values.size())));
        }
        adamw_.restore(what_, from);
    }

private:
    static trainer_options checked(trainer_options o) {
        if (o.batch < 1) throw error("hrm::trainer: batch of " + std::to_string(o.batch) + ", expected 1 or more");
        return o;
    }
    /// Row 0 becomes factor * (sum of the rows), row after row for each element.
    std::span<S> sum(S factor) {
        const auto g = gradients_.view();
        constexpr index_t strip = 4096;
        team_.run((g.cols + strip - 1) / strip, [&](index_t s, int) {
            const index_t first = s * strip, count = std::min(strip, g.cols - first);
            S* to = g.data + first;
            for (index_t lane = 1; lane < g.rows; ++lane) axpy(S{1}, g.row(lane) + first, to, count);
            for (index_t i = 0; i < count; ++i) to[i] *= factor;
        });
        return g.row_span(0);
    }

    parameter_list<S> what_;
    trainer_options options_;
    team team_;
    hrm::adamw<S> adamw_;
    matrix<S> gradients_;
    std::vector<score> scores_;
    std::vector<workspace> scratch_;
};

}  // namespace hrm
