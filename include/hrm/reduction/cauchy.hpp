#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/elementary.hpp>

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

/// Where stable poles live: |l| < 1.
struct unit_disk {
    using complex = std::complex<double>;
    /// 1 - x conj(p), to relative accuracy also where both lie next to the circle (hence the wider scalar).
    static complex denominator(complex x, complex p) {
        const long double a = x.real(), b = x.imag(), c = p.real(), d = p.imag();
        return {static_cast<double>(1 - a * c - b * d), static_cast<double>(a * d - b * c)};
    }
    static complex blaschke(complex x, complex p) { return (x - p) / denominator(x, p); }
    /// blaschke(1, p): of modulus one.
    static complex at_boundary(complex p) { return (1.0 - p) / (1.0 - std::conj(p)); }
};
/// Where stable poles live: Re l < 0.
struct half_plane {
    using complex = std::complex<double>;
    static complex denominator(complex x, complex p) { return -(x + std::conj(p)); }
    static complex blaschke(complex x, complex p) { return (p - x) / denominator(x, p); }
    static complex at_boundary(complex) { return 1.0; }  // at infinity
};

namespace detail {

/// Turns columns [first, m) of every row so that the given real row becomes (.., beta, 0, ..).
inline void reflect_columns(matrix<std::complex<double>>& b, std::vector<double> x, index_t first) {
    const index_t m = b.cols(), len = m - first;
    if (len < 2) return;
    double* u = x.data() + first;
    const double tail = dot(u + 1, u + 1, len - 1);
    if (tail == 0) return;
    const double norm = std::sqrt(u[0] * u[0] + tail);
    u[0] += u[0] < 0 ? -norm : norm;
    const double scale = 2 / (u[0] * u[0] + tail);
    for (index_t i = 0; i < b.rows(); ++i) {
        std::complex<double> sum = 0;
        for (index_t j = 0; j < len; ++j) sum += b(i, first + j) * u[j];
        for (index_t j = 0; j < len; ++j) b(i, first + j) -= scale * u[j] * sum;
    }
}

/// The elimination: owns what remains of B, and appends real planar columns.
template <class Domain>
class cauchy_elimination {
    using complex = std::complex<double>;

public:
    explicit cauchy_elimination(const modal_rows& s)
        : s_(s), b_(s.size(), std::max<index_t>(2, s.b.cols())), gap_(s.poles.size()) {
        for (index_t i = 0; i < s.size(); ++i) {
            gap_[at(i)] = Domain::denominator(s.pole(i), s.pole(i)).real();
            for (index_t j = 0; j < s.b.cols(); ++j) b_(i, j) = s.b(i, j);
        }
    }
    /// The largest remaining diagonal entry of P, and where.
    std::pair<double, index_t> pivot() const {
        std::pair<double, index_t> best{0, -1};
        for (index_t i = 0; i < s_.size(); ++i) {
            double sum = 0;
            for (index_t j = 0; j < b_.cols(); ++j) sum += std::norm(b_(i, j));
            if (const double d = sum / gap_[at(i)]; d > best.first) best = {d, i};
        }
        return best;
    }
    void eliminate(index_t p) {
        if (p < s_.reals) eliminate_real(p);
        else eliminate_pair(p);
    }
    const std::vector<std::vector<double>>& columns() const { return columns_; }

private:
    static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

    std::vector<double> part(index_t row, bool imaginary) const {
        std::vector<double> x(at(b_.cols()));
        for (index_t j = 0; j < b_.cols(); ++j) x[at(j)] = imaginary ? b_(row, j).imag() : b_(row, j).real();
        return x;
    }
    /// A column of complex entries, one a row of b, becomes one of planar real states.
    void append(const std::vector<complex>& c) {
        const index_t q = s_.reals, k = s_.size() - q;
        std::vector<double> y(at(q + 2 * k));
        for (index_t i = 0; i < q + k; ++i) y[at(i)] = c[at(i)].real();
        for (index_t i = 0; i < k; ++i) y[at(q + k + i)] = c[at(q + i)].imag();
        columns_.push_back(std::move(y));
    }

