#pragma once

#include <complex>
#include <vector>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/detail/adi.hpp>

// Large sparse systems: Gramians by factors of few columns, and what balanced truncation makes of them.

namespace hrm {

/// A Gramian ~ l l^T, and how nearly it solves its equation.
struct low_rank_gramian {
    matrix<double> l;                          ///< n x (columns)
    double residual = 0;                       ///< |A X E^T + E X A^T + B B^T|_F / |B B^T|_F of X = l l^T
    std::vector<std::complex<double>> shifts;  ///< in the order used, of a pair the one with im > 0
};

/// A reduced system, and how far its Gramians can be trusted. certified is false: sigma and bound are those of the factors.
struct low_rank_balanced : balanced_system<continuous<dense<double>>> {
    double controllability_residual = 0, observability_residual = 0;  ///< relative, see low_rank_gramian
    index_t columns = 0;                                              ///< of both factors together
    std::vector<std::complex<double>> shifts;
};

namespace detail {

template <real S, class T = double>
adi_side<T> side_of(const continuous<sparse<S>>& s, const sparse<T>& a, gramian_side side) {
    require_finite("hrm::low_rank", "B", s.b);
    require_finite("hrm::low_rank", "C", s.c);
    if (side == gramian_side::controllability) return {a, to_columns<T>(s.b), side};
    return {a, to_columns<T>(s.c).transpose(), side};
}
template <real S>
low_rank_gramian one_gramian(const continuous<sparse<S>>& system, const adi_options& o, gramian_side which) {
    system.check();
    const auto a = cast<double>(system.a);
    std::vector sides{side_of(system, a, which)};
    auto shifts = adi(a, sides, o);
    return {sides[0].factor(), sides[0].residual(), std::move(shifts)};
}

}  // namespace detail

/// The controllability Gramian X of E x' = A x + B u in low rank,  A X E^T + E X A^T + B B^T = 0.
/// A sparse factorisation a shift (two for a pair), then O(n m) a column.  Throws numerical_error where nothing converges.
template <real S>
low_rank_gramian low_rank_controllability(const continuous<sparse<S>>& system, const adi_options& options = {}) {
    return detail::one_gramian(system, options, detail::gramian_side::controllability);
}
/// The Y with A^T Y E + E^T Y A + C^T C = 0; in the coordinates of x the observability Gramian is E^T Y E.
template <real S>
low_rank_gramian low_rank_observability(const continuous<sparse<S>>& system, const adi_options& options = {}) {
    return detail::one_gramian(system, options, detail::gramian_side::observability);
}

/// Balanced truncation of a large sparse stable system:
///     auto r = hrm::balance(hrm::continuous<hrm::sparse<double>>{{a, e}, b, c, {}}, {.rank = 20});
///     r.system;  r.sigma;  r.bound;  r.controllability_residual;
/// Both factors by the same shifts, so that each factorisation serves two solves; then as for dense systems. With E the
/// result is that of x' = E^-1 A x + E^-1 B u, whose state is the same x. sigma beyond the factors' columns are 0. What the
/// factors miss is not in the bound: it is no theorem beyond the residuals. frequency_response measures the error at points;
/// error_report::measured, which would need the dense norms, is refused. A must be stable: nothing is split off.
template <real S>
low_rank_balanced balance(const continuous<sparse<S>>& system, const balance_options& options = {}, const adi_options& adi = {}) {
    using namespace detail;
    system.check();
    if (options.error == error_report::measured)
        throw error("hrm::balance: the error of a sparse system of order " + std::to_string(system.order()) +
                    " is not measured; compare frequency responses");
    continuous<sparse<double>> s = cast<double>(system);
    std::vector<adi_side<double>> sides;
    sides.push_back(side_of(s, s.a, gramian_side::controllability));
    sides.push_back(side_of(s, s.a, gramian_side::observability));
    low_rank_balanced out;
    out.shifts = detail::adi(s.a, sides, adi);
    gramian_factors f{sides[0].factor(), sides[1].factor(), {}, false};
    sparse_solver<double> e(symmetry::general);
    const auto solved = [&](const matrix<double>& x) { return s.a.has_e() ? from_eigen(e.solve(to_columns<double>(x))) : x; };
    if (s.a.has_e()) {
        f.lo = from_eigen(column_block<double>(s.a.e.transpose() * to_columns<double>(f.lo)));
        e.factor(s.a.e);
        s.b = solved(s.b);
    }
    const auto times_a = [&](const matrix<double>& x) { return solved(from_eigen(column_block<double>(s.a.a * to_columns<double>(x)))); };
    static_cast<balanced_system<continuous<dense<double>>>&>(out) = reduce_by_factors(s, times_a, f, options);
    describe(out);
    out.controllability_residual = sides[0].residual();
    out.observability_residual = sides[1].residual();
    out.columns = f.lc.cols() + f.lo.cols();
    return out;
}

}  // namespace hrm
