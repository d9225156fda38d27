#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/matvec.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/linalg/simd.hpp>

namespace hrm::detail {

/// Row i of ut and vt, r x n: the vectors of the upper bidiagonal matrix B with diagonal d and superdiagonal e beside it, to
/// sigma_i. False where they do not come out to rounding. Inverse iteration on the Golub-Kahan matrix [0 B^T; B 0], which in the
/// order v_1 u_1 v_2 u_2 .. is tridiagonal with a zero diagonal and d_1 e_1 d_2 .. beside it; a register of shifts at a time. u
/// and v are kept orthogonal to the earlier ones apart from each other, to those of earlier groups by products.  O(n r^2).
inline bool bidiagonal_vectors(const std::vector<double>& d, const std::vector<double>& e, const std::vector<double>& sigma, matrix<double>& ut,
                               matrix<double>& vt) {
    using pack = simd::pack<double>;
    constexpr index_t W = simd::lanes<double>;
    const double eps = std::numeric_limits<double>::epsilon(), enough = 32 * eps * sigma[0];
    const index_t n = ut.cols(), size = 2 * n, r = ut.rows();
    const auto beside = [&](index_t i) { return i % 2 == 0 ? d[static_cast<std::size_t>(i / 2)] : e[static_cast<std::size_t>(i / 2)]; };
    // T - sigma = P L U, shift by shift: U has two superdiagonals. A factor above one says that rows changed places.
    const index_t groups = (r + W - 1) / W;
    matrix<double> inverse(groups * size, W), above(groups * size, W), second(groups * size, W), factor(groups * size, W), swapped(groups * size, W), x(size, W);
    const auto get = [](const matrix<double>& from, index_t row) {
        pack value;
        simd::load<double>(value, from.view().row(row));
        return value;
    };
    constexpr index_t together = 32;     // vectors of a group
    constexpr double little = 1.0 / 16;  // of a squared length: that much of it left, a projection leaves rounding
    matrix<double> projections(together, r);
    std::vector<double> again(static_cast<std::size_t>(r));
    const auto put = [](matrix<double>& to, index_t row, const pack& value) { simd::store<double>(to.view().row(row), value); };
    const pack zero = {}, one = zero + 1.0, least = zero + eps * sigma[0];
    for (index_t g = 0; g < groups; ++g) {
        pack shift = {};
        for (index_t l = 0; l < W; ++l) shift[l] = sigma[static_cast<std::size_t>(std::min(g * W + l, r - 1))];
        pack diagonal = -shift, over = zero + beside(0);
        for (index_t i = 0; i < size; ++i) {
            const index_t at = g * size + i;
            const bool end = i + 1 == size;
            const pack low = zero + (end ? 0.0 : beside(i)), next = zero + (i + 2 < size ? beside(i + 1) : 0.0);
            const pack magnitude = diagonal < zero ? -diagonal : diagonal, below = low < zero ? -low : low;
            const auto swap = below > magnitude;
            const pack kept = magnitude < least ? least : diagonal, pivot = swap ? low : kept, over_pivot = one / pivot;
            const pack f = (swap ? diagonal : low) * over_pivot, first = swap ? -shift : over;
            put(inverse, at, over_pivot);
            put(factor, at, f);
            put(swapped, at, swap ? one : zero);
            put(above, at, first);
            put(second, at, swap ? next : zero);
            diagonal = (swap ? over : -shift) - f * first;
            over = swap ? -f * next : next;
        }
    }
    for (int pass = 0; pass < 4; ++pass) {
        for (index_t g = 0; g < groups; ++g) {
            const index_t live = std::min(W, r - g * W);
            if (pass == 0)
                for (index_t i = 0; i < size * W; ++i) {  // Weyl's sequence, as good as random here
                    const double place = static_cast<double>(g * size * W + i + 1) * 0.6180339887498949;
                    x.data()[i] = place - std::floor(place) - 0.5;
                }
            else {
                for (index_t i = 0; i < n; ++i)
                    for (index_t l = 0; l < live; ++l) {
                        x(2 * i, l) = vt(g * W + l, i);
                        x(2 * i + 1, l) = ut(g * W + l, i);
                    }
                for (index_t i = 0; i + 1 < size; ++i) {
                    const pack a = get(x, i), b = get(x, i + 1);
                    const auto swap = get(swapped, g * size + i) > zero;
                    const pack first = swap ? b : a;
                    put(x, i, first);
                    put(x, i + 1, (swap ? a : b) - get(factor, g * size + i) * first);
                }
            }
            pack later = {}, latest = {}, largest = {};
            for (index_t i = size - 1; i >= 0; --i) {
                const index_t at = g * size + i;
                const pack value = (get(x, i) - get(above, at) * later - get(second, at) * latest) * get(inverse, at);
                put(x, i, value);
                const pack magnitude = value < zero ? -value : value;
                largest = magnitude > largest ? magnitude : largest;
                latest = later;
                later = value;
            }
            const pack scale = one / largest;
            for (index_t i = 0; i < n; ++i) {
                const pack from_v = get(x, 2 * i) * scale, from_u = get(x, 2 * i + 1) * scale;
                for (index_t l = 0; l < live; ++l) {
                    vt(g * W + l, i) = from_v[l];
                    ut(g * W + l, i) = from_u[l];
                }
            }
        }
        bool settled = pass > 0;  // B v - sigma u and B^T u - sigma v are rounding, and no vector is rounding alone
        for (index_t first = 0; first < r; first += together) {
            const index_t end = std::min(r, first + together);
            double squares[2][together];  // as the iteration gave them
            for (auto* rows : {&ut, &vt}) {
                for (index_t index = first; index < end; ++index) squares[rows == &vt][index - first] = dot(rows->view().row(index), rows->view().row(index), n);
                const auto earlier = rows->view().slice_rows(0, first), own = rows->view().slice_rows(first, end - first);
                const auto along = projections.view().slice_rows(0, end - first).slice_cols(0, first);
                multiply(own, transposed(earlier), along);
                multiply(along, earlier, own, into::add, -1.0);
            }
            for (index_t index = first; index < end; ++index) {
                double *own_u = ut.view().row(index), *own_v = vt.view().row(index);
                for (auto [rows, own] : {std::pair{&ut, own_u}, std::pair{&vt, own_v}}) {
                    const auto earlier = rows->view().slice_rows(first, index - first);
                    double along[together] = {};
                    times_vector(earlier, own, along);
                    for (double& f : along) f = -f;
                    add_transposed_times(earlier, along, own);
                    double square = dot(own, own, n);
                    if (square < little * squares[rows == &vt][index - first]) {  // what is left is as little orthogonal: once more
                        const auto all = rows->view().slice_rows(0, index);
                        times_vector(all, own, again.data());
                        for (double& f : again) f = -f;
                        add_transposed_times(all, again.data(), own);
                        const double left = dot(own, own, n);
                        settled = settled && left >= little * square;
                        square = left;
                    }
                    const double norm = std::sqrt(square);
                    for (index_t i = 0; i < n; ++i) own[i] /= norm;
                }
                const double value = sigma[static_cast<std::size_t>(index)];
                for (index_t i = 0; settled && i < n; ++i) {
                    const auto k = static_cast<std::size_t>(i);
                    const double bv = d[k] * own_v[i] + (i + 1 < n ? e[k] * own_v[i + 1] : 0);
                    const double bu = d[k] * own_u[i] + (i > 0 ? e[k - 1] * own_u[i - 1] : 0);
                    settled = settled && std::abs(bv - value * own_u[i]) <= enough && std::abs(bu - value * own_v[i]) <= enough;
                }
            }
        }
        if (settled) return true;
    }
    return false;
}

}  // namespace hrm::detail
