#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <hrm/adapter/adapter.hpp>
#include <hrm/adapter/detail/project.hpp>
#include <hrm/adapter/text.hpp>
#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {

struct lora_options {
    index_t rank = 8;
    double alpha = 16;        ///< the product is scaled by alpha / rank
    double dropout = 0;       ///< of the input, in training only
    std::uint64_t seed = 0;   ///< tells the masks of two adapters apart; 0: drawn when the adapter is made
};

/// LoRA: out_t += (alpha / r) B A drop(u_t).     A: r x inputs, Kaiming-uniform;  B: outputs x r, zero at the start.
/// Memoryless. Forward 2 L r (inputs + outputs) flop, backward twice that.
/// Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022; A drawn as the PEFT library draws it.
template <real S>
class lora final : public adapter<S> {
public:
    /// Throws error for a rank below 1 or a dropout outside [0, 1).
    lora(index_t inputs, index_t outputs, lora_options o, random_stream& r)
        : inputs_(inputs), outputs_(outputs), options_(o) {
        if (inputs < 1 || outputs < 1) throw shape_error("hrm::lora: layer is " + extents(outputs, inputs) + ", expected at least 1x1");
        if (o.rank < 1) throw error("hrm::lora: rank is " + std::to_string(o.rank) + ", expected at least 1");
        if (!(o.dropout >= 0 && o.dropout < 1))
            throw error("hrm::lora: dropout is " + number_text(o.dropout) + ", expected in [0, 1)");
        if (!std::isfinite(o.alpha)) throw error("hrm::lora: alpha is " + number_text(o.alpha) + ", expected a finite number");
        if (options_.dropout > 0 && options_.seed == 0) options_.seed = r.bits();
        a_ = this->parameters_.add("lora_A", o.rank, inputs, decay::yes);
        b_ = this->parameters_.add("lora_B", outputs, o.rank, decay::yes);
        // Kaiming-uniform with slope sqrt(5): a bound of sqrt(6 / ((1 + 5) inputs)).
        const double bound = 1 / std::sqrt(static_cast<double>(inputs));
        const auto a = this->parameters_[a_];
        for (index_t i = 0; i < a.size(); ++i) a.data[i] = static_cast<S>(r.uniform(-bound, bound));
    }

    std::string_view kind() const override { return "lora"; }
    index_t inputs() const override { return inputs_; }
    index_t outputs() const override { return outputs_; }
    index_t rank() const { return options_.rank; }
    std::unique_ptr<adapter<S>> clone() const override { return std::make_unique<lora>(*this); }
    option_list options() const override {
        return {{"rank", std::to_string(options_.rank)},
                {"alpha", number_text(options_.alpha)},
                {"dropout", number_text(options_.dropout)},
                {"seed", std::to_string(options_.seed)}};
    }
    static lora_options options_from(const option_list& list) {
        lora_options o;
        read_option(list, "rank", o.rank);
        read_option(list, "alpha", o.alpha);
        read_option(list, "dropout", o.dropout);
        read_option(list, "seed", o.seed);
        return o;
    }

