#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include <hrm/cuda/detail/adapter_gradients.hpp>
#include <hrm/cuda/detail/tile_scan.hpp>
#include <hrm/scan/engine.hpp>

// An adapter's passes as products and scans, over a Device that owns memory and launches (chunked_states.hpp) and multiplies:
//     multiply(a, b, beta, c)       c = a b + beta c, sums in accumulate_t of a's type; transposed(m) is a product's transpose

namespace hrm::detail {

/// The weights of one adapter as a pass reads them.
template <storable T, class Device>
class folded_weights {
public:
    using S = accumulate_t<T>;
    folded_weights(Device device, const adapter_layout& l)
        : device_(device), layout_(l), poles_(device, l.dynamic()), powers_(device, 2 * longest_tile * l.poles()),
          scale_(device, l.states()), b_(device, l.padded() * l.inputs), c_(device, l.outputs * l.padded()) {}

    void set(const S* parameters) {
        parameters_ = parameters, ready_ = true;
        const set_poles<S> poles{layout_, parameters, poles_.data(), scale_.data()};
        device_.launch(poles.count(), poles);
        const fold_gains<T, S> fold{layout_, parameters, scale_.data(), b_.data(), c_.data()};
        device_.launch(fold.count(), fold);
        const pole_powers<S> powers{tile_cut::of(layout_, 1, 1, longest_tile, false), poles_.data(), powers_.data()};
        device_.launch(powers.count(), powers);
    }
    /// The states of every sequence of a batch before its first token.  state: batch x dynamic.
    void begin(matrix_view<S> state) const {
        if (!ready_) throw error("hrm::adapter_weights::begin: the weights were never set");
        require_shape("hrm::adapter_weights::begin", "state", state.rows, state.cols, state.rows, layout_.dynamic());
        if (state.empty()) return;
        device_.launch(state.size(), repeat_row<S>{layout_.s0 < 0 ? nullptr : parameters_ + layout_.s0, state, state.cols});
    }
    const adapter_layout& layout() const { return layout_; }
    bool ready() const { return ready_; }  ///< set; of nothing, where the order is 0 and there is no gate
    const S* parameters() const { return parameters_; }
    const S* poles() const { return poles_.data(); }
    const double* scale() const { return scale_.data(); }
    /// A^{j + 1} for j < longest_tile: see pole_powers.
    const S* powers() const { return powers_.data(); }
    matrix_view<const T> b() const { return {b_.data(), layout_.states(), layout_.inputs}; }
    matrix_view<const T> c() const { return {c_.data(), layout_.outputs, layout_.states(), layout_.padded()}; }
    /// With the zeros that make their tiles whole.
    matrix_view<const T> whole_b() const { return {b_.data(), layout_.padded(), layout_.inputs}; }
    matrix_view<const T> whole_c() const { return {c_.data(), layout_.outputs, layout_.padded()}; }

private:
    Device device_;
    adapter_layout layout_;
    const S* parameters_ = nullptr;
    bool ready_ = false;
    work_area<Device, S> poles_, powers_;
    work_area<Device, double> scale_;
    work_area<Device, T> b_, c_;
};

/// Forward and backward of one shape of adapter; everything in `states` and `gradient` is in S, u and out in T.
template <storable T, class Device>
class adapter_passes {
public:
    using S = accumulate_t<T>;
    using weights = folded_weights<T, Device>;

    adapter_passes(Device device, const adapter_layout& l, scan::shape most)
        : device_(std::move(device)), inputs_(l.inputs), outputs_(l.outputs), n_(l.states()), dynamic_(l.dynamic()), most_(most),
          scan_(device_, l.reals, l.pairs, most.batch, most.time, 0), work_(device_, rows() * n_),
          narrow_(device_, rows() * n_), gradients_(device_, l), begun_(device_, 2 * most.batch * dynamic_), da_(device_, dynamic_) {}

    /// out += A(u).  states: rows x n, kept for backward, or empty.  initial, final: batch x dynamic, or empty: the learned
    /// state or zero in, nothing out.
    void forward(const weights& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<S> states, matrix_view<const S> initial,
                 matrix_view<S> final) {
        check(w, u, out.rows, out.cols, "out");
        const auto s = states.empty() ? work(u.rows) : states;
        require_shape("hrm::adapter_plan", "states", s.rows, s.cols, u.rows, n_);
        check_borders("initial", initial.rows, initial.cols), check_borders("final", final.rows, final.cols);
        if (n_ == 0) return;
        device_.multiply(strided_view<const T>(u), transposed(w.b()), S{0}, s);
        if (dynamic_ > 0) {
            const auto part = s.slice_cols(n_ - dynamic_, dynamic_);
            scan_.states(w.poles(), part, part, begin(w, initial), final);
        }
        device_.multiply(strided_view<const T>(operand(s)), transposed(w.c()), S{1}, out);
    }

