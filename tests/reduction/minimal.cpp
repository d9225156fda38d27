#include <hrm/reduction/minimal.hpp>

#include <doctest/doctest.h>

#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

/// k states beside the given ones that the input does not reach, k that the output does not see, all in random coordinates.
template <class System>
System padded(random_stream& r, const System& s, index_t k) {
    const index_t n = s.order(), big = n + 2 * k;
    System g{{matrix<double>(big, big)}, matrix<double>(big, s.inputs()), matrix<double>(s.outputs(), big), s.d};
    for (index_t i = 0; i < big; ++i)
        for (index_t j = 0; j < big; ++j) {
            const bool zero = (i >= n && i < n + k && (j < n || j >= n + k)) || (i < n + k && j >= n + k);  // unreached; unseen
            g.a.a(i, j) = i < n && j < n ? s.a.a(i, j) : zero ? 0 : 0.2 * r.normal();
        }
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < s.inputs(); ++j) g.b(i, j) = s.b(i, j);
        for (index_t j = 0; j < s.outputs(); ++j) g.c(j, i) = s.c(j, i);
    }
    for (index_t i = n; i < n + k; ++i)
        for (index_t j = 0; j < s.outputs(); ++j) g.c(j, i) = r.normal();
    for (index_t i = n + k; i < big; ++i)
        for (index_t j = 0; j < s.inputs(); ++j) g.b(i, j) = r.normal();
    matrix<double> t(big, big);
    r.fill_normal(t.flat(), 0.3);
    for (index_t i = 0; i < big; ++i) t(i, i) += 1;
    return {{product(t, turned(solve(turned(t), turned(g.a.a))))}, product(t, g.b), turned(solve(turned(t), turned(g.c))), g.d};
}

}  // namespace

TEST_CASE("unreachable and unobservable states go, the impulse response stays, stable or not") {
    random_stream r(1);
    for (double radius : {0.7, 1.0, 1.1})
        for (int trial = 0; trial < 4; ++trial) {
            const auto s = random_dense(r, 4, 2, 2, radius);
            const auto g = padded(r, s, 2);
            const auto b = minimal(g, 1e-9);
            CHECK(b.order() == 4);
            CHECK(relative_distance(markov(g, 12), markov(b.system, 12)) <= 1e-8);
            // The same matrices in continuous time have the same Markov parameters C A^k B.
            const continuous<dense<double>> c{g.a, g.b, g.c, g.d};
            const auto bc = minimal(c, 1e-9);
            CHECK(bc.order() == 4);
            const discrete<dense<double>> read{bc.system.a, bc.system.b, bc.system.c, bc.system.d};
            CHECK(relative_distance(markov(g, 12), markov(read, 12)) <= 1e-8);
        }
}

TEST_CASE("nothing to remove, nothing at all, and integrators") {
    random_stream r(2);
    CHECK(minimal(random_dense(r, 5, 1, 1, 0.8), 1e-12).order() == 5);
    CHECK(minimal(random_diagonal(r, 5, 0, 2)).order() == 0);
    CHECK(minimal(continuous<dense<double>>{}).order() == 0);
    const continuous<diagonal<double>> two{{{0, 0, -1}}, {{1}, {2}, {1}}, {{1, 1, 0}}, {}};  // one integrator is enough
    const auto m = minimal(two, 1e-12);
    CHECK(m.order() == 1);
    CHECK(std::abs(m.system.a.a(0, 0)) <= 1e-12);
    CHECK(m.system.b(0, 0) * m.system.c(0, 0) == doctest::Approx(3).epsilon(1e-12));
}
