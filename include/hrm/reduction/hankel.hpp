#pragma once

#include <vector>

#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/jacobi.hpp>

namespace hrm {

/// All n Hankel singular values of a stable system, descending: the singular values of Lo^T Lc with Wc = Lc Lc^T and
/// Wo = Lo Lo^T, which are sqrt(eig(Wc Wo)) without squaring the error. States that are unreachable or unobservable have 0.
/// O(n^3). For diagonal A and pairs small values are accurate relative to themselves, not only to sigma_1.
template <linear_system T>
std::vector<double> hankel_singular_values(const T& system) {
    const auto lc = controllability_factor(system), lo = observability_factor(system);
    matrix<double> k(lo.cols(), lc.cols());
    multiply(transposed(lo.view()), lc.view(), k.view());
    auto sigma = jacobi_svd(k).sigma;
    sigma.resize(static_cast<std::size_t>(system.order()), 0.0);
    return sigma;
}

}  // namespace hrm
