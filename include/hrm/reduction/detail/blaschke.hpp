#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <concepts>

// Complex numbers as two numbers, or as two registers of numbers, and the two domains of stable poles with what the Cauchy
// elimination needs of them. Every formula is free of cancellation, also where poles lie next to the boundary.

namespace hrm {
namespace detail {

/// T: double, or a register of several.
template <class T>
struct planar_of {
    T re, im;
};
using planar = planar_of<double>;

template <class T>
[[gnu::always_inline]] inline planar_of<T> operator+(const planar_of<T>& x, const planar_of<T>& y) {
    return {x.re + y.re, x.im + y.im};
}
template <class T, class U>
[[gnu::always_inline]] inline auto operator-(const planar_of<T>& x, const planar_of<U>& y) -> planar_of<decltype(x.re - y.re)> {
    return {x.re - y.re, x.im - y.im};
}
template <class T, class U>
[[gnu::always_inline]] inline auto operator*(const planar_of<T>& x, const planar_of<U>& y) -> planar_of<decltype(x.re * y.re)> {
    return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
template <class T>
[[gnu::always_inline]] inline planar_of<T> operator*(double a, const planar_of<T>& x) {
    return {a * x.re, a * x.im};
}
template <class T>
[[gnu::always_inline]] inline planar_of<T> conj(const planar_of<T>& x) {
    return {x.re, -x.im};
}
template <class T>
[[gnu::always_inline]] inline planar_of<T> times_i(const planar_of<T>& x) {
    return {-x.im, x.re};
}
template <class T>
[[gnu::always_inline]] inline planar_of<T> reciprocal(const planar_of<T>& x) {
    const T s = 1 / (x.re * x.re + x.im * x.im);
    return {s * x.re, -s * x.im};
}
inline double norm(const planar& x) { return x.re * x.re + x.im * x.im; }
/// Of a number of modulus one, by half its angle.
inline planar square_root(const planar& x) {
    const double h = std::sqrt((1 + std::abs(x.re)) / 2), k = x.im / (2 * h);
    return x.re >= 0 ? planar{h, k} : planar{std::abs(k), std::copysign(h, x.im)};
}

}  // namespace detail

/// Where stable poles live: |l| < 1. A pole's gap is 1 - |l|^2.
///     1 - x conj(p) = (gap_x + gap_p + |x - p|^2)/2 + i (Im p (Re x - Re p) - Re p (Im x - Im p))
struct unit_disk {
    using complex = std::complex<double>;
    using planar = detail::planar;
    template <class T>
    using planar_of = detail::planar_of<T>;

    /// To rounding of its own: next to the boundary nothing is rounded before 1 has cancelled. 1 - x^2 is rounded where x^2 is below
    /// 1/2, next to e^(i pi/4); by (1 - (1 - x^2)) - x^2, without rounding.
    static double gap(planar l) {
        const double x = std::max(std::abs(l.re), std::abs(l.im)), y = std::min(std::abs(l.re), std::abs(l.im)), xx = x * x, yy = y * y, rest = 1 - xx;
        return (rest - yy) + (((1 - rest) - xx) - (std::fma(x, x, -xx) + std::fma(y, y, -yy)));
    }
    template <class T>
    [[gnu::always_inline]] static planar_of<T> denominator(const planar_of<T>& x, const T& gap_x, const planar& p, double gap_p) {
        const T a = x.re - p.re, b = x.im - p.im;
        return {(gap_x + gap_p + a * a + b * b) * 0.5, a * p.im - b * p.re};
    }
    template <class T>
    [[gnu::always_inline]] static T denominator(const T& x, const T& gap_x, double p, double gap_p) {
        return (gap_x + gap_p + (x - p) * (x - p)) * 0.5;
    }
    template <class T, class P>
    [[gnu::always_inline]] static auto numerator(const T& x, const P& p) {
        return x - p;
    }
    /// What e' counts in o^* c (cauchy_product.hpp).
    template <class P>
    [[gnu::always_inline]] static P echo(const P& l) {
        if constexpr (std::same_as<P, double>) return l;
        else return detail::conj(l);
    }
    /// The Blaschke factor at 1: of modulus one.
    static planar at_boundary(planar p) { return planar{1 - p.re, -p.im} * detail::reciprocal(planar{1 - p.re, p.im}); }

    static complex denominator(complex x, complex p) {
        const planar u{x.real(), x.imag()}, v{p.real(), p.imag()}, d = denominator(u, gap(u), v, gap(v));
        return {d.re, d.im};
    }
};
/// Where stable poles live: Re l < 0. A pole's gap is -2 Re l.
struct half_plane {
    using complex = std::complex<double>;
    using planar = detail::planar;
    template <class T>
    using planar_of = detail::planar_of<T>;

    static double gap(planar l) { return -2 * l.re; }
    template <class T>
    [[gnu::always_inline]] static planar_of<T> denominator(const planar_of<T>& x, const T&, const planar& p, double) {
        return {-(x.re + p.re), p.im - x.im};
    }
    template <class T>
    [[gnu::always_inline]] static T denominator(const T& x, const T&, double p, double) {
        return -(x + p);
    }
    template <class T, class P>
    [[gnu::always_inline]] static auto numerator(const T& x, const P& p) {
        return p - x;
    }
    template <class P>
    [[gnu::always_inline]] static P echo(const P&) {
        if constexpr (std::same_as<P, double>) return -1;
        else return {-1, 0};
    }
    /// At infinity.
    static planar at_boundary(planar) { return {1, 0}; }

    static complex denominator(complex x, complex p) { return -(x + std::conj(p)); }
};

}  // namespace hrm
