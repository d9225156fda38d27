#pragma once

#include <algorithm>
#include <cmath>

#include <hrm/reduction/balanced.hpp>
#include <hrm/reduction/detail/real_form.hpp>
#include <hrm/reduction/detail/rounding.hpp>
#include <hrm/systems/norms.hpp>

// What a reduction really missed.

namespace hrm::detail {

/// G - H, without a D where both have the same.
template <any_system T, any_system H>
reduced_system<T> error_system(const T& g, const H& h) {
    auto e = difference(g, h);
    if (std::all_of(e.d.flat().begin(), e.d.flat().end(), [](auto x) { return x == 0.0; })) e.d = {};
    return e;
}

/// The norms of e, the error between a stable system and its reduction; nothing where a pole lies so near to the boundary that
/// the Schur form finds it beyond, or a norm is beyond the range of double.
template <any_system E>
void measure(const E& e, measured_errors& out) {
    try {
        const double error = hinf_norm(e).value, allowance = measure_allowance(real_form(to_dense(e)), error);
        if (!std::isfinite(allowance)) return;
        if (in_discrete_time<E> || e.d.empty()) out.measured_h2 = h2_norm(e);
        out.measured_error = error;
        out.measured_rounding = allowance;
    } catch (const numerical_error&) {
    }
}

}  // namespace hrm::detail
