#pragma once

#include <array>
#include <cmath>

#include <hrm/linalg/detail/product.hpp>
#include <hrm/linalg/solve.hpp>

namespace hrm {

/// e^A by scaling and squaring: A / 2^s has 1-norm below 5.37, where the [13/13] Pade approximant is exact to rounding,
///     r(X) = (V - U)^-1 (V + U),  U odd and V even in X,  e^A = r(A / 2^s)^(2^s)
/// a: n x n, real or complex.  O((8 + s) n^3).  Throws numerical_error if A is not finite.
/// Higham, "The scaling and squaring method for the matrix exponential revisited", 2005.
template <real_or_complex T>
    requires(std::same_as<in_precision<double, T>, T>)
matrix<T> expm(const matrix<T>& a) {
    constexpr std::array<double, 14> b{64764752532480000., 32382376266240000., 7771770303897600., 1187353796428800.,
                                       129060195264000.,   10559470521600.,    670442572800.,     33522128640.,
                                       1323241920.,        40840800.,          960960.,           16380.,
                                       182.,               1.};
    const index_t n = a.rows();
    require_shape("hrm::expm", "A", a.rows(), a.cols(), n, n);
    double norm = 0;
    for (index_t j = 0; j < n; ++j) {
        double sum = 0;
        for (index_t i = 0; i < n; ++i) sum += std::abs(a(i, j));
        if (!std::isfinite(sum)) throw numerical_error("hrm::expm: A is not finite in column " + std::to_string(j));
        norm = std::max(norm, sum);
    }
    int halvings = 0;
    if (norm > 5.371920351148152) std::frexp(norm / 5.371920351148152, &halvings);

    using detail::product;
    matrix<T> x = a;
    for (T& value : x.flat()) value = detail::times_power(value, -halvings);
    const auto x2 = product(x, x), x4 = product(x2, x2), x6 = product(x4, x2);
    // c6 x6 + c4 x4 + c2 x2 + c0 I
    const auto polynomial = [&](double c6, double c4, double c2, double c0) {
        matrix<T> p(n, n);
        for (index_t i = 0; i < n; ++i) {
            for (index_t j = 0; j < n; ++j) p(i, j) = c6 * x6(i, j) + c4 * x4(i, j) + c2 * x2(i, j);
            p(i, i) += c0;
        }
        return p;
    };
    const auto plus = [](matrix<T> p, const matrix<T>& q, double sign) {
        for (index_t i = 0; i < p.rows(); ++i)
            for (index_t j = 0; j < p.cols(); ++j) p(i, j) += sign * q(i, j);
        return p;
    };
    const auto u = product(x, plus(product(x6, polynomial(b[13], b[11], b[9], 0)), polynomial(b[7], b[5], b[3], b[1]), 1));
    const auto v = plus(product(x6, polynomial(b[12], b[10], b[8], 0)), polynomial(b[6], b[4], b[2], b[0]), 1);
    auto e = solve(plus(v, u, -1), plus(v, u, 1));
    for (int i = 0; i < halvings; ++i) e = product(e, e);
    return e;
}

}  // namespace hrm
