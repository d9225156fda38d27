#pragma once

#include <string>
#include <vector>

#include <hrm/cuda/adapter.cuh>
#include <hrm/cuda/detail/moment_sums.hpp>

namespace hrm {

/// What moment_sketch keeps of activations, of activations on the device: T is float, double or bf16.
///     hrm::device_moment_sketch<hrm::bf16> s(hrm::cuda{stream}, host);    // host: a moment_sketch, whose options it takes
///     for (each sequence) s.add(u);                                       // u: L x d, on the device
///     s.merge_into(host);   auto e = host.estimate(32);
/// add allocates nothing and waits for nothing: it may be captured in a graph. Pieces of at most 4096 tokens; each adds its
/// products, by cuBLAS in the precision of u, to sums that are exact. So the same calls of add, in any order, by any number
/// of devices of one kind, merge to the same bits; a host's add of the same u, or another kind's, rounds its products otherwise.
/// A piece of L tokens: 2 L d (2 columns + 2 probes) flop in float; in bf16 2 L d (3 columns + 2 probes) on tensor cores, and
/// u is read three times, mostly from the cache. Each piece reads and writes 16 d columns bytes of sums.
/// Memory: 56 d columns bytes of sums, and 4096 tokens' products.
template <storable T>
class device_moment_sketch {
public:
    device_moment_sketch(cuda where, const moment_sketch& like)
        : where_(where), options_(like.options()), sums_(detail::adapter_device::with_blas(where), like.map()) {}

    /// A piece with a value that is not finite, or squares beyond 2^110 / |Omega|_F^2, is left out: merge_into says so.
    void add(matrix_view<const T> u) { sums_.add(u); }

    /// Hands over all that was added, and starts again from nothing. Waits for the device.  Throws shape_error for a sketch of
    /// another width or other options, and keeps what was added; numerical_error, when pieces were left out or 2^30 came in:
    /// then `to` takes nothing, and this starts again all the same.
    void merge_into(moment_sketch& to) {
        detail::require_alike(to, sums_.width(), options_);
        std::vector<std::int64_t> digits(static_cast<std::size_t>(sums_.digits().size()));
        detail::moment_counts counts;
        sums_.digits().write_to(digits, where_);
        sums_.counts().write_to({&counts, 1}, where_);
        sums_.reset();
        synchronize(where_);
        if (counts.refused > 0 || counts.pieces > std::int64_t{1} << 30)
            throw numerical_error("hrm::device_moment_sketch: " + std::to_string(counts.refused) + " of " + std::to_string(counts.pieces) +
                                  " pieces were not finite or too large, expected 0 of at most 2^30");
        to.merge(counts.tokens, digits);
    }

private:
    cuda where_;
    sketch_options options_;
    detail::moment_sums<T, detail::adapter_device> sums_;
};

}  // namespace hrm
