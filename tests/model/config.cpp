#include <hrm/model/config.hpp>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("config: Mistral-7B's parameters and the widths of its sites") {
    const transformer_config mistral{32000, 4096, 32, 32, 8, 128, 14336, 4096, 1e-5, 10000, false};
    CHECK_NOTHROW(check(mistral));
    CHECK(parameter_count(mistral) == 7'241'732'096);
    CHECK(site_width(mistral, site::v) == site_extents{4096, 1024});
    CHECK(site_width(mistral, site::down) == site_extents{14336, 4096});
    CHECK(site_width(mistral, site::mlp_input) == site_extents{4096, 4096});
    index_t lora = 0;  // r = 16 on q and v: r (in + out) a site
    for (const auto s : {site::q, site::v}) lora += 32 * 16 * (site_width(mistral, s).inputs + site_width(mistral, s).outputs);
    CHECK(lora == 6'815'744);
}

TEST_CASE("config: shapes that make no transformer") {
    transformer_config c;
    c.kv_heads = 3;
    CHECK_THROWS_WITH_AS(check(c), "hrm::transformer_config: 4 heads do not share 3 kv_heads evenly", shape_error);
    c = {};
    c.head_width = 7;
    CHECK_THROWS_WITH_AS(check(c), "hrm::transformer_config: head_width is 7, expected an even number", shape_error);
    c = {};
    c.layers = 0;
    CHECK_THROWS_WITH_AS(check(c), "hrm::transformer_config: layers is 0, expected at least 1", shape_error);
}
