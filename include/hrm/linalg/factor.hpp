#pragma once

#include <algorithm>
#include <cmath>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// The lower triangular L, n x n, with a nonnegative diagonal and L L^T = W W^T: the square root of a Gramian from any
/// other square root W: n x k.  Householder reflections of the rows, so nothing is squared: a row of L is as accurate,
/// relative to its length, as that row of W. Rank may be anything, k may be below n.  O(n^2 k).
/// A wide W goes a panel of columns at a time, [L panel] -> L, so that what is worked on stays in the nearest cache.
template <real S>
matrix<S> lower_factor(matrix<S> w) {
    const index_t n = w.rows(), k = w.cols(), panel = std::max<index_t>(128, n);
    if (k > n + panel) {
        matrix<S> part(n, n + panel);
        for (index_t first = 0; first < k; first += panel) {
            const index_t cols = std::min(panel, k - first);
            for (index_t i = 0; i < n; ++i) {
                std::copy_n(w.view().row(i) + first, cols, part.view().row(i) + n);
                std::fill(part.view().row(i) + n + cols, part.view().row(i) + n + panel, S{0});
            }
            const auto l = lower_factor(part);
            for (index_t i = 0; i < n; ++i) std::copy_n(l.view().row(i), n, part.view().row(i));
        }
        return matrix<S>(matrix_view<const S>(part.view().slice_cols(0, n)));
    }
    matrix<S> l(n, n);
    buffer<S> v(static_cast<std::size_t>(k));
    for (index_t j = 0; j < std::min(n, k); ++j) {
        S* row = w.view().row(j) + j;
        const index_t tail = k - j;
        S largest = 0;
        for (index_t i = 0; i < tail; ++i) largest = std::max(largest, std::abs(row[i]));
        // v = row / largest -+ its length in the first place: I - 2 v v^T/|v|^2 sends the row to its first axis.
        if (largest > 0) {
            for (index_t i = 0; i < tail; ++i) v[static_cast<std::size_t>(i)] = row[i] / largest;
            const S length = std::sqrt(dot(v.data(), v.data(), tail));
            v[0] += v[0] < 0 ? -length : length;
            const S weight = 2 / dot(v.data(), v.data(), tail);
            for (index_t i = j; i < n; ++i) {
                S* below = w.view().row(i) + j;
                axpy(-weight * dot(below, v.data(), tail), v.data(), below, tail);
            }
        }
        const S sign = w(j, j) < 0 ? S{-1} : S{1};
        for (index_t i = j; i < n; ++i) l(i, j) = sign * w(i, j);
    }
    return l;
}

}  // namespace hrm
