#include <hrm/train/checkpoint.hpp>

#include <limits>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a snapshot gives back the bits it was given") {
    matrix<float> f = {{1.0f / 3, -0.0f}, {std::numeric_limits<float>::denorm_min(), 3e38f}};
    matrix<double> d = {{1.0 / 3}};
    snapshot s;
    s.put("f", matrix_view<const float>(f));
    s.put("d", std::span<const double>(d.flat()));
    s.put_number("step", -12345678901234);
    matrix<float> back(2, 2);
    s.copy_to("f", back.flat());
    CHECK(back == f);
    CHECK(s.get<double>("d") == d);
    CHECK(s.number("step") == -12345678901234);
    snapshot copy = s;
    CHECK(copy == s);
    copy.put_number("step", 1);
    CHECK(!(copy == s));
}

TEST_CASE("a snapshot says what is missing or of the wrong kind") {
    snapshot s;
    s.put("w", std::span<const float>(buffer<float>(4)));
    buffer<float> three(3);
    buffer<double> four(4);
    CHECK_THROWS_WITH(s.get<float>("v"), "hrm::snapshot: no tensor named \"v\"");
    CHECK_THROWS_AS(s.copy_to("w", std::span<float>(three)), shape_error);
    CHECK_THROWS_WITH(s.copy_to("w", std::span<double>(four)), "hrm::snapshot: \"w\" is not stored as double");
    CHECK_THROWS_WITH(s.text("seed"), "hrm::snapshot: no entry \"seed\"");
    s.metadata["step"] = "12x";
    CHECK_THROWS_WITH(s.number("step"), "hrm::snapshot: step is \"12x\", expected a whole number");
}
