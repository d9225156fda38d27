#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/reduction/detail/blaschke.hpp>
#include <hrm/reduction/detail/column_store.hpp>

// The Gramian of a system in modal coordinates is Cauchy-like, and its pivoted Cholesky factor comes without the Gramian:
//     P_ij = b_i b_j^* / (1 - l_i conj l_j)                       (continuous time: / (-l_i - conj l_j)).
// The step with pivot p, v = b_p^* / |b_p| and the Blaschke factor phi_i = (l_i - l_p) / (1 - l_i conj l_p) is
//     column_i = (b_i v) |b_p| / ((1 - l_i conj l_p) sqrt(P_pp)),     b_i <- b_i + (phi_i - 1) (b_i v) v^*,
// so what remains of P is again Cauchy-like, with the same poles. The update multiplies: nothing cancels, and columns as
// small as 1e-60 of the first keep their relative accuracy. It is low-rank ADI with the shifts at the poles.
// Gohberg, Kailath & Olshevsky 1995 (Cauchy-like elimination); Benner, Kuerschner & Saak 2013 (real factors, ADI).

namespace hrm {

/// A modal system: q real poles, then one pole of each conjugate pair, with the rows of B (q + k) x m beside them. A row
/// of a pair is Re + i Im of its two planar states; rows of real poles are real.
struct modal_rows {
    index_t reals = 0;
    std::vector<std::complex<double>> poles;
    matrix<std::complex<double>> b;

    index_t size() const { return static_cast<index_t>(poles.size()); }
    index_t order() const { return 2 * size() - reals; }
    std::complex<double> pole(index_t i) const { return poles[static_cast<std::size_t>(i)]; }
};

namespace detail {

/// The elimination: owns what remains of B, by columns (b_j of all rows lie together, so that every loop over rows runs on
/// vectors), and appends real planar columns. Rows of real poles stay real throughout. A step goes over the rows in pieces
/// that stay in the L1: one pass through memory turns, multiplies and measures what remains.
template <class Domain>
class cauchy_elimination {
public:
    explicit cauchy_elimination(const modal_rows& s)
        : q_(s.reals), n_(s.size()), m_(std::max<index_t>(n_ > q_ ? 2 : 1, s.b.cols())), piece_(std::max<index_t>(64, 2048 / m_ / 8 * 8)),
          re_(at(n_)), im_(at(n_)), gap_(at(n_)), diag_(at(n_)), sum_(at(piece_)), largest_(at((n_ + piece_ - 1) / piece_)), b_(m_, n_),
          bi_(m_, n_ - q_), columns_{s.order()} {
        for (index_t i = 0; i < n_; ++i) {
            re_[at(i)] = s.pole(i).real();
            im_[at(i)] = s.pole(i).imag();
            gap_[at(i)] = Domain::gap({re_[at(i)], im_[at(i)]});
            for (index_t j = 0; j < s.b.cols(); ++j) {
                b_(j, i) = s.b(i, j).real();
                if (i >= q_) bi_(j, i - q_) = s.b(i, j).imag();
            }
        }
        over_pieces([&](index_t first, index_t count) { measure(first, count); });
    }
    /// The largest remaining diagonal entry of P, and where.
    std::pair<double, index_t> pivot() const {
        std::size_t best = 0;
        for (std::size_t k = 1; k < largest_.size(); ++k)
            if (largest_[k] > largest_[best]) best = k;
        if (largest_.empty() || !(largest_[best] > 0)) return {0, -1};
        index_t i = static_cast<index_t>(best) * piece_;
        while (diag_[at(i)] != largest_[best]) ++i;
        return {largest_[best], i};
    }
    void eliminate(index_t p) {
        if (p < q_) eliminate_real(p);
        else eliminate_pair(p);
    }
    /// What remains of the diagonal of P.
    const buffer<double>& diagonal() const { return diag_; }
    /// How many columns there are, and column k: planar, order of the system.
    index_t rank() const { return columns_.count; }
    const double* column(index_t k) const { return columns_[k]; }
    column_store take_columns() { return std::move(columns_); }

private:
    static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
    planar pole(index_t i) const { return {re_[at(i)], im_[at(i)]}; }

