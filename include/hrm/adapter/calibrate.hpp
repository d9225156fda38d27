#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hrm/adapter/recurrent.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/reduction/empirical.hpp>
#include <hrm/reduction/sketch.hpp>

namespace hrm {

/// What calibration collects beside the states: the second moments of what the adapters read.
enum class collect { states, states_and_inputs };

/// What one place of a model has seen: n x n of its states, and of what it reads a sketch, O(inputs columns) whatever the
/// width. Sums are exact (state_covariance, moment_sketch), so the order of the calls does not show, nor who made them.
class calibration {
public:
    /// inputs: 0 where they are not collected.
    calibration(index_t states, index_t inputs, const sketch_options& sketch = {}) : states_(states) {
        if (inputs > 0) inputs_.emplace(inputs, sketch);
    }

    template <real S>
    void add(matrix_view<const S> states, matrix_view<const S> inputs, workspace& ws) {
        state_covariance s(states_.states());
        if (s.states() > 0) s.add(states);
        std::lock_guard lock(mutex_);
        if (inputs_) inputs_->add(inputs, ws);  // O(columns) a number read, where the model around it pays its width
        states_.merge(s);
        tokens_ += inputs.rows;
    }
    /// (1/T) sum s_t s_t^T, n x n: the empirical controllability Gramian. Empty for an adapter without states.
    matrix<double> states() const { return states_.gramian(); }
    /// The leading `rank` directions of (1/T) sum u_t u_t^T, and what they miss; nothing when not collected.
    moment_estimate inputs(index_t rank) const { return inputs_ ? inputs_->estimate(rank) : moment_estimate{}; }
    index_t tokens() const { return tokens_; }

    /// All of it as numbers for another process.
    std::vector<std::int64_t> words() const {
        const auto s = states_.words(), u = inputs_ ? inputs_->words() : std::vector<std::int64_t>{};
        std::vector<std::int64_t> all{tokens_, static_cast<std::int64_t>(s.size())};
        all.insert(all.end(), s.begin(), s.end());
        all.insert(all.end(), u.begin(), u.end());
        return all;
    }
    /// Takes in what words() gave elsewhere.  Throws shape_error, and takes nothing, if that was no such place.
    void merge(std::span<const std::int64_t> words) {
        const bool good = words.size() >= 2 && words[0] >= 0 && words[1] >= 0 && static_cast<std::size_t>(words[1]) <= words.size() - 2;
        if (!good) throw shape_error("hrm::calibration: " + std::to_string(words.size()) + " words that are no calibration");
        const auto s = words.subspan(2, static_cast<std::size_t>(words[1])), u = words.subspan(2 + s.size());
        state_covariance other(states_.states());
        other.merge(s);
        if (inputs_) inputs_->merge(u);
        else require_size("hrm::calibration", "words of the inputs", static_cast<index_t>(u.size()), 0);
        states_.merge(other);
        tokens_ += words[0];
    }

private:
    std::mutex mutex_;
    state_covariance states_;
    std::optional<moment_sketch> inputs_;
    index_t tokens_ = 0;
};

/// An adapter that does what the one inside does, and notes the states it visits and the inputs it reads.
template <real S>
class calibrating_adapter final : public adapter<S> {
public:
    calibrating_adapter(std::unique_ptr<adapter<S>> inside, calibration& to)
        : inside_(std::move(inside)), recurrent_(dynamic_cast<const recurrent_adapter<S>*>(inside_.get())), to_(&to) {
        this->parameters_ = inside_->parameters();
    }
    std::string_view kind() const override { return inside_->kind(); }
    index_t inputs() const override { return inside_->inputs(); }
    index_t outputs() const override { return inside_->outputs(); }
    index_t state_size() const override { return inside_->state_size(); }
    std::unique_ptr<adapter<S>> clone() const override {
        return std::make_unique<calibrating_adapter>(inside_->clone(), *to_);
    }
    option_list options() const override { return inside_->options(); }

    void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>& how, kept<S>& keep,
                 workspace& ws) const override {
        {
            scratch_scope scope(ws);
            const auto s = ws.template take_matrix<S>(u.rows, recurrent_ ? recurrent_->states() : 0);
            if (recurrent_) recurrent_->fill_states(u, how, s, ws);
            to_->add<S>(s, u, ws);
        }
        inside_->forward(u, out, how, keep, ws);
    }
    void backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du, std::span<S> gradient,
                  const call<S>& how, const kept<S>& keep, workspace& ws) const override {
        inside_->backward(u, dout, du, gradient, how, keep, ws);
    }

private:
    std::unique_ptr<adapter<S>> inside_;
    const recurrent_adapter<S>* recurrent_;
    calibration* to_;
};

/// Listens to a whole set while a model runs: give adapters() to the model's forward, from as many threads as you like,
/// then read what each place saw.
///     calibrator<float> listen(set);
///     for (each sequence) model.forward(tokens, listen.adapters(), ...);
///     auto reduced = reduce(set, listen.gramians(), {.tolerance = 0.1}, reports);
/// The result depends on the sequences alone, not on their order, the threads, or the processes whose words() were merged.
/// A call costs L n^2 flop beside the states; inputs as well: 2 L inputs columns, and 8 inputs columns bytes a place, up to 24 (moment_sketch).
template <real S>
class calibrator {
public:
    explicit calibrator(const adapter_set<S>& set, collect what = collect::states, const sketch_options& sketch = {}) {
        for (const auto& place : set) {
            const auto* recurrent = dynamic_cast<const recurrent_adapter<S>*>(place.adapter.get());
            seen_.push_back(std::make_unique<calibration>(recurrent ? recurrent->states() : 0,
                                                          what == collect::states_and_inputs ? place.adapter->inputs() : 0, sketch));
            adapters_.attach(place.layer, place.site,
                             std::make_unique<calibrating_adapter<S>>(place.adapter->clone(), *seen_.back()));
        }
    }
    const adapter_set<S>& adapters() const { return adapters_; }
    std::size_t size() const { return seen_.size(); }
    const calibration& operator[](std::size_t i) const { return *seen_[i]; }
    /// The empirical controllability Gramian of every member.
    std::vector<matrix<double>> gramians() const {
        std::vector<matrix<double>> out;
        for (const auto& c : seen_) out.push_back(c->states());
        return out;
    }

    /// What all places have seen, for a calibrator of the same set in another process.
    std::vector<std::int64_t> words() const {
        std::vector<std::int64_t> all;
        for (const auto& c : seen_) {
            const auto w = c->words();
            all.push_back(static_cast<std::int64_t>(w.size()));
            all.insert(all.end(), w.begin(), w.end());
        }
        return all;
    }
    /// Throws shape_error if these are words of another set; places before the one that differs have then taken theirs.
    void merge(std::span<const std::int64_t> words) {
        for (const auto& c : seen_) {
            const bool good = !words.empty() && words[0] >= 0 && static_cast<std::size_t>(words[0]) < words.size();
            if (!good) throw shape_error("hrm::calibrator: words of fewer than " + std::to_string(size()) + " places");
            c->merge(words.subspan(1, static_cast<std::size_t>(words[0])));
            words = words.subspan(1 + static_cast<std::size_t>(words[0]));
        }
        require_size("hrm::calibrator", "words beyond the last place", static_cast<index_t>(words.size()), 0);
    }

private:
    std::vector<std::unique_ptr<calibration>> seen_;
    adapter_set<S> adapters_;
};

}  // namespace hrm
