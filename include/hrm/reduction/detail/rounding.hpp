#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/stein.hpp>
#include <hrm/reduction/dual.hpp>

// What rounding may add to the error of a reduced system, to first order. With R(s) = (sI - A_r)^-1 and balanced coordinates
// (both Gramians at most S), a change dA of A_r moves G_r by C R dA R B. From A S + S A^T + B B^T = 0,
//     R B B^T R^* = R S + S R^*,    so that with R' = S^-1/2 R S^1/2    |S^-1/2 R B|^2 <= 2 |R'|,
// and with X of  A X + X A^T + I = 0  in the same way  |R|^2 <= 2 |R| |X|:  |R| <= rho = 2 |X|, the reciprocal of the depth of
// the poles where A is normal, and more where it is not. (Discrete: A S A^T - S + B B^T = 0 and so on, with the same bounds.)
// Projected, A_r = w^T (A t) is off by at most eps |w|^T |A| |t|, so with the rows t_i, w_i of t S^1/2 and w S^1/2
//     |dG_r| <= eps sum_i (r |w_i|) (|A| r |t|)_i + eps sum_i r |w_i| |b_i| + eps sum_i |c_i| r |t_i|,    r = sqrt(2 rho).
// The small columns of t and w count as little as they should. Gramians of a dense A are those of A + E, |E| ~ eps |A| in
// balanced units (backward stability of the Schur form): E moves G and G_r in the same manner, and a dropped sigma by
// eps |A| rho of itself.

