#pragma once

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/stein.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/detail/peak_gain.hpp>
#include <hrm/systems/stability.hpp>

namespace hrm {

/// Where a system amplifies most: the gain and its frequency, in radians a step (discrete) or a unit of time; not
/// negative, in [0, pi], but for complex systems, whose gain is not even: there in [-pi, pi] and on the whole axis.
struct hinf_result {
    double value = 0;  ///< attained at omega, and below the norm by at most the tolerance
    double omega = 0;  ///< infinity if a continuous system's D is its largest gain
};

namespace detail {

/// |x|_F of a norm that is to be reported: no overflow on the way, and refused where it is one itself.
template <class T>
double reported_norm(std::string_view where, const matrix<T>& x) {
    double largest = 0, sum = 0;
    require_finite(where, "C L", x);
    for (const T v : x.flat()) largest = std::max(largest, std::abs(v));
    if (largest == 0) return 0;
    const double unit = std::ldexp(1.0, std::ilogb(largest));
    for (const T v : x.flat()) sum += std::norm(v / unit);
    const double norm = unit * std::sqrt(sum);
    if (!std::isfinite(norm)) throw numerical_error(std::string(where) + ": the norm is beyond the range of double");
    return norm;
}
inline double reported_norm(std::string_view where, double in_units, const port_units& units) {
    const double norm = std::ldexp(in_units, units.gain());
    if (!std::isfinite(norm)) throw numerical_error(std::string(where) + ": the norm is beyond the range of double");
    return norm;
}
/// A gain that is to be reported.
inline hinf_result reported_gain(const peak& p, const port_units& units) {
    return {reported_norm("hrm::hinf_norm", p.value, units), p.omega};
}
inline void check_tolerance(double tolerance) {
    if (!(tolerance > 0 && tolerance < 1))
        throw numerical_error("hrm::hinf_norm: tolerance is " + std::to_string(tolerance) + ", must be in (0, 1)");
}

}  // namespace detail

/// sqrt(sum_k |h_k|_F^2), h the impulse response: the output's standard deviation for white noise of unit variance. Real and
/// complex systems, as all norms here.
///     |G|^2 = |C L|_F^2, X = L L^T = A X A^T + B B^T;  with D:  |C B + D|_F^2 + |C A L|_F^2
/// O(50 n^3 + n^2 (m + p)).  Throws numerical_error if A is unstable or anything is not finite.
template <any_structure A>
double h2_norm(const discrete<A>& system) {
    system.check();
    auto g = to_dense(cast<double>(system));
    detail::check_finite("hrm::h2_norm", g);
    const auto units = detail::into_port_units(g);
    auto l = stein_factor(g.a.a, g.b);
    if (g.d.empty()) return detail::reported_norm("hrm::h2_norm", detail::reported_norm("hrm::h2_norm", detail::product(g.c, l)), units);
    auto first = detail::product(g.c, g.b);
    for (index_t i = 0; i < first.rows(); ++i)
        for (index_t j = 0; j < first.cols(); ++j) first(i, j) += g.d(i, j);
    const double later = detail::reported_norm("hrm::h2_norm", detail::product(g.c, detail::product(g.a.a, l)));
    return detail::reported_norm("hrm::h2_norm", std::hypot(detail::reported_norm("hrm::h2_norm", first), later), units);
}
/// sqrt(integral |h(t)|_F^2 dt) = |C L|_F, A X + X A^T + B B^T = 0; infinite unless D is zero.
template <any_structure A>
double h2_norm(const continuous<A>& system) {
    system.check();
    auto g = to_dense(cast<double>(system));
    detail::check_finite("hrm::h2_norm", g);
    const bool direct = std::any_of(g.d.flat().begin(), g.d.flat().end(), [](auto x) { return x != 0.0; });
    g.d = {};
    const auto units = detail::into_port_units(g);
    const auto l = lyapunov_factor(g.a.a, g.b);
    if (direct) return std::numeric_limits<double>::infinity();
    return detail::reported_norm("hrm::h2_norm", detail::reported_norm("hrm::h2_norm", detail::product(g.c, l)), units);
}

/// max over omega of the largest singular value of G(e^{i omega}): the most the system can amplify any input's energy.
/// Certified: value is attained at omega, and a level-set test proves that no frequency exceeds (1 + 2 tolerance) value.
/// O(n^3) a test, three or four tests.  Throws numerical_error if A is unstable or anything is not finite.
/// Bruinsma & Steinbuch, "A fast algorithm to compute the H-infinity norm of a transfer function matrix", 1990.
template <any_structure A>
hinf_result hinf_norm(const discrete<A>& system, double tolerance = 1e-8) {
    system.check();
    detail::check_tolerance(tolerance);
    auto g = to_dense(cast<double>(system));
    detail::check_finite("hrm::hinf_norm", g);
    const auto units = detail::into_port_units(g);
    // Without D, |G| is that of C (zI - A)^-1 B; with it, z C (zI - A)^-1 B + D = C A (zI - A)^-1 B + (C B + D).
    auto c = g.c, d = g.d;
    if (!d.empty()) {
        const auto direct = detail::product(g.c, g.b);
        for (index_t i = 0; i < d.rows(); ++i)
            for (index_t j = 0; j < d.cols(); ++j) d(i, j) += direct(i, j);
        c = detail::product(g.c, g.a.a);
    }
    const detail::gain_curve gain("hrm::hinf_norm", g.a.a, g.b, std::move(c), std::move(d), true);
    return detail::reported_gain(detail::largest_gain("hrm::hinf_norm", gain, tolerance), units);
}
template <any_structure A>
hinf_result hinf_norm(const continuous<A>& system, double tolerance = 1e-8) {
    system.check();
    detail::check_tolerance(tolerance);
    auto g = to_dense(cast<double>(system));
    detail::check_finite("hrm::hinf_norm", g);
    const auto units = detail::into_port_units(g);
    const detail::gain_curve gain("hrm::hinf_norm", g.a.a, g.b, g.c, g.d, false);
    return detail::reported_gain(detail::largest_gain("hrm::hinf_norm", gain, tolerance), units);
}

}  // namespace hrm
