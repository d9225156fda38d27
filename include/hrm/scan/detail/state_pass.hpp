#pragma once

#include <algorithm>

#include <hrm/scan/detail/recurrence.hpp>

// The states of poles, with what an adapter has around them in the same pass over the rows:
//     s_t = A s_{t-1} + k (.) x_t
// and, with e_t = C^T dout_t and lambda_t = g e_t + A^* lambda_{t+1},
//     e_t becomes k (.) lambda_t,   da += sum lambda_t s_{t-1}^*,   inner += sum e_t (.) s_t.
// Sums of the rows of one call, some dozens, are formed in S, and those added in double.

namespace hrm::scan::detail {

/// x: L x n, s: L x n, x itself allowed;  state: n, the one before in, the last one out.
template <real S>
void states_forward(const modes<S>& a, const S* k, matrix_view<const S> x, matrix_view<S> s, S* state) {
    const auto in = [=](auto& z, index_t t, index_t column) {
        std::remove_reference_t<decltype(z)> factor;
        load(z, x.row(t) + column), load(factor, k + column);
        z *= factor;
    };
    recur_from<S>(a, side::plain, all_columns(a), in, ascending(s), x.rows, state);
}

/// What a backward reads and sums up over some rows.
template <real S>
struct states_backward {
    const modes<S>& a;
    const S* k;                    ///< n
    S g;
    matrix_view<const S> s;        ///< L x n
    const S* before;               ///< the state before row 0
    matrix_view<S> e;              ///< L x n
    double *da, *inner;            ///< n each
    S* lambda;                     ///< n: of the row behind the last one in, of row 0 out

    void run() {
        sweep<S>(0, a.reals(), [&]<int P, int W>(index_t i) {
            // Lambda waits for itself: two chains by turns take 0.7 of the time in AVX2, and 1.5 in AVX-512.
            constexpr int side_by_side = simd::registers == 16 && P > 1 ? 2 : 1;
            for (int p = 0; p < P; p += side_by_side) reals<side_by_side, W>(i + p * W);
        });
        sweep<S>(0, a.pairs(), [&]<int P, int W>(index_t i) {
            for (int p = 0; p < P; ++p) pairs<W>(i + p * W);
        });
    }

private:
    /// Where a pass stands, going up; of its own, because whatever it stores might be a member.
    struct rows {
        const S *earlier, *before;
        S* e;
        index_t s_step, e_step;
        explicit rows(const states_backward& p)
            : earlier(p.s.row(p.s.rows - 1) - p.s.stride), before(p.before), e(p.e.row(p.e.rows - 1)), s_step(p.s.stride), e_step(p.e.stride) {}
        void step() { earlier -= s_step, e -= e_step; }
    };

    template <int P, int W>
    void reals(index_t i) {
        using V = simd::pack<S, W>;
        [&]<std::size_t... Q>(std::index_sequence<Q...>) {
            const real_step<S, W> pole[P] = {real_step<S, W>(a.real.data() + i + Q * W)...};
            V l[P], factor[P], now[P], gain, sum_a[P] = {}, sum_e[P] = {};
            simd::spread<S, W>(gain, g);
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p)
                load(l[p], lambda + i + p * W), load(factor[p], k + i + p * W), load(now[p], s.row(s.rows - 1) + i + p * W);
            rows at(*this);
            for (index_t t = s.rows; t-- > 0; at.step()) {
#pragma GCC unroll 2
                for (int p = 0; p < P; ++p) {
                    V in, z, out;
                    load(in, at.e + i + p * W);
                    simd::multiply_add<S, W>(sum_e[p], in, now[p]);
                    z = gain * in;
                    pole[p](l[p], z);
                    load(now[p], (t > 0 ? at.earlier : at.before) + i + p * W);
                    simd::multiply_add<S, W>(sum_a[p], l[p], now[p]);
                    out = factor[p] * l[p];
                    store(at.e + i + p * W, out);
                }
            }
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p) {
                const index_t c = i + p * W;
                store(lambda + c, l[p]);
                add<W>(sum_a[p], da + c), add<W>(sum_e[p], inner + c);
            }
        }(std::make_index_sequence<P>{});
    }
    template <int W>
    void pairs(index_t i) {
        using V = simd::pack<S, W>;
        const pair_step<S, W> pole(a.re.data() + i, a.im.data() + i, side::adjoint);
        const index_t re = a.reals() + i, im = re + a.pairs();
        V lr, li, kr, ki, sr, si, gain, sum_r{}, sum_i{}, sum_e{};
        load(lr, lambda + re), load(li, lambda + im), load(kr, k + re), load(ki, k + im), simd::spread<S, W>(gain, g);
        load(sr, s.row(s.rows - 1) + re), load(si, s.row(s.rows - 1) + im);
        rows at(*this);
        for (index_t t = s.rows; t-- > 0; at.step()) {
            V zr, zi;
            load(zr, at.e + re), load(zi, at.e + im);
            sum_e += zr * sr + zi * si;
            zr *= gain, zi *= gain;
            pole(lr, li, zr, zi);
            const S* const last = t > 0 ? at.earlier : at.before;
            load(sr, last + re), load(si, last + im);
            sum_r += lr * sr + li * si;
            sum_i += li * sr - lr * si;
            zr = kr * lr, zi = ki * li;
            store(at.e + re, zr), store(at.e + im, zi);
        }
        store(lambda + re, lr), store(lambda + im, li);
        add<W>(sum_r, da + re), add<W>(sum_i, da + im), add<W>(sum_e, inner + re);
    }
    template <int W>
    static void add(const simd::pack<S, W>& sum, double* to) {
        S part[W];
        store(part, sum);
        for (int j = 0; j < W; ++j) to[j] += static_cast<double>(part[j]);
    }
};

/// lambda = A^* lambda: from row 0 to the state before it.
template <real S>
void step_adjoint(const modes<S>& a, S* lambda) {
    const auto nothing = [](auto& z, index_t, index_t) { z = std::remove_reference_t<decltype(z)>{}; };
    recur_from<S>(a, side::adjoint, all_columns(a), nothing, {}, 1, lambda);
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
