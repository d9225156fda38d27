#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>
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

/// H ~ u diag(sigma) v^T;  |H - u diag(sigma) v^T|_2 <= error, but with probability `failure`.
struct randomized_decomposition {
    singular_values svd;
    double error = 0, failure = 1;
};

/// The leading singular values and vectors of a matrix that is known by its products alone.
///     apply(x, y):  y = H x,    x: cols x k,  y: rows x k         turned(x, y):  y = H^T x,    x: rows x k,  y: cols x k
///     Q = orth((H H^T)^power H Omega),    Q^T H = U S V^T,    H ~ (Q U) S V^T
/// with a Gaussian Omega, whose width doubles until the values pass the tolerance or the cap. O((rows + cols) k^2) and
/// 2 power + 2 products of each width. The error is measured with probes Omega knows nothing of:
///     |E|_2 <= 10 sqrt(2 / pi) max_i |E g_i|,    failure 10^-probes.
/// Halko, Martinsson & Tropp, SIAM Review 53 (2011), algorithms 4.3 and 5.1, lemma 4.1.
template <class Apply, class Turned>
randomized_decomposition randomized_svd(index_t rows, index_t cols, const Apply& apply, const Turned& turned,
                                        const randomized_options& o = {}) {
    if (o.oversampling < 1 || o.probes < 1 || o.power < 0)
        throw shape_error("hrm::randomized_svd: oversampling " + std::to_string(o.oversampling) + ", probes " +
                          std::to_string(o.probes) + ", power " + std::to_string(o.power) + ", expected at least 1, 1, 0");
    const index_t full = std::min(rows, cols), cap = o.rank < 0 ? full : std::min(o.rank, full);
    randomized_decomposition out;
    out.failure = std::pow(10.0, -static_cast<double>(o.probes));
    random_stream random(o.seed), held(o.seed, 1);
    // Orthonormal columns that span those of x, as rows.
    const auto basis = [](const matrix<double>& x) { return detail::pivoted_qr(x.view()).q; };
    const auto times = [](const auto& f, const auto& x, index_t to) {
        matrix<double> y(to, x.cols());
        f(x.view(), y.view());
        for (double v : y.flat())
            if (!std::isfinite(v)) throw numerical_error("hrm::randomized_svd: a product is not finite");
        return y;
    };

    index_t kept = 0;
    for (index_t width = std::min(full, std::min(cap, index_t{24}) + o.oversampling);; width = std::min(full, 2 * width)) {
        matrix<double> omega(cols, width);
        random.fill_normal(omega.flat());
        auto q = basis(times(apply, omega, rows));  // width x rows
        for (int pass = 0; pass < o.power; ++pass) q = basis(times(apply, detail::transpose(basis(times(turned, detail::transpose(q), cols))), rows));
        // (Q^T H)^T P = Q2 R,  R = U S V^T:  H ~ (Q P V) S (Q2 U)^T.
        const detail::pivoted_qr qr(times(turned, detail::transpose(q), cols).view());
        const auto core = jacobi_svd(qr.r.view());
        kept = std::min(cap, rank_by_tolerance(core.sigma, std::max(o.tolerance, std::numeric_limits<double>::epsilon())));
        if (width < full && kept < cap && kept + o.oversampling > width) continue;
        matrix<double> left(width, kept);
        for (index_t i = 0; i < width; ++i)
            for (index_t j = 0; j < kept; ++j) left(qr.column[static_cast<std::size_t>(i)], j) = core.v(i, j);
        out.svd.sigma.assign(core.sigma.begin(), core.sigma.begin() + kept);
        out.svd.u = matrix<double>(rows, kept);
        out.svd.v = matrix<double>(cols, kept);
        multiply(transposed(q.view()), left.view(), out.svd.u.view());
        multiply(transposed(qr.q.view()), core.u.view().slice_cols(0, kept), out.svd.v.view());
        break;
    }

    matrix<double> g(cols, o.probes), inner(kept, o.probes);
    held.fill_normal(g.flat());
    auto gap = times(apply, g, rows);
    multiply(transposed(out.svd.v.view()), g.view(), inner.view());
    for (index_t i = 0; i < kept; ++i)
        for (index_t j = 0; j < o.probes; ++j) inner(i, j) *= out.svd.sigma[static_cast<std::size_t>(i)];
    multiply(out.svd.u.view(), inner.view(), gap.view(), into::add, -1.0);
    for (index_t j = 0; j < o.probes; ++j) {
        double square = 0;
        for (index_t i = 0; i < rows; ++i) square += gap(i, j) * gap(i, j);
        out.error = std::max(out.error, 10 * std::sqrt(2 / std::numbers::pi * square));
    }
    return out;
}

}  // namespace hrm
