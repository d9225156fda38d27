#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/simd.hpp>
#include <hrm/reduction/detail/blaschke.hpp>
#include <hrm/reduction/detail/cauchy_rows.hpp>

// One step of the pivoted elimination of a Cauchy-like Gramian (cauchy.hpp), on stretches of rows, a register of rows at a time.

namespace hrm::detail {

/// A reflection of the columns [first, m) of B that turns one row of it into (.., beta, 0, ..).
struct column_reflection {
    index_t first = 0;
    std::vector<double> u;
    double scale = 0;

    void make(const std::vector<double>& row, index_t from) {
        first = from;
        u.assign(row.begin() + from, row.end());
        scale = 0;
        double largest = 0, tail = 0;
        for (double x : u) largest = std::max(largest, std::abs(x));
        for (double& x : u) x = largest > 0 ? x / largest : 0;
        for (std::size_t j = 1; j < u.size(); ++j) tail += u[j] * u[j];
        if (tail == 0) return;
        const double norm = std::sqrt(u[0] * u[0] + tail);
        u[0] += u[0] < 0 ? -norm : norm;
        scale = -2 / (u[0] * u[0] + tail);
    }
    /// To N times W rows side by side, whose columns are `count` apart.
    template <int W, int N>
    void turn(double* x, index_t count) const {
        simd::pack<double, W> sum[N] = {}, v;
        const auto columns = static_cast<index_t>(u.size());
        x += first * count;
        for (index_t j = 0; j < columns; ++j)
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) {
                simd::load<double, W>(v, x + j * count + k * W);
                sum[k] += u[static_cast<std::size_t>(j)] * v;
            }
        for (auto& s : sum) s *= scale;
        for (index_t j = 0; j < columns; ++j)
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) {
                simd::load<double, W>(v, x + j * count + k * W);
                v += u[static_cast<std::size_t>(j)] * sum[k];
                simd::store<double, W>(x + j * count + k * W, v);
            }
    }
    void apply(double* x, index_t count) const {
        constexpr int W = simd::lanes<double>;
        if (scale == 0) return;
        index_t i = 0;
        for (; i + 4 * W <= count; i += 4 * W) turn<W, 4>(x + i, count);
        for (; i < count; i += W) turn<W, 1>(x + i, count);
    }
    /// To a row.
    void apply(double* row) const {
        if (scale == 0) return;
        const auto columns = static_cast<index_t>(u.size());
        axpy(scale * dot(u.data(), row + first, columns), u.data(), row + first, columns);
    }
};

template <class Domain>
class cauchy_product;

/// One step of the elimination, made from its pivot's row: everything that does not depend on the other rows. Made again it
/// takes no memory.
///     real pole   with v turned onto the first unit vector only the first column of b takes part
///     pair        the steps for l_p and its conjugate, one after the other. Re b_p and Im b_p are first turned into the
///                 leading two columns. Dividing each Blaschke factor by its value at a real boundary point makes the product
///                 of the two real, so b stays conjugate-symmetric and one row a pair is enough. A 2 x 2 unitary matrix makes
///                 the columns real.
template <class Domain>
class cauchy_step {
public:
    void make(cauchy_rows& rows, index_t p) {
        pair_ = rows.is_pair(p), two_ = false, lp_ = {rows.re()[p], rows.im()[p]}, gp_ = rows.gap()[p];
        x_.resize(static_cast<std::size_t>(rows.m)), y_.resize(x_.size());
        const auto row = rows.row(p);
        for (index_t j = 0; j < rows.m; ++j) {
            x_[static_cast<std::size_t>(j)] = row.x[j * row.apart];
            if (pair_) y_[static_cast<std::size_t>(j)] = row.y[j * row.apart];
        }
        turn_.make(x_, 0);
        turn_.apply(x_.data());
        second_turn_.scale = 0;
        if (!pair_) {
            size_ = std::copysign(std::sqrt(gp_), x_[0]);
            return;
        }
        turn_.apply(y_.data());
        second_turn_.make(y_, 1);
        second_turn_.apply(x_.data());
        second_turn_.apply(y_.data());
        make_pair({x_[0], y_[0]}, {x_[1], y_[1]});
    }
    index_t columns() const { return two_ ? 2 : 1; }

