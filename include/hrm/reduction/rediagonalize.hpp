#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <variant>
#include <vector>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/solve.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/norms.hpp>

namespace hrm {

namespace detail {

/// The structure of a system of this scalar in modal coordinates.
template <class T>
using modal_structure = std::conditional_t<complex_scalar<T>, diagonal<std::complex<double>>, complex_pairs<double>>;

}  // namespace detail

/// A dense system in modal coordinates, or itself where those are too ill-conditioned to compute in.  T: double or complex.
template <class T>
struct rediagonalized_of {
    std::variant<discrete<detail::modal_structure<T>>, discrete<dense<T>>> system;
    double condition = 1;  ///< cond(V) in the 2-norm, infinite where A is defective to rounding

    bool diagonal() const { return system.index() == 0; }
};
using rediagonalized = rediagonalized_of<double>;

/// The largest cond(V) that is accepted. Errors of the modal form are about eps cond(V): this one leaves 1e-10 in double,
/// and in float the fallback costs less than the digits would.
inline constexpr double largest_modal_condition = 1e5;

namespace detail {

/// The eigenvectors of A = D Q T Q^H D^-1, unit columns:  y_k = 1,  y_i = -sum_{i<j<=k} t_ij y_j / (t_ii - t_kk),
/// x = D Q y.  Equal poles divide by eps |T| instead of 0: independent eigenvectors survive that, others turn parallel.
inline complex_matrix eigenvectors(const schur_form& form) {
    const index_t n = form.t.rows();
    double size = 0;
    for (const auto& x : form.t.flat()) size = std::max(size, modulus1(x));
    const double least = std::numeric_limits<double>::epsilon() * (size > 0 ? size : 1);
    complex_matrix y(n, n);
    for (index_t k = 0; k < n; ++k) {
        y(k, k) = 1;
        for (index_t i = k - 1; i >= 0; --i) {
            complex sum = 0, gap = form.t(i, i) - form.t(k, k);
            for (index_t j = i + 1; j <= k; ++j) sum += times(form.t(i, j), y(j, k));
            if (modulus1(gap) < least) gap = least;
            y(i, k) = -sum / gap;
        }
    }
    auto x = product(form.q, y);
    for (index_t k = 0; k < n; ++k) {
        double norm = 0;
        for (index_t i = 0; i < n; ++i) norm += std::norm(x(i, k) *= form.d[static_cast<std::size_t>(i)]);
        for (index_t i = 0; i < n; ++i) x(i, k) /= std::sqrt(norm);
    }
    return x;
}

/// Fills in the poles of A and returns the real V, n x n. The Schur form knows no conjugates: a pole is real if it is
/// nearer to its own conjugate than any other pole is, else that other pole is its partner.
inline matrix<double> modal_vectors(const matrix<double>& a, complex_pairs<double>& poles) {
    const index_t n = a.rows();
    matrix<double> v(n, n);
    if (n == 0) return v;
    const auto form = schur("hrm::rediagonalize", a);
    const auto x = eigenvectors(form);
    std::vector<index_t> real, pair;  // columns of x, of a pair the one with im > 0
    std::vector<bool> done(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) {
        if (done[static_cast<std::size_t>(i)]) continue;
        const complex l = form.t(i, i);
        index_t partner = i;
        double nearest = 2 * std::abs(l.imag());
        for (index_t j = i + 1; j < n; ++j)
            if (const double d = std::abs(form.t(j, j) - std::conj(l)); !done[static_cast<std::size_t>(j)] && d < nearest)
                nearest = d, partner = j;
        done[static_cast<std::size_t>(partner)] = true;
        if (partner == i) {
            real.push_back(i);
            poles.real.push_back(l.real());
        } else {
            const complex other = form.t(partner, partner);
            pair.push_back(l.imag() > 0 ? i : partner);
            poles.re.push_back((l.real() + other.real()) / 2);
            poles.im.push_back(std::abs(l.imag() - other.imag()) / 2);
        }
    }
    // A phase with x^T x > 0 makes Re x and Im x orthogonal, and Im x zero where the pole is real.
    const auto column = [&](index_t k, index_t to_re, index_t to_im, double scale) {
        complex square = 0;
        for (index_t i = 0; i < n; ++i) square += times(x(i, k), x(i, k));
        const complex phase = std::abs(square) > 0 ? std::sqrt(std::conj(square) / std::abs(square)) : complex(1);
        for (index_t i = 0; i < n; ++i) {
            const complex z = scale * times(x(i, k), phase);
            v(i, to_re) = z.real();
            if (to_im >= 0) v(i, to_im) = -z.imag();
        }
    };
    const auto q = poles.reals(), k = poles.pairs();
    for (index_t i = 0; i < q; ++i) column(real[static_cast<std::size_t>(i)], i, -1, 1);
    for (index_t i = 0; i < k; ++i) column(pair[static_cast<std::size_t>(i)], q + i, q + k + i, std::sqrt(2.0));
    return v;
}

/// Of a complex A every pole stands for itself, and V holds its eigenvectors.
inline complex_matrix modal_vectors(const complex_matrix& a, diagonal<complex>& poles) {
    const auto form = schur("hrm::rediagonalize", a);
    for (index_t i = 0; i < a.rows(); ++i) poles.poles.push_back(form.t(i, i));
    return eigenvectors(form);
}

}  // namespace detail

/// Diagonalises A, a real one over the reals, so that the fast scans apply to a truncated system:
///     A V = V blockdiag(l_1, .., l_q, [re -im; im re], ..),   B <- V^-1 B,   C <- C V,   D stays.
/// q real poles first, then pairs, planar (hrm/systems/structure.hpp). An eigenvector v of re + i im gives the columns
/// Re v and -Im v, its phase chosen so that they are orthogonal. O(n^3). The input-output map is the same, to rounding.
/// Of a complex A every pole stands for itself.
template <real_or_complex S>
rediagonalized_of<in_precision<double, S>> rediagonalize(const discrete<dense<S>>& system, double limit = largest_modal_condition) {
    system.check();
    detail::require_finite("hrm::rediagonalize", "A", system.a.a);
    auto s = cast<double>(system);
    const index_t n = s.order();
    discrete<detail::modal_structure<in_precision<double, S>>> modal;
    const auto v = detail::modal_vectors(s.a.a, modal.a);
    double condition = 1;
    if (n > 0) {
        const auto sigma = jacobi_svd(v).sigma;
        condition = sigma.back() > 0 ? sigma.front() / sigma.back() : std::numeric_limits<double>::infinity();
    }
    if (!(condition <= limit)) return {std::move(s), condition};
    modal.b = solve(v, std::move(s.b));
    modal.c = detail::product(s.c, v);
    modal.d = std::move(s.d);
    return {std::move(modal), condition};
}

}  // namespace hrm
