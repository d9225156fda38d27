#pragma once

#include <vector>

#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/detail/cauchy_step.hpp>

// The product Lo^T Lc of two Cauchy factors from the steps that made them, without a sum over the states. A step takes B to B', one of the
// adjoint system D to D'. With l, s^2 and m, t^2 their poles and gaps, in discrete time and (in continuous time):
//     A c = l c + s B' v,    B v = s c - conj(l) B' v      ( A c = l c - s B' v,    B v = s c + B' v )
//     A^* o = m o + t D' w,  D w = t o - conj(m) D' w      ( and so on )
// so that between f = o^* B v, known from the steps for c before it, and e' = (D' w)^* c, from the steps for o behind it,
//     d o^* c = s f + conj(l) t e',         d = 1 - conj(l m)      ( d o^* c = s f - t e',               d = - conj(l + m) )
//     d f' = (conj(m) - l) f + s t e'                              ( d f' = (l - conj(m)) f + s t e' )
//     d e = (conj(l) - m) e' + s t f                               ( d e = (m - conj(l)) e' + s t f ).
// From (f, e') to (f', e) is a unitary step: nothing grows, and entries are off by rounding beside sum_i |o_i| |c_i| over the rows of the
// factors, as those of the sum are; their own size is not a measure.

namespace hrm::detail {

/// What a factor's product needs of it: its steps, and what they leave of B.
template <class Domain>
struct cauchy_record {
    std::vector<cauchy_step<Domain>> steps;
    matrix<double> rest;
    std::vector<buffer<double>> stores;  ///< memory for columns, from one factor to the next
};

/// Both sides' steps once: O(n m) a column and O(m + p) an entry.
template <class Domain>
class cauchy_product {
public:
    using step = cauchy_step<Domain>;

    /// lc, lo: order x their columns;  b: what lc was made from, planar real states;  o: the steps of lo.
    static matrix<double> of(const matrix<double>& lc, const std::vector<step>& c, const matrix<double>& b, const matrix<double>& lo,
                             const cauchy_record<Domain>& o) {
        constexpr index_t lanes = simd::lanes<double>;
        const index_t rows = lo.cols(), cols = lc.cols(), height = (rows + lanes - 1) / lanes * lanes;
        matrix<double> k(rows, cols), f(std::max<index_t>(2, b.cols()), height), e(cols, o.rest.cols());  // B^T Lo and Lc^T D, step by step
        multiply(transposed(b.view()), lo.view(), f.view().slice_rows(0, b.cols()).slice_cols(0, rows));
        multiply(transposed(lc.view()), o.rest.view(), e.view());
        index_t col = 0;
        for (const step& own : c) {
            own.turn_.apply(f.data(), height);
            own.second_turn_.apply(f.data(), height);
            index_t row = rows;
            for (auto other = o.steps.rbegin(); other != o.steps.rend(); ++other) {
                row -= other->columns();
                double *x = f.data() + row, *y = e.view().row(col);
                const auto to = k.view().slice_rows(row, other->columns()).slice_cols(col, own.columns());
                if (own.pair_ || other->pair_) meet(*other, own, x, height, y, e.cols(), to);
                else to(0, 0) = meet(*other, own, *x, *y);
                for (index_t i = 0; i < own.columns(); ++i) {
                    other->second_turn_.apply(y + i * e.cols());
                    other->turn_.apply(y + i * e.cols());
                }
            }
            col += own.columns();
        }
        return k;
    }

private:
    /// Of two real poles. Leaves f' and e.
    static double meet(const step& o, const step& c, double& f, double& e) {
        const double l = c.lp_.re, m = o.lp_.re, s = c.size_, t = o.size_, x = f, y = e, inverse = 1 / Domain::denominator(l, c.gp_, m, o.gp_);
        f = (Domain::numerator(m, l) * x + s * t * y) * inverse;
        e = (Domain::numerator(l, m) * y + s * t * x) * inverse;
        return (s * x + Domain::echo(l) * t * y) * inverse;
    }

