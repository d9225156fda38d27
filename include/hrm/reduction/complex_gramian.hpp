#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/reduction/detail/blaschke.hpp>
#include <hrm/reduction/detail/core_svd.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/stability.hpp>

// Gramians of complex systems,   discrete:  A Wc A^H - Wc + B B^H = 0,   continuous:  A Wc + Wc A^H + B B^H = 0,
// and Wo the same of the dual system (A^H, C^H). Hermitian n x n, in double. Diagonal A: the pivoted elimination of cauchy.hpp.

namespace hrm {
namespace detail {

/// Throws unless every pole lies in the open domain.
template <class Domain>
void require_stable(const char* where, const buffer<complex>& poles) {
    constexpr bool disk = std::same_as<Domain, unit_disk>;
    for (const auto& l : poles)
        if (!(Domain::denominator(l, l).real() > 0))
            throw_unstable(where, disk ? "spectral radius" : "spectral abscissa", disk ? std::abs(l) : l.real(), disk ? 1 : 0);
}

/// kernel(l_i, l_j) b_i b_j^H.
template <class Kernel>
complex_matrix modal_gramian(const diagonal<complex>& a, const complex_matrix& b, Kernel kernel) {
    auto w = squared(b);
    for (index_t i = 0; i < w.rows(); ++i)
        for (index_t j = 0; j < w.cols(); ++j) w(i, j) *= kernel(a.poles[static_cast<std::size_t>(i)], a.poles[static_cast<std::size_t>(j)]);
    return w;
}

/// L with L L^H = the Gramian P_ij = b_i b_j^H / (1 - l_i conj l_j) (continuous: / (-l_i - conj l_j)), without P: small columns
/// keep their relative accuracy. A reflection of B's columns leaves the pivot's row one entry; then
///     column_i = b_i1 sqrt(gap_p) / (1 - l_i conj l_p),   b_i1 <- b_i1 (l_i - l_p) / (1 - l_i conj l_p).
/// n x rank; stops when what remains is below tolerance^2 of the largest diagonal entry.  b: n x m.  O(n m rank).
template <class Domain>
complex_matrix complex_cauchy_factor(const buffer<complex>& poles, complex_matrix b, double tolerance = 0) {
    const index_t n = b.rows(), m = b.cols();
    const auto pole = [&](index_t i) { return poles[static_cast<std::size_t>(i)]; };
    const auto at = [&](index_t i) { return planar{pole(i).real(), pole(i).imag()}; };
    std::vector<buffer<complex>> columns;
    buffer<complex> v(static_cast<std::size_t>(m));
    for (double floor = 0; static_cast<index_t>(columns.size()) < n;) {
        index_t p = 0;
        double largest = 0;
        for (index_t i = 0; i < n; ++i) {
            const double square = square_of(b.view().row(i), m), d = square > std::numeric_limits<double>::min() ? square / Domain::gap(at(i)) : 0;
            if (!std::isfinite(square) || !std::isfinite(d)) throw numerical_error("hrm::cauchy_factor: the Gramian is beyond the range of double");
            if (d > largest) largest = d, p = i;
        }
        if (columns.empty()) floor = largest * tolerance * tolerance;
        if (!(largest > floor)) break;
        complex* const row = b.view().row(p);
        std::copy_n(row, m, v.begin());  // v^T: b_p, turned onto its first entry by I - 2 conj(v) v^T / |v|^2
        const double length = std::sqrt(square_of(row, m)), weight = 1 / (length * (length + std::abs(v[0])));
        if (m > 1) {
            v[0] += phase(v[0]) * length;
            for (index_t i = 0; i < n; ++i) add_times(-weight * inner(v.data(), b.view().row(i), m), v.data(), b.view().row(i), m);
        }
        auto& column = columns.emplace_back(static_cast<std::size_t>(n));
        const double root = std::sqrt(Domain::gap(at(p)));
        for (index_t i = 0; i < n; ++i) {
            const complex part = divide(b(i, 0), Domain::denominator(pole(i), pole(p)));
            column[static_cast<std::size_t>(i)] = root * part;
            b(i, 0) = times(part, Domain::numerator(pole(i), pole(p)));
        }
        std::fill_n(row, m, complex{});
    }
    complex_matrix l(n, static_cast<index_t>(columns.size()));
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < l.cols(); ++j) l(i, j) = columns[static_cast<std::size_t>(j)][static_cast<std::size_t>(i)];
    return l;
}

/// Wc = lc lc^H, Wo = lo lo^H. graded: small columns are as accurate as large ones.
struct complex_factors {
    complex_matrix lc, lo;
    bool graded = false;
    buffer<double> units = {};  ///< those the Schur form was computed in
};
/// s: in double, finite. Modes are scaled so that rows of B and columns of C are about equally large (see modal_factors); one
/// without input or output drops out.
template <complex_system T>
complex_factors complex_factors_of(const char* where, const T& s, double tolerance) {
    const auto dual_of = dual(s);
    if constexpr (std::same_as<typename T::structure_type, dense<complex>>) {
        constexpr auto kind = in_discrete_time<T> ? two_sided::product : two_sided::sum;
        auto a = s.a.a;
        return {complex_factor<kind>(where, s.a.a, s.b), complex_factor<kind>(where, dual_of.a.a, dual_of.b), false, balance_scales(a)};
    } else {
        using domain = domain_of<T>;
        require_stable<domain>(where, s.a.poles);
        auto b = s.b, ch = dual_of.b;
        std::vector<int> shift(static_cast<std::size_t>(s.order()));
        const auto scaled = [](std::span<complex> row, int exponent) {
            for (auto& x : row) x = times_power(x, exponent);
        };
        for (index_t i = 0; i < s.order(); ++i) {
            double in = 0, out = 0;
            for (const auto& x : b.view().row_span(i)) in = std::max(in, modulus1(x));
            for (const auto& x : ch.view().row_span(i)) out = std::max(out, modulus1(x));
            if (!(in > 0 && out > 0)) {
                std::fill_n(b.view().row(i), b.cols(), complex{});
                std::fill_n(ch.view().row(i), ch.cols(), complex{});
                continue;
            }
            const int by = shift[static_cast<std::size_t>(i)] = (std::ilogb(out) - std::ilogb(in)) / 2;
            scaled(b.view().row_span(i), by);
            scaled(ch.view().row_span(i), -by);
        }
        complex_factors f{complex_cauchy_factor<domain>(s.a.poles, std::move(b), tolerance), complex_cauchy_factor<domain>(dual_of.a.poles, std::move(ch), tolerance), true};
        for (index_t i = 0; i < s.order(); ++i) {
            scaled(f.lc.view().row_span(i), -shift[static_cast<std::size_t>(i)]);
            scaled(f.lo.view().row_span(i), shift[static_cast<std::size_t>(i)]);
        }
        require_finite(where, "a factor of Wc", f.lc);
        require_finite(where, "a factor of Wo", f.lo);
        return f;
    }
}
/// Of Lo^H Lc, which are the Hankel singular values.
inline core_svd<complex> hankel_svd(const char* where, const complex_factors& f) {
    auto k = product(adjoint(f.lo), f.lc);
    if (std::all_of(k.flat().begin(), k.flat().end(), [](complex x) { return is_finite(x); })) {
        core_svd svd(std::move(k), f.graded);
        if (svd.sigma().empty() || std::isfinite(svd.sigma()[0])) return svd;
    }
    throw numerical_error(std::string(where) + ": the singular values are beyond the range of double");
}

}  // namespace detail

