#pragma once

#include <algorithm>
#include <string_view>

#include <hrm/cuda/detail/automatic.hpp>
#include <hrm/cuda/detail/chunked_dense.hpp>
#include <hrm/cuda/detail/chunked_states.hpp>
#include <hrm/cuda/detail/fft_states.hpp>
#include <hrm/cuda/fourier.cuh>
#include <hrm/scan/plan.hpp>

// scan::plan on the device:
//     hrm::scan::plan p(hrm::cuda{stream}, hrm::scan::chunked{}, a, {.batch = 4, .time = 4096});
//     p.states(a, z, s);          // a on the host, z and s on the device
// A's numbers, which are the plan's only host data, travel inside the launches: a captured graph repeats those it was
// captured with. states and states_backward allocate nothing and never wait. z and s may be in bf16, ds too.

namespace hrm::scan {
namespace detail {

using hrm::detail::cuda_device;

/// T: what z and s are stored as, S or bf16; borders are in S.
template <class A>
class cuda_states {
public:
    using S = typename A::scalar;
    cuda_states(cuda where, const A& a, shape extents, index_t length) : states_(make(cuda_device{where}, a, extents, length)) {}

    template <storable T>
    void states(const A& a, matrix_view<const T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        states_.states(numbers(a), z, s, initial, final);
    }
    template <storable T>
    void states_backward(const A& a, matrix_view<const T> s, matrix_view<const S> initial, matrix_view<T> ds, std::span<S> da,
                         matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        states_.states_backward(numbers(a), s, initial, ds, da, dinitial, dfinal);
    }

private:
    using kernels = std::conditional_t<is_dense<A>, chunked_dense<S, cuda_device>, chunked_states<S, cuda_device>>;
    static kernels make(cuda_device device, const A& a, shape extents, index_t length) {
        if constexpr (is_dense<A>) return kernels(device, a.order(), extents.batch, extents.time, length);
        else return kernels(device, modes<S>(a), extents.batch, extents.time, length);
    }
    static decltype(auto) numbers(const A& a) {
        if constexpr (is_dense<A>) return (a);
        else return modes<S>(a);
    }
    kernels states_;
};

}  // namespace detail

/// Chunks in parallel, tied by carries: see cuda/detail/chunked_states.hpp and, for a dense A of order at most 2048,
/// chunked_dense.hpp. The same bits from run to run.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cuda, chunked, A> : public detail::cuda_states<A> {
public:
    engine(cuda where, chunked how, const A& a, shape extents) : detail::cuda_states<A>(where, a, extents, detail::requested_length(how)) {}
    std::string_view algorithm() const { return "chunked"; }
};

/// One thread a sequence and mode (dense: a block some sequences), from the first step to the last.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cuda, sequential, A> : public detail::cuda_states<A> {
public:
    engine(cuda where, sequential, const A& a, shape extents)
        : detail::cuda_states<A>(where, a, extents, std::max<index_t>(extents.time, 1)) {}
    std::string_view algorithm() const { return "sequential"; }
};

/// Chunks or the sequential recurrence, by the thresholds of cuda/detail/automatic.hpp; never cuFFT.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cuda, automatic, A> : public detail::cuda_states<A> {
public:
    engine(cuda where, automatic, const A& a, shape extents)
        : detail::cuda_states<A>(where, a, extents, chunks(a, extents) ? 0 : std::max<index_t>(extents.time, 1)),
          chunked_(chunks(a, extents)) {}
    std::string_view algorithm() const { return chunked_ ? "chunked" : "sequential"; }

private:
    static bool chunks(const A& a, shape extents) {
        index_t recurrences = a.order();
        if constexpr (requires { a.pairs(); }) recurrences -= a.pairs();
        return detail::device_prefers_chunks(recurrences, extents);
    }
    bool chunked_;
};

/// Causal convolutions with the powers of A by cuFFT, in chunks of at most 1024 steps and a carry: the published form; see
/// cuda/detail/fft_states.hpp. About 16 passes over z where the others have two or three. The same bits from run to run, as
/// far as cuFFT gives them.
template <class A>
    requires detail::has_modes<A>
class engine<cuda, fft, A> {
public:
    using S = typename A::scalar;
    engine(cuda where, fft, const A& a, shape extents) : states_({{where}}, a, extents.batch, extents.time) {}
    std::string_view algorithm() const { return "fft"; }

    template <storable T>
    void states(const A& a, matrix_view<const T> z, matrix_view<T> s, matrix_view<const S> initial, matrix_view<S> final) {
        states_.states(a, z, s, initial, final);
    }
    template <storable T>
    void states_backward(const A& a, matrix_view<const T> s, matrix_view<const S> initial, matrix_view<T> ds, std::span<S> da,
                         matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        states_.states_backward(a, s, initial, ds, da, dinitial, dfinal);
    }

private:
    detail::fft_states<A, hrm::detail::cuda_fourier_device> states_;
};

}  // namespace hrm::scan
