#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/rational_krylov.hpp>
#include <hrm/linalg/detail/units.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/detail/symmetric.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/systems/modal.hpp>

// The factors of both Gramians, Wc = Lc Lc^T and Wo = Lo Lo^T, by the best way that the structure of A allows.

namespace hrm::detail {

/// Wc = E lc lc^T E^T and Wo = E^-T lo lo^T E^-1.
struct gramian_factors {
    matrix<double> lc, lo;  ///< n x (columns)
    /// E of a Schur form, where the factors stay in its coordinates: square, quasi-triangular from opposite corners. Else I.
    std::optional<balanced_schur> coordinates = {};
    bool graded = true;  ///< columns are accurate relative to their own size, for an A near the given one
    double missing = 0;  ///< at most so large is the sum of the singular values that columns left out would add
    buffer<double> units = {};  ///< of the states in which a Schur form was found; empty: the given ones, or there is no such form
    double resolvent = 0;       ///< 2 |X|_F, A X + X A^T + I = 0, of the part of A that took part; 0: nobody asked
    bool estimated = false;     ///< the Gramians are those of a system near this one, and how near was estimated, not bounded
    double apart = 0, apart_rounding = 0;  ///< where it was: |G - that one| over the boundary, and to first order what rounding adds
    matrix<double> product = {};  ///< Lo^T Lc, where it was needed on the way
    double depth = std::numeric_limits<double>::infinity();  ///< of the pole nearest to the boundary, where eigenvectors show it
    bool rotated = false;         ///< an orthogonal similarity led to them, which is exact for A + E, |E| ~ 10 eps |A|; as where they are not graded
    std::vector<double> rest_c = {}, rest_o = {};  ///< lengths, at most, of the rows of columns left out; empty: nobody knows

