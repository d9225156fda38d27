#include <hrm/adapter/gate.hpp>

#include <string>

#include <doctest/doctest.h>

#include <hrm/core/matrix.hpp>

using namespace hrm;

TEST_CASE("what each gate owns, where it starts and when it is shut") {
    const auto parameters = [](gate kind, double start, auto&& check) {
        parameter_set<double> p;
        const gate_part<double> g(p, kind, start, 4, 3);
        for (const auto& e : p.entries()) {
            CHECK(e.decay == decay::no);
            CHECK(e.name.ends_with("gate"));
        }
        check(p, g);
    };
    parameters(gate::scalar, 0.3, [](auto& p, auto& g) {
        CHECK(p.count() == 1);
        CHECK(g.constant(p) == 0.3);
        CHECK(!g.shut(p));
        p.flat()[0] = 0;
        CHECK(g.shut(p));
        p.flat()[0] = -2;
        CHECK(g.size(p, 3) == 2);
    });
    parameters(gate::per_channel, 0, [](auto& p, auto& g) {
        CHECK(p.count() == 3);
        CHECK(g.shut(p));
        p.flat()[2] = 3;
        CHECK(!g.shut(p));
        CHECK(g.at(p, 2) == 3);
        CHECK(g.at(p, 0) == 0);
        CHECK(g.channels(p)[2] == 3);
        CHECK(g.constant(p) == 1);
        CHECK(g.size(p, 3) == doctest::Approx(std::sqrt(3.0)));
    });
    parameters(gate::token, 0.25, [](auto& p, auto& g) {
        CHECK(p.count() == 5);
        CHECK(!g.shut(p));
        CHECK(g.at(p, 0) == doctest::Approx(0.25));
        p[p.find("token_gate")](0, 1) = 2;
        matrix<double> u{{0, 0, 0, 0}, {7, 1, 0, 0}};
        double values[2];
        g.tokens(p, u.view(), values);
        CHECK(values[0] == doctest::Approx(0.25));
        CHECK(values[1] == doctest::Approx(1 / (1 + 3 * std::exp(-2.0))));
    });
    parameters(gate::frozen, 0, [](auto& p, auto& g) {
        CHECK(p.count() == 0);
        CHECK(g.shut(p));
        CHECK(g.gradient(p, {}) == nullptr);
    });
    parameters(gate::none, 0, [](auto& p, auto& g) {
        CHECK(p.count() == 0);
        CHECK(!g.shut(p));
        CHECK(g.constant(p) == 1);
    });
}
