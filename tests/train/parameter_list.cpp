#include <hrm/train/parameter_list.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("a list lays several sets out one after the other") {
    parameter_set<double> one, two;
    one.add("a", 2, 3, decay::yes);
    one.add("gate", 1, 1, decay::no);
    const auto b = two.add("b", 3, 1, decay::yes);
    parameter_list<double> list(one);
    list.add("second.", two);
    REQUIRE(list.tensors().size() == 3);
    CHECK(list.size() == one.size() + two.size());
    CHECK(list.count() == 10);
    CHECK(list.tensors()[2].name == "second.b");
    CHECK(list.tensors()[2].offset == one.size());
    list.tensors()[2].values()(1, 0) = 4;
    CHECK(two[b](1, 0) == 4);

    SUBCASE("only some tensors move") {
        list.only("gate");
        CHECK(list.count() == 1);
        CHECK(list.tensors()[0].rate == 0);
        CHECK(list.tensors()[1].rate == 1);
    }
    SUBCASE("a rate that meets no tensor is an error") {
        CHECK_THROWS_WITH(list.rate("alpha", 0.5), "hrm::parameter_list: no tensor's name ends in \"alpha\"");
        list.rate(".b", 0.5);
        CHECK(list.tensors()[2].rate == 0.5);
    }
}