    /// f(first, count) for every piece of the rows; no piece holds real poles and pairs.
    template <class F>
    void over_pieces(F f) {
        for (index_t first = 0; first < n_; first += piece_) {
            const index_t end = std::min(n_, first + piece_), border = std::clamp(q_, first, end);
            largest_[at(first / piece_)] = 0;
            if (border > first) f(first, border - first);
            if (border < end) f(border, end - border);
        }
    }
    /// diag_ of some rows, and its maximum. Squares below the normal numbers have no digits left to divide by and count as
    /// nothing: equal poles leave such rows.
    void measure(index_t first, index_t count) {
        double* d = diag_.data() + first;
        const double* gap = gap_.data() + first;
        std::fill_n(d, count, 0.0);
        const auto add = [&](const double* x) {
            for (index_t i = 0; i < count; ++i) d[i] += x[i] * x[i];
        };
        for (index_t j = 0; j < m_; ++j) {
            add(b_.view().row(j) + first);
            if (first >= q_) add(bi_.view().row(j) + first - q_);
        }
        for (index_t i = 0; i < count; ++i) d[i] = d[i] > std::numeric_limits<double>::min() ? d[i] / gap[i] : 0;
        double& to = largest_[at(first / piece_)];
        to = std::max(to, maximum(d, count));
    }

    /// The reflection of columns [first, m) after which a row u of B has nothing behind its first entry.
    struct reflection {
        buffer<double> u, scaled;
        index_t first = 0;
        bool idle = true;
    };
    static reflection reflection_of(const buffer<double>& row, index_t first) {
        reflection h{{row.begin() + first, row.end()}, {}, first, true};
        double largest = 0, tail = 0;
        for (double x : h.u) largest = std::max(largest, std::abs(x));
        for (double& x : h.u) x = largest > 0 ? x / largest : 0;
        for (std::size_t j = 1; j < h.u.size(); ++j) tail += h.u[j] * h.u[j];
        if (tail == 0) return h;
        const double norm = std::sqrt(h.u[0] * h.u[0] + tail);
        h.u[0] += h.u[0] < 0 ? -norm : norm;
        const double scale = -2 / (h.u[0] * h.u[0] + tail);
        h.scaled = h.u;
        for (double& x : h.scaled) x *= scale;
        h.idle = false;
        return h;
    }
    /// The reflected columns of b, rows [from, from + count).
    void reflect(const reflection& h, matrix<double>& b, index_t from, index_t count) {
        if (h.idle) return;
        const auto k = static_cast<index_t>(h.u.size());
        const auto x = [&](index_t j) { return b.view().row(h.first + j) + from; };
        double* sum = sum_.data();
        std::fill_n(sum, count, 0.0);
        index_t j = 0;
        for (; j + 4 <= k; j += 4) {
            const double *x0 = x(j), *x1 = x(j + 1), *x2 = x(j + 2), *x3 = x(j + 3), *u = &h.u[at(j)];
            for (index_t i = 0; i < count; ++i) sum[i] += (u[0] * x0[i] + u[1] * x1[i]) + (u[2] * x2[i] + u[3] * x3[i]);
        }
        for (; j < k; ++j) axpy(h.u[at(j)], x(j), sum, count);
        for (j = 0; j < k; ++j) axpy(h.scaled[at(j)], sum, x(j), count);
    }
    static void reflect(const reflection& h, buffer<double>& row) {
        if (h.idle) return;
        double sum = 0;
        for (std::size_t j = 0; j < h.u.size(); ++j) sum += h.u[j] * row[j + at(h.first)];
        for (std::size_t j = 0; j < h.u.size(); ++j) row[j + at(h.first)] += h.scaled[j] * sum;
    }
    buffer<double> row_of(const matrix<double>& b, index_t i) const {
        buffer<double> row(at(m_));
        for (index_t j = 0; j < m_; ++j) row[at(j)] = b(j, i);
        return row;
    }
    /// After the last use of row p.
    void erase(index_t p, index_t first, index_t count) {
        if (p < first || p >= first + count) return;
        for (index_t j = 0; j < m_; ++j) {
            b_(j, p) = 0;
            if (p >= q_) bi_(j, p - q_) = 0;
        }
    }

