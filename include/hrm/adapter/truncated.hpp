#pragma once

#include <algorithm>
#include <cmath>
#include <complex>

#include <hrm/adapter/poles.hpp>
#include <hrm/adapter/recurrent.hpp>
#include <hrm/systems/stability.hpp>

namespace hrm {

struct reduced_options {
    index_t reals = 0, pairs = 0;  ///< poles of a diagonalised A
    index_t full = 0;              ///< or the order of a dense one
    hrm::gate gate = hrm::gate::scalar;
    double gate_start = 1;
    double scale = 1;
    hrm::feedthrough feedthrough = hrm::feedthrough::none;
    index_t reset_every = 0;
    bool learn_initial_state = false;

    option_list list() const {
        return {{"reals", std::to_string(reals)},
                {"pairs", std::to_string(pairs)},
                {"full", std::to_string(full)},
                {"gate", std::string(gate_names[static_cast<std::size_t>(gate)])},
                {"gate_start", number_text(gate_start)},
                {"scale", number_text(scale)},
                {"feedthrough", std::string(feedthrough_names[static_cast<std::size_t>(feedthrough)])},
                {"reset_every", std::to_string(reset_every)},
                {"learn_initial_state", learn_initial_state ? "yes" : "no"}};
    }
    static reduced_options from(const option_list& list) {
        reduced_options o;
        read_option(list, "reals", o.reals);
        read_option(list, "pairs", o.pairs);
        read_option(list, "full", o.full);
        read_option(list, "gate", gate_names, o.gate);
        read_option(list, "gate_start", o.gate_start);
        read_option(list, "scale", o.scale);
        read_option(list, "feedthrough", feedthrough_names, o.feedthrough);
        read_option(list, "reset_every", o.reset_every);
        read_option(list, "learn_initial_state", o.learn_initial_state);
        return o;
    }
};

/// An adapter given by its discrete system: what truncation swaps in, every layer at an order of its own.
///     theta  q x 1   real poles tanh(theta)                A  r x r   or the dense A where poles would be ill-conditioned
///     nu, phase  k x 1   pairs exp(-exp(nu) +- i phase)    B  r x inputs,  C  outputs x r,  gate...,  D, s0
/// Poles stay stable while they are trained on; a dense A has no such guard. Order 0 adds nothing but D u.
template <real S>
class reduced_adapter final : public recurrent_adapter<S> {
public:
    /// Zero B and C; poles at 0. Throws error for negative orders, or poles beside a dense A.
    reduced_adapter(index_t inputs, index_t outputs, reduced_options o)
        : recurrent_adapter<S>(shape_of(inputs, outputs, o), o.gate, o.gate_start, o.scale, o.reset_every), options_(o) {
        auto& p = this->parameters_;
        if (o.full > 0) a_ = p.add("A", o.full, o.full, decay::no);
        if (o.reals > 0) theta_ = p.add("theta", o.reals, 1, decay::no);
        if (o.pairs > 0) {
            nu_ = p.add("nu", o.pairs, 1, decay::no);
            phase_ = p.add("phase", o.pairs, 1, decay::no);
        }
        this->add_projections(o.feedthrough == feedthrough::diagonal, o.learn_initial_state);
    }
    /// The system with its poles; o.reals, pairs and full are taken from it, gate and scale multiply it. d is diagonal.
    /// Throws numerical_error for a pole on or outside the unit circle.
    reduced_adapter(const discrete<complex_pairs<double>>& system, reduced_options o)
        : reduced_adapter(system.inputs(), system.outputs(), sized(o, system.a.reals(), system.a.pairs(), 0)) {
        auto& p = this->parameters_;
        for (index_t i = 0; i < options_.reals; ++i) {
            const double x = system.a.real[static_cast<std::size_t>(i)];
            require_stable(std::abs(x));
            p[theta_](i, 0) = static_cast<S>(std::atanh(x));
        }
        for (index_t i = 0; i < options_.pairs; ++i) {
            const std::complex<double> x(system.a.re[static_cast<std::size_t>(i)], system.a.im[static_cast<std::size_t>(i)]);
            require_stable(std::abs(x));
            const double radius = std::max(std::abs(x), 1e-300);  // 0 has no finite nu, and so no slope
            p[nu_](i, 0) = static_cast<S>(std::log(-std::log(radius)));
            p[phase_](i, 0) = static_cast<S>(std::arg(x));
        }
        fill(system.b, system.c, system.d);
    }
    reduced_adapter(const discrete<dense<double>>& system, reduced_options o)
        : reduced_adapter(system.inputs(), system.outputs(), sized(o, 0, 0, system.order())) {
        for (index_t i = 0; i < options_.full; ++i)
            for (index_t j = 0; j < options_.full; ++j) this->parameters_[a_](i, j) = static_cast<S>(system.a.a(i, j));
        fill(system.b, system.c, system.d);
    }