    /// Columns of the states in place of those of the coordinates, of t as of lc, of w as of lo.
    void out_of(matrix<double>& t, matrix<double>& w) const {
        if (coordinates) coordinates->both_out_of(t, w);
    }
};

template <class System>
inline constexpr auto equation_of = in_discrete_time<System> ? two_sided::product : two_sided::sum;

/// Columns below this are rounding whatever is asked for.
inline constexpr double negligible_floor = 1e-16;

/// Modal A. Each mode is scaled so that its rows of B and columns of C are about equally large: then a diagonal entry of Wc small
/// beside the largest is one of Wo too, and what a floor cuts off matters to neither. A mode without input or output drops
/// out. Columns end at `floor` times the first in length. B and C have a unit, so that squares of them stay in the range of double.
template <class Domain>
gramian_factors modal_factors(const char* where, const complex_pairs<double>& a, matrix<double> b, const matrix<double>& c, double floor) {
    const index_t q = a.reals(), k = a.pairs();
    auto ct = transpose(c);
    const auto rows = [&](index_t i, auto f) {  // of mode i
        f(i);
        if (i >= q) f(i + k);
    };
    const auto refuse = [where](index_t i) {
        throw numerical_error(std::string(where) + ": the input or output of mode " + std::to_string(i) + " is beyond the range of double");
    };
    struct unit {
        int in = 0, out = 0;             // the exponents of a mode's largest entries
        double from_b = 0, from_ct = 0;  // what its rows are multiplied by; 0: nothing goes in, or nothing comes out
    };
    buffer<unit> units(static_cast<std::size_t>(q + k));
    int common = std::numeric_limits<int>::min();  // scaled entries are 2^common times too small, in B as in C
    for (index_t i = 0; i < q + k; ++i) {
        double in = 0, out = 0;
        rows(i, [&](index_t r) {
            const auto largest = [r](double& size, const matrix<double>& x) {
                for (index_t j = 0; j < x.cols(); ++j) size = std::max(size, std::isfinite(x(r, j)) ? std::abs(x(r, j)) : std::numeric_limits<double>::infinity());
            };
            largest(in, b);
            largest(out, ct);
        });
        if (std::isinf(in) || std::isinf(out)) refuse(i);
        if (!(in > 0 && out > 0)) continue;
        units[static_cast<std::size_t>(i)] = {std::ilogb(in), std::ilogb(out), 1, 1};
        const auto& u = units[static_cast<std::size_t>(i)];
        common = std::max({common, (u.in + u.out) / 2, std::abs(u.out - u.in) / 2 - 1022});  // no power of two below is beyond 2^1022
    }
    for (index_t i = 0; i < q + k; ++i) {
        auto& u = units[static_cast<std::size_t>(i)];
        if (u.from_b > 0) {
            const int shift = (u.out - u.in) / 2;
            u.from_b = std::ldexp(1.0, std::max(shift - common, -1022));
            u.from_ct = std::ldexp(1.0, std::max(-shift - common, -1022));
        }
        rows(i, [&](index_t r) {
            for (index_t j = 0; j < b.cols(); ++j) b(r, j) *= u.from_b;
            for (index_t j = 0; j < ct.cols(); ++j) ct(r, j) *= u.from_ct;
        });
    }
    // Only B B^T and C^T C matter, so that no more inputs or outputs than states take part.
    if (b.cols() > b.rows()) b = lower_factor(std::move(b));
    if (ct.cols() > ct.rows()) ct = lower_factor(std::move(ct));
    gramian_factors f;
    f.estimated = floor > negligible_floor;
    cauchy_record<Domain> of_c, of_o;
    const auto factor = [&](const modal_rows& modes, matrix<double>& l, std::vector<double>& rest, cauchy_record<Domain>& record) {
        auto leading = leading_cauchy_factor<Domain>(modes, floor, f.estimated ? &record : nullptr);
        l = std::move(leading.l);
        if (f.estimated) rest = std::move(leading.rest);
    };
    {
        const auto inputs = modal(a, b);
        require_stable<Domain>(where, inputs);
        factor(inputs, f.lc, f.rest_c, of_c);
        of_c.rest = {};
        of_o.stores = std::move(of_c.stores);
    }
    factor(modal(transpose(a), ct), f.lo, f.rest_o, of_o);
    of_o.stores.clear();
    for (index_t i = 0; i < q + k; ++i)
        rows(i, [&](index_t r) {
            const auto& u = units[static_cast<std::size_t>(i)];
            const double to_b = u.from_b > 0 ? 1 / u.from_b : 0, to_ct = u.from_ct > 0 ? 1 / u.from_ct : 0;  // powers of two
            const auto scale = [r](matrix<double>& x, double by) {
                bool finite = true;
                double* const row = x.view().row(r);
                for (index_t j = 0; j < x.cols(); ++j) finite &= std::isfinite(row[j] *= by);
                return finite;
            };
            const bool in = scale(f.lc, to_b), out = scale(f.lo, to_ct);  // both, whatever becomes of the first
            if (!in || !out) refuse(i);
            if (!f.estimated) return;
            scale(b, to_b);
            scale(of_o.rest, to_ct);
            f.rest_c[static_cast<std::size_t>(r)] *= to_b;
            f.rest_o[static_cast<std::size_t>(r)] *= to_ct;
        });
    if (f.estimated) f.product = cauchy_product<Domain>::of(f.lc, of_c.steps, b, f.lo, of_o);
    return f;
}

/// Lengths of the rows.
template <class T>
std::vector<double> row_lengths(const matrix<T>& x) {
    std::vector<double> v;
    for (index_t i = 0; i < x.rows(); ++i) v.push_back(std::sqrt(square_of(x.view().row(i), x.cols())));
    return v;
}
/// Those of x diag(scale).
template <class T>
std::vector<double> row_lengths(const matrix<T>& x, const std::vector<double>& scale) {
    std::vector<double> v;
    for (index_t i = 0; i < x.rows(); ++i) {
        double square = 0;
        for (index_t j = 0; j < x.cols(); ++j) square += std::norm(x(i, j) * scale[static_cast<std::size_t>(j)]);
        v.push_back(std::sqrt(square));
    }
    return v;
}
inline double sum_of_products(const std::vector<double>& x, const std::vector<double>& y) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
}
/// What the columns left out add to the sum of the singular values, at most:  |X^T Y|_* <= sum_i |x_i| |y_i|  over their rows,
/// which no unit of a state changes.
inline double missing_at_first(const gramian_factors& f) {
    return sum_of_products(row_lengths(f.lo), f.rest_c) + sum_of_products(row_lengths(f.lc), f.rest_o) + sum_of_products(f.rest_o, f.rest_c);
}
/// Those of Lc and Lo in the units of f. Out of Schur coordinates n columns cost a third of the form: 16 random combinations
/// of them, each of a row's length on average, tell it within a third or so, and units are powers of two.
inline std::vector<double> lengths_in_units(const gramian_factors& f, const matrix<double>& l, bool dual) {
    if (f.coordinates) {
        constexpr index_t many = 16;
        matrix<double> normal(l.cols(), many), x(l.rows(), many);
        random_stream(1).fill_normal(normal.flat(), 1 / std::sqrt(static_cast<double>(many)));
        multiply(l.view(), normal.view(), x.view());
        f.coordinates->q.apply(x.view());
        return row_lengths(x);
    }
    auto v = row_lengths(l);
    for (std::size_t i = 0; i < f.units.size(); ++i) v[i] *= dual ? f.units[i] : 1 / f.units[i];
    return v;
}

