#pragma once

#include <complex>
#include <vector>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/complex_balance.hpp>
#include <hrm/reduction/detail/adi.hpp>

// Large sparse systems: Gramians by factors of few columns, and what balanced truncation makes of them.

namespace hrm {

/// A Gramian ~ l l^T, and how nearly it solves its equation.  T: double, or complex, where ^H stands for ^T.
template <class T>
struct low_rank_gramian_of {
    matrix<T> l;                               ///< n x (columns)
    double residual = 0;                       ///< |A X E^T + E X A^T + B B^T|_F / |B B^T|_F of X = l l^T; discrete: A X A^T - E X E^T + B B^T
    std::vector<std::complex<double>> shifts;  ///< in the order used, where poles would lie; of a real system's pair the one with im > 0
};
using low_rank_gramian = low_rank_gramian_of<double>;

/// A reduced system, and how far its Gramians can be trusted. certified is false: sigma and bound are those of the factors.
template <class R>
struct low_rank_balanced : balanced_system<R> {
    double controllability_residual = 0, observability_residual = 0;  ///< relative, see low_rank_gramian
    index_t columns = 0;                                              ///< of both factors together
    std::vector<std::complex<double>> shifts;
};

namespace detail {

template <class System, class T = in_precision<double, typename System::scalar>>
using adi_side_of = adi_side<T, domain_of<System>>;

template <class System, real_or_complex T>
adi_side_of<System> side_of(const System& s, const sparse<T>& a, gramian_side side) {
    require_finite("hrm::low_rank", "B", s.b);
    require_finite("hrm::low_rank", "C", s.c);
    if (side == gramian_side::controllability) return {a, to_columns<T>(s.b), side};
    return {a, to_columns<T>(s.c).adjoint(), side};
}
template <template <class> class System, real_or_complex S>
low_rank_gramian_of<in_precision<double, S>> one_gramian(const System<sparse<S>>& system, const adi_options& o, gramian_side which) {
    system.check();
    const auto a = cast<double>(system.a);
    std::vector sides{side_of(system, a, which)};
    auto shifts = adi(a, sides, o);
    return {sides[0].factor(), sides[0].residual(), std::move(shifts)};
}

}  // namespace detail

/// The controllability Gramian X of E x' = A x + B u in low rank,  A X E^T + E X A^T + B B^T = 0, or of
/// E s_t = A s_{t-1} + B u_t,  A X A^T - E X E^T + B B^T = 0.
/// A sparse factorisation a shift, a complex one for a pair of a real system, then O(n m) a column.  Throws numerical_error where nothing converges.
template <template <class> class System, real_or_complex S>
low_rank_gramian_of<in_precision<double, S>> low_rank_controllability(const System<sparse<S>>& system, const adi_options& options = {}) {
    return detail::one_gramian(system, options, detail::gramian_side::controllability);
}
/// The Y with A^T Y E + E^T Y A + C^T C = 0 (A^T Y A - E^T Y E + C^T C = 0), complex ^H; in the coordinates of x the observability Gramian
/// is E^T Y E.
template <template <class> class System, real_or_complex S>
low_rank_gramian_of<in_precision<double, S>> low_rank_observability(const System<sparse<S>>& system, const adi_options& options = {}) {
    return detail::one_gramian(system, options, detail::gramian_side::observability);
}

/// Balanced truncation of a large sparse stable system, real or complex:
///     auto r = hrm::balance(hrm::continuous<hrm::sparse<double>>{{a, e}, b, c, {}}, {.rank = 20});
///     r.system;  r.sigma;  r.bound;  r.controllability_residual;
/// Both factors by the same shifts, so that each factorisation serves two solves; then as for dense systems. With E the
/// result is that of x' = E^-1 A x + E^-1 B u, whose state is the same x. sigma beyond the factors' columns are 0. What the
/// factors miss is not in the bound: it is no theorem beyond the residuals. frequency_response measures the error at points;
/// error_report::measured, which would need the dense norms, is refused. A must be stable: nothing is split off.
template <template <class> class System, real_or_complex S>
auto balance(const System<sparse<S>>& system, const balance_options& options = {}, const adi_options& adi = {}) {
    using namespace detail;
    using T = in_precision<double, S>;
    using reduced = System<dense<T>>;
    system.check();
    if (options.error == error_report::measured)
        throw error("hrm::balance: the error of a sparse system of order " + std::to_string(system.order()) +
                    " is not measured; compare frequency responses");
    auto s = cast<double>(system);
    std::vector<adi_side_of<System<sparse<S>>>> sides;
    sides.push_back(side_of(s, s.a, gramian_side::controllability));
    sides.push_back(side_of(s, s.a, gramian_side::observability));
    low_rank_balanced<reduced> out;
    out.shifts = detail::adi(s.a, sides, adi);
    auto lc = sides[0].factor(), lo = sides[1].factor();
    out.columns = lc.cols() + lo.cols();
    sparse_solver<T> e(symmetry::general);
    if (s.a.has_e()) e.factor(s.a.e);
    const auto solved = [&](const matrix<T>& x) { return s.a.has_e() ? from_eigen(e.solve(to_columns<T>(x))) : x; };
    const auto turned_by = [](const sparse_matrix<T>& m, const matrix<T>& x) { return from_eigen(column_block<T>(m.adjoint() * to_columns<T>(x))); };
    s.b = solved(s.b);
    const bool textbook = in_discrete_time<System<sparse<S>>> && options.weak == weak_states::residualize;
    if (textbook) {  // C E^-1 A and D + C E^-1 B, as for dense systems, and the observability factor A^T lo that belongs to them
        auto d = product(s.c, s.b);
        if (!s.d.empty()) add(d, s.d);
        s.d = std::move(d);
        auto ct = to_columns<T>(adjoint(s.c));
        if (s.a.has_e()) ct = e.solve_adjoint(ct);
        s.c = adjoint(turned_by(s.a.a, from_eigen(ct)));
        lo = turned_by(s.a.a, lo);
    } else if (s.a.has_e()) lo = turned_by(s.a.e, lo);
    const product_with times_a{[&](const matrix<T>& x) { return solved(from_eigen(column_block<T>(s.a.a * to_columns<T>(x)))); }};
    auto& all = static_cast<balanced_system<reduced>&>(out);
    if constexpr (real<S>) all = reduce_by_factors(s, times_a, gramian_factors{std::move(lc), std::move(lo), {}, false}, options);
    else all = reduce_complex(s, times_a, complex_factors{std::move(lc), std::move(lo)}, options);
    describe(out);
    out.controllability_residual = sides[0].residual();
    out.observability_residual = sides[1].residual();
    return out;
}

}  // namespace hrm
