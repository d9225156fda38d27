#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/product.hpp>
#include <hrm/reduction/cross_gramian.hpp>
#include <hrm/systems/convert.hpp>

// Empirical Gramians of anything that can be simulated, linear or not, from impulses and initial states of several
// magnitudes c_m and both signs, about a steady state or any other course. Moore 1981; Lall, Marsden & Glavaski 2002;
// Himpe 2018 (emgr). For a linear system they are the time-limited Gramians, exactly, whatever the magnitudes; for a complex one
// too, Hermitian, with real magnitudes: what is linear over the complex numbers does the same to an impulse of any phase.

namespace hrm {

/// A system known by what it does: one step of the state under an input, and the output of a state.  T: double or complex.
template <class T>
struct simulator_of {
    index_t states = 0, inputs = 0, outputs = 0;
    std::function<void(std::span<T> s, std::span<const T> u)> step;
    std::function<void(std::span<const T> s, std::span<T> y)> output;
};
using simulator = simulator_of<double>;

/// s <- A s + B u,  y = C s.
template <any_structure A>
simulator_of<in_precision<double, typename A::scalar>> simulate(const discrete<A>& system) {
    using T = in_precision<double, typename A::scalar>;
    system.check();
    const auto apply = [](const matrix<T>& x, std::span<const T> v, std::span<T> out) {
        for (index_t i = 0; i < x.rows(); ++i)
            for (index_t j = 0; j < x.cols(); ++j) out[static_cast<std::size_t>(i)] += detail::times(x(i, j), v[static_cast<std::size_t>(j)]);
    };
    const auto w = cast<double>(system);
    return {system.order(), system.inputs(), system.outputs(),
            [a = to_dense(w.a), b = w.b, apply](std::span<T> s, std::span<const T> u) {
                std::vector<T> next(s.size());
                apply(a, s, next);
                apply(b, u, next);
                std::copy(next.begin(), next.end(), s.begin());
            },
            [c = w.c, apply](std::span<const T> s, std::span<T> y) {
                std::fill(y.begin(), y.end(), T{});
                apply(c, s, y);
            }};
}

/// What is taken from each run before it counts: the course from the same start without the disturbance, which in a steady
/// state is that state; or the run's own mean over time, where no such course is worth comparing with.
enum class centring { undisturbed, mean };

template <class T>
struct excitation_of {
    index_t steps = 100;                  ///< length of each run
    std::vector<double> magnitudes = {1};  ///< c_m; each is used with both signs
    std::vector<T> state = {};            ///< where every run starts; empty: at zero
    std::vector<T> input = {};            ///< what goes on under the impulses; empty: nothing
    centring centre = centring::undisturbed;
    cross_pairs pairs = cross_pairs::square;
};
using excitation = excitation_of<double>;

namespace detail {

template <class T>
void check_callbacks(const char* where, const simulator_of<T>& s) {
    if (!s.step || !s.output) throw shape_error(std::string(where) + ": the simulator has no " + (s.step ? "output" : "step"));
}
template <class T>
void check_excitation(const char* where, const simulator_of<T>& s, const excitation_of<T>& e) {
    check_callbacks(where, s);
    if (e.steps < 1) throw shape_error(std::string(where) + ": " + std::to_string(e.steps) + " steps, expected at least 1");
    if (e.magnitudes.empty()) throw shape_error(std::string(where) + ": no magnitudes, expected at least 1");
    for (const double c : e.magnitudes)
        if (!(c * c > 0 && std::isfinite(1 / (c * c))))
            throw numerical_error(std::string(where) + ": a magnitude is " + std::to_string(c) + ", expected one that is not 0, its square in the range of double");
    if (!e.state.empty()) require_size(where, "the steady state", static_cast<index_t>(e.state.size()), s.states);
    if (!e.input.empty()) require_size(where, "the steady input", static_cast<index_t>(e.input.size()), s.inputs);
}
template <class T>
std::vector<T> given_or_zero(const std::vector<T>& x, index_t size) {
    return x.empty() ? std::vector<T>(static_cast<std::size_t>(size)) : x;
}
/// Throws where a run left the finite numbers.
template <class T>
void check_run(const char* where, const char* what, const matrix<T>& run, const char* cause, index_t at, double c) {
    for (index_t t = 0; t < run.rows(); ++t)
        for (const T& x : run.view().row_span(t))
            if (!is_finite(x))
                throw numerical_error(std::string(where) + ": " + what + " is not finite at step " + std::to_string(t) + " of the run " +
                                      (c == 0 ? std::string("without a disturbance") : "from " + std::to_string(c) + " at " + cause + ' ' + std::to_string(at)));
}

/// states: steps x n from e.state under e.input, c more of it at one input in the first step; s_0 is one step on.
template <class T>
matrix<T> impulse_states(const simulator_of<T>& s, const excitation_of<T>& e, index_t input, double c) {
    matrix<T> out(e.steps, s.states);
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
template <class T>
matrix<T> free_outputs(const simulator_of<T>& s, const excitation_of<T>& e, index_t state, double c) {
    matrix<T> out(e.steps, s.outputs);
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
template <class T, class Run>
auto centred(const excitation_of<T>& e, Run run) {
    matrix<T> course = e.centre == centring::undisturbed ? run(0, 0.0) : matrix<T>();
    return [&e, run, course](index_t i, double c) {
        auto x = run(i, c);
        for (index_t j = 0; j < x.cols(); ++j) {
            T mean = 0;
            for (index_t t = 0; t < x.rows(); ++t) mean += x(t, j) / static_cast<double>(x.rows());
            for (index_t t = 0; t < x.rows(); ++t) x(t, j) -= e.centre == centring::undisturbed ? course(t, j) : mean;
        }
        return x;
    };
}
template <class T>
auto centred_states(const char* where, const simulator_of<T>& s, const excitation_of<T>& e) {
    return centred(e, [where, &s, &e](index_t input, double c) {
        auto run = impulse_states(s, e, input, c);
        check_run(where, "the state", run, "input", input, c);
        return run;
    });
}
template <class T>
auto centred_outputs(const char* where, const simulator_of<T>& s, const excitation_of<T>& e) {
    return centred(e, [where, &s, &e](index_t state, double c) {
        auto run = free_outputs(s, e, state, c);
        check_run(where, "the output", run, "state", state, c);
        return run;
    });
}
/// Calls f(c, weight) for every magnitude and sign; the weights make it a mean of responses divided by c^2.
template <class T, class F>
void each_excitation(const excitation_of<T>& e, F f) {
    for (double c : e.magnitudes)
        for (double sign : {1.0, -1.0}) f(sign * c, 1 / (2 * static_cast<double>(e.magnitudes.size()) * c * c));
}
/// To the bit: rounded products of complex x and x^H are so but for a last digit, real ones are symmetric as they are.
inline matrix<double> hermitian(matrix<double> w) { return w; }
inline complex_matrix hermitian(complex_matrix w) {
    for (index_t i = 0; i < w.rows(); ++i)
        for (index_t j = 0; j <= i; ++j) w(j, i) = std::conj(w(i, j) = (w(i, j) + std::conj(w(j, i))) / 2.0);
    return w;
}

}  // namespace detail

/// Wc = mean over c of  sum_inputs sum_t s_t s_t^H / c^2,  s_t what the impulse moved.    n x n.
/// 2 magnitudes * inputs * steps calls of step, and one run more.  Throws numerical_error, with the run and the step, where a
/// simulation leaves the finite numbers.
template <class T>
matrix<T> empirical_controllability(const simulator_of<T>& s, const excitation_of<T>& e = {}) {
    constexpr auto where = "hrm::empirical_controllability";
    detail::check_excitation(where, s, e);
    const auto states = detail::centred_states(where, s, e);
    matrix<T> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        for (index_t j = 0; j < s.inputs; ++j) {
            const auto x = detail::transpose(states(j, c));
            detail::add_times_adjoint(x, x, w, weight);
        }
    });
    return detail::hermitian(std::move(w));
}

/// Wo_ij = mean over c of  sum_t y_t(c e_i)^H y_t(c e_j) / c^2,  y_t what the initial state moved.    n x n.
/// 2 magnitudes * n * steps calls of step, and one run more.  Throws as empirical_controllability.
template <class T>
matrix<T> empirical_observability(const simulator_of<T>& s, const excitation_of<T>& e = {}) {
    constexpr auto where = "hrm::empirical_observability";
    detail::check_excitation(where, s, e);
    const auto outputs = detail::centred_outputs(where, s, e);
    matrix<T> w(s.states, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        matrix<T> all(s.states, e.steps * s.outputs);  // row i: conj y(c e_i)
        for (index_t i = 0; i < s.states; ++i) {
            const auto y = outputs(i, c);
            std::transform(y.flat().begin(), y.flat().end(), all.view().row(i), [](const T& v) { return detail::conjugate(v); });
        }
        detail::add_times_adjoint(all, all, w, weight);
    });
    return detail::hermitian(std::move(w));
}

