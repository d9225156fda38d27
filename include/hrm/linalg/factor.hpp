#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/gemm.hpp>

namespace hrm {

namespace detail {

/// At least |L^-1|_2, as the root of |L^-1|_1 |L^-1|_inf, and infinite where a pivot is zero.  l: lower triangular.  O(n^3/3)
template <real S>
S inverse_bound(const matrix<S>& l) {
    const index_t n = l.rows();
    matrix<S> inverse(n, n);
    std::vector<S> column(static_cast<std::size_t>(n));
    S row = 0;
    for (index_t i = 0; i < n; ++i) {
        S* x = inverse.view().row(i);
        for (index_t j = 0; j < i; ++j) axpy(-l(i, j), inverse.view().row(j), x, j + 1);
        x[i] = 1;
        S sum = 0;
        for (index_t j = 0; j <= i; ++j) {
            x[j] /= l(i, i);
            sum += std::abs(x[j]);
            column[static_cast<std::size_t>(j)] += std::abs(x[j]);
        }
        row = std::max(row, sum);
    }
    return n > 0 ? std::sqrt(row * *std::max_element(column.begin(), column.end())) : 0;
}

/// The Cholesky factor L of W W^T where squaring costs no more than a digit: with the rows of W brought to unit length
/// |L^-1| <= 8, and their squares are within range. Else nothing. Rounding moves W W^T by H and L by at most
/// |L| |L^-1 H L^-T|. Pivots far from zero (none below 1/16 here) are necessary and cheap to see, but a long L may have none
/// and be singular all the same. A product of matrices and O(n^3).
template <real S>
std::optional<matrix<S>> factor_of_square(strided_view<const S> w) {
    const index_t n = w.rows;
    matrix<S> g(n, n);
    multiply(w, strided_view<const S>(w.data, w.cols, n, w.col_stride, w.row_stride), g.view());
    std::vector<S> length(static_cast<std::size_t>(n));
    constexpr S least = std::numeric_limits<S>::min() / (std::numeric_limits<S>::epsilon() * std::numeric_limits<S>::epsilon());
    for (index_t i = 0; i < n; ++i) {
        if (!(g(i, i) > least && g(i, i) < 1 / least)) return {};
        length[static_cast<std::size_t>(i)] = std::sqrt(g(i, i));
    }
    for (index_t j = 0; j < n; ++j) {
        S* row = g.view().row(j);
        for (index_t i = 0; i < j; ++i) row[i] = (g(j, i) / (length[static_cast<std::size_t>(i)] * length[static_cast<std::size_t>(j)]) - dot(row, g.view().row(i), i)) / g(i, i);
        const S pivot = 1 - dot(row, row, j);
        if (!(pivot >= S{1} / 16)) return {};
        row[j] = std::sqrt(pivot);
        for (index_t i = j + 1; i < n; ++i) row[i] = 0;
    }
    if (!(inverse_bound(g) <= 8)) return {};
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j <= i; ++j) g(i, j) *= length[static_cast<std::size_t>(i)];
    return g;
}

/// For many columns, a panel of them at a time as rows of V:  Householder reflections H with H [L^T; V] = [L^T; 0].  The loops
/// run along the rows of L^T and V, and both stay in the nearest cache.
template <real S>
matrix<S> lower_factor_by_panels(strided_view<const S> w) {
    const index_t n = w.rows, panel = 128;
    if (n == 0) return {};
    if (n >= 8 && w.cols >= 16 * n)
        if (auto l = factor_of_square<S>(w)) return std::move(*l);
    matrix<S> upper(n, n), part(panel, n);
    buffer<S> v(static_cast<std::size_t>(panel)), sum(static_cast<std::size_t>(n));
    for (index_t first = 0; first < w.cols; first += panel) {
        const index_t rows = std::min(panel, w.cols - first);
        if (w.row_stride == 1)
            for (index_t i = 0; i < rows; ++i) std::copy_n(&w(0, first + i), n, part.view().row(i));
        else
            for (index_t j = 0; j < n; ++j)
                for (index_t i = 0; i < rows; ++i) part(i, j) = w(j, first + i);
        for (index_t j = 0; j < n; ++j) {
            S* top = upper.view().row(j);
            S largest = std::abs(top[j]), square = 0;
            for (index_t i = 0; i < rows; ++i) largest = std::max(largest, std::abs(v[static_cast<std::size_t>(i)] = part(i, j)));
            if (!(largest > 0)) continue;
            for (index_t i = 0; i < rows; ++i) v[static_cast<std::size_t>(i)] /= largest;
            square = dot(v.data(), v.data(), rows);
            S head = top[j] / largest;
            head += std::copysign(std::sqrt(head * head + square), head);
            const S weight = -2 / (head * head + square);
            S* s = sum.data();
            for (index_t c = j; c < n; ++c) s[c] = head * top[c];
            index_t i = 0;
            for (; i + 4 <= rows; i += 4) {
                const S *x0 = part.view().row(i), *x1 = x0 + n, *x2 = x1 + n, *x3 = x2 + n, *u = &v[static_cast<std::size_t>(i)];
                for (index_t c = j; c < n; ++c) s[c] += (u[0] * x0[c] + u[1] * x1[c]) + (u[2] * x2[c] + u[3] * x3[c]);
            }
            for (; i < rows; ++i) axpy(v[static_cast<std::size_t>(i)], part.view().row(i) + j, s + j, n - j);
            for (index_t c = j; c < n; ++c) s[c] *= weight;
            axpy(head, s + j, top + j, n - j);
            for (i = 0; i < rows; ++i) axpy(v[static_cast<std::size_t>(i)], s + j, part.view().row(i) + j, n - j);
        }
    }
    matrix<S> l(n, n);
    for (index_t j = 0; j < n; ++j)
        for (index_t i = j; i < n; ++i) l(i, j) = upper(j, j) < 0 ? -upper(j, i) : upper(j, i);
    return l;
}

}  // namespace detail

/// The lower triangular L, n x n, with a nonnegative diagonal and L L^T = W W^T: the square root of a Gramian from any
/// other square root W: n x k.  Householder reflections of the rows, so nothing is squared unless many rows' independence
/// bears it: a row of L is as accurate, relative to its length, as that row of W. Rank may be anything, k may be below n.  O(n^2 k).
template <real S>
matrix<S> lower_factor(matrix<S> w) {
    const index_t n = w.rows(), k = w.cols();
    if (k > 2 * n) return detail::lower_factor_by_panels<S>(w.view());
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

/// The same of a view, a transpose perhaps.
template <class T>
matrix<std::remove_const_t<T>> lower_factor(strided_view<T> w) {
    using S = std::remove_const_t<T>;
    if (w.cols > 2 * w.rows) return detail::lower_factor_by_panels<S>(w);
    matrix<S> copy(w.rows, w.cols);
    for (index_t i = 0; i < w.rows; ++i)
        for (index_t j = 0; j < w.cols; ++j) copy(i, j) = w(i, j);
    return lower_factor(std::move(copy));
}

}  // namespace hrm
