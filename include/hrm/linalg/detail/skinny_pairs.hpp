#pragma once

#include <hrm/linalg/detail/skinny_panels.hpp>

// The products of skinny.hpp where the processor multiplies bf16 by twos (simd::pairs) and everything is stored in bf16:
//     sum += a_2k b_2k + a_2k+1 b_2k+1      summed in float, at twice the rate of float's own products
// What is computed between the products, the states, is rounded to bf16 as it enters one. The last pair of an odd length ends
// in a zero.

namespace hrm::detail::skinny {

using simd::bf16_pair;

/// Whether these products stand for those of S. `terms` of Y += k S V: its sums stay in registers until they are rounded.
template <real S, storable T, storable P>
inline constexpr bool by_pairs = simd::pairs && std::same_as<S, float> && std::same_as<T, bf16> && std::same_as<P, bf16>;
constexpr bool pairs_hold(index_t terms) { return terms <= per<bf16_pair> * depth; }

/// Rows of pairs, for by_rows.
inline matrix_view<const bf16_pair> as_pairs(matrix_view<const bf16> x, workspace& ws) {
    const matrix_view<bf16_pair> to{ws.take<bf16_pair>(x.rows * operands<bf16_pair>(x.cols)).data(), x.rows, operands<bf16_pair>(x.cols)};
    for (index_t t = 0; t < x.rows; ++t) to_operands(x.row(t), x.cols, to.row(t));
    return to;
}
inline matrix_view<const bf16_pair> as_pairs(matrix_view<const float> x, float k, workspace& ws) {
    const matrix_view<bf16_pair> to{ws.take<bf16_pair>(x.rows * operands<bf16_pair>(x.cols)).data(), x.rows, operands<bf16_pair>(x.cols)};
    for (index_t t = 0; t < x.rows; ++t) scaled(x.row(t), x.cols, k, to.row(t));
    return to;
}

/// M (k x n) packed, its rows two by two. Contiguous columns are pairs already, and turned by squares of registers;
/// contiguous rows are joined.
inline packed<bf16_pair> pack_pairs(strided_view<const bf16> m, workspace& ws) {
    constexpr index_t L = simd::lanes<bf16_pair>;
    const auto to = room<bf16_pair>(operands<bf16_pair>(m.rows), m.cols, ws);
    for_groups<bf16_pair>(m.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        bf16_pair* const group = to.data + at * to.rows;
        const index_t live = std::min(wide, m.cols - at);
        index_t k = 0;
        if (wide % L == 0 && m.row_stride == 1 && live == wide)
            for (; 2 * (k + L) <= m.rows; k += L)
                for (index_t j = 0; j < wide; j += L)
                    copy_turned<bf16_pair>(m.data + 2 * k + (at + j) * m.col_stride, m.col_stride, group + k * wide + j, wide);
        if (m.col_stride == 1 && live == wide)
            for (; 2 * (k + 1) <= m.rows; ++k)
                for (index_t j = 0; j < wide; j += W) {
                    simd::pack<bf16_pair, W> x;
                    const bf16* const from = m.data + 2 * k * m.row_stride + at + j;
                    simd::join<W>(x, from, from + m.row_stride);
                    simd::store<bf16_pair, W>(group + k * wide + j, x);
                }
        for (; k < to.rows; ++k) {
            bf16_pair* const row = group + k * wide;
            for (index_t j = 0; j < live; ++j) {
                const bf16* const from = m.data + 2 * k * m.row_stride + (at + j) * m.col_stride;
                const bf16 two[2] = {from[0], 2 * k + 1 < m.rows ? from[m.row_stride] : bf16()};
                row[j] = operand<bf16_pair>(two);
            }
            std::fill(row + live, row + wide, bf16_pair{0});
        }
    });
    return to;
}
/// The same for states, rounded; the first rows of `to` become s.
inline void fill_pairs(packed<bf16_pair> to, matrix_view<const float> s) {
    for_groups<bf16_pair>(s.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        const index_t live = std::min(wide, s.cols - at);
        for (index_t k = 0; 2 * k < s.rows; ++k) {
            bf16_pair* const row = to.data + at * to.rows + k * wide;
            const float* const first = s.row(2 * k) + at;
            const float* const second = 2 * k + 1 < s.rows ? first + s.stride : nullptr;
            if (live == wide && second) {
                for (index_t j = 0; j < wide; j += W) {
                    simd::pack<float, W> x[2];
                    simd::pack<bf16_pair, W> low, high;
                    simd::load<float, W>(x[0], first + j), simd::load<float, W>(x[1], second + j);
                    simd::round_to_bf16<W>(low, x[0]), simd::round_to_bf16<W>(high, x[1]);
                    simd::store<bf16_pair, W>(row + j, low | high << 16);
                }
                continue;
            }
            for (index_t j = 0; j < live; ++j) {
                const bf16 two[2] = {bf16(first[j]), second ? bf16(second[j]) : bf16()};
                row[j] = operand<bf16_pair>(two);
            }
            std::fill(row + live, row + wide, bf16_pair{0});
        }
    });
}

/// A panel of pairs along rows as one of pairs along columns.
inline constexpr index_t joined_apart = per<bf16_pair> * depth + 16;
inline void join_rows(const bf16_pair* panel, index_t rows, index_t cols, bf16_pair* to) {
    constexpr int W = simd::lanes<bf16_pair>;
    const bf16 zeros[W] = {};
    for (index_t t = 0; t < rows; t += 2, to += joined_apart) {
        const auto* const first = reinterpret_cast<const bf16*>(panel + t * apart);
        const bool both = t + 1 < rows;
        for (index_t j = 0; j < cols; j += W) {  // what lies behind the columns is room of the panel
            simd::pack<bf16_pair> x;
            simd::join<W>(x, first + j, both ? first + 2 * apart + j : zeros);
            simd::store<bf16_pair>(to + j, x);
        }
    }
}

/// across_by_panels() of bf16: X^T S by pairs of rows, X W by pairs of columns.
template <real S, storable T, class F>
void across_by_panels(matrix_view<const bf16> x, matrix_view<const float> s, const packed<bf16_pair>* w, packed<float> sum, F&& f, workspace& ws) {
    scratch_scope scope(ws);
    const auto part = room<bf16_pair>(span / 2, s.cols, ws);
    bf16_pair* const joined = ws.take<bf16_pair>(span / 2 * joined_apart).data();
    const index_t stride = padded<float>(s.cols), count = groups<float>(s.cols);
    float* z = ws.take<float>(span * stride).data();
    const auto calls = [&](index_t rows, index_t cols) {
        return count * (tiles(cols) * stretches(operands<bf16_pair>(rows)) + (w ? tiles(rows) * stretches(operands<bf16_pair>(cols)) : 0));
    };
    by_panels<bf16_pair>(x, calls, [&](const bf16_pair* panel, index_t t, index_t rows, index_t j, index_t cols, auto& aside) {
        if (j == 0) fill_pairs(part, s.slice_rows(t, rows));
        if (w) down_panel(panel, rows, j / 2, operands<bf16_pair>(cols), *w, j ? start::on_top : start::afresh, z, stride, aside);
        join_rows(panel, rows, cols, joined);
        across_panel<joined_apart>(static_cast<const bf16_pair*>(joined), operands<bf16_pair>(rows), j, cols, part,
                                   t ? start::on_top : start::afresh, sum, aside);
        if (w && j + cols == x.cols) f(t, rows, z, stride);
    }, ws);
}

}  // namespace hrm::detail::skinny
