#pragma once

#include <memory>

#include <hrm/adapter/factory.hpp>

#include <adapter/check.hpp>
#include <cuda/host_device.hpp>

// What the tests of adapters on a device share: random adapters, and what the CPU makes of a batch.

namespace cuda_test {

using namespace hrm;

/// One of everything that runs on a device, no gate shut.
template <real S>
std::unique_ptr<adapter<S>> random_adapter(index_t inputs, index_t outputs, random_stream& r) {
    const auto pick = [&](index_t below) { return r.below(below); };
    std::unique_ptr<adapter<S>> a;
    const auto kind = pick(6);
    constexpr gate gates[] = {gate::scalar, gate::per_channel, gate::frozen, gate::none};
    if (kind == 0) {
        a = std::make_unique<lora<S>>(inputs, outputs, lora_options{.rank = 1 + pick(9)}, r);
    } else if (kind == 1) {
        reduced_options o;
        o.reals = pick(4), o.pairs = pick(3), o.reals += o.reals + o.pairs == 0;
        o.gate = gates[pick(4)], o.gate_start = 0.7, o.scale = 1.3, o.learn_initial_state = pick(2) == 0;
        a = std::make_unique<reduced_adapter<S>>(inputs, outputs, o);
    } else {
        hrm_options o;
        o.poles = static_cast<poles>(pick(3));
        o.static_states = pick(4);
        o.states = o.static_states + 2 * (1 + pick(4));
        o.gate = gates[pick(4)], o.gate_start = 0.7, o.scale = 1.3, o.learn_initial_state = pick(2) == 0;
        o.normalization = static_cast<normalization>(pick(3));
        o.start = static_cast<start>(pick(2));
        o.longest_memory = 64, o.dt_max = 0.8;
        if (o.poles == poles::real_positive && pick(3) == 0) o.discretization = discretization::bilinear;
        a = std::make_unique<hrm_adapter<S>>(inputs, outputs, o, r);
    }
    test::shake(*a, r);
    return a;
}

template <real S>
struct passes_result {
    matrix<S> out, du, final;
    buffer<S> gradient;
};

/// out += A(u), du += ..., gradient += ... of every sequence of a batch by the CPU. initial: batch x dynamic, or empty.
template <real S>
passes_result<S> on_cpu(const adapter<S>& a, index_t batch, const matrix<S>& u, const matrix<S>& out, const matrix<S>& dout,
                        const matrix<S>& du, const matrix<S>& initial, buffer<S> gradient) {
    passes_result<S> r{out, du, matrix<S>(batch, a.state_size()), std::move(gradient)};
    const index_t time = u.rows() / batch;
    workspace ws;
    for (index_t b = 0; b < batch; ++b) {
        adapter_state<S> state;
        if (!initial.empty()) state.value.assign(initial.view().row(b), initial.view().row(b) + a.state_size());
        call<S> how{.mode = pass::training, .carried = &state};
        kept<S> keep;
        const auto part = [&](auto&& m) { return m.view().slice_rows(b * time, time); };
        a.forward(part(u), part(r.out), how, keep, ws);
        for (index_t i = 0; i < a.state_size(); ++i) r.final(b, i) = state.value[static_cast<std::size_t>(i)];
        a.backward(part(u), part(dout), part(r.du), r.gradient, how, keep, ws);
        ws.clear();
    }
    return r;
}

/// The host as a device that multiplies.
struct host_products : host_device {
    template <class T>
    buffer<T> memory(index_t size) const {
        const auto count = static_cast<std::size_t>(size);
        if constexpr (storable<T>) return buffer<T>(count, T(std::numeric_limits<float>::quiet_NaN()));
        else return buffer<T>(count, T{1});
    }
    template <storable T, storable To>
    void multiply(strided_view<const T> a, strided_view<const T> b, accumulate_t<T> beta, matrix_view<To> c) const {
        using S = accumulate_t<T>;
        require_shape("host_products", "C", c.rows, c.cols, a.rows, b.cols);
        require_size("host_products", "rows of B", b.rows, a.cols);
        for (index_t i = 0; i < c.rows; ++i)
            for (index_t j = 0; j < c.cols; ++j) {
                S sum = 0;
                for (index_t k = 0; k < a.cols; ++k) sum += static_cast<S>(a(i, k)) * static_cast<S>(b(k, j));
                if (beta != 0) sum += beta * static_cast<S>(c(i, j));  // beta = 0 does not read C, as in cuBLAS
                c(i, j) = To(sum);
            }
    }
};

template <class To, class From>
matrix<To> converted(const matrix<From>& m) {
    matrix<To> to(m.rows(), m.cols());
    for (index_t i = 0; i < m.size(); ++i) to.data()[i] = To(static_cast<accumulate_t<To>>(m.data()[i]));
    return to;
}

}  // namespace cuda_test
