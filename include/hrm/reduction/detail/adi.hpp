#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstdio>
#include <string>
#include <vector>

#include <hrm/linalg/detail/schur.hpp>
#include <hrm/linalg/solve.hpp>
#include <hrm/reduction/detail/blaschke.hpp>
#include <hrm/systems/sparse.hpp>

// The alternating direction implicit iteration for Lyapunov and Stein equations of large sparse systems, in factors of few
// columns and, for real systems, real arithmetic, its residual for nothing and its shifts from its own columns.
// Benner, Kuerschner & Saak, "Efficient handling of complex shift parameters in the low-rank Cholesky factor ADI method",
// Numerical Algorithms 62 (2013); the residual's factor and the shifts: the same, ETNA 43 (2014). Discrete time: the same
// iteration with the disk's Blaschke factors, of which Smith's (shift 0) is one.

namespace hrm {

struct adi_options {
    double tolerance = 1e-12;  ///< of the residual, relative; the factor itself misses about the root of it
    index_t steps = 300;       ///< shifts at most; the conjugate pair of a real system counts as two
};

namespace detail {

/// Of which equation: with the matrices as they are, or transposed.
enum class gramian_side { controllability, observability };

inline std::string short_number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", x);
    return text;
}

/// Columns made orthonormal, Gram-Schmidt twice; those that are rounding beside what came before are dropped.
template <class T>
column_block<T> independent(const column_block<T>& x) {
    column_block<T> q(x.rows(), x.cols());
    index_t rank = 0;
    for (index_t j = 0; j < x.cols() && rank < x.rows(); ++j) {
        column_block<T> v = x.col(j);
        const double before = v.norm();
        for (int twice = 0; twice < 2; ++twice) v -= q.leftCols(rank) * (q.leftCols(rank).adjoint() * v).eval();
        if (!(v.norm() > 1e-10 * before)) continue;
        q.col(rank++) = v / v.norm();
    }
    return q.leftCols(rank);
}

/// What a step with shift s factors: A + conj(s) E, in discrete time E - conj(s) A. Of a real system A + s E, as well: a pair is one step.
template <class Domain, class T, class S>
sparse_matrix<T> pencil(const sparse<S>& a, T s) {
    if constexpr (std::same_as<Domain, half_plane>) return shifted<T>(a, 1, real<S> ? s : conjugate(s));
    else return shifted<T>(a, -conjugate(s), 1);
}

/// One equation, of the system or with all matrices transposed, of a complex one with their adjoints: then ^H stands for ^T, and the
/// other equation's shift is conj(s).  X_k = Z_k Z_k^T grows by columns, and what is left of the right-hand side is W_k W_k^T,
/// of the rank of B.
/// Continuous, A X E^T + E X A^T + B B^T = 0.  A step with shift s, Re s < 0, V = (A + s E)^-1 W:
///     one:   Z gains sqrt(-2 Re s) V,   W <- W - 2 Re s E V,   with conj(s) in V
///     pair:  with g = 2 sqrt(-Re s), d = Re s/Im s:  Z gains g (Re V + d Im V), g sqrt(d^2 + 1) Im V,
///            W <- W + g^2 E (Re V + d Im V)
/// Discrete, A X A^T - E X E^T + B B^T = 0.  A step with shift s = a + i b, r = |s|^2 < 1, V = (E - conj(s) A)^-1 W:
///     one:   Z gains sqrt(1 - r) V,   W <- A V - s E V
///     pair:  the second V is -s x + (i a - (1 - a^2)/b) y with x = Re V, y = Im V, so that with h = sqrt(1 + r), f = sqrt(1 - r)
///            Z gains f (h x + a (1 - r)/(b h) y), f |1 - s^2|/(b h) y,
///            W <- E (r x + a (1 - r)/b y) - A (a x + (1 - a^2)/b y)
template <class T, class Domain>
class adi_side {
public:
    adi_side(const sparse<T>& a, column_block<T> b, gramian_side side) : a_(a), dual_(side == gramian_side::observability), w_(std::move(b)), start_(residual_norm()) {}

