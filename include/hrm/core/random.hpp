#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include <hrm/core/scalar.hpp>

namespace hrm {

/// Philox 4x32-10: four random words from a key and a counter, with no state in between.
/// Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
    for (int round = 0; round < 10; ++round) {
        const auto p0 = std::uint64_t{0xD2511F53} * c[0], p1 = std::uint64_t{0xCD9E8D57} * c[2];
        c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
             static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
        k = {k[0] + 0x9E3779B9, k[1] + 0xBB67AE85};
    }
    return c;
}

/// A stream of random numbers: (seed, stream) names it, a counter is all its state, so that it can be saved,
/// restored and drawn from in any order. The mapping to uniform and normal numbers is ours: the same on every host (the
/// normal ones to the last bit or two, which are those of the host's log and cos).
class random_stream {
public:
    explicit random_stream(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

    std::uint64_t position() const { return position_; }
    void seek(std::uint64_t position) { position_ = position; }

    /// 64 random bits. Two draws cost one Philox call.
    std::uint64_t bits() {
        const auto n = position_++;
        const auto block = n / 2;
        const auto w = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                               static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                              {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
        const auto h = 2 * (n % 2);
        return (std::uint64_t{w[h]} << 32) | w[h + 1];
    }
    /// Uniform in the open interval (0, 1): the midpoints of 2^52 equal cells.
    double uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }
    /// Uniform in 0 .. n - 1 (bias below n / 2^64).
    index_t below(index_t n) {
        __extension__ using wide = unsigned __int128;
        return static_cast<index_t>((wide{bits()} * static_cast<std::uint64_t>(n)) >> 64);
    }
    /// Standard normal, Box & Muller 1958: two uniforms a number, so that a position names it.
    double normal() {
        const double u = uniform(), v = uniform();
        return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    }
    template <real S>
    void fill_normal(std::span<S> out, double scale = 1) {
        for (auto& x : out) x = static_cast<S>(scale * normal());
    }
    /// Real and imaginary parts, each of them so.
    template <complex_scalar S>
    void fill_normal(std::span<S> out, double scale = 1) {
        using part = typename S::value_type;
        for (auto& x : out) {
            x.real(static_cast<part>(scale * normal()));
            x.imag(static_cast<part>(scale * normal()));
        }
    }

private:
    std::uint64_t seed_, stream_, position_ = 0;
};

}  // namespace hrm
