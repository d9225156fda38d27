#include <hrm/fourier/good_size.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("good sizes are even, 5-smooth, and the next ones up") {
    CHECK(fourier::good_size(0) == 2);
    CHECK(fourier::good_size(7) == 8);
    CHECK(fourier::good_size(11) == 12);
    CHECK(fourier::good_size(2049) == 2160);
    for (index_t n = 1; n < 3000; ++n) {
        const index_t g = fourier::good_size(n);
        CHECK(fourier::is_good_size(g));
        for (index_t k = n; k < g; ++k) CHECK_FALSE(fourier::is_good_size(k));
    }
    CHECK_FALSE(fourier::is_good_size(14));
    CHECK_FALSE(fourier::is_good_size(15));
    CHECK_FALSE(fourier::is_good_size(0));
}
