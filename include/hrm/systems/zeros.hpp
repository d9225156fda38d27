#pragma once

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/qz.hpp>
#include <hrm/systems/convert.hpp>

namespace hrm {

/// Where a system lets nothing through.
struct system_zeros {
    buffer<std::complex<double>> finite;  ///< in no order; of a real system conjugates both
    index_t normal_rank = 0;              ///< the rank of G at almost every frequency
    double tolerance = 0;                 ///< what was left of a row below this times the largest counted as nothing
};

namespace detail {

/// The matrices of the pencil [A - lambda I, B; C, D], to be shrunk.
template <class T>
struct rosenbrock {
    matrix<T> a, b, c, d;
};
template <class T>
rosenbrock(matrix<T>, matrix<T>, matrix<T>, matrix<T>) -> rosenbrock<T>;

/// Householder reflections that make x row-echelon, columns in the order of their remaining lengths; f(v, first, weight) may
/// apply each reflection I - weight v v^H, v zero before `first`, elsewhere too. Returns the rank: rows below are rounding.
template <class T, class F>
index_t compress_rows(matrix<T>& x, double negligible, F f) {
    const index_t m = x.rows(), n = x.cols();
    std::vector<index_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), index_t{0});
    buffer<T> v(static_cast<std::size_t>(m));
    index_t rank = 0;
    for (; rank < std::min(m, n); ++rank) {
        double longest = 0;
        index_t at = rank;
        for (index_t j = rank; j < n; ++j) {
            double length = 0;
            for (index_t i = rank; i < m; ++i) length = std::hypot(length, std::abs(x(i, order[static_cast<std::size_t>(j)])));
            if (length > longest) longest = length, at = j;
        }
        if (!(longest > negligible)) break;
        std::swap(order[static_cast<std::size_t>(rank)], order[static_cast<std::size_t>(at)]);
        const index_t pivot = order[static_cast<std::size_t>(rank)];
        for (index_t i = rank; i < m; ++i) v[static_cast<std::size_t>(i)] = x(i, pivot) / longest;
        T& head = v[static_cast<std::size_t>(rank)];
        const double size = std::abs(head), weight = 1 / (1 + size);
        head += phase(head);
        const auto reflect = [&](matrix<T>& y) {
            for (index_t j = 0; j < y.cols(); ++j) {
                T sum = 0;
                for (index_t i = rank; i < m; ++i) sum += conj_times(v[static_cast<std::size_t>(i)], y(i, j));
                sum *= weight;
                for (index_t i = rank; i < m; ++i) y(i, j) -= times(sum, v[static_cast<std::size_t>(i)]);
            }
        };
        reflect(x);
        f(v, rank, weight, reflect);
    }
    return rank;
}

/// Shrinks the pencil, its finite zeros kept, until D has full row rank. A step: the rows of [C D] that D does not reach are
/// conditions C2 x = 0; the states they fix go, and what drove these becomes outputs that must vanish.
template <class T>
void reach_by_rows(rosenbrock<T>& s, double negligible) {
    const auto below = [](const matrix<T>& top, const matrix<T>& bottom) {
        matrix<T> y(top.rows() + bottom.rows(), top.cols());
        for (index_t i = 0; i < y.rows(); ++i)
            for (index_t j = 0; j < y.cols(); ++j) y(i, j) = i < top.rows() ? top(i, j) : bottom(i - top.rows(), j);
        return y;
    };
    while (true) {
        const index_t n = s.a.rows(), m = s.d.cols(), p = s.d.rows();
        const index_t sigma = compress_rows(s.d, negligible, [&](const auto&, index_t, double, auto reflect) { reflect(s.c); });
        if (sigma == p) return;
        auto fixed = adjoint(submatrix(s.c, sigma, p - sigma, 0, n));  // n x (p - sigma)
        const auto kept = submatrix(s.c, 0, sigma, 0, n), d1 = submatrix(s.d, 0, sigma, 0, m);
        s.c = kept;
        const index_t rho = compress_rows(fixed, negligible, [&](const auto& v, index_t first, double weight, auto reflect) {
            reflect(s.a);
            reflect(s.b);
            for (matrix<T>* x : {&s.a, &s.c})  // from the right
                for (index_t i = 0; i < x->rows(); ++i) {
                    T sum = 0;
                    for (index_t j = first; j < n; ++j) sum += times((*x)(i, j), v[static_cast<std::size_t>(j)]);
                    sum *= weight;
                    for (index_t j = first; j < n; ++j) (*x)(i, j) -= conj_times(v[static_cast<std::size_t>(j)], sum);
                }
        });
        // The first rho states are zero.
        const auto c1 = submatrix(s.c, 0, sigma, rho, n - rho), a21 = submatrix(s.a, 0, rho, rho, n - rho), b2 = submatrix(s.b, 0, rho, 0, m);
        s = {submatrix(s.a, rho, n - rho, rho, n - rho), submatrix(s.b, rho, n - rho, 0, m), below(c1, a21), below(d1, b2)};
        if (rho == 0) return;
    }
}

