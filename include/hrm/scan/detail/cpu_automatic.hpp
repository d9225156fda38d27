#pragma once

#include <variant>

#include <hrm/scan/detail/cpu_chunked.hpp>
#include <hrm/scan/detail/cpu_sequential.hpp>

namespace hrm::scan {

/// From this many steps on chunks are preferred where the sequential engine would have a single task: threads have
/// something to share, and a float loses less (1e-6 instead of 4e-6 at 65536 steps and a pole of 1 - 1e-6). Below, and
/// with several tasks, the recurrence is the fastest there is. Set by bench/scan.cpp.
inline constexpr index_t chunked_from = 32768;

/// Chosen from the shape alone, never from the threads or the clock: the same plan gives the same bits everywhere.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cpu, automatic, A> {
public:
    using S = typename A::scalar;

    engine(cpu where, automatic, const A& a, shape extents) : engine_(choose(where, a, extents)) {}

    std::string_view algorithm() const {
        return std::visit([](const auto& e) { return e.algorithm(); }, engine_);
    }
    team& threads() {
        return std::visit([](auto& e) -> team& { return e.threads(); }, engine_);
    }
    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        std::visit([&](auto& e) { e.states(a, z, s, initial, final); }, engine_);
    }
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        std::visit([&](auto& e) { e.states_backward(a, s, initial, ds, da, dinitial, dfinal); }, engine_);
    }

private:
    using either = std::variant<engine<cpu, sequential, A>, engine<cpu, chunked, A>>;
    static either choose(cpu where, const A& a, shape extents) {
        index_t tasks = extents.batch;
        if constexpr (detail::has_modes<A>) tasks *= detail::mode_blocks(modes<S>(a)).count();
        if (tasks <= 1 && extents.time >= chunked_from)
            return either(std::in_place_index<1>, where, chunked{}, a, extents);
        return either(std::in_place_index<0>, where, sequential{}, a, extents);
    }
    either engine_;
};

}  // namespace hrm::scan
