#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/detail/core_svd.hpp>
#include <hrm/reduction/detail/exact_sums.hpp>
#include <hrm/reduction/detail/sparse_map.hpp>

namespace hrm {

struct sketch_options {
    index_t columns = 128;   ///< of the sketch, the probes among them; its error falls as the spectrum does
    index_t probes = 4;      ///< held out for the error
    std::uint64_t seed = 1;  ///< of the test matrix: sketches merge when seed, columns and probes agree
};

/// M ~ sum_i values_i v_i v_i^T, M = (1/T) sum_t u_t u_t^T, with the v_i the rows of directions (r x d), orthonormal.
struct moment_estimate {
    matrix<double> directions;
    std::vector<double> values;
    double total = 0;    ///< trace M
    double rest = 0;     ///< trace M - sum values: what is left out, in the nuclear norm, for certain (but for rounding)
    double error = 0;    ///< |M - estimate|_2 is at most this, but with probability
    double failure = 1;  ///< this
    double regularisation = 0;  ///< eigenvalues of the sketch's core below so much of its largest were taken for rounding
};

/// The leading eigenvectors of the second moment of activations of any width d, in one pass and fixed memory:
///     moment_sketch s(4096);
///     for (each sequence) s.add(u, ws);        // u: L x d, float or double
///     s.merge(other_worker);   auto e = s.estimate(32);     // e.directions, e.values, e.error
/// Keeps  Y = sum_t u_t (u_t^T Omega),  d x columns, Omega a sparse random matrix, and gives Nystroem's approximation
///     M ~ Y (Omega^T Y)^+ Y^T,    0 <= estimate <= M,
/// exact where columns - probes exceed the rank of M (from columns - probes = d on, Omega is the identity).
/// The same calls of add, in any order, on any workers, merged in any order, give the same bits: add forms its product in
/// the precision of u, in an order set by L alone, and from there on sums are exact.
/// add: 2 L d columns flop, and an eighth of their time for u Omega. Memory 8 d columns bytes (float), of which a call reads and
/// writes all: some 200 tokens a call make that small; up to 24 where sums outgrow 64 bits, some 4096 calls on. Entries below
/// 2^-112 count as zero.
/// Tropp, Yurtsever, Udell & Cevher, "Fixed-rank approximation of a positive-semidefinite matrix from streaming data", 2017.
class moment_sketch {
public:
    explicit moment_sketch(index_t width, const sketch_options& options = {})
        : options_(checked(width, options)), map_(width, options.columns - options.probes, options.probes, options.seed) {
        for (index_t first = 0; first < width; first += slab)
            sums_.emplace_back(std::min(slab, width - first) * columns());
    }
    index_t width() const { return map_.width(); }
    /// Tokens seen, T.
    index_t count() const { return count_; }

    /// u: L x d.  Throws numerical_error on a value that is not finite or a sum of squares beyond 2^110; then nothing is
    /// added. Allocates nothing once the workspace is warm, until numbers of another size, or sums beyond 64 bits, need room.
    template <real S>
    void add(matrix_view<const S> u, workspace& ws) {
        require_shape("hrm::moment_sketch", "the activations", u.rows, u.cols, u.rows, width());
        scratch_scope scope(ws);
        const auto z = ws.take_matrix<S>(u.rows, columns());
        const double squares = map_.apply<S>(u, z, ws);
        double sketched = 0;
        for (index_t t = 0; t < z.rows; ++t) sketched += static_cast<double>(dot(z.row(t), z.row(t), z.cols));
        if (!(squares < 0x1p110 && sketched < 0x1p110))  // what follows is at most the root of their product
            throw numerical_error("hrm::moment_sketch: activations are not finite or too large: the sum of squares is " +
                                  std::to_string(squares));
        const auto y = ws.take_matrix<S>(std::min(slab, width()), columns());
        const auto runs = ws.take<detail::memory_run>(sums_[0].pieces());
        for (std::size_t k = 0; k < sums_.size(); ++k) {
            const index_t first = static_cast<index_t>(k) * slab, rows = std::min(slab, width() - first);
            multiply(transposed(u.slice_cols(first, rows)), z, y.slice_rows(0, rows), into::overwrite, S{1}, sums_[k].recent(runs));
            sums_[k].add(y.data);
        }
        double one = squares;
        squares_.add(&one);
        count_ += u.rows;
    }
    template <real S>
    void add(matrix_view<S> u, workspace& ws) {
        add(matrix_view<const S>(u), ws);
    }

