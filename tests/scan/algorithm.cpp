#include <hrm/scan/algorithm.hpp>

#include <type_traits>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("algorithms are values; three of them carry nothing") {
    static_assert(std::is_empty_v<scan::sequential> && std::is_empty_v<scan::fft> && std::is_empty_v<scan::automatic>);
    CHECK(scan::chunked{}.length == 0);
    CHECK(scan::chunked{.length = 64}.length == 64);
}
