#pragma once

#include <algorithm>

#include <hrm/core/view.hpp>
#include <hrm/linalg/detail/lane_order.hpp>
#include <hrm/linalg/elementary.hpp>

// Matrix times vector, what half of a reduction to Hessenberg or bidiagonal form consists of: a register's worth of rows
// at a time, so that the vector is loaded once for all of them and their sums are added up together.

namespace hrm::detail {

/// y = A x.  a: m x n.
inline void times_vector(matrix_view<const double> a, const double* x, double* y) {
    using pack = simd::pack<double>;
    constexpr int W = simd::lanes<double>;
    const index_t n = a.cols, rest = n % W;
    index_t i = 0;
    if (n >= W) {
        double last[W] = {};  // the end of x, behind zeros where a whole pack has been there already
        std::copy_n(x + n - rest, rest, last + W - rest);
        for (; i + W <= a.rows; i += W) {
            pack sum[W] = {};
            const double* row = a.row(i);
            const auto take = [&](index_t j, const double* from) {
                pack v, e;
                simd::load<double>(v, from);
#pragma GCC unroll 8
                for (int r = 0; r < W; ++r) {
                    simd::load<double>(e, row + r * a.stride + j);
                    sum[r] += e * v;
                }
            };
            for (index_t j = 0; j + W <= n; j += W) take(j, x + j);
            if (rest > 0) take(n - W, last);
            simd::turn<double>(sum);
#pragma GCC unroll 4
            for (int half = W / 2; half > 0; half /= 2)
#pragma GCC unroll 4
                for (int r = 0; r < half; ++r) sum[r] += sum[r + half];
            simd::store<double>(y + i, sum[0]);
        }
    }
    else
        for (; i < a.rows; ++i) {
            double sum = 0;
            for (index_t j = 0; j < n; ++j) sum += a(i, j) * x[j];
            y[i] = sum;
        }
    for (; i < a.rows; ++i) y[i] = dot(a.row(i), x, n);
}

/// y += A^T x.  a: m x n.
inline void add_transposed_times(matrix_view<const double> a, const double* x, double* y) {
    using pack = simd::pack<double>;
    constexpr int W = simd::lanes<double>;
    const index_t n = a.cols, rest = n % W;
    index_t i = 0;
    if (n >= W)
        for (; i + 8 <= a.rows; i += 8) {
            const double* row = a.row(i);
            const auto sum = [&](index_t j) {
                pack first = {}, second = {}, e;
#pragma GCC unroll 4
                for (int r = 0; r < 8; r += 2) {
                    simd::load<double>(e, row + r * a.stride + j);
                    first += x[i + r] * e;
                    simd::load<double>(e, row + (r + 1) * a.stride + j);
                    second += x[i + r + 1] * e;
                }
                return first + second;
            };
            for (index_t j = 0; j + W <= n; j += W) {
                pack to;
                simd::load<double>(to, y + j);
                to += sum(j);
                simd::store<double>(y + j, to);
            }
            if (rest > 0) {
                const pack end = sum(n - W);
                for (index_t l = W - rest; l < W; ++l) y[n - W + l] += end[l];
            }
        }
    for (; i < a.rows; ++i) axpy(x[i], a.row(i), y, n);
}

}  // namespace hrm::detail
