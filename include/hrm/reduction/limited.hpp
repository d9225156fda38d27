#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <sstream>

#include <hrm/linalg/expm.hpp>
#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/rediagonalize.hpp>
#include <hrm/systems/discretize.hpp>
#include <hrm/systems/modal.hpp>

// Gramians of a part of time or frequency, for balance(system, wc, wo): a reduction that is good there and nowhere else.
// Gawronski & Juang 1990. The observability ones are those of the dual system.

namespace hrm {

/// Continuous time: what happens within this long. Discrete time has controllability(system, steps) for it.
struct horizon {
    double length;
};
/// low <= |omega| <= high, both signs also of a complex system, in radians a unit of time (high may be infinite), or a step (then at most pi).
struct band {
    double low, high;
};

namespace detail {

/// Beyond pi a discrete system's frequencies come round again: they would count twice.
inline void check_band(const char* where, band w, bool discrete) {
    const double most = discrete ? std::numbers::pi : std::numeric_limits<double>::infinity();
    if (w.low >= 0 && w.high >= w.low && w.low <= most && w.high <= most) return;
    std::ostringstream s;
    s.precision(17);
    s << where << ": the band runs from " << w.low << " to " << w.high << ", expected 0 <= low <= high" << (discrete ? " <= pi = " : "");
    if (discrete) s << most;
    throw numerical_error(s.str());
}

/// (1/2 pi) integral over the band, negative frequencies included, of 1/(i omega - l):  -i/(2 pi) [ln(i omega - l)].
inline complex band_integral(half_plane, complex l, band w) {
    const auto upto = [l](double omega) {  // from -omega
        return std::isinf(omega) ? complex(0, std::numbers::pi) : std::log(complex(0, omega) - l) - std::log(complex(0, -omega) - l);
    };
    return complex(0, -1) * (upto(w.high) - upto(w.low)) / (2 * std::numbers::pi);
}
/// The same of 1/(1 - l e^{-i theta}):  1/(2 pi) [theta - i ln(1 - l e^{-i theta})].
inline complex band_integral(unit_disk, complex l, band w) {
    const auto at = [l](double theta) { return theta - complex(0, 1) * std::log(1.0 - l * std::polar(1.0, -theta)); };
    return (at(w.high) - at(w.low) + at(-w.low) - at(-w.high)) / (2 * std::numbers::pi);
}

/// (w + w^H) / 2.
template <class T>
matrix<T> hermitian_part(matrix<T> w) {
    for (index_t i = 0; i < w.rows(); ++i) {
        w(i, i) = std::real(w(i, i));
        for (index_t j = 0; j < i; ++j) w(j, i) = conjugate(w(i, j) = (w(i, j) + conjugate(w(j, i))) / 2.0);
    }
    return w;
}

/// Wc in modal coordinates, kernel(l_i, l_j) b_i b_j^*, of any A: dense ones through their eigenvectors.
template <any_system T, class Kernel>
auto modal_gramian(const char* where, const T& system, bool needs_stable, Kernel kernel) {
    system.check();
    const auto s = cast<double>(system);
    using M = std::decay_t<decltype(s.b)>;
    require_finite(where, "A", s.a);
    require_finite(where, "B", s.b);
    const auto closed = [&](const auto& a, const M& b) {
        using domain = domain_of<T>;
        if constexpr (complex_system<T>) {
            if (needs_stable) require_stable<domain>(where, a.poles);
            return in_range(where, modal_gramian(a, b, kernel));
        } else {
            const auto rows = modal(a, b);
            if (needs_stable) require_stable<domain>(where, rows);
            return in_range(where, planar_gramian(rows, kernel));
        }
    };
    if constexpr (is_modal<T>) return closed(s.a, s.b);
    else {
        if constexpr (linear_system<T>)
            if (const auto modes = find_modes(s)) {
                const auto half = modes->from_modes(closed(modes->a, modes->to_modes(s.b)));
                return in_range(where, modes->from_modes(transpose(half)));
            }
        modal_structure<std::decay_t<decltype(s.b(0, 0))>> a;
        const auto v = modal_vectors(s.a.a, a);
        const auto sigma = jacobi_svd(v).sigma;
        if (!sigma.empty() && !(sigma.back() > 1e-7 * sigma.front()))
            throw numerical_error(std::string(where) + ": A is too near to defective: its eigenvectors have condition " +
                                  std::to_string(sigma.front() / sigma.back()) +
                                  ", expected at most 1e+07; a filter that passes the band says the same for any A: weighted_" +
                                  "controllability and weighted_observability");
        M w(s.order(), s.order());
        add_times_adjoint(product(v, closed(a, solve(v, s.b))), v, w);
        return in_range(where, hermitian_part(std::move(w)));
    }
}

/// Wc over a band, see controllability.
template <any_system T>
auto band_gramian(const char* where, const T& system, band w) {
    check_band(where, w, in_discrete_time<T>);
    using domain = domain_of<T>;
    return modal_gramian(where, system, true, [w](auto x, auto y) {
        const auto sum = band_integral(domain{}, x, w) + std::conj(band_integral(domain{}, y, w));
        const double width = in_discrete_time<T> ? (w.high - w.low) / std::numbers::pi : 0;
        return (sum - width) / domain::denominator(x, y);
    });
}

}  // namespace detail

/// Wc = (1/2 pi) integral over the band of F B B^H F^H,  F = (i omega I - A)^-1, discrete (I - A e^{-i omega})^-1:
///     continuous:  -(s_i + conj s_j)/(l_i + conj l_j) b_i b_j^*        with s the integral of 1/(i omega - l),
///     discrete:    (s_i + conj s_j - |band|/pi)/(1 - l_i conj l_j) b_i b_j^*        with that of 1/(1 - l e^{-i omega}).
/// n x n, positive semidefinite; the whole axis or circle gives the Gramian itself. Diagonal A and pairs O(n^2 m), dense A
/// through its eigenvectors, O(n^3). Throws numerical_error if A is unstable, or defective to seven digits.
template <any_system T>
auto controllability(const T& system, band w) {
    return detail::band_gramian("hrm::controllability", system, w);
}
template <any_system T>
auto observability(const T& system, band w) {
    return detail::band_gramian("hrm::observability", dual(system), w);
}

/// Wc = integral_0^T e^{At} B B^H e^{A^H t} dt, any A, stable or not. Diagonal A and pairs: the closed form
///     (e^{(l_i + conj l_j) T} - 1)/(l_i + conj l_j) b_i b_j^*
/// Dense: over T/2^k by the exponential of [-A BB^H; 0 A^H] (Van Loan 1978), then k doublings, W <- W + E W E^H. O(k n^3).
template <any_structure A>
auto controllability(const continuous<A>& system, horizon t) {
    if (!(t.length >= 0 && std::isfinite(t.length)))
        throw numerical_error("hrm::controllability: the horizon is " + std::to_string(t.length) + ", expected a finite length, 0 or more");
    using T = continuous<A>;
    if constexpr (detail::is_modal<T>)
        return detail::modal_gramian("hrm::controllability", system, false, [t](auto x, auto y) {
            const std::complex<double> z = (x + std::conj(y)) * t.length;
            return t.length * (std::abs(z) > 0 ? detail::expm1(z) / z : std::complex<double>(1));
        });
    else {
        system.check();
        const auto s = cast<double>(system);
        detail::require_finite("hrm::controllability", "A", s.a.a);
        detail::require_finite("hrm::controllability", "B", s.b);
        const index_t n = s.order();
        using M = std::decay_t<decltype(s.b)>;
        double norm = 0;
        for (const auto& x : s.a.a.flat()) norm = std::hypot(norm, std::abs(x));
        const int doublings = norm * t.length > 1 ? static_cast<int>(std::ceil(std::log2(norm * t.length))) : 0;
        const double step = std::ldexp(t.length, -doublings);
        const auto q = detail::squared(s.b);
        M generator(2 * n, 2 * n);
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) {
                generator(i, j) = -step * s.a.a(i, j);
                generator(i, n + j) = step * q(i, j);
                generator(n + i, n + j) = step * detail::conjugate(s.a.a(j, i));
            }
        const auto grown = expm(generator);
        auto e = detail::adjoint(detail::submatrix(grown, n, n, n, n));  // e^{A step}, then W = e upper
        auto w = detail::product(e, detail::submatrix(grown, 0, n, n, n));
        for (int k = 0; k < doublings; ++k) {
            detail::add_times_adjoint(detail::product(e, w), e, w);
            e = detail::product(e, e);
        }
        return detail::in_range("hrm::controllability", detail::hermitian_part(std::move(w)));
    }
}
template <any_structure A>
auto observability(const continuous<A>& system, horizon t) {
    return controllability(dual(system), t);
}

