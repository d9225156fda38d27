#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/reduction/rank.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// The block Hankel matrix of Markov parameters,  H_ij = h_{first + i + j},  rows x cols blocks of p x m.
/// With h_k = C A^k B its singular values tend to the Hankel singular values as it grows.
inline matrix<double> block_hankel(std::span<const matrix<double>> h, index_t rows, index_t cols, index_t first = 0) {
    if (rows < 1 || cols < 1) throw shape_error("hrm::block_hankel: " + extents(rows, cols) + " blocks, expected at least 1x1");
    const index_t count = static_cast<index_t>(h.size()), needed = first + rows + cols - 1;
    if (count < needed)
        throw shape_error("hrm::block_hankel: " + std::to_string(count) + " Markov parameters, expected at least " +
                          std::to_string(needed));
    const index_t p = h[0].rows(), m = h[0].cols();
    matrix<double> out(rows * p, cols * m);
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j) {
            const auto& block = h[static_cast<std::size_t>(first + i + j)];
            require_shape("hrm::block_hankel", "a Markov parameter", block.rows(), block.cols(), p, m);
            for (index_t r = 0; r < p; ++r)
                for (index_t c = 0; c < m; ++c) out(i * p + r, j * m + c) = block(r, c);
        }
    return out;
}

struct era_options {
    index_t rank = -1;         ///< at most this order (-1: no cap)
    double tolerance = 1e-10;  ///< keeps sigma_i / sigma_1 >= tolerance: about the noise of the data
};
/// A system made from data, and the singular values of the Hankel matrix that say how many states the data hold.
struct realization {
    discrete<dense<double>> system;
    std::vector<double> sigma;
};

/// The eigensystem realization algorithm: a system from its Markov parameters h_0 .. h_{N-1}, h_k = C A^k B (subtract a
/// known D from h_0 first). With the Hankel matrices H = [h_{i+j}] = U S V^T and H' = [h_{i+j+1}], s = N / 2 block rows,
///     A = S^-1/2 U^T H' V S^-1/2,   B = first m columns of S^1/2 V^T,   C = first p rows of U S^1/2.
/// Exact for a system of order n once N >= 2 n and the tolerance is above rounding. O((N p)^2 N m).
/// Ho & Kalman 1966, Kung 1978, Juang & Pappa 1985.
inline realization era(std::span<const matrix<double>> h, const era_options& options = {}) {
    const index_t count = static_cast<index_t>(h.size()), rows = count / 2, cols = count - rows;
    if (count < 2) throw shape_error("hrm::era: " + std::to_string(count) + " Markov parameters, expected at least 2");
    const index_t p = h[0].rows(), m = h[0].cols();
    const auto hankel = block_hankel(h, rows, cols), shifted = block_hankel(h, rows, cols, 1);
    auto svd = jacobi_svd(hankel);
    index_t r = rank_by_tolerance(svd.sigma, std::max(options.tolerance, std::numeric_limits<double>::epsilon()));
    if (options.rank >= 0) r = std::min(r, options.rank);

    realization out{{{matrix<double>(r, r)}, matrix<double>(r, m), matrix<double>(p, r), {}}, svd.sigma};
    for (index_t k = 0; k < r; ++k) {
        const double root = std::sqrt(svd.sigma[static_cast<std::size_t>(k)]);
        for (index_t j = 0; j < m; ++j) out.system.b(k, j) = root * svd.v(j, k);
        for (index_t i = 0; i < p; ++i) out.system.c(i, k) = svd.u(i, k) * root;
        for (index_t i = 0; i < svd.u.rows(); ++i) svd.u(i, k) /= root;
        for (index_t i = 0; i < svd.v.rows(); ++i) svd.v(i, k) /= root;
    }
    matrix<double> moved(shifted.rows(), r);
    multiply(shifted.view(), svd.v.view().slice_cols(0, r), moved.view());
    multiply(transposed(svd.u.view().slice_cols(0, r)), moved.view(), out.system.a.a.view());
    return out;
}

}  // namespace hrm
