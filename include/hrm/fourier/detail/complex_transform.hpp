#pragma once

#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/fourier/detail/butterfly.hpp>

namespace hrm::fourier::detail {

/// Radices of n = 2^i 3^j 5^k from the outermost level to the leaves; the fewest passes over the data that keep a
/// butterfly in registers: eights inside, a four outside. Empty when another prime divides n.
inline std::vector<int> radices(index_t n) {
    std::vector<int> out;
    int twos = 0;
    for (; n % 2 == 0; n /= 2) ++twos;
    for (; twos % 3 != 0 && twos != 1; twos -= 2) out.push_back(4);
    if (twos == 1) out.push_back(2), twos = 0;
    for (const int p : {3, 5})
        for (; n % p == 0; n /= p) out.push_back(p);
    for (; twos > 0; twos -= 3) out.push_back(8);
    if (n != 1) out.clear();
    else if (out.empty()) out.push_back(1);
    return out;
}

/// Complex transforms of W sequences, one a lane; an element is W real parts, then W imaginary parts.
///     n = R m:   X_{k + m l} = sum_j w_R^{jl} (w_n^{jk} Y_j,k),   Y_j the transform of x_j, x_{j+R}, ...
/// by recursion, so that a part that fits in a cache goes through all its levels there; forward reads its input with
/// strides (an element is whole cache lines) and then works in place, inverse is the same flow backward.
/// `real` folds one more pass into the outermost level: 2 n real samples packed in n elements, told apart or joined.
template <real S>
class complex_transform {
public:
    enum class kind { complex, real };
    complex_transform() = default;
    complex_transform(index_t n, kind what) : n_(n), real_(what == kind::real) {
        auto list = radices(n);
        if (real_ && list.size() == 1) list.insert(list.begin(), 1);
        for (const int radix : list) {
            const index_t m = n / radix;
            levels_.push_back({radix, m, static_cast<index_t>(twiddles_.size())});
            for (index_t k = 0; k < m; ++k)
                for (int j = 1; j < radix; ++j) push(root<S>(j * k, n), 1);
            n = m;
        }
        split_ = static_cast<index_t>(twiddles_.size());
        if (!real_) return;
        const index_t m = levels_[0].m;
        for (index_t k = 0; k <= m / 2; ++k)
            for (int j = 0; j < levels_[0].radix; ++j) push(root<S>(k + m * j, 2 * n_), S(0.5));
    }
    bool empty() const { return levels_.empty(); }

    /// y = transform of x (n elements, kept). A real one has n + 1 bins.
    void forward(const S* x, S* y) const {
        if (!real_) return gather(0, x, 1, y);
        inner_gather(0, x, 1, y);
        by_radix(levels_[0].radix, [&]<int R>() { real_level<R, false>(y); });
    }
    /// x = n times the inverse transform of y, a real one scaled to be the inverse itself. y is destroyed.
    void inverse(S* y, S* x) const {
        if (!real_) return scatter(0, y, x, 1);
        by_radix(levels_[0].radix, [&]<int R>() { real_level<R, true>(y); });
        inner_scatter(0, y, x, 1);
    }

private:
    using V = simd::pack<S>;
    static constexpr int W = simd::lanes<S>;
    static constexpr index_t E = 2 * W;
    struct level {
        int radix;
        index_t m, twiddle;
    };

    void push(root<S> w, S scale) { twiddles_.push_back(scale * w.cosine), twiddles_.push_back(scale * w.sine); }
    template <class F>
    static void by_radix(int radix, F&& f) {
        switch (radix) {
            case 1: return f.template operator()<1>();
            case 2: return f.template operator()<2>();
            case 3: return f.template operator()<3>();
            case 4: return f.template operator()<4>();
            case 5: return f.template operator()<5>();
            default: return f.template operator()<8>();
        }
    }