    // With v turned onto the first unit vector only the first column of b takes part.
    void eliminate_real(index_t p) {
        reflect_columns(b_, part(p, false), 0);
        const complex lp = s_.pole(p);
        const double size = std::copysign(std::sqrt(gap_[at(p)]), b_(p, 0).real());
        std::vector<complex> column(s_.poles.size());
        for (index_t i = 0; i < s_.size(); ++i) {
            const complex l = s_.pole(i);
            column[at(i)] = b_(i, 0) * size / Domain::denominator(l, lp);
            b_(i, 0) *= Domain::blaschke(l, lp);
        }
        for (index_t j = 0; j < b_.cols(); ++j) b_(p, j) = 0;
        append(column);
    }

    // The steps for l_p and its conjugate, one after the other. Re b_p and Im b_p are first turned into the leading two
    // columns. Dividing each Blaschke factor by its value at a real boundary point makes the product of the two real,
    // so b stays conjugate-symmetric and one row a pair is enough. A 2 x 2 unitary matrix makes the columns real.
    void eliminate_pair(index_t p) {
        reflect_columns(b_, part(p, false), 0);
        reflect_columns(b_, part(p, true), 1);
        const complex lp = s_.pole(p), lq = std::conj(lp), b0 = b_(p, 0), b1 = b_(p, 1);
        const double root = std::sqrt(gap_[at(p)]), rho = std::hypot(std::abs(b0), std::abs(b1));
        const complex first = 1.0 / Domain::at_boundary(lp), second = 1.0 / Domain::at_boundary(lq);
        const complex v0 = std::conj(b0) / rho, v1 = std::conj(b1) / rho, x0 = -b1 / rho, x1 = b0 / rho;  // x _|_ v

        // The row of the conjugate pole after the first step, in the basis (v, x): the second direction w, and y _|_ w.
        const complex r0 = (std::conj(b0) * v0 + std::conj(b1) * v1) * Domain::blaschke(lq, lp) * first;
        const complex r1 = std::conj(b0) * x0 + std::conj(b1) * x1;
        const double rest = std::hypot(std::abs(r0), std::abs(r1));
        const bool two = rest > 0;
        const complex w0 = two ? std::conj(r0) / rest : 1.0, w1 = two ? std::conj(r1) / rest : 0.0;
        const complex y0 = two ? -r1 / rest : 0.0, y1 = two ? r0 / rest : 1.0;

        // P restricted to (l_p, conj l_p) is [[a, z], [conj z, a]]; a - |z| follows from the second pivot delta^2.
        const double a = rho * rho / gap_[at(p)], delta2 = rest * rest / gap_[at(p)];
        const complex z = (b0 * b0 + b1 * b1) / Domain::denominator(lp, lq);
        const double sum = a + std::abs(z), cosine = std::sqrt(sum / (2 * a)), sine = std::sqrt(delta2 / (2 * sum));
        const complex phase = std::abs(z) > 0 ? std::sqrt(z / std::abs(z)) : complex(1);

        std::vector<complex> even(s_.poles.size()), odd(s_.poles.size());
        for (index_t i = 0; i < s_.size(); ++i) {
            const complex l = s_.pole(i), g0 = b_(i, 0), g1 = b_(i, 1);
            complex t = g0 * v0 + g1 * v1, s = g0 * x0 + g1 * x1;
            const complex c1 = t * root / Domain::denominator(l, lp) * phase;
            t *= Domain::blaschke(l, lp) * first;
            complex t2 = t * w0 + s * w1;
            const complex s2 = t * y0 + s * y1;
            const complex c2 = two ? t2 * root / Domain::denominator(l, lq) * std::conj(phase) : 0.0;
            even[at(i)] = cosine * c1 + sine * c2;
            odd[at(i)] = complex(0, 1) * (sine * c1 - cosine * c2);
            if (two) t2 *= Domain::blaschke(l, lq) * second;
            t = t2 * std::conj(w0) + s2 * std::conj(y0);
            s = t2 * std::conj(w1) + s2 * std::conj(y1);
            b_(i, 0) = t * std::conj(v0) + s * std::conj(x0);
            b_(i, 1) = t * std::conj(v1) + s * std::conj(x1);
            if (i < s_.reals) b_(i, 0).imag(0), b_(i, 1).imag(0);
        }
        for (index_t j = 0; j < b_.cols(); ++j) b_(p, j) = 0;
        append(even);
        if (two) append(odd);
    }

    const modal_rows& s_;
    matrix<complex> b_;
    std::vector<double> gap_;
    std::vector<std::vector<double>> columns_;
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
