#pragma once

#include <algorithm>
#include <numbers>

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/linalg/solve.hpp>

// The level-set iteration behind hinf_norm. G(x) = C (x I - A)^-1 B + D on a contour: the imaginary axis or the unit circle.

namespace hrm::detail {

/// The largest eigenvalue of a Hermitian matrix: Householder reflections to tridiagonal form, whose off-diagonal entries'
/// moduli are all that matters, then bisection on the signs of the pivots of T - x I.  h: k x k.  O(4/3 k^3).
/// The largest modulus is about 1. To rounding of that also where others are next to it, which an iteration of vectors would not separate.
inline double largest_eigenvalue(complex_matrix h) {
    const index_t k = h.rows();
    buffer<double> d(static_cast<std::size_t>(k)), e(static_cast<std::size_t>(k));  // e[i]: |h(i, i - 1)|
    buffer<complex> v(static_cast<std::size_t>(k)), q(static_cast<std::size_t>(k));
    for (index_t j = 0; j < k; ++j) {
        d[static_cast<std::size_t>(j)] = h(j, j).real();
        if (j + 1 == k) break;
        double square = 0;
        for (index_t i = j + 1; i < k; ++i) square += std::norm(v[static_cast<std::size_t>(i)] = h(i, j));
        const double norm = e[static_cast<std::size_t>(j + 1)] = std::sqrt(square);
        if (!(square > 1e-280) || j + 2 == k) continue;  // nothing beside 1, and squares that lost digits turn by no rotation
        complex& head = v[static_cast<std::size_t>(j + 1)];
        const double size = std::abs(head), weight = 1 / (norm * (norm + size));  // 2 / |v|^2
        head += phase(head) * norm;
        complex along = 0;  // h <- h - v q^H - q v^H,  q = p - (v^H p / |v|^2) v,  p = weight h v
        for (index_t a = j + 1; a < k; ++a) {
            complex sum = 0;
            for (index_t b = j + 1; b < k; ++b) sum += times(h(a, b), v[static_cast<std::size_t>(b)]);
            q[static_cast<std::size_t>(a)] = weight * sum;
            along += conj_times(v[static_cast<std::size_t>(a)], weight * sum);
        }
        for (index_t a = j + 1; a < k; ++a) q[static_cast<std::size_t>(a)] -= times(weight / 2 * along, v[static_cast<std::size_t>(a)]);
        for (index_t a = j + 1; a < k; ++a)
            for (index_t b = j + 1; b < k; ++b)
                h(a, b) -= conj_times(q[static_cast<std::size_t>(b)], v[static_cast<std::size_t>(a)]) +
                           conj_times(v[static_cast<std::size_t>(b)], q[static_cast<std::size_t>(a)]);
    }
    double low = d[0], high = d[0];
    for (index_t i = 0; i < k; ++i) {
        const auto at = static_cast<std::size_t>(i);
        low = std::max(low, d[at]);  // a Rayleigh quotient; and Gershgorin's circles
        high = std::max(high, d[at] + e[at] + (i + 1 < k ? e[at + 1] : 0));
    }
    const double least = std::numeric_limits<double>::min();
    while (true) {
        const double x = low + (high - low) / 2;
        if (!(x > low && x < high)) return high;
        double pivot = d[0] - x;
        bool below = pivot < 0;  // all pivots are negative: every eigenvalue is below x
        for (index_t i = 1; i < k && below; ++i) {
            const auto at = static_cast<std::size_t>(i);
            pivot = d[at] - x - e[at] * e[at] / std::min(pivot, -least);
            below = pivot < 0;
        }
        (below ? high : low) = x;
    }
}

/// The largest singular value of g: the root of the largest eigenvalue of the smaller of g^H g, g g^H, to rounding.
inline double largest_singular_value(const complex_matrix& g) {
    const bool wide = g.cols() > g.rows();
    const index_t k = wide ? g.rows() : g.cols(), l = wide ? g.cols() : g.rows();
    if (k == 0) return 0;
    const auto at = [&](index_t i, index_t j) { return wide ? std::conj(g(j, i)) : g(i, j); };  // l x k
    complex_matrix square(k, k);
    double scale = 0;
    for (const auto& x : g.flat()) scale = std::max(scale, modulus1(x));
    if (!(scale > 0)) return 0;
    for (index_t i = 0; i < l; ++i)
        for (index_t a = 0; a < k; ++a) {
            const complex x = std::conj(at(i, a)) / scale;
            for (index_t b = a; b < k; ++b) square(a, b) += times(x, at(i, b) / scale);
        }
    for (index_t a = 0; a < k; ++a)
        for (index_t b = 0; b < a; ++b) square(a, b) = std::conj(square(b, a));
    if (k == 1) return scale * std::sqrt(square(0, 0).real());
    return scale * std::sqrt(largest_eigenvalue(std::move(square)));
}

struct peak {
    double value = 0, omega = 0;
};

/// n x n, n x m, p x n, p x m.
template <class T>
struct state_space {
    matrix<T> a, b, c, d;
};

/// A system in Schur coordinates, t upper triangular, and its contour.
struct gain_curve {
    complex_matrix t, b, c, d;  ///< n x n, n x m, p x n, p x m
    bool circle = false;
    bool even = true;  ///< in omega, as the gain of a real system is
    state_space<double> plain;  ///< of a real system, in real Schur coordinates; else empty

