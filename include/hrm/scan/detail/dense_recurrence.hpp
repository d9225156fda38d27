#pragma once

#include <algorithm>
#include <span>
#include <utility>

#include <hrm/core/matrix.hpp>
#include <hrm/scan/detail/wide_recurrence.hpp>

// The recurrence of a dense A, several sequences in lockstep: a step of all is one product A X, for which A is read once.
// Sums run in double and are rounded once to S: a sum of n rounded products would cost sqrt(n) roundings a step, which 65536
// steps with a pole at 1 - 1e-6 turn into more than 1e-5. Even and odd columns are summed apart, twice as many chains in
// flight, and in this order whatever runs beside: a sequence has the same bits alone, in a batch, and token by token.

namespace hrm::scan::detail {

/// A float A is kept in double up to so many states, 512 KiB, and beyond in float: half the bytes, widened as they are read.
/// One sequence reads all of A a token: of 256 states in 5 us either way by AVX-512, in 5 and 8 us by AVX2; of 1024 in 80 and
/// 120 us, against 320 when A lay in double by whole columns.
inline constexpr index_t kept_wide = 256;

/// A, or A^T for the adjoint, in the order of the recurrence: panels of P * W rows (as sweep cuts n), column by column.
template <real T, real S>
void fill_panels(matrix_view<const S> a, side which, T* to) {
    const index_t n = a.rows;
    sweep<double>(0, n, [&]<int P, int W>(index_t first) {
        for (index_t j = 0; j < n; ++j)
            for (index_t i = first; i < first + P * W; ++i) *to++ = static_cast<T>(which == side::plain ? a(i, j) : a(j, i));
    });
}

/// A sequence on its way.
template <real S>
struct dense_track {
    track<const S> z;
    track<S> s;  ///< or null
    index_t rows;
    double *x, *next;       ///< n each: the state before the first row, and room for another
    double* end = nullptr;  ///< where the last state goes, if anywhere
};

/// Row t of M sequences, P registers of states from i on:  next = A x + z.
template <int P, int W, int M, real T, real S>
inline void dense_rows(const T* panel, index_t width, index_t n, index_t i, index_t t, const dense_track<S>* all) {
    using V = simd::pack<double, W>;
    V even[P][M], odd[P][M];
    const double* x[M];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
        x[m] = all[m].x;
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) load_wide<W>(even[p][m], all[m].z.row(t) + i + p * W), odd[p][m] = V{};
    }
    const auto add = [&](V (&to)[P][M], const T* column, index_t j) {
        V a[P], factor;
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) load_wide<W>(a[p], column + p * W);
#pragma GCC unroll 4
        for (int m = 0; m < M; ++m) {
            simd::spread<double, W>(factor, x[m][j]);
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) simd::multiply_add<double, W>(to[p][m], a[p], factor);
        }
    };
    index_t j = 0;
    for (; j + 2 <= n; j += 2, panel += 2 * width) add(even, panel, j), add(odd, panel + width, j + 1);
    if (j < n) add(even, panel, j);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
            V sum = even[p][m] + odd[p][m];
            S rounded[W];
            store_narrow<W>(rounded, sum), load_wide<W>(sum, rounded);
            store(all[m].next + i + p * W, sum);
            if (all[m].s.first) std::memcpy(all[m].s.row(t) + i + p * W, rounded, sizeof(rounded));
        }
}

/// s_t = A s_{t-1} + z_t of several sequences, rows or fewer each; the order of `all` is not kept.   O(rows * n^2) each.
template <real T, real S>
void recur_panels(const T* panels, index_t n, std::span<dense_track<S>> all) {
    // As many sums as registers hold. Up to 64 states beginning and ending them takes longer than A is worth.
    constexpr int together = simd::registers == 32 ? 4 : 2;
    const std::size_t most = n > 64 ? together : 1;
    for (index_t t = 0;; ++t) {
        for (std::size_t m = 0; m < all.size();) {
            if (all[m].rows > t) {
                ++m;
                continue;
            }
            if (all[m].end) std::copy_n(all[m].x, n, all[m].end);
            std::swap(all[m], all.back()), all = all.first(all.size() - 1);
        }
        if (all.empty()) return;
        const T* panel = panels;
        sweep<double>(0, n, [&]<int P, int W>(index_t i) {
            std::size_t m = 0;
            for (; m + most <= all.size() && most > 1; m += most)
                for (int p = 0; p < P; p += 2) dense_rows<std::min(P, 2), W, together>(panel + p * W, P * W, n, i + p * W, t, all.data() + m);
            for (; m < all.size(); ++m) dense_rows<P, W, 1>(panel, P * W, n, i, t, all.data() + m);
            panel += P * W * n;
        });
        for (auto& one : all) std::swap(one.x, one.next);
    }
}

/// A made ready for its recurrence.
template <real S>
class dense_panels {
public:
    explicit dense_panels(index_t n) : n_(n), wide_(static_cast<std::size_t>(n <= kept_wide ? n * n : 0)), narrow_(static_cast<std::size_t>(n <= kept_wide ? 0 : n * n)) {}
    void fill(matrix_view<const S> a, side which) {
        if (n_ <= kept_wide) fill_panels(a, which, wide_.data());
        else fill_panels(a, which, narrow_.data());
    }
    void recur(std::span<dense_track<S>> all) const {
        if (n_ <= kept_wide) recur_panels(wide_.data(), n_, all);
        else recur_panels(narrow_.data(), n_, all);
    }

private:
    index_t n_;
    buffer<double> wide_;
    buffer<S> narrow_;
};

}  // namespace hrm::scan::detail
