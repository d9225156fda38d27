#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/reduction/detail/blaschke.hpp>

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
/// vectors), and appends real planar columns. Rows of real poles stay real throughout.
template <class Domain>
class cauchy_elimination {
public:
    explicit cauchy_elimination(const modal_rows& s)
        : q_(s.reals), n_(s.size()), m_(std::max<index_t>(2, s.b.cols())), re_(at(n_)), im_(at(n_)), gap_(at(n_)), diag_(at(n_)),
          b_(m_, n_), bi_(m_, n_) {
        for (index_t i = 0; i < n_; ++i) {
            re_[at(i)] = s.pole(i).real();
            im_[at(i)] = s.pole(i).imag();
            gap_[at(i)] = Domain::gap({re_[at(i)], im_[at(i)]});
            for (index_t j = 0; j < s.b.cols(); ++j) {
                b_(j, i) = s.b(i, j).real();
                bi_(j, i) = s.b(i, j).imag();
            }
        }
    }
    /// The largest remaining diagonal entry of P, and where.
    std::pair<double, index_t> pivot() {
        std::fill(diag_.begin(), diag_.end(), 0.0);
        for (index_t j = 0; j < m_; ++j) {
            const double *x = b_.view().row(j), *y = bi_.view().row(j);
            for (index_t i = 0; i < q_; ++i) diag_[at(i)] += x[i] * x[i];
            for (index_t i = q_; i < n_; ++i) diag_[at(i)] += x[i] * x[i] + y[i] * y[i];
        }
        // Squares below the normal numbers have no digits left to divide by: equal poles leave such rows.
        constexpr double tiny = std::numeric_limits<double>::min();
        std::pair<double, index_t> best{tiny, -1};
        for (index_t i = 0; i < n_; ++i)
            if (const double d = diag_[at(i)] / gap_[at(i)]; diag_[at(i)] > tiny && d > best.first) best = {d, i};
        return best;
    }
    void eliminate(index_t p) {
        if (p < q_) eliminate_real(p);
        else eliminate_pair(p);
    }
    const std::vector<buffer<double>>& columns() const { return columns_; }

private:
    static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
    planar pole(index_t i) const { return {re_[at(i)], im_[at(i)]}; }

    /// Turns columns [first, m) of every row so that the given real row becomes (.., beta, 0, ..).
    void turn_columns(const matrix<double>& part, index_t p, index_t first) {
        std::vector<double> u;
        for (index_t j = first; j < m_; ++j) u.push_back(part(j, p));
        double largest = 0, tail = 0;
        for (double x : u) largest = std::max(largest, std::abs(x));
        for (double& x : u) x = largest > 0 ? x / largest : 0;
        for (std::size_t j = 1; j < u.size(); ++j) tail += u[j] * u[j];
        if (tail == 0) return;
        const double norm = std::sqrt(u[0] * u[0] + tail);
        u[0] += u[0] < 0 ? -norm : norm;
        const double scale = -2 / (u[0] * u[0] + tail);
        const auto reflect = [&](matrix<double>& x, index_t from) {
            std::fill(diag_.begin(), diag_.end(), 0.0);
            for (index_t j = first; j < m_; ++j) axpy(u[at(j - first)], x.view().row(j) + from, diag_.data() + from, n_ - from);
            for (index_t j = first; j < m_; ++j) axpy(scale * u[at(j - first)], diag_.data() + from, x.view().row(j) + from, n_ - from);
        };
        reflect(b_, 0);
        reflect(bi_, q_);
    }
    void erase(index_t p) {
        for (index_t j = 0; j < m_; ++j) b_(j, p) = bi_(j, p) = 0;
    }

