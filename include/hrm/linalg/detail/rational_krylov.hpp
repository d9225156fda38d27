#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <hrm/linalg/detail/lu.hpp>
#include <hrm/linalg/detail/resolvent.hpp>

// Low-rank Gramian factors of a dense A whose Gramians decay fast: Galerkin projection of the Lyapunov equation on the
// rational Krylov space  span{B, (A - s_1)^-1 B, (A - s_2)^-1 (A - s_1)^-1 B, ..}  with a few real shifts used in turn, so that
// a handful of LU factorisations, shared by both Gramians, replaces the Schur form.
// Druskin & Simoncini, Systems & Control Letters 60 (2011).

namespace hrm::detail {

/// One of the two spaces: V with orthonormal columns (kept as rows), the equation projected on it, and its factor.
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
        auto form = factored_schur("hrm::rational_krylov", std::move(t));
        poles = block_eigenvalues(form.t.view());
        for (const auto& l : poles)
            if (!(l.real() < 0)) return false;
        form.q.apply_transposed(b.view());
        factor_ = quasi_triangular_factor(form.t.view(), std::move(b));
        form.q.apply(factor_.view());
        t_ = std::move(form.t);
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
    /// V factor: n x size.
    matrix<double> result() const {
        matrix<double> l(a_.rows(), size());
        multiply(transposed(basis()), factor_.view(), l.view());
        return l;
    }
    /// 2 |X|_F, X of the projected A and I.
    double resolvent() const { return resolvent_of<two_sided::sum>(t_.view()); }
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
    matrix<double> b_, av_, factor_, t_;  // av_: rows (A v_i)^T;  t_: the projected A in Schur form
    matrix<double> room_;  // row i: the i-th basis vector, as far as size_
    index_t size_ = 0, last_, newest_ = 0, done_ = 0;
};

struct low_rank_pair {
    matrix<double> lc, lo;  ///< n x (rank)
    double resolvent = 0;   ///< of A projected, the larger one
};

/// Factors of both Gramians where a rank of at most n / 4 holds them to rounding; nothing where that shows not to be so, at
/// the price of a factorisation and a few products. "To rounding" is an estimate: the directions added last hold less than
/// 2e-15 of a factor. Residuals would bound what is missing only beside the resolvent of the whole A, which costs a Schur form.
/// a: n x n;  b: n x m;  c: p x n.
inline std::optional<low_rank_pair> low_rank_factors(const matrix<double>& a, const matrix<double>& b, const matrix<double>& ct) {
    const index_t n = a.rows(), width = std::max(b.cols(), ct.cols()), most = std::max(2 * n / 5, std::min<index_t>(n / 2, 60));
    if (n < 100 || width == 0 || 12 * width > most) return {};
    // Shifts are real: where resonances prevail, it would take too many. A few products show that.
    const auto resonant = [](const krylov_space& s) {
        const auto count = std::count_if(s.poles.begin(), s.poles.end(), [](const auto& l) { return std::abs(l.imag()) > 2 * std::abs(l.real()); });
        return 2 * count > static_cast<std::ptrdiff_t>(s.poles.size());
    };
    krylov_space outer(a, b, krylov_space::side::controllability);
    for (int step = 0; step < 4; ++step) outer.extend_by_a();
    if (!outer.project() || resonant(outer)) return {};
    krylov_space spaces[2] = {{a, b, krylov_space::side::controllability}, {a, ct, krylov_space::side::observability}};
    const auto factored = [&](double s) {
        auto shifted = a;
        for (index_t i = 0; i < n; ++i) shifted(i, i) -= s;
        return lu(std::move(shifted));
    };
    std::vector<lu> factors;
    factors.push_back(factored(0));
    if (factors[0].singular()) return {};
    for (int step = 0; step < 4; ++step)
        for (auto& s : spaces) {
            s.extend(factors[0]);
            s.extend_by_a();
        }
    // The range of the poles that matter, as far as it shows already.
    double low = 0, high = 0;
    for (auto& s : spaces) {
        if (!s.project()) return {};
        if (s.weight_after(s.size() - 2 * width) > 0.8 || resonant(s)) return {};
        for (const auto& l : s.poles) {
            const double size = std::abs(l);
            low = low > 0 ? std::min(low, size) : size;
            high = std::max(high, size);
        }
    }
    // Cycles through the shifts. The weight of what a cycle added falls by the same factor each time, so two of them tell
    // when to look again, and whether the space would grow too large.
    constexpr int shifts = 6;
    struct {
        index_t start = 0, look = 0;
        double before = 0;
        bool done = false;
    } state[2];
    for (index_t cycle = 0; cycle < 16; ++cycle) {
        for (int i = 0; i < 2; ++i) state[i].start = spaces[i].size();
        for (int k = 0; k < shifts; ++k) {
            if (cycle == 0) factors.push_back(factored(high * std::pow(low / high, (k + 0.5) / shifts)));
            for (int i = 0; i < 2; ++i)
                if (!state[i].done) spaces[i].extend(factors[static_cast<std::size_t>(1 + k)]);
        }
        for (int i = 0; i < 2; ++i) {
            auto& s = spaces[i];
            auto& at = state[i];
            if (at.done || cycle < at.look) continue;
            const index_t added = s.size() - at.start;
            if (s.size() > most || !s.project()) return {};
            const double weight = s.weight_after(at.start);
            at.done = added == 0 || s.weight_after(s.size() - added / 2) < 2e-15;
            if (!at.done && at.before > 0) {
                const double gain = std::log(at.before / weight), cycles = std::log(weight / 2e-15) / gain;
                if (!(gain > 0) || static_cast<double>(s.size()) + cycles * static_cast<double>(added) > static_cast<double>(most)) return {};
                at.look = cycle + std::clamp<index_t>(static_cast<index_t>(cycles), 1, gain > 2 ? 16 : 3);  // a slow start says little
                at.before = 0;
            } else at.before = weight;
        }
        if (!state[0].done || !state[1].done) continue;
        // Each factor misses 2e-15 of its own length, so their product Lo^T Lc that much of |Lc| |Lo|. Where that is far above
        // |Lo^T Lc|, in badly scaled coordinates, the Schur form with its balancing keeps more.
        low_rank_pair pair{spaces[0].result(), spaces[1].result(), std::max(spaces[0].resolvent(), spaces[1].resolvent())};
        const auto length = [](const matrix<double>& x) { return std::sqrt(dot(x.data(), x.data(), x.size())); };
        matrix<double> together(pair.lo.cols(), pair.lc.cols());
        multiply(transposed(pair.lo.view()), pair.lc.view(), together.view());
        if (length(pair.lc) * length(pair.lo) > 100 * length(together)) return {};
        return pair;
    }
    return {};
}

}  // namespace hrm::detail
