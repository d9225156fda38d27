#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/product.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/reduction/rank.hpp>

namespace hrm {

struct randomized_options {
    index_t rank = -1;          ///< at most this many values (-1: no cap)
    double tolerance = 1e-10;   ///< down to sigma_i / sigma_1 >= tolerance
    index_t oversampling = 10;  ///< columns beyond those that are kept
    int power = 1;              ///< passes of H H^T: sharper where the spectrum decays slowly
    index_t probes = 4;         ///< held out for the error
    std::uint64_t seed = 1;
};

/// H ~ u diag(sigma) v^H;  |H - u diag(sigma) v^H|_2 <= error, but with probability `failure`.  T: double or complex.
template <class T>
struct randomized_decomposition_of {
    singular_values_of<T> svd;
    double error = 0, failure = 1;
};
using randomized_decomposition = randomized_decomposition_of<double>;

/// The leading singular values and vectors of a matrix that is known by its products alone.
///     apply(x, y):  y = H x,    x: cols x k,  y: rows x k         turned(x, y):  y = H^H x,    x: rows x k,  y: cols x k
///     Q = orth((H H^H)^power H Omega),    Q^H H = U S V^H,    H ~ (Q U) S V^H
/// with a Gaussian Omega, whose width doubles until the values pass the tolerance or the cap. O((rows + cols) k^2) and
/// 2 power + 2 products of each width. The error is measured with probes Omega knows nothing of:
///     |E|_2 <= 10 sqrt(2 / pi) max_i |E g_i|,    failure 10^-probes,
/// complex: 10 / sqrt 20, for |v^H g|^2 / 2 of a unit v is exponential. A complex H: randomized_svd<std::complex<double>>(..).
/// Halko, Martinsson & Tropp, SIAM Review 53 (2011), algorithms 4.3 and 5.1, lemma 4.1.
template <real_or_complex T = double, class Apply, class Turned>
randomized_decomposition_of<T> randomized_svd(index_t rows, index_t cols, const Apply& apply, const Turned& turned,
                                              const randomized_options& o = {}) {
    if (o.oversampling < 1 || o.probes < 1 || o.power < 0)
        throw shape_error("hrm::randomized_svd: oversampling " + std::to_string(o.oversampling) + ", probes " +
                          std::to_string(o.probes) + ", power " + std::to_string(o.power) + ", expected at least 1, 1, 0");
    using detail::adjoint, detail::product;
    const index_t full = std::min(rows, cols), cap = o.rank < 0 ? full : std::min(o.rank, full);
    randomized_decomposition_of<T> out;
    out.failure = std::pow(10.0, -static_cast<double>(o.probes));
    random_stream random(o.seed), held(o.seed, 1);
    // Orthonormal columns that span those of x, as rows: Q^H.
    const auto basis = [](const matrix<T>& x) { return detail::pivoted_qr(x.view()).q; };
    const auto times = [](const auto& f, const auto& x, index_t to) {
        matrix<T> y(to, x.cols());
        f(x.view(), y.view());
        for (const T& v : y.flat())
            if (!detail::is_finite(v)) throw numerical_error("hrm::randomized_svd: a product is not finite");
        return y;
    };

    index_t kept = 0;
    for (index_t width = std::min(full, std::min(cap, index_t{24}) + o.oversampling);; width = std::min(full, 2 * width)) {
        matrix<T> omega(cols, width);
        random.fill_normal(omega.flat());
        auto q = basis(times(apply, omega, rows));  // width x rows
        for (int pass = 0; pass < o.power; ++pass) q = basis(times(apply, adjoint(basis(times(turned, adjoint(q), cols))), rows));
        // (Q^H H)^H P = Q2 R,  R = U S V^H:  H ~ (Q P V) S (Q2 U)^H.
        const detail::pivoted_qr qr(times(turned, adjoint(q), cols).view());
        const auto core = jacobi_svd(qr.r.view());
        kept = std::min(cap, rank_by_tolerance(core.sigma, std::max(o.tolerance, std::numeric_limits<double>::epsilon())));
        if (width < full && kept < cap && kept + o.oversampling > width) continue;
        matrix<T> left(width, kept);
        for (index_t i = 0; i < width; ++i)
            for (index_t j = 0; j < kept; ++j) left(qr.column[static_cast<std::size_t>(i)], j) = core.v(i, j);
        out.svd = {product(adjoint(q), left), {core.sigma.begin(), core.sigma.begin() + kept},
                   product(adjoint(qr.q), detail::submatrix(core.u, 0, width, 0, kept))};
        break;
    }

    matrix<T> g(cols, o.probes);
    held.fill_normal(g.flat());
    auto gap = times(apply, g, rows), inner = product(adjoint(out.svd.v), g);
    for (index_t i = 0; i < kept; ++i)
        for (index_t j = 0; j < o.probes; ++j) inner(i, j) *= out.svd.sigma[static_cast<std::size_t>(i)];
    detail::add_product(out.svd.u, inner, gap, -1);
    constexpr double share = real<T> ? 2 / std::numbers::pi : 1.0 / 20;
    for (index_t j = 0; j < o.probes; ++j) {
        double square = 0;
        for (index_t i = 0; i < rows; ++i) square += detail::square(gap(i, j));
        out.error = std::max(out.error, 10 * std::sqrt(share * square));
    }
    return out;
}

}  // namespace hrm