    /// To a stretch of rows. even, odd: their part of the new columns, the same if there is one; the imaginary parts lie
    /// `beside` behind.
    void apply(cauchy_rows& rows, cauchy_rows::stretch s, double* even, double* odd, index_t beside) const {
        const bool pairs = rows.is_pair(s.first);
        for (double* part : {rows.part(s), pairs ? rows.imaginary_part(s) : nullptr}) {
            if (!part) continue;
            turn_.apply(part, s.count);
            second_turn_.apply(part, s.count);
        }
        if (pair_ && pairs) apply_pair<true>(rows, s, even, odd, beside);
        else if (pair_) apply_pair<false>(rows, s, even, odd, beside);
        else if (pairs) apply_real<true>(rows, s, even, beside);
        else apply_real<false>(rows, s, even, beside);
    }

private:
    friend class cauchy_product<Domain>;
    using pack = simd::pack<double>;
    static constexpr index_t lanes = simd::lanes<double>;

    /// Everything is homogeneous in b_p: directions and ratios come from it at length 1.
    void make_pair(planar b0, planar b1) {
        const planar lp = lp_, lq = conj(lp);
        const double root = std::sqrt(gp_), rho = std::sqrt(norm(b0) + norm(b1));
        const planar u0 = (1 / rho) * b0, u1 = (1 / rho) * b1, v0 = conj(u0), v1 = conj(u1), x0 = -1 * u1, x1 = u0;  // x _|_ v
        const planar first = reciprocal(Domain::at_boundary(lp)), second = reciprocal(Domain::at_boundary(lq));

        // The row of the conjugate pole after the first step, in the basis (v, x): the second direction w, and y _|_ w.
        const planar between = reciprocal(Domain::denominator(lq, gp_, lp, gp_));
        const planar r0 = (v0 * v0 + v1 * v1) * Domain::numerator(lq, lp) * between * first, r1 = v0 * x0 + v1 * x1;
        const double square = norm(r0) + norm(r1);
        two_ = square > std::numeric_limits<double>::min();
        const double rest = two_ ? std::sqrt(square) : 0;
        const planar w0 = two_ ? (1 / rest) * conj(r0) : planar{1, 0}, w1 = two_ ? (1 / rest) * conj(r1) : planar{0, 0};
        const planar y0 = two_ ? (-1 / rest) * r1 : planar{0, 0}, y1 = two_ ? (1 / rest) * r0 : planar{1, 0};

        // P restricted to (l_p, conj l_p) is a [[1, z], [conj z, 1]]; 1 - |z| follows from the second pivot, rest^2.
        const planar z = gp_ * ((u0 * u0 + u1 * u1) * reciprocal(Domain::denominator(lp, gp_, lq, gp_)));
        const double size = std::sqrt(norm(z)), cosine = std::sqrt((1 + size) / 2), sine = rest / (2 * cosine);
        const planar phase = size > 0 ? square_root((1 / size) * z) : planar{1, 0};
        const double two = two_ ? 1 : 0;
        both_ = {cosine, sine, two, first, v0, v1, x0, x1, w0, w1, y0, y1, root * phase, (two * root) * conj(phase), two_ ? second : planar{1, 0}};
    }
    struct two_poles {
        double cosine, sine, two;  // two: 1, or 0 where the second column is nothing
        planar first, v0, v1, x0, x1, w0, w1, y0, y1, to_c1, to_c2, back;
    };