/// Wx_ij = mean over c of  sum_k sum_t s_t,i(c at input k) y_t,k(c e_j) / c^2:  sum_t A^t B C A^t of a square system. Summed:
/// over all pairs of input k and output l,  y_t,l(c e_j),  which is the cross Gramian of the sums of inputs and of outputs.
/// n x n, not symmetric in general. Throws shape_error unless inputs = outputs or e.pairs is summed; else as above.
template <class T>
matrix<T> empirical_cross(const simulator_of<T>& s, const excitation_of<T>& e = {}) {
    constexpr auto where = "hrm::empirical_cross";
    detail::check_excitation(where, s, e);
    const bool summed = e.pairs == cross_pairs::summed;
    if (!summed) require_size(where, "outputs", s.outputs, s.inputs);
    const auto states = detail::centred_states(where, s, e);
    const auto outputs = detail::centred_outputs(where, s, e);
    matrix<T> w(s.states, s.states), y_k(e.steps, s.states);
    detail::each_excitation(e, [&](double c, double weight) {
        std::vector<matrix<T>> y;
        for (index_t j = 0; j < s.states; ++j) y.push_back(outputs(j, c));
        for (index_t k = 0; k < s.inputs; ++k) {
            const auto x = states(k, c);
            for (index_t t = 0; t < e.steps; ++t)
                for (index_t j = 0; j < s.states; ++j) {
                    const auto read = y[static_cast<std::size_t>(j)].view().row_span(t);
                    y_k(t, j) = summed ? std::accumulate(read.begin(), read.end(), T{}) : read[static_cast<std::size_t>(k)];
                }
            detail::add_product(detail::transpose(x), y_k, w, weight);
        }
    });
    return w;
}

}  // namespace hrm
