#include <hrm/fourier/plan.hpp>

#include <cmath>
#include <limits>
#include <numbers>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

using namespace hrm;

TEST_CASE_TEMPLATE("a real transform against the sum it is defined by, in long double", S, float, double) {
    // Every radix alone, all together, and the lengths the scans use. Error of an FFT: O(eps log N) of the norm.
    for (const index_t n : {2, 4, 6, 8, 10, 12, 16, 18, 30, 50, 60, 64, 90, 150, 250, 256, 360, 450, 486, 512, 600, 1250}) {
        const fourier::plan<S> p(n);
        constexpr int W = fourier::plan<S>::lanes;
        random_stream r(static_cast<std::uint64_t>(n));
        buffer<S> x(static_cast<std::size_t>(p.samples_size())), spectrum(static_cast<std::size_t>(p.spectrum_size()));
        r.fill_normal(std::span<S>(x));
        const auto before = x;
        p.forward(x.data(), spectrum.data());

        long double off = 0, size = 0;
        for (index_t k = 0; k < p.bins(); ++k)
            for (const int lane : {0, W - 1}) {
                long double re = 0, im = 0;
                for (index_t t = 0; t < n; ++t) {
                    const long double angle = 2 * std::numbers::pi_v<long double> *
                                              static_cast<long double>(t * k % n) / static_cast<long double>(n);
                    re += std::cos(angle) * before[static_cast<std::size_t>(t * W + lane)];
                    im -= std::sin(angle) * before[static_cast<std::size_t>(t * W + lane)];
                }
                const auto at = static_cast<std::size_t>(k * 2 * W + lane);
                const long double dr = spectrum[at] - re, di = spectrum[at + W] - im;
                off += dr * dr + di * di;
                size += re * re + im * im;
            }
        CAPTURE(n);
        const double eps = std::numeric_limits<S>::epsilon(), bound = eps * (1 + std::log2(static_cast<double>(n)));
        CHECK(static_cast<double>(std::sqrt(off / size)) <= bound);

        p.inverse(spectrum.data(), x.data());
        double worst = 0;
        for (std::size_t i = 0; i < x.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(x[i]) - static_cast<double>(before[i])));
        CHECK(worst <= 8 * bound);  // normal samples reach about 4
    }
}

TEST_CASE("a length with another prime is refused with the next good one") {
    CHECK_THROWS_WITH_AS(fourier::plan<float>(14),
                         "hrm::fourier::plan: the length is 14, expected an even product of 2, 3 and 5; next is 16",
                         shape_error);
    CHECK_THROWS_AS(fourier::plan<double>(15), shape_error);
}
