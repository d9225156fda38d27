#pragma once

#include <concepts>

#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// continuous<A> or discrete<A>, whatever A.
template <class T>
concept linear_system = std::same_as<T, continuous<typename T::structure_type>> ||
                        std::same_as<T, discrete<typename T::structure_type>>;

/// True for discrete<A>.
template <linear_system T>
inline constexpr bool in_discrete_time = std::same_as<T, discrete<typename T::structure_type>>;

namespace detail {

template <real S>
diagonal<S> transpose(const diagonal<S>& a) {
    return a;
}
// The rotation by -angle.
template <real S>
complex_pairs<S> transpose(complex_pairs<S> a) {
    for (auto& x : a.im) x = -x;
    return a;
}
template <real S>
dense<S> transpose(const dense<S>& a) {
    return {transpose(a.a)};
}

}  // namespace detail

/// (A, B, C, D) -> (A^T, C^T, B^T, D^T): the observability Gramian of a system is the controllability Gramian of its
/// dual, and both have the same Hankel singular values.
template <linear_system T>
T dual(const T& system) {
    return {detail::transpose(system.a), detail::transpose(system.c), detail::transpose(system.b),
            detail::transpose(system.d)};
}

}  // namespace hrm
