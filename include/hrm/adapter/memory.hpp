#pragma once

#include <cmath>

#include <hrm/adapter/options.hpp>
#include <hrm/adapter/poles.hpp>
#include <hrm/adapter/recurrent.hpp>
#include <hrm/core/random.hpp>

namespace hrm {

/// The HRM adapter: LoRA with memory.
///     z_t = Bbar u_t,   s_t = Abar s_{t-1} + z_t,   out_t += gate * scale * (C s_t + D (.) u_t)
/// Abar and the factor of Bbar's rows come from the poles' own parameters (poles.hpp); the first options.static_states
/// states have Abar = 0 and no pole, so static_states = states is LoRA.
///     tensors  B n x inputs, C outputs x n;   logA, logdt | theta | nu, phase;   gate...;   D, s0 where asked for
/// Published options: 2nd + 2n + 1 parameters. Thapliyal, arXiv 2606.26290 (2026); the family, method of our own.
template <real S>
class hrm_adapter final : public recurrent_adapter<S> {
public:
    /// Throws error naming the first option that makes no sense.
    hrm_adapter(index_t inputs, index_t outputs, hrm_options o, random_stream& r)
        : recurrent_adapter<S>(shape_of(inputs, outputs, o), o.gate, o.gate_start, o.scale, o.reset_every), options_(o) {
        auto& p = this->parameters_;
        const index_t rows = dynamic_poles();
        switch (o.poles) {
            case poles::real_positive:
                first_ = p.add("logA", rows, 1, decay::no);
                second_ = p.add("logdt", rows, 1, decay::no);
                break;
            case poles::real_signed: first_ = p.add("theta", rows, 1, decay::no); break;
            case poles::complex_pairs:
                first_ = p.add("nu", rows, 1, decay::no);
                second_ = p.add("phase", rows, 1, decay::no);
                break;
        }
        this->add_projections(o.feedthrough == feedthrough::diagonal, o.learn_initial_state);
        start_poles(r);
        start_projections(r);
    }

    std::string_view kind() const override { return "hrm"; }
    std::unique_ptr<adapter<S>> clone() const override { return std::make_unique<hrm_adapter>(*this); }
    option_list options() const override { return options_.list(); }
    const hrm_options& settings() const { return options_; }

protected:
    void transition(std::span<double> flat, std::span<double> scale, std::span<pole> all) const override {
        const auto& p = this->parameters_;
        fill_poles<S>(options_.poles, p[first_].data, second_ < 0 ? nullptr : p[second_].data, dynamic_poles(), options_, all.data());
        std::fill(scale.begin(), scale.end(), 1.0);
        const auto k = all.size(), n0 = static_cast<std::size_t>(options_.static_states);
        for (std::size_t i = 0; i < k; ++i) {
            flat[i] = all[i].re;
            scale[n0 + i] = all[i].scale;
            if (!complex()) continue;
            flat[k + i] = all[i].im;
            scale[n0 + k + i] = all[i].scale;
        }
    }
    [[gnu::noinline]] void transition_backward(const pole_slopes& of, std::span<const double> dflat, std::span<const double> dlog_scale,
                                               std::span<S> gradient) const override {
        const index_t k = of.count;
        const double *const da = dflat.data(), *const ds = dlog_scale.data() + options_.static_states;
        for (int j = 0; j < (second_ < 0 ? 1 : 2); ++j) {
            const double *const re = of.re(j), *const scale = of.log_scale(j);
            S* const __restrict to = this->parameters_.in(gradient, j == 0 ? first_ : second_).data;
            if (complex()) {
                const double* const im = of.im(j);
                for (index_t i = 0; i < k; ++i) to[i] += static_cast<S>(re[i] * da[i] + im[i] * da[k + i] + scale[i] * (ds[i] + ds[k + i]));
            } else
                for (index_t i = 0; i < k; ++i) to[i] += static_cast<S>(re[i] * da[i] + scale[i] * ds[i]);
        }
    }

private:
    static recurrent_shape shape_of(index_t inputs, index_t outputs, const hrm_options& o) {
        o.check(inputs, outputs);
        const index_t dynamic = o.dynamic_states();
        const bool pairs = o.poles == poles::complex_pairs;
        return {inputs, outputs, o.static_states, pairs ? 0 : dynamic, pairs ? dynamic / 2 : 0, 0};
    }
    bool complex() const { return options_.poles == poles::complex_pairs; }
    index_t dynamic_poles() const { return complex() ? this->shape_.pairs : this->shape_.reals; }

    void put(index_t i, double first, double second) {
        this->parameters_[first_](i, 0) = static_cast<S>(first);
        if (second_ >= 0) this->parameters_[second_](i, 0) = static_cast<S>(second);
    }

    /// published: S4D-Real, a_i = -(i + 1), and S4D-Lin, a_i = -1/2 + i pi, with Delta log-uniform in its range (Gu,
    /// Gupta, Goel & Re 2022); signed poles take S4D-Real's sizes and alternate in sign.
    /// like_lora: memory lengths on an even grid in the logarithm; LRU's uniform phases for pairs.
    void start_poles(random_stream& r) {
        const index_t k = dynamic_poles();
        const bool published = options_.start == start::published;
        for (index_t i = 0; i < k; ++i) {
            const double log_dt = std::log(options_.dt_min) + std::log(options_.dt_max / options_.dt_min) * r.uniform();
            const double spread = r.uniform();
            const double dt = std::exp(log_dt), place = static_cast<double>(i);
            const double memory = std::pow(options_.longest_memory, (place + 0.5) / static_cast<double>(k));
            const double rate = published ? dt * (complex() ? 0.5 : place + 1) : 1 / memory;
            if (complex())
                put(i, std::log(rate), published ? dt * std::numbers::pi * place : options_.largest_phase * spread);
            else if (options_.poles == poles::real_signed)
                put(i, (i % 2 ? -1 : 1) * std::atanh(std::exp(-rate)), 0);
            else if (published)
                put(i, std::log(place + 1), log_dt);
            else {
                const auto [log_a, step] = real_positive_from_rate(rate, options_);
                put(i, log_a, step);
            }
        }
    }
    void start_projections(random_stream& r) {
        auto& p = this->parameters_;
        const double fan = 1 / std::sqrt(static_cast<double>(this->inputs()));
        const auto b = p[this->b_], c = p[this->c_];
        const auto flat = [](matrix_view<S> m) { return std::span<S>(m.data, static_cast<std::size_t>(m.size())); };
        if (options_.start == start::published) {
            r.fill_normal(flat(b), fan);
            r.fill_normal(flat(c), 1 / std::sqrt(static_cast<double>(this->states())));
        } else {
            for (S& x : flat(b)) x = static_cast<S>(r.uniform(-fan, fan));
        }
    }

    hrm_options options_;
    index_t first_ = -1, second_ = -1;
};

}  // namespace hrm