    double residual() const { return start_ > 0 ? residual_norm() / start_ : 0; }
    index_t width() const { return w_.cols(); }
    /// One shift: real, or that of a complex system.
    void step(T s, sparse_solver<T>& f) {
        const column_block<T> v = dual_ ? f.solve_adjoint(w_) : f.solve(w_);
        if constexpr (std::same_as<Domain, half_plane>) {
            w_ -= 2 * std::real(s) * times_e(v);
            append(std::sqrt(-2 * std::real(s)) * v);
        } else {
            w_ = times_a(v) - (dual_ ? conjugate(s) : s) * times_e(v);
            if constexpr (real<T>) append(std::sqrt((1 - s) * (1 + s)) * v);
            else append(std::sqrt(unit_disk::gap({s.real(), s.imag()})) * v);
        }
    }
    /// A pair.
    void step(std::complex<double> s, sparse_solver<std::complex<double>>& f)
        requires real<T>
    {
        const column_block<std::complex<double>> w = w_.template cast<std::complex<double>>(), v = dual_ ? f.solve_transposed(w) : f.solve(w);
        if constexpr (std::same_as<Domain, half_plane>) {
            const double g = 2 * std::sqrt(-s.real()), d = s.real() / s.imag();
            const column_block<T> first = v.real() + d * v.imag();
            w_ += g * g * times_e(first);
            append(g * first);
            append(g * std::sqrt(d * d + 1) * v.imag());
        } else {
            const double a = s.real(), b = s.imag(), r = std::norm(s), h = std::sqrt(1 + r), f1 = std::sqrt(unit_disk::gap({a, b}));
            const column_block<T> x = v.real(), y = v.imag();
            w_ = times_e(r * x + (a * f1 * f1 / b) * y) - times_a(a * x + ((1 - a) * (1 + a) / b) * y);
            append((f1 * h) * x + (f1 * f1 * f1 * a / (b * h)) * y);
            append((f1 * std::abs(1.0 - s * s) / (b * h)) * y);
        }
    }
    /// Directions for the next shifts: the newest columns; before there are any, B under powers of A^-1 E, and A B. Discrete:
    /// of (E - A)^-1 E, which finds what is slow.
    column_block<T> directions(sparse_solver<T>& inverse) const {
        if (z_.empty()) {
            column_block<T> k(w_.rows(), 5 * w_.cols()), x = w_;
            k.leftCols(width()) = w_;
            for (index_t i = 1; i < 4; ++i) {
                x = dual_ ? inverse.solve_adjoint(x) : inverse.solve(x);
                k.middleCols(i * width(), width()) = x;
                x = times_e(x);
            }
            k.rightCols(width()) = times_a(w_);
            return k;
        }
        const auto blocks = static_cast<index_t>(z_.size());
        const index_t last = std::min(blocks, std::max<index_t>(6, 40 / std::max<index_t>(1, width())));
        column_block<T> k(w_.rows(), last * width());
        for (index_t i = 0; i < last; ++i) k.middleCols(i * width(), width()) = z_[static_cast<std::size_t>(blocks - last + i)];
        return k;
    }
    matrix<T> factor() const {
        matrix<T> l(w_.rows(), static_cast<index_t>(z_.size()) * width());
        for (std::size_t i = 0; i < z_.size(); ++i) as_eigen(l).middleCols(static_cast<index_t>(i) * width(), width()) = z_[i];
        return l;
    }

private:
    column_block<T> times_e(const column_block<T>& x) const {
        if (!a_.has_e()) return x;
        return dual_ ? column_block<T>(a_.e.adjoint() * x) : column_block<T>(a_.e * x);
    }
    column_block<T> times_a(const column_block<T>& x) const { return dual_ ? column_block<T>(a_.a.adjoint() * x) : column_block<T>(a_.a * x); }
    double residual_norm() const { return column_block<T>(w_.adjoint() * w_).norm(); }
    void append(column_block<T> v) { z_.push_back(std::move(v)); }