    template <class T>
    gain_curve(std::string_view where, const matrix<T>& a, matrix<T> b0, matrix<T> c0, matrix<T> d0, bool circle_)
        : circle(circle_), even(real<T>) {
        // Transposing G changes no singular value; solve for the fewer columns. States from the last: a triangular A, whose Schur
        // form is exact in any units, stays one.
        bool turned = c0.rows() < b0.cols();
        matrix<T> a0 = turned ? transpose(a) : a;
        if (turned) {
            auto bt = transpose(c0);
            c0 = transpose(b0);
            b0 = std::move(bt);
            d0 = transpose(d0);
            const index_t n = a0.rows();
            std::reverse(a0.flat().begin(), a0.flat().end());
            for (index_t i = 0; i < n / 2; ++i) std::swap_ranges(b0.view().row(i), b0.view().row(i) + b0.cols(), b0.view().row(n - 1 - i));
            for (index_t i = 0; i < c0.rows(); ++i) std::reverse(c0.view().row(i), c0.view().row(i) + n);
        }
        // Without D, only B B^T and C^T C matter: never more than n columns and rows.
        if (d0.empty() && b0.cols() > a.rows()) b0 = lower_factor(std::move(b0));
        if (d0.empty() && c0.rows() > a.rows()) c0 = transpose(lower_factor(transpose(c0)));
        if (d0.empty()) d0 = matrix<T>(c0.rows(), b0.cols());
        auto a1 = a0;
        const auto form = circle ? stable_schur<two_sided::product>(where, std::move(a0)) : stable_schur<two_sided::sum>(where, std::move(a0));
        t = form.t;
        b = into_schur(form, b0);
        for (index_t i = 0; i < c0.rows(); ++i)
            for (index_t j = 0; j < c0.cols(); ++j) c0(i, j) *= form.d[static_cast<std::size_t>(j)];
        c = product(to_complex(c0), form.q);
        d = to_complex(d0);
        if constexpr (real<T>) {  // once more, a third of what one level set costs: the form that t came from
            balance_scales(a1);
            const auto first = real_schur(where, std::move(a1));
            for (index_t i = 0; i < b0.rows(); ++i)
                for (double& x : b0.view().row_span(i)) x /= form.d[static_cast<std::size_t>(i)];
            plain = {first.t, product(adjoint(first.q), b0), product(c0, first.q), std::move(d0)};
        }
    }

    complex point(double omega) const { return circle ? std::polar(1.0, omega) : complex{0, omega}; }

    /// The largest singular value of G at omega.  O(n^2 m + n p m).
    double operator()(double omega) const {
        const index_t n = t.rows(), m = b.cols();
        const complex z = point(omega);
        complex_matrix x = b;
        for (index_t i = n - 1; i >= 0; --i) {
            for (index_t k = i + 1; k < n; ++k) {
                const complex f = t(i, k);
                for (index_t j = 0; j < m; ++j) x(i, j) += times(f, x(k, j));
            }
            const complex scale = 1.0 / (z - t(i, i));
            for (index_t j = 0; j < m; ++j) x(i, j) = times(scale, x(i, j));
        }
        auto g = product(c, x);
        for (index_t i = 0; i < g.rows(); ++i)
            for (index_t j = 0; j < m; ++j) g(i, j) += d(i, j);
        return largest_singular_value(g);
    }
};

/// The curve on the imaginary axis, with the frequency `away` of the original at infinity. The axis with away = infinity: itself. Else,
/// through s = i away + 1/x,
///     A = M^-1,  B = M^-1 B,  C = -C M^-1,  D = D - C M^-1 B = G(i away)                  with M = A - i away I.
/// The circle, through z = e^{i angle} (1 + s)/(1 - s), angle = away - pi,
///     A = I - 2 M^-1,  B = sqrt2 M^-1 B,  C = sqrt2 turn C M^-1,  D = D - turn C M^-1 B   with M = turn A + I, turn = e^{-i angle}.
/// In real arithmetic away is 0, or infinity or pi.
template <class T>
struct axis_curve : state_space<T> {
    using state_space<T>::a, state_space<T>::b, state_space<T>::c, state_space<T>::d;
    bool circle;
    double away;

