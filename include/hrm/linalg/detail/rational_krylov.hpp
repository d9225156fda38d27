#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <hrm/linalg/detail/dissipative.hpp>
#include <hrm/linalg/detail/gramian_pair.hpp>
#include <hrm/linalg/detail/lu.hpp>
#include <hrm/linalg/detail/resolvent.hpp>

// Low-rank Gramian factors of a dense A whose Gramians decay fast: Galerkin projection of the system on the rational Krylov space
//     span{B, (A - s_1)^-1 B, (A - s_2)^-1 (A - s_1)^-1 B, ..}
// with a few real shifts used in turn, so that a handful of LU factorisations replaces the Schur form.
// Druskin & Simoncini, Systems & Control Letters 60 (2011). With V an orthonormal basis of it, b = V^T B and T ~ V^T A V, both
// Gramians of  G_V = C V (s - T)^-1 b  follow from small equations, and
//     G - G_V = C (s - A)^-1 r(s),    r(s) = B - (s - A) V (s - T)^-1 b = (B - V b) + N (s - T)^-1 b,    N = A V - V T,
// holds for any V, b and T. N has no more columns that matter than B, but for rounding. Where few outputs stand beside
// many inputs, all this is done to the dual system.

namespace hrm::detail {

/// The space: V with orthonormal columns (kept as rows), the system projected on it, and its controllability factor.
class krylov_space {
public:
    enum class side { controllability, observability };

    /// b: n x m, the start.
    krylov_space(const matrix<double>& a, const matrix<double>& b, side which)
        : a_(a), which_(which), b_(b), room_(64, a.rows()), last_(b.cols()) {
        for (index_t j = 0; j < b.cols(); ++j) {
            std::vector<double> x(static_cast<std::size_t>(b.rows()));
            for (index_t i = 0; i < b.rows(); ++i) x[static_cast<std::size_t>(i)] = b(i, j);
            append(std::move(x));
        }
        newest_ = size();
    }
    index_t size() const { return size_; }
    /// The last block times (A - s)^-1, or A itself.
    void extend(const lu& shifted) {
        extend([&](std::vector<double>& x) {
            if (which_ == side::controllability) shifted.solve(x.data());
            else shifted.solve_transposed(x.data());
        });
    }
    void extend_by_a() {
        extend([&](std::vector<double>& x) {
            std::vector<double> y(x.size());
            if (which_ == side::controllability) times_vector(a_.view(), x.data(), y.data());
            else add_transposed_times(a_.view(), x.data(), y.data());
            x = std::move(y);
        });
    }
    /// Solves the projected equation. False where the projection of A is not stable.
    bool project() {
        const index_t k = size(), n = a_.rows();
        matrix<double> av(k - done_, n), b(k, b_.cols());
        const auto v = basis(), fresh = v.slice_rows(done_, k - done_);
        if (which_ == side::controllability) multiply(fresh, transposed(a_.view()), av.view());
        else multiply(fresh, a_.view(), av.view());
        matrix<double> all(k, n);
        copy(av_.view(), all.view().slice_rows(0, done_));
        copy(av.view(), all.view().slice_rows(done_, k - done_));
        av_ = std::move(all);
        done_ = k;
        matrix<double> t(k, k);  // V^T A V
        multiply(v, transposed(av_.view()), t.view());
        multiply(v, b_.view(), b.view());
        projected_ = t;
        form_ = factored_schur("hrm::rational_krylov", std::move(t));
        poles = block_eigenvalues(form_.t.view());
        for (const auto& l : poles)
            if (!(l.real() < 0)) return false;
        form_.q.apply_transposed(b.view());
        factor_ = quasi_triangular_factor<two_sided::sum>(form_.t.view(), std::move(b));
        form_.q.apply(factor_.view());
        return true;
    }
    /// How much of the factor lies in the directions after the first `from`, relative to all of it.
    double weight_after(index_t from) const {
        double late = 0, all = 0;
        for (index_t i = 0; i < size(); ++i) {
            const double s = dot(factor_.view().row(i), factor_.view().row(i), size());
            all += s;
            if (i >= from) late += s;
        }
        return all > 0 ? std::sqrt(late / all) : 0;
    }
    const matrix<double>& factor() const { return factor_; }
    /// The factor of the other Gramian,  T^T Y + Y T + c c^T = 0.  c: size x (outputs).
    matrix<double> other_factor(const matrix<double>& c) const {
        auto ports = c;
        form_.q.apply_transposed(ports.view());
        auto y = dual_factor<two_sided::sum>(form_.t, ports);
        form_.q.apply(y.view());
        return y;
    }
    /// V^T x, and V y: n x (columns of y).
    matrix<double> into(const matrix<double>& x) const {
        matrix<double> y(size(), x.cols());
        multiply(basis(), x.view(), y.view());
        return y;
    }
    matrix<double> out_of(const matrix<double>& y) const {
        matrix<double> x(a_.rows(), y.cols());
        multiply(transposed(basis()), y.view(), x.view());
        return x;
    }
    /// N^T: size x n.
    matrix<double> residual() const {
        auto r = av_;
        multiply(transposed(projected_.view()), basis(), r.view(), into::add, -1.0);
        return r;
    }
    /// |T|_F, and the lengths of the rows of V.
    double projected_length() const { return frobenius(projected_); }
    std::vector<double> row_lengths() const {
        std::vector<double> v(static_cast<std::size_t>(a_.rows()));
        for (index_t j = 0; j < size(); ++j)
            for (index_t i = 0; i < a_.rows(); ++i) v[static_cast<std::size_t>(i)] += room_(j, i) * room_(j, i);
        for (double& x : v) x = std::sqrt(x);
        return v;
    }
    /// 2 |X|_F, X of the projected A and I.
    double resolvent() const { return resolvent_of<two_sided::sum>(form_.t.view()); }
    buffer<std::complex<double>> poles;  ///< of the projected A

private:
    matrix_view<const double> basis() const { return room_.view().slice_rows(0, size_); }
    // Gram-Schmidt twice; what is left of a direction that is rounding does not join.
    void append(std::vector<double> x) {
        const auto n = static_cast<index_t>(x.size());
        const double before = std::sqrt(dot(x.data(), x.data(), n));
        std::vector<double> along(static_cast<std::size_t>(size_));
        for (int twice = 0; twice < 2; ++twice) {
            times_vector(basis(), x.data(), along.data());
            for (double& f : along) f = -f;
            add_transposed_times(basis(), along.data(), x.data());
        }
        const double after = std::sqrt(dot(x.data(), x.data(), n));
        if (!(after > 1e-14 * before)) return;
        if (size_ == room_.rows()) {
            matrix<double> larger(2 * size_, n);
            copy(room_.view(), larger.view().slice_rows(0, size_));
            room_ = std::move(larger);
        }
        for (index_t i = 0; i < n; ++i) room_(size_, i) = x[static_cast<std::size_t>(i)] / after;
        ++size_;
    }
    template <class F>
    void extend(F f) {
        const index_t from = std::max<index_t>(0, newest_ - last_), to = newest_;
        for (index_t i = from; i < to; ++i) {
            std::vector<double> x(room_.view().row(i), room_.view().row(i) + a_.rows());
            f(x);
            append(std::move(x));
        }
        last_ = size() - newest_;
        newest_ = size();
    }