    const sparse<T>& a_;
    bool dual_;
    column_block<T> w_;
    double start_;
    std::vector<column_block<T>> z_;
};

/// At most six shifts: eigenvalues of the pencil projected on some directions that lie where stable poles do, mirrored if none
/// does, pairs of a real system once; each as far as can be, by the product of distances in the domain's own metric, from those before it
/// and the last sixty used, so that no part of the spectrum is visited twice in vain. On the heat equation and on resonances
/// that takes a fifth to a third fewer steps than all eigenvalues of a few directions.
template <class Domain, class T>
std::vector<std::complex<double>> projected_shifts(const sparse<T>& a, const column_block<T>& directions,
                                                   const std::vector<std::complex<double>>& used) {
    constexpr bool disk = std::same_as<Domain, unit_disk>;
    const auto u = independent<T>(directions);
    column_block<T> p = u.adjoint() * (a.a * u), e = column_block<T>::Identity(u.cols(), u.cols());
    if (a.has_e()) e = u.adjoint() * (a.e * u);
    const auto values = eigenvalues("hrm::low_rank", solve(from_eigen(e), from_eigen(p)));
    std::vector<std::complex<double>> inside, mirrored;
    for (auto x : values) {
        if (!std::isfinite(std::abs(x))) continue;
        const double gap = Domain::gap({x.real(), x.imag()});
        if (std::abs(gap) <= 1e-14 * (disk ? 1 : std::abs(x))) continue;
        if (!(gap > 0)) x = disk ? 1.0 / std::conj(x) : -std::conj(x);
        // A pair is as good as real where a step would divide by its imaginary part and lose more than it gains.
        if (real<T> && std::abs(x.imag()) <= (disk ? 1e-4 * (1 - x.real() * x.real()) : 1e-8 * std::abs(x.real()))) x = x.real();
        if (complex_scalar<T> || !(x.imag() < 0)) (gap > 0 ? inside : mirrored).push_back(x);
    }
    if (inside.empty()) inside = std::move(mirrored);
    const auto away = [](std::complex<double> x, std::complex<double> y) { return std::abs((x - y) / Domain::denominator(x, y)); };
    const auto slower = [](std::complex<double> x, std::complex<double> y) { return disk ? std::abs(x) > std::abs(y) : std::abs(x) < std::abs(y); };
    std::vector<double> distance(inside.size(), 1.0);
    for (std::size_t j = 0; j < inside.size(); ++j)
        for (std::size_t i = used.size() - std::min<std::size_t>(60, used.size()); i < used.size(); ++i) distance[j] *= away(inside[j], used[i]);
    for (std::size_t i = 0; i < inside.size(); ++i) {
        std::size_t best = i;
        for (std::size_t j = i; j < inside.size(); ++j)  // the very first: the slowest
            if (i == 0 && used.empty() ? slower(inside[j], inside[best]) : distance[j] > distance[best]) best = j;
        std::swap(inside[i], inside[best]);
        std::swap(distance[i], distance[best]);
        for (std::size_t j = i + 1; j < inside.size(); ++j) distance[j] *= away(inside[j], inside[i]);
    }
    if (inside.size() > 6) inside.resize(6);
    return inside;
}

/// Steps all sides by the same shifts, one factorisation each, until every residual is small. Returns the shifts.
template <class T, class Domain>
std::vector<std::complex<double>> adi(const sparse<T>& a, std::vector<adi_side<T, Domain>>& sides, const adi_options& o) {
    if (!(o.tolerance > 0 && o.tolerance < 1))
        throw numerical_error("hrm::low_rank: tolerance is " + short_number(o.tolerance) + ", must be in (0, 1)");
    const auto kind = symmetry_of(a.a) == symmetry::symmetric && (!a.has_e() || symmetry_of(a.e) == symmetry::symmetric)
                          ? symmetry::symmetric : symmetry::general;
    sparse_solver<T> f(kind);
    sparse_solver<std::complex<double>> g(symmetry::general);  // of pairs
    std::vector<std::complex<double>> used;
    index_t steps = 0;
    const auto farthest = [&] {
        auto at = sides.begin();
        for (auto i = sides.begin(); i != sides.end(); ++i)
            if (i->residual() > at->residual()) at = i;
        return at;
    };
    bool first = true;
    while (steps < o.steps && farthest()->residual() > o.tolerance) {
        if (first) f.factor(pencil<Domain, T>(a, std::same_as<Domain, half_plane> ? 0 : 1));
        column_block<T> directions = farthest()->directions(f);
        if (first && sides.size() > 1) {
            const auto other = sides[farthest() == sides.begin() ? 1 : 0].directions(f);
            column_block<T> both(directions.rows(), directions.cols() + other.cols());
            both << directions, other;
            directions = std::move(both);
        }
        first = false;
        const auto shifts = projected_shifts<Domain>(a, directions, used);
        if (shifts.empty()) throw numerical_error("hrm::low_rank: no shift lies where stable poles do after " + std::to_string(steps) + " steps");
        for (const auto s : shifts) {
            if (steps >= o.steps || !(farthest()->residual() > o.tolerance)) break;
            const bool pair = real<T> && s.imag() != 0;
            const auto step = [&](auto shift, auto& solver) {
                solver.factor(pencil<Domain>(a, shift));
                for (auto& side : sides)
                    if (side.residual() > o.tolerance) side.step(shift, solver);
            };
            if constexpr (complex_scalar<T>) step(s, f);
            else if (pair) step(s, g);
            else step(s.real(), f);
            used.push_back(s);
            steps += pair ? 2 : 1;
        }
    }
    if (const double left = farthest()->residual(); !(left < 1e-2 || left <= o.tolerance))
        throw numerical_error("hrm::low_rank: the residual is " + short_number(left) + " after " + std::to_string(steps) +
                              " steps, expected below 0.01: A is unstable, or its Gramian has no low rank");
    return used;
}

}  // namespace detail
}  // namespace hrm