/// Powers of two that make the rows of [A B] and the columns of [A; C] alike in length, state by state: no zero moves.
template <class T>
void balance_states(rosenbrock<T>& s) {
    const index_t n = s.a.rows();
    bool again = true;
    for (int round = 0; again && round < 50; ++round) {
        again = false;
        for (index_t i = 0; i < n; ++i) {
            double row = 0, col = 0;
            for (index_t j = 0; j < n; ++j)
                if (j != i) row = std::hypot(row, std::abs(s.a(i, j))), col = std::hypot(col, std::abs(s.a(j, i)));
            for (index_t j = 0; j < s.b.cols(); ++j) row = std::hypot(row, std::abs(s.b(i, j)));
            for (index_t j = 0; j < s.c.rows(); ++j) col = std::hypot(col, std::abs(s.c(j, i)));
            if (!(row > 0 && col > 0)) continue;
            const double f = std::exp2(std::round(std::log2(row / col) / 2));
            if (f == 1 || !std::isfinite(f) || f == 0) continue;
            again = true;
            for (index_t j = 0; j < n; ++j) s.a(i, j) /= f;
            for (index_t j = 0; j < n; ++j) s.a(j, i) *= f;
            for (index_t j = 0; j < s.b.cols(); ++j) s.b(i, j) /= f;
            for (index_t j = 0; j < s.c.rows(); ++j) s.c(j, i) *= f;
        }
    }
}

template <class T>
system_zeros zeros_of(rosenbrock<T> s, double tolerance) {
    const index_t n = s.a.rows();
    for (const auto* x : {&s.a, &s.b, &s.c, &s.d}) require_finite("hrm::zeros", "the system", *x);
    balance_states(s);
    double size = 0;
    for (const auto* x : {&s.a, &s.b, &s.c, &s.d}) size = std::hypot(size, frobenius(*x));
    system_zeros out;
    out.tolerance = tolerance > 0 ? tolerance : 10 * static_cast<double>(n + s.b.cols() + s.c.rows()) * std::numeric_limits<double>::epsilon();
    const double negligible = out.tolerance * size;
    reach_by_rows(s, negligible);
    s = {transpose(s.a), transpose(s.c), transpose(s.b), transpose(s.d)};
    reach_by_rows(s, negligible);
    out.normal_rank = s.d.rows();  // D is square and regular by now

    // The rows [C D] of the pencil made [0 *] from the right; what is left of the first columns is regular.
    const index_t k = s.a.rows(), r = s.d.rows();
    matrix<T> cd(k + s.d.cols(), r), pencil(k + s.d.cols(), 2 * k);  // transposed: [C D]^T;  [A B]^T and [I 0]^T
    for (index_t i = 0; i < k; ++i) {
        for (index_t j = 0; j < r; ++j) cd(i, j) = s.c(j, i);
        for (index_t j = 0; j < k; ++j) pencil(i, j) = s.a(j, i);
        pencil(i, k + i) = 1;
    }
    for (index_t i = 0; i < s.d.cols(); ++i) {
        for (index_t j = 0; j < r; ++j) cd(k + i, j) = s.d(j, i);
        for (index_t j = 0; j < k; ++j) pencil(k + i, j) = s.b(j, i);
    }
    const index_t rank = compress_rows(cd, 0, [&](const auto&, index_t, double, auto reflect) { reflect(pencil); });
    complex_matrix a(k, k), e(k, k);
    for (index_t i = 0; i < k; ++i)
        for (index_t j = 0; j < k; ++j) a(i, j) = pencil(rank + i, j), e(i, j) = pencil(rank + i, k + j);
    for (const auto& x : generalized_eigenvalues("hrm::zeros", std::move(a), std::move(e)))
        if (x.beta != complex{}) out.finite.push_back(x.alpha / x.beta);
    return out;
}

}  // namespace detail

/// The invariant zeros: the finite s (discrete: z) at which [A - s I, B; C, D] loses rank, those that inputs do not reach or
/// outputs do not see included; of a minimal system the transmission zeros of G. Discrete: of G(z) = z C (zI - A)^-1 B + D,
/// so that D = 0 gives zeros at the origin.  O((n + m + p)^3).  `tolerance` decides what has rank (0: rounding's); it comes
/// back with the result. Poles are eigenvalues(system.a).  Emami-Naeini & Van Dooren, Automatica 18 (1982); QZ.
template <any_structure A>
system_zeros zeros(const continuous<A>& system, double tolerance = 0) {
    system.check();
    auto g = to_dense(cast<double>(system));
    if (g.d.empty()) g.d = decltype(g.d)(g.outputs(), g.inputs());
    return detail::zeros_of(detail::rosenbrock{std::move(g.a.a), std::move(g.b), std::move(g.c), std::move(g.d)}, tolerance);
}
template <any_structure A>
system_zeros zeros(const discrete<A>& system, double tolerance = 0) {
    system.check();
    // The textbook form of the same G:  C A (zI - A)^-1 B + (D + C B).
    const auto g = to_dense(cast<double>(system));
    auto d = detail::product(g.c, g.b);
    if (!g.d.empty()) detail::add(d, g.d);
    return detail::zeros_of(detail::rosenbrock{g.a.a, g.b, detail::product(g.c, g.a.a), std::move(d)}, tolerance);
}

}  // namespace hrm
