#pragma once

#include <cmath>
#include <limits>

#include <hrm/linalg/solve.hpp>
#include <hrm/reduction/balanced.hpp>
#include <hrm/reduction/detail/core_svd.hpp>
#include <hrm/reduction/detail/gramian_factors.hpp>
#include <hrm/reduction/detail/missing.hpp>
#include <hrm/reduction/detail/rounding.hpp>
#include <hrm/reduction/detail/times_state.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/systems/norms.hpp>

// From the factors of two Gramians to a reduced system.

namespace hrm::detail {

/// Orthonormal columns, the first k of them spanning what the first k of x span. Gram-Schmidt, each column twice.
template <class T>
matrix<T> orthonormal(const matrix<T>& x) {
    auto q = transpose(x);
    const index_t n = x.rows();
    for (index_t k = 0; k < q.rows(); ++k) {
        T* v = q.view().row(k);
        for (int twice = 0; twice < 2; ++twice) {
            for (index_t h = 0; h < k; ++h) add_times(-inner(q.view().row(h), v, n), q.view().row(h), v, n);
            const double length = std::sqrt(square_of(v, n));
            for (index_t i = 0; i < n && length > 0; ++i) v[i] /= length;
        }
    }
    return transpose(q);
}

/// Columns of t and w, w_j^T t_j near 1, made biorthogonal and of a pair equally long: two-sided Gram-Schmidt, each column
/// twice, then t_j times f_j and w_j divided by it. Of all f these have the least |t|_F |w|_F. Returns f.   O(n k^2).
inline std::vector<double> biorthogonalize(matrix<double>& t, matrix<double>& w) {
    auto x = transpose(t), y = transpose(w);
    const index_t n = t.rows();
    const auto length = [n](const double* v) {  // squares may leave the range of double
        double largest = 0, sum = 0;
        for (index_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(v[i]));
        for (index_t i = 0; i < n && largest > 0; ++i) sum += (v[i] / largest) * (v[i] / largest);
        return largest * std::sqrt(sum);
    };
    std::vector<double> factor;
    for (index_t k = 0; k < x.rows(); ++k) {
        double *a = x.view().row(k), *b = y.view().row(k);
        for (int twice = 0; twice < 2; ++twice)
            for (index_t h = 0; h < k; ++h) {
                axpy(-dot(y.view().row(h), a, n), x.view().row(h), a, n);
                axpy(-dot(x.view().row(h), b, n), y.view().row(h), b, n);
            }
        const double inner = dot(a, b, n), f = std::sqrt(length(b)) / std::sqrt(length(a));
        for (index_t i = 0; i < n; ++i) {
            a[i] *= f;
            b[i] /= f * inner;
        }
        factor.push_back(f);
    }
    t = transpose(x);
    w = transpose(y);
    return factor;
}

/// x y^-1.
template <class T>
matrix<T> divide(const matrix<T>& x, const matrix<T>& y) { return transpose(solve(transpose(y), transpose(x))); }

/// l x for an l of many rows, some of them after the other, whose part of the product stays in a cache.
inline matrix<double> tall_product(matrix_view<const double> l, const matrix<double>& x) {
    constexpr index_t some = 256;
    matrix<double> y(l.rows, x.cols());
    for (index_t i = 0; i < l.rows; i += some)
        multiply(l.slice_rows(i, std::min(some, l.rows - i)), x.view(), y.view().slice_rows(i, std::min(some, l.rows - i)));
    return y;
}

/// t, w: n x count, for the singular directions [first, first + count):  with Lo^T Lc = U S V^T,
///     square root:     t = Lc V S^-1/2,  w = Lo U S^-1/2
///     balancing-free:  t = orth(Lc V),   w = orth(Lo U) (t^T orth(Lo U))^-1
///     biorthogonal:    t = Lc V S^-1/2 F,  w = Lo U S^-1/2 F^-1,  F so that |t_j| = |w_j|
struct oblique_projection {
    matrix<double> t, w;
    double correction = 0;
    std::vector<double> t_scale, w_scale;  ///< columns times these are Lc V and Lo U, or as long

