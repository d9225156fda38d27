#pragma once

#include <cmath>

#include <hrm/linalg/solve.hpp>
#include <hrm/systems/convert.hpp>

namespace hrm {

/// The system with E solved for:  E x' = A x + B u  (discrete: E s_t = A s_{t-1} + B u_t)  becomes  E^-1 A, E^-1 B; C and D
/// stay.  e: n x n, invertible, real or complex.  O(n^3).  Throws numerical_error, with the condition, where E is singular to twelve digits:
/// such a system may differentiate its input and has no form of this kind.
template <template <class> class System, real_or_complex S>
System<dense<in_precision<double, S>>> explicit_form(const matrix<S>& e, const System<dense<S>>& system) {
    using T = in_precision<double, S>;
    system.check();
    const index_t n = system.order(), m = system.inputs();
    require_shape("hrm::explicit_form", "E", e.rows(), e.cols(), n, n);
    const auto wide = detail::cast_elements<T>(e);
    auto g = cast<double>(system);
    matrix<T> right(n, 2 * n + m);  // [A | B | I]
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) right(i, j) = g.a.a(i, j);
        for (index_t j = 0; j < m; ++j) right(i, n + j) = g.b(i, j);
        right(i, n + m + i) = 1;
    }
    const auto x = [&] {
        try {
            return solve(wide, std::move(right));
        } catch (const numerical_error&) {
            throw numerical_error("hrm::explicit_form: E is singular: its condition is infinite, expected at most 1e+12");
        }
    }();
    double norm = 0, inverse = 0;  // largest row sums
    for (index_t i = 0; i < n; ++i) {
        double sum = 0, other = 0;
        for (index_t j = 0; j < n; ++j) {
            sum += std::abs(wide(i, j));
            other += std::abs(x(i, n + m + j));
        }
        norm = std::max(norm, sum);
        inverse = std::max(inverse, other);
    }
    if (n > 0 && !(norm * inverse <= 1e12))
        throw numerical_error("hrm::explicit_form: E is singular to rounding: condition " + std::to_string(norm * inverse) +
                              ", expected at most 1e+12");
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) g.a.a(i, j) = x(i, j);
        for (index_t j = 0; j < m; ++j) g.b(i, j) = x(i, n + j);
    }
    return g;
}

}  // namespace hrm
