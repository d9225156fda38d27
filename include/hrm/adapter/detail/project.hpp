#pragma once

#include <hrm/linalg/detail/skinny.hpp>

// An adapter's two products, Z = U B^T and Y += k S C^T, and their adjoints, with one pass over each big matrix. A row of a
// product has the same bits beside any other rows, so a prefill ends in the state that decoding would have reached.

namespace hrm::detail {

/// Z = U B^T.    u: L x inputs;  b: n x inputs;  z: L x n.   2 L n inputs flop.
template <real S>
void project_in(matrix_view<const S> u, matrix_view<const S> b, matrix_view<S> z, workspace& ws) {
    if (u.rows <= skinny::few) return skinny::by_rows(u, b, skinny::start::afresh, z);
    scratch_scope scope(ws);
    const auto turned = skinny::pack<S, S>(transposed(b), ws);
    skinny::down<S>(u, turned, [&](index_t t, index_t rows, const S* from, index_t stride) {
        for (index_t i = 0; i < rows; ++i) std::copy_n(from + i * stride, z.cols, z.row(t + i));
    }, ws);
}

/// Y += k S C^T.    s: L x n;  c: outputs x n;  y: L x outputs.   2 L n outputs flop.
template <real S>
void project_out(matrix_view<const S> s, matrix_view<const S> c, S k, matrix_view<S> y, workspace& ws) {
    scratch_scope scope(ws);
    if (s.rows > skinny::few) return skinny::up<S>(s, skinny::pack<S, S>(transposed(c), ws), k, y);
    const auto scaled = ws.take_matrix<S>(s.rows, s.cols);
    for (index_t i = 0; i < s.rows; ++i)
        for (index_t j = 0; j < s.cols; ++j) scaled(i, j) = k * s(i, j);
    skinny::by_rows<S>(scaled, c, skinny::start::on_top, y);
}

/// dC += k dY^T S,    dS = f dY C.    dy: L x outputs;  c, dc: outputs x n;  s, ds: L x n.   4 L n outputs flop.
template <real S>
void output_backward(matrix_view<const S> dy, matrix_view<const S> c, matrix_view<const S> s, S k, matrix_view<S> dc, S f,
                     matrix_view<S> ds, workspace& ws) {
    if (dy.rows == 0) return;
    scratch_scope scope(ws);
    const auto w = skinny::pack<S, S>(strided_view<const S>(c), ws);
    const auto sum = skinny::room<S>(c.rows, c.cols, ws);
    skinny::across<S>(dy, s, &w, sum, [&](index_t t, index_t rows, const S* from, index_t stride) {
        for (index_t i = 0; i < rows; ++i)
            for (index_t j = 0; j < ds.cols; ++j) ds(t + i, j) = f * from[i * stride + j];
    }, ws);
    skinny::unpack(sum, k, dc);
}

/// dB += X^T U,    dU += X B.    x: L x n;  u, du: L x inputs, du may be empty;  b, db: n x inputs.   4 L n inputs flop.
/// The long sum is formed as U^T X, whose columns fill whole registers, and turned at the end.
template <real S>
void input_backward(matrix_view<const S> x, matrix_view<const S> u, matrix_view<const S> b, matrix_view<S> db,
                    matrix_view<S> du, workspace& ws) {
    if (u.rows == 0) return;
    scratch_scope scope(ws);
    if (!du.empty()) skinny::up<S>(x, skinny::pack<S, S>(strided_view<const S>(b), ws), S{1}, du);
    const auto sum = skinny::room<S>(u.cols, x.cols, ws);
    skinny::across<S>(u, x, nullptr, sum, [](index_t, index_t, const S*, index_t) {}, ws);
    skinny::unpack_turned(sum, db);
}

}  // namespace hrm::detail
