#include <hrm/adapter/options.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("options read back from their text") {
    hrm_options o;
    o.poles = poles::complex_pairs;
    o.gate = gate::token;
    o.theta = 0.1;
    o.gate_start = 1.0 / 3;
    o.reset_every = 64;
    o.learn_initial_state = true;
    o.start = start::like_lora;
    CHECK(hrm_options::from(o.list()).list() == o.list());
    CHECK_THROWS_WITH_AS(hrm_options::from({{"gate", "open"}}),
                         "hrm::adapter: option gate is \"open\", expected one of scalar, per_channel, token, frozen, none", error);
    CHECK_THROWS_WITH_AS(hrm_options::from({{"states", "3x"}}), "hrm::adapter: option states is \"3x\", expected a number", error);
}

TEST_CASE("the presets") {
    const auto published = hrm_options::published(32), shipped = hrm_options::shipped(32);
    CHECK(published.states == 32);
    CHECK(published.gate == gate::scalar);
    CHECK(published.gate_start == 0);
    CHECK(published.start == start::published);
    CHECK(shipped.start == start::like_lora);
    CHECK(shipped.gate == gate::none);
    CHECK(shipped.poles == poles::real_signed);
    CHECK(shipped.dynamic_states() + shipped.static_states == 32);
    CHECK(shipped.static_states > 0);
}
