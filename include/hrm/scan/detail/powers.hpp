#pragma once

#include <concepts>
#include <limits>
#include <utility>

#include <hrm/core/matrix.hpp>
#include <hrm/scan/modes.hpp>

// Powers of poles. Multiplied out in long double, never by exp(k log a): sign and phase need no care, a negative pole has no
// logarithm problem, and the rounding of one power does not repeat coherently in every chunk that uses it.

namespace hrm::scan::detail {

/// f(t, re, im) of the powers t = 0..count-1 of mode i; a pair's modes count once, after the real ones.
template <real S, class F>
void each_power(const modes<S>& a, index_t i, index_t count, F&& f) {
    const bool pair = i >= a.reals();
    const auto j = static_cast<std::size_t>(pair ? i - a.reals() : i);
    const long double c = pair ? a.re[j] : a.real[j], d = pair ? a.im[j] : S{0};
    long double x = 1, y = 0;
    for (index_t t = 0; t < count; ++t) {
        f(t, x, y);
        const long double turned = c * x - d * y;
        y = d * x + c * y;
        x = turned;
    }
}

/// table(k, :) = A^(k + first) in the layout of the poles, [real q | re k | im k], k = 0..rows-1.
template <real S, real T>
void mode_powers(const modes<S>& a, index_t first, matrix_view<T> table) {
    const index_t q = a.reals(), k = a.pairs();
    for (index_t i = 0; i < q + k; ++i)
        each_power(a, i, first + table.rows, [&](index_t t, long double x, long double y) {
            if (t < first) return;
            table(t - first, i) = static_cast<T>(x);
            if (i >= q) table(t - first, i + k) = static_cast<T>(y);
        });
}

/// Coefficients nothing equals: what a plan remembers before its first call.
template <real S>
inline constexpr S nothing = std::numeric_limits<S>::quiet_NaN();

/// Whether `kept` already holds the coefficients of a; if not, it does now. Spares a plan its powers from call to call.
template <class A, real S>
bool remember(buffer<S>& kept, const A& a) {
    bool same = true;
    std::size_t at = 0;
    auto compare = [&](std::span<const S> part) {
        for (const S x : part) {
            same = same && kept[at] == x;
            kept[at++] = x;
        }
    };
    if constexpr (std::same_as<A, dense<S>>) {
        compare(a.a.flat());
    } else {
        const modes<S> m(a);
        compare(m.real), compare(m.re), compare(m.im);
    }
    return same;
}

}  // namespace hrm::scan::detail