    axis_curve(state_space<T> g, bool circle_, double away_) : state_space<T>(std::move(g)), circle(circle_), away(away_) {
        if (std::isinf(away)) return;
        const index_t n = a.rows(), m = b.cols();
        T turn = 1.0, shift = circle ? 1.0 : 0.0;
        if constexpr (real<T>) {
            if (circle) turn = -std::cos(away);
        } else if (circle) turn = -std::polar(1.0, -away);
        else shift = {0, -away};
        matrix<T> moved(n, n), right(n, n + m);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) moved(i, j) = turn * a(i, j) + (i == j ? shift : T(0));
            for (index_t j = 0; j < m; ++j) right(i, n + j) = b(i, j);
            right(i, i) = 1;
        }
        const auto x = solve(std::move(moved), std::move(right));  // [M^-1 | M^-1 B]
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) a(i, j) = x(i, j);
            for (index_t j = 0; j < m; ++j) b(i, j) = x(i, n + j);
        }
        const auto through = product(c, b);
        for (index_t i = 0; i < d.rows(); ++i)
            for (index_t j = 0; j < m; ++j) d(i, j) -= turn * through(i, j);
        c = product(c, a);
        for (auto& value : c.flat()) value *= circle ? std::numbers::sqrt2 * turn : T(-1);
        if (!circle) return;
        for (auto& value : b.flat()) value *= std::numbers::sqrt2;
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) a(i, j) = (i == j ? 1.0 : 0.0) - 2.0 * a(i, j);
    }
    /// The frequency of the original at s = i x.
    double original(double x) const { return circle ? away - std::numbers::pi + 2 * std::atan(x) : std::isinf(away) ? x : away - 1 / x; }

    /// Some singular value of G equals level where this Hamiltonian has eigenvalues on the imaginary axis; all its eigenvalues:
    ///     H = [ A + B R^-1 D^H C       level B R^-1 B^H         ]     R = level^2 I - D^H D
    ///         [ -level C^H S^-1 C      -(A + B R^-1 D^H C)^H    ]     S = level^2 I - D D^H
    buffer<complex> crossings(std::string_view where, double level) const {
        const index_t n = a.rows(), m = b.cols(), p = c.rows();
        const auto dh = adjoint(d), bh = adjoint(b), ch = adjoint(c);
        auto r = product(dh, d), s = product(d, dh);
        for (auto& value : r.flat()) value = -value;
        for (auto& value : s.flat()) value = -value;
        for (index_t i = 0; i < m; ++i) r(i, i) += level * level;
        for (index_t i = 0; i < p; ++i) s(i, i) += level * level;
        // [R^-1 D^H C | R^-1 B^H] and S^-1 C.
        matrix<T> right(m, 2 * n);
        const auto dhc = product(dh, c);
        for (index_t i = 0; i < m; ++i)
            for (index_t j = 0; j < n; ++j) {
                right(i, j) = dhc(i, j);
                right(i, n + j) = bh(i, j);
            }
        const auto upper = product(b, solve(std::move(r), std::move(right)));
        const auto lower = product(ch, solve(std::move(s), c));
        matrix<T> h(2 * n, 2 * n);
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) {
                h(i, j) = a(i, j) + upper(i, j);
                h(i, n + j) = level * upper(i, n + j);
                h(n + i, j) = -level * lower(i, j);
                if constexpr (real<T>) h(n + j, n + i) = -h(i, j);
                else h(n + j, n + i) = -std::conj(h(i, j));
            }
        return eigenvalues(where, std::move(h));
    }
    /// The frequencies of eigenvalues on the axis, or within a generous margin of it, or of all, in the original contour; ascending.
    buffer<double> frequencies(const buffer<complex>& values, bool all) const {
        double norm = 0;
        for (const auto& x : values) norm = std::max(norm, std::abs(x));
        buffer<double> omega;
        for (const auto& x : values)
            if (all || std::abs(x.real()) <= 1e-3 * std::abs(x.imag()) + 1e-6 * norm)
                if (const double at = original(x.imag()); std::isfinite(at)) omega.push_back(at);
        std::sort(omega.begin(), omega.end());
        return omega;
    }
};

