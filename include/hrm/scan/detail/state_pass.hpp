#pragma once

#include <algorithm>

#include <hrm/scan/detail/wide_recurrence.hpp>

// The states of poles, with what an adapter has around them in the same pass over the rows:
//     s_t = A s_{t-1} + k (.) x_t
// and, with e_t = C^T dout_t and lambda_t = g e_t + A^* lambda_{t+1},
//     e_t becomes k (.) lambda_t,   da += sum lambda_t s_{t-1}^*,   inner += sum e_t (.) s_t.
// Sums of `sum_rows` rows are formed in S, and those added in double.

namespace hrm::scan::detail {

/// k (.) x as the recurrences take it.
template <real S>
struct scaled_rows {
    track<const S> x;
    const S* k;
    template <class V>
    void operator()(V& z, index_t t, index_t column) const {
        V factor;
        load(z, x.row(t) + column), load(factor, k + column);
        z *= factor;
    }
};
// Functions of their own: for the few rows of a short call, the arguments in registers are half of the time.
template <int P, int W, real S>
[[gnu::noinline]] void scaled_reals(const S* a, const S* k, S* s, index_t step, index_t time, const S* before) {
    real_recurrence<P, W>(a, 0, scaled_rows<S>{{s, step}, k}, track<S>{s, step}, time, before, static_cast<S*>(nullptr));
}
template <int P, int W, real S>
[[gnu::noinline]] void scaled_pairs(const S* c, index_t far, const S* k, S* s, index_t step, index_t time, const S* before) {
    pair_recurrence<P, W>(c, c + far, side::plain, 0, 0, far, scaled_rows<S>{{s, step}, k}, track<S>{s, step}, time, before, static_cast<S*>(nullptr));
}
/// a: n, [real | re | im];  s: L x n, x in, states out;  before: n, the state before row 0.
template <real S>
void states_forward(const S* a, index_t reals, index_t pairs, const S* k, const matrix_view<S>& s, const S* before) {
    sweep<S>(0, reals, [&]<int P, int W>(index_t i) { scaled_reals<P, W>(a + i, k + i, s.data + i, s.stride, s.rows, before + i); });
    if (pairs > 0)
        sweep<S>(reals, pairs, [&]<int P, int W>(index_t i) { scaled_pairs<P, W>(a + i, pairs, k + i, s.data + i, s.stride, s.rows, before + i); });
}

/// What a backward reads and sums up over some rows. lambda / g is what is carried along:  l_t = e_t + A^* l_{t+1}.
template <real S>
struct states_backward {
    const S* a;                    ///< n, [real | re | im]
    index_t real, pair;            ///< how many poles
    const S* k;                    ///< n
    S g;
    matrix_view<const S> s;        ///< L x n
    const S* before;               ///< the state before row 0
    matrix_view<S> e;              ///< L x n
    double *da, *inner;            ///< n each
    S* l;                          ///< n: of the row behind the last one in, of row 0 out

    static constexpr index_t sum_rows = 64;  ///< that are summed in S

    void run() {
        sweep<S>(0, real, [&]<int P, int W>(index_t i) {
            // l waits for itself: two chains by turns take 0.7 of the time in AVX2, and 1.5 in AVX-512.
            constexpr int side_by_side = simd::registers == 16 && P > 1 ? 2 : 1;
            for (int p = 0; p < P; p += side_by_side) reals<side_by_side, W>(i + p * W);
        });
        if (pair > 0)
            sweep<S>(real, pair, [&]<int P, int W>(index_t i) {
                for (int p = 0; p < P; ++p) pairs<W>(i + p * W);
            });
    }

private:
    /// Where a pass stands, going up; of its own, because whatever it stores might be a member.
    struct rows {
        const S *earlier, *before;
        S* e;
        index_t s_step, e_step;
        rows(const states_backward& p, index_t i)
            : earlier(p.s.row(p.s.rows - 1) - p.s.stride + i), before(p.before + i), e(p.e.row(p.e.rows - 1) + i), s_step(p.s.stride), e_step(p.e.stride) {}
        void step() { earlier -= s_step, e -= e_step; }
    };

