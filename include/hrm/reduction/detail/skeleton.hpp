#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/cauchy.hpp>
#include <hrm/reduction/gramian.hpp>

namespace hrm::detail {

/// A few modes that carry the rest of a modal system. With L the columns of the elimination (hrm/reduction/cauchy.hpp) so
/// far and L_p its rows of the modes taken as pivots, the best linear estimate of all states from those is x ~ L L_p^-1 x_p:
///     system = (A_p, B_p, C L L_p^-1),    |G - system|_inf <= 2 missing,    missing = sum_i sqrt(R_ii Wo_ii),
/// where R = Wc - L L^T: the error is C (z - A)^-1 B_rest times an inner factor, its singular values have the sum
/// |Lo^T R^1/2|_* <= sum_i |lo_i| |r_i|.  O(n r (m + p)): balanced further, n counts no more.
/// Wolf & Panzer 2016 (elimination as H2-optimal reduction); Gu & Eisenstat 1996 (few rows that span the others).
template <class Domain, class System>
class modal_skeleton {
public:
    System system;
    double missing = 0;

    /// Nothing where more than half of the states would be needed to come down to  missing <= accuracy max_i sqrt(Wc_ii Wo_ii):
    /// trying costs little. a, b, c: stable, in double.
    static std::optional<modal_skeleton> of(const complex_pairs<double>& a, const matrix<double>& b, const matrix<double>& c, double accuracy) {
        const index_t q = a.reals(), n = q + a.pairs();
        auto inputs = modal(a, b);
        const auto outputs = modal(transpose(a), transpose(c));
        // Pivots are taken in units in which Wo_ii is near 1: there the largest R_ii is what is missed most.
        buffer<double> scale(at(n)), weight(at(n)), root(at(n));
        double largest = 0;
        for (index_t i = 0; i < n; ++i) {
            double in = 0, out = 0;
            for (index_t j = 0; j < b.cols(); ++j) in += std::norm(inputs.b(i, j));
            for (index_t j = 0; j < c.rows(); ++j) out += std::norm(outputs.b(i, j));
            if (!(in > 0 && out > 0)) {
                for (index_t j = 0; j < b.cols(); ++j) inputs.b(i, j) = 0;
                continue;
            }
            const double gap = Domain::gap({inputs.pole(i).real(), inputs.pole(i).imag()});
            const double s = std::exp2(std::round(std::log2(out / gap) / 2));
            for (index_t j = 0; j < b.cols(); ++j) inputs.b(i, j) *= s;
            scale[at(i)] = s;
            weight[at(i)] = out / (s * s) / gap;
            largest = std::max(largest, std::sqrt(in) * std::sqrt(out) / gap);
        }
        if (!(largest > 1e-140 && largest < 1e140)) return {};  // squares would leave the range
        cauchy_elimination<Domain> work(inputs);
        std::vector<index_t> pivots;
        const auto rest = [&] {
            for (std::size_t i = 0; i < root.size(); ++i) root[i] = std::sqrt(work.diagonal()[i] * weight[i]);
            return std::accumulate(root.begin(), root.end(), 0.0);
        };
        double missing = rest();
        for (; missing > accuracy * largest; missing = rest())
            for (int few = 0; few < 4; ++few) {
                const auto [size, p] = work.pivot();
                if (p < 0) break;
                const index_t expected = work.rank() + (p < q ? 1 : 2);
                work.eliminate(p);
                pivots.push_back(p);
                if (2 * work.rank() > a.order() || work.rank() != expected) return {};
            }
        return modal_skeleton(a, b, c, pivots, work.take_columns(), scale, missing);
    }
    /// X x with X = L L_p^-1: from states of the skeleton to those of the whole.
    matrix<double> from_skeleton(const matrix<double>& x) const {
        matrix<double> y(x.rows(), x.cols()), z(columns_.length, x.cols());
        for (index_t k = 0; k < x.rows(); ++k) std::copy_n(x.view().row(place_[at(k)]), x.cols(), y.view().row(k));
        for (index_t first = 0, rows = 0; first < y.rows(); first += rows) {  // L_p^-1, by forward substitution
            rows = std::min<index_t>(64, y.rows() - first);
            const auto part = y.view().slice_rows(first, rows);
            multiply(lower_.view().slice_rows(first, rows).slice_cols(0, first), y.view().slice_rows(0, first), part, into::add, -1.0);
            for (index_t i = 0; i < rows; ++i) {
                for (index_t j = 0; j < i; ++j) axpy(-lower_(first + i, first + j), part.row(j), part.row(i), y.cols());
                for (index_t j = 0; j < y.cols(); ++j) part(i, j) /= lower_(first + i, first + i);
            }
        }
        for (index_t k = 0; k < columns_.count; k += columns_.together) {
            const auto block = columns_.block(k);
            multiply(transposed(block), y.view().slice_rows(k, block.rows), z.view(), k > 0 ? into::add : into::overwrite);
        }
        return z;
    }
    /// The pivots' rows at their places in the whole; all others are zero.
    matrix<double> dual_from_skeleton(const matrix<double>& x) const {
        matrix<double> y(columns_.length, x.cols());
        for (index_t k = 0; k < x.rows(); ++k) std::copy_n(x.view().row(place_[at(k)]), x.cols(), y.view().row(rows_[at(k)]));
        return y;
    }

private:
    static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