/// max over the contour of the gain, to a relative tolerance.  Boyd & Balakrishnan 1990; Bruinsma & Steinbuch 1990:
/// a lower bound from samples, raised until the level set {omega : gain > (1 + 2 tolerance) bound} is empty. Its border
/// points are among the crossings; a false crossing costs one evaluation and no more.
inline peak largest_gain(std::string_view where, const gain_curve& gain, double tolerance) {
    peak best;
    const auto sample = [&](double omega) {
        const double value = gain(omega);
        if (value > best.value) best = {value, omega};
        return value;
    };
    const double at_infinity = gain.circle ? 0 : largest_singular_value(gain.d);
    if (at_infinity > 0) best = {at_infinity, std::numeric_limits<double>::infinity()};
    if (gain.t.empty()) return gain.circle ? peak{largest_singular_value(gain.d), 0} : best;
    sample(0);
    for (index_t i = 0; i < gain.t.rows(); ++i) {
        const complex pole = gain.t(i, i);
        if (gain.even && pole.imag() < 0) continue;
        // Where it stands in continuous time, a pole peaks at its height or, far from the axis, at its modulus.
        const complex rate = gain.circle ? std::log(pole) : pole;
        if (rate.imag() != 0) sample(rate.imag());
        if (const double size = std::abs(rate); !gain.circle || size < std::numbers::pi) sample(std::copysign(size, rate.imag()));
    }
    if (gain.circle)
        for (int i = gain.even ? 1 : -7; i <= 8; ++i) sample(std::numbers::pi * i / 8);
    if (best.value == 0) return best;

    const auto raise = [&](const auto& axis) {
        for (int round = 0; round < 50; ++round) {
            const double level = best.value * (1 + 2 * tolerance);
            const auto values = axis.crossings(where, level);
            // Eigenvalues that lean on each other leave the axis by more than any margin: before the last word all of them are asked,
            // and the slopes beside the peak.
            for (const bool all : {false, true}) {
                const auto omega = axis.frequencies(values, all);
                for (std::size_t i = 0; i < omega.size(); ++i) {
                    sample(omega[i]);
                    if (all) continue;
                    if (i + 1 < omega.size()) sample((omega[i] + omega[i + 1]) / 2);
                    else if (gain.circle) sample((omega[i] + omega[0]) / 2 + std::numbers::pi);
                }
                if (best.value > level) break;
            }
            if (best.value <= level && std::isfinite(best.omega)) {
                // Peaks are as wide as the nearest pole is far, wherever on the contour they are.
                double reach = std::numeric_limits<double>::infinity();
                for (index_t i = 0; i < gain.t.rows(); ++i) reach = std::min(reach, std::abs(gain.point(best.omega) - gain.t(i, i)));
                for (double step = reach / 2; step > std::sqrt(tolerance) * reach; step /= 2) {
                    const double peak = best.omega;
                    sample(peak - step);
                    sample(peak + step);
                }
            }
            if (best.value <= level) break;
        }
    };
    // The frequency that goes to infinity is to be far from the poles, and its gain, the norm of D there, far below the peak: R = level^2 I - D^H D
    // has 1 - |D| / level of its digits. A real system's level sets are asked of in real arithmetic, a fraction of the time, where one of the
    // two frequencies that serve there will do.
    constexpr double enough = 0.01;
    const double farthest = gain.circle ? std::numbers::pi : std::numeric_limits<double>::infinity();
    double away = farthest, most = 0;
    const auto look = [&](double omega) {
        double clear = 1;
        if (gain.circle || (omega != 0 && std::isfinite(omega)))
            for (index_t i = 0; i < gain.t.rows(); ++i)
                clear = std::min(clear, std::abs(gain.point(omega) - gain.t(i, i)) / (gain.circle ? 1 : std::abs(omega)));
        const double value = std::isinf(omega) ? at_infinity : sample(omega);
        if (const double worth = clear * std::max(1 - value / best.value, 1e-3); worth > most) most = worth, away = omega;
    };
    look(farthest);
    if (gain.circle || most <= enough) look(0);
    if (gain.circle && (!gain.even || most <= enough))
        for (int i = 0; i < 64; ++i) look(2 * std::numbers::pi * (i + 0.5) / 64);
    if (!gain.circle && most <= enough)
        for (index_t i = 0; i < gain.t.rows(); ++i)
            for (const double omega : {gain.t(i, i).imag(), std::abs(gain.t(i, i)), -std::abs(gain.t(i, i))}) look(omega);
    if (gain.even && (away == 0 || away == farthest)) raise(axis_curve<double>(gain.plain, gain.circle, away));
    else raise(axis_curve<complex>({gain.t, gain.b, gain.c, gain.d}, gain.circle, away));
    if (gain.circle) best.omega = std::remainder(best.omega, 2 * std::numbers::pi);
    if (gain.even) best.omega = std::abs(best.omega);
    return best;
}

}  // namespace hrm::detail
