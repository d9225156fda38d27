#pragma once

#include <hrm/scan/sequential.hpp>

namespace hrm::scan {

/// One token: state = A state + z, the same bits as a whole sequence gives.
///     scan::step(system.a, state, z);
/// a: modes or a structure. Allocates nothing (a dense A beyond 1024 states excepted).   O(n), dense O(n^2).
template <real S>
void step(const modes<S>& a, std::span<S> state, std::span<const std::type_identity_t<S>> z) {
    const auto n = static_cast<index_t>(state.size());
    require_size("hrm::scan::step", "z", static_cast<index_t>(z.size()), n);
    sequential_states(a, matrix_view<const S>(z.data(), 1, n), matrix_view<S>(state.data(), 1, n), state);
}
template <real S>
void step(const diagonal<S>& a, std::span<S> state, std::span<const std::type_identity_t<S>> z) {
    step(modes<S>(a), state, z);
}
template <real S>
void step(const complex_pairs<S>& a, std::span<S> state, std::span<const std::type_identity_t<S>> z) {
    step(modes<S>(a), state, z);
}
template <real S>
void step(const dense<S>& a, std::span<S> state, std::span<const std::type_identity_t<S>> z) {
    constexpr index_t usual = 1024;
    const auto n = static_cast<index_t>(state.size());
    require_size("hrm::scan::step", "z", static_cast<index_t>(z.size()), n);
    S few[usual];
    buffer<S> many(static_cast<std::size_t>(n > usual ? n : 0));
    std::span<S> before(n > usual ? many.data() : few, state.size());
    std::copy(state.begin(), state.end(), before.begin());
    sequential_states(a, matrix_view<const S>(z.data(), 1, n), matrix_view<S>(state.data(), 1, n), before);
}

}  // namespace hrm::scan
