#pragma once

#include <complex>
#include <type_traits>

#include <hrm/linalg/gemm.hpp>
#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/stein.hpp>
#include <hrm/reduction/cauchy.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/stability.hpp>

// Exact Gramians,   discrete:  Wc = sum_k A^k B B^T (A^T)^k,          A Wc A^T - Wc + B B^T = 0,
//               continuous:  Wc = int exp(A t) B B^T exp(A^T t) dt,  A Wc + Wc A^T + B B^T = 0,
// and Wo the same of the dual system (A^T, C^T). Real n x n in the coordinates of the state, in double.

namespace hrm {
namespace detail {

inline modal_rows modal(const diagonal<double>& a, const matrix<double>& b) {
    modal_rows m{a.order(), {a.poles.begin(), a.poles.end()}, matrix<std::complex<double>>(b.rows(), b.cols())};
    std::copy(b.flat().begin(), b.flat().end(), m.b.flat().begin());
    return m;
}
inline modal_rows modal(const complex_pairs<double>& a, const matrix<double>& b) {
    const index_t q = a.reals(), k = a.pairs();
    modal_rows m{q, {a.real.begin(), a.real.end()}, matrix<std::complex<double>>(q + k, b.cols())};
    for (index_t i = 0; i < k; ++i)
        m.poles.emplace_back(a.re[static_cast<std::size_t>(i)], a.im[static_cast<std::size_t>(i)]);
    for (index_t j = 0; j < b.cols(); ++j) {
        for (index_t i = 0; i < q; ++i) m.b(i, j) = b(i, j);
        for (index_t i = q; i < q + k; ++i) m.b(i, j) = {b(i, j), b(i + k, j)};
    }
    return m;
}

/// 1 + x + ... + x^(count - 1) by doubling: no 1 - x in the denominator, so also right at and beyond |x| = 1.
inline std::complex<double> geometric_sum(std::complex<double> x, index_t count) {
    std::complex<double> sum = 0, power = 1;  // of the leading bits of count
    for (int bit = 62; bit >= 0; --bit) {
        sum += power * sum;
        power *= power;
        if ((count >> bit) & 1) {
            sum = 1.0 + x * sum;
            power *= x;
        }
    }
    return sum;
}

/// From the covariances P_ij of the modal states, and P_i,conj(j), to those of the real planar states.
/// kernel(l_i, l_j) is 1/(1 - l_i conj l_j) or its like.
template <class Kernel>
matrix<double> planar_gramian(const modal_rows& s, Kernel kernel) {
    const index_t q = s.reals, k = s.size() - q;
    matrix<double> w(s.order(), s.order());
    for (index_t i = 0; i < q + k; ++i)
        for (index_t j = 0; j <= i; ++j) {
            std::complex<double> same = 0, turned = 0;  // b_i b_j^*, b_i b_j^T
            for (index_t h = 0; h < s.b.cols(); ++h) {
                same += s.b(i, h) * std::conj(s.b(j, h));
                turned += s.b(i, h) * s.b(j, h);
            }
            same *= kernel(s.pole(i), s.pole(j));
            turned *= kernel(s.pole(i), std::conj(s.pole(j)));
            const auto with_re = 0.5 * (same + turned);                            // E s_i Re s_j
            const auto with_im = std::complex<double>(0, 0.5) * (same - turned);  // E s_i Im s_j
            const auto put = [&](index_t r, index_t c, double x) { w(r, c) = w(c, r) = x; };
            put(i, j, with_re.real());
            if (i >= q) put(i + k, j, with_re.imag());
            if (j >= q) put(i, j + k, with_im.real());
            if (i >= q && j >= q) put(i + k, j + k, with_im.imag());
        }
    return w;
}

/// Throws unless every pole lies in the open domain. (Dense systems are checked by the equation's solver.)
template <class Domain>
void require_stable(const char* where, const modal_rows& s) {
    constexpr bool disk = std::same_as<Domain, unit_disk>;
    for (const auto& l : s.poles)
        if (!(Domain::denominator(l, l).real() > 0))
            throw_unstable(where, disk ? "spectral radius" : "spectral abscissa", disk ? std::abs(l) : l.real(), disk ? 1 : 0);
}

inline void check_steps(const char* where, index_t steps) {
    if (steps < 0) throw numerical_error(std::string(where) + ": the horizon is " + std::to_string(steps) + " steps, expected 0 or more");
}

/// A result, or an error where it is beyond the range of double.
template <class T>
matrix<T> in_range(const char* where, matrix<T> w) {
    require_finite(where, "the result", w);
    return w;
}

/// Where the poles of a stable system lie.
template <any_system T>
using domain_of = std::conditional_t<in_discrete_time<T>, unit_disk, half_plane>;

template <any_system T>
inline constexpr bool is_modal = !std::same_as<typename T::structure_type, dense<typename T::scalar>>;

}  // namespace detail

/// Wc of a stable system, n x n. Diagonal and pairs: the closed form b_i b_j^* / (1 - l_i conj l_j), O(n^2 m); dense: the
/// Stein or Lyapunov equation, O(n^3). Throws numerical_error, with the spectral radius, where A is not stable.
template <linear_system T>
matrix<double> controllability(const T& system) {
    system.check();
    const auto s = cast<double>(system);
    detail::require_finite("hrm::controllability", "A", s.a);
    detail::require_finite("hrm::controllability", "B", s.b);
    using domain = detail::domain_of<T>;
    if constexpr (detail::is_modal<T>) {
        const auto rows = detail::modal(s.a, s.b);
        detail::require_stable<domain>("hrm::controllability", rows);
        return detail::in_range("hrm::controllability", detail::planar_gramian(rows, [](auto x, auto y) { return 1.0 / domain::denominator(x, y); }));
    } else if constexpr (in_discrete_time<T>) return detail::in_range("hrm::controllability", stein(s.a.a, detail::squared(s.b)));
    else return detail::in_range("hrm::controllability", lyapunov(s.a.a, detail::squared(s.b)));
}

/// Wo of a stable system, n x n: controllability of the dual.
template <linear_system T>
matrix<double> observability(const T& system) {
    detail::require_finite("hrm::observability", "C", system.c);
    return controllability(dual(system));
}

/// Time-limited Wc = sum_{k < steps} A^k B B^T (A^T)^k, any A, stable or not: each entry of the closed form times
/// 1 - (l_i conj l_j)^steps. Diagonal and pairs.
template <linear_system T>
    requires(in_discrete_time<T> && detail::is_modal<T>)
matrix<double> controllability(const T& system, index_t steps) {
    system.check();
    detail::check_steps("hrm::controllability", steps);
    const auto s = cast<double>(system);
    detail::require_finite("hrm::controllability", "A", s.a);
    detail::require_finite("hrm::controllability", "B", s.b);
    return detail::in_range("hrm::controllability",
                            detail::planar_gramian(detail::modal(s.a, s.b), [steps](auto x, auto y) { return detail::geometric_sum(x * std::conj(y), steps); }));
}
template <linear_system T>
    requires(in_discrete_time<T> && detail::is_modal<T>)
matrix<double> observability(const T& system, index_t steps) {
    return controllability(dual(system), steps);
}

/// L with L L^T = Wc, n x rank, without forming Wc: for diagonal A and pairs small columns keep their relative accuracy
/// (hrm/reduction/cauchy.hpp); dense: the factored equation, Hammarling 1982. Throws as controllability.
template <linear_system T>
matrix<double> controllability_factor(const T& system) {
    system.check();
    const auto s = cast<double>(system);
    detail::require_finite("hrm::controllability_factor", "A", s.a);
    detail::require_finite("hrm::controllability_factor", "B", s.b);
    using domain = detail::domain_of<T>;
    if constexpr (detail::is_modal<T>) {
        const auto rows = detail::modal(s.a, s.b);
        detail::require_stable<domain>("hrm::controllability_factor", rows);
        return detail::in_range("hrm::controllability_factor", cauchy_factor<domain>(rows));
    } else if constexpr (in_discrete_time<T>) return detail::in_range("hrm::controllability_factor", stein_factor(s.a.a, s.b));
    else return detail::in_range("hrm::controllability_factor", lyapunov_factor(s.a.a, s.b));
}
template <linear_system T>
matrix<double> observability_factor(const T& system) {
    detail::require_finite("hrm::observability_factor", "C", system.c);
    return controllability_factor(dual(system));
}

}  // namespace hrm
