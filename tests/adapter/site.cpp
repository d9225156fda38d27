#include <hrm/adapter/site.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("every site has a name, and the name finds it again") {
    for (std::size_t i = 0; i < site_names.size(); ++i) {
        const auto s = static_cast<site>(i);
        CHECK(site_from(name(s)) == s);
    }
    CHECK(name(site::mlp_input) == "mlp_input");
    CHECK(name(site::block) == "block");
    CHECK(name(site::down) == "down");
    CHECK_THROWS_WITH_AS(site_from("mlp"), "hrm::site: \"mlp\" is not a site", error);
}
