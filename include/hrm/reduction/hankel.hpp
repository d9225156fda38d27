#pragma once

#include <cmath>
#include <vector>

#include <hrm/reduction/detail/gramian_factors.hpp>
#include <hrm/reduction/jacobi.hpp>

namespace hrm {

/// All n Hankel singular values of a stable system, descending: the singular values of Lo^T Lc with Wc = Lc Lc^T and
/// Wo = Lo Lo^T, which are sqrt(eig(Wc Wo)) without squaring the error. States that are unreachable or unobservable have 0.
/// Diagonal A and pairs, also those in disguise (a dense A that find_modes sees through): every value is accurate relative
/// to itself, O(n^2 (m + p)) and a small O(rank^3). Other A: relative to sigma_1, O(n^3).
/// Throws numerical_error, with the spectral radius or abscissa, if A is unstable.
template <linear_system T>
std::vector<double> hankel_singular_values(const T& system) {
    system.check();
    detail::check_finite("hrm::hankel_singular_values", system);
    const auto values = [n = system.order()](const detail::gramian_factors& f) {
        auto sigma = jacobi_svd(detail::factor_product(f)).sigma;
        if (!sigma.empty() && !std::isfinite(sigma[0]))
            throw numerical_error("hrm::hankel_singular_values: sigma_1 is beyond the range of double");
        sigma.resize(static_cast<std::size_t>(n), 0.0);
        return sigma;
    };
    constexpr auto where = "hrm::hankel_singular_values";
    if constexpr (!detail::is_modal<T>)
        if (const auto modes = find_modes(system)) {
            const auto m = in_modes(*modes, system);
            return values(detail::modal_factors<detail::domain_of<T>>(where, m.a, m.b, m.c, 0));
        }
    return values(detail::factors_of(where, cast<double>(system), {}, 0));
}

}  // namespace hrm
