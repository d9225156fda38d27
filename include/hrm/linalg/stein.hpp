#pragma once

#include <hrm/linalg/detail/gramian_pair.hpp>

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
        return solve_gramian<two_sided::product>(stable_real_schur<two_sided::product>("hrm::stein", std::move(in_units), std::move(d)), q);
    };
    return in_good_units(to_double(a), solve, root_of_diagonal);
}

/// The lower triangular L, n x n, with L L^T = X = A X A^T + B B^T, without ever forming X: small singular values keep
/// the digits that forming and factoring X would square away, and a singular X (B = 0, unreachable states) is no
/// exception.  a: n x n, spectral radius below 1;  b: n x m.  O(27 n^3 + 2 n^2 m), as products.  Throws as stein.
/// Hammarling 1982, by blocks of the real Schur form (hrm/linalg/detail/hammarling.hpp).
template <real S>
matrix<double> stein_factor(const matrix<S>& a, const matrix<S>& b) {
    using namespace detail;
    check_equation("hrm::stein_factor", a, "B", b, b.cols());
    if (a.rows() == 0) return {};
    const auto solve = [right = to_double(b)](matrix<double> in_units, buffer<double> d) {
        const auto form = stable_real_schur<two_sided::product>("hrm::stein_factor", std::move(in_units), std::move(d));
        return gramian_factor_by<two_sided::product>(form, right);
    };
    return in_good_units(to_double(a), solve, row_length);
}

}  // namespace hrm