    void gather(std::size_t at, const S* x, index_t stride, S* y) const {
        const auto& l = levels_[at];
        if (at + 1 == levels_.size()) return by_radix(l.radix, [&]<int R>() { leaves<R>(1, x, stride, 0, y, 1, R, 0, W); });
        inner_gather(at, x, stride, y);
        by_radix(l.radix, [&]<int R>() { turn<R, false>(l, y); });
    }
    void inner_gather(std::size_t at, const S* x, index_t stride, S* y) const {
        const auto& l = levels_[at];
        const index_t inside = stride * l.radix;
        if (at + 2 == levels_.size())
            by_radix(levels_[at + 1].radix, [&]<int R>() { leaves<R>(l.radix, x, inside, stride, y, 1, R, 0, W); });
        else
            for (int j = 0; j < l.radix; ++j) gather(at + 1, x + j * stride * E, inside, y + j * l.m * E);
    }
    // Backward, with real and imaginary parts exchanged: the conjugate transform.
    void scatter(std::size_t at, S* y, S* x, index_t stride) const {
        const auto& l = levels_[at];
        if (at + 1 == levels_.size()) return by_radix(l.radix, [&]<int R>() { leaves<R>(1, y, 1, R, x, stride, 0, W, 0); });
        by_radix(l.radix, [&]<int R>() { turn<R, true>(l, y); });
        inner_scatter(at, y, x, stride);
    }
    void inner_scatter(std::size_t at, S* y, S* x, index_t stride) const {
        const auto& l = levels_[at];
        const index_t inside = stride * l.radix;
        if (at + 2 == levels_.size())
            by_radix(levels_[at + 1].radix, [&]<int R>() { leaves<R>(l.radix, y, 1, R, x, inside, stride, W, 0); });
        else
            for (int j = 0; j < l.radix; ++j) scatter(at + 1, y + j * l.m * E, x + j * stride * E, inside);
    }

    /// a_j = element j of x, `stride` elements apart.
    template <int R>
    static void load(V (&a)[R], V (&b)[R], const S* x, index_t stride, int re, int im) {
#pragma GCC unroll 8
        for (int j = 0; j < R; ++j) simd::load<S>(a[j], x + j * stride * E + re), simd::load<S>(b[j], x + j * stride * E + im);
    }
    template <int R>
    static void store(S* y, index_t stride, int re, int im, const V (&a)[R], const V (&b)[R]) {
#pragma GCC unroll 8
        for (int j = 0; j < R; ++j)
            simd::store<S>(y + j * stride * E + re, a[j]), simd::store<S>(y + j * stride * E + im, b[j]);
    }
    /// a_j *= w^j, j > 0.
    template <int R>
    static void twist(V (&a)[R], V (&b)[R], const S* w) {
#pragma GCC unroll 8
        for (int j = 1; j < R; ++j) {
            const S c = w[2 * j - 2], s = w[2 * j - 1];
            const V r = a[j] * c + b[j] * s;
            b[j] = b[j] * c - a[j] * s;
            a[j] = r;
        }
    }

    /// `count` transforms of R elements: leaf l reads at x + l step, its elements `stride` apart; likewise writes.
    template <int R>
    static void leaves(index_t count, const S* x, index_t stride, index_t step, S* y, index_t to_stride, index_t to_step,
                       int re, int im) {
        for (index_t l = 0; l < count; ++l, x += step * E, y += to_step * E) {
            V a[R], b[R];
            load<R>(a, b, x, stride, re, im);
            butterfly<R, S>(a, b);
            store<R>(y, to_stride, re, im, a, b);
        }
    }

    /// One level in place: twiddles, then butterflies; backward the other way round.
    template <int R, bool backward>
    void turn(const level& l, S* y) const {
        constexpr int re = backward ? W : 0, im = backward ? 0 : W;
        const S* w = twiddles_.data() + l.twiddle;
        for (index_t k = 0; k < l.m; ++k, y += E, w += 2 * (R - 1)) {
            V a[R], b[R];
            load<R>(a, b, y, l.m, re, im);
            if constexpr (!backward) twist<R>(a, b, w);
            butterfly<R, S>(a, b);
            if constexpr (backward) twist<R>(a, b, w);
            store<R>(y, l.m, re, im, a, b);
        }
    }

