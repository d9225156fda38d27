#include <hrm/reduction/dual.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

template <class T>
static void check_dual(const T& s) {
    const auto d = dual(s);
    CHECK(to_dense(d.a) == turned(to_dense(s.a)));
    CHECK(d.b == turned(s.c));
    CHECK(d.c == turned(s.b));
    CHECK(d.d == turned(s.d));
    const auto h = markov(s, 20), g = markov(d, 20);
    for (std::size_t k = 0; k < h.size(); ++k) CHECK(distance(turned(g[k]), h[k]) <= 1e-14);
}

TEST_CASE("the dual is the transposed impulse response, of every structure") {
    random_stream r(1);
    auto s = random_pairs(r, 2, 3, 2, 4);
    s.d = matrix<double>(4, 2, 0.25);
    check_dual(s);
    check_dual(random_diagonal(r, 5, 1, 2));
    check_dual(random_dense(r, 5, 3, 2));
}

TEST_CASE("what a linear system is") {
    static_assert(in_discrete_time<discrete<dense<float>>> && !in_discrete_time<continuous<dense<float>>>);
    static_assert(linear_system<continuous<complex_pairs<double>>>);
}
