#include <hrm/fourier/single.hpp>

#include <doctest/doctest.h>

#include <fourier/support.hpp>

using namespace hrm;
using namespace fourier_test;

TEST_CASE_TEMPLATE("one sequence against the sum it is defined by", S, float, double) {
    // Fewer bins than lanes, whole squares, squares that overlap; odd factors inside.
    for (const index_t n : {32, 64, 96, 128, 160, 256, 384, 480, 512, 640, 1024, 1440, 2048, 4096})
        check_transform<S>(fourier::single<S>(n), 4, 200);  // where n is no multiple of the lanes, a chirp
    for (const index_t n : {65536, 49152, 40960}) check_transform<S>(fourier::single<S>(n), 1, 24);
}

TEST_CASE_TEMPLATE("any length", S, float, double) {
    for (index_t n = 1; n < 40; ++n) check_transform<S>(fourier::single<S>(n), 4, 200);
    for (const index_t n : {100, 101, 127, 250, 509, 1000, 1009}) check_transform<S>(fourier::single<S>(n), 4, 200);
    check_transform<S>(fourier::single<S>(10007), 4, 30);
    check_transform<S>(fourier::single<S>(65537), 4, 12);
}

TEST_CASE("the spectrum of a cosine: one bin") {
    const index_t n = 96, k = 5;
    const fourier::single<double> p(n);
    buffer<double> x(96), f(static_cast<std::size_t>(p.spectrum_size())), scratch(static_cast<std::size_t>(p.scratch_size()));
    for (index_t t = 0; t < n; ++t) x[static_cast<std::size_t>(t)] = fourier::detail::root<double>(t * k, n).cosine;
    p.forward(x.data(), f.data(), scratch.data());
    for (index_t i = 0; i < p.bins(); ++i) {
        CHECK(f[static_cast<std::size_t>(i)] == doctest::Approx(i == k ? 48.0 : 0.0).epsilon(1e-13));
        CHECK(std::abs(f[static_cast<std::size_t>(i + p.gap())]) <= 1e-13 * 48);
    }
}

TEST_CASE("good sizes keep every lane busy; a length below one is refused") {
    constexpr index_t lanes = fourier::plan<float>::lanes;
    for (const index_t n : {1, 100, 1000, 5000}) {
        const index_t g = fourier::single<float>::good_size(n);
        CHECK(g >= n);
        CHECK(g % lanes == 0);
        CHECK(fourier::is_good_size(g / lanes));
    }
    CHECK_THROWS_WITH_AS(fourier::single<float>(0), "hrm::fourier::single: the length is 0, expected at least 1", shape_error);
}
