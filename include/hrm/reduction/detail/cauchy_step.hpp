#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/reduction/detail/blaschke.hpp>

// One step of the pivoted elimination of a Cauchy-like Gramian (cauchy.hpp), on blocks of rows.

namespace hrm::detail {

/// Rows of what remains of B, `wide` of them side by side: all rows of a block lie in the nearest cache while one step of
/// the elimination after the other goes over them. Real poles first, whose rows have no imaginary part; then pairs. What
/// fills the last block of either up is a pole at 0 and a row of zeros, which stay zeros.
struct cauchy_rows {
    static constexpr index_t wide = 32;
    index_t m = 0, reals = 0, blocks = 0;   ///< columns of B; blocks of real poles, blocks in all
    buffer<double> re, im, gap, diagonal;   ///< diagonal: P_ii
    buffer<double> b;                       ///< a block: m x wide; the imaginary parts of pairs after all real parts

    cauchy_rows(index_t columns, index_t q, index_t k)
        : m(columns), reals((q + wide - 1) / wide), blocks(reals + (k + wide - 1) / wide), re(places()), im(places()), gap(places(), 1.0),
          diagonal(places()), b(static_cast<std::size_t>((2 * blocks - reals) * m * wide)) {}
    std::size_t places() const { return static_cast<std::size_t>(blocks * wide); }
    /// Where mode i lies, of q real ones and the pairs behind them.
    std::size_t place(index_t i, index_t q) const { return static_cast<std::size_t>(i < q ? i : reals * wide + i - q); }
    bool is_pair(std::size_t place) const { return static_cast<index_t>(place) >= reals * wide; }
    double* part(index_t block) { return b.data() + block * m * wide; }
    double* imaginary(index_t block) { return part(blocks + block - reals); }
    double& at(std::size_t place, index_t j) { return part(static_cast<index_t>(place) / wide)[j * wide + static_cast<index_t>(place) % wide]; }
    double& imaginary_at(std::size_t place, index_t j) {
        return imaginary(static_cast<index_t>(place) / wide)[j * wide + static_cast<index_t>(place) % wide];
    }
    void copy(std::size_t to, cauchy_rows& from, std::size_t place) {
        re[to] = from.re[place];
        im[to] = from.im[place];
        gap[to] = from.gap[place];
        diagonal[to] = from.diagonal[place];
        for (index_t j = 0; j < m; ++j) {
            at(to, j) = from.at(place, j);
            if (is_pair(to)) imaginary_at(to, j) = from.imaginary_at(place, j);
        }
    }
    void erase(std::size_t place) {
        for (index_t j = 0; j < m; ++j) {
            at(place, j) = 0;
            if (is_pair(place)) imaginary_at(place, j) = 0;
        }
    }
    /// P_ii. Squares below the normal numbers have no digits left to divide by (equal poles leave such rows): 0.
    void measure(index_t block) {
        double sum[wide] = {};  // no one else's: the loops stay in registers
        const auto add = [&](const double* x) {
            for (index_t j = 0; j < m; ++j)
                for (index_t i = 0; i < wide; ++i) sum[i] += x[j * wide + i] * x[j * wide + i];
        };
        add(part(block));
        if (block >= reals) add(imaginary(block));
        for (index_t i = block * wide; i < (block + 1) * wide; ++i) {
            const double s = sum[i - block * wide];
            diagonal[static_cast<std::size_t>(i)] = s > std::numeric_limits<double>::min() ? s / gap[static_cast<std::size_t>(i)] : 0;
        }
    }
};

/// A reflection of the columns [first, m) of B that turns one row of it into (.., beta, 0, ..).
struct column_reflection {
    index_t first = 0;
    std::vector<double> u;
    double scale = 0;

    column_reflection() = default;
    column_reflection(const std::vector<double>& row, index_t from) : first(from), u(row.begin() + from, row.end()) {
        double largest = 0, tail = 0;
        for (double x : u) largest = std::max(largest, std::abs(x));
        for (double& x : u) x = largest > 0 ? x / largest : 0;
        for (std::size_t j = 1; j < u.size(); ++j) tail += u[j] * u[j];
        if (tail == 0) return;
        const double norm = std::sqrt(u[0] * u[0] + tail);
        u[0] += u[0] < 0 ? -norm : norm;
        scale = -2 / (u[0] * u[0] + tail);
    }
    /// To `wide` rows side by side.
    template <index_t wide>
    void apply(double* x) const {
        if (scale == 0) return;
        double sum[wide] = {};
        x += first * wide;
        for (std::size_t j = 0; j < u.size(); ++j) {
            const double f = u[j], *row = x + static_cast<index_t>(j) * wide;
            for (index_t i = 0; i < wide; ++i) sum[i] += f * row[i];
        }
        for (std::size_t j = 0; j < u.size(); ++j) {
            const double f = scale * u[j];
            double* row = x + static_cast<index_t>(j) * wide;
            for (index_t i = 0; i < wide; ++i) row[i] += f * sum[i];
        }
    }
    void apply(std::vector<double>& row) const { apply<1>(row.data()); }
};

/// One step of the elimination, made from its pivot's row: everything that does not depend on the other rows.
///     real pole   with v turned onto the first unit vector only the first column of b takes part
///     pair        the steps for l_p and its conjugate, one after the other. Re b_p and Im b_p are first turned into the
///                 leading two columns. Dividing each Blaschke factor by its value at a real boundary point makes the product
///                 of the two real, so b stays conjugate-symmetric and one row a pair is enough. A 2 x 2 unitary matrix makes
///                 the columns real.
template <class Domain>
class cauchy_step {
public:
    cauchy_step(cauchy_rows& rows, std::size_t p) : pair_(rows.is_pair(p)), lp_(rows.re[p]), gp_(rows.gap[p]) {
        std::vector<double> x(static_cast<std::size_t>(rows.m)), y(x.size());
        for (std::size_t j = 0; j < x.size(); ++j) {
            x[j] = rows.at(p, static_cast<index_t>(j));
            if (pair_) y[j] = rows.imaginary_at(p, static_cast<index_t>(j));
        }
        turn_ = {x, 0};
        turn_.apply(x);
        if (!pair_) {
            size_ = std::copysign(std::sqrt(gp_), x[0]);
            return;
        }
        turn_.apply(y);
        second_turn_ = {y, 1};
        second_turn_.apply(x);
        second_turn_.apply(y);
        const planar lp{rows.re[p], rows.im[p]}, lq = conj(lp), b0{x[0], y[0]}, b1{x[1], y[1]};
        const double gp = gp_, root = std::sqrt(gp), rho = std::hypot(abs(b0), abs(b1));
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
        both_ = {lp, gp, cosine, sine, two, first, v0, v1, x0, x1, w0, w1, y0, y1,
                 root * phase, ((two ? 1 : 0) * root) * conj(phase), two ? second : planar{1, 0}};
    }
    index_t columns() const { return pair_ && both_.two ? 2 : 1; }