    // With v turned onto the first unit vector only the first column of b takes part.
    void eliminate_real(index_t p) {
        auto row = row_of(b_, p);
        const auto turn = reflection_of(row, 0);
        reflect(turn, row);
        const double lp = re_[at(p)], gp = gap_[at(p)], size = std::copysign(std::sqrt(gp), row[0]);
        double* column = columns_.append();
        over_pieces([&](index_t first, index_t count) {
            reflect(turn, b_, first, count);
            double *x = b_.view().row(0) + first, *c = column + first;
            const double *re = re_.data() + first, *im = im_.data() + first, *gap = gap_.data() + first;
            if (first < q_) {
                for (index_t i = 0; i < count; ++i) {
                    const double inverse = 1 / Domain::denominator(re[i], gap[i], lp, gp);
                    c[i] = x[i] * (size * inverse);
                    x[i] *= Domain::numerator(re[i], lp) * inverse;
                }
            } else {
                reflect(turn, bi_, first - q_, count);
                double *y = bi_.view().row(0) + first - q_, *d = c + n_ - q_;
                for (index_t i = 0; i < count; ++i) {
                    const planar l{re[i], im[i]}, inverse = reciprocal(Domain::denominator(l, gap[i], {lp, 0}, gp));
                    const planar b{x[i], y[i]}, column_i = size * (b * inverse), rest = b * Domain::numerator(l, {lp, 0}) * inverse;
                    c[i] = column_i.re;
                    d[i] = column_i.im;
                    x[i] = rest.re;
                    y[i] = rest.im;
                }
            }
            erase(p, first, count);
            measure(first, count);
        });
    }