    oblique_projection(const gramian_factors& f, const singular_values& svd, index_t first, index_t count, projection basis) {
        matrix<double> v(svd.v.rows(), count), u(svd.u.rows(), count);
        for (index_t j = 0; j < count; ++j) {
            const double scale = basis == projection::balancing_free ? 1 : 1 / std::sqrt(svd.sigma[static_cast<std::size_t>(first + j)]);
            for (index_t i = 0; i < v.rows(); ++i) v(i, j) = scale * svd.v(i, first + j);
            for (index_t i = 0; i < u.rows(); ++i) u(i, j) = scale * svd.u(i, first + j);
        }
        t = tall_product(f.lc.view().slice_cols(0, v.rows()), v);  // leading columns alone may have taken part
        w = tall_product(f.lo.view().slice_cols(0, u.rows()), u);
        f.out_of(t, w);
        t_scale.assign(static_cast<std::size_t>(count), 1);
        for (std::size_t j = 0; j < t_scale.size(); ++j) t_scale[j] = std::sqrt(svd.sigma[static_cast<std::size_t>(first) + j]);
        w_scale = t_scale;
        if (basis == projection::balancing_free) {
            t_scale.assign(t_scale.size(), frobenius(t));
            w_scale.assign(w_scale.size(), frobenius(w));
            t = orthonormal(t);
            w = orthonormal(w);
            w = divide(w, project(t, w));
        } else if (basis == projection::biorthogonal) {
            const auto factor = biorthogonalize(t, w);
            for (std::size_t j = 0; j < factor.size(); ++j) t_scale[j] /= factor[j], w_scale[j] *= factor[j];
        }
        // Small sigma leave w^T t short of I by rounding; w (t^T w)^-1 spans the same space and is exact again.
        auto identity = project(t, w);
        for (index_t i = 0; i < count; ++i)
            for (index_t j = 0; j < count; ++j) correction = std::max(correction, std::abs(identity(i, j) - (i == j)));
        if (correction > 1e-8) {
            w = divide(w, identity);
            identity = project(t, w);
        }
        // Below n eps it is what rounding leaves in w^T t itself.
        if (correction <= static_cast<double>(t.rows()) * std::numeric_limits<double>::epsilon()) return;
        for (index_t i = 0; i < count; ++i)  // the inverse of I + E with a small E is I - E, by which a product does
            for (index_t j = 0; j < count; ++j) identity(i, j) = (i == j ? 2 : 0) - identity(i, j);
        w = tall_product(w.view(), identity);
    }
};

/// The weak states 2 follow the strong ones 1:  x2 = E^-1 (A21 x1 + B2 u),  E = -A22 (discrete: I - A22), so that
///     A = A11 + A12 E^-1 A21,  B = B1 + A12 E^-1 B2,  C = C1 + C2 E^-1 A21,  D = D + C2 E^-1 B2.
template <class System>
System residualized(const System& s, index_t r) {
    using M = decltype(s.b);
    const index_t n = s.order(), k = n - r, m = s.inputs();
    const auto block = [](const M& x, index_t row, index_t rows, index_t col, index_t cols) {
        M y(rows, cols);
        for (index_t i = 0; i < rows; ++i)
            for (index_t j = 0; j < cols; ++j) y(i, j) = x(row + i, col + j);
        return y;
    };
    M e(k, k);
    for (index_t i = 0; i < k; ++i)
        for (index_t j = 0; j < k; ++j) e(i, j) = (is_discrete<System> && i == j ? 1.0 : 0.0) - s.a.a(r + i, r + j);
    const auto xa = solve(e, block(s.a.a, r, k, 0, r)), xb = solve(e, block(s.b, r, k, 0, m));
    const auto a12 = block(s.a.a, 0, r, r, k), c2 = block(s.c, 0, s.outputs(), r, k);
    System to{{block(s.a.a, 0, r, 0, r)}, block(s.b, 0, r, 0, m), block(s.c, 0, s.outputs(), 0, r),
              s.d.empty() ? M(s.outputs(), m) : s.d};
    add(to.a.a, product(a12, xa));
    add(to.b, product(a12, xb));
    add(to.c, product(c2, xa));
    add(to.d, product(c2, xb));
    return to;
}

/// The same elimination in the bases t, w of all states, as lengths (see projected_rows); columns of t and w are t_scale and
/// w_scale times shorter than balanced Gramians' factors.
template <class System, class M = decltype(System::b)>
projected_rows rows_residualized(const System& s, index_t r, const M& t, const M& w, const std::vector<double>& t_scale,
                                 const std::vector<double>& w_scale) {
    const index_t n = s.order(), k = n - r;
    M e(k, k), a21(k, r), a12(k, r), one(k, k);
    for (index_t i = 0; i < k; ++i) {
        one(i, i) = 1;
        for (index_t j = 0; j < k; ++j) e(i, j) = (is_discrete<System> && i == j ? 1.0 : 0.0) - s.a.a(r + i, r + j);
        for (index_t j = 0; j < r; ++j) a21(i, j) = s.a.a(r + i, j), a12(i, j) = s.a.a(j, r + i);
    }
    const auto inverse = solve(e, one);
    projected_rows rows;
    const auto along = [&](const M& x, const M& last, const M& coupling, const M& ports, const std::vector<double>& scale,
                           std::vector<double>& strong, std::vector<double>& direct) {
        const auto coupled = product(last, coupling);
        matrix<double> through(k, r);
        std::transform(coupled.flat().begin(), coupled.flat().end(), through.flat().begin(), [](auto v) { return std::abs(v); });
        const auto seen = row_lengths(product(last, M(matrix_view<const typename System::scalar>(ports.view().slice_rows(r, k)))));
        std::vector<double> row(static_cast<std::size_t>(r));
        for (index_t i = 0; i < x.rows(); ++i) {
            double square = 0, sum = 0;
            for (index_t j = 0; j < r; ++j) row[static_cast<std::size_t>(j)] = std::abs(x(i, j));
            for (index_t h = 0; h < k; ++h) {
                axpy(std::abs(x(i, r + h)), through.view().row(h), row.data(), r);
                sum += std::abs(x(i, r + h)) * seen[static_cast<std::size_t>(h)];
            }
            for (std::size_t j = 0; j < row.size(); ++j) square += row[j] * scale[j] * row[j] * scale[j];
            strong.push_back(std::sqrt(square));
            direct.push_back(sum);
        }
    };
    along(t, inverse, a21, s.b, t_scale, rows.t, rows.direct_t);
    along(w, transpose(inverse), a12, transpose(s.c), w_scale, rows.w, rows.direct_w);
    return rows;
}

/// The textbook form x_{k+1} = A x_k + B u_k, y_k = C x_k + D u_k of a system whose current input enters at once:
/// x_k = s_{k-1}, so C becomes C A and D becomes D + C B.
template <any_structure A>
discrete<A> to_textbook(discrete<A> s) {
    auto d = product(s.c, s.b);
    if (!s.d.empty()) add(d, s.d);
    s.d = std::move(d);
    s.c = transpose(times_state(transpose(s.a), transpose(s.c)));
    return s;
}
/// And back: C becomes C A^-1. Where A is too near to singular for that, the outputs of x are held in p more states, which
/// only hand them on: A = [A 0; C 0], B = [B; 0], C = [0 I]. Returns how many were added.
template <class T>
index_t from_textbook(discrete<dense<T>>& s) {
    const index_t r = s.order(), p = s.outputs();
    if (r == 0) return 0;
    const auto sigma = jacobi_svd(s.a.a).sigma;
    if (sigma.back() > 1e-8 * std::max(1.0, sigma.front())) {  // beside the unit circle: a whole A may be rounding
        s.c = divide(s.c, s.a.a);
        add(s.d, product(s.c, s.b), -1);
        return 0;
    }
    discrete<dense<T>> to{{matrix<T>(r + p, r + p)}, matrix<T>(r + p, s.inputs()), matrix<T>(p, r + p), s.d};
    for (index_t j = 0; j < r; ++j) {
        for (index_t i = 0; i < r; ++i) to.a.a(i, j) = s.a.a(i, j);
        for (index_t i = 0; i < p; ++i) to.a.a(r + i, j) = s.c(i, j);
    }
    for (index_t i = 0; i < r; ++i)
        for (index_t j = 0; j < s.inputs(); ++j) to.b(i, j) = s.b(i, j);
    for (index_t i = 0; i < p; ++i) to.c(i, r + i) = 1;
    s = std::move(to);
    return p;
}

/// Where the poles of a result lie.
template <class Result>
void describe_poles(Result& out) {
    constexpr bool discrete = is_discrete<decltype(out.system)>;
    if constexpr (discrete) out.spectral = spectral_radius(out.system.a);
    else out.spectral = spectral_abscissa(out.system.a);
    out.stable = out.spectral < (discrete ? 1 : 0);
}
inline double spectral_norm(const complex_matrix& x) { return largest_singular_value(x); }
/// What else is said about one once its system stands.
template <class Result>
void describe(Result& out) {
    require_finite("hrm::balance", "the reduced A", out.system.a.a);
    require_finite("hrm::balance", "the reduced B", out.system.b);
    require_finite("hrm::balance", "the reduced C", out.system.c);
    require_finite("hrm::balance", "the reduced D", out.system.d);
    require_finite("hrm::balance", "t", out.t);
    require_finite("hrm::balance", "w", out.w);
    if (!std::isfinite(out.bound)) throw numerical_error("hrm::balance: the singular values are beyond the range of double");
    out.condition = spectral_norm(out.t) * spectral_norm(out.w);
}

/// How many sigma, all n of a system, are more than rounding: those below that of Lo^H Lc, eps sum_i |lo_i| |lc_i| whatever the
/// units of the states, have directions of noise.  f: factors of its Gramians.
template <class Factors>
index_t rank_above_noise(const std::vector<double>& sigma, const Factors& f) {
    const double eps = std::numeric_limits<double>::epsilon();
    double least = static_cast<double>(sigma.size()) * eps;
    if (!f.graded && !sigma.empty() && sigma[0] > 0)
        least = std::max(least, 10 * eps * sum_of_products(row_lengths(f.lc), row_lengths(f.lo)) / sigma[0]);
    return rank_by_tolerance(sigma, least);
}

/// The whole reduction of s, given factors of its Gramians: of (A, B, C), or of the textbook form for a discrete system
/// whose weak states are residualised. a: A once more, as what times_state multiplies by. Finds the poles of the result as well.
template <linear_system T, class A>
auto reduce_by_factors(const T& s, const A& a, gramian_factors f, const balance_options& o) {
    balanced_system<reduced_system<T>> out;
    core_svd core(leading_product(f, o.tolerance), f.graded && o.floor == 0);
    out.sigma = core.sigma();
    out.sigma.resize(static_cast<std::size_t>(s.order()), 0.0);
    out.numerical_rank = rank_above_noise(out.sigma, f);
    const index_t r = choose_rank(out.sigma, out.numerical_rank, o);
    const bool weak = o.weak == weak_states::residualize;
    const index_t all = weak ? out.numerical_rank : r;
    const auto svd = core.leading(all);
    oblique_projection strong(f, svd, 0, r, o.basis);
    out.biorthogonality = strong.correction;
    out.t = std::move(strong.t);
    out.w = std::move(strong.w);
    auto t_scale = strong.t_scale, w_scale = strong.w_scale;
    matrix<double> all_t, all_w;
    if (all > r) {  // the weak directions beside the strong ones, in the basis of least rounding: the result knows their span alone
        const oblique_projection rest(f, svd, r, all - r, o.basis == projection::balancing_free ? projection::square_root : o.basis);
        all_t = beside(out.t, rest.t);
        all_w = beside(out.w, rest.w);
        t_scale.insert(t_scale.end(), rest.t_scale.begin(), rest.t_scale.end());
        w_scale.insert(w_scale.end(), rest.w_scale.begin(), rest.w_scale.end());
    }
    const auto &t = all > r ? all_t : out.t, &w = all > r ? all_w : out.w;
    out.system = {{project(w, a, t)}, project(w, s.b), product(s.c, t), s.d};
    projected_rows rows;
    if (weak) {
        const auto whole = out.system;
        out.system = residualized(whole, r);
        rows = rows_residualized(whole, r, t, w, t_scale, w_scale);
    } else {
        rows.t = row_lengths(t, t_scale);
        rows.w = row_lengths(w, w_scale);
    }
    std::vector<double> lc, lo;
    if (f.graded) lc = row_lengths(f.lc), lo = row_lengths(f.lo);
    if (!f.rest_c.empty()) {
        if (weak || o.basis == projection::balancing_free) f.missing = missing_at_first(f);
        else {  // of the balanced columns
            auto t_unit = t_scale, w_unit = w_scale;
            for (std::size_t j = 0; j < t_unit.size(); ++j) t_unit[j] /= std::sqrt(svd.sigma[j]), w_unit[j] /= std::sqrt(svd.sigma[j]);
            f.missing = missing_beside(f, rows.t, rows.w, row_lengths(t, t_unit), row_lengths(w, w_unit), lc, lo, strong.correction);
        }
    }
    out.bound = tail_bound(out.sigma, r) + 2 * f.missing + f.apart;
    if (f.graded) {  // V is right to eps, so a row of Lc V1 to eps of all of Lc V; else the Schur form's error covers that
        for (std::size_t i = 0; i < lc.size(); ++i) rows.t[i] = std::max(rows.t[i], lc[i]), rows.w[i] = std::max(rows.w[i], lo[i]);
    }
    require_finite("hrm::balance", "the reduced A", out.system.a.a);  // what overflows on the way ends here
    const auto poles = resolvents_of_both(out.system, t_scale, w_scale);  // where one Gramian or the other is I
    if constexpr (in_discrete_time<T>)
        if (weak) {  // s is the textbook form already; states for a delayed read-out have poles at 0
            out.delayed = from_textbook(out.system);
            if (!out.delayed && !out.sigma.empty()) rows.read_out = std::sqrt(out.sigma[0] * frobenius_squared(out.system.c));
        }
    out.spectral = poles.spectral;
    out.stable = poles.spectral < (in_discrete_time<T> ? 1 : 0);
    out.rounding = rounding_allowance(s, a, poles, rows, out.bound, f, r < out.numerical_rank) + f.apart_rounding;
    return out;
}

}  // namespace hrm::detail