    /// To a block of rows. c: the new columns' real parts, then their imaginary parts where the rows are pairs, `wide` each.
    void apply(cauchy_rows& rows, index_t block, double* __restrict c) const {
        constexpr index_t W = cauchy_rows::wide;
        const double *re = rows.re.data() + block * W, *im = rows.im.data() + block * W, *gap = rows.gap.data() + block * W;
        const bool pairs = block >= rows.reals;
        double *__restrict x = rows.part(block), *__restrict y = pairs ? rows.imaginary(block) : nullptr;
        for (double* part : {x, y}) {
            if (!part) continue;
            turn_.template apply<W>(part);
            second_turn_.template apply<W>(part);
        }
        const double lp = lp_, gp = gp_, size = size_;
        if (!pair_ && !pairs)
            for (index_t i = 0; i < W; ++i) {
                const double inverse = 1 / Domain::denominator(re[i], gap[i], lp, gp);
                c[i] = x[i] * (size * inverse);
                x[i] *= Domain::numerator(re[i], lp) * inverse;
            }
        else if (!pair_)
            for (index_t i = 0; i < W; ++i) {
                const planar l{re[i], im[i]}, inverse = reciprocal(Domain::denominator(l, gap[i], {lp, 0}, gp));
                const planar b{x[i], y[i]}, column = size * (b * inverse), rest = b * Domain::numerator(l, {lp, 0}) * inverse;
                c[i] = column.re, c[W + i] = column.im;
                x[i] = rest.re, y[i] = rest.im;
            }
        else {
            double* d = c + (pairs ? 2 : 1) * W;  // the second column
            const two_poles both = both_;
            for (index_t i = 0; i < W; ++i) {
                planar even, odd, g0{x[i], pairs ? y[i] : 0}, g1{x[W + i], pairs ? y[W + i] : 0};
                both.row({re[i], im[i]}, gap[i], even, odd, g0, g1);
                c[i] = even.re, d[i] = odd.re;
                x[i] = g0.re, x[W + i] = g1.re;
                if (!pairs) continue;
                c[W + i] = even.im, d[W + i] = odd.im;
                y[i] = g0.im, y[W + i] = g1.im;
            }
        }
    }

private:
    /// What the rows of a step for two conjugate poles share.
    struct two_poles {
        planar lp;
        double gp, cosine, sine;
        bool two;
        planar first, v0, v1, x0, x1, w0, w1, y0, y1, to_c1, to_c2, back;

        void row(planar l, double gap, planar& even, planar& odd, planar& g0, planar& g1) const {
            const planar lq = conj(lp), i1 = reciprocal(Domain::denominator(l, gap, lp, gp)), i2 = reciprocal(Domain::denominator(l, gap, lq, gp));
            planar t = (g0 * v0 + g1 * v1) * i1;
            const planar s = g0 * x0 + g1 * x1, c1 = t * to_c1;
            t = t * Domain::numerator(l, lp) * first;
            planar t2 = t * w0 + s * w1;
            const planar s2 = t * y0 + s * y1, c2 = t2 * i2 * to_c2;
            even = cosine * c1 + sine * c2;
            odd = times_i(sine * c1 - cosine * c2);
            const planar factor = Domain::numerator(l, lq) * i2 * back;
            t2 = two ? t2 * factor : t2;
            t = t2 * conj(w0) + s2 * conj(y0);
            const planar s3 = t2 * conj(w1) + s2 * conj(y1);
            g0 = t * conj(v0) + s3 * conj(x0);
            g1 = t * conj(v1) + s3 * conj(x1);
        }
    };

    bool pair_;
    double lp_, gp_, size_ = 0;
    column_reflection turn_, second_turn_;
    two_poles both_ = {};
};

}  // namespace hrm::detail
