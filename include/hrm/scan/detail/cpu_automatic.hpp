#pragma once

#include <string>
#include <variant>

#include <hrm/scan/detail/cpu_chunked.hpp>
#include <hrm/scan/detail/cpu_sequential.hpp>

namespace hrm::scan {

/// From this many steps on float states of poles run in chunks, whose states are double: those of the recurrence lose more
/// than 1e-6 of slow poles, 1.1e-6 at 8192 steps and 5e-6 at 131072, chunks 3e-8 (tests/scan/guarantees.cpp).
inline constexpr index_t chunked_from = 8192;

/// On one thread nothing is faster than the recurrence, for any structure and length (bench/scan.cpp: chunks take 1.3 to 2 times
/// as long, transforms 3 times and more), and its states are those of decoding, bit for bit. So it is taken wherever its precision
/// will do: always for double, and for a dense A, whose chunks round as it does.
/// Chosen from the shape alone, never from the threads or the clock: the same plan gives the same bits everywhere. One long
/// sequence on several threads is faster in chunks; ask for them.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cpu, automatic, A> {
public:
    using S = typename A::scalar;

    engine(cpu where, automatic, const A& a, shape extents) : time_(extents.time), engine_(choose(where, a, extents)) {}

    std::string_view algorithm() const {
        return std::visit([](const auto& e) { return e.algorithm(); }, engine_);
    }
    std::string reason() const {
        if constexpr (!by_precision) return "the fastest on a thread, and precise enough at every length";
        const bool more = time_ >= chunked_from;
        return std::to_string(time_) + " steps are " + (more ? "not " : "") + "below scan::chunked_from = " + std::to_string(chunked_from) +
               (more ? ": float states would lose more than 1e-6" : "");
    }
    team& threads() {
        return std::visit([](auto& e) -> team& { return e.threads(); }, engine_);
    }
    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        visit([&](auto& e) { e.states(a, z, s, initial, final); });
    }
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        visit([&](auto& e) { e.states_backward(a, s, initial, ds, da, dinitial, dfinal); });
    }
    /// f(the engine that was chosen).
    template <class F>
    void visit(F&& f) {
        std::visit(f, engine_);
    }

private:
    using either = std::variant<engine<cpu, sequential, A>, engine<cpu, chunked, A>>;
    static constexpr bool by_precision = detail::has_modes<A> && sizeof(S) < sizeof(double);
    static either choose(cpu where, const A& a, shape extents) {
        if (by_precision && extents.time >= chunked_from) return either(std::in_place_index<1>, where, chunked{}, a, extents);
        return either(std::in_place_index<0>, where, sequential{}, a, extents);
    }
    index_t time_;
    either engine_;
};

}  // namespace hrm::scan
