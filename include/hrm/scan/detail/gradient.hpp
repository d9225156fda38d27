#pragma once

#include <algorithm>

#include <hrm/linalg/gemm.hpp>
#include <hrm/scan/detail/recurrence.hpp>

// dL/dA from the adjoint states lambda_t = dL/dz_t and the states before them:  dA = sum_t lambda_t s_{t-1}^*.
// Sums of 64 terms in S, then double: a long float sum would lose what the optimiser's second moments live on.

namespace hrm::scan::detail {

inline constexpr index_t gradient_block = 64;

/// da (double, [real q | re k | im k]) += sum over the rows of lambda and previous.
///     d real = lambda x,   d re = lambda_re x_re + lambda_im x_im,   d im = lambda_im x_re - lambda_re x_im
template <real S>
void add_gradient(const modes<S>& a, column_range part, track<const S> lambda, track<const S> previous, index_t time,
                  double* da) {
    const index_t q = a.reals(), k = a.pairs();
    for (index_t t0 = 0; t0 < time; t0 += gradient_block) {
        const index_t t1 = std::min(time, t0 + gradient_block);
        sweep<S>(part.real_first, part.real_last - part.real_first, [&]<int P, int W>(index_t i) {
            using V = simd::pack<S, W>;
            V sum[P] = {};
            for (index_t t = t0; t < t1; ++t)
                for (int p = 0; p < P; ++p) {
                    V l, x;
                    load(l, lambda.row(t) + i + p * W), load(x, previous.row(t) + i + p * W);
                    sum[p] += l * x;
                }
            S out[P * W];
            for (int p = 0; p < P; ++p) store(out + p * W, sum[p]);
            for (int j = 0; j < P * W; ++j) da[i + j] += static_cast<double>(out[j]);
        });
        sweep<S>(part.pair_first, part.pair_last - part.pair_first, [&]<int P, int W>(index_t i) {
            using V = simd::pack<S, W>;
            V re[P] = {}, im[P] = {};
            for (index_t t = t0; t < t1; ++t)
                for (int p = 0; p < P; ++p) {
                    const index_t column = q + i + p * W;
                    V lr, li, xr, xi;
                    load(lr, lambda.row(t) + column), load(li, lambda.row(t) + column + k);
                    load(xr, previous.row(t) + column), load(xi, previous.row(t) + column + k);
                    re[p] += lr * xr + li * xi;
                    im[p] += li * xr - lr * xi;
                }
            S out[2 * P * W];
            for (int p = 0; p < P; ++p) store(out + p * W, re[p]), store(out + (P + p) * W, im[p]);
            for (int j = 0; j < P * W; ++j) {
                da[q + i + j] += static_cast<double>(out[j]);
                da[q + k + i + j] += static_cast<double>(out[P * W + j]);
            }
        });
    }
}

/// da (double, m x n row-major) += sum_t lambda_t previous_t^T.  lambda: m columns;  tile: m x n scratch.
template <real S>
void add_gradient_dense(matrix_view<const S> lambda, matrix_view<const S> previous, double* da, S* tile) {
    const index_t m = lambda.cols, n = previous.cols;
    for (index_t t0 = 0; t0 < lambda.rows; t0 += gradient_block) {
        const index_t rows = std::min(gradient_block, lambda.rows - t0);
        multiply(transposed(lambda.slice_rows(t0, rows)), previous.slice_rows(t0, rows), matrix_view<S>(tile, m, n));
        for (index_t i = 0; i < m * n; ++i) da[i] += static_cast<double>(tile[i]);
    }
}

}  // namespace hrm::scan::detail