    /// du += dA/du^T dout (du may be empty), gradient += dA/dtheta^T dout, laid out like the parameters; dinitial = dL/d initial.
    /// states: as forward left them.  dfinal: dL/d final, or empty.
    void backward(const weights& w, matrix_view<const T> u, matrix_view<const T> dout, matrix_view<const S> states, matrix_view<T> du,
                  std::span<S> gradient, matrix_view<const S> initial, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        check(w, u, dout.rows, dout.cols, "dout");
        if (!du.empty()) require_shape("hrm::adapter_plan", "du", du.rows, du.cols, u.rows, inputs_);
        require_shape("hrm::adapter_plan", "states", states.rows, states.cols, u.rows, n_);
        check_borders("initial", initial.rows, initial.cols), check_borders("dinitial", dinitial.rows, dinitial.cols);
        check_borders("dfinal", dfinal.rows, dfinal.cols);
        const auto& l = w.layout();
        require_size("hrm::adapter_plan", "the gradient", static_cast<index_t>(gradient.size()), l.size);
        if (n_ == 0) return;

        const auto lambda = work(u.rows);
        device_.multiply(strided_view<const T>(dout), strided_view<const T>(w.c()), S{0}, lambda);
        device_.launch(dynamic_, fill_zero<S>{da_.data()});
        if (dynamic_ > 0) {
            const index_t first = n_ - dynamic_;
            const bool learned = l.s0 >= 0 && initial.empty();
            auto before = dinitial;
            if (learned && before.empty()) before = {begun_.data() + most_.batch * dynamic_, most_.batch, dynamic_};
            scan_.states_backward(w.poles(), states.slice_cols(first, dynamic_), begin(w, initial), lambda.slice_cols(first, dynamic_),
                                  {da_.data(), static_cast<std::size_t>(dynamic_)}, before, dfinal);
            if (learned) device_.launch(dynamic_, add_to_gradient<S, S>{matrix_view<const S>(before), gradient.data() + l.s0, most_.batch});
        }
        device_.multiply(transposed(dout), strided_view<const T>(operand(states)), S{0}, gradients_.m());
        gradients_.of_outputs(w, gradient);
        const auto x = operand(lambda);
        device_.multiply(transposed(x), strided_view<const T>(u), S{0}, gradients_.n());
        gradients_.of_inputs(w, da_.data(), gradient);
        if (!du.empty()) device_.multiply(strided_view<const T>(x), strided_view<const T>(w.b()), S{1}, du);
    }

    scan::shape shape() const { return most_; }

private:
    index_t rows() const { return most_.batch * most_.time; }
    matrix_view<S> work(index_t rows) { return {work_.data(), rows, n_}; }
    void check(const weights& w, matrix_view<const T> u, index_t rows, index_t cols, const char* what) const {
        const auto& l = w.layout();
        if (!w.ready()) throw error("hrm::adapter_plan: the weights were never set");
        if (l.inputs != inputs_ || l.outputs != outputs_ || l.states() != n_ || l.dynamic() != dynamic_)
            throw shape_error("hrm::adapter_plan: the adapter is " + extents(l.outputs, l.inputs) + " with " + std::to_string(l.dynamic()) +
                              " of " + std::to_string(l.states()) + " states dynamic, expected " + extents(outputs_, inputs_) + " with " +
                              std::to_string(dynamic_) + " of " + std::to_string(n_));
        require_shape("hrm::adapter_plan", "u", u.rows, u.cols, u.rows, inputs_);
        require_shape("hrm::adapter_plan", what, rows, cols, u.rows, outputs_);
        if (u.rows % most_.batch != 0 || u.rows > this->rows())
            throw shape_error("hrm::adapter_plan: u has " + std::to_string(u.rows) + " rows, expected a multiple of " +
                              std::to_string(most_.batch) + " up to " + std::to_string(this->rows()));
    }
    void check_borders(const char* what, index_t rows, index_t cols) const {
        if (rows * cols > 0) require_shape("hrm::adapter_plan", what, rows, cols, most_.batch, dynamic_);
    }
    /// The states before the first rows; empty: zero.
    matrix_view<const S> begin(const weights& w, matrix_view<const S> initial) {
        if (!initial.empty() || w.layout().s0 < 0) return initial;
        const matrix_view<S> all(begun_.data(), most_.batch, dynamic_);
        w.begin(all);
        return all;
    }
    /// m as an operand of a product.
    matrix_view<const T> operand(matrix_view<const S> m) {
        if constexpr (std::is_same_v<S, T>) return m;
        else {
            const matrix_view<T> to(narrow_.data(), m.rows, m.cols);
            device_.launch(m.size(), convert_rows<S, T>{m, to, m.cols});
            return to;
        }
    }
    Device device_;
    index_t inputs_, outputs_, n_, dynamic_;
    scan::shape most_;
    scan::detail::chunked_states<S, Device> scan_;
    work_area<Device, S> work_;
    work_area<Device, T> narrow_;
    adapter_gradients<S, Device> gradients_;
    work_area<Device, S> begun_, da_;
};

}  // namespace hrm::detail
