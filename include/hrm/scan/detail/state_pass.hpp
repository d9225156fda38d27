#pragma once

#include <algorithm>

#include <hrm/linalg/elementary.hpp>
#include <hrm/scan/detail/recurrence.hpp>

// The states of poles, with what an adapter has around them in the same pass over the rows:
//     s_t = A s_{t-1} + k (.) x_t
// and, with e_t = C^T dout_t and lambda_t = g e_t + A^* lambda_{t+1},
//     e_t becomes k (.) lambda_t,   da += sum lambda_t s_{t-1}^*,   dk += sum lambda_t (.) x_t,   inner += sum <e_t, s_t>.
// Sums of 64 rows are formed in S, and those added in double.

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

/// What a backward reads and sums up, a stretch of rows between two resets.
template <real S>
struct states_backward {
    const modes<S>& a;
    const S* k;                    ///< n
    S g;
    matrix_view<const S> x, s;     ///< L x n
    const S* before;               ///< the state before row 0
    matrix_view<S> e;              ///< L x n
    double *da, *dk;               ///< n each
    double& inner;
    S* lambda;                     ///< n: 0 in, lambda of row 0 out

    void run() {
        constexpr index_t block = 64;
        for (index_t end = e.rows; end > 0;) {
            const index_t first = (end - 1) / block * block;
            sweep<S>(0, a.reals(), [&]<int P, int W>(index_t i) {
                // Lambda waits for itself: two chains by turns take 0.7 of the time in AVX2, and 1.5 in AVX-512.
                constexpr int side_by_side = simd::registers == 16 && P > 1 ? 2 : 1;
                for (int p = 0; p < P; p += side_by_side) reals<side_by_side, W>(first, end, i + p * W);
            });
            sweep<S>(0, a.pairs(), [&]<int P, int W>(index_t i) {
                for (int p = 0; p < P; ++p) pairs<W>(first, end, i + p * W);
            });
            end = first;
        }
    }

private:
    /// Where a pass stands, going up; of its own, because whatever it stores might be a member.
    struct rows {
        const S *x, *earlier, *before;
        S* e;
        index_t x_step, s_step, e_step;
        rows(const states_backward& p, index_t end)
            : x(p.x.row(end - 1)), earlier(p.s.row(end - 1) - p.s.stride), before(p.before), e(p.e.row(end - 1)), x_step(p.x.stride),
              s_step(p.s.stride), e_step(p.e.stride) {}
        void step() { x -= x_step, earlier -= s_step, e -= e_step; }
    };

    template <int P, int W>
    void reals(index_t first, index_t end, index_t i) {
        using V = simd::pack<S, W>;
        [&]<std::size_t... Q>(std::index_sequence<Q...>) {
            const real_step<S, W> pole[P] = {real_step<S, W>(a.real.data() + i + Q * W)...};
            V l[P], factor[P], now[P], gain, sum_a[P] = {}, sum_k[P] = {}, sum_e[P] = {};
            simd::spread<S, W>(gain, g);
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p)
                load(l[p], lambda + i + p * W), load(factor[p], k + i + p * W), load(now[p], s.row(end - 1) + i + p * W);
            rows at(*this, end);
            for (index_t t = end; t-- > first; at.step()) {
#pragma GCC unroll 2
                for (int p = 0; p < P; ++p) {
                    V in, from, z, out;
                    load(in, at.e + i + p * W), load(from, at.x + i + p * W);
                    simd::multiply_add<S, W>(sum_e[p], in, now[p]);
                    z = gain * in;
                    pole[p](l[p], z);
                    load(now[p], (t > 0 ? at.earlier : at.before) + i + p * W);
                    simd::multiply_add<S, W>(sum_a[p], l[p], now[p]);
                    simd::multiply_add<S, W>(sum_k[p], l[p], from);
                    out = factor[p] * l[p];
                    store(at.e + i + p * W, out);
                }
            }
#pragma GCC unroll 2
            for (int p = 0; p < P; ++p) {
                const index_t c = i + p * W;
                store(lambda + c, l[p]);
                add<W>(sum_a[p], da + c), add<W>(sum_k[p], dk + c), add_inner<W>(sum_e[p]);
            }
        }(std::make_index_sequence<P>{});
    }
    template <int W>
    void pairs(index_t first, index_t end, index_t i) {
        using V = simd::pack<S, W>;
        const pair_step<S, W> pole(a.re.data() + i, a.im.data() + i, side::adjoint);
        const index_t re = a.reals() + i, im = re + a.pairs();
        V lr, li, kr, ki, sr, si, gain, sum_r{}, sum_i{}, sum_kr{}, sum_ki{}, sum_e{};
        load(lr, lambda + re), load(li, lambda + im), load(kr, k + re), load(ki, k + im), simd::spread<S, W>(gain, g);
        load(sr, s.row(end - 1) + re), load(si, s.row(end - 1) + im);
        rows at(*this, end);
        for (index_t t = end; t-- > first; at.step()) {
            V zr, zi, xr, xi;
            load(zr, at.e + re), load(zi, at.e + im), load(xr, at.x + re), load(xi, at.x + im);
            sum_e += zr * sr + zi * si;
            zr *= gain, zi *= gain;
            pole(lr, li, zr, zi);
            const S* const last = t > 0 ? at.earlier : at.before;
            load(sr, last + re), load(si, last + im);
            sum_r += lr * sr + li * si;
            sum_i += li * sr - lr * si;
            sum_kr += lr * xr;
            sum_ki += li * xi;
            zr = kr * lr, zi = ki * li;
            store(at.e + re, zr), store(at.e + im, zi);
        }
        store(lambda + re, lr), store(lambda + im, li);
        add<W>(sum_r, da + re), add<W>(sum_i, da + im), add<W>(sum_kr, dk + re), add<W>(sum_ki, dk + im), add_inner<W>(sum_e);
    }
    template <int W>
    static void add(const simd::pack<S, W>& sum, double* to) {
        S part[W];
        store(part, sum);
        for (int j = 0; j < W; ++j) to[j] += static_cast<double>(part[j]);
    }
    template <int W>
    void add_inner(const simd::pack<S, W>& sum) {
        double part[W] = {};
        add<W>(sum, part);
        for (int j = 0; j < W; ++j) inner += part[j];
    }
};

/// lambda = A^* lambda: from row 0 to the state before it.
template <real S>
void step_adjoint(const modes<S>& a, S* lambda) {
    const auto nothing = [](auto& z, index_t, index_t) { z = std::remove_reference_t<decltype(z)>{}; };
    recur_from<S>(a, side::adjoint, all_columns(a), nothing, {}, 1, lambda);
}

/// The same for states without a pole, columns [0, n0): e_t becomes g e_t, and inner is summed.
template <real S>
void static_backward(matrix_view<const S> s, S g, matrix_view<S> e, double& inner) {
    constexpr index_t block = 64;
    for (index_t t0 = 0; t0 < e.rows; t0 += block)
        for (index_t t = t0; t < std::min(e.rows, t0 + block); ++t) {
            inner += static_cast<double>(dot<S>(e.row(t), s.row(t), e.cols));
            for (index_t i = 0; i < e.cols; ++i) e(t, i) *= g;
        }
}

}  // namespace hrm::scan::detail