    template <int P, int W>
    [[gnu::noinline]] void reals(const index_t i) {
        using V = simd::pack<S, W>;
        [&]<std::size_t... Q>(std::index_sequence<Q...>) __attribute__((always_inline)) {
            const real_step<S, W> pole[P] = {real_step<S, W>(a + i + Q * W)...};
            V x[P], factor[P], now[P], gain;
            simd::spread<S, W>(gain, g);
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p)
                load(x[p], l + i + p * W), load(factor[p], k + i + p * W), load(now[p], s.row(s.rows - 1) + i + p * W), factor[p] *= gain;
            rows at(*this, i);
            for (index_t t = s.rows; t > 0;) {
                V sum_a[P] = {}, sum_e[P] = {};
                for (const index_t end = std::max<index_t>(0, t - sum_rows); t-- > end; at.step()) {
#pragma GCC unroll 2
                    for (int p = 0; p < P; ++p) {
                        V in, out;
                        load(in, at.e + p * W);
                        simd::hold<S, W>(in);  // read once: read again at each use, a row takes half as long again
                        simd::multiply_add<S, W>(sum_e[p], in, now[p]);
                        pole[p](x[p], in);
                        load(now[p], (t > 0 ? at.earlier : at.before) + p * W);
                        simd::hold<S, W>(now[p]);
                        simd::multiply_add<S, W>(sum_a[p], x[p], now[p]);
                        out = factor[p] * x[p];
                        store(at.e + p * W, out);
                    }
                }
                ++t;
#pragma GCC unroll 2
                for (int p = 0; p < P; ++p) sum_a[p] *= gain, add<W>(sum_a[p], da + i + p * W), add<W>(sum_e[p], inner + i + p * W);
            }
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p) store(l + i + p * W, x[p]);
        }(std::make_index_sequence<P>{});
    }
    template <int W>
    [[gnu::noinline]] void pairs(const index_t re) {
        using V = simd::pack<S, W>;
        const index_t im = re + pair, far = pair;
        const pair_step<S, W> pole(a + re, a + im, side::adjoint);
        V lr, li, kr, ki, sr, si, gain;
        load(lr, l + re), load(li, l + im), load(kr, k + re), load(ki, k + im), simd::spread<S, W>(gain, g);
        load(sr, s.row(s.rows - 1) + re), load(si, s.row(s.rows - 1) + im);
        kr *= gain, ki *= gain;
        rows at(*this, re);
        for (index_t t = s.rows; t > 0;) {
            V sum_r{}, sum_i{}, sum_e{};
            for (const index_t end = std::max<index_t>(0, t - sum_rows); t-- > end; at.step()) {
                V zr, zi;
                load(zr, at.e), load(zi, at.e + far);
                sum_e += zr * sr + zi * si;
                pole(lr, li, zr, zi);
                const S* const last = t > 0 ? at.earlier : at.before;
                load(sr, last), load(si, last + far);
                sum_r += lr * sr + li * si;
                sum_i += li * sr - lr * si;
                zr = kr * lr, zi = ki * li;
                store(at.e, zr), store(at.e + far, zi);
            }
            ++t;
            sum_r *= gain, sum_i *= gain;
            add<W>(sum_r, da + re), add<W>(sum_i, da + im), add<W>(sum_e, inner + re);
        }
        store(l + re, lr), store(l + im, li);
    }
    template <int W>
    static void add(simd::pack<S, W>& sum, double* to) {
        constexpr int wide = std::min(W, simd::lanes<double>);
        S part[W];
        simd::hold<S, W>(sum);  // or it would be in memory, where it is taken apart, for all rows
        store(part, sum);
#pragma GCC unroll 2
        for (int j = 0; j < W; j += wide) {
            simd::pack<double, wide> more, all;
            load_wide<wide>(more, part + j), load(all, to + j);
            all += more;
            store(to + j, all);
        }
    }
};

/// lambda = A^* lambda: from row 0 to the state before it.
template <real S>
void step_adjoint(const modes<S>& a, S* lambda) {
    const auto nothing = [](auto& z, index_t, index_t) { z = std::remove_reference_t<decltype(z)>{}; };
    recur_from<S>(a, side::adjoint, all_columns(a), nothing, {}, 1, lambda, lambda);
}

/// The same for states without a pole: e_t becomes g e_t, and inner is summed.
template <real S>
void static_backward(matrix_view<const S> s, S g, matrix_view<S> e, double* inner) {
    for (index_t t = 0; t < e.rows; ++t)
        for (index_t i = 0; i < e.cols; ++i) {
            inner[i] += static_cast<double>(e(t, i) * s(t, i));
            e(t, i) *= g;
        }
}

}  // namespace hrm::scan::detail
