#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>

// The reference every transform is held to: the sum it is defined by, in long double.
namespace fourier_test {

using namespace hrm;

/// Forward at up to `most` bins of the first and the last lane against the definition, and the way back.
/// Norm-wise error of an FFT: a few eps a level, c eps log2 N in all; c = 1 for plain radices. A chirp runs two
/// transforms of 1.5 to 2 N in a row and multiplies by three rounded tables: c = 4.
template <class S, class Transform>
void check_transform(const Transform& p, double c = 1, index_t most = 700) {
    constexpr index_t W = Transform::width;
    const index_t n = p.length(), bins = p.bins();
    random_stream r(static_cast<std::uint64_t>(n));
    buffer<S> x(static_cast<std::size_t>(p.samples_size())), f(static_cast<std::size_t>(p.spectrum_size()));
    buffer<S> scratch(static_cast<std::size_t>(p.scratch_size()));
    r.fill_normal(std::span<S>(x));
    const auto before = x;
    p.forward(x.data(), f.data(), scratch.data());
    CHECK(x == before);

    std::vector<long double> cosine(static_cast<std::size_t>(n)), sine(cosine.size());
    for (index_t t = 0; t < n; ++t) {
        const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<long double>(t) / static_cast<long double>(n);
        cosine[static_cast<std::size_t>(t)] = std::cos(angle), sine[static_cast<std::size_t>(t)] = std::sin(angle);
    }
    long double off = 0, size = 0;
    for (index_t i = 0; i < std::min(bins, most); ++i) {
        const index_t k = bins <= most ? i : i * (bins - 1) / (most - 1);
        for (const index_t lane : {index_t{0}, W - 1}) {
            long double re = 0, im = 0;
            for (index_t t = 0; t < n; ++t) {
                const auto turn = static_cast<std::size_t>(t * k % n);
                re += cosine[turn] * before[static_cast<std::size_t>(t * W + lane)];
                im -= sine[turn] * before[static_cast<std::size_t>(t * W + lane)];
            }
            const auto at = static_cast<std::size_t>(k * Transform::step + lane);
            const long double dr = f[at] - re, di = f[at + static_cast<std::size_t>(p.gap())] - im;
            off += dr * dr + di * di;
            size += re * re + im * im;
        }
    }
    CAPTURE(n);
    const double bound = c * std::numeric_limits<S>::epsilon() * (1 + std::log2(static_cast<double>(n)));
    CHECK(static_cast<double>(std::sqrt(off / size)) <= bound);

    p.inverse(f.data(), x.data(), scratch.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(x[i]) - static_cast<double>(before[i])));
    CHECK(worst <= 8 * bound);  // normal samples reach about 4
}

}  // namespace fourier_test