    // With v turned onto the first unit vector only the first column of b takes part.
    void eliminate_real(index_t p) {
        turn_columns(b_, p, 0);
        const double lp = re_[at(p)], gp = gap_[at(p)], size = std::copysign(std::sqrt(gp), b_(0, p));
        buffer<double> column(at(2 * n_ - q_));
        double *x = b_.view().row(0), *y = bi_.view().row(0), *c = column.data(), *d = c + n_ - q_;
        const double *re = re_.data(), *im = im_.data(), *gap = gap_.data();
        for (index_t i = 0; i < q_; ++i) {
            const double inverse = 1 / Domain::denominator(re[i], gap[i], lp, gp);
            c[i] = x[i] * (size * inverse);
            x[i] *= Domain::numerator(re[i], lp) * inverse;
        }
        for (index_t i = q_; i < n_; ++i) {
            const planar l{re[i], im[i]}, inverse = reciprocal(Domain::denominator(l, gap[i], {lp, 0}, gp));
            const planar b{x[i], y[i]}, column_i = size * (b * inverse), rest = b * Domain::numerator(l, {lp, 0}) * inverse;
            c[i] = column_i.re;
            d[i] = column_i.im;
            x[i] = rest.re;
            y[i] = rest.im;
        }
        erase(p);
        columns_.push_back(std::move(column));
    }

    // The steps for l_p and its conjugate, one after the other. Re b_p and Im b_p are first turned into the leading two
    // columns. Dividing each Blaschke factor by its value at a real boundary point makes the product of the two real,
    // so b stays conjugate-symmetric and one row a pair is enough. A 2 x 2 unitary matrix makes the columns real.
    void eliminate_pair(index_t p) {
        turn_columns(b_, p, 0);
        turn_columns(bi_, p, 1);
        const planar lp = pole(p), lq = conj(lp), b0{b_(0, p), bi_(0, p)}, b1{b_(1, p), bi_(1, p)};
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
        buffer<double> even(at(2 * n_ - q_)), odd(at(2 * n_ - q_));
        double *e = even.data(), *o = odd.data(), *g0r = b_.view().row(0), *g0i = bi_.view().row(0), *g1r = b_.view().row(1),
               *g1i = bi_.view().row(1);
        const double *re = re_.data(), *im = im_.data(), *gap = gap_.data();
        const index_t k = n_ - q_;
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
        for (index_t i = 0; i < q_; ++i) {
            planar ev, od, g0{g0r[i], 0}, g1{g1r[i], 0};
            row(i, ev, od, g0, g1);
            e[i] = ev.re;
            o[i] = od.re;
            g0r[i] = g0.re;
            g1r[i] = g1.re;
        }
        for (index_t i = q_; i < n_; ++i) {
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
        erase(p);
        columns_.push_back(std::move(even));
        if (two) columns_.push_back(std::move(odd));
    }

    index_t q_, n_, m_;
    buffer<double> re_, im_, gap_, diag_;
    matrix<double> b_, bi_;  ///< real and imaginary part of what remains of B^T, m x n
    std::vector<buffer<double>> columns_;
};

}  // namespace detail

/// L with L L^T = the controllability Gramian, planar real states: order x rank, columns in order of elimination.
/// Stops when what remains is below tolerance^2 of the largest diagonal entry; 0 goes on to the end. O(n m rank).
/// Poles must lie in the domain: the caller checks, since only it can name them.
template <class Domain>
matrix<double> cauchy_factor(const modal_rows& system, double tolerance = 0) {
    detail::cauchy_elimination<Domain> work(system);
    const double floor = work.pivot().first * tolerance * tolerance;
    while (static_cast<index_t>(work.columns().size()) < system.order()) {
        const auto [size, p] = work.pivot();
        if (p < 0 || size <= floor) break;
        work.eliminate(p);
    }
    const auto& columns = work.columns();
    matrix<double> l(system.order(), static_cast<index_t>(columns.size()));
    for (index_t j = 0; j < l.cols(); ++j)
        for (index_t i = 0; i < l.rows(); ++i)
            l(i, j) = columns[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)];
    return l;
}

}  // namespace hrm
