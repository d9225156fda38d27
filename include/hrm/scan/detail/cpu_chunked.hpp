#pragma once

#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/chunk_engine.hpp>

namespace hrm::scan {
namespace detail {

/// The recurrence inside a chunk, run twice: for its last state alone, then from its carry.
template <class A>
class recurrence_kernel {
public:
    using S = typename A::scalar;
    recurrence_kernel(const A& a, index_t, int workers)
        : state_(workers, a.order()), doubles_(workers, 2 * a.order()),
          columns_(is_dense<A> ? a.order() : 0, a.order()) {}

    void prepare(const A& a, side which, bool) {
        if constexpr (is_dense<A>) fill_columns<S>(a.a, which, columns_.data());
    }
    void start(const A& a, side which, track<const S> z, track<S>, index_t rows, S* end, int worker) {
        std::fill_n(end, a.order(), S{0});
        recur(a, which, z, {}, rows, end, worker);
    }
    void finish(const A& a, side which, track<const S> z, track<S> s, index_t rows, const S* carry, int worker) {
        S* state = state_.view().row(worker);
        std::copy_n(carry, a.order(), state);
        recur(a, which, z, s, rows, state, worker);
    }

private:
    void recur(const A& a, side which, track<const S> z, track<S> s, index_t rows, S* state, int worker) {
        if constexpr (is_dense<A>) {
            recur_dense<S>(columns_.data(), a.order(), z, s, rows, state, doubles_.view().row(worker));
        } else {
            const modes<S> m(a);
            detail::recur<S>(m, which, all_columns(m), z, s, rows, state);
        }
    }
    matrix<S> state_;         ///< a worker's running state
    matrix<double> doubles_;  ///< a worker's dense states
    matrix<double> columns_;  ///< dense: A, or A^T on the adjoint side
};

}  // namespace detail

/// Reads z twice and writes s once; rounding errors grow over one chunk only, and one sequence keeps many threads busy.
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
        if (how.length < 0)
            throw shape_error("hrm::scan::chunked: the length is " + std::to_string(how.length) +
                              ", expected at least 0");
        return how.length > 0 ? static_cast<index_t>(how.length) : usual_length;
    }
};

}  // namespace hrm::scan
