#include <hrm/train/clip.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace hrm;

namespace {
struct two_tensors {
    parameter_set<float> one, two;
    parameter_list<float> list;
    two_tensors() {
        one.add("a", 1, 3, decay::yes);
        two.add("b", 2, 5, decay::yes);
        list.add("", one);
        list.add("", two);
    }
};
}  // namespace

TEST_CASE("the norm is that of all tensors together, and clipping scales to it") {
    two_tensors x;
    buffer<float> g(static_cast<std::size_t>(x.list.size()));
    g[0] = 3;
    g[16 + 9] = 4;
    CHECK(global_norm(x.list, std::span<const float>(g)) == 5);
    CHECK(clip(x.list, std::span<float>(g), 10) == 5);
    CHECK(g[0] == 3);
    CHECK(clip(x.list, std::span<float>(g), 0) == 5);
    CHECK(g[0] == 3);
    CHECK(clip(x.list, std::span<float>(g), 1) == 5);
    CHECK(g[0] == doctest::Approx(0.6));
    CHECK(g[25] == doctest::Approx(0.8));
}

TEST_CASE("sums are in double: a million small squares beside a large one are not lost") {
    parameter_set<float> p;
    p.add("p", 1000, 1001, decay::yes);
    buffer<float> g(static_cast<std::size_t>(p.size()), 1e-3f);
    g[0] = 1e3f;
    const double want = std::sqrt(1e6 + 1000999 * 1e-6);
    CHECK(std::abs(global_norm(parameter_list<float>(p), std::span<const float>(g)) - want) <= 1e-9 * want);
}

TEST_CASE("a gradient that is not finite is refused by name, unless its tensor stands still") {
    two_tensors x;
    buffer<float> g(static_cast<std::size_t>(x.list.size()));
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
        g[17] = bad;
        CHECK_THROWS_WITH_AS(clip(x.list, std::span<float>(g), 1),
                             "hrm::global_norm: the gradient of b is not finite", numerical_error);
    }
    x.list.only("a");
    CHECK(clip(x.list, std::span<float>(g), 1) == 0);
    CHECK_THROWS_AS(global_norm(x.list, std::span<const float>(g).first(3)), shape_error);
}
