#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include <hrm/core/error.hpp>

namespace hrm::detail {

/// The differential quotient-difference algorithm with shifts on one unreduced block: q and e are the squares of a
/// bidiagonal matrix's diagonal and superdiagonal. A sweep takes the squares of B to those of a B' with
///     B'^T B' = B B^T - tau:      d = q_1 - tau,   q'_k = d + e_k,   e'_k = e_k q_{k+1} / q'_k,   d <- d q_{k+1} / q'_k - tau
/// one division an entry, no root; some d < 0 says that tau was too large.  Fernando & Parlett 1994; Parlett & Marques 2000.
class quotient_difference {
public:
    /// The values of q, e (one shorter) squared, in no order.  q, e: at most about 1.
    quotient_difference(std::vector<double> q, std::vector<double> e) : q_(std::move(q)), e_(std::move(e)), q2_(q_.size()), e2_(e_.size()) {
        values_.reserve(q_.size());
        if (!q_.empty()) blocks_.push_back({0, q_.size() - 1, 0});
        while (!blocks_.empty()) {
            const auto b = blocks_.back();
            blocks_.pop_back();
            solve(b);
        }
    }
    const std::vector<double>& values() const { return values_; }

private:
    struct block {
        std::size_t first, last;
        double shift;  // the squares are those of q, e and this
    };
    struct outcome {  // of a sweep: the last d and the one before, the least of all, of all but the last, of all but two
        double end, next_end, least, above, higher;
        void drop() { *this = {next_end, -1, next_end < 0 ? -1 : above, higher, -1}; }
    };
    static constexpr double eps = std::numeric_limits<double>::epsilon();
    static constexpr double negligible = eps * eps / 256;  // e: eps/16 in the superdiagonal

    outcome sweep(const block& b, double tau) {
        const double* __restrict q = q_.data();
        const double* __restrict e = e_.data();
        double* __restrict q2 = q2_.data();
        double* __restrict e2 = e2_.data();
        double d = q[b.first] - tau, higher = d;
        const auto step = [&](std::size_t k) {
            q2[k] = d + e[k];
            const double ratio = q[k + 1] / q2[k];
            e2[k] = e[k] * ratio;
            d = d * ratio - tau;
        };
        for (std::size_t k = b.first; k + 1 < b.last; ++k) {
            higher = d < higher ? d : higher;
            step(k);
        }
        const double next_end = d, above = std::min(higher, d);
        step(b.last - 1);
        q2[b.last] = d;
        return {d, next_end, d < above || !(d == d) ? d : above, above, higher};
    }
    void solve(block b) {
        outcome before{-1, -1, -1, -1, -1};
        // Values that agree in all but 9 digits are told apart once shifts have taken these 9 off, at worst a quarter of what is left by two sweeps.
        const std::size_t limit = 300 + 40 * (b.last - b.first + 1);
        for (std::size_t sweeps = 0;;) {
            // Off the end what has settled: a single value, or two.
            const double mass = b.shift + q_[b.last];
            if (b.first == b.last) {
                values_.push_back(mass);
                return;
            }
            if (e_[b.last - 1] <= std::max(negligible, eps * eps * mass)) {
                values_.push_back(mass);
                --b.last;
                before.drop();
                continue;
            }
            if (b.last - b.first == 1 || e_[b.last - 2] <= std::max(negligible, eps * eps * mass)) {
                const double x = q_[b.last - 1], y = q_[b.last], z = e_[b.last - 1];
                const double half = (x - y + z) / 2, large = (x + y + z) / 2 + std::sqrt(half * half + y * z);
                values_.push_back(b.shift + large);
                values_.push_back(b.shift + (large > 0 ? y * (x / large) : 0));
                if (b.last - b.first == 1) return;
                b.last -= 2;
                before.least = -1;
                continue;
            }
            for (std::size_t k = b.last - 1; k-- > b.first;)
                if (e_[k] <= negligible) {
                    blocks_.push_back({b.first, k, b.shift});
                    std::copy(q_.begin() + at(b.first), q_.begin() + at(k) + 1, q2_.begin() + at(b.first));
                    std::copy(e_.begin() + at(b.first), e_.begin() + at(k), e2_.begin() + at(b.first));
                    b.first = k + 1;
                    before.least = -1;
                    break;
                }
            if (q_[b.last] > 2 * q_[b.first] && before.least < 0) {  // small ones settle at the end
                std::reverse(q_.begin() + at(b.first), q_.begin() + at(b.last) + 1);
                std::reverse(e_.begin() + at(b.first), e_.begin() + at(b.last));
            }
            double tau = before.least < 0 ? 0 : shift(b, before);
            for (int tries = 0;; ++tries) {
                if (++sweeps > limit) throw numerical_error("hrm::bidiagonal_svd: the singular values did not converge");  // NaN, above all
                const auto now = sweep(b, tau);
                if (now.least >= 0 || (tau == 0 && now.least == now.least)) {
                    before = now;
                    break;
                }
                // Negative only at the very end, d is about as much too far as tau was.
                const double less = now.above > 0 && tau + now.end > 0 ? (tau + now.end) * (1 - 4 * eps) : tau / 4;
                tau = tries < 3 ? less : 0;
                share_ = 0;
            }
            std::swap(q_, q2_);
            std::swap(e_, e2_);
            b.shift += tau;
        }
    }
    /// At most the least eigenvalue of what is left, nearly always. Where the last d is the least, the vector that it belongs
    /// to falls off from the end by e_k / q_k a step: with a the sum of its other squares, its Rayleigh quotient is
    /// r = d / (1 + a), its residual r sqrt(a), and the least eigenvalue at least r - residual^2 / (distance to the next).
    double shift(const block& b, const outcome& before) {
        if (before.end > before.least) {
            share_ += (1 - share_) / 3;
            return share_ * before.least;
        }
        share_ = 0;
        double a = 0, term = 1;
        for (std::size_t k = b.last; k-- > b.first && a < 0.6;) {
            term *= e_[k] / q_[k];
            a += term;
            if (term < 1e-2 * a) break;
        }
        a *= 1.01;
        if (!(a < 0.6)) return before.end / 3;
        const double r = before.end / (1 + a), residual = r * std::sqrt(a), gap = 0.75 * before.above - r;
        return std::max(r - residual, gap > residual ? r - residual * residual / gap : 0);
    }
    static std::ptrdiff_t at(std::size_t k) { return static_cast<std::ptrdiff_t>(k); }

    std::vector<double> q_, e_, q2_, e2_, values_;
    std::vector<block> blocks_;
    double share_ = 0;
};

/// The singular values, descending, of the upper bidiagonal matrix with diagonal d and superdiagonal e (one shorter), to
/// eps of the largest.  O(n^2).
inline std::vector<double> bidiagonal_values(std::vector<double> d, std::vector<double> e) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    double norm = 0;
    for (double x : d) norm = std::max(norm, std::abs(x));
    for (double x : e) norm = std::max(norm, std::abs(x));
    if (norm > 0) {
        // Squares in units of the norm. A vanishing diagonal entry becomes a rounding error of it, so that none divides by 0.
        for (double& x : d) x = std::max(std::abs(x) / norm, eps / 16), x *= x;
        for (double& x : e) x /= norm, x *= x;
        d = quotient_difference(std::move(d), std::move(e)).values();
        for (double& x : d) x = norm * std::sqrt(x);
    }
    std::sort(d.begin(), d.end(), std::greater<>());
    return d;
}

}  // namespace hrm::detail
