#pragma once

#include <hrm/linalg/detail/skinny.hpp>

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

/// Pairs of M (k x n) when it is packed.
inline index_t packed_size(strided_view<const bf16> m) { return operands<bf16_pair>(m.rows) * padded<bf16_pair>(m.cols); }
/// M packed into `all`, its rows two by two. Contiguous columns are pairs already, and turned by squares of registers;
/// contiguous rows are joined.
inline packed<bf16_pair> pack_pairs(strided_view<const bf16> m, bf16_pair* all) {
    constexpr index_t L = simd::lanes<bf16_pair>;
    const index_t rows = operands<bf16_pair>(m.rows);
    for_groups<bf16_pair>(m.cols, [&]<int P, int W>(index_t at) {
        constexpr index_t wide = P * W;
        bf16_pair* const group = all + at * rows;
        const index_t live = std::min(wide, m.cols - at);
        index_t k = 0;
        if (wide % L == 0 && m.row_stride == 1 && live == wide)
            for (; 2 * (k + L) <= m.rows; k += L)
                for (index_t j = 0; j < wide; j += L)
                    copy_turned<bf16_pair, L>(m.data + 2 * k + (at + j) * m.col_stride, m.col_stride, group + k * wide + j, wide);
        if (m.col_stride == 1 && live == wide)
            for (; 2 * (k + 1) <= m.rows; ++k)
                for (index_t j = 0; j < wide; j += W) {
                    simd::pack<bf16_pair, W> x;
                    const bf16* const from = m.data + 2 * k * m.row_stride + at + j;
                    simd::join<W>(x, from, from + m.row_stride);
                    simd::store<bf16_pair, W>(group + k * wide + j, x);
                }
        for (; k < rows; ++k) {
            bf16_pair* const row = group + k * wide;
            for (index_t j = 0; j < live; ++j) {
                const bf16* const from = m.data + 2 * k * m.row_stride + (at + j) * m.col_stride;
                const bf16 two[2] = {from[0], 2 * k + 1 < m.rows ? from[m.row_stride] : bf16()};
                row[j] = operand<bf16_pair>(two);
            }
            std::fill(row + live, row + wide, bf16_pair{0});
        }
    });
    return {all, rows, m.cols};
}

/// M as it lies, for few rows, and M and M^T as they were packed beforehand, if they were.
struct paired_view : matrix_view<const bf16> {
    packed<bf16_pair> straight, turned;

    template <class M>
        requires std::convertible_to<const M&, matrix_view<const bf16>>
    paired_view(const M& m, packed<bf16_pair> straight_ = {}, packed<bf16_pair> turned_ = {})
        : matrix_view<const bf16>(m), straight(straight_), turned(turned_) {}
};

}  // namespace hrm::detail::skinny