    template <bool pairs>
    static void load(planar_of<pack>& to, const double* re, const double* im) {
        simd::load<double>(to.re, re);
        if constexpr (pairs) simd::load<double>(to.im, im);
        else to.im = pack{};
    }
    template <bool pairs>
    static void store(double* re, double* im, const planar_of<pack>& from) {
        simd::store<double>(re, from.re);
        if constexpr (pairs) simd::store<double>(im, from.im);
    }
    /// Real rows have, and leave, only real parts.
    template <bool pairs>
    void apply_pair(cauchy_rows& rows, cauchy_rows::stretch s, double* even, double* odd, index_t beside) const {
        const two_poles c = both_;
        const planar lp = lp_, lq = conj(lp);
        const double gp = gp_;
        double *x = rows.part(s), *y = pairs ? rows.imaginary_part(s) : x;
        const double *re = rows.re() + s.first, *im = rows.im() + s.first, *gap = rows.gap() + s.first;
        const index_t n = s.count;
        for (index_t i = 0; i < n; i += lanes) {
            planar_of<pack> l, b0, b1;
            pack g;
            load<pairs>(l, re + i, im + i);
            load<pairs>(b0, x + i, y + i);
            load<pairs>(b1, x + n + i, y + n + i);
            simd::load<double>(g, gap + i);
            const auto i1 = reciprocal(Domain::denominator(l, g, lp, gp)), i2 = reciprocal(Domain::denominator(l, g, lq, gp));
            auto t = (b0 * c.v0 + b1 * c.v1) * i1;
            const auto r = b0 * c.x0 + b1 * c.x1, c1 = t * c.to_c1;
            t = t * Domain::numerator(l, lp) * c.first;
            auto t2 = t * c.w0 + r * c.w1;
            const auto r2 = t * c.y0 + r * c.y1, c2 = t2 * i2 * c.to_c2;
            store<pairs>(odd + i, odd + beside + i, times_i(c.sine * c1 - c.cosine * c2));
            store<pairs>(even + i, even + beside + i, c.cosine * c1 + c.sine * c2);  // the last word if they are one
            const auto factor = Domain::numerator(l, lq) * i2 * c.back;  // 1 where there is no second column
            t2 = t2 * planar_of<pack>{c.two * factor.re + (1 - c.two), c.two * factor.im};
            t = t2 * conj(c.w0) + r2 * conj(c.y0);
            const auto r3 = t2 * conj(c.w1) + r2 * conj(c.y1);
            store<pairs>(x + i, y + i, t * conj(c.v0) + r3 * conj(c.x0));
            store<pairs>(x + n + i, y + n + i, t * conj(c.v1) + r3 * conj(c.x1));
        }
    }
    template <bool pairs>
    void apply_real(cauchy_rows& rows, cauchy_rows::stretch s, double* column, index_t beside) const {
        const double lp = lp_.re, gp = gp_, size = size_;
        double *x = rows.part(s), *y = pairs ? rows.imaginary_part(s) : x;
        const double *re = rows.re() + s.first, *im = rows.im() + s.first, *gap = rows.gap() + s.first;
        for (index_t i = 0; i < s.count; i += lanes) {
            pack g;
            simd::load<double>(g, gap + i);
            if constexpr (pairs) {
                planar_of<pack> l, b;
                load<true>(l, re + i, im + i);
                load<true>(b, x + i, y + i);
                const auto part = b * reciprocal(Domain::denominator(l, g, lp_, gp));
                store<true>(column + i, column + beside + i, size * part);
                store<true>(x + i, y + i, part * Domain::numerator(l, lp_));
            } else {
                pack l, b;
                simd::load<double>(l, re + i);
                simd::load<double>(b, x + i);
                const pack inverse = 1 / Domain::denominator(l, g, lp, gp);
                simd::store<double>(column + i, b * (size * inverse));
                simd::store<double>(x + i, b * (Domain::numerator(l, lp) * inverse));
            }
        }
    }

    bool pair_ = false, two_ = false;
    planar lp_{};
    double gp_ = 0, size_ = 0;
    column_reflection turn_, second_turn_;
    std::vector<double> x_, y_;  // the pivot's row
    two_poles both_{};
};

}  // namespace hrm::detail
