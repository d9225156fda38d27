#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/lane_order.hpp>
#include <hrm/linalg/detail/matvec.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm::detail {

/// x -> tau with (I - tau v v^T) x = beta e_1, v_0 = 1. On return x[0] = beta and x[1..n) = v.
/// x must be far from overflow, as a scaled matrix is.
inline double make_reflector(double* x, index_t n) {
    const double tail = n > 1 ? dot(x + 1, x + 1, n - 1) : 0, square = n > 0 ? x[0] * x[0] + tail : 0;
    if (square < 1e-280) {  // squares have lost digits: in a unit of its own, which a reflection does not know
        double largest = 0;
        for (index_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
        if (largest == 0) return 0;
        const double unit = std::ldexp(1.0, std::max(-1000, std::ilogb(largest)));
        for (index_t i = 0; i < n; ++i) x[i] /= unit;
        const double tau = make_reflector(x, n);
        x[0] *= unit;
        return tau;
    }
    if (tail == 0) return 0;
    const double norm = std::sqrt(square), beta = x[0] < 0 ? norm : -norm;
    const double tau = (beta - x[0]) / beta, scale = 1 / (x[0] - beta);
    for (index_t i = 1; i < n; ++i) x[i] *= scale;
    x[0] = beta;
    return tau;
}

/// The reflectors of some consecutive columns: their product is I - V T V^T, T upper triangular. v: rows x columns, of
/// the rows from `first` on. Schreiber & Van Loan 1989.
struct reflector_block {
    index_t first = 0;
    matrix<double> v, t;
};

/// x <- (I - V T V^T) x, or with T^T: x: rows of V x any.
inline void apply_block(const reflector_block& r, bool turned, matrix_view<double> x) {
    matrix<double> w(r.v.cols(), x.cols), tw(r.v.cols(), x.cols);
    multiply(transposed(r.v.view()), x, w.view());
    if (turned) multiply(transposed(r.t.view()), w.view(), tw.view());
    else multiply(r.t.view(), w.view(), tw.view());
    multiply(r.v.view(), tw.view(), x, into::add, -1.0);
}

/// Numbers in a matrix that stays in the second cache, where passes over it cost less than what blocks add.
inline constexpr index_t in_cache = 1 << 16;

/// hessenberg_blocks of such a matrix, a column at a time. With H = I - tau v v^T
///     H A H = A - v g^T - f v^T,    f = tau A v - s v,  g = tau A^T v - s v,  s = tau^2/2 (v^T A v),
/// and a step's update is done by the next one in the pass that multiplies by its v from both sides: one pass a step.
inline std::vector<reflector_block> hessenberg_in_cache(matrix_view<double> a) {
    using pack = simd::pack<double>;
    constexpr index_t W = simd::lanes<double>, most = 16;
    const index_t n = a.rows, width = (n + W - 1) / W * W;
    matrix<double> work(width, width), rows(5, width);  // filled up with zeros, so that loops have no ends
    for (index_t i = 0; i < n; ++i) std::copy_n(a.row(i), n, work.view().row(i));
    double *u = rows.view().row(0), *v = rows.view().row(1), *f = rows.view().row(2), *g = rows.view().row(3), *next = rows.view().row(4);
    std::vector<reflector_block> blocks;
    matrix<double> vt(most, width);
    std::vector<double> tau(most);
    for (index_t j = 0; j < n; ++j) {
        for (index_t r = 0; r < n; ++r) v[r] = work(r, j) - u[r] * g[j] - f[r] * u[j];
        if (j + 2 >= n) {
            for (index_t r = 0; r < n; ++r) a(r, j) = v[r];
            continue;
        }
        const double t = make_reflector(v + j + 1, n - j - 1);
        for (index_t r = 0; r < n; ++r) a(r, j) = r < j + 2 ? v[r] : 0;
        std::fill(v, v + j + 1, 0.0);
        v[j + 1] = 1;
        const index_t first = (j + 1) / W * W, at = j % most;
        std::fill(next, next + width, 0.0);
        double* const p = f;  // becomes A v, a group of rows at a time, after that group's f has been used
        for (index_t r = 0; r < width; r += W) {
            double* const row = work.view().row(r);
            pack sums[W] = {};
            for (index_t c = first; c < width; c += W) {
                pack uc, vc, gc, down, value;
                simd::load<double>(uc, u + c);
                simd::load<double>(vc, v + c);
                simd::load<double>(gc, g + c);
                simd::load<double>(down, next + c);
#pragma GCC unroll 8
                for (index_t q = 0; q < W; ++q) {
                    simd::load<double>(value, row + q * width + c);
                    value -= u[r + q] * gc;
                    value -= f[r + q] * uc;
                    simd::store<double>(row + q * width + c, value);
                    sums[q] += value * vc;
                    down += v[r + q] * value;
                }
                simd::store<double>(next + c, down);
            }
            simd::turn<double>(sums);
            for (index_t half = W / 2; half > 0; half /= 2)
                for (index_t q = 0; q < half; ++q) sums[q] += sums[q + half];
            simd::store<double>(p + r, sums[0]);
        }
        const double s = t * t / 2 * dot(v, p, n);
        for (index_t i = 0; i < width; ++i) {
            f[i] = t * p[i] - s * v[i];
            g[i] = t * next[i] - s * v[i];
        }
        std::copy(v, v + width, vt.view().row(at));
        tau[static_cast<std::size_t>(at)] = t;
        std::swap(u, v);
        if (at + 1 == most || j + 3 == n) {  // a block is full
            const index_t start = j + 1 - at, nb = at + 1, height = n - start;
            reflector_block block{start, matrix<double>(height, nb), matrix<double>(nb, nb)};
            const auto part = vt.view().slice_rows(0, nb).slice_cols(start, height);
            matrix<double> gram(nb, nb);
            multiply(part, transposed(part), gram.view());
            for (index_t i = 0; i < nb; ++i) {
                for (index_t c = 0; c < i; ++c) {
                    double sum = 0;
                    for (index_t q = c; q < i; ++q) sum += block.t(c, q) * gram(q, i);
                    block.t(c, i) = -tau[static_cast<std::size_t>(i)] * sum;
                }
                block.t(i, i) = tau[static_cast<std::size_t>(i)];
                for (index_t r = 0; r < height; ++r) block.v(r, i) = part(i, r);
            }
            blocks.push_back(std::move(block));
        }
    }
    return blocks;
}

/// a <- Q^T a Q, upper Hessenberg; returns the blocks whose product, in order, is Q.  a: n x n.
/// Columns are reduced a panel of 32 at a time: inside it only a product A v a column, with Y = A V T the rest is
///     A <- (I - V T V^T)^T (A - Y V^T)                             Dongarra, Hammarling & Sorensen 1989.
/// O(10/3 n^3), a fifth of it matrix times vector.
inline std::vector<reflector_block> hessenberg_blocks(matrix_view<double> a) {
    const index_t n = a.rows;
    if (n * n <= in_cache) return hessenberg_in_cache(a);
    std::vector<reflector_block> blocks;
    std::vector<double> column(static_cast<std::size_t>(n)), product(column.size());
    for (index_t k = 0; k + 2 < n;) {
        const index_t nb = std::min<index_t>(n - k - 2, 32), first = k + 1, rows = n - first;
        reflector_block block{first, matrix<double>(rows, nb), matrix<double>(nb, nb)};
        auto &v = block.v, &t = block.t;
        matrix<double> y(n, nb), vt(nb, rows);  // vt: the columns of v, contiguous
        const auto below = y.view().slice_rows(first, rows);
        std::vector<double> w(static_cast<std::size_t>(nb)), tw(w.size());
        for (index_t i = 0; i < nb; ++i) {
            const index_t j = k + i;
            double* x = column.data();
            for (index_t r = 0; r < rows; ++r) x[r] = a(first + r, j);
            const auto earlier = vt.view().slice_rows(0, i);
            if (i > 0) {  // what the panel's earlier reflectors do to this column
                times_vector(below.slice_cols(0, i), v.view().row(j - first), product.data());
                for (index_t r = 0; r < rows; ++r) x[r] -= product[static_cast<std::size_t>(r)];
                times_vector(earlier, x, w.data());
                for (index_t c = 0; c < i; ++c) {
                    double sum = 0;
                    for (index_t q = 0; q <= c; ++q) sum += t(q, c) * w[static_cast<std::size_t>(q)];
                    tw[static_cast<std::size_t>(c)] = -sum;
                }
                add_transposed_times(earlier, tw.data(), x);
            }
            const double tau = make_reflector(x + i, rows - i);
            for (index_t r = 0; r <= i; ++r) a(first + r, j) = x[r];
            for (index_t r = i + 1; r < rows; ++r) a(first + r, j) = 0;
            x[i] = 1;
            for (index_t r = i; r < rows; ++r) v(r, i) = vt(i, r) = x[r];
            const double* direction = vt.view().row(i) + i;
            times_vector(earlier.slice_cols(i, rows - i), direction, w.data());
            times_vector(a.slice_rows(first, rows).slice_cols(j + 1, rows - i), direction, x);
            times_vector(below.slice_cols(0, i), w.data(), product.data());
            for (index_t r = 0; r < rows; ++r) below(r, i) = tau * (x[r] - product[static_cast<std::size_t>(r)]);
            for (index_t c = 0; c < i; ++c) {
                double sum = 0;
                for (index_t q = c; q < i; ++q) sum += t(c, q) * w[static_cast<std::size_t>(q)];
                t(c, i) = -tau * sum;
            }
            t(i, i) = tau;
        }
        // The rows above the panel, then everything to the right of it.
        matrix<double> top(first, nb);
        multiply(a.slice_rows(0, first).slice_cols(first, rows), v.view(), top.view());
        multiply(top.view(), t.view(), y.view().slice_rows(0, first));
        multiply(y.view().slice_rows(0, first), transposed(v.view().slice_rows(0, nb - 1)),
                 a.slice_rows(0, first).slice_cols(first, nb - 1), into::add, -1.0);
        const index_t right = k + nb;
        multiply(y.view(), transposed(v.view().slice_rows(nb - 1, rows - nb + 1)), a.slice_cols(right, n - right), into::add, -1.0);
        apply_block(block, true, a.slice_rows(first, rows).slice_cols(right, n - right));
        blocks.push_back(std::move(block));
        k += nb;
    }
    return blocks;
}

}  // namespace hrm::detail
