#include <hrm/cuda/detail/automatic.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("automatic on a device: chunks of long sequences, unless there are recurrences enough without them") {
    using scan::detail::device_prefers_chunks;
    CHECK_FALSE(device_prefers_chunks(32, {.batch = 1, .time = 0}));
    CHECK_FALSE(device_prefers_chunks(32, {.batch = 1, .time = 32}));
    CHECK(device_prefers_chunks(32, {.batch = 1, .time = 33}));
    CHECK(device_prefers_chunks(32, {.batch = 2499, .time = 1000000}));
    CHECK_FALSE(device_prefers_chunks(32, {.batch = 2500, .time = 1000000}));
}
