#pragma once

#include <algorithm>
#include <span>
#include <utility>

#include <hrm/cuda/detail/adapter_steps.hpp>

namespace hrm::detail {

/// From M = dout^T s and N = lambda^T u to the gradients of the parameters: see adapter_steps.hpp. Owns both sums.
template <real S, class Device>
class adapter_gradients {
public:
    adapter_gradients(Device device, const adapter_layout& l)
        : device_(device), outputs_(l.outputs), inputs_(l.inputs), n_(l.states()), m_(device, l.outputs * l.states()),
          nn_(device, l.states() * l.inputs), sums_(device, std::max(l.outputs, lanes * l.states())), more_(device, l.outputs / 32 + 1) {}

    matrix_view<S> m() { return {m_.data(), outputs_, n_}; }
    matrix_view<S> n() { return {nn_.data(), n_, inputs_}; }

    /// C and the gate, once m() is there.
    template <class Weights>
    void of_outputs(const Weights& w, std::span<S> gradient) {
        const auto& l = w.layout();
        const rows_of<double> from(sums_.data(), 1), to(more_.data(), 1);
        device_.launch(outputs_, output_gradient<S>{l, w.parameters(), matrix_view<const S>(m()), gradient.data(), from});
        if (l.gate >= 0 && !l.per_channel) add_rows(device_, from, to, outputs_, 1, gradient.data() + l.gate);
    }
    /// B and the poles, once n() is there; da as scan::plan gives it.
    template <class Weights>
    void of_inputs(const Weights& w, const S* da, std::span<S> gradient) {
        const auto& l = w.layout();
        const matrix_view<double> sums(sums_.data(), lanes, n_);
        const input_gradient<S> input{l, w.parameters(), w.scale(), matrix_view<const S>(n()), gradient.data(), sums};
        device_.launch(input.count(), input);
        device_.launch(l.poles(), pole_gradient<S>{l, w.parameters(), da, matrix_view<const double>(sums), lanes, gradient.data()});
    }

private:
    static constexpr index_t lanes = input_gradient<S>::lanes;
    Device device_;
    index_t outputs_, inputs_, n_;
    work_area<Device, S> m_, nn_;
    work_area<Device, double> sums_, more_;
};

}  // namespace hrm::detail