    /// Takes in what another worker saw.
    void merge(const moment_sketch& other) {
        require_size("hrm::moment_sketch", "the width", other.width(), width());
        if (other.options_.columns != options_.columns || other.options_.probes != options_.probes || other.options_.seed != options_.seed)
            throw shape_error("hrm::moment_sketch: sketches with " + describe(other.options_) + " and with " + describe(options_) +
                              " do not merge");
        for (std::size_t k = 0; k < sums_.size(); ++k) sums_[k].merge(other.sums_[k]);
        squares_.merge(other.squares_);
        count_ += other.count_;
    }
    /// Takes in what a device saw: `tokens` and, for each place of detail::exact_sums, the digits of T Y, width x columns, and
    /// that of T trace M; each at most 2^62.
    void merge(index_t tokens, std::span<const std::int64_t> digits) {
        const index_t numbers = width() * columns() + 1;
        require_size("hrm::moment_sketch", "digits of a device", static_cast<index_t>(digits.size()), detail::exact_sums::digits * numbers);
        const auto* from = digits.data();
        for (auto& s : sums_) {
            s.merge(from, numbers);
            from += s.count();
        }
        squares_.merge(from, numbers);
        count_ += tokens;
    }

    /// The whole sketch as numbers for another process, the same whatever the order it came about in.
    std::vector<std::int64_t> words() const {
        auto all = header();
        all.push_back(count_);
        for (auto s : sums_) {
            s.carry();
            s.write(all);
        }
        auto s = squares_;
        s.carry();
        s.write(all);
        return all;
    }
    /// Takes in what words() of another process gave.  Throws shape_error, and takes nothing, if they are not a sketch's
    /// of the same width, columns, probes and seed, or a version of this library wrote them that makes another Omega of these.
    void merge(std::span<const std::int64_t> words) {
        moment_sketch other(width(), options_);
        const auto head = header();
        bool good = words.size() > head.size() && std::equal(head.begin(), head.end(), words.begin()) && words[head.size()] >= 0;
        if (good) {
            other.count_ = words[head.size()];
            words = words.subspan(head.size() + 1);
            for (auto& s : other.sums_) good = good && s.read(words);
            good = good && other.squares_.read(words) && words.empty();
        }
        if (!good) throw shape_error("hrm::moment_sketch: " + std::to_string(words.size()) + " words that are no sketch of width " +
                                     std::to_string(width()) + " with " + describe(options_));
        merge(other);
    }

    /// The leading `rank` directions, fewer where the sketch holds fewer.   O(d columns^2).
    moment_estimate estimate(index_t rank) const;

    /// Y / T written out, d x columns, the probes' columns last: M Omega but for the rounding of the products.
    matrix<double> sketch() const {
        matrix<double> y(width(), columns());
        auto at = y.data();
        for (auto s : sums_) {
            s.carry();
            for (index_t i = 0; i < s.count(); ++i) *at++ = count_ ? s.value(i) / static_cast<double>(count_) : 0;
        }
        return y;
    }
    const detail::sparse_map& map() const { return map_; }
    const sketch_options& options() const { return options_; }

private:
    static constexpr index_t slab = 512;  // features whose part of Y stays in the cache
    static const sketch_options& checked(index_t width, const sketch_options& o) {
        if (width < 1 || o.probes < 1 || o.columns <= o.probes)
            throw shape_error("hrm::moment_sketch: width " + std::to_string(width) + ", " + describe(o) +
                              ", expected at least 1, and more columns than probes");
        return o;
    }
    static std::string describe(const sketch_options& o) {
        return std::to_string(o.columns) + " columns, " + std::to_string(o.probes) + " probes, seed " + std::to_string(o.seed);
    }
    index_t columns() const { return map_.columns() + map_.probes(); }
    std::vector<std::int64_t> header() const {
        return {width(), options_.columns, options_.probes, static_cast<std::int64_t>(options_.seed), map_.fingerprint()};
    }