    modal_skeleton(const complex_pairs<double>& a, const matrix<double>& b, const matrix<double>& c, const std::vector<index_t>& pivots,
                   column_store l, const buffer<double>& scale, double rest)
        : missing(rest), columns_(std::move(l)) {
        const index_t q = a.reals(), k = a.pairs(), r = columns_.count;
        complex_pairs<double> poles;
        for (index_t p : pivots) {
            if (p < q) poles.real.push_back(a.real[at(p)]);
            else {
                poles.re.push_back(a.re[at(p - q)]);
                poles.im.push_back(a.im[at(p - q)]);
            }
        }
        index_t real = 0, pair = poles.reals();
        for (index_t p : pivots) {
            rows_.push_back(p);
            place_.push_back(p < q ? real++ : pair);
            if (p < q) continue;
            rows_.push_back(p + k);
            place_.push_back(pair++ + poles.pairs());
        }
        buffer<double> inverse(at(a.order()));
        for (index_t i = 0; i < q + k; ++i) {
            const double s = scale[at(i)];
            inverse[at(i)] = s > 0 ? 1 / s : 0;
            if (i >= q) inverse[at(i + k)] = inverse[at(i)];
        }
        for (index_t j = 0; j < r; ++j) {
            double* y = columns_[j];
            for (index_t i = 0; i < columns_.length; ++i) y[i] *= inverse[at(i)];
            // The two columns of a pair are turned so that L_p is lower triangular.
            if (j == 0 || rows_[at(j)] != rows_[at(j - 1)] + k || rows_[at(j)] < q + k) continue;
            double *x = columns_[j - 1], u = x[rows_[at(j - 1)]], v = y[rows_[at(j - 1)]];
            const double length = std::hypot(u, v), cosine = u / length, sine = v / length;
            for (index_t i = 0; i < columns_.length; ++i) {
                const double old = x[i];
                x[i] = cosine * old + sine * y[i];
                y[i] = cosine * y[i] - sine * old;
            }
        }
        lower_ = matrix<double>(r, r);
        for (index_t i = 0; i < r; ++i)
            for (index_t j = 0; j <= i; ++j) lower_(i, j) = columns_[j][rows_[at(i)]];
        matrix<double> z(r, c.rows());  // (C X)^T = L_p^-T (C L)^T, by back substitution
        for (index_t first = 0; first < r; first += columns_.together) {
            const auto block = columns_.block(first);
            multiply(block, transposed(c.view()), z.view().slice_rows(first, block.rows));
        }
        for (index_t i = r - 1; i >= 0; --i) {
            for (index_t j = 0; j < z.cols(); ++j) z(i, j) /= lower_(i, i);
            for (index_t j = 0; j < i; ++j) axpy(-lower_(i, j), z.view().row(i), z.view().row(j), z.cols());
        }
        system.a = std::move(poles);
        system.b = matrix<double>(r, b.cols());
        system.c = matrix<double>(c.rows(), r);
        for (index_t i = 0; i < r; ++i) {
            std::copy_n(b.view().row(rows_[at(i)]), b.cols(), system.b.view().row(place_[at(i)]));
            for (index_t j = 0; j < c.rows(); ++j) system.c(j, place_[at(i)]) = z(i, j);
        }
    }

    column_store columns_;               ///< L
    matrix<double> lower_;               ///< L_p
    std::vector<index_t> rows_, place_;  ///< of L_p, in the order of elimination: its state in the whole, in the skeleton
};

}  // namespace hrm::detail
