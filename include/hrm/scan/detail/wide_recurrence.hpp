#pragma once

#include <hrm/scan/detail/recurrence.hpp>

// The recurrence with its state in double, whatever S: inputs are widened, states rounded once where they are stored and
// never fed back. A float state loses a rounding a step, and where the input repeats (a mean, a pole a third of a turn
// from 1) the same one every time: 3e-4 over 65536 steps. Here no error grows.

namespace hrm::scan::detail {

/// g++ takes four instructions to widen eight floats for one that AVX-512 has.
template <int W, real S>
inline void load_wide(simd::pack<double, W>& to, const S* from) {
#if defined(__AVX512F__) && defined(__FMA__)
    if constexpr (W == 8 && std::same_as<S, float>) {
        const __m512d wide = _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(from));
        std::memcpy(&to, &wide, sizeof(to));
        return;
    }
#endif
    simd::pack<S, W> x;
    load(x, from);
    if constexpr (W == 1) to = static_cast<double>(x);
    else to = __builtin_convertvector(x, simd::pack<double, W>);
}
template <int W, real S>
inline void store_narrow(S* to, const simd::pack<double, W>& from) {
    if constexpr (W == 1) *to = static_cast<S>(from);
    else {
        const auto x = __builtin_convertvector(from, simd::pack<S, W>);
        store(to, x);
    }
}

/// s = a s + z for P x W real poles.
template <int P, int W, real S>
inline void wide_real(const S* a, track<const S> z, track<S> s, index_t time, double* state) {
    simd::pack<double, W> pole[P], x[P], in;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) load_wide<W>(pole[p], a + p * W), load(x[p], state + p * W);
    for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
            load_wide<W>(in, z.row(t) + p * W);
            x[p] = pole[p] * x[p] + in;
        }
        if (s.first)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store_narrow<W>(s.row(t) + p * W, x[p]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) store(state + p * W, x[p]);
}

/// The same for conjugate pairs, whose planes are `far` columns apart.
template <int P, int W, real S>
inline void wide_pair(const S* c, const S* d, side which, index_t far, track<const S> z, track<S> s, index_t time, double* state) {
    simd::pack<double, W> re[P], im[P], x[P], y[P], zx, zy;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
        load_wide<W>(re[p], c + p * W), load_wide<W>(im[p], d + p * W);
        load(x[p], state + p * W), load(y[p], state + far + p * W);
        if (which == side::adjoint) im[p] = -im[p];
    }
    for (index_t t = 0; t < time; ++t) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
            load_wide<W>(zx, z.row(t) + p * W), load_wide<W>(zy, z.row(t) + far + p * W);
            zx += re[p] * x[p] - im[p] * y[p];
            y[p] = zy + im[p] * x[p] + re[p] * y[p];
            x[p] = zx;
        }
        if (s.first)
#pragma GCC unroll 4
            for (int p = 0; p < P; ++p) store_narrow<W>(s.row(t) + p * W, x[p]), store_narrow<W>(s.row(t) + far + p * W, y[p]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) store(state + p * W, x[p]), store(state + far + p * W, y[p]);
}

/// s_t = A s_{t-1} + z_t for all modes; s may be null.   O(time * n).
template <real S>
void recur_wide(const modes<S>& a, side which, track<const S> z, track<S> s, index_t time, double* state) {
    auto at = [](auto rows, index_t column) {
        return decltype(rows){rows.first ? rows.first + column : nullptr, rows.step};
    };
    sweep<double>(0, a.reals(), [&]<int P, int W>(index_t i) {
        wide_real<P, W>(a.real.data() + i, at(z, i), at(s, i), time, state + i);
    });
    sweep<double>(0, a.pairs(), [&]<int P, int W>(index_t i) {
        const index_t column = a.reals() + i;
        wide_pair<P, W>(a.re.data() + i, a.im.data() + i, which, a.pairs(), at(z, column), at(s, column), time, state + column);
    });
}

}  // namespace hrm::scan::detail
