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

/// M (k x n) packed, its rows two by two. Contiguous columns are pairs already, and turned by squares of registers;
/// contiguous rows are joined.
inline packed<bf16_pair> pack_pairs(strided_view<const bf16> m, workspace& ws) {
    constexpr index_t L = simd::lanes<bf16_pair>;
    const index_t rows = operands<bf16_pair>(m.rows);
    const packed<bf16_pair> to{ws.take<bf16_pair>(rows * padded<bf16_pair>(m.cols)).data(), rows, m.cols};
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
/// to (rows two by two, as s lies) = the pairs that rows of s make, rounded.
inline void join_rounded(matrix_view<const float> s, bf16_pair* to) {
    constexpr int W = simd::lanes<bf16_pair>;
    for (index_t t = 0; t < s.rows; t += 2, to += s.cols) {
        const float* const first = s.row(t);
        const float* const second = t + 1 < s.rows ? first + s.stride : nullptr;
        index_t j = 0;
        for (; second && j + W <= s.cols; j += W) {
            simd::pack<float> x[2];
            simd::pack<bf16_pair> low, high;
            simd::load<float>(x[0], first + j), simd::load<float>(x[1], second + j);
            simd::round_to_bf16<W>(low, x[0]), simd::round_to_bf16<W>(high, x[1]);
            simd::store<bf16_pair>(to + j, low | high << 16);
        }
        for (; j < s.cols; ++j) {
            const bf16 two[2] = {bf16(first[j]), second ? bf16(second[j]) : bf16()};
            to[j] = operand<bf16_pair>(two);
        }
    }
}

/// across() of bf16: of a piece of X, rows are joined two by two, and these pairs read for all columns of S.
inline void across_pairs(matrix_view<const bf16> x, matrix_view<const float> s, start how, matrix_view<float> sum, workspace& ws) {
    scratch_scope scope(ws);
    constexpr index_t most = 3 * simd::lanes<bf16_pair>;
    constexpr bf16 zeros[most] = {};
    alignas(64) bf16_pair piece[span / 2 * most];
    bf16_pair* const pairs = ws.take<bf16_pair>(span / 2 * s.cols).data();
    const index_t part = part_in_cache<float>(s.cols);
    for (index_t c = 0; c < x.cols; c += part)
        for (index_t t = 0; t < x.rows; t += span) {
            const index_t rows = std::min(span, x.rows - t), cols = std::min(part, x.cols - c);
            join_rounded(s.slice_rows(t, rows), pairs);
            for_columns<bf16_pair>(cols, [&]<int P, int W>(index_t at) {
                constexpr index_t wide = P * W;
                const index_t j = c + at, ahead = at + wide < cols ? wide : span * x.stride - at;
                const bf16* from = x.row(t) + j;
                bf16_pair* to = piece;
                for (index_t i = 0; i < rows; i += 2, from += 2 * x.stride) {
                    const bf16* const second = i + 1 < rows ? from + x.stride : zeros;
                    for (index_t q = 0; q < wide; q += W, to += W) {
                        simd::pack<bf16_pair, W> both;
                        __builtin_prefetch(from + q + ahead, 0, 2), __builtin_prefetch(from + x.stride + q + ahead, 0, 2);
                        simd::join<W>(both, from + q, second + q);
                        simd::store<bf16_pair, W>(to, both);
                    }
                }
                with_start(t > 0 || how == start::on_top, [&]<start first>() {
                    for_rows<tall<3>>(s.cols, [&]<int R>(index_t i) {
                        tile<bf16_pair, first, R, P, W>(operands<bf16_pair>(rows), pairs + i, 1, s.cols, static_cast<const bf16_pair*>(piece), wide,
                                                        sum.row(i) + j, sum.stride);
                    });
                });
            });
        }
}

}  // namespace hrm::detail::skinny
