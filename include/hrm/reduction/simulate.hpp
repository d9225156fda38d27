#pragma once

#include <functional>
#include <span>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/systems/convert.hpp>

// Empirical Gramians of anything that can be simulated, linear or not, from impulses and initial states of several
// magnitudes c_m and both signs. Moore 1981; Lall, Marsden & Glavaski 2002. For a linear system they are the
// time-limited Gramians, exactly, whatever the magnitudes.

namespace hrm {

/// A system known by what it does: one step of the state under an input, and the output of a state. At rest at zero.
struct simulator {
    index_t states = 0, inputs = 0, outputs = 0;
    std::function<void(std::span<double> s, std::span<const double> u)> step;
    std::function<void(std::span<const double> s, std::span<double> y)> output;
};

/// s <- A s + B u,  y = C s.
template <structure A>
simulator simulate(const discrete<A>& system) {
    system.check();
    const auto apply = [](const matrix<double>& x, std::span<const double> v, std::span<double> out) {
        for (index_t i = 0; i < x.rows(); ++i)
            for (index_t j = 0; j < x.cols(); ++j) out[static_cast<std::size_t>(i)] += x(i, j) * v[static_cast<std::size_t>(j)];
    };
    const auto w = cast<double>(system);
    return {system.order(), system.inputs(), system.outputs(),
            [a = to_dense(w.a), b = w.b, apply](std::span<double> s, std::span<const double> u) {
                std::vector<double> next(s.size());
                apply(a, s, next);
                apply(b, u, next);
                std::copy(next.begin(), next.end(), s.begin());
            },
            [c = w.c, apply](std::span<const double> s, std::span<double> y) {
                std::fill(y.begin(), y.end(), 0.0);
                apply(c, s, y);
            }};
}

struct excitation {
    index_t steps = 100;                  ///< length of each run
    std::vector<double> magnitudes = {1};  ///< c_m; each is used with both signs
};

namespace detail {

/// states: steps x n after an impulse of size c at one input:  s_0 = one step from rest, then no input.
inline matrix<double> impulse_states(const simulator& s, index_t steps, index_t input, double c) {
    matrix<double> out(steps, s.states);
    std::vector<double> x(static_cast<std::size_t>(s.states)), u(static_cast<std::size_t>(s.inputs));
    u[static_cast<std::size_t>(input)] = c;
    for (index_t t = 0; t < steps; ++t) {
        s.step(x, u);
        std::fill(u.begin(), u.end(), 0.0);
        std::copy(x.begin(), x.end(), out.view().row(t));
    }
    return out;
}
/// outputs: steps x p from the initial state c e_i, the state itself first.
inline matrix<double> free_outputs(const simulator& s, index_t steps, index_t state, double c) {
    matrix<double> out(steps, s.outputs);
    std::vector<double> x(static_cast<std::size_t>(s.states)), u(static_cast<std::size_t>(s.inputs));
    x[static_cast<std::size_t>(state)] = c;
    for (index_t t = 0; t < steps; ++t) {
        s.output(x, out.view().row_span(t));
        s.step(x, u);
    }
    return out;
}
/// Calls f(c, weight) for every magnitude and sign; the weights make it a mean of responses divided by c^2.
template <class F>
void each_excitation(const excitation& e, F f) {
    for (double c : e.magnitudes)
        for (double sign : {1.0, -1.0}) f(sign * c, 1 / (2 * static_cast<double>(e.magnitudes.size()) * c * c));
}

}  // namespace detail

/// Wc = mean over c of  sum_inputs sum_t s_t s_t^T / c^2.    n x n.  2 magnitudes * inputs * steps calls of step.
inline matrix<double> empirical_controllability(const simulator& s, const excitation& e = {}) {
    matrix<double> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        for (index_t j = 0; j < s.inputs; ++j) {
            const auto x = detail::impulse_states(s, e.steps, j, c);
            multiply(transposed(x.view()), x.view(), w.view(), into::add, weight);
        }
    });
    return w;
}

/// Wo_ij = mean over c of  sum_t y_t(c e_i)^T y_t(c e_j) / c^2.    n x n.  2 magnitudes * n * steps calls of step.
inline matrix<double> empirical_observability(const simulator& s, const excitation& e = {}) {
    matrix<double> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        matrix<double> all(s.states, e.steps * s.outputs);
        for (index_t i = 0; i < s.states; ++i) {
            const auto y = detail::free_outputs(s, e.steps, i, c);
            std::copy(y.flat().begin(), y.flat().end(), all.view().row(i));
        }
        multiply(all.view(), transposed(all.view()), w.view(), into::add, weight);
    });
    return w;
}

/// Wx_ij = mean over c of  sum_k sum_t s_t,i(c at input k) y_t,k(c e_j) / c^2:  sum_t A^t B C A^t of a square system.
/// n x n, not symmetric in general. Throws shape_error unless inputs = outputs.
inline matrix<double> empirical_cross(const simulator& s, const excitation& e = {}) {
    require_size("hrm::empirical_cross", "outputs", s.outputs, s.inputs);
    matrix<double> w(s.states, s.states), y_k(e.steps, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        std::vector<matrix<double>> y;
        for (index_t j = 0; j < s.states; ++j) y.push_back(detail::free_outputs(s, e.steps, j, c));
        for (index_t k = 0; k < s.inputs; ++k) {
            const auto x = detail::impulse_states(s, e.steps, k, c);
            for (index_t t = 0; t < e.steps; ++t)
                for (index_t j = 0; j < s.states; ++j) y_k(t, j) = y[static_cast<std::size_t>(j)](t, k);
            multiply(transposed(x.view()), y_k.view(), w.view(), into::add, weight);
        }
    });
    return w;
}

}  // namespace hrm