/// What is not finite in either factor is not in their product.
inline void require_product(const matrix<double>& k) {
    for (double x : k.flat())
        if (!std::isfinite(x)) throw numerical_error("hrm::balance: the singular values are beyond the range of double");
}

/// Lo^T Lc: its singular values are the Hankel singular values. In Schur coordinates row k of lc begins at column k - 1 and
/// that of lo at n - 2 - k, so that a sixth of the product is left to do.
inline matrix<double> factor_product(const gramian_factors& f) {
    if (!f.product.empty()) {
        require_product(f.product);
        return f.product;
    }
    matrix<double> k(f.lo.cols(), f.lc.cols());
    if (!f.coordinates) multiply(transposed(f.lo.view()), f.lc.view(), k.view());
    else
        for (index_t n = f.lc.rows(), first = 0; first < n; first += 64) {
            const index_t rows = std::min<index_t>(64, n - first), row = std::max<index_t>(0, n - 1 - first - rows),
                          col = std::max<index_t>(0, first - 1);
            multiply(transposed(f.lo.view().slice_rows(first, rows).slice_cols(row, n - row)),
                     f.lc.view().slice_rows(first, rows).slice_cols(col, n - col),
                     k.view().slice_rows(row, n - row).slice_cols(col, n - col), into::add);
        }
    require_product(k);
    return k;
}

/// Factors of a dense A, from Schur forms in good units: those that balance A, or better ones that the factors themselves
/// show. side_by_side: a form for each side, which keeps more of the small values than one for both.
template <class System>
gramian_factors schur_factors(const char* where, const System& s, bool side_by_side) {
    constexpr auto kind = equation_of<System>;
    check_equation(where, s.a.a, "B", s.b, s.b.cols());
    require_shape(where, "C", s.c.rows(), s.c.cols(), s.c.rows(), s.order());
    const auto ct = transpose(s.c);
    const auto solve = [&](const matrix<double>& a, const buffer<double>& d) {
        gramian_factors f{{}, {}, {}, false, 0, d};
        auto inverse = d;
        for (double& x : inverse) x = 1 / x;
        if (side_by_side) {
            f.lc = gramian_factor_by<kind>(stable_real_schur<kind>(where, a, d), s.b);
            f.lo = gramian_factor_by<kind>(stable_real_schur<kind>(where, transpose(a), inverse), ct);
        } else {
            auto pair = gramian_factors_by<kind>(stable_real_schur<kind>(where, a, d), s.b, s.c);
            f.lc = std::move(pair.lc);
            f.lo = std::move(pair.lo);
            f.coordinates = std::move(pair.coordinates);
        }
        return f;
    };
    auto a = s.a.a;
    auto d = balance_scales(a);
    if (s.order() == 0) return {{}, {}, {}, false};
    auto f = solve(a, d);
    for (int round = 0; round < 3; ++round) {
        if (f.coordinates) {  // rows in the states' units cost products; sum_i u_i v_i >= |Lo^T Lc|_F
            const auto square = [](const matrix<double>& x) { return dot(x.data(), x.data(), x.size()); };
            f.product = factor_product(f);
            if (square(f.lc) * square(f.lo) <= units_worth * square(f.product)) return f;
        }
        const auto t = better_units(a, lengths_in_units(f, f.lc, false), lengths_in_units(f, f.lo, true));
        if (t.empty()) return f;
        into_units(a, t);
        for (std::size_t i = 0; i < d.size(); ++i) d[i] *= t[i];
        try {
            f = solve(a, d);
        } catch (const unstable_error&) {  // poles next to the boundary: they were inside in the better units for A
            break;
        }
    }
    return f;
}

