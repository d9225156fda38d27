#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <hrm/adapter/recurrent.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/reduction/empirical.hpp>

namespace hrm {

/// What calibration collects beside the states: the second moments of what the adapters read.
enum class collect { states, states_and_inputs };

/// What one place of a model has seen. Sums are exact (state_covariance), so the order of the calls does not show.
class calibration {
public:
    calibration(index_t states, index_t inputs) : states_(states), inputs_(inputs) {}

    template <real S>
    void add(matrix_view<const S> states, matrix_view<const S> inputs) {
        // Products outside the lock: threads meet only for the sums.
        state_covariance s(states_.states()), u(inputs_.states());
        if (s.states() > 0) s.add(states);
        if (u.states() > 0) u.add(inputs);
        std::lock_guard lock(mutex_);
        states_.merge(s);
        inputs_.merge(u);
        tokens_ += inputs.rows;
    }
    /// (1/T) sum s_t s_t^T, n x n: the empirical controllability Gramian. Empty for an adapter without states.
    matrix<double> states() const { return states_.gramian(); }
    /// (1/T) sum u_t u_t^T, inputs x inputs; empty when not collected.
    matrix<double> inputs() const { return inputs_.gramian(); }
    index_t tokens() const { return tokens_; }

private:
    std::mutex mutex_;
    state_covariance states_, inputs_;
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
            to_->add<S>(s, u);
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
/// The result depends on the sequences alone, not on their order or the threads. Costs L n^2 flop a call beside the
/// states; inputs as well: L inputs^2 and 40 inputs^2 bytes.
template <real S>
class calibrator {
public:
    explicit calibrator(const adapter_set<S>& set, collect what = collect::states) {
        for (const auto& place : set) {
            const auto* recurrent = dynamic_cast<const recurrent_adapter<S>*>(place.adapter.get());
            seen_.push_back(std::make_unique<calibration>(recurrent ? recurrent->states() : 0,
                                                          what == collect::states_and_inputs ? place.adapter->inputs() : 0));
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

private:
    std::vector<std::unique_ptr<calibration>> seen_;
    adapter_set<S> adapters_;
};

}  // namespace hrm
