#pragma once

#include <hrm/scan/detail/cpu_automatic.hpp>
#include <hrm/scan/detail/cpu_chunked.hpp>
#include <hrm/scan/detail/cpu_fft.hpp>
#include <hrm/scan/detail/cpu_sequential.hpp>
#include <hrm/scan/engine.hpp>
#include <hrm/scan/system.hpp>

namespace hrm::scan {

/// A scan made ready once: where, how, for which structure of A and which extents. Owns all scratch, about four chunks of states,
/// which does not grow with time but for what the backward of a system needs (scan::keep); calls after the first allocate
/// nothing. Movable, not copyable, one thread uses it (and it may use several).
///     hrm::scan::plan p(hrm::cpu{.threads = 2}, hrm::scan::sequential{}, system, {.batch = 4, .time = 4096});
///     p.forward(system, u, y);
/// `system` (a discrete system, or A alone) gives the structure and the extents; every call takes the coefficients anew.
/// Sequences are stacked: row b * time + t. A call may bring fewer steps than planned: time = rows / batch.
/// The number of threads never changes a bit.
template <class Policy, class Algorithm, class System>
class plan {
public:
    using A = structure_of_t<System>;
    using S = typename A::scalar;
    static constexpr bool is_system = !std::same_as<System, A>;

    static_assert(complete<Policy>,
                  "hrm::scan::plan: this policy is not complete here; hrm::cuda needs <hrm/cuda.hpp> and a CUDA compiler");
    static_assert(!complete<Policy> || !is_system || std::same_as<Policy, cpu>,
                  "hrm::scan::plan: on a GPU a plan takes A alone; the products with B and C are the caller's");
    static_assert(!complete<Policy> || has_engine<Policy, Algorithm, A>,
                  "hrm::scan::plan: no engine for this combination of policy, algorithm and structure of A");

    plan(Policy where, Algorithm how, const System& system, shape extents, keep kept = keep::nothing)
        : extents_(detail::checked_extents("hrm::scan::plan", extents)), order_(structure_of<System>::get(system).order()),
          pairs_(pairs_of(structure_of<System>::get(system))), engine_(where, how, structure_of<System>::get(system), extents_), pass_(system, extents_, kept) {}
    plan(plan&&) = default;
    plan& operator=(plan&&) = default;

    /// "sequential", "fft" or "chunked": what runs, also when automatic chose it.
    std::string_view algorithm() const { return engine_.algorithm(); }
    /// Why: what automatic compared with which threshold.
    std::string reason() const
        requires std::same_as<Policy, cpu>
    {
        if constexpr (std::same_as<Algorithm, automatic>) return engine_.reason();
        else return "asked for";
    }
    shape extents() const { return extents_; }
    index_t order() const { return order_; }

    /// s_t = A s_{t-1} + z_t.    z, s: (batch * time) x n, the same view allowed;  initial, final: batch x n or empty.
    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial = {},
                matrix_view<S> final = {}) {
        run_states(a, z, s, initial, final);
    }
    /// The same with z and s stored in bf16, where an engine has it; A, the borders and all arithmetic stay in S or better.
    void states(const A& a, matrix_view<const bf16> z, matrix_view<bf16> s, matrix_view<const S> initial = {},
                matrix_view<S> final = {})
        requires takes_bf16<engine<Policy, Algorithm, A>, A>
    {
        run_states(a, z, s, initial, final);
    }