/// Time-limited Wc = sum_{k < steps} A^k B B^H (A^H)^k of a dense A, stable or not, by doubling:  O(n^3 log steps).
template <real_or_complex S>
auto controllability(const discrete<dense<S>>& system, index_t steps) {
    system.check();
    detail::check_steps("hrm::controllability", steps);
    const auto s = cast<double>(system);
    detail::require_finite("hrm::controllability", "A", s.a.a);
    detail::require_finite("hrm::controllability", "B", s.b);
    const index_t n = s.order();
    const auto q = detail::squared(s.b);
    // W and E = A^count for the leading bits of steps; a further bit: W <- Q + A W A^H, E <- A E.
    std::decay_t<decltype(s.b)> w(n, n), e(n, n);
    for (index_t i = 0; i < n; ++i) e(i, i) = 1;
    int bit = 62;
    while (bit >= 0 && ((steps >> bit) & 1) == 0) --bit;
    for (; bit >= 0; --bit) {
        detail::add_times_adjoint(detail::product(e, w), e, w);
        e = detail::product(e, e);
        if (((steps >> bit) & 1) == 0) continue;
        auto next = q;
        detail::add_times_adjoint(detail::product(s.a.a, w), s.a.a, next);
        w = std::move(next);
        e = detail::product(s.a.a, e);
    }
    return detail::in_range("hrm::controllability", detail::hermitian_part(std::move(w)));
}
template <complex_scalar S>
matrix<std::complex<double>> controllability(const discrete<diagonal<S>>& system, index_t steps) {
    detail::check_steps("hrm::controllability", steps);
    return detail::modal_gramian("hrm::controllability", system, false, [steps](auto x, auto y) { return detail::geometric_sum(x * std::conj(y), steps); });
}
template <any_structure A>
    requires(std::same_as<A, dense<typename A::scalar>> || complex_structure<A>)
auto observability(const discrete<A>& system, index_t steps) {
    return controllability(dual(system), steps);
}

}  // namespace hrm
