#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/product.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/detail/exact_sum.hpp>

namespace hrm {

/// The empirical controllability Gramian  W = (1/T) sum_t s_t s_t^H  of the states an adapter really visits: one pass,
/// fixed memory, any number of workers.
///     state_covariance w(n);
///     for (each sequence) w.add(states);        // L x n, starting from state 0
///     w.merge(other_worker);   auto wc = w.gramian();
/// add() forms its own sum of s s^H in double, in an order set by L alone; from there on sums are exact. So the same calls of
/// add, in any order, on any number of workers, merged in any order, give the same bits.
/// For white input of unit variance W tends to the exact Gramian; for coloured input to the input-weighted one of Enns
/// 1984, and a bound computed from it is not certified. Magnitudes s_i s_j below 2^-160 count as zero.
/// Memory 80 n (n + 1) / 2 bytes, twice as much of complex states: T is double or complex; add: O(L n^2).
template <class T>
class state_covariance_of {
public:
    explicit state_covariance_of(index_t states)
        : n_(states), sums_(static_cast<std::size_t>(parts * states * (states + 1) / 2)) {}

    index_t states() const { return n_; }
    /// Rows seen, T.
    index_t count() const { return count_; }

    /// states: L x n.  Throws numerical_error on a value that is not finite or a sum beyond 2^127; then nothing is added.
    template <real_or_complex S>
        requires std::same_as<in_precision<double, S>, T>
    void add(matrix_view<const S> states) {
        require_shape("hrm::state_covariance", "states", states.rows, states.cols, states.rows, n_);
        // [Re s, Im s]: one product of real matrices holds the sums of all four products of parts.
        matrix<double> wide(states.rows, parts * n_), product(parts * n_, parts * n_);
        for (index_t t = 0; t < states.rows; ++t)
            for (index_t i = 0; i < n_; ++i) {
                wide(t, i) = static_cast<double>(std::real(states(t, i)));
                if constexpr (complex_scalar<T>) wide(t, n_ + i) = states(t, i).imag();
            }
        multiply(transposed(wide.view()), wide.view(), product.view());
        const auto each = [&](auto f) {
            std::size_t k = 0;
            for (index_t i = 0; i < n_; ++i)
                for (index_t j = 0; j <= i; ++j) {
                    if constexpr (real<T>) f(k++, product(i, j));
                    else {
                        f(k++, product(i, j) + product(n_ + i, n_ + j));
                        f(k++, product(n_ + i, j) - product(i, n_ + j));
                    }
                }
        };
        each([](std::size_t, double x) {
            if (!(std::abs(x) < 0x1p127)) throw numerical_error("hrm::state_covariance: states are not finite");
        });
        each([this](std::size_t k, double x) { sums_[k].add(x); });
        count_ += states.rows;
        due(1);
    }
    template <real_or_complex S>
    void add(matrix_view<S> states) {
        add(matrix_view<const S>(states));
    }

    /// Takes in what another worker saw.
    void merge(const state_covariance_of& other) {
        require_size("hrm::state_covariance", "states", other.n_, n_);
        for (std::size_t k = 0; k < sums_.size(); ++k) sums_[k].merge(other.sums_[k]);
        count_ += other.count_;
        due(other.pending_ + 1);
    }

    /// All of it as numbers for another process, the same whatever the order it came about in.
    std::vector<std::int64_t> words() const {
        std::vector<std::int64_t> all{n_, count_};
        for (const auto& s : sums_) {
            const auto w = s.words();
            all.insert(all.end(), w.begin(), w.end());
        }
        return all;
    }
    /// Takes in what words() of another process gave.  Throws shape_error, and takes nothing, if they are of other extents.
    void merge(std::span<const std::int64_t> words) {
        constexpr std::size_t limbs = detail::exact_sum::limbs;
        if (words.size() != 2 + limbs * sums_.size() || words[0] != n_ || words[1] < 0)
            throw shape_error("hrm::state_covariance: " + std::to_string(words.size()) + " words that are no covariance of " +
                              std::to_string(n_) + " states");
        state_covariance_of other(n_);
        other.count_ = words[1];
        for (std::size_t k = 0; k < sums_.size(); ++k)
            other.sums_[k] = detail::exact_sum::from_words(words.subspan(2 + limbs * k).first<limbs>());
        merge(other);
    }

    /// W: n x n, zero when nothing was seen.
    matrix<T> gramian() const {
        matrix<T> w(n_, n_);
        std::size_t k = 0;
        const auto mean = [&] {
            const double sum = sums_[k++].value();
            return count_ ? sum / static_cast<double>(count_) : 0;
        };
        for (index_t i = 0; i < n_; ++i)
            for (index_t j = 0; j <= i; ++j) {
                if constexpr (real<T>) w(i, j) = mean();
                else w(i, j).real(mean()), w(i, j).imag(mean());
                w(j, i) = detail::conjugate(w(i, j));
            }
        return w;
    }

private:
    // A limb holds 2^31 digits of 32 bits; carry long before.
    void due(index_t additions) {
        pending_ += additions;
        if (pending_ < (index_t{1} << 28)) return;
        for (auto& s : sums_) s.carry();
        pending_ = 1;
    }
    static constexpr index_t parts = real<T> ? 1 : 2;  // of a number, row by row of the lower triangle
    index_t n_, count_ = 0, pending_ = 0;
    std::vector<detail::exact_sum> sums_;
};
using state_covariance = state_covariance_of<double>;

}  // namespace hrm
