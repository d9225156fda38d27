#pragma once

#include <cmath>
#include <numbers>

#include <hrm/core/scalar.hpp>
#include <hrm/linalg/simd.hpp>

// Small transforms on registers: element k is one register of real parts and one of imaginary parts, every lane a
// transform of its own, so that nothing is ever shuffled.

namespace hrm::fourier::detail {

/// cos and sin of 2 pi k / n, rounded once from long double.
template <real S>
struct root {
    S cosine, sine;
    root(index_t k, index_t n) {
        const long double angle =
            2 * std::numbers::pi_v<long double> * static_cast<long double>(k % n) / static_cast<long double>(n);
        cosine = static_cast<S>(std::cos(angle));
        sine = static_cast<S>(std::sin(angle));
    }
};

/// (r, i) times e^{-2 pi i K / 16}.
template <int K, real S>
inline void rotate(simd::pack<S>& r, simd::pack<S>& i) {
    using V = simd::pack<S>;
    constexpr S half = S(0.70710678118654752440), c1 = S(0.92387953251128675613), s1 = S(0.38268343236508977173);
    const V x = r, y = i;
    if constexpr (K == 1) r = x * c1 + y * s1, i = y * c1 - x * s1;
    if constexpr (K == 2) r = half * (x + y), i = half * (y - x);
    if constexpr (K == 3) r = x * s1 + y * c1, i = y * s1 - x * c1;
    if constexpr (K == 4) r = y, i = -x;
    if constexpr (K == 6) r = half * (y - x), i = -half * (x + y);
    if constexpr (K == 9) r = -(x * c1 + y * s1), i = x * s1 - y * c1;
    static_assert((K >= 0 && K <= 4) || K == 6 || K == 9);
}

/// b_k = sum_j a_j e^{-2 pi i jk / R} in place, lane by lane.
template <int R, real S>
inline void butterfly(simd::pack<S> (&re)[R], simd::pack<S> (&im)[R]) {
    using V = simd::pack<S>;
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
    } else if constexpr (R == 5) {
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
    } else if constexpr (R == 8) {
        V er[4] = {re[0], re[2], re[4], re[6]}, ei[4] = {im[0], im[2], im[4], im[6]};
        V odd_r[4] = {re[1], re[3], re[5], re[7]}, odd_i[4] = {im[1], im[3], im[5], im[7]};
        butterfly<4, S>(er, ei), butterfly<4, S>(odd_r, odd_i);
        rotate<2, S>(odd_r[1], odd_i[1]), rotate<4, S>(odd_r[2], odd_i[2]), rotate<6, S>(odd_r[3], odd_i[3]);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            re[k] = er[k] + odd_r[k], im[k] = ei[k] + odd_i[k];
            re[k + 4] = er[k] - odd_r[k], im[k + 4] = ei[k] - odd_i[k];
        }
    } else if constexpr (R == 16) {  // 4 x 4
        V r[4][4], i[4][4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
            for (int l = 0; l < 4; ++l) r[j][l] = re[j + 4 * l], i[j][l] = im[j + 4 * l];
            butterfly<4, S>(r[j], i[j]);
        }
        rotate<1, S>(r[1][1], i[1][1]), rotate<2, S>(r[1][2], i[1][2]), rotate<3, S>(r[1][3], i[1][3]);
        rotate<2, S>(r[2][1], i[2][1]), rotate<4, S>(r[2][2], i[2][2]), rotate<6, S>(r[2][3], i[2][3]);
        rotate<3, S>(r[3][1], i[3][1]), rotate<6, S>(r[3][2], i[3][2]), rotate<9, S>(r[3][3], i[3][3]);
#pragma GCC unroll 4
        for (int l = 0; l < 4; ++l) {
            V x[4] = {r[0][l], r[1][l], r[2][l], r[3][l]}, y[4] = {i[0][l], i[1][l], i[2][l], i[3][l]};
            butterfly<4, S>(x, y);
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) re[l + 4 * k] = x[k], im[l + 4 * k] = y[k];
        }
    } else {
        static_assert(R == 1);
    }
}

}  // namespace hrm::fourier::detail