/// Of a symmetric A, by its eigenvectors: every column that is not rounding.
template <linear_system T>
std::optional<gramian_factors> symmetric_factors(const char* where, const T& s) {
    constexpr bool discrete = in_discrete_time<T>;
    const auto modes = find_symmetric_modes<discrete>(s.a.a);
    if (!modes) return {};
    const auto& v = modes->v;
    const auto into = [&](const matrix<double>& x) {
        matrix<double> y(x.rows(), x.cols());
        multiply(transposed(v.view()), x.view(), y.view());
        return y;
    };
    const auto out_of = [&](const matrix<double>& x) {
        matrix<double> y(x.rows(), x.cols());
        multiply(v.view(), x.view(), y.view());
        return y;
    };
    auto f = modal_factors<domain_of<T>>(where, {modes->poles, {}, {}}, into(s.b), transpose(into(transpose(s.c))), negligible_floor);
    f.product = factor_product(f);
    f.lc = out_of(f.lc);
    f.lo = out_of(f.lo);
    f.rotated = true;
    for (const double l : modes->poles) {
        f.depth = std::min(f.depth, discrete ? 1 - std::abs(l) : -l);
        f.resolvent = std::hypot(f.resolvent, 1 / (discrete ? (1 - l) * (1 + l) / 2 : l));
    }
    return f;
}

/// Both factors of a system in double, stable, with finite B and C.  modes: of a dense A, where find_modes sees them;
/// floor: 0 for every column.
template <linear_system T>
gramian_factors factors_of(const char* where, const T& s, const std::optional<modal_coordinates>& modes, double floor) {
    require_finite(where, "B", s.b);
    require_finite(where, "C", s.c);
    if constexpr (!std::same_as<typename T::structure_type, dense<double>>)
        return modal_factors<domain_of<T>>(where, to_pairs(s.a), s.b, s.c, floor);
    else {
        if (modes) {
            const auto m = in_modes(*modes, s);
            auto f = modal_factors<domain_of<T>>(where, m.a, m.b, m.c, floor);
            const double missing = f.rest_c.empty() ? 0 : missing_at_first(f);
            return {modes->from_modes(f.lc), modes->dual_from_modes(f.lo), {}, true, missing, {}, 0, f.estimated, 0, 0, std::move(f.product)};
        }
        // A low rank takes a third of the eigenvectors' time where there are many, and there as many digits come out.
        const bool many = s.order() > 256 && floor > 0;
        if (!many)
            if (auto f = symmetric_factors(where, s)) return std::move(*f);
        if constexpr (!in_discrete_time<T>)
            if (floor > 0)
                if (auto thin = low_rank_factors(s.a.a, s.b, transpose(s.c))) {
                    gramian_factors f{std::move(thin->lc), std::move(thin->lo), {}, false, 0, {}, thin->resolvent, !thin->bound};
                    if (thin->bound) f.apart = thin->bound->apart, f.apart_rounding = thin->bound->rounding;
                    f.product = std::move(thin->product);
                    return f;
                }
        if (many)
            if (auto f = symmetric_factors(where, s)) return std::move(*f);
        return schur_factors(where, s, floor == 0);
    }
}

/// factor_product without last rows and columns that hold next to nothing: their lengths together are below a hundredth of
/// `tolerance` times the longest row. Where columns are missing anyway they join them.    |K|_* <= the sum of the lengths of its columns
inline matrix<double> leading_product(gramian_factors& f, double tolerance) {
    if ((f.rest_c.empty() && !(f.missing > 0)) || f.coordinates || f.lo.empty() || f.lc.empty()) return factor_product(f);
    const auto k = factor_product(f);
    const auto by_row = row_lengths(k), by_column = row_lengths(transpose(k));
    const double spare = 0.01 * tolerance * *std::max_element(by_row.begin(), by_row.end());
    const auto cut = [&](const std::vector<double>& length, const matrix<double>& l, std::vector<double>& rest) {
        index_t kept = static_cast<index_t>(length.size());
        double dropped = 0;
        for (double next; kept > 1 && dropped + (next = length[static_cast<std::size_t>(kept - 1)]) <= spare; --kept) dropped += next;
        if (rest.empty()) f.missing += dropped;
        else
            for (index_t i = 0; i < l.rows(); ++i)
                rest[static_cast<std::size_t>(i)] = std::hypot(rest[static_cast<std::size_t>(i)], std::sqrt(dot(l.view().row(i) + kept, l.view().row(i) + kept, l.cols() - kept)));
        return kept;
    };
    const index_t live_rows = cut(by_row, f.lo, f.rest_o), live_cols = cut(by_column, f.lc, f.rest_c);
    return matrix<double>(matrix_view<const double>(k.view().slice_rows(0, live_rows).slice_cols(0, live_cols)));
}

}  // namespace hrm::detail
