#pragma once

#include <algorithm>

#include <hrm/core/workspace.hpp>
#include <hrm/linalg/gemm.hpp>

// The adjoints of an adapter's two products, Y = S C^T and X = U B^T, with one pass over each big matrix.

namespace hrm::detail {

/// Rows that two products share, or one sums at a time: what the second reads is still in the cache.
inline constexpr index_t project_rows = 256;

template <class F>
void by_project_rows(index_t rows, F&& f) {
    for (index_t t = 0; t < rows; t += project_rows) f(t, std::min(project_rows, rows - t));
}

/// dC += k dY^T S,    dS = f dY C.    dy: L x outputs;  c, dc: outputs x n;  s, ds: L x n.   4 L n outputs flop.
template <real S>
void output_backward(matrix_view<const S> dy, matrix_view<const S> c, matrix_view<const S> s, S k, matrix_view<S> dc, S f,
                     matrix_view<S> ds) {
    by_project_rows(dy.rows, [&](index_t t, index_t rows) {
        const auto part = dy.slice_rows(t, rows);
        multiply(part, c, ds.slice_rows(t, rows), into::overwrite, f);
        multiply(transposed(part), s.slice_rows(t, rows), dc, into::add, k);
    });
}

/// dB += X^T U,    dU += X B.    x: L x n;  u, du: L x inputs, du may be empty;  b, db: n x inputs.   4 L n inputs flop.
/// A long sum is formed as U^T X, whose columns fill whole registers, and turned at the end.
template <real S>
void input_backward(matrix_view<const S> x, matrix_view<const S> u, matrix_view<const S> b, matrix_view<S> db,
                    matrix_view<S> du, workspace& ws) {
    constexpr index_t long_enough = 64, strip = 16;
    if (!du.empty()) multiply(x, b, du, into::add);
    if (x.rows < long_enough) return multiply(transposed(x), u, db, into::add);
    scratch_scope scope(ws);
    const auto turned = ws.take_matrix<S>(u.cols, x.cols);
    by_project_rows(u.rows, [&](index_t t, index_t rows) {
        multiply(transposed(u.slice_rows(t, rows)), x.slice_rows(t, rows), turned, t ? into::add : into::overwrite);
    });
    for (index_t j0 = 0; j0 < u.cols; j0 += strip)
        for (index_t i = 0; i < x.cols; ++i)
            for (index_t j = j0; j < std::min(u.cols, j0 + strip); ++j) db(i, j) += turned(j, i);
}

}  // namespace hrm::detail
