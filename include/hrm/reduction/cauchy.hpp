#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/reduction/detail/cauchy_step.hpp>

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

/// The elimination goes over all rows once for many steps: their pivots come from a few rows carried along by themselves. What
/// remains of P only shrinks, so that a candidate of a quarter of the largest before is one of the largest now.
template <class Domain>
class cauchy_elimination {
public:
    explicit cauchy_elimination(const modal_rows& s)
        : q_(s.reals), n_(s.size()), rows_(std::max<index_t>(2, s.b.cols()), q_, n_ - q_) {
        for (index_t i = 0; i < n_; ++i) {
            const auto at = rows_.place(i, q_);
            rows_.re[at] = s.pole(i).real();
            rows_.im[at] = s.pole(i).imag();
            rows_.gap[at] = Domain::gap({rows_.re[at], rows_.im[at]});
            for (index_t j = 0; j < s.b.cols(); ++j) {
                rows_.at(at, j) = s.b(i, j).real();
                if (i >= q_) rows_.imaginary_at(at, j) = s.b(i, j).imag();
            }
        }
        for (index_t k = 0; k < rows_.blocks; ++k) rows_.measure(k);
    }
    index_t columns() const { return columns_; }
    /// The largest remaining diagonal entry of P.
    double largest() const {
        double d = 0;
        for (std::size_t i = 0; i < rows_.places(); ++i) d = std::max(d, rows_.diagonal[i]);
        return d;
    }
    /// Some steps, at most `most` columns (or one more), none with a pivot of `floor` or less. False where there is none.
    bool eliminate(double floor, index_t most) {
        // Of every group of rows the largest, and of those some of the largest: neighbours shrink together. With few inputs
        // one step leaves nothing of its size, and all rows are looked at or none.
        const auto candidates = static_cast<std::size_t>(rows_.m >= 4 ? many : n_ <= 8 * many ? n_ : 1);
        std::vector<std::size_t> all;
        const std::size_t group = std::max<std::size_t>(1, rows_.places() / (4 * candidates));
        double largest = 0;
        for (std::size_t i = 0; i < rows_.places(); i += group) {
            const auto begin = rows_.diagonal.begin(), at = begin + static_cast<std::ptrdiff_t>(i);
            const auto best = std::max_element(at, begin + static_cast<std::ptrdiff_t>(std::min(i + group, rows_.places())));
            if (*best > floor) all.push_back(static_cast<std::size_t>(best - begin));
            largest = std::max(largest, *best);
        }
        if (all.empty()) return false;
        const bool every = group == 1 && all.size() <= candidates;  // row that is left: then nothing is overlooked
        const auto few = std::min<std::size_t>(candidates, all.size());
        std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(few - 1), all.end(), [&](std::size_t i, std::size_t k) {
            return std::pair(rows_.diagonal[i], k) > std::pair(rows_.diagonal[k], i);
        });
        all.resize(few);
        std::sort(all.begin(), all.end());  // real poles first, and ties to the first of all
        const auto real = static_cast<index_t>(std::count_if(all.begin(), all.end(), [&](auto i) { return !rows_.is_pair(i); }));
        cauchy_rows own(rows_.m, real, static_cast<index_t>(few) - real);
        for (index_t i = 0; i < static_cast<index_t>(few); ++i) own.copy(own.place(i, real), rows_, all[static_cast<std::size_t>(i)]);

        std::vector<cauchy_step<Domain>> steps;
        std::vector<std::size_t> pivots;
        index_t made = 0;
        double scratch[4 * cauchy_rows::wide];
        while (made < std::min<index_t>(most, together)) {
            index_t best = 0;
            for (index_t i = 1; i < static_cast<index_t>(few); ++i)
                if (own.diagonal[own.place(i, real)] > own.diagonal[own.place(best, real)]) best = i;
            const auto at = own.place(best, real);
            if (!(own.diagonal[at] > floor) || (!every && own.diagonal[at] < largest / 4)) break;
            steps.emplace_back(own, at);
            pivots.push_back(all[static_cast<std::size_t>(best)]);
            made += steps.back().columns();
            for (index_t k = 0; k < own.blocks; ++k) {
                steps.back().apply(own, k, scratch);
                if (static_cast<index_t>(at) / cauchy_rows::wide == k) own.erase(at);
                own.measure(k);
            }
        }
        sweep(steps, pivots, made);
        return true;
    }
    /// order x columns().
    matrix<double> factor() const {
        matrix<double> l(2 * n_ - q_, columns_);
        for (index_t first = 0; first < l.rows(); first += cauchy_rows::wide) {
            index_t at = 0;
            for (const auto& p : panels_) {
                for (index_t i = first; i < std::min(l.rows(), first + cauchy_rows::wide); ++i)
                    for (index_t j = 0; j < p.cols(); ++j) l(i, at + j) = p(i, j);
                at += p.cols();
            }
        }
        return l;
    }

private:
    static constexpr index_t many = 64;
    static constexpr index_t together = 16;

    void sweep(const std::vector<cauchy_step<Domain>>& steps, const std::vector<std::size_t>& pivots, index_t made) {
        constexpr index_t W = cauchy_rows::wide;
        matrix<double> panel(2 * n_ - q_, made);
        buffer<double> c(static_cast<std::size_t>(2 * (made + 1) * W));
        for (index_t k = 0; k < rows_.blocks; ++k) {
            const bool pairs = k >= rows_.reals;
            const index_t parts = pairs ? 2 : 1, first = pairs ? q_ + (k - rows_.reals) * W : k * W, live = std::min(W, (pairs ? n_ : q_) - first);
            double* to = c.data();
            for (std::size_t s = 0; s < steps.size(); ++s) {
                steps[s].apply(rows_, k, to);
                to += steps[s].columns() * parts * W;
                if (static_cast<index_t>(pivots[s]) / W == k) rows_.erase(pivots[s]);
            }
            rows_.measure(k);
            for (index_t part = 0; part < parts; ++part)
                for (index_t i = 0; i < live; ++i)
                    for (index_t j = 0; j < made; ++j) panel(first + part * (n_ - q_) + i, j) = c[static_cast<std::size_t>((j * parts + part) * W + i)];
        }
        columns_ += made;
        panels_.push_back(std::move(panel));
    }

    index_t q_, n_, columns_ = 0;
    cauchy_rows rows_;
    std::vector<matrix<double>> panels_;
};

}  // namespace detail

/// L with L L^T = the controllability Gramian, planar real states: order x rank, columns in order of elimination.
/// Stops when what remains is below tolerance^2 of the largest diagonal entry; 0 goes on to the end. O(n m rank).
/// Poles must lie in the domain: the caller checks, since only it can name them.
template <class Domain>
matrix<double> cauchy_factor(const modal_rows& system, double tolerance = 0) {
    detail::cauchy_elimination<Domain> work(system);
    const double floor = work.largest() * tolerance * tolerance;
    while (work.columns() < system.order() && work.eliminate(floor, system.order() - work.columns())) {}
    return work.factor();
}

}  // namespace hrm
