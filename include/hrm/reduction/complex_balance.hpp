#pragma once

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/detail/complex_projection.hpp>

namespace hrm {
namespace detail {

template <class V>
V twice(V x) {
    const auto n = static_cast<std::ptrdiff_t>(x.size());
    x.resize(2 * x.size());
    std::copy_n(x.begin(), n, x.begin() + n);
    return x;
}

/// What rounding may add to the error, to first order: that of the real form (rounding.hpp).
template <complex_system T>
double complex_rounding(const T& s, const poles_and_resolvents& poles, projected_rows rows, double bound, const complex_factors& f, bool cut) {
    const auto whole = real_form(s);
    const auto one_column = [](const std::vector<double>& lengths) {  // the allowance knows factors by the lengths of their rows
        matrix<double> x(static_cast<index_t>(lengths.size()), 1);
        std::copy(lengths.begin(), lengths.end(), x.data());
        return x;
    };
    const auto lc = twice(row_lengths(f.lc)), lo = twice(row_lengths(f.lo));
    const gramian_factors lengths{one_column(lc), one_column(lo), {}, f.graded, 0, twice(f.units)};
    for (auto* v : {&rows.t, &rows.w, &rows.direct_t, &rows.direct_w}) *v = twice(std::move(*v));
    if (f.graded)
        for (std::size_t i = 0; i < lc.size(); ++i) rows.t[i] = std::max(rows.t[i], lc[i]), rows.w[i] = std::max(rows.w[i], lo[i]);
    return rounding_allowance(whole, whole.a, poles, rows, bound, lengths, cut);
}

/// As reduce_by_factors.
template <complex_system T, class A>
auto reduce_complex(const T& s, const A& a, const complex_factors& f, const balance_options& o) {
    constexpr auto where = "hrm::balance";
    using R = reduced_system<T>;
    auto core = hankel_svd(where, f);
    balanced_system<R> out;
    out.sigma = core.sigma();
    out.sigma.resize(static_cast<std::size_t>(s.order()), 0.0);
    out.numerical_rank = rank_above_noise(out.sigma, f);
    const index_t r = choose_rank(out.sigma, out.numerical_rank, o);
    const bool weak = o.weak == weak_states::residualize;
    const auto svd = core.leading(weak ? out.numerical_rank : r);
    const complex_projection strong(f, svd, 0, r, o.basis);
    auto [t, w, correction, t_scale, w_scale] = strong;
    if (weak) {  // the weak directions beside the strong ones: the result knows their span alone
        const complex_projection rest(f, svd, r, out.numerical_rank - r, projection::square_root);
        t = beside(t, rest.t);
        w = beside(w, rest.w);
        t_scale.insert(t_scale.end(), rest.t_scale.begin(), rest.t_scale.end());
        w_scale.insert(w_scale.end(), rest.w_scale.begin(), rest.w_scale.end());
    }
    const auto wh = adjoint(w);
    out.system = R{{product(wh, times_state(a, t))}, product(wh, s.b), product(s.c, t), s.d};
    projected_rows rows;
    if (weak) {
        const auto whole = out.system;
        out.system = residualized(whole, r);
        rows = rows_residualized(whole, r, t, w, t_scale, w_scale);
    } else {
        rows.t = row_lengths(t, t_scale);
        rows.w = row_lengths(w, w_scale);
    }
    check_finite(where, out.system);  // what overflows on the way ends here
    t_scale.resize(static_cast<std::size_t>(r));
    w_scale.resize(static_cast<std::size_t>(r));
    const auto poles = resolvents_of_both(real_form(out.system), twice(t_scale), twice(w_scale));
    if constexpr (in_discrete_time<T>)
        if (weak) {
            out.delayed = from_textbook(out.system);
            if (!out.delayed && !out.sigma.empty()) rows.read_out = std::sqrt(out.sigma[0] * frobenius_squared(out.system.c));
        }
    out.bound = tail_bound(out.sigma, r);
    if constexpr (requires { real_form(s.a); }) out.rounding = complex_rounding(s, poles, std::move(rows), out.bound, f, r < out.numerical_rank);
    else out.rounding = std::numeric_limits<double>::infinity();  // of a sparse A nobody knows it
    out.spectral = poles.spectral;
    out.stable = poles.spectral < (in_discrete_time<T> ? 1 : 0);
    out.biorthogonality = correction;
    out.t = strong.t;
    out.w = strong.w;
    return out;
}
template <complex_system T>
auto balance_stable(const T& s, const balance_options& o) {
    const auto run = [&o](const T& g) { return reduce_complex(g, g.a, complex_factors_of("hrm::balance", g, std::min(o.floor, negligible_floor)), o); };
    auto out = [&] {
        if constexpr (in_discrete_time<T>)
            if (o.weak == weak_states::residualize) return run(to_textbook(s));
        return run(s);
    }();
    describe(out);
    if (o.error == error_report::measured && out.stable) measure(error_system(s, out.system), out);
    out.certified = out.stable && allows(out);
    return out;
}

/// s: in double.
template <complex_system T>
auto balance_complex(const T& s, const balance_options& o) {
    check_finite("hrm::balance", s);
    if (o.unstable == unstable_poles::refuse) return balance_stable(s, o);
    if (nothing_to_split<T>(s.a, o.margin)) try {
            return balance_stable(s, o);
        } catch (const unstable_error&) {  // by the Schur form of its equations, in other units
        }
    return balance_split(s, o, [&](const T& stable) {
        return in_port_units("hrm::balance", stable, o, [](const T& g, const balance_options& own) { return balance_stable(g, own); });
    });
}

}  // namespace detail

/// balance() of a complex system:  r.system, r.t and r.w are complex, w^H t = I, and sigma, rules, bases and the bound are those of
/// a real one; unstable and integrating poles are split off, kept and counted, or refused. Diagonal A: sigma are accurate relative
/// to themselves.  O(n^3), in double.  Throws numerical_error on what is not finite, unstable_error where A is refused.
template <complex_system T>
auto balance(const T& system, const balance_options& options = {}) {
    system.check();
    return detail::in_port_units("hrm::balance", cast<double>(system), options, [](const auto& s, const balance_options& o) {
        return detail::balance_complex(s, o);
    });
}

/// The same with given Gramians, n x n, Hermitian positive semidefinite, as for a real system: no theorem, no split.
template <complex_system T>
auto balance(const T& system, const matrix<std::complex<double>>& wc, const matrix<std::complex<double>>& wo, const balance_options& options = {}) {
    return detail::balance_given(system, wc, wo, options, [&](const auto& s, const auto& c, const auto& o) {
        return detail::reduce_complex(s, s.a, detail::complex_factors{c.l, o.l, true}, options);
    });
}

}  // namespace hrm
