#pragma once

#include <cmath>
#include <complex>

// Complex numbers as two doubles a loop can keep in vectors, and the two domains of stable poles with what the Cauchy
// elimination needs of them. Every formula is free of cancellation, also where poles lie next to the boundary.

namespace hrm {
namespace detail {

struct planar {
    double re = 0, im = 0;
};
inline planar operator+(planar x, planar y) { return {x.re + y.re, x.im + y.im}; }
inline planar operator-(planar x, planar y) { return {x.re - y.re, x.im - y.im}; }
inline planar operator*(planar x, planar y) { return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }
inline planar operator*(double a, planar x) { return {a * x.re, a * x.im}; }
inline planar conj(planar x) { return {x.re, -x.im}; }
inline planar times_i(planar x) { return {-x.im, x.re}; }
inline double abs(planar x) { return std::hypot(x.re, x.im); }
inline planar reciprocal(planar x) {
    const double s = 1 / (x.re * x.re + x.im * x.im);
    return {s * x.re, -s * x.im};
}
inline planar square_root(planar x) {
    const auto r = std::sqrt(std::complex<double>(x.re, x.im));
    return {r.real(), r.imag()};
}

}  // namespace detail

/// Where stable poles live: |l| < 1. A pole's gap is 1 - |l|^2.
///     1 - x conj(p) = (gap_x + gap_p + |x - p|^2)/2 + i (Im p (Re x - Re p) - Re p (Im x - Im p))
struct unit_disk {
    using complex = std::complex<double>;
    using planar = detail::planar;
    static double gap(planar l) {
        const long double a = l.re, b = l.im;
        return static_cast<double>(1 - a * a - b * b);
    }
    static planar denominator(planar x, double gap_x, planar p, double gap_p) {
        const double a = x.re - p.re, b = x.im - p.im;
        return {(gap_x + gap_p + a * a + b * b) / 2, a * p.im - b * p.re};
    }
    static double denominator(double x, double gap_x, double p, double gap_p) {
        return (gap_x + gap_p + (x - p) * (x - p)) / 2;
    }
    static planar numerator(planar x, planar p) { return x - p; }
    static double numerator(double x, double p) { return x - p; }
    /// The Blaschke factor at 1: of modulus one.
    static planar at_boundary(planar p) { return planar{1 - p.re, -p.im} * detail::reciprocal({1 - p.re, p.im}); }

    static complex denominator(complex x, complex p) {
        const planar u{x.real(), x.imag()}, v{p.real(), p.imag()}, d = denominator(u, gap(u), v, gap(v));
        return {d.re, d.im};
    }
};
/// Where stable poles live: Re l < 0. A pole's gap is -2 Re l.
struct half_plane {
    using complex = std::complex<double>;
    using planar = detail::planar;
    static double gap(planar l) { return -2 * l.re; }
    static planar denominator(planar x, double, planar p, double) { return {-(x.re + p.re), p.im - x.im}; }
    static double denominator(double x, double, double p, double) { return -(x + p); }
    static planar numerator(planar x, planar p) { return p - x; }
    static double numerator(double x, double p) { return p - x; }
    /// At infinity.
    static planar at_boundary(planar) { return {1, 0}; }

    static complex denominator(complex x, complex p) { return -(x + std::conj(p)); }
};

}  // namespace hrm
