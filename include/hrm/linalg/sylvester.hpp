#pragma once

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/linalg/detail/quasi_triangular.hpp>

namespace hrm {
namespace detail {

/// Throws where an X is not determined: eigenvalues x of A and y of B with x + y = 0, or x y = 1.
template <two_sided kind>
void require_apart(const std::string& where, const buffer<complex>& of_a, const buffer<complex>& of_b) {
    double nearest = std::numeric_limits<double>::infinity(), size = kind == two_sided::product ? 1 : 0;
    for (const complex x : of_a)
        for (const complex y : of_b) {
            nearest = std::min(nearest, std::abs(kind == two_sided::sum ? x + y : times(x, y) - 1.0));
            size = std::max(size, kind == two_sided::sum ? std::abs(x) + std::abs(y) : std::abs(times(x, y)));
        }
    if (const double least = std::numeric_limits<double>::epsilon() * size; !(nearest > least)) {
        std::ostringstream s;
        s << where << ": " << (kind == two_sided::sum ? "A and -B share an eigenvalue" : "eigenvalues of A and B are reciprocal")
          << " to rounding: they miss by " << nearest << ", must by more than " << least;
        throw numerical_error(s.str());
    }
}

/// X of A X + X B = C or A X B - X = C, in real Schur coordinates of A and B.
template <two_sided kind, real S>
matrix<double> solve_by_schur(const std::string& where, const matrix<S>& a, const matrix<S>& b, const matrix<S>& c) {
    const index_t n = a.rows(), m = b.rows();
    check_equation(where, a, "C", c, m);
    require_shape(where, "B", b.rows(), b.cols(), m, m);
    require_finite(where, "B", b);
    if (n == 0 || m == 0) return matrix<double>(n, m);
    const auto left = real_schur(where, to_double(a)), right = real_schur(where, to_double(b));
    require_apart<kind>(where, block_eigenvalues(left.t.view()), block_eigenvalues(right.t.view()));
    matrix<double> half(n, m), y(n, m);
    multiply(transposed(left.q.view()), to_double(c).view(), half.view());
    multiply(half.view(), right.q.view(), y.view());
    solve_two_sided<kind>(left.t.view(), right.t.view(), y.view());
    multiply(left.q.view(), y.view(), half.view());
    multiply(half.view(), transposed(right.q.view()), y.view());
    return y;
}

}  // namespace detail

/// The X of the Sylvester equation
///     A X + X B = C
/// a: n x n;  b: m x m;  c: n x m;  X: n x m.  Computed in double; |A X + X B - C| is a small multiple of eps (|A| + |B|) |X|.
/// O(25 (n^3 + m^3)), as products.  Throws numerical_error if A and -B share an eigenvalue to rounding (there is no X, or
/// many) or anything is not finite.
/// Real Schur forms: A = U T U^T, B = V S V^T, T Y + Y S = U^T C V, X = U Y V^T.  Bartels & Stewart 1972.
template <real S>
matrix<double> sylvester(const matrix<S>& a, const matrix<S>& b, const matrix<S>& c) {
    return detail::solve_by_schur<detail::two_sided::sum>("hrm::sylvester", a, b, c);
}

/// The X of the discrete Sylvester equation
///     A X B - X = C
/// Shapes, cost and method as sylvester; |A X B - X - C| is a small multiple of eps (|A| |B| + 1) |X|.  Throws
/// numerical_error if a b = 1 to rounding for an eigenvalue a of A and b of B.
template <real S>
matrix<double> discrete_sylvester(const matrix<S>& a, const matrix<S>& b, const matrix<S>& c) {
    return detail::solve_by_schur<detail::two_sided::product>("hrm::discrete_sylvester", a, b, c);
}

}  // namespace hrm
