#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/cross_gramian.hpp>
#include <hrm/systems/convert.hpp>

// Empirical Gramians of anything that can be simulated, linear or not, from impulses and initial states of several
// magnitudes c_m and both signs, about a steady state or any other course. Moore 1981; Lall, Marsden & Glavaski 2002;
// Himpe 2018 (emgr). For a linear system they are the time-limited Gramians, exactly, whatever the magnitudes.

namespace hrm {

/// A system known by what it does: one step of the state under an input, and the output of a state.
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

/// What is taken from each run before it counts: the course from the same start without the disturbance, which in a steady
/// state is that state; or the run's own mean over time, where no such course is worth comparing with.
enum class centring { undisturbed, mean };

struct excitation {
    index_t steps = 100;                  ///< length of each run
    std::vector<double> magnitudes = {1};  ///< c_m; each is used with both signs
    std::vector<double> state = {};       ///< where every run starts; empty: at zero
    std::vector<double> input = {};       ///< what goes on under the impulses; empty: nothing
    centring centre = centring::undisturbed;
    cross_pairs pairs = cross_pairs::square;
};

namespace detail {

inline void check_callbacks(const char* where, const simulator& s) {
    if (!s.step || !s.output) throw shape_error(std::string(where) + ": the simulator has no " + (s.step ? "output" : "step"));
}
inline void check_excitation(const char* where, const simulator& s, const excitation& e) {
    check_callbacks(where, s);
    if (e.steps < 1) throw shape_error(std::string(where) + ": " + std::to_string(e.steps) + " steps, expected at least 1");
    if (e.magnitudes.empty()) throw shape_error(std::string(where) + ": no magnitudes, expected at least 1");
    for (const double c : e.magnitudes)
        if (!(c * c > 0 && std::isfinite(1 / (c * c))))
            throw numerical_error(std::string(where) + ": a magnitude is " + std::to_string(c) + ", expected one that is not 0, its square in the range of double");
    if (!e.state.empty()) require_size(where, "the steady state", static_cast<index_t>(e.state.size()), s.states);
    if (!e.input.empty()) require_size(where, "the steady input", static_cast<index_t>(e.input.size()), s.inputs);
}
inline std::vector<double> given_or_zero(const std::vector<double>& x, index_t size) {
    return x.empty() ? std::vector<double>(static_cast<std::size_t>(size)) : x;
}
/// Throws where a run left the finite numbers.
inline void check_run(const char* where, const char* what, const matrix<double>& run, const char* cause, index_t at, double c) {
    for (index_t t = 0; t < run.rows(); ++t)
        for (const double x : run.view().row_span(t))
            if (!std::isfinite(x))
                throw numerical_error(std::string(where) + ": " + what + " is not finite at step " + std::to_string(t) + " of the run " +
                                      (c == 0 ? std::string("without a disturbance") : "from " + std::to_string(c) + " at " + cause + ' ' + std::to_string(at)));
}

/// states: steps x n from e.state under e.input, c more of it at one input in the first step; s_0 is one step on.
inline matrix<double> impulse_states(const simulator& s, const excitation& e, index_t input, double c) {
    matrix<double> out(e.steps, s.states);
    auto x = given_or_zero(e.state, s.states), u = given_or_zero(e.input, s.inputs);
    const auto held = u;
    if (c != 0) u[static_cast<std::size_t>(input)] += c;
    for (index_t t = 0; t < e.steps; ++t) {
        s.step(x, u);
        u = held;
        std::copy(x.begin(), x.end(), out.view().row(t));
    }
    return out;
}
/// outputs: steps x p from the initial state e.state + c e_i, the state itself first.
inline matrix<double> free_outputs(const simulator& s, const excitation& e, index_t state, double c) {
    matrix<double> out(e.steps, s.outputs);
    auto x = given_or_zero(e.state, s.states);
    const auto u = given_or_zero(e.input, s.inputs);
    if (c != 0) x[static_cast<std::size_t>(state)] += c;
    for (index_t t = 0; t < e.steps; ++t) {
        s.output(x, out.view().row_span(t));
        s.step(x, u);
    }
    return out;
}
/// Runs as what they differ from the centre by.  run(i, c): the i-th disturbance of size c, 0 for none.
template <class Run>
auto centred(const excitation& e, Run run) {
    matrix<double> course = e.centre == centring::undisturbed ? run(0, 0.0) : matrix<double>();
    return [&e, run, course](index_t i, double c) {
        auto x = run(i, c);
        for (index_t j = 0; j < x.cols(); ++j) {
            double mean = 0;
            for (index_t t = 0; t < x.rows(); ++t) mean += x(t, j) / static_cast<double>(x.rows());
            for (index_t t = 0; t < x.rows(); ++t) x(t, j) -= e.centre == centring::undisturbed ? course(t, j) : mean;
        }
        return x;
    };
}
inline auto centred_states(const char* where, const simulator& s, const excitation& e) {
    return centred(e, [where, &s, &e](index_t input, double c) {
        auto run = impulse_states(s, e, input, c);
        check_run(where, "the state", run, "input", input, c);
        return run;
    });
}
inline auto centred_outputs(const char* where, const simulator& s, const excitation& e) {
    return centred(e, [where, &s, &e](index_t state, double c) {
        auto run = free_outputs(s, e, state, c);
        check_run(where, "the output", run, "state", state, c);
        return run;
    });
}
/// Calls f(c, weight) for every magnitude and sign; the weights make it a mean of responses divided by c^2.
template <class F>
void each_excitation(const excitation& e, F f) {
    for (double c : e.magnitudes)
        for (double sign : {1.0, -1.0}) f(sign * c, 1 / (2 * static_cast<double>(e.magnitudes.size()) * c * c));
}

}  // namespace detail

/// Wc = mean over c of  sum_inputs sum_t s_t s_t^T / c^2,  s_t what the impulse moved.    n x n.
/// 2 magnitudes * inputs * steps calls of step, and one run more.  Throws numerical_error, with the run and the step, where a
/// simulation leaves the finite numbers.
inline matrix<double> empirical_controllability(const simulator& s, const excitation& e = {}) {
    constexpr auto where = "hrm::empirical_controllability";
    detail::check_excitation(where, s, e);
    const auto states = detail::centred_states(where, s, e);
    matrix<double> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        for (index_t j = 0; j < s.inputs; ++j) {
            const auto x = states(j, c);
            multiply(transposed(x.view()), x.view(), w.view(), into::add, weight);
        }
    });
    return w;
}

