#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/linalg/detail/lane_order.hpp>

namespace hrm::detail {

/// A random test matrix Omega = [sparse | probes], width x (columns + probes), that costs a small part of a dense one.
///     sparse   about 8 entries +-1 a row, in random columns: Tropp, Yurtsever, Udell & Cevher 2019, section 3.3
///     probes   independent standard normal numbers, dense
/// Each input has a random sign, so that no vector that anyone would think of is orthogonal to all columns. Inputs come in
/// chunks of 256, the last of 2 to 257. In a whole chunk two neighbours become their sum and their difference, and 4 entries of
/// each of these are 8 an input: 5 additions for 8, and rows of neighbours are orthogonal. (Of four neighbours by 2 entries, 4
/// additions, all would meet in 8 columns: where they carry most of a moment its leading values were ten times less exact.)
/// In a chunk every column has the same number of ones as of minus ones, from pairs that are dealt from random permutations,
/// never one twice to a column, so that loops have one length and no input is left out (from 2 columns on).
/// columns >= width: the identity instead, which loses nothing.
class sparse_map {
public:
    static constexpr index_t chunk = 256, entries = 8;

    sparse_map(index_t width, index_t columns, index_t probes, std::uint64_t seed)
        : width_(width), columns_(std::min(columns, width)), identity_(columns >= width), sign_(static_cast<std::size_t>(width), 1.0f),
          probe_(probes, width) {
        random_stream random(seed);
        for (index_t i = 0; i < width; ++i)
            for (index_t j = 0; j < probes; ++j) probe_(j, i) = static_cast<float>(random.normal());
        if (identity_) return;
        for (auto& s : sign_) s = random.bits() & 1 ? 1.0f : -1.0f;
        for (index_t first = 0, size; first < width; first += size) {
            size = rows_from(first);
            const index_t group = size == chunk ? 2 : 1, groups = size / group;
            const index_t ones = std::clamp<index_t>((entries * groups + columns_) / (2 * columns_), 1, groups / 2);
            parts_.push_back({first, size, group, ones, static_cast<index_t>(row_.size())});
            std::vector<index_t> deck(static_cast<std::size_t>(groups)), member(deck.size());
            for (index_t g = 0; g < groups; ++g) {
                deck[static_cast<std::size_t>(g)] = g;
                member[static_cast<std::size_t>(g)] = random.below(group);
            }
            for (index_t dealt = 0; dealt < 2 * ones * columns_; ++dealt) {
                const index_t i = dealt % groups;
                const auto column = row_.end() - dealt % (2 * ones);  // what it has so far
                auto& card = deck[static_cast<std::size_t>(i)];
                do std::swap(card, deck[static_cast<std::size_t>(i + random.below(groups - i))]);
                while (std::find_if(column, row_.end(), [&](auto row) { return row / group == card; }) != row_.end());
                row_.push_back(static_cast<std::uint16_t>(card * group + member[static_cast<std::size_t>(card)]++ % group));
            }
        }
        for (auto& i : row_) i = static_cast<std::uint16_t>(i * simd::register_bytes);
    }
    index_t width() const { return width_; }
    index_t columns() const { return columns_; }
    index_t probes() const { return probe_.rows(); }

    /// A number that another Omega hardly has (FNV-1a).
    std::int64_t fingerprint() const {
        std::uint64_t h = 0xcbf29ce484222325u;
        const auto add = [&](std::uint64_t x) { h = (h ^ x) * 0x100000001b3u; };
        for (const index_t i : row_) add(static_cast<std::uint64_t>(i / simd::register_bytes));
        for (const float s : sign_) add(s < 0);
        for (const float x : probe_.flat()) add(std::bit_cast<std::uint32_t>(x));
        return static_cast<std::int64_t>(h);
    }

    /// Omega written out, width x (columns + probes).
    matrix<double> dense() const {
        matrix<double> omega(width_, columns_ + probes());
        for (index_t i = 0; i < width_; ++i) {
            for (index_t j = 0; j < probes(); ++j) omega(i, columns_ + j) = static_cast<double>(probe_(j, i));
            if (identity_) omega(i, i) = 1;
        }
        for (const auto& p : parts_)
            for (index_t j = 0, at = p.begin; j < columns_; ++j)
                for (index_t k = 0; k < 2 * p.ones; ++k, ++at) {
                    const index_t i = row_[static_cast<std::size_t>(at)] / simd::register_bytes, from = i / p.group * p.group;
                    for (index_t r = from; r < from + p.group; ++r)  // a difference has a minus where both are odd
                        omega(p.first + r, j) += (k < p.ones) == !(p.group == 2 && r % 2 == 1 && i % 2 == 1) ? 1 : -1;
                }
        for (index_t i = 0; i < width_; ++i)
            for (double& x : omega.view().row_span(i)) x *= static_cast<double>(sign_[static_cast<std::size_t>(i)]);
        return omega;
    }