    // The steps for l_p and its conjugate, one after the other. Re b_p and Im b_p are first turned into the leading two
    // columns. Dividing each Blaschke factor by its value at a real boundary point makes the product of the two real,
    // so b stays conjugate-symmetric and one row a pair is enough. A 2 x 2 unitary matrix makes the columns real.
    void eliminate_pair(index_t p) {
        auto real_row = row_of(b_, p), imaginary_row = row_of(bi_, p - q_);
        const auto turn = reflection_of(real_row, 0);
        reflect(turn, real_row);
        reflect(turn, imaginary_row);
        const auto turn_again = reflection_of(imaginary_row, 1);
        reflect(turn_again, imaginary_row);
        const planar lp = pole(p), lq = conj(lp), b0{real_row[0], imaginary_row[0]}, b1{0, imaginary_row[1]};
        const double gp = gap_[at(p)], root = std::sqrt(gp), rho = std::hypot(abs(b0), abs(b1));
        const planar first = reciprocal(Domain::at_boundary(lp)), second = reciprocal(Domain::at_boundary(lq));
        const planar v0 = (1 / rho) * conj(b0), v1 = (1 / rho) * conj(b1), x0 = (-1 / rho) * b1, x1 = (1 / rho) * b0;  // x _|_ v

        // The row of the conjugate pole after the first step, in the basis (v, x): the second direction w, and y _|_ w.
        const planar between = reciprocal(Domain::denominator(lq, gp, lp, gp));
        const planar r0 = (conj(b0) * v0 + conj(b1) * v1) * Domain::numerator(lq, lp) * between * first;
        const planar r1 = conj(b0) * x0 + conj(b1) * x1;
        const double rest = std::hypot(abs(r0), abs(r1));
        const bool two = rest > 0;
        const planar w0 = two ? (1 / rest) * conj(r0) : planar{1, 0}, w1 = two ? (1 / rest) * conj(r1) : planar{0, 0};
        const planar y0 = two ? (-1 / rest) * r1 : planar{0, 0}, y1 = two ? (1 / rest) * r0 : planar{1, 0};

        // P restricted to (l_p, conj l_p) is [[a, z], [conj z, a]]; a - |z| follows from the second pivot delta^2.
        const double a = rho * rho / gp, delta2 = rest * rest / gp;
        const planar z = (b0 * b0 + b1 * b1) * reciprocal(Domain::denominator(lp, gp, lq, gp));
        const double sum = a + abs(z), cosine = std::sqrt(sum / (2 * a)), sine = std::sqrt(delta2 / (2 * sum));
        const planar phase = abs(z) > 0 ? square_root((1 / abs(z)) * z) : planar{1, 0};

        // Everything that does not depend on the row is folded into these.
        const double keep = two ? 1 : 0;
        const planar to_c1 = root * phase, to_c2 = (keep * root) * conj(phase), back = two ? second : planar{1, 0};
        double *even = columns_.append(), *odd = columns_.append();
        const index_t k = n_ - q_;
        over_pieces([&](index_t first_row, index_t count) {
            const bool real = first_row < q_;
            reflect(turn, b_, first_row, count);
            reflect(turn_again, b_, first_row, count);
            if (!real) {
                reflect(turn, bi_, first_row - q_, count);
                reflect(turn_again, bi_, first_row - q_, count);
            }
            double *e = even + first_row, *o = odd + first_row, *g0r = b_.view().row(0) + first_row,
                   *g1r = b_.view().row(1) + first_row, *g0i = real ? nullptr : bi_.view().row(0) + first_row - q_,
                   *g1i = real ? nullptr : bi_.view().row(1) + first_row - q_;
            const double *re = re_.data() + first_row, *im = im_.data() + first_row, *gap = gap_.data() + first_row;
            const auto row = [&](index_t i, planar& even_i, planar& odd_i, planar& g0, planar& g1) {
                const planar l{re[i], im[i]}, i1 = reciprocal(Domain::denominator(l, gap[i], lp, gp)),
                             i2 = reciprocal(Domain::denominator(l, gap[i], lq, gp));
                planar t = (g0 * v0 + g1 * v1) * i1;
                const planar s = g0 * x0 + g1 * x1, c1 = t * to_c1;
                t = t * Domain::numerator(l, lp) * first;
                planar t2 = t * w0 + s * w1;
                const planar s2 = t * y0 + s * y1, c2 = t2 * i2 * to_c2;
                even_i = cosine * c1 + sine * c2;
                odd_i = times_i(sine * c1 - cosine * c2);
                const planar factor = Domain::numerator(l, lq) * i2 * back;
                t2 = two ? t2 * factor : t2;
                t = t2 * conj(w0) + s2 * conj(y0);
                const planar s3 = t2 * conj(w1) + s2 * conj(y1);
                g0 = t * conj(v0) + s3 * conj(x0);
                g1 = t * conj(v1) + s3 * conj(x1);
            };
            if (real)
                for (index_t i = 0; i < count; ++i) {
                    planar ev, od, g0{g0r[i], 0}, g1{g1r[i], 0};
                    row(i, ev, od, g0, g1);
                    e[i] = ev.re;
                    o[i] = od.re;
                    g0r[i] = g0.re;
                    g1r[i] = g1.re;
                }
            else
                for (index_t i = 0; i < count; ++i) {
                    planar ev, od, g0{g0r[i], g0i[i]}, g1{g1r[i], g1i[i]};
                    row(i, ev, od, g0, g1);
                    e[i] = ev.re;
                    e[i + k] = ev.im;
                    o[i] = od.re;
                    o[i + k] = od.im;
                    g0r[i] = g0.re;
                    g0i[i] = g0.im;
                    g1r[i] = g1.re;
                    g1i[i] = g1.im;
                }
            erase(p, first_row, count);
            measure(first_row, count);
        });
        if (!two) columns_.drop();
    }

    index_t q_, n_, m_, piece_;
    buffer<double> re_, im_, gap_, diag_, sum_, largest_;  ///< largest_: of diag_, one a piece
    matrix<double> b_, bi_;  ///< real part of what remains of B^T, m x n; imaginary part, pairs alone
    column_store columns_;
};

}  // namespace detail

}  // namespace hrm
