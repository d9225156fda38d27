#pragma once

#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/chunk_engine.hpp>
#include <hrm/scan/detail/dense_convolution.hpp>
#include <hrm/scan/detail/mode_convolution.hpp>

namespace hrm::scan {

/// Convolutions in overlapping chunks, zero-padded to twice their length, tied by a carry. One transform of the whole
/// sequence would be slower, would cost scratch for 2 L samples a state, and would let a late burst spoil earlier outputs.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cpu, fft, A>
    : public detail::chunk_engine<
          std::conditional_t<detail::is_dense<A>, detail::dense_convolution<typename A::scalar>,
                             detail::mode_convolution<A>>, A> {
    using kernel =
        std::conditional_t<detail::is_dense<A>, detail::dense_convolution<typename A::scalar>, detail::mode_convolution<A>>;

public:
    engine(cpu where, fft, const A& a, shape extents)
        : detail::chunk_engine<kernel, A>(where, a, extents, kernel::chunk(a, extents.time)) {}
    std::string_view algorithm() const { return "fft"; }
};

}  // namespace hrm::scan
