#pragma once

#include <cmath>
#include <numbers>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/simd.hpp>

// Complex transforms of many sequences at once, one in each lane of a register, so that no butterfly ever shuffles.
// Element k of the data is two registers: real parts, then imaginary parts.

namespace hrm::fourier::detail {

/// b_k = sum_j a_j e^{-2 pi i jk / R} in place, lane by lane.
template <int R, class V, class S>
inline void butterfly(V (&re)[R], V (&im)[R]) {
    if constexpr (R == 2) {
        const V x = re[1], y = im[1];
        re[1] = re[0] - x, im[1] = im[0] - y;
        re[0] += x, im[0] += y;
    } else if constexpr (R == 3) {
        constexpr S half = S(0.5), sine = S(0.86602540378443864676);
        const V tr = re[1] + re[2], ti = im[1] + im[2];
        const V dr = (re[1] - re[2]) * sine, di = (im[1] - im[2]) * sine;
        const V mr = re[0] - half * tr, mi = im[0] - half * ti;
        re[0] += tr, im[0] += ti;
        re[1] = mr + di, im[1] = mi - dr;
        re[2] = mr - di, im[2] = mi + dr;
    } else if constexpr (R == 4) {
        const V ar = re[0] + re[2], ai = im[0] + im[2], br = re[0] - re[2], bi = im[0] - im[2];
        const V cr = re[1] + re[3], ci = im[1] + im[3], dr = re[1] - re[3], di = im[1] - im[3];
        re[0] = ar + cr, im[0] = ai + ci;
        re[1] = br + di, im[1] = bi - dr;
        re[2] = ar - cr, im[2] = ai - ci;
        re[3] = br - di, im[3] = bi + dr;
    } else {
        static_assert(R == 5);
        constexpr S c1 = S(0.30901699437494742410), c2 = S(-0.80901699437494742410);
        constexpr S s1 = S(0.95105651629515357212), s2 = S(0.58778525229247312917);
        const V ar = re[1] + re[4], ai = im[1] + im[4], br = re[2] + re[3], bi = im[2] + im[3];
        const V cr = re[1] - re[4], ci = im[1] - im[4], dr = re[2] - re[3], di = im[2] - im[3];
        const V mr = re[0] + c1 * ar + c2 * br, mi = im[0] + c1 * ai + c2 * bi;
        const V nr = re[0] + c2 * ar + c1 * br, ni = im[0] + c2 * ai + c1 * bi;
        const V pr = s1 * cr + s2 * dr, pi = s1 * ci + s2 * di;
        const V qr = s2 * cr - s1 * dr, qi = s2 * ci - s1 * di;
        re[0] += ar + br, im[0] += ai + bi;
        re[1] = mr + pi, im[1] = mi - pr;
        re[4] = mr - pi, im[4] = mi + pr;
        re[2] = nr + qi, im[2] = ni - qr;
        re[3] = nr - qi, im[3] = ni + qr;
    }
}

/// cos and sin of 2 pi k / n, rounded once from long double.
template <real S>
struct root {
    S cosine, sine;
    root(index_t k, index_t n) {
        const long double angle =
            2 * std::numbers::pi_v<long double> * static_cast<long double>(k) / static_cast<long double>(n);
        cosine = static_cast<S>(std::cos(angle));
        sine = static_cast<S>(std::sin(angle));
    }
};

/// One stage of Stockham's self-sorting transform. n = R m is what is left to transform, `stride` what is done:
///     y[q + s (R p + k)] = w_n^{pk} sum_j x[q + s (p + m j)] w_R^{jk},   p < m, q < s
/// twiddle: (cos, sin) of w_n^{pk} for p < m, 0 < k < R. re, im: which of an element's registers is the real part
/// (exchanged, the same code is the inverse transform).
template <int R, real S>
inline void stage(index_t m, index_t stride, const S* twiddle, const S* x, S* y, int re, int im) {
    using V = simd::pack<S>;
    constexpr int W = simd::lanes<S>;
    for (index_t p = 0; p < m; ++p, twiddle += 2 * (R - 1))
        for (index_t q = 0; q < stride; ++q) {
            V a[R], b[R];
            const S* from = x + (q + stride * p) * 2 * W;
            for (int j = 0; j < R; ++j) {
                simd::load<S>(a[j], from + j * stride * m * 2 * W + re * W);
                simd::load<S>(b[j], from + j * stride * m * 2 * W + im * W);
            }
            butterfly<R, V, S>(a, b);
            S* to = y + (q + stride * R * p) * 2 * W;
            simd::store<S>(to + re * W, a[0]);
            simd::store<S>(to + im * W, b[0]);
            for (int k = 1; k < R; ++k) {
                const S c = twiddle[2 * k - 2], s = twiddle[2 * k - 1];
                const V r = a[k] * c + b[k] * s, i = b[k] * c - a[k] * s;
                simd::store<S>(to + k * stride * 2 * W + re * W, r);
                simd::store<S>(to + k * stride * 2 * W + im * W, i);
            }
        }
}

}  // namespace hrm::fourier::detail