    // A pair is two complex steps, whose columns c1, c2 a unitary M takes to the real ones, [even odd] = [c1 c2] M.
    using square = planar[2][2];
    static void mix(const step& s, planar& first, planar& second) {  // M [first second]^T
        const planar x = first, y = times_i(second);
        first = s.both_.cosine * x + s.both_.sine * y;
        second = s.both_.sine * x - s.both_.cosine * y;
    }
    static void unmix(const step& s, planar& first, planar& second) {  // M^* [first second]^T
        const planar x = first, y = second;
        first = s.both_.cosine * x + s.both_.sine * y;
        second = times_i(s.both_.cosine * y - s.both_.sine * x);
    }
    /// A row's leading two numbers in the bases (v, x) and (w, y) of a pair's steps, and out of them again.
    static void into(planar (&row)[2], const planar& p0, const planar& p1, const planar& q0, const planar& q1) {
        const planar a = row[0], b = row[1];
        row[0] = a * p0 + b * p1;
        row[1] = a * q0 + b * q1;
    }
    static void into_first(const step& s, planar (&row)[2]) { into(row, s.both_.v0, s.both_.v1, s.both_.x0, s.both_.x1); }
    static void into_second(const step& s, planar (&row)[2]) { into(row, s.both_.w0, s.both_.w1, s.both_.y0, s.both_.y1); }
    static void out_of_first(const step& s, planar (&row)[2]) { into(row, conj(s.both_.v0), conj(s.both_.x0), conj(s.both_.v1), conj(s.both_.x1)); }
    static void out_of_second(const step& s, planar (&row)[2]) { into(row, conj(s.both_.w0), conj(s.both_.y0), conj(s.both_.w1), conj(s.both_.y1)); }

    /// A step's column: its pole; sqrt(gap) with the phase of the column; what its Blaschke factor was multiplied by.
    struct column {
        planar pole, size, phase;
    };
    static column column_of(const step& s, index_t i) {
        if (!s.pair_) return {s.lp_, {s.size_, 0}, {1, 0}};
        return i == 0 ? column{s.lp_, s.both_.to_c1, s.both_.first} : column{conj(s.lp_), s.both_.to_c2, s.both_.back};
    }

    /// One of them a pair. x: o^T B, a row beside the other, whose columns are `apart`; y: c^T D, row after row of y_apart;  to: o^T c.
    static void meet(const step& o, const step& c, double* x, index_t apart, double* y, index_t y_apart, matrix_view<double> to) {
        square f = {}, e = {}, k = {};  // o^* B;  c^* D, the conjugates of the e above
        const index_t rows = o.columns(), cols = c.columns();
        for (index_t i = 0; i < rows; ++i)
            for (index_t j = 0; j < 1 + c.pair_; ++j) f[i][j] = {x[i + j * apart], 0};
        for (index_t i = 0; i < cols; ++i)
            for (index_t j = 0; j < 1 + o.pair_; ++j) e[i][j] = {y[i * y_apart + j], 0};
        for (index_t j = 0; j < 2; ++j) {
            if (rows == 2) mix(o, f[0][j], f[1][j]);
            if (cols == 2) mix(c, e[0][j], e[1][j]);
        }
        for (auto& row : e) {
            if (o.pair_) into_first(o, row);
            if (rows == 2) into_second(o, row);
        }
        for (index_t i = rows - 1; i >= 0; --i) {
            const auto [m, t, of_o] = column_of(o, i);
            if (c.pair_) into_first(c, f[i]);
            for (index_t j = 0; j < cols; ++j) {
                if (j == 1) into_second(c, f[i]);
                const auto [l, s, of_c] = column_of(c, j);
                const planar before = f[i][0], behind = of_o * conj(e[j][0]), along = s * t;
                const planar inverse = reciprocal(Domain::denominator(conj(l), c.gp_, m, o.gp_));
                k[i][j] = (s * before + Domain::echo(l) * conj(t) * behind) * inverse;
                f[i][0] = of_c * (Domain::numerator(conj(m), l) * before + conj(along) * behind) * inverse;
                e[j][0] = conj((Domain::numerator(conj(l), m) * behind + along * before) * inverse);
            }
            if (cols == 2) out_of_second(c, f[i]);
            if (c.pair_) out_of_first(c, f[i]);
            if (i == 1)
                for (auto& row : e) out_of_second(o, row);
        }
        for (auto& row : e)
            if (o.pair_) out_of_first(o, row);
        for (index_t j = 0; j < 2; ++j) {
            if (rows == 2) unmix(o, f[0][j], f[1][j]), unmix(o, k[0][j], k[1][j]);
            if (cols == 2) unmix(c, e[0][j], e[1][j]);
        }
        for (index_t i = 0; i < rows; ++i) {
            for (index_t j = 0; j < 1 + c.pair_; ++j) x[i + j * apart] = f[i][j].re;
            if (cols == 2) {  // k M is real, so that it is the conjugate of M^* conj(k)^T
                k[i][0] = conj(k[i][0]), k[i][1] = conj(k[i][1]);
                unmix(c, k[i][0], k[i][1]);
            }
            for (index_t j = 0; j < cols; ++j) to(i, j) = k[i][j].re;
        }
        for (index_t i = 0; i < cols; ++i)
            for (index_t j = 0; j < 1 + o.pair_; ++j) y[i * y_apart + j] = e[i][j].re;
    }
};

}  // namespace hrm::detail
