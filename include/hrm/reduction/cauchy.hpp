#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <span>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/reduction/detail/cauchy_product.hpp>
#include <hrm/reduction/detail/cauchy_rows.hpp>
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

/// One step at a time; or, where all rows are more than the nearest cache holds, over all rows once for many steps: their
/// pivots come from a few rows carried along by themselves. What remains of P only shrinks, so that a candidate of a quarter of
/// the largest before is one of the largest now.
template <class Domain>
class cauchy_elimination {
public:
    /// stores: of an earlier elimination of as many modes, or none.
    explicit cauchy_elimination(const modal_rows& s, std::vector<buffer<double>> stores = {})
        : q_(s.reals), n_(s.size()), rows_(std::max<index_t>(n_ > q_ ? 2 : 1, s.b.cols()), q_, n_ - q_), steps_(is_large() ? together : 1),
          stores_(std::move(stores)) {
        for (index_t i = 0; i < n_; ++i) {
            const index_t at = rows_.place(i, q_);
            const planar l{s.pole(i).real(), s.pole(i).imag()};
            rows_.set_pole(at, l, Domain::gap(l));
            const auto row = rows_.row(at);
            for (index_t j = 0; j < s.b.cols(); ++j) {
                row.x[j * row.apart] = s.b(i, j).real();
                if (row.y) row.y[j * row.apart] = s.b(i, j).imag();
            }
        }
        sweep();
    }
    index_t columns() const { return columns_; }
    /// The largest remaining diagonal entry of P.
    double largest() const { return largest_; }
    /// Some steps, at most `most` columns (or one more), none with a pivot of `floor` or less. False where there is none.
    bool eliminate(double floor, index_t most) {
        pivots_.clear();
        if (!(largest_ > floor)) return false;
        if (is_large()) choose(floor, most);
        else {
            const double* d = rows_.diagonal();
            pivots_.push_back(std::find(d + first_, d + rows_.places, largest_) - d);
            steps_[0].make(rows_, pivots_[0]);
        }
        sweep();
        return true;
    }
    /// The steps that eliminate took last.
    std::span<const cauchy_step<Domain>> steps() const { return {steps_.data(), pivots_.size()}; }
    /// What remains of B, order x (columns of B, or two where poles are pairs).
    matrix<double> remaining() {
        matrix<double> b(2 * n_ - q_, rows_.m);
        for (index_t i = 0; i < n_; ++i) {
            const auto row = rows_.row(rows_.place(i, q_));
            for (index_t j = 0; j < rows_.m; ++j) {
                b(i, j) = row.x[j * row.apart];
                if (row.y) b(i + n_ - q_, j) = row.y[j * row.apart];
            }
        }
        return b;
    }
    /// At most the length of each row of what is left: of the two planar states of a pair that of both together.
    std::vector<double> rest() {
        std::vector<double> length(static_cast<std::size_t>(2 * n_ - q_));
        for (index_t i = 0; i < n_; ++i) {
            const double row = std::sqrt(rows_.diagonal()[rows_.place(i, q_)]);
            length[static_cast<std::size_t>(i)] = row;
            if (i >= q_) length[static_cast<std::size_t>(i + n_ - q_)] = row;
        }
        return length;
    }
    /// order x columns().
    matrix<double> factor() {
        matrix<double> l(2 * n_ - q_, columns_);
        const auto copy = [&](index_t row, index_t place, index_t rows, index_t beside) {
            for (index_t end = row + rows; row < end;) {
                const auto s = rows_.around(place);
                const index_t some = std::min(s.count, end - row);
                for (index_t first = 0; first < columns_; first += together) {
                    const double* from = column(first, s) + beside * together;
                    const auto columns = [&](index_t count) {
                        for (index_t i = 0; i < some; ++i)
                            for (index_t j = 0; j < count; ++j) l(row + i, first + j) = from[j * s.count + i];
                    };
                    if (first + together <= columns_) columns(together);  // its loop has one length
                    else columns(columns_ - first);
                }
                row += some, place += some;
            }
        };
        copy(0, 0, q_, 0);
        copy(q_, rows_.reals, n_ - q_, 0);
        copy(n_, rows_.reals, n_ - q_, rows_.beside());
        return l;
    }
    std::vector<buffer<double>> take_stores() { return std::move(stores_); }

private:
    using stretch = cauchy_rows::stretch;
    static constexpr index_t many = 64;      // candidates
    static constexpr index_t together = 16;  // columns of a pass
    /// With few inputs one step leaves nothing of its size.
    bool is_large() const { return rows_.m >= 4 && rows_.length * rows_.m >= 4096 && rows_.places >= 4 * many; }