/// L with L L^H = Wc, n x rank, without forming Wc: for diagonal A small columns keep their relative accuracy, O(n^2 m); dense: the
/// factored equation, O(n^3). Throws unstable_error, with the spectral radius or abscissa, where A is not stable.
template <complex_system T>
matrix<std::complex<double>> controllability_factor(const T& system) {
    system.check();
    const auto s = cast<double>(system);
    constexpr auto where = "hrm::controllability_factor";
    detail::check_finite(where, s);
    if constexpr (std::same_as<std::decay_t<decltype(s.a)>, dense<std::complex<double>>>) {
        constexpr auto kind = in_discrete_time<T> ? detail::two_sided::product : detail::two_sided::sum;
        return detail::in_range(where, detail::complex_factor<kind>(where, s.a.a, s.b));
    } else {
        using domain = detail::domain_of<T>;
        detail::require_stable<domain>(where, s.a.poles);
        return detail::in_range(where, detail::complex_cauchy_factor<domain>(s.a.poles, s.b));
    }
}
template <complex_system T>
matrix<std::complex<double>> observability_factor(const T& system) {
    return controllability_factor(dual(system));
}
/// Wc of a stable system, n x n Hermitian. Diagonal: the closed form b_i b_j^H / (1 - l_i conj l_j), O(n^2 m); dense: the Stein or
/// Lyapunov equation, O(n^3).  Throws as controllability_factor.
template <complex_system T>
matrix<std::complex<double>> controllability(const T& system) {
    system.check();
    const auto s = cast<double>(system);
    constexpr auto where = "hrm::controllability";
    detail::check_finite(where, s);
    if constexpr (detail::is_modal<T>) {
        using domain = detail::domain_of<T>;
        detail::require_stable<domain>(where, s.a.poles);
        return detail::in_range(where, detail::modal_gramian(s.a, s.b, [](auto x, auto y) { return 1.0 / domain::denominator(x, y); }));
    } else if constexpr (in_discrete_time<T>) return detail::in_range(where, stein(s.a.a, detail::squared(s.b)));
    else return detail::in_range(where, lyapunov(s.a.a, detail::squared(s.b)));
}
template <complex_system T>
matrix<std::complex<double>> observability(const T& system) {
    return controllability(dual(system));
}

/// All n Hankel singular values of a stable complex system, descending. Diagonal A: every value is accurate relative to
/// itself; dense: relative to sigma_1.  O(n^3).  Throws unstable_error if A is unstable.
template <complex_system T>
std::vector<double> hankel_singular_values(const T& system) {
    system.check();
    const auto s = cast<double>(system);
    constexpr auto where = "hrm::hankel_singular_values";
    detail::check_finite(where, s);
    auto sigma = detail::hankel_svd(where, detail::complex_factors_of(where, s, 0)).sigma();
    sigma.resize(static_cast<std::size_t>(s.order()), 0.0);
    return sigma;
}

}  // namespace hrm