    const matrix<double>& a_;
    side which_;
    matrix<double> b_, av_, factor_, projected_;  // av_: rows (A v_i)^T
    factored_schur_form form_;                    // of the projected A
    matrix<double> room_;  // row i: the i-th basis vector, as far as size_
    index_t size_ = 0, last_, newest_ = 0, done_ = 0;
};

struct low_rank_pair {
    matrix<double> lc, lo;   ///< n x (rank)
    matrix<double> product;  ///< lo^T lc
    double resolvent = 0;    ///< 2 |X|_F,  T X + X T^T + I = 0
    /// |G - G_V| over the imaginary axis is at most `apart` and, to first order, what rounding may add. Empty: nobody knows.
    struct distance {
        double apart = 0, rounding = 0;
    };
    std::optional<distance> bound = {};
};

/// What the space of B, or in the dual system of C^T, leaves out. In units in which A is dissipative, M = -(A + A^T)/2, and with
/// N = Q H^T + N', Q as narrow as B and |Q_j| = 1,
///     |G - G_V| <= |M^-1/2 C^T| |M^-1/2 r|,    |M^-1/2 r| <= |M^-1/2 Q| |H^T (s - T)^-1 b| + depth^-1/2 (|N'| |(s - T)^-1 b| + |B - V b|).
/// |H^T (s - T)^-1 b| is at most twice the sum of the Hankel singular values of that small system, and with the small
/// system's own factor R,  |(s - T)^-1 b|^2 <= 2 resolvent |R|^2. N' is what rounding left: it counts with what rounding N, B - V b and
/// the Schur form of T may have added.  ports: C^T, or B;  inverse: of A.  O(n^3/3 + n k^2).
inline std::optional<low_rank_pair::distance> left_out(const krylov_space& space, const matrix<double>& a, const lu& inverse, bool dual,
                                                       const matrix<double>& start, const matrix<double>& ports, double resolvent) {
    const auto proof = dissipation::find(a, inverse, 0.5 / resolvent);
    if (!proof) return {};
    const index_t n = a.rows(), k = space.size(), m = start.cols(), p = ports.cols();
    std::vector<double> unit(static_cast<std::size_t>(n));  // of what enters: that of A's dual is the inverse
    for (std::size_t i = 0; i < unit.size(); ++i) unit[i] = dual ? proof->units()[i] : 1 / proof->units()[i];
    auto rest = space.residual();  // (D^-1 N)^T
    for (index_t j = 0; j < k; ++j)
        for (index_t i = 0; i < n; ++i) rest(j, i) *= unit[static_cast<std::size_t>(i)];
    matrix<double> both(n, p + m), h(k, m);  // D C^T beside Q
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < p; ++j) both(i, j) = ports(i, j) / unit[static_cast<std::size_t>(i)];
    std::vector<double> q(static_cast<std::size_t>(n));
    for (index_t j = 0; j < m; ++j) {
        index_t longest = 0;
        double square = 0;
        for (index_t i = 0; i < k; ++i)
            if (const double s = dot(rest.view().row(i), rest.view().row(i), n); s > square) square = s, longest = i;
        if (!(square > 0)) break;
        for (index_t i = 0; i < n; ++i) both(i, p + j) = q[static_cast<std::size_t>(i)] = rest(longest, i) / std::sqrt(square);
        for (index_t i = 0; i < k; ++i) axpy(-(h(i, j) = dot(rest.view().row(i), q.data(), n)), q.data(), rest.view().row(i), n);
    }
    proof->solve(both.view());
    const double out = frobenius(matrix<double>(matrix_view<const double>(both.view().slice_cols(0, p)))),
                 in = frobenius(matrix<double>(matrix_view<const double>(both.view().slice_cols(p, m))));
    const auto seen = space.other_factor(h);
    matrix<double> hankel(k, k);
    multiply(transposed(seen.view()), space.factor().view(), hankel.view());
    double sum = 0;  // of the lengths of the rows, which is not less than that of the singular values
    for (index_t i = 0; i < k; ++i) sum += std::sqrt(dot(hankel.view().row(i), hankel.view().row(i), k));
    // Sums of n terms, row by row:  |A| |V| + |V| |T|  and  |B| + |V| |b|;  a Schur form is exact for T + E, |E| ~ 10 eps |T|.
    const double eps = std::numeric_limits<double>::epsilon(), gamma = (4 + std::sqrt(static_cast<double>(n))) * eps;
    const double size = space.projected_length(), given = frobenius(start), reach = std::sqrt(2 * resolvent) * frobenius(space.factor());
    const auto v = space.row_lengths();
    std::vector<double> av(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j)
            if (dual) av[static_cast<std::size_t>(j)] += std::abs(a(i, j)) * v[static_cast<std::size_t>(i)];
            else av[static_cast<std::size_t>(i)] += std::abs(a(i, j)) * v[static_cast<std::size_t>(j)];
    double noise = frobenius(rest), ends = 0;
    for (index_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const double row = std::sqrt(dot(start.view().row(i), start.view().row(i), m));
        noise = std::hypot(noise, unit[at] * (gamma * (av[at] + v[at] * size) + 10 * eps * v[at] * size));
        ends = std::hypot(ends, unit[at] * gamma * (row + v[at] * given));
    }
    const low_rank_pair::distance far{2 * out * in * sum, out * ((noise * reach + ends) / std::sqrt(proof->depth()) +
                                                                 20 * eps * size * resolvent * in * frobenius(seen) * frobenius(space.factor()))};
    if (!std::isfinite(far.apart + far.rounding)) return {};
    return far;
}