namespace hrm::detail {

/// Lengths of the rows.
inline std::vector<double> row_lengths(const matrix<double>& x) {
    std::vector<double> v;
    for (index_t i = 0; i < x.rows(); ++i) v.push_back(std::sqrt(dot(x.view().row(i), x.view().row(i), x.cols())));
    return v;
}

/// |A| v, the magnitudes of the entries.
inline std::vector<double> times_magnitudes(const diagonal<double>& a, std::vector<double> v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= std::abs(a.poles[i]);
    return v;
}
inline std::vector<double> times_magnitudes(const complex_pairs<double>& a, std::vector<double> v) {
    const std::size_t q = a.real.size(), k = a.re.size();
    for (std::size_t i = 0; i < q; ++i) v[i] *= std::abs(a.real[i]);
    for (std::size_t i = 0; i < k; ++i) {
        const double re = std::abs(a.re[i]), im = std::abs(a.im[i]), x = v[q + i], y = v[q + k + i];
        v[q + i] = re * x + im * y;
        v[q + k + i] = im * x + re * y;
    }
    return v;
}
inline std::vector<double> times_magnitudes(const dense<double>& a, const std::vector<double>& v) {
    std::vector<double> y(v.size());
    for (std::size_t i = 0; i < v.size(); ++i)
        for (std::size_t j = 0; j < v.size(); ++j) y[i] += std::abs(a.a(static_cast<index_t>(i), static_cast<index_t>(j))) * v[j];
    return y;
}

/// 2 |X|_F, at least max |(sI - A)^-1| over the boundary; infinite where A is not stable.  O(n^3).
template <class System>
double resolvent_bound(const System& g) {
    const index_t n = g.order();
    if (n == 0) return 0;
    matrix<double> one(n, n), x(n, n);
    for (index_t i = 0; i < n; ++i) one(i, i) = 1;
    try {
        const auto l = [&] {
            if constexpr (in_discrete_time<System>) return stein_factor(g.a.a, one);
            else return lyapunov_factor(g.a.a, one);
        }();
        multiply(transposed(l.view()), l.view(), x.view());
    } catch (const unstable_error&) {
        return std::numeric_limits<double>::infinity();
    }
    return 2 * std::sqrt(dot(x.data(), x.data(), x.size()));
}

/// What the projection says about itself: G_r = C_r R B_r + D with both Gramians at most s^2 in its coordinates, the rows of
/// t and w in lengths; and what stands beside R where weak states were residualised, D = D + c_D B and so on.
struct projected_rows {
    std::vector<double> t, w;                    ///< of t S^1/2, w S^1/2
    std::vector<double> direct_t, direct_w;      ///< beside r t and r w; empty: none
    double read_out = 0;                         ///< |C| S^1/2 where C was divided by A_r afterwards, else 0
};

/// The allowance itself, infinite where nobody knows it (sparse A).  bound: the tail;  schur: whether a Schur form of A took part.
template <linear_system T, class System>
double rounding_allowance(const T& s, const System& reduced, const projected_rows& rows, double bound, bool schur) {
    if constexpr (!requires { times_magnitudes(s.a, rows.t); }) return std::numeric_limits<double>::infinity();
    else {
        const double eps = std::numeric_limits<double>::epsilon(), n = static_cast<double>(s.order()), gamma = (4 + std::sqrt(n)) * eps;
        const double rho = resolvent_bound(reduced), r = std::sqrt(2 * rho);
        if (!std::isfinite(rho)) return rho;
        std::vector<double> u(rows.w.size()), v(rows.t.size());
        for (std::size_t i = 0; i < u.size(); ++i) {
            u[i] = r * rows.w[i] + (rows.direct_w.empty() ? 0 : rows.direct_w[i]);
            v[i] = r * rows.t[i] + (rows.direct_t.empty() ? 0 : rows.direct_t[i]);
        }
        const auto av = times_magnitudes(s.a, v), b = row_lengths(s.b), c = row_lengths(transpose(s.c));
        double sum = r * rows.read_out;
        for (std::size_t i = 0; i < u.size(); ++i) sum += u[i] * (av[i] + b[i]) + c[i] * v[i];
        if (!rows.direct_t.empty()) sum += std::sqrt(dot(s.d.data(), s.d.data(), s.d.size()));
        double out = gamma * (sum + (n + 4) * bound);
        if (schur) {
            auto a = to_dense(s.a);
            const auto d = balance_scales(a);
            double uu = 0, vv = 0, rates = std::sqrt(dot(a.data(), a.data(), a.size()));
            for (std::size_t i = 0; i < u.size(); ++i) {
                uu = std::hypot(uu, u[i] * d[i]);
                vv = std::hypot(vv, v[i] / d[i]);
            }
            out += 10 * eps * rates * (uu * vv + rho * bound);
        }
        return out;
    }
}

/// What rounding may add to a norm of e that was measured by its Schur form, exact for A + E with |E| <= 10 eps |A| in the
/// units d that balance A: as above, with the Gramians P, Q of e itself in those units,
///     |dG| <= 10 eps (|A| |C R| |R B| + |B| |C R| + |C| |R B|),    |R B|^2 <= 2 rho |P|,  |C R|^2 <= 2 rho |Q|.    O(n^3)
template <template <class> class System>
double measure_allowance(System<dense<double>> e, double value) {
    const double eps = std::numeric_limits<double>::epsilon(), n = static_cast<double>(e.order());
    const auto d = balance_scales(e.a.a);
    for (index_t i = 0; i < e.order(); ++i) {
        for (double& x : std::span(e.b.view().row(i), static_cast<std::size_t>(e.inputs()))) x /= d[static_cast<std::size_t>(i)];
        for (index_t j = 0; j < e.outputs(); ++j) e.c(j, i) *= d[static_cast<std::size_t>(i)];
    }
    const auto length = [](const matrix<double>& x) { return std::sqrt(dot(x.data(), x.data(), x.size())); };
    const auto reach = [](const System<dense<double>>& g) {
        if constexpr (in_discrete_time<System<dense<double>>>) return stein_factor(g.a.a, g.b);
        else return lyapunov_factor(g.a.a, g.b);
    };
    const double rho = resolvent_bound(e), rb = std::sqrt(2 * rho) * length(reach(e)), cr = std::sqrt(2 * rho) * length(reach(dual(e)));
    return 10 * eps * (length(e.a.a) * cr * rb + length(e.b) * cr + length(e.c) * rb) + (4 + n) * eps * value;
}

}  // namespace hrm::detail
