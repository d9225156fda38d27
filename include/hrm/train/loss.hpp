#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>
#include <hrm/linalg/elementary.hpp>

namespace hrm {

/// A sum of nats over so many predicted tokens. Scores add; means of means never appear.
struct score {
    double nats = 0;
    index_t tokens = 0;
    score& operator+=(const score& s) {
        nats += s.nats;
        tokens += s.tokens;
        return *this;
    }
    /// Bits a token: bits per byte where a token is a byte.
    double bits() const { return tokens ? nats / (std::numbers::ln2 * static_cast<double>(tokens)) : 0; }
};

/// How many of the targets are predicted: those that are not negative.
inline index_t valid_targets(std::span<const std::int32_t> targets) {
    return std::count_if(targets.begin(), targets.end(), [](std::int32_t t) { return t >= 0; });
}

namespace detail {

/// sum_j e^(x_j - top) in double; the exponentials themselves into e if it is not null (e may be x).
template <real S>
double exponential_sum(const S* x, S top, S* e, index_t n) {
    constexpr index_t lanes = 16;
    double sum[lanes] = {};
    S some[lanes];
    for (index_t i = 0; i < n; i += lanes) {
        const index_t count = std::min(lanes, n - i);
        if (count == lanes)
            for (index_t j = 0; j < lanes; ++j) some[j] = exponential(x[i + j] - top);
        else
            for (index_t j = 0; j < count; ++j) some[j] = exponential(x[i + j] - top);
        if (e) std::copy_n(some, count, e + i);
        for (index_t j = 0; j < count; ++j) sum[j] += static_cast<double>(some[j]);
    }
    for (index_t w = lanes / 2; w > 0; w /= 2)
        for (index_t j = 0; j < w; ++j) sum[j] += sum[j + w];
    return sum[0];
}

}  // namespace detail

/// Sum over the rows of -log softmax(logits_t)[target_t], in nats; rows with a negative target count nothing.
///     loss_t = log sum_j e^(x_j - top) + top - x_target,   top = max_j x_j        (no overflow, whatever the logits)
///     dlogits_t = scale * (softmax(x_t) - onehot(target_t)),   0 where the target is negative
/// logits: L x V;  targets: L;  dlogits: L x V, empty if no gradient is wanted, or the logits themselves.
/// 2 L V exponentials at most, sums in double, allocates nothing. Throws error on a target >= V.
/// For a batch, divide the summed gradient by the batch's number of valid targets, once.
template <real S>
double cross_entropy(matrix_view<const S> logits, std::span<const std::int32_t> targets, matrix_view<S> dlogits = {},
                     double scale = 1) {
    require_size("hrm::cross_entropy", "number of targets", static_cast<index_t>(targets.size()), logits.rows);
    if (!dlogits.empty())
        require_shape("hrm::cross_entropy", "dlogits", dlogits.rows, dlogits.cols, logits.rows, logits.cols);
    const index_t n = logits.cols;
    double nats = 0;
    for (index_t t = 0; t < logits.rows; ++t) {
        const index_t target = targets[static_cast<std::size_t>(t)];
        S* d = dlogits.empty() ? nullptr : dlogits.row(t);
        if (target >= n)
            throw error("hrm::cross_entropy: target " + std::to_string(target) + " in row " + std::to_string(t) +
                        ", expected below " + std::to_string(n));
        if (target < 0) {
            if (d) std::fill_n(d, n, S{0});
            continue;
        }
        const S* x = logits.row(t);
        const S top = maximum(x, n);
        const double chosen = static_cast<double>(x[target]);
        const double sum = detail::exponential_sum(x, top, d, n);
        nats += std::log(sum) + static_cast<double>(top) - chosen;
        if (!d) continue;
        const S weight = static_cast<S>(scale / sum);
        for (index_t j = 0; j < n; ++j) d[j] *= weight;
        d[target] -= static_cast<S>(scale);
    }
    return nats;
}

}  // namespace hrm