/// Factors of both Gramians where a rank of at most n / 4 holds them to rounding; nothing where that shows not to be so, at
/// the price of a factorisation and a few products. "To rounding" is an estimate: the directions added last hold less than
/// 2e-15 of a factor. How far that is from the system is bounded where A is dissipative in some units (left_out).
/// a: n x n;  b: n x m;  c: p x n.
inline std::optional<low_rank_pair> low_rank_factors(const matrix<double>& a, const matrix<double>& b, const matrix<double>& ct) {
    const bool dual = ct.cols() < b.cols();
    const auto &start = dual ? ct : b, &ports = dual ? b : ct;
    const index_t n = a.rows(), width = start.cols(), most = std::max(2 * n / 5, std::min<index_t>(n / 2, 60));
    // Some thirty directions an input are the least that was seen to do, and fifty where A is not dissipative.
    if (n < 100 || width == 0 || 30 * width > most || (48 * width > most && !dissipation::likely(a))) return {};
    const auto in_range = [](const matrix<double>& x) {  // of squares of lengths
        double largest = 0;
        for (double v : x.flat()) largest = std::max(largest, std::abs(v));
        return largest > 1e-140 && largest < 1e140;
    };
    if (!in_range(b) || !in_range(ct)) return {};
    const auto which = dual ? krylov_space::side::observability : krylov_space::side::controllability;
    // Shifts are real: where resonances prevail, it would take too many. A few products show that.
    const auto resonant = [](const krylov_space& s) {
        const auto count = std::count_if(s.poles.begin(), s.poles.end(), [](const auto& l) { return std::abs(l.imag()) > 2 * std::abs(l.real()); });
        return 2 * count > static_cast<std::ptrdiff_t>(s.poles.size());
    };
    krylov_space outer(a, start, which);
    for (int step = 0; step < 4; ++step) outer.extend_by_a();
    if (!outer.project() || resonant(outer)) return {};
    krylov_space space(a, start, which);
    const auto factored = [&](double s) {
        auto shifted = a;
        for (index_t i = 0; i < n; ++i) shifted(i, i) -= s;
        return lu(std::move(shifted));
    };
    std::vector<lu> factors;
    factors.push_back(factored(0));
    if (factors[0].singular()) return {};
    for (int step = 0; step < 4; ++step) {
        space.extend(factors[0]);
        space.extend_by_a();
    }
    // The range of the poles that matter, as far as it shows already.
    double low = 0, high = 0;
    if (!space.project() || space.weight_after(space.size() - 2 * width) > 0.8 || resonant(space)) return {};
    for (const auto& l : space.poles) {
        const double size = std::abs(l);
        low = low > 0 ? std::min(low, size) : size;
        high = std::max(high, size);
    }
    // Cycles through the shifts. The weight of what a cycle added falls by the same factor each time, so two of them tell
    // when to look again, and whether the space would grow too large.
    const int shifts = n < 160 ? 6 : 5;  // a factorisation weighs more beside a column the larger n is
    double before = 0;
    for (index_t cycle = 0, look = 0; cycle < 16; ++cycle) {
        const index_t from = space.size();
        for (int k = 0; k < shifts; ++k) {
            if (cycle == 0) factors.push_back(factored(high * std::pow(low / high, (k + 0.5) / shifts)));
            space.extend(factors[static_cast<std::size_t>(1 + k)]);
        }
        if (cycle < look) continue;
        const index_t added = space.size() - from;
        if (space.size() > most || !space.project()) return {};
        const double weight = space.weight_after(from), half = space.weight_after(space.size() - added / 2);
        if (added > 0 && !(half < 2e-15)) {
            if (cycle == 0) {  // what its second half gained, each time, and half as much again
                const double cycles = std::log(half / 2e-15) / (3 * std::log(weight / half));
                if (!(weight > half) || static_cast<double>(space.size()) + cycles * static_cast<double>(added) > static_cast<double>(most)) return {};
            }
            if (before > 0) {
                const double gain = std::log(before / weight), cycles = std::log(weight / 2e-15) / gain;
                if (!(gain > 0) || static_cast<double>(space.size()) + cycles * static_cast<double>(added) > static_cast<double>(most)) return {};
                look = cycle + std::clamp<index_t>(static_cast<index_t>(cycles), 1, gain > 2 ? 16 : 3);  // a slow start says little
                before = 0;
            } else before = weight;
            continue;
        }
        // A factor misses 2e-15 of its own length, so their product Lo^T Lc that much of |Lc| |Lo|. Where that is far above
        // |Lo^T Lc|, in badly scaled coordinates, the Schur form with its balancing keeps more.
        const auto& own = space.factor();
        const auto other = space.other_factor(space.into(ports));
        matrix<double> together(own.cols(), own.cols());
        multiply(transposed((dual ? own : other).view()), (dual ? other : own).view(), together.view());
        if (frobenius(own) * frobenius(other) > 100 * frobenius(together)) return {};
        low_rank_pair pair{space.out_of(dual ? other : own), space.out_of(dual ? own : other), std::move(together), space.resolvent()};
        pair.bound = left_out(space, a, factors[0], dual, start, ports, pair.resolvent);
        return pair;
    }
    return {};
}

}  // namespace hrm::detail
