#include <hrm/adapter/text.hpp>

#include <cmath>
#include <cstdint>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a number's text reads back as the same number") {
    for (const double x : {0.0, 1.0 / 3, 1e-300, -2.5e17, std::nextafter(1.0, 2.0)}) {
        double back = 7;
        read_option({{"x", number_text(x)}}, "x", back);
        CHECK(back == x);
    }
    CHECK(number_text(0.1) == "0.1");
}

TEST_CASE("options: absent ones stay, wrong ones are named") {
    index_t n = 5;
    bool b = true;
    const option_list list = {{"n", "12"}, {"b", "no"}, {"bad", "maybe"}, {"many", "99999999999999999999"}, {"empty", ""}};
    read_option(list, "other", n);
    CHECK(n == 5);
    read_option(list, "n", n);
    CHECK(n == 12);
    read_option(list, "b", b);
    CHECK(!b);
    CHECK_THROWS_WITH_AS(read_option(list, "bad", b), "hrm::adapter: option bad is \"maybe\", expected yes or no", error);
    CHECK_THROWS_WITH_AS(read_option(list, "many", n), "hrm::adapter: option many is \"99999999999999999999\", expected a number", error);
    CHECK_THROWS_AS(read_option(list, "empty", n), error);
    enum class colour { red, green } c = colour::red;
    constexpr std::array<std::string_view, 2> names = {"red", "green"};
    read_option({{"c", "green"}}, "c", names, c);
    CHECK(c == colour::green);
    CHECK_THROWS_WITH_AS(read_option({{"c", "blue"}}, "c", names, c), "hrm::adapter: option c is \"blue\", expected one of red, green", error);
}
