#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>
#include <hrm/core/workspace.hpp>
#include <hrm/linalg/simd.hpp>

namespace hrm::detail {

/// A random test matrix Omega = [sparse | probes], width x (columns + probes), that costs a small part of a dense one.
///     sparse   about 8 entries +-1 a row, in random columns: Tropp, Yurtsever, Udell & Cevher 2019, section 3.3
///     probes   independent standard normal numbers, dense
/// Rows come in chunks of 256, the last of 2 to 257. In a chunk every column has the same number of ones as of minus ones,
/// in rows that are dealt from random permutations, never one twice to a column, so that loops have one length and no row is
/// left out (from 2 columns on); and each row then has a random sign, so that no vector that anyone would think of is
/// orthogonal to all columns. columns >= width: the identity instead, which loses nothing.
class sparse_map {
public:
    static constexpr index_t chunk = 256, entries = 8, group = 4;

    sparse_map(index_t width, index_t columns, index_t probes, std::uint64_t seed)
        : width_(width), columns_(std::min(columns, width)), probes_(probes), identity_(columns >= width) {
        const auto rows = static_cast<std::size_t>(width);
        sign_.resize(rows, 1.0f);
        random_stream random(seed);
        probe_ = matrix<float>(width, (probes + group - 1) / group * group);
        for (index_t i = 0; i < width; ++i)
            for (index_t j = 0; j < probes; ++j) probe_(i, j) = static_cast<float>(random.normal());
        if (identity_) return;
        for (auto& s : sign_) s = random.bits() & 1 ? 1.0f : -1.0f;
        for (index_t first = 0, size; first < width; first += size) {
            size = rows_from(first);
            const index_t want = entries * size, ones = std::clamp<index_t>((want + columns_) / (2 * columns_), 1, size / 2);
            part p{first, size, ones, static_cast<index_t>(row_.size())};
            std::vector<std::uint16_t> deck(static_cast<std::size_t>(size));
            for (index_t i = 0; i < size; ++i) deck[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(i);
            for (index_t dealt = 0; dealt < 2 * ones * columns_; ++dealt) {
                const index_t i = dealt % size;
                const auto column = row_.end() - dealt % (2 * ones);  // what it has so far
                do std::swap(deck[static_cast<std::size_t>(i)], deck[static_cast<std::size_t>(i + random.below(size - i))]);
                while (std::find(column, row_.end(), deck[static_cast<std::size_t>(i)]) != row_.end());
                row_.push_back(deck[static_cast<std::size_t>(i)]);
            }
            parts_.push_back(p);
        }
        for (auto& i : row_) i = static_cast<std::uint16_t>(i * simd::register_bytes);
    }
    index_t width() const { return width_; }
    index_t columns() const { return columns_; }
    index_t probes() const { return probes_; }

    /// Omega written out, width x (columns + probes).
    matrix<double> dense() const {
        matrix<double> omega(width_, columns_ + probes_);
        for (index_t i = 0; i < width_; ++i) {
            const double sign = static_cast<double>(sign_[static_cast<std::size_t>(i)]);
            for (index_t j = 0; j < probes_; ++j) omega(i, columns_ + j) = sign * static_cast<double>(probe_(i, j));
            if (identity_) omega(i, i) = 1;
        }
        for (const auto& p : parts_)
            for (index_t j = 0, at = p.begin; j < columns_; ++j)
                for (index_t k = 0; k < 2 * p.ones; ++k, ++at) {
                    const index_t i = p.first + row_[static_cast<std::size_t>(at)] / simd::register_bytes;
                    omega(i, j) += (k < p.ones ? 1 : -1) * static_cast<double>(sign_[static_cast<std::size_t>(i)]);
                }
        return omega;
    }

    /// z = u Omega, and sum u_ti^2.   u: L x width;  z: L x (columns + probes).   O(L width (entries + probes)).
    /// A register of tokens at a time: their inputs are turned so that each input is one register.
    template <real S>
    double apply(matrix_view<const S> u, matrix_view<S> z, workspace& ws) const {
        constexpr index_t W = simd::lanes<S>;
        scratch_scope scope(ws);
        const auto x = ws.take<S>((chunk + 1) * W);
        const index_t cols = columns_ + probe_.cols();
        const auto sums = ws.take<S>(cols * W), tail = ws.take<S>(W * width_), signs = ws.take<S>(width_);
        const auto given = ws.take<S>(width_ * probe_.cols());
        for (std::size_t i = 0; i < signs.size(); ++i) signs[i] = static_cast<S>(sign_[i]);
        for (std::size_t i = 0; i < given.size(); ++i) given[i] = static_cast<S>(probe_.flat()[i]);
        double squares = 0;
        for (index_t t = 0; t < u.rows; t += W) {
            auto rows = u.slice_rows(t, std::min(W, u.rows - t));
            if (rows.rows < W) {  // the last tokens, and zeros
                std::fill(tail.begin(), tail.end(), S{0});
                for (index_t r = 0; r < rows.rows; ++r) std::copy_n(rows.row(r), width_, tail.data() + r * width_);
                rows = {tail.data(), W, width_};
            }
            std::fill(sums.begin(), sums.end(), S{0});
            for (index_t first = 0, size; first < width_; first += size) {
                size = rows_from(first);
                squares += turn_inputs<S>(rows.slice_cols(first, size), signs.data() + first, x.data());
                if (identity_) std::copy_n(x.data(), size * W, sums.data() + first * W);
                else gather<S>(parts_[static_cast<std::size_t>(first / chunk)], x.data(), sums.data());
                for (index_t g = 0; g < probe_.cols(); g += group)
                    dense_sums<S>(given.data() + first * probe_.cols() + g, size, x.data(), sums.data() + (columns_ + g) * W);
            }
            for (index_t r = 0; r < std::min(W, u.rows - t); ++r)
                for (index_t j = 0; j < z.cols; ++j) z(t + r, j) = sums[static_cast<std::size_t>(j * W + r)];
        }
        return squares;
    }

private:
    struct part {
        index_t first, size, ones, begin;
    };
    /// Rows in the chunk that begins at `first`; one alone could only be a one and a minus one at once.
    index_t rows_from(index_t first) const { return width_ - first <= chunk + 1 ? width_ - first : chunk; }

    /// x_i <- sign_i u_.i, a register an input; returns the sum of squares.
    template <real S>
    static double turn_inputs(matrix_view<const S> u, const S* sign, S* x) {
        constexpr index_t W = simd::lanes<S>;
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
#pragma GCC unroll 16
            for (index_t r = 0; r < W; ++r) simd::store<S>(x + (i + r) * W, a[r]);
        }
        for (; i < u.cols; ++i)
            for (index_t r = 0; r < W; ++r) {
                x[i * W + r] = sign[i] * u(r, i);
                rest += static_cast<double>(u(r, i)) * static_cast<double>(u(r, i));
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
    /// sums_g += sum_i g_i x_i for a group of probes: rows by turns, so that twice as many sums hide their latency.
    template <real S>
    void dense_sums(const S* g, index_t size, const S* x, S* sums) const {
        constexpr index_t W = simd::lanes<S>;
        simd::pack<S> even[group], odd[group] = {}, v, w;
        for (index_t q = 0; q < group; ++q) simd::load<S>(even[q], sums + q * W);
        const index_t stride = probe_.cols();
        index_t i = 0;
        for (; i + 2 <= size; i += 2, g += 2 * stride) {
            simd::load<S>(v, x + i * W);
            simd::load<S>(w, x + (i + 1) * W);
            for (index_t q = 0; q < group; ++q) {
                even[q] += g[q] * v;
                odd[q] += g[stride + q] * w;
            }
        }
        if (i < size) {
            simd::load<S>(v, x + i * W);
            for (index_t q = 0; q < group; ++q) even[q] += g[q] * v;
        }
        for (index_t q = 0; q < group; ++q) simd::store<S>(sums + q * W, even[q] + odd[q]);
    }

    index_t width_, columns_, probes_;
    bool identity_;
    buffer<float> sign_;
    matrix<float> probe_;  // width x probes, filled up to whole groups with zeros
    std::vector<part> parts_;
    std::vector<std::uint16_t> row_;  // of a chunk: for each column its ones, then its minus ones, as bytes from the first register
};

}  // namespace hrm::detail
