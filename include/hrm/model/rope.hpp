#pragma once

#include <cmath>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>

namespace hrm {

/// Cosines and sines of the rotations of rows first .. first + L - 1: angle(p, i) = p theta^(-2i / head_width).
template <real S>
struct rope_table {
    matrix_view<S> cosine, sine;  ///< L x head_width / 2

    rope_table() = default;
    /// Lives in ws. The angles are formed in double: in float, position 10^5 would be off by 10^-2.
    rope_table(index_t first, index_t rows, index_t head_width, double theta, workspace& ws)
        : cosine(ws.take_matrix<S>(rows, head_width / 2)), sine(ws.take_matrix<S>(rows, head_width / 2)) {
        for (index_t i = 0; i < head_width / 2; ++i) {
            const double rate = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_width));
            for (index_t t = 0; t < rows; ++t) {
                const double angle = static_cast<double>(first + t) * rate;
                cosine(t, i) = static_cast<S>(std::cos(angle));
                sine(t, i) = static_cast<S>(std::sin(angle));
            }
        }
    }
};

/// Forward turns by the angle, backward (the transpose) by its negative.
enum class turn { forward, backward };

/// Rotates, in place, the pair (i, i + head_width / 2) of every head by its row's angle ("rotate half").
/// x: L x (heads head_width).  Su et al., "RoFormer", 2021.
template <real S>
void rotate(matrix_view<S> x, const rope_table<S>& table, turn direction = turn::forward) {
    const index_t half = table.cosine.cols;
    require_size("hrm::rotate", "rows of the table", table.cosine.rows, x.rows);
    if (half < 1 || x.cols % (2 * half) != 0)
        throw shape_error("hrm::rotate: " + std::to_string(x.cols) + " columns, expected heads of width " + std::to_string(2 * half));
    const S sign = direction == turn::forward ? S{1} : S{-1};
    for (index_t t = 0; t < x.rows; ++t) {
        const S *c = table.cosine.row(t), *s = table.sine.row(t);
        for (index_t h = 0; h < x.cols; h += 2 * half) {
            S* low = x.row(t) + h;
            S* high = low + half;
            for (index_t i = 0; i < half; ++i) {
                const S a = low[i], b = high[i], sine = sign * s[i];
                low[i] = a * c[i] - b * sine;
                high[i] = b * c[i] + a * sine;
            }
        }
    }
}

}  // namespace hrm
