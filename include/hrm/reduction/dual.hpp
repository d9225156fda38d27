#pragma once

#include <concepts>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// continuous<A> or discrete<A>, whatever A.
template <class T>
concept any_system = std::same_as<T, continuous<typename T::structure_type>> ||
                     std::same_as<T, discrete<typename T::structure_type>>;
/// A real one, and a complex one.
template <class T>
concept linear_system = any_system<T> && structure<typename T::structure_type>;
template <class T>
concept complex_system = any_system<T> && complex_structure<typename T::structure_type>;

/// True for discrete<A>.
template <any_system T>
inline constexpr bool in_discrete_time = std::same_as<T, discrete<typename T::structure_type>>;

namespace detail {

template <real_or_complex S>
diagonal<S> transpose(const diagonal<S>& a) {
    return a;
}
// The rotation by -angle.
template <real S>
complex_pairs<S> transpose(complex_pairs<S> a) {
    for (auto& x : a.im) x = -x;
    return a;
}
template <real_or_complex S>
dense<S> transpose(const dense<S>& a) {
    return {transpose(a.a)};
}

}  // namespace detail

namespace detail {

template <complex_scalar S>
dense<S> adjoint(const dense<S>& a) {
    return {adjoint(a.a)};
}
template <complex_scalar S>
diagonal<S> adjoint(diagonal<S> a) {
    for (auto& v : a.poles) v = std::conj(v);
    return a;
}

}  // namespace detail

/// (A, B, C, D) -> (A^T, C^T, B^T, D^T), complex (A^H, C^H, B^H, D^H): the observability Gramian of a system is the controllability Gramian of its
/// dual, and both have the same Hankel singular values.
template <linear_system T>
T dual(const T& system) {
    return {detail::transpose(system.a), detail::transpose(system.c), detail::transpose(system.b),
            detail::transpose(system.d)};
}

template <complex_system T>
T dual(const T& system) {
    return {detail::adjoint(system.a), detail::adjoint(system.c), detail::adjoint(system.b),
            detail::adjoint(system.d)};
}

}  // namespace hrm
