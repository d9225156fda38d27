#pragma once

#include <variant>

#include <hrm/scan/detail/cpu_chunked.hpp>
#include <hrm/scan/detail/cpu_sequential.hpp>

namespace hrm::scan {

/// From this many steps on chunks are preferred to the recurrence, which is the faster, two threads for chunks included
/// (bench/scan.cpp), but whose float states lose more than 1e-6 of slow poles: 1.1e-6 at 8192 steps, 5e-6 at 131072,
/// chunks 3e-8. A double, and a dense A, gain nothing there: they take chunks where the recurrence would be a single task,
/// so that more threads have something to share.
inline constexpr index_t chunked_from = 8192;

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
        constexpr bool finer = detail::has_modes<A> && sizeof(S) < sizeof(double);
        if (extents.time >= chunked_from && (finer || tasks <= 1))
            return either(std::in_place_index<1>, where, chunked{}, a, extents);
        return either(std::in_place_index<0>, where, sequential{}, a, extents);
    }
    either engine_;
};

}  // namespace hrm::scan
