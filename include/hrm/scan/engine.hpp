#pragma once

#include <concepts>
#include <string_view>

#include <hrm/core/error.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/core/view.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm::scan {

/// The extents a plan is made for: `batch` sequences of at most `time` steps, stacked sequence by sequence.
struct shape {
    index_t batch = 1, time = 0;
};

/// Where, how, and the structure of A. There is no primary definition: a combination without a specialisation does not
/// compile. A specialisation has
///     engine(Policy, Algorithm, const A&, shape);
///     void states(const A&, z, s, initial, final);
///     void states_backward(const A&, s, initial, ds, da, dinitial, dfinal);
///     std::string_view algorithm() const;
///     threads();                               // whose run(items, f) shares the work around the scan
/// with the meaning plan gives them; the plan has checked the shapes.
template <class Policy, class Algorithm, class A>
class engine;

template <class T>
concept complete = requires { sizeof(T); };

template <class Policy, class Algorithm, class A>
concept has_engine = complete<engine<Policy, Algorithm, A>>;

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
