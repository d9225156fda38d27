#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <string_view>

#include <hrm/core/error.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/core/view.hpp>
#include <hrm/scan/algorithm.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm::scan {

/// The extents a plan is made for: `batch` sequences of at most `time` steps, stacked sequence by sequence.
struct shape {
    index_t batch = 1, time = 0;
};

namespace detail {

/// At least one sequence of at least no step, and rows that can be counted.
inline shape checked_extents(std::string_view where, shape extents) {
    if (extents.batch < 1 || extents.time < 0)
        throw shape_error(std::string(where) + ": batch is " + std::to_string(extents.batch) + " and time " +
                          std::to_string(extents.time) + ", expected at least 1 and 0");
    if (extents.time > std::numeric_limits<index_t>::max() / extents.batch)
        throw shape_error(std::string(where) + ": batch " + std::to_string(extents.batch) + " times time " +
                          std::to_string(extents.time) + " cannot be counted");
    return extents;
}

/// `what` is (batch * time) x cols for as many steps as were planned, or fewer.
template <class T>
void require_rows(std::string_view where, std::string_view what, matrix_view<T> m, shape extents, index_t cols) {
    const index_t most = extents.batch * extents.time;
    if (m.rows > most || m.rows % extents.batch != 0 || m.cols != cols)
        throw shape_error(std::string(where) + ": " + std::string(what) + " " + hrm::extents(m.rows, m.cols) + ", expected at most " +
                          hrm::extents(most, cols) + ", rows a multiple of " + std::to_string(extents.batch));
}

/// Steps in a chunk as asked for, 0: the engine's own choice.
inline index_t requested_length(chunked how) {
    if (how.length < 0)
        throw shape_error("hrm::scan::chunked: the length is " + std::to_string(how.length) + ", expected at least 0");
    return how.length;
}

}  // namespace detail

/// Where, how, and the structure of A. There is no primary definition: a combination without a specialisation does not
/// compile. A specialisation has
///     engine(Policy, Algorithm, const A&, shape);
///     void states(const A&, z, s, initial, final);
///     void states_backward(const A&, s, initial, ds, da, dinitial, dfinal);
///     std::string_view algorithm() const;
///     threads();                               // whose run(items, f) shares the work around the scan
/// with the meaning plan gives them; the plan has checked the shapes. On the CPU also what systems go through in pieces,
/// detail/piecewise.hpp.
template <class Policy, class Algorithm, class A>
class engine;

template <class T>
concept complete = requires { sizeof(T); };

template <class Policy, class Algorithm, class A>
concept has_engine = complete<engine<Policy, Algorithm, A>>;

/// An engine whose states may be stored in bf16.
template <class Engine, class A, class S = typename A::scalar>
concept takes_bf16 = requires(Engine e, const A& a, matrix_view<const bf16> z, matrix_view<bf16> s, matrix_view<const S> initial,
                              matrix_view<S> final) { e.states(a, z, s, initial, final); };

/// The structure of A in a system; a structure stands for itself.
template <class System>
struct structure_of {
    using type = System;
    static const type& get(const System& a) { return a; }
};
template <structure A>
struct structure_of<discrete<A>> {
    using type = A;
    static const type& get(const discrete<A>& system) { return system.a; }
};
template <class System>
using structure_of_t = typename structure_of<System>::type;

/// Numbers in a gradient of A: diagonal n, pairs [real q | re k | im k], dense n x n row-major.
template <structure A>
index_t coefficients(const A& a) {
    return a.order();
}
template <real S>
index_t coefficients(const dense<S>& a) {
    return a.order() * a.order();
}

}  // namespace hrm::scan
