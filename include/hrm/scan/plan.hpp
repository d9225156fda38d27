#pragma once

#include <hrm/scan/detail/cpu_sequential.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan {

/// A scan made ready once: where, how, for which structure of A and which extents. Owns all scratch; calls allocate
/// nothing. Movable, not copyable, one thread uses it (and it may use several).
///     hrm::scan::plan p(hrm::cpu{.threads = 2}, hrm::scan::sequential{}, system, {.batch = 4, .time = 4096});
///     p.states(system.a, z, s);
/// `system` (a discrete system, or A alone) gives the structure and the extents; every call takes the coefficients anew.
/// Sequences are stacked: row b * time + t. A call may bring fewer steps than planned: time = rows / batch.
/// The number of threads never changes a bit.
template <class Policy, class Algorithm, class System>
class plan {
public:
    using A = structure_of_t<System>;
    using S = typename A::scalar;

    static_assert(complete<Policy>,
                  "hrm::scan::plan: this policy is not complete here; hrm::cuda needs <hrm/cuda.hpp> and a CUDA compiler");
    static_assert(has_engine<Policy, Algorithm, A>,
                  "hrm::scan::plan: no engine for this combination of policy, algorithm and structure of A");

    plan(Policy where, Algorithm how, const System& system, shape extents)
        : extents_(checked(extents)), order_(structure_of<System>::get(system).order()),
          engine_(where, how, structure_of<System>::get(system), extents_) {}
    plan(plan&&) = default;
    plan& operator=(plan&&) = default;

    /// "sequential", "fft" or "chunked": what runs, also when automatic chose it.
    std::string_view algorithm() const { return engine_.algorithm(); }
    shape extents() const { return extents_; }
    index_t order() const { return order_; }

    /// s_t = A s_{t-1} + z_t.    z, s: (batch * time) x n, the same view allowed;  initial, final: batch x n or empty.
    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial = {},
                matrix_view<S> final = {}) {
        constexpr auto where = "hrm::scan::plan::states";
        check(where, a, z);
        require_shape(where, "s", s.rows, s.cols, z.rows, order_);
        check_optional(where, "the initial state", initial);
        check_optional(where, "the final state", final);
        engine_.states(a, z, s, initial, final);
    }

    /// The adjoint of states: ds in dL/ds, out lambda = dL/dz;  da += dL/dA (diagonal n; pairs [real q | re k | im k];
    /// dense n x n);  dinitial = dL/d initial, or empty;  dfinal = dL/d final, or empty.    s: what states gave.
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial = {}, matrix_view<const S> dfinal = {}) {
        constexpr auto where = "hrm::scan::plan::states_backward";
        check(where, a, s);
        require_shape(where, "ds", ds.rows, ds.cols, s.rows, order_);
        require_size(where, "da", static_cast<index_t>(da.size()), coefficients(a));
        check_optional(where, "the initial state", initial);
        check_optional(where, "dinitial", dinitial);
        check_optional(where, "dfinal", dfinal);
        engine_.states_backward(a, s, initial, ds, da, dinitial, dfinal);
    }

private:
    static shape checked(shape extents) {
        if (extents.batch < 1 || extents.time < 0)
            throw shape_error("hrm::scan::plan: batch is " + std::to_string(extents.batch) + " and time " +
                              std::to_string(extents.time) + ", expected at least 1 and 0");
        return extents;
    }
    void check(std::string_view where, const A& a, matrix_view<const S> rows) const {
        require_size(where, "the order of A", a.order(), order_);
        if (rows.rows > extents_.batch * extents_.time || rows.rows % extents_.batch != 0 || rows.cols != order_)
            throw shape_error(std::string(where) + ": states are " + hrm::extents(rows.rows, rows.cols) +
                              ", expected at most " + hrm::extents(extents_.batch * extents_.time, order_) +
                              " and a multiple of " + std::to_string(extents_.batch) + " rows");
    }
    template <class T>
    void check_optional(std::string_view where, std::string_view what, matrix_view<T> m) const {
        if (!m.empty()) require_shape(where, what, m.rows, m.cols, extents_.batch, order_);
    }

    shape extents_;
    index_t order_;
    engine<Policy, Algorithm, A> engine_;
};

}  // namespace hrm::scan
