#pragma once

#include <algorithm>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/fourier/plan.hpp>
#include <hrm/scan/detail/lanes.hpp>

namespace hrm::scan {

/// A causal convolution token by token, without delay:
///     y_t = sum_{j < K} h_j u_{t-j}       h: K x columns, kept from the constructor
///     hrm::scan::convolution_stream<float> stream(h);
///     stream.push(u, y);                  // u, y: rows x columns, any number of rows; the same bits however they are cut
/// Taps below 64 directly; taps [B, 2 B), B = 64, 128, ..., when a block of B inputs is complete: their outputs start
/// with the very next token, so nothing waits and nothing is computed twice. O(64 + log^2 K) a token and column,
/// amortised over the largest block: the token that completes one pays for its transforms, O(K log K), and they cannot wait.
///     64 columns, float, a core of Zen 4     K = 1024    8192    65536
///     a token on average, us                      1.6     2.8      4.3
///     the worst, ms                              0.23     3.3       36
/// Who has a deadline for every token takes a shorter kernel.
/// Memory: up to 11 K numbers a column. Columns are channels of one sequence, or of several side by side. A history is pushed first.
/// Fischer and Stockmeyer 1974; Gardner, J. Audio Eng. Soc. 43 (1995) 127-136, with the largest blocks soonest.
template <real S, class Policy = cpu>
class convolution_stream;

template <real S>
class convolution_stream<S, cpu> {
public:
    explicit convolution_stream(matrix_view<const S> h)
        : taps_(h.rows), columns_(h.cols), padded_((h.cols + W - 1) / W * W), near_(std::min(taps_, direct), padded_) {
        if (h.empty())
            throw shape_error("hrm::scan::convolution_stream: the kernel is " + extents(h.rows, h.cols) + ", expected at least 1x1");
        for (index_t j = 0; j < near_.rows(); ++j) std::copy_n(h.row(j), columns_, near_.view().row(j));
        index_t ring = direct;
        for (index_t block = direct; block < taps_; block *= 2) {
            levels_.push_back({block, fourier::plan<S>(2 * block), {}});
            ring = block;
        }
        past_ = matrix<S>(ring, padded_), pending_ = matrix<S>(2 * ring, padded_);
        x_.resize(static_cast<std::size_t>(2 * ring * W)), f_.resize(static_cast<std::size_t>((2 * ring + 2) * W));
        for (auto& l : levels_) {
            l.spectra = matrix<S>(padded_ / W, l.transform.spectrum_size());
            for (index_t c = 0; c < padded_; c += W) {
                std::fill_n(x_.data(), 2 * l.block * W, S{0});
                for (index_t j = 0; j < std::min(l.block, taps_ - l.block); ++j)
                    std::copy_n(h.row(l.block + j) + c, std::min<index_t>(W, columns_ - c), x_.data() + j * W);
                l.transform.forward(x_.data(), l.spectra.view().row(c / W));
            }
        }
    }

    index_t taps() const { return taps_; }
    index_t columns() const { return columns_; }
    /// Tokens since the start.
    index_t position() const { return position_; }
    /// Forgets every input.
    void reset() {
        position_ = 0;
        std::fill_n(past_.data(), past_.size(), S{0});
        std::fill_n(pending_.data(), pending_.size(), S{0});
    }

    /// The same view is allowed.
    void push(matrix_view<const S> u, matrix_view<S> y) {
        constexpr auto where = "hrm::scan::convolution_stream::push";
        require_shape(where, "u", u.rows, u.cols, u.rows, columns_);
        require_shape(where, "y", y.rows, y.cols, u.rows, columns_);
        for (index_t t = 0; t < u.rows; ++t) {
            std::copy_n(u.row(t), columns_, past_.view().row(position_ % past_.rows()));
            S* out = pending_.view().row(position_ % pending_.rows());
            for (index_t c = 0; c < padded_; c += W) near(c, out + c);
            std::copy_n(out, columns_, y.row(t));
            std::fill_n(out, padded_, S{0});
            ++position_;
            for (const auto& l : levels_) {
                if (position_ % l.block) break;
                ahead(l);
            }
        }
    }

private:
    static constexpr int W = simd::lanes<S>;
    static constexpr index_t direct = 64;
    struct level {
        index_t block;
        fourier::plan<S> transform;
        matrix<S> spectra;  ///< of taps [block, 2 block), a row a register of columns
    };

    /// out += the taps below `direct`, four sums side by side.
    void near(index_t c, S* out) const {
        using V = simd::pack<S>;
        V sum[4] = {};
        simd::load<S>(sum[0], out);
        auto add = [&](V& to, index_t j) {
            V h, x;
            simd::load<S>(h, near_.data() + j * padded_ + c);
            simd::load<S>(x, past_.data() + ((position_ - j) & (past_.rows() - 1)) * padded_ + c);
            to += h * x;
        };
        index_t j = 0;
        for (; j + 4 <= near_.rows(); j += 4)
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) add(sum[k], j + k);
        for (; j < near_.rows(); ++j) add(sum[0], j);
        simd::store<S>(out, (sum[0] + sum[1]) + (sum[2] + sum[3]));
    }

    /// The block just completed, through its taps, to the outputs from here on.
    void ahead(const level& l) {
        using V = simd::pack<S>;
        for (index_t c = 0; c < padded_; c += W) {
            const S* from = past_.data() + (position_ - l.block) % past_.rows() * padded_ + c;
            for (index_t t = 0; t < l.block; ++t) std::copy_n(from + t * padded_, W, x_.data() + t * W);
            std::fill_n(x_.data() + l.block * W, l.block * W, S{0});
            l.transform.forward(x_.data(), f_.data());
            const S* h = l.spectra.view().row(c / W);
            for (index_t k = 0; k < l.transform.spectrum_size(); k += 2 * W)
                (detail::bin<S>::at(f_.data() + k) * detail::bin<S>::at(h + k)).put(f_.data() + k);
            l.transform.inverse(f_.data(), x_.data());
            index_t to = position_ % pending_.rows();
            for (index_t t = 0; t < 2 * l.block; ++t, to = to + 1 == pending_.rows() ? 0 : to + 1) {
                V sum, more;
                S* out = pending_.data() + to * padded_ + c;
                simd::load<S>(sum, out), simd::load<S>(more, x_.data() + t * W);
                sum += more;
                simd::store<S>(out, sum);
            }
        }
    }

    index_t taps_, columns_, padded_, position_ = 0;
    matrix<S> near_;  ///< taps below `direct`
    std::vector<level> levels_;
    matrix<S> past_, pending_;  ///< rings of 2^i rows: the last inputs, and what is known of the next outputs
    buffer<S> x_, f_;
};

}  // namespace hrm::scan