    std::string_view kind() const override { return "hrm-reduced"; }
    std::unique_ptr<adapter<S>> clone() const override { return std::make_unique<reduced_adapter>(*this); }
    option_list options() const override { return options_.list(); }
    const reduced_options& settings() const { return options_; }

    /// -1 / log |pole|, one a state.
    std::vector<double> memory_lengths() const override {
        if (options_.full == 0) return recurrent_adapter<S>::memory_lengths();
        std::vector<double> out;
        for (const auto& x : eigenvalues(this->dense_system().a)) out.push_back(-1 / std::log(std::abs(x)));
        return out;
    }

protected:
    void transition(std::span<double> flat, std::span<double> scale, std::span<pole> all) const override {
        const auto& p = this->parameters_;
        const auto q = static_cast<std::size_t>(options_.reals), k = static_cast<std::size_t>(options_.pairs);
        std::fill(scale.begin(), scale.end(), 1.0);
        if (options_.full > 0)
            for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<double>(p[a_].data[i]);
        if (q > 0) fill_poles<S>(poles::real_signed, p[theta_].data, nullptr, options_.reals, {}, all.data());
        if (k > 0) fill_poles<S>(poles::complex_pairs, p[nu_].data, p[phase_].data, options_.pairs, {}, all.data() + q);
        for (std::size_t i = 0; i < q + k; ++i) flat[i] = all[i].re;
        for (std::size_t i = q; i < q + k; ++i) flat[k + i] = all[i].im;
    }
    void transition_backward(const pole_slopes& of, std::span<const double> dflat, std::span<const double>,
                             std::span<S> gradient) const override {
        const auto& p = this->parameters_;
        const auto q = static_cast<std::size_t>(options_.reals), k = static_cast<std::size_t>(options_.pairs);
        if (options_.full > 0)
            for (std::size_t i = 0; i < dflat.size(); ++i) p.in(gradient, a_).data[i] += static_cast<S>(dflat[i]);
        for (std::size_t i = 0; i < q; ++i) p.in(gradient, theta_).data[i] += static_cast<S>(of.re(0)[i] * dflat[i]);
        for (std::size_t i = 0; i < k; ++i) {
            const double dre = dflat[q + i], dim = dflat[q + k + i];
            p.in(gradient, nu_).data[i] += static_cast<S>(of.re(0)[q + i] * dre + of.im(0)[q + i] * dim);
            p.in(gradient, phase_).data[i] += static_cast<S>(of.re(1)[q + i] * dre + of.im(1)[q + i] * dim);
        }
    }

private:
    static reduced_options sized(reduced_options o, index_t reals, index_t pairs, index_t full) {
        o.reals = reals;
        o.pairs = pairs;
        o.full = full;
        return o;
    }
    static recurrent_shape shape_of(index_t inputs, index_t outputs, const reduced_options& o) {
        if (o.reals < 0 || o.pairs < 0 || o.full < 0 || (o.full > 0 && o.reals + o.pairs > 0))
            throw error("hrm::reduced_adapter: orders are " + std::to_string(o.reals) + " reals, " + std::to_string(o.pairs) +
                        " pairs, " + std::to_string(o.full) + " dense, expected poles or a dense A, none negative");
        hrm_options shared;  // the rest means what it means there
        shared.gate = o.gate;
        shared.gate_start = o.gate_start;
        shared.scale = o.scale;
        shared.feedthrough = o.feedthrough;
        shared.reset_every = o.reset_every;
        shared.check(inputs, outputs);
        return {inputs, outputs, 0, o.reals, o.pairs, o.full};
    }
    static void require_stable(double radius) {
        if (!(radius < 1)) throw numerical_error("hrm::reduced_adapter: a pole of modulus " + number_text(radius) + ", expected below 1");
    }
    void fill(const matrix<double>& b, const matrix<double>& c, const matrix<double>& d) {
        auto& p = this->parameters_;
        const auto round = [](double x) { return static_cast<S>(x); };
        std::transform(b.flat().begin(), b.flat().end(), p[this->b_].data, round);
        std::transform(c.flat().begin(), c.flat().end(), p[this->c_].data, round);
        if (this->d_ >= 0 && !d.empty())
            for (index_t i = 0; i < d.rows(); ++i) p[this->d_](i, 0) = static_cast<S>(d(i, i));
    }

    reduced_options options_;
    index_t a_ = -1, theta_ = -1, nu_ = -1, phase_ = -1;
};

}  // namespace hrm
