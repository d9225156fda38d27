#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>

namespace hrm {
namespace detail {

/// solve(A in units, those units): in those that balance A, and where the result X, of rows as long as length(X, i), shows that
/// the given ones lose less, once more in them. In the units D the Schur form of D^-1 A D misses |E| of it, D^-1 X about as
/// much of itself, and so row i of X, relative to itself, that times |D^-1 X| d_i / |x_i|. An A whose couplings are all one way,
/// and its poles small, is balanced in units that are far apart; continuous time knows no such A whose X is not alike.
template <class Solve, class Length>
matrix<double> in_good_units(matrix<double> a, Solve solve, Length length) {
    auto balanced = a;
    const auto d = balance_scales(balanced);
    auto x = solve(balanced, d);
    double largest = 0, u = 0, v = 0, u_given = 0, v_given = 0;
    for (index_t i = 0; i < a.rows(); ++i) largest = std::max(largest, length(x, i));
    for (index_t i = 0; i < a.rows(); ++i) {
        const double l = length(x, i) / largest, unit = d[static_cast<std::size_t>(i)];
        if (!(l > 0)) continue;
        u_given += l * l;
        v_given += 1 / (l * l);
        u += l * l / (unit * unit);
        v += unit * unit / (l * l);
    }
    if (!(1e3 * frobenius_squared(a) * u_given * v_given < frobenius_squared(balanced) * u * v)) return x;
    try {
        return solve(std::move(a), buffer<double>(d.size(), 1.0));
    } catch (const unstable_error&) {  // poles next to the boundary: they were inside in the better units for A
        return x;
    }
}
inline double root_of_diagonal(const matrix<double>& x, index_t i) { return std::sqrt(std::abs(x(i, i))); }
inline double row_length(const matrix<double>& x, index_t i) { return std::sqrt(dot(x.view().row(i), x.view().row(i), x.cols())); }

}  // namespace detail

/// The X of the Stein (discrete Lyapunov) equation, a system's controllability Gramian if Q = B B^T:
///     X = A X A^T + Q = sum_k A^k Q (A^T)^k
/// a: n x n, spectral radius below 1;  q: n x n;  X is symmetric if q is.  Computed in double.
/// O(32 n^3), as products.  Throws numerical_error, naming the spectral radius, if A is unstable or anything is not finite.
/// Real Schur form A = U T U^T and  T Y T^T - Y + U^T Q U = 0,  X = U Y U^T.  Kitagawa 1977.
template <real S>
matrix<double> stein(const matrix<S>& a, const matrix<S>& q) {
    using namespace detail;
    check_equation("hrm::stein", a, "Q", q, a.rows());
    if (a.rows() == 0) return {};
    const auto solve = [&](matrix<double> in_units, buffer<double> d) {
        return solve_gramian<two_sided::product>(contractive_real_schur("hrm::stein", std::move(in_units), std::move(d)), q);
    };
    return in_good_units(to_double(a), solve, root_of_diagonal);
}

namespace detail {

/// The factor of X = A X A^T + B B^T, lower triangular, from a Schur form of A.  See stein_factor.
inline matrix<double> stein_factor_by(const schur_form& form, const matrix<double>& b) {
    const index_t n = b.rows(), m = b.cols();
    const auto& t = form.t;
    complex_matrix right = into_schur(form, b), factor(n, n);
    buffer<complex> direction(static_cast<std::size_t>(m)), input(static_cast<std::size_t>(n)), u(static_cast<std::size_t>(n));
    for (index_t k = n - 1; k >= 0; --k) {
        const auto [length, unit] = length_of(m, [&](index_t j) { return right(k, j); });
        if (length == 0) continue;
        const complex tau = t(k, k);
        const double s = std::sqrt((1 - std::abs(tau)) * (1 + std::abs(tau))), v = length / unit / s;
        for (index_t j = 0; j < m; ++j) direction[static_cast<std::size_t>(j)] = right(k, j) * unit / length;  // b^H / |b|
        for (index_t i = 0; i < k; ++i) {
            complex sum = 0;
            for (index_t j = 0; j < m; ++j) sum += conj_times(direction[static_cast<std::size_t>(j)], right(i, j));
            input[static_cast<std::size_t>(i)] = sum;
            u[static_cast<std::size_t>(i)] = v * conj_times(tau, t(i, k)) + s * sum;
        }
        solve_shifted(1, -std::conj(tau), t, k, u.data());
        factor(k, k) = v;
        for (index_t i = 0; i < k; ++i) {
            complex moved = v * t(i, k);
            for (index_t j = i; j < k; ++j) moved += times(t(i, j), u[static_cast<std::size_t>(j)]);
            const complex change = s * moved - times(tau + 1.0, input[static_cast<std::size_t>(i)]);
            for (index_t j = 0; j < m; ++j) right(i, j) += times(change, direction[static_cast<std::size_t>(j)]);
            factor(i, k) = u[static_cast<std::size_t>(i)];
        }
    }
    return out_of_schur(form, factor);
}

}  // namespace detail

/// The lower triangular L, n x n, with L L^T = X = A X A^T + B B^T, without ever forming X: small singular values keep
/// the digits that forming and factoring X would square away, and a singular X (B = 0, unreachable states) is no
/// exception.  a: n x n, spectral radius below 1;  b: n x m.  O(50 n^3 + n^2 m).  Throws as stein.
/// Hammarling 1982, in complex Schur form. With T = [T1 t; 0 tau], B = [B1; b^H], the last column (u; v) of the factor is
///     s = sqrt(1 - |tau|^2),  v = |b|/s,  (I - conj(tau) T1) u = conj(tau) v t + s B1 b/|b|
/// and the rest solves the same equation with T1 and B1 + (s (T1 u + v t) - tau B1 b/|b| - B1 b/|b|) b^H/|b|.
template <real S>
matrix<double> stein_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    check_equation("hrm::stein_factor", a, "B", b, b.cols());
    if (a.rows() == 0) return {};
    const auto solve = [right = to_double(b)](matrix<double> in_units, buffer<double> d) {
        return stein_factor_by(contractive_schur("hrm::stein_factor", std::move(in_units), std::move(d)), right);
    };
    return in_good_units(to_double(a), solve, row_length);
}

}  // namespace hrm
