#include <hrm/scan/modes.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("modes see the poles of a structure without copying them") {
    const diagonal<float> a{{0.5f, -0.25f}};
    const scan::modes<float> m(a);
    CHECK(m.real.data() == a.poles.data());
    CHECK(m.order() == 2);
    CHECK(m.pairs() == 0);

    const complex_pairs<double> c{{0.9}, {0.1, 0.2}, {0.3, 0.4}};
    const scan::modes<double> k(c);
    CHECK(k.order() == 5);
    CHECK(k.reals() == 1);
    CHECK(k.im.data() == c.im.data());
}

TEST_CASE("as many imaginary as real parts") {
    const complex_pairs<double> c{{}, {0.1, 0.2}, {0.3}};
    CHECK_THROWS_WITH_AS(scan::modes<double>{c}, "hrm::scan::modes: imaginary parts is 1, expected 2", shape_error);
}
