#pragma once

#include <algorithm>
#include <string_view>

#include <hrm/cuda/detail/chunked_states.hpp>
#include <hrm/cuda/detail/device.cuh>
#include <hrm/scan/plan.hpp>

// scan::plan on the device:
//     hrm::scan::plan p(hrm::cuda{stream}, hrm::scan::chunked{}, a, {.batch = 4, .time = 4096});
//     p.states(a, z, s);          // a on the host, z and s on the device
// a's poles, which are the plan's only host data, travel inside the launches: a captured graph repeats those it was
// captured with. states and states_backward allocate nothing and never wait.

namespace hrm::scan {
namespace detail {

using hrm::detail::cuda_device;

template <class A>
class cuda_states {
public:
    using S = typename A::scalar;
    cuda_states(cuda where, const A& a, shape extents, index_t length)
        : states_(cuda_device{where}, modes<S>(a), extents.batch, extents.time, length) {}

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial, matrix_view<S> final) {
        states_.states(modes<S>(a), z, s, initial, final);
    }
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds, std::span<S> da,
                         matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        states_.states_backward(modes<S>(a), s, initial, ds, da, dinitial, dfinal);
    }

private:
    chunked_states<S, cuda_device> states_;
};

}  // namespace detail

/// Chunks in parallel, tied by carries: see cuda/detail/chunked_states.hpp. The same bits from run to run.
template <class A>
    requires detail::has_modes<A>
class engine<cuda, chunked, A> : public detail::cuda_states<A> {
public:
    engine(cuda where, chunked how, const A& a, shape extents) : detail::cuda_states<A>(where, a, extents, detail::requested_length(how)) {}
    std::string_view algorithm() const { return "chunked"; }
};

/// One thread a sequence and mode, from the first step to the last.
template <class A>
    requires detail::has_modes<A>
class engine<cuda, sequential, A> : public detail::cuda_states<A> {
public:
    engine(cuda where, sequential, const A& a, shape extents)
        : detail::cuda_states<A>(where, a, extents, std::max<index_t>(extents.time, 1)) {}
    std::string_view algorithm() const { return "sequential"; }
};

}  // namespace hrm::scan
