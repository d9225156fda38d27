#include <hrm/cuda/fourier.cuh>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/fourier/single.hpp>

#include <cuda/device.hpp>

using namespace hrm;
using cuda_test::on_device;

namespace {

/// Both directions against the CPU's transform in double: at most 4 log2 N + 4 roundings of the norm of the whole.
template <real S>
void check(index_t length, index_t count) {
    random_stream r(static_cast<std::uint64_t>(length));
    matrix<S> x(count, length);
    r.fill_normal(x.flat());
    const fourier::device_plan<S> p(cuda{}, length, count);
    const on_device<S> in(x), spectrum(count, 2 * p.bins()), out(count, length);
    p.forward(in.memory.data(), spectrum.memory.data());
    const auto got = spectrum.back();
    p.inverse(spectrum.memory.data(), out.memory.data());
    const auto back = out.back();
    const fourier::single<double> exact(length);
    buffer<double> wide(static_cast<std::size_t>(exact.samples_size())), want(static_cast<std::size_t>(exact.spectrum_size())),
        scratch(static_cast<std::size_t>(exact.scratch_size()));
    double off = 0, size = 0, off_back = 0, size_back = 0;
    for (index_t i = 0; i < count; ++i) {
        for (index_t t = 0; t < length; ++t) wide[static_cast<std::size_t>(t)] = static_cast<double>(x(i, t));
        exact.forward(wide.data(), want.data(), scratch.data());
        for (index_t k = 0; k < p.bins(); ++k)
            for (const index_t part : {0, 1}) {
                const double w = want[static_cast<std::size_t>(k + part * exact.gap())], d = static_cast<double>(got(i, 2 * k + part)) - w;
                off += d * d, size += w * w;
            }
        for (index_t t = 0; t < length; ++t) {
            const double w = static_cast<double>(length) * wide[static_cast<std::size_t>(t)], d = static_cast<double>(back(i, t)) - w;
            off_back += d * d, size_back += w * w;
        }
    }
    const double bar = std::numeric_limits<S>::epsilon() * (4 + 4 * std::log2(static_cast<double>(length)));
    CAPTURE(length);
    CHECK(std::sqrt(off / size) <= bar);
    CHECK(std::sqrt(off_back / size_back) <= 2 * bar);
}

}  // namespace

TEST_CASE("errors of cuFFT name the place, the call and the reason") {
    CHECK_THROWS_WITH_AS(hrm::detail::check_cufft(CUFFT_ALLOC_FAILED, "hrm::here", "cufftThis"), "hrm::here: cufftThis: CUFFT_ALLOC_FAILED", cuda_error);
    CHECK_THROWS_WITH_AS(hrm::detail::check_cufft(static_cast<cufftResult>(99), "hrm::here", "cufftThis"), "hrm::here: cufftThis: cufftResult 99", cuda_error);
    CHECK_NOTHROW(hrm::detail::check_cufft(CUFFT_SUCCESS, "hrm::here", "cufftThis"));
    CHECK_THROWS_WITH_AS(fourier::device_plan<float>(cuda{}, 0, 1), "hrm::fourier::device_plan: the length is 0 and the count 1, expected at least 1", shape_error);
}

TEST_CASE("transforms on the device are those of the CPU") {
    if (!cuda_test::present()) return;
    for (const index_t length : {2, 6, 30, 97, 1024, 2048, 3000})
        for (const index_t count : {1, 5}) {
            check<float>(length, count);
            check<double>(length, count);
        }
}