    void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>& how, kept<S>& keep,
                 workspace& ws) const override {
        forward_with<S, S>(projections(), u, out, how, keep, ws);
    }
    void backward(matrix_view<const S> u, matrix_view<const S> dout, matrix_view<S> du, std::span<S> gradient,
                  const call<S>& how, const kept<S>& keep, workspace& ws) const override {
        backward_with<S, S>(projections(), u, dout, du, gradient, how, keep, ws);
    }

    /// A and B among the parameters: what B and C are to an adapter with states.
    detail::projections<S> projections() const { return {this->parameters_[a_], this->parameters_[b_]}; }
    /// Whether every sum into out and du is one product, so that they may be stored in bf16.
    bool sums_once(const call<S>& how) const { return !drops(how); }
    /// forward and backward with A and B in P, u and out in T; T = S unless sums_once.
    template <storable T, storable P>
    [[gnu::always_inline]] void forward_with(const detail::projections<P>& w, const matrix_view<const T>& u, const matrix_view<T>& out,
                                             const call<S>& how, kept<S>& keep, workspace& ws) const {
        require_shape("hrm::lora", "u", u.rows, u.cols, u.rows, inputs_);
        require_shape("hrm::lora", "out", out.rows, out.cols, u.rows, outputs_);
        if (how.carried) how.carried->position += u.rows;
        const auto before = ws.mark();
        const auto h = ws.template take_matrix<S>(u.rows, rank());
        const auto scratch = ws.mark();
        detail::project_in<S, T, P>(dropped(u, how, ws), w.in, h, ws, how.threads);
        detail::project_out<S, T, P>(h, w.out, factor(), out, ws, how.threads);
        const bool training = how.mode == pass::training;
        if (training) keep.m[0] = h;
        ws.release(training ? scratch : before);
    }
    /// With h_t = A drop(u_t):   dB += f dout^T h,  dh = f dout B,  dA += dh^T drop(u),  du += drop^T(dh A).
    template <storable T, storable P>
    [[gnu::always_inline]] void backward_with(const detail::projections<P>& w, const matrix_view<const T>& u, const matrix_view<const T>& dout,
                                              const matrix_view<T>& du, std::span<S> gradient, const call<S>& how, const kept<S>& keep,
                                              workspace& ws) const {
        require_shape("hrm::lora", "u", u.rows, u.cols, u.rows, inputs_);
        require_shape("hrm::lora", "dout", dout.rows, dout.cols, u.rows, outputs_);
        if (!du.empty()) require_shape("hrm::lora", "du", du.rows, du.cols, u.rows, inputs_);
        scratch_scope scope(ws);
        const auto& p = this->parameters_;
        const auto dh = ws.template take_matrix<S>(u.rows, rank());
        detail::output_backward<S, T, P>(dout, w.out, keep.m[0], factor(), p.in(gradient, b_), factor(), dh, ws, how.threads);
        const bool straight = !drops(how);  // what A's product says of u needs no mask
        detail::input_backward<S, T, P>(dh, dropped(u, how, ws), w.in, p.in(gradient, a_), straight ? du : matrix_view<T>{}, ws, how.threads);
        if constexpr (std::same_as<S, T>) {
            if (du.empty() || straight) return;
            const auto dx = ws.template take_matrix<S>(u.rows, inputs_);
            multiply(dh, w.in, dx);
            for_mask(u.rows, how.draw, [&](index_t t, index_t j, S m) { du(t, j) += m * dx(t, j); });
        }
    }

private:
    S factor() const { return static_cast<S>(options_.alpha / static_cast<double>(options_.rank)); }
    bool drops(const call<S>& how) const { return how.mode == pass::training && options_.dropout > 0; }

    /// u under the call's mask, in scratch; u itself when nothing is dropped.
    template <class T>
    matrix_view<const T> dropped(matrix_view<const T> u, const call<S>& how, workspace& ws) const {
        if constexpr (std::same_as<S, T>)
            if (drops(how)) {
                const auto x = ws.template take_matrix<S>(u.rows, u.cols);
                for_mask(u.rows, how.draw, [&](index_t t, index_t j, S m) { x(t, j) = m * u(t, j); });
                return x;
            }
        return u;
    }
    /// f(t, j, 0 or 1 / (1 - p)): a word of Philox an element, named by (seed, draw, element), so that backward draws
    /// the mask again instead of keeping it.
    template <class F>
    void for_mask(index_t rows, std::uint64_t draw, F&& f) const {
        const double p = options_.dropout;
        const auto limit = static_cast<std::uint32_t>(std::min(p * 0x1p32, 0x1p32 - 1));
        const auto pass_on = static_cast<S>(1 / (1 - p));
        const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
        std::array<std::uint32_t, 4> words{};
        for (index_t e = 0; e < rows * inputs_; ++e) {
            const auto block = static_cast<std::uint64_t>(e) / 4;
            if (e % 4 == 0)
                words = philox({static_cast<std::uint32_t>(block), high(block), static_cast<std::uint32_t>(draw), high(draw)},
                               {static_cast<std::uint32_t>(options_.seed), high(options_.seed)});
            f(e / inputs_, e % inputs_, words[static_cast<std::size_t>(e % 4)] < limit ? S{0} : pass_on);
        }
    }

    index_t inputs_, outputs_;
    lora_options options_;
    index_t a_ = 0, b_ = 0;
};

}  // namespace hrm