    /// Of every group of rows the largest, and of those some of the largest: neighbours shrink together.
    void choose(double floor, index_t most) {
        const double* d = rows_.diagonal();
        const index_t group = rows_.places / (4 * many);
        std::vector<index_t> all;
        for (index_t i = 0; i < rows_.places; i += group) {
            const double* best = std::max_element(d + i, d + std::min(i + group, rows_.places));
            if (*best > floor) all.push_back(best - d);
        }
        const bool every = group == 1 && static_cast<index_t>(all.size()) <= many;  // row that is left: then nothing is overlooked
        const auto few = std::min<index_t>(many, static_cast<index_t>(all.size()));
        std::nth_element(all.begin(), all.begin() + (few - 1), all.end(),
                         [&](index_t i, index_t k) { return std::pair(d[i], k) > std::pair(d[k], i); });
        all.resize(static_cast<std::size_t>(few));
        std::sort(all.begin(), all.end());  // real poles first, and ties to the first of all
        const auto real = static_cast<index_t>(std::count_if(all.begin(), all.end(), [&](index_t i) { return !rows_.is_pair(i); }));
        cauchy_rows own(rows_.m, real, few - real);
        std::vector<index_t> origin(static_cast<std::size_t>(own.places));
        for (index_t i = 0; i < few; ++i) {
            const index_t place = own.place(i, real), from = all[static_cast<std::size_t>(i)];
            origin[static_cast<std::size_t>(place)] = from;
            own.copy(place, rows_, from);
        }
        buffer<double> unused(static_cast<std::size_t>(own.length));
        for (index_t made = 0; made < std::min<index_t>(most, together);) {
            const double* best = std::max_element(own.diagonal(), own.diagonal() + own.places);
            if (!(*best > floor) || (!every && *best < largest_ / 4)) break;
            const index_t at = best - own.diagonal();
            auto& step = steps_[pivots_.size()];
            step.make(own, at);
            pivots_.push_back(origin[static_cast<std::size_t>(at)]);
            made += step.columns();
            own.each_stretch([&](stretch s) {
                double* column = unused.data() + s.first;
                step.apply(own, s, column, column, own.beside());
                if (s.has(at)) own.erase(at);
                own.measure(s);
            });
        }
    }
    /// All steps chosen, over all rows; then their diagonal.
    void sweep() {
        const index_t begin = columns_;
        for (std::size_t s = 0; s < pivots_.size(); ++s) columns_ += steps_[s].columns();
        while (static_cast<index_t>(stores_.size()) * together < columns_)
            stores_.emplace_back(static_cast<std::size_t>(rows_.length * together));
        largest_ = 0;
        rows_.each_stretch([&](stretch s) {
            index_t j = begin;
            for (std::size_t k = 0; k < pivots_.size(); ++k) {
                const index_t even = j, odd = j + steps_[k].columns() - 1;
                steps_[k].apply(rows_, s, column(even, s), column(odd, s), rows_.beside() * together);
                if (s.has(pivots_[k])) rows_.erase(pivots_[k]);
                j = odd + 1;
            }
            if (const double d = rows_.measure(s); d > largest_) {
                largest_ = d;
                first_ = s.first;
            }
        });
    }

    // Columns stand in stores: an allocation for each would cost small systems a tenth of the whole. In a store they lie by
    // stretches, as those of B do.
    double* column(index_t j, stretch s) {
        return stores_[static_cast<std::size_t>(j / together)].data() + s.first * together + j % together * s.count;
    }

    index_t q_, n_, columns_ = 0, first_ = 0;
    double largest_ = 0;  // of the diagonal, first in the stretch that begins at first_
    cauchy_rows rows_;
    std::vector<cauchy_step<Domain>> steps_;
    std::vector<index_t> pivots_;  // of the steps
    std::vector<buffer<double>> stores_;
};

/// A factor of some columns, and the lengths of the rows that all others would have.
struct leading_factor {
    matrix<double> l;
    std::vector<double> rest;
};
/// record: of the steps, where somebody asks for it.
template <class Domain>
leading_factor leading_cauchy_factor(const modal_rows& system, double tolerance, cauchy_record<Domain>* record = nullptr) {
    cauchy_elimination<Domain> work(system, record ? std::move(record->stores) : std::vector<buffer<double>>{});
    if (!std::isfinite(work.largest())) throw numerical_error("hrm::cauchy_factor: the Gramian is beyond the range of double");
    const double floor = work.largest() * tolerance * tolerance;
    while (work.columns() < system.order() && work.eliminate(floor, system.order() - work.columns()))
        if (record) record->steps.insert(record->steps.end(), work.steps().begin(), work.steps().end());
    leading_factor f{work.factor(), work.rest()};
    if (record) record->rest = work.remaining(), record->stores = work.take_stores();
    return f;
}

}  // namespace detail

/// L with L L^T = the controllability Gramian, planar real states: order x rank, columns in order of elimination.
/// Stops when what remains is below tolerance^2 of the largest diagonal entry; 0 goes on to the end. O(n m rank).
/// Poles must lie in the domain: the caller checks, since only it can name them. Throws numerical_error where a diagonal
/// entry of P, or a square of B, is beyond the range of double.
template <class Domain>
matrix<double> cauchy_factor(const modal_rows& system, double tolerance = 0) {
    return detail::leading_cauchy_factor<Domain>(system, tolerance).l;
}

}  // namespace hrm