    sketch_options options_;
    detail::sparse_map map_;
    index_t count_ = 0;
    std::vector<detail::exact_sums> sums_;  // T Y by slabs of features
    detail::exact_sums squares_{1};         // T trace M
};

inline moment_estimate moment_sketch::estimate(index_t rank) const {
    if (rank < 0) throw shape_error("hrm::moment_sketch: " + std::to_string(rank) + " directions, expected at least 0");
    const index_t d = width(), s = map_.columns(), q = map_.probes();
    const auto y = sketch(), omega = map_.dense();
    const auto sketched = y.view().slice_cols(0, s), held = y.view().slice_cols(s, q);
    moment_estimate out;
    auto squares = squares_;
    squares.carry();
    out.total = count_ ? squares.value(0) / static_cast<double>(count_) : 0;

    // The core is symmetric but for rounding: its skew part measures that, and eigenvalues below it say nothing.
    matrix<double> core(s, s);
    multiply(transposed(omega.view().slice_cols(0, s)), sketched, core.view());
    double skew = 0;
    for (index_t i = 0; i < s; ++i)
        for (index_t j = 0; j < i; ++j) {
            const double mean = (core(i, j) + core(j, i)) / 2;
            skew += (core(i, j) - mean) * (core(i, j) - mean);
            core(i, j) = core(j, i) = mean;
        }
    detail::core_svd eigen(core, false);
    const double largest = eigen.sigma()[0];
    const double floor = std::max(2 * std::sqrt(2 * skew), static_cast<double>(s) * std::numeric_limits<double>::epsilon() * largest);
    out.regularisation = largest > 0 ? floor / largest : 0;
    const auto kept = static_cast<index_t>(std::count_if(eigen.sigma().begin(), eigen.sigma().end(), [&](double x) { return x > floor; }));

    // M ~ F F^T, F = Y V L^-1/2; the eigenvectors of F^T F = W S W^T give those of F F^T as F W S^-1/2.
    const auto core_vectors = eigen.leading(kept);
    matrix<double> v(s, kept), f(d, kept), gram(kept, kept);
    for (index_t j = 0; j < kept; ++j)
        for (index_t i = 0; i < s; ++i) v(i, j) = core_vectors.u(i, j) / std::sqrt(core_vectors.sigma[static_cast<std::size_t>(j)]);
    multiply(sketched, v.view(), f.view());
    multiply(transposed(f.view()), f.view(), gram.view());
    const index_t r = std::min(rank, kept);
    detail::core_svd values(gram, false);
    auto w = values.leading(r).v;
    for (index_t j = 0; j < r; ++j) {
        const double value = values.sigma()[static_cast<std::size_t>(j)];
        out.values.push_back(value);
        for (index_t i = 0; i < kept; ++i) w(i, j) /= std::sqrt(value);
    }
    out.directions = matrix<double>(r, d);
    multiply(transposed(w.view().slice_cols(0, r)), transposed(f.view()), out.directions.view());
    out.rest = out.total;
    for (double value : out.values) out.rest -= value;
    out.rest = std::max(out.rest, 0.0);

    // |E|_2 <= 10 sqrt(2 / pi) max_i |E g_i| for independent normal g_i, but with probability 10^-q: Halko, Martinsson &
    // Tropp 2011, lemma 4.1.
    matrix<double> coordinates(r, q), gap{held};
    multiply(out.directions.view(), omega.view().slice_cols(s, q), coordinates.view());
    for (index_t i = 0; i < r; ++i)
        for (index_t j = 0; j < q; ++j) coordinates(i, j) *= out.values[static_cast<std::size_t>(i)];
    multiply(transposed(out.directions.view()), coordinates.view(), gap.view(), into::add, -1.0);
    for (index_t j = 0; j < q; ++j) {
        double square = 0;
        for (index_t i = 0; i < d; ++i) square += gap(i, j) * gap(i, j);
        out.error = std::max(out.error, 10 * std::sqrt(2 / std::numbers::pi * square));
    }
    out.error = std::min(out.error, out.rest);
    out.failure = std::pow(10.0, -static_cast<double>(q));
    return out;
}

}  // namespace hrm
