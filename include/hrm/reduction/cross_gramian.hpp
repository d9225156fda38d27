#pragma once

#include <complex>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/systems/norms.hpp>

namespace hrm {

/// The cross Gramian of a system whose inputs and outputs are not equally many: refused, or the sum over all pairs of one input
/// and one output, which is that of the sum of its inputs and the sum of its outputs. Himpe & Ohlberger 2016.
enum class cross_pairs { square, summed };

namespace detail {

/// X = T^-1 X' T of X' the cross Gramian in complex modes, T: (re, im) -> (re + i im, re - i im) of each pair.
template <class Domain>
matrix<double> modal_cross_gramian(const complex_pairs<double>& a, const matrix<double>& b, const matrix<double>& c) {
    const index_t q = a.reals(), k = a.pairs(), n = q + 2 * k;
    const complex i1(0, 1);
    const auto l = modal(a, b);
    matrix<complex> bm(n, b.cols()), cm(c.rows(), n), x(n, n);
    for (index_t j = 0; j < b.cols(); ++j)
        for (index_t i = 0; i < q + k; ++i) {
            bm(i, j) = l.b(i, j);
            if (i >= q) bm(i + k, j) = std::conj(l.b(i, j));
        }
    for (index_t j = 0; j < c.rows(); ++j) {
        for (index_t i = 0; i < q; ++i) cm(j, i) = c(j, i);
        for (index_t i = q; i < q + k; ++i) {
            cm(j, i) = 0.5 * complex(c(j, i), -c(j, i + k));
            cm(j, i + k) = std::conj(cm(j, i));
        }
    }
    const auto pole = [&](index_t i) { return i < q + k ? l.pole(i) : std::conj(l.pole(i - k)); };
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) {
            complex sum = 0;
            for (index_t h = 0; h < b.cols(); ++h) sum += bm(i, h) * cm(h, j);
            x(i, j) = sum / Domain::denominator(pole(i), std::conj(pole(j)));
        }
    for (index_t i = q; i < q + k; ++i)
        for (index_t j = 0; j < n; ++j) {
            const complex u = x(i, j), v = x(i + k, j);
            x(i, j) = 0.5 * (u + v);
            x(i + k, j) = 0.5 * i1 * (v - u);
        }
    matrix<double> out(n, n);
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < q; ++j) out(i, j) = x(i, j).real();
        for (index_t j = q; j < q + k; ++j) {
            out(i, j) = (x(i, j) + x(i, j + k)).real();
            out(i, j + k) = (i1 * (x(i, j) - x(i, j + k))).real();
        }
    }
    return out;
}

}  // namespace detail

/// The cross Gramian of a stable system with as many outputs as inputs,
///     discrete:  X = sum_k A^k B C A^k,          A X A - X + B C = 0
///     continuous:  X = int exp(A t) B C exp(A t) dt,  A X + X A + B C = 0
/// n x n, not symmetric in general. X^2 = Wc Wo where the system is symmetric, G = G^T (one input and output always): its
/// eigenvalues are then the Hankel singular values with signs, from one equation.
/// summed: over all pairs of one input and one output, for any p and m.
/// Diagonal and pairs: (B C)_ij / (1 - l_i l_j), continuous / -(l_i + l_j), O(n^2 m); dense: the Sylvester equation, O(25 n^3).
/// Throws shape_error unless p = m or pairs is summed, unstable_error where A is not stable.  Fernando & Nicholson 1983.
template <any_system T>
auto cross_gramian(const T& system, cross_pairs pairs = cross_pairs::square) {
    system.check();
    constexpr auto where = "hrm::cross_gramian";
    if (pairs == cross_pairs::square) require_size(where, "outputs", system.outputs(), system.inputs());
    auto s = cast<double>(system);
    using M = decltype(s.b);
    if (pairs == cross_pairs::summed) {
        s.b = detail::product(s.b, M(s.inputs(), 1, 1.0));
        s.c = detail::product(M(1, s.outputs(), 1.0), s.c);
    }
    detail::require_finite(where, "A", s.a);
    detail::require_finite(where, "B", s.b);
    detail::require_finite(where, "C", s.c);
    using domain = detail::domain_of<T>;
    if constexpr (!detail::is_modal<T>) {
        detail::require_stable(where, s);
        auto right = detail::product(s.b, s.c);
        for (auto& x : right.flat()) x = -x;
        if constexpr (in_discrete_time<T>) return detail::in_range(where, discrete_sylvester(s.a.a, s.a.a, right));
        else return detail::in_range(where, sylvester(s.a.a, s.a.a, right));
    } else if constexpr (complex_system<T>) {
        detail::require_stable<domain>(where, s.a.poles);
        auto x = detail::product(s.b, s.c);
        const auto pole = [&](index_t i) { return s.a.poles[static_cast<std::size_t>(i)]; };
        for (index_t i = 0; i < x.rows(); ++i)
            for (index_t j = 0; j < x.cols(); ++j) x(i, j) /= domain::denominator(pole(i), std::conj(pole(j)));
        return detail::in_range(where, std::move(x));
    } else {
        const complex_pairs<double> a = detail::to_pairs(s.a);
        detail::require_stable<domain>(where, detail::modal(a, s.b));
        return detail::in_range(where, detail::modal_cross_gramian<domain>(a, s.b, s.c));
    }
}

}  // namespace hrm