/// Wo_ij = mean over c of  sum_t y_t(c e_i)^T y_t(c e_j) / c^2,  y_t what the initial state moved.    n x n.
/// 2 magnitudes * n * steps calls of step, and one run more.  Throws as empirical_controllability.
inline matrix<double> empirical_observability(const simulator& s, const excitation& e = {}) {
    constexpr auto where = "hrm::empirical_observability";
    detail::check_excitation(where, s, e);
    const auto outputs = detail::centred_outputs(where, s, e);
    matrix<double> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        matrix<double> all(s.states, e.steps * s.outputs);
        for (index_t i = 0; i < s.states; ++i) {
            const auto y = outputs(i, c);
            std::copy(y.flat().begin(), y.flat().end(), all.view().row(i));
        }
        multiply(all.view(), transposed(all.view()), w.view(), into::add, weight);
    });
    return w;
}

/// Wx_ij = mean over c of  sum_k sum_t s_t,i(c at input k) y_t,k(c e_j) / c^2:  sum_t A^t B C A^t of a square system. Summed:
/// over all pairs of input k and output l,  y_t,l(c e_j),  which is the cross Gramian of the sums of inputs and of outputs.
/// n x n, not symmetric in general. Throws shape_error unless inputs = outputs or e.pairs is summed; else as above.
inline matrix<double> empirical_cross(const simulator& s, const excitation& e = {}) {
    constexpr auto where = "hrm::empirical_cross";
    detail::check_excitation(where, s, e);
    const bool summed = e.pairs == cross_pairs::summed;
    if (!summed) require_size(where, "outputs", s.outputs, s.inputs);
    const auto states = detail::centred_states(where, s, e);
    const auto outputs = detail::centred_outputs(where, s, e);
    matrix<double> w(s.states, s.states), y_k(e.steps, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        std::vector<matrix<double>> y;
        for (index_t j = 0; j < s.states; ++j) y.push_back(outputs(j, c));
        for (index_t k = 0; k < s.inputs; ++k) {
            const auto x = states(k, c);
            for (index_t t = 0; t < e.steps; ++t)
                for (index_t j = 0; j < s.states; ++j) {
                    const auto read = y[static_cast<std::size_t>(j)].view().row_span(t);
                    y_k(t, j) = summed ? std::accumulate(read.begin(), read.end(), 0.0) : read[static_cast<std::size_t>(k)];
                }
            multiply(transposed(x.view()), y_k.view(), w.view(), into::add, weight);
        }
    });
    return w;
}

}  // namespace hrm
