#pragma once

#include <memory>

#include <hrm/adapter/factory.hpp>

#include <adapter/check.hpp>

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
        o.reals = pick(4), o.pairs = pick(3);
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

/// Every tensor's gradient of `own` is that of `reference`, both begun at `offset`. Gates' and poles' gradients are sums that
/// may cancel: `terms` terms of about 1 in random order bound what they lose.
template <real S>
void check_gradient(const adapter<S>& own, std::span<const S> gradient, const adapter<double>& reference, std::span<const double> want, double tolerance,
                    index_t terms, double offset = 0) {
    for (const auto& e : own.parameters().entries()) {
        const auto& other = reference.parameters().entries()[static_cast<std::size_t>(reference.parameters().find(e.name))];
        std::vector<double> got, expected;
        double size = 0;
        for (index_t i = 0; i < e.size(); ++i) {
            got.push_back(static_cast<double>(gradient[static_cast<std::size_t>(e.offset + i)]) - offset);
            expected.push_back(want[static_cast<std::size_t>(other.offset + i)] - offset);
            size += std::abs(expected.back());
        }
        INFO(e.name);
        CHECK(test::distance(std::span<const double>(got), expected) * std::max(size, 1e-30) <= tolerance * (size + 10 * std::sqrt(static_cast<double>(terms))));
    }
}

template <class To, class From>
matrix<To> converted(const matrix<From>& m) {
    matrix<To> to(m.rows(), m.cols());
    for (index_t i = 0; i < m.size(); ++i) to.data()[i] = To(static_cast<accumulate_t<To>>(m.data()[i]));
    return to;
}

}  // namespace cuda_test