    /// The outermost level of a real transform. Elements p and M - p of the packed transform Z (M = n, N = 2 n) and of
    /// the real one X are made of each other; w = e^{-2 pi i p / N}, w table: half of it:
    ///     E = (Z_p + conj Z_{M-p}) / 2,  D = (Z_p - conj Z_{M-p}) / 2,  X_p = E + w D / i,   X_{M-p} = conj(E - w D / i)
    ///     Z_p = E + i D / w,   Z_{M-p} = conj(E - i D / w)                                   from E, D of X
    /// Groups k and m - k of R elements p = k + m j hold each other's mirrors, so that they go together.
    template <int R, bool backward>
    void real_level(S* y) const {
        const index_t m = levels_[0].m;
        const S *w = twiddles_.data() + levels_[0].twiddle, *half = twiddles_.data() + split_;
        V a[R], b[R], c[R], d[R];
        auto take = [&](V(&re)[R], V(&im)[R], index_t k) {
            load<R>(re, im, y + k * E, m, 0, W);
            if constexpr (!backward) twist<R>(re, im, w + 2 * (R - 1) * k), butterfly<R, S>(re, im);
        };
        auto give = [&](V(&re)[R], V(&im)[R], index_t k) {
            if constexpr (backward) butterfly<R, S>(im, re), twist<R>(im, re, w + 2 * (R - 1) * k);
            store<R>(y + k * E, m, 0, W, re, im);
        };
        take(a, b, 0);
        V last_re, last_im;
        if constexpr (backward) {
            simd::load<S>(last_re, y + n_ * E), simd::load<S>(last_im, y + n_ * E + W);
            mix<backward>(a[0], b[0], last_re, last_im, half);
        } else {
            last_re = a[0], last_im = b[0];
            mix<backward>(a[0], b[0], last_re, last_im, half);
            simd::store<S>(y + n_ * E, last_re), simd::store<S>(y + n_ * E + W, last_im);
        }
#pragma GCC unroll 8
        for (int j = 1; 2 * j <= R; ++j) mix<backward>(a[j], b[j], a[R - j], b[R - j], half + 2 * j);
        give(a, b, 0);
        index_t k = 1;
        for (half += 2 * R; 2 * k < m; ++k, half += 2 * R) {
            take(a, b, k), take(c, d, m - k);
#pragma GCC unroll 8
            for (int j = 0; j < R; ++j) mix<backward>(a[j], b[j], c[R - 1 - j], d[R - 1 - j], half + 2 * j);
            give(a, b, k), give(c, d, m - k);
        }
        if (2 * k > m) return;
        take(a, b, k);
#pragma GCC unroll 8
        for (int j = 0; 2 * j < R; ++j) mix<backward>(a[j], b[j], a[R - 1 - j], b[R - 1 - j], half + 2 * j);
        give(a, b, k);
    }
    template <bool backward>
    void mix(V& xr, V& xi, V& yr, V& yi, const S* w) const {
        const S c = w[0], s = w[1], half = backward ? S{1} / static_cast<S>(2 * n_) : S(0.5);
        const V er = half * (xr + yr), ei = half * (xi - yi);
        V dr = xr - yr, di = xi + yi, pr, pi;
        if constexpr (backward) {
            dr *= 2 * half, di *= 2 * half;
            pr = -(di * c + dr * s), pi = dr * c - di * s;
        } else {
            pr = di * c - dr * s, pi = -(dr * c + di * s);
        }
        yr = er - pr, yi = pi - ei;
        xr = er + pr, xi = ei + pi;
    }

    index_t n_ = 0;
    bool real_ = false;
    std::vector<level> levels_;
    index_t split_ = 0;
    buffer<S> twiddles_;
};

}  // namespace hrm::fourier::detail
