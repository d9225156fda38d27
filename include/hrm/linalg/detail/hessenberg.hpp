#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/core/matrix.hpp>
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

/// a <- Q^T a Q, upper Hessenberg; returns the blocks whose product, in order, is Q.  a: n x n.
/// Columns are reduced a panel of 32 at a time: inside it only a product A v a column, with Y = A V T the rest is
///     A <- (I - V T V^T)^T (A - Y V^T)                             Dongarra, Hammarling & Sorensen 1989.
/// O(10/3 n^3), a fifth of it matrix times vector.
inline std::vector<reflector_block> hessenberg_blocks(matrix_view<double> a) {
    const index_t n = a.rows;
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
