#pragma once

#include <algorithm>
#include <cmath>
#include <optional>

#include <hrm/linalg/svd.hpp>

namespace hrm::detail {

/// A = V diag(poles) V^T,  V^T V = I.
struct symmetric_modes {
    buffer<double> poles;
    matrix<double> v;
};

/// Of a dense A that is symmetric to the bit, as those of heat, diffusion, and resistors with capacitors are. Where it is stable,
/// -A, or I - A in discrete time, is positive definite: its singular vectors are the eigenvectors, and come by bidiagonalisation in
/// a quarter of a real Schur form's time. Nothing of another A, or where the vectors don't come out to rounding.  O(7 n^3).
template <bool discrete>
std::optional<symmetric_modes> find_symmetric_modes(const matrix<double>& a) {
    const index_t n = a.rows();
    double largest = 0;
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j <= i; ++j) {
            if (a(i, j) != a(j, i)) return {};
            largest = std::max(largest, std::abs(a(i, j)));
        }
    if (!(largest > 1e-140 && largest < 1e140)) return {};  // squares would leave the range
    auto definite = a;
    for (double& x : definite.flat()) x = -x;
    if constexpr (discrete)
        for (index_t i = 0; i < n; ++i) definite(i, i) += 1;
    symmetric_modes m;
    matrix<double> u;
    const bidiagonal_svd svd(std::move(definite));
    if (!svd.vectors(n, u, m.v)) return {};
    double negative = 0;  // tr(I - V^T U): twice the eigenvalues of the other sign, whatever the vectors of a repeated value are
    for (index_t j = 0; j < n; ++j) {
        double along = 0;
        for (index_t i = 0; i < n; ++i) along += u(i, j) * m.v(i, j);
        negative += 1 - along;
        m.poles.push_back((discrete ? 1 : 0) - svd.sigma()[static_cast<std::size_t>(j)]);
    }
    if (!(negative < 1)) return {};
    return m;
}

}  // namespace hrm::detail
