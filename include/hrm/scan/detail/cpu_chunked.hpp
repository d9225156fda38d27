#pragma once

#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/chunk_engine.hpp>
#include <hrm/scan/detail/wide_recurrence.hpp>

namespace hrm::scan {
namespace detail {

/// The recurrence inside a chunk, run twice: for its last state alone, then from its carry. Poles run in double; a dense
/// A rounds its states to S as the sequential engine does.
template <class A>
class recurrence_kernel {
public:
    using S = typename A::scalar;
    recurrence_kernel(const A& a, index_t, int workers)
        : doubles_(workers, 2 * a.order()), state_(is_dense<A> ? workers : 0, a.order()),
          columns_(is_dense<A> ? a.order() : 0, a.order()) {}

    void prepare(const A&) {}
    void turn(const A& a, side which) {
        if constexpr (is_dense<A>) fill_columns<S>(a.a, which, columns_.data());
    }
    void start(const A& a, side which, track<const S> z, track<S>, index_t rows, double* end, int worker) {
        std::fill_n(end, a.order(), 0.0);
        recur(a, which, z, {}, rows, end, worker);
    }
    void finish(const A& a, side which, track<const S> z, track<S> s, index_t rows, const double* carry, int worker) {
        if constexpr (is_dense<A>) {
            recur(a, which, z, s, rows, carry, worker);
        } else {
            double* state = doubles_.view().row(worker);
            std::copy_n(carry, a.order(), state);
            recur(a, which, z, s, rows, state, worker);
        }
    }

private:
    template <class State>
    void recur(const A& a, side which, track<const S> z, track<S> s, index_t rows, State* state, int worker) {
        if constexpr (is_dense<A>) {
            S* x = state_.view().row(worker);
            for (index_t i = 0; i < a.order(); ++i) x[i] = static_cast<S>(state[i]);
            recur_dense<S>(columns_.data(), a.order(), z, s, rows, x, doubles_.view().row(worker));
            if constexpr (!std::is_const_v<State>)
                for (index_t i = 0; i < a.order(); ++i) state[i] = static_cast<double>(x[i]);
        } else {
            recur_wide<S>(modes<S>(a), which, z, s, rows, state);
        }
    }
    matrix<double> doubles_;  ///< a worker's running state, dense: two
    matrix<S> state_;         ///< dense: the same, rounded
    matrix<double> columns_;  ///< dense: A, or A^T on the adjoint side
};

}  // namespace detail

/// Reads z twice and writes s once, the states and the carry in double: errors do not grow, and one sequence keeps many
/// threads busy.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cpu, chunked, A> : public detail::chunk_engine<detail::recurrence_kernel<A>, A> {
public:
    /// The default: long enough that the carry costs nothing, short enough that z is still in cache when read again.
    static constexpr index_t usual_length = 256;

    engine(cpu where, chunked how, const A& a, shape extents)
        : detail::chunk_engine<detail::recurrence_kernel<A>, A>(where, a, extents, length(how)) {}
    std::string_view algorithm() const { return "chunked"; }

private:
    static index_t length(chunked how) {
        const index_t asked = detail::requested_length(how);
        return asked > 0 ? asked : usual_length;
    }
};

}  // namespace hrm::scan
