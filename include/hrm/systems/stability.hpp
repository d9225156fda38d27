#pragma once

#include <cmath>
#include <complex>
#include <limits>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// The eigenvalues of A, in the structure's order (a pair gives re + i im, then its conjugate); in no order for dense A.
/// O(n), dense O(20 n^3).  Throws numerical_error if A is not finite.
template <real_or_complex S>
buffer<std::complex<double>> eigenvalues(const diagonal<S>& a) {
    buffer<std::complex<double>> values(a.poles.begin(), a.poles.end());
    for (const auto& x : values)
        if (!detail::is_finite(x)) throw numerical_error("hrm::eigenvalues: a pole is not finite");
    return values;
}
template <real S>
buffer<std::complex<double>> eigenvalues(const complex_pairs<S>& a) {
    buffer<std::complex<double>> values(a.real.begin(), a.real.end());
    for (std::size_t i = 0; i < a.re.size(); ++i) {
        values.emplace_back(a.re[i], a.im[i]);
        values.emplace_back(a.re[i], -a.im[i]);
    }
    for (const auto& x : values)
        if (!detail::is_finite(x)) throw numerical_error("hrm::eigenvalues: a pole is not finite");
    return values;
}
template <real_or_complex S>
buffer<std::complex<double>> eigenvalues(const dense<S>& a) {
    require_shape("hrm::eigenvalues", "A", a.a.rows(), a.a.cols(), a.a.rows(), a.a.rows());
    detail::require_finite("hrm::eigenvalues", "A", a.a);
    return detail::eigenvalues("hrm::eigenvalues", detail::to_double(a.a));
}

namespace detail {

template <real_or_complex S>
void require_finite(std::string_view where, std::string_view what, const dense<S>& a) {
    require_finite(where, what, a.a);
}
template <real_or_complex S>
void require_finite(std::string_view where, std::string_view what, const buffer<S>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!is_finite(values[i]))
            throw numerical_error(std::string(where) + ": " + std::string(what) + ": pole " + std::to_string(i) + " is not finite");
}
template <real_or_complex S>
void require_finite(std::string_view where, std::string_view what, const diagonal<S>& a) {
    require_finite(where, what, a.poles);
}
template <real S>
void require_finite(std::string_view where, std::string_view what, const complex_pairs<S>& a) {
    require_finite(where, what, a.real);
    require_finite(where, what, a.re);
    require_finite(where, what, a.im);
}
/// A, B, C and D, whatever the structure.
template <class System>
void check_finite(std::string_view where, const System& g) {
    require_finite(where, "A", g.a);
    require_finite(where, "B", g.b);
    require_finite(where, "C", g.c);
    require_finite(where, "D", g.d);
}

}  // namespace detail

/// max |lambda|: 0 for order 0.
template <any_structure A>
double spectral_radius(const A& a) {
    double r = 0;
    for (const auto& x : eigenvalues(a)) r = std::max(r, std::abs(x));
    return r;
}
/// max Re lambda: -infinity for order 0.
template <any_structure A>
double spectral_abscissa(const A& a) {
    double r = -std::numeric_limits<double>::infinity();
    for (const auto& x : eigenvalues(a)) r = std::max(r, x.real());
    return r;
}

/// Every eigenvalue inside the unit circle.
template <any_structure A>
bool is_stable(const discrete<A>& system) {
    return spectral_radius(system.a) < 1;
}
/// Every eigenvalue left of the imaginary axis.
template <any_structure A>
bool is_stable(const continuous<A>& system) {
    return spectral_abscissa(system.a) < 0;
}

namespace detail {

/// Throws unstable_error, with the pole that lies farthest out, unless the system is stable:  a function that finds out on its
/// way, in another's name, asks here whose fault it was.
template <any_structure A>
void require_stable(std::string_view where, const discrete<A>& system) {
    if (const double radius = spectral_radius(system.a); !(radius < 1)) throw_unstable(where, "spectral radius", radius, 1);
}
template <any_structure A>
void require_stable(std::string_view where, const continuous<A>& system) {
    if (const double abscissa = spectral_abscissa(system.a); !(abscissa < 0)) throw_unstable(where, "spectral abscissa", abscissa, 0);
}

}  // namespace detail
}  // namespace hrm