    /// The adjoint of states: ds in dL/ds, out lambda = dL/dz;  da += dL/dA (diagonal n; pairs [real q | re k | im k];
    /// dense n x n);  dinitial = dL/d initial, or empty;  dfinal = dL/d final, or empty.    s: what states gave.
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial = {}, matrix_view<const S> dfinal = {}) {
        run_backward(a, s, initial, ds, da, dinitial, dfinal);
    }
    void states_backward(const A& a, matrix_view<const bf16> s, matrix_view<const S> initial, matrix_view<bf16> ds,
                         std::span<S> da, matrix_view<S> dinitial = {}, matrix_view<const S> dfinal = {})
        requires takes_bf16<engine<Policy, Algorithm, A>, A>
    {
        run_backward(a, s, initial, ds, da, dinitial, dfinal);
    }

    /// y_t = C s_t + D u_t,  s_t = A s_{t-1} + B u_t.    u: (batch * time) x m,  y: (batch * time) x p.
    ///     p.forward(system, u, y, {.initial = before, .final = after});
    /// Two products of 2 n m and 2 n p flop a row around the scan. y is not u, nor may du be dy below.
    void forward(const System& system, matrix_view<const S> u, matrix_view<S> y, const forward_borders<S>& borders = {})
        requires is_system
    {
        constexpr auto where = "hrm::scan::plan::forward";
        check_system(where, system, u, y);
        check_optional(where, "the initial state", borders.initial);
        check_optional(where, "the final state", borders.final);
        with_engine([&](auto& engine) { pass_.forward(engine, system, u, y, borders); });
    }

    /// The adjoint of forward with the same u: du = dL/du (or empty), gradient += dL/d(A, B, C, D). Made with keep::states it
    /// takes those of the last forward; else nothing is kept, and they are computed again, piece by piece. The same bits.
    void backward(const System& system, matrix_view<const S> u, matrix_view<const S> dy, matrix_view<S> du,
                  system_gradient<A>& gradient, const backward_borders<S>& borders = {})
        requires is_system
    {
        constexpr auto where = "hrm::scan::plan::backward";
        check_system(where, system, u, dy);
        if (!du.empty()) require_shape(where, "du", du.rows, du.cols, u.rows, u.cols);
        require_size(where, "the gradient of A", static_cast<index_t>(gradient.a.size()), coefficients(system.a));
        auto same = [&](std::string_view what, const matrix<S>& g, const matrix<S>& m) {
            require_shape(where, what, g.rows(), g.cols(), m.rows(), m.cols());
        };
        same("the gradient of B", gradient.b, system.b);
        same("the gradient of C", gradient.c, system.c);
        same("the gradient of D", gradient.d, system.d);
        check_optional(where, "the initial state", borders.initial);
        check_optional(where, "dinitial", borders.dinitial);
        check_optional(where, "dfinal", borders.dfinal);
        with_engine([&](auto& engine) { pass_.backward(engine, system, u, dy, du, gradient, borders); });
    }

private:
    template <class F>
    void with_engine(F&& f) {
        if constexpr (std::same_as<Algorithm, automatic>) engine_.visit(f);
        else f(engine_);
    }
    template <class T>
    void run_states(const A& a, matrix_view<const T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        constexpr auto where = "hrm::scan::plan::states";
        check(where, a, z);
        require_shape(where, "s", s.rows, s.cols, z.rows, order_);
        check_optional(where, "the initial state", initial);
        check_optional(where, "the final state", final);
        engine_.states(a, z, s, initial, final);
    }
    template <class T>
    void run_backward(const A& a, matrix_view<const T> s, matrix_view<const S> initial, matrix_view<T> ds, std::span<S> da,
                      matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        constexpr auto where = "hrm::scan::plan::states_backward";
        check(where, a, s);
        require_shape(where, "ds", ds.rows, ds.cols, s.rows, order_);
        require_size(where, "da", static_cast<index_t>(da.size()), coefficients(a));
        check_optional(where, "the initial state", initial);
        check_optional(where, "dinitial", dinitial);
        check_optional(where, "dfinal", dfinal);
        engine_.states_backward(a, s, initial, ds, da, dinitial, dfinal);
    }
    static index_t pairs_of(const A& a) {
        if constexpr (requires { a.pairs(); }) return a.pairs();
        else return 0;
    }
    /// The engine's blocks of states are those of the system the plan was made for.
    void check_structure(std::string_view where, const A& a) const {
        a.check();
        require_size(where, "the order of A", a.order(), order_);
        require_size(where, "the number of A's pairs", pairs_of(a), pairs_);
    }
    template <class T>
    void check(std::string_view where, const A& a, matrix_view<const T> states) const {
        check_structure(where, a);
        detail::require_rows(where, "states are", states, extents_, order_);
    }
    void check_system(std::string_view where, const System& system, matrix_view<const S> u,
                      matrix_view<const S> y) const {
        system.check();
        check_structure(where, system.a);
        detail::require_rows(where, "u is", u, extents_, system.inputs());
        require_shape(where, "y", y.rows, y.cols, u.rows, system.outputs());
    }
    template <class T>
    void check_optional(std::string_view where, std::string_view what, matrix_view<T> m) const {
        if (!m.empty()) require_shape(where, what, m.rows, m.cols, extents_.batch, order_);
    }

    shape extents_;
    index_t order_, pairs_;
    engine<Policy, Algorithm, A> engine_;
    [[no_unique_address]] std::conditional_t<is_system, detail::system_pass<A>, detail::no_system_pass> pass_;
};

}  // namespace hrm::scan
