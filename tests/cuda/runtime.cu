// Everything in one source: what the host's umbrellas bring, then the device's. The other sources here begin with the one header
// that they test.
#include <hrm/hrm.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <hrm/io.hpp>
#endif
#include <hrm/cuda.hpp>

#include <vector>

#include <doctest/doctest.h>

#include <cuda/device.hpp>

TEST_CASE("errors name the place, the call and the reason") {
    CHECK_THROWS_WITH_AS(hrm::detail::check_cuda(cudaErrorInvalidValue, "hrm::here", "cudaThis"),
                         "hrm::here: cudaThis: cudaErrorInvalidValue: invalid argument", hrm::cuda_error);
    CHECK_THROWS_WITH_AS(hrm::device_array<float>(-1), "hrm::device_array: size is -1, expected at least 0", hrm::shape_error);
    CHECK_NOTHROW(hrm::device_array<float>(0));
}

TEST_CASE("numbers go to the device and come back") {
    if (!cuda_test::present()) return;
    const std::vector<float> there{1, 2, 3};
    std::vector<float> back(3);
    hrm::device_array<float> a(3);
    a.read_from(there);
    a.write_to(back);
    hrm::synchronize({});
    CHECK(back == there);
    CHECK_THROWS_WITH_AS(a.read_from(std::span(there).first(2)), "hrm::device_array::read_from: from is 2, expected 3", hrm::shape_error);
}