    /// z = u Omega, and sum u_ti^2.   u: L x width;  z: L x (columns + probes).   O(L width (entries + probes)).
    /// A register of tokens at a time: their inputs are turned so that each input is one register.
    template <real S>
    double apply(matrix_view<const S> u, matrix_view<S> z, workspace& ws) const {
        constexpr index_t W = simd::lanes<S>;
        scratch_scope scope(ws);
        const auto x = ws.take<S>((chunk + 1) * W), sums = ws.take<S>((z.cols + W) * W), tail = ws.take<S>(W * width_);
        double squares = 0;
        for (index_t t = 0; t < u.rows; t += W) {
            auto rows = u.slice_rows(t, std::min(W, u.rows - t));
            if (rows.rows < W) {  // the last tokens, and zeros
                std::fill(tail.begin(), tail.end(), S{0});
                for (index_t r = 0; r < rows.rows; ++r) std::copy_n(rows.row(r), width_, tail.data() + r * width_);
                rows = {tail.data(), W, width_};
            }
            std::fill(sums.begin(), sums.end(), S{0});
            S* const probed = sums.data() + columns_ * W;
            for (index_t first = 0, n = 0, size; first < width_; first += size, ++n) {
                size = rows_from(first);
                const auto here = rows.slice_cols(first, size);
                if (identity_) {
                    squares += turn_inputs<false>(here, first, x.data(), probed);
                    std::copy_n(x.data(), size * W, sums.data() + first * W);
                    continue;
                }
                const auto& p = parts_[static_cast<std::size_t>(n)];
                squares += p.group == 2 ? turn_inputs<true>(here, first, x.data(), probed) : turn_inputs<false>(here, first, x.data(), probed);
                gather<S>(p, x.data(), sums.data());
            }
            const index_t live = std::min(W, u.rows - t);
            for (index_t j = 0; j < z.cols; j += W) {
                simd::pack<S> a[W];
#pragma GCC unroll 16
                for (index_t i = 0; i < W; ++i) simd::load<S>(a[i], sums.data() + (j + i) * W);
                simd::turn<S>(a);
                if (j + W > z.cols || live < W) {
                    for (index_t r = 0; r < live; ++r) std::memcpy(z.row(t + r) + j, &a[r], static_cast<std::size_t>(std::min(W, z.cols - j)) * sizeof(S));
                    continue;
                }
#pragma GCC unroll 16
                for (index_t r = 0; r < W; ++r) simd::store<S>(z.row(t + r) + j, a[r]);
            }
        }
        return squares;
    }

private:
    struct part {
        index_t first, size, group, ones, begin;
    };
    /// Rows in the chunk that begins at `first`; one alone could only be a one and a minus one at once.
    index_t rows_from(index_t first) const { return width_ - first <= chunk + 1 ? width_ - first : chunk; }

    /// x_i <- sign_i u_.i, a register an input, or of two inputs the sum and the difference; what each probe makes of them is
    /// added to its register. Returns the sum of squares.
    template <bool pairs, real S>
    double turn_inputs(matrix_view<const S> u, index_t first, S* x, S* probed) const {
        constexpr index_t W = simd::lanes<S>;
        const float* const sign = sign_.data() + first;
        simd::pack<S> squares[2] = {};
        double rest = 0;
        index_t i = 0;
        for (; i + W <= u.cols; i += W) {
            simd::pack<S> a[W], s;
            simd::load<S>(s, sign + i);
#pragma GCC unroll 16
            for (index_t r = 0; r < W; ++r) {
                simd::load<S>(a[r], u.row(r) + i);
                __builtin_prefetch(u.row(r) + i + chunk, 0, 2);
                squares[r % 2] += a[r] * a[r];
                a[r] *= s;
            }
            simd::turn<S>(a);
            for (index_t q = 0; q < probes(); ++q) {
                const float* const g = probe_.view().row(q) + first + i;
                simd::pack<S> sum, part[2] = {};
#pragma GCC unroll 16
                for (index_t r = 0; r < W; ++r) part[r % 2] += static_cast<S>(g[r]) * a[r];
                simd::load<S>(sum, probed + q * W);
                simd::store<S>(probed + q * W, sum + (part[0] + part[1]));
            }
#pragma GCC unroll 8
            for (index_t r = 0; r < W; r += 2) {
                simd::store<S>(x + (i + r) * W, pairs ? a[r] + a[r + 1] : a[r]);
                simd::store<S>(x + (i + r + 1) * W, pairs ? a[r] - a[r + 1] : a[r + 1]);
            }
        }
        for (; i < u.cols; ++i) {
            const S s = static_cast<S>(sign[i]);
            for (index_t r = 0; r < W; ++r) {
                x[i * W + r] = s * u(r, i);
                rest += static_cast<double>(u(r, i)) * static_cast<double>(u(r, i));
            }
            for (index_t q = 0; q < probes(); ++q)
                for (index_t r = 0; r < W; ++r) probed[q * W + r] += static_cast<S>(probe_(q, first + i)) * x[i * W + r];
        }
        for (index_t r = 0; r < W; ++r) rest += static_cast<double>(squares[0][r]) + static_cast<double>(squares[1][r]);
        return rest;
    }
    template <real S>
    void gather(const part& p, const S* x, S* sums) const {
        constexpr index_t W = simd::lanes<S>;
        const std::uint16_t* row = row_.data() + p.begin;
        const auto* const bytes = reinterpret_cast<const char*>(x);
        for (index_t j = 0; j < columns_; ++j, row += 2 * p.ones) {
            simd::pack<S> plus = {}, minus = {}, sum, v, w;
#pragma GCC unroll 4
            for (index_t k = 0; k < p.ones; ++k) {
                std::memcpy(&v, bytes + row[k], sizeof(v));
                std::memcpy(&w, bytes + row[p.ones + k], sizeof(w));
                plus += v;
                minus += w;
            }
            simd::load<S>(sum, sums + j * W);
            simd::store<S>(sums + j * W, sum + (plus - minus));
        }
    }

    index_t width_, columns_;
    bool identity_;
    buffer<float> sign_;
    matrix<float> probe_;  // probes x width
    std::vector<part> parts_;
    std::vector<std::uint16_t> row_;  // of a chunk: for each column its ones, then its minus ones, as bytes from the first register
};

}  // namespace hrm::detail
