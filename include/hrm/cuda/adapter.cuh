#pragma once

#include <memory>

#include <hrm/cuda/detail/adapter_passes.hpp>
#include <hrm/cuda/detail/blas.hpp>
#include <hrm/cuda/detail/decode_step.hpp>
#include <hrm/cuda/detail/device.cuh>
#include <hrm/cuda/detail/fused_passes.hpp>
#include <hrm/cuda/detail/tile_device.cuh>

// Adapters on the device, with the parameters of those on the host: T is what u, out and both products are in, float, double
// or bf16 (whose sums, states, parameters and gradients are float).
//     hrm::adapter_weights<hrm::bf16> w(hrm::cuda{stream}, adapter);      // lora, hrm_adapter or reduced_adapter of float
//     hrm::adapter_plan<hrm::bf16> plan(hrm::cuda{stream}, w, {.batch = 4, .time = 4096});
//     w.set(parameters);                                                  // on the device, laid out as adapter.parameters().flat()
//     plan.forward(w, u, out, states);                                    // out += A(u)
//     plan.backward(w, u, dout, states, du, gradient);                    // du += ..., gradient += ...

namespace hrm {
namespace detail {

/// Launches, memory, and products by cuBLAS.
struct adapter_device : cuda_device {
    std::shared_ptr<const detail::blas> blas;

    explicit adapter_device(cuda where) : cuda_device{where} {}
    static adapter_device with_blas(cuda where) {
        adapter_device d(where);
        d.blas = std::make_shared<const detail::blas>(where);
        return d;
    }
    template <storable T, storable To>
    void multiply(strided_view<const T> a, strided_view<const T> b, accumulate_t<T> beta, matrix_view<To> c) const {
        blas->multiply(a, b, beta, c);
    }
    template <class F>
    void launch_tiles(const F& f) const {
        detail::launch_tiles(where, f);
    }
};

}  // namespace detail

/// An adapter's weights on the device, with gate, scale and normalisation folded in. Not run: token gates, feedthrough,
/// resets inside a call, dense A and dropout, which throw error by name; documents in a batch are sequences of their own.
template <storable T>
class adapter_weights : public detail::folded_weights<T, detail::adapter_device> {
public:
    using S = accumulate_t<T>;
    adapter_weights(cuda where, const adapter<S>& a)
        : detail::folded_weights<T, detail::adapter_device>(detail::adapter_device(where), detail::layout_of(a)) {}
    // set(parameters): to be called after every change of them, and before the first pass; they must stay where they are.
};

/// Passes over `batch` stacked sequences of at most `time` steps. Products by cuBLAS, states by the chunked scan: u and dout
/// are read twice. After construction nothing is allocated and nothing waits for the device: calls may be captured in a
/// graph. The same bits from run to run on devices of one kind. One plan serves all adapters of one shape, one at a time.
template <storable T>
class adapter_plan : private detail::adapter_passes<T, detail::adapter_device> {
    using base = detail::adapter_passes<T, detail::adapter_device>;

public:
    using S = accumulate_t<T>;
    adapter_plan(cuda where, const adapter_weights<T>& w, scan::shape most) : base(detail::adapter_device::with_blas(where), w.layout(), most) {}

    /// out += A(u).  u: rows x inputs, out: rows x outputs, states: rows x n, kept for backward, or empty.
    /// initial, final: batch x (states with a pole). Empty: the learned initial state or zero; no final one wanted.
    void forward(const adapter_weights<T>& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<S> states = {},
                 matrix_view<const S> initial = {}, matrix_view<S> final = {}) {
        base::forward(w, u, out, states, initial, final);
    }
    /// After forward with the same u, initial and states: du += dA/du^T dout (du may be empty), gradient += dA/dtheta^T dout, laid
    /// out like the parameters; dinitial = dL/d initial, dfinal: dL/d final, either may be empty.
    void backward(const adapter_weights<T>& w, matrix_view<const T> u, matrix_view<const T> dout, matrix_view<const S> states,
                  matrix_view<T> du, std::span<S> gradient, matrix_view<const S> initial = {}, matrix_view<S> dinitial = {},
                  matrix_view<const S> dfinal = {}) {
        base::backward(w, u, dout, states, du, gradient, initial, dinitial, dfinal);
    }
    using base::shape;
};

/// Passes as adapter_plan's by kernels of our own, for T = float (fused multiply-adds) and bf16 (tensor cores, sm_80 on): the
/// scan of a tile runs while its Z is in shared memory, u is read once, out is read and written once. At most 64 states;
/// widths are whole 16 bytes, and rows of u and out begin on them. Captured, deterministic and silent as adapter_plan.
template <storable T>
    requires(!std::same_as<T, double>)
class fused_adapter_plan : private detail::fused_passes<detail::device_tiles<T>, detail::adapter_device> {
    using base = detail::fused_passes<detail::device_tiles<T>, detail::adapter_device>;

public:
    fused_adapter_plan(cuda where, const adapter_weights<T>& w, scan::shape most) : base(detail::adapter_device(where), w.layout(), most) {}
    /// As adapter_plan::forward.
    void forward(const adapter_weights<T>& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<float> states = {},
                 matrix_view<const float> initial = {}, matrix_view<float> final = {}) {
        base::forward(w, u, out, states, initial, final);
    }
    /// As adapter_plan::backward: dout and u are read once, du is read and written once.
    void backward(const adapter_weights<T>& w, matrix_view<const T> u, matrix_view<const T> dout, matrix_view<const float> states,
                  matrix_view<T> du, std::span<float> gradient, matrix_view<const float> initial = {}, matrix_view<float> dinitial = {},
                  matrix_view<const float> dfinal = {}) {
        base::backward(w, u, dout, states, du, gradient, initial, dinitial, dfinal);
    }
};

/// A token of every sequence of a batch, for decoding: x = A x + B u,  out += C x, by one launch that reads B and C once (one
/// for each 32 sequences, fewer where layers are very wide). Capturable; the same bits from run to run. Not the bits of a
/// prefill by adapter_plan: sums run in another order there.
///     w.begin(state);   step(w, u, out, state);   step(w, next, out, state);
template <storable T>
class adapter_step : private detail::decode_plan<T, detail::adapter_device> {
    using base = detail::decode_plan<T, detail::adapter_device>;

public:
    using S = accumulate_t<T>;
    adapter_step(cuda where, const adapter_weights<T>& w, index_t batch) : base(detail::adapter_device(where), w.layout(), batch) {}
    /// u: batch x inputs, out: batch x outputs, state: batch x (states with a pole).
    void operator()(const adapter_weights<T>& w, matrix_view<const T> u, matrix_view<T> out, matrix_view<S> state) { base::run(w, u, out, state); }
    using base::batch;
};

}  // namespace hrm
