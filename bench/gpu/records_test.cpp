#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "records.hpp"

#include <cmath>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace hrm::bench::gpu;

namespace {

records example() {
    records r;
    r.header = {{"device", "a \"card\"\\\t1"}};
    r.remarks = {{"tests", "passed | all"}, {"PEFT", "left\nout"}};
    r.peak = {.copy = 4e12, .bf16 = 8e14};
    r.figures = {{"adapter", "HRM", 1e-3, 1, {2e9, 1e11, unit::bf16}, {}, 0.9e-3, 1.2e-3},
                 {"adapter", "cuBLAS", 2e-3, 0.5, {2e9, 1e11, unit::bf16}, 0.6},
                 {"adapter", "PEFT", 8e-4, 1.25, {}, 0.35}};
    return r;
}

}  // namespace

TEST_CASE("the roofline is the longer of memory and arithmetic; what was not measured bounds nothing") {
    const ceilings c{.copy = 4e12, .bf16 = 8e14};
    CHECK(c.least({4e9, 8e10, unit::bf16}) == doctest::Approx(1e-3));
    CHECK(c.least({4e9, 8e12, unit::bf16}) == doctest::Approx(1e-2));
    CHECK(c.least({4e9, 8e12, unit::f32}) == doctest::Approx(1e-3));
    CHECK(c.least({4e9}) == doctest::Approx(1e-3));
    CHECK(ceilings{}.least({4e9, 8e12, unit::bf16}) == 0);
}

TEST_CASE("the JSON is JSON, with every figure, goals met or missed") {
    const auto j = nlohmann::json::parse(example().json());
    CHECK(j["header"]["device"] == "a \"card\"\\\t1");
    CHECK(j["remarks"][1]["what"] == "left\nout");
    CHECK(j["ceilings"]["copy_bytes_s"] == 4e12);
    REQUIRE(j["rows"].size() == 3);
    CHECK(j["rows"][0]["roofline_s"] == doctest::Approx(5e-4));
    CHECK(j["rows"][0]["goal"].is_null());
    CHECK(j["rows"][0]["met"].is_null());
    CHECK(j["rows"][0]["highest"] == 1.2e-3);
    CHECK(j["rows"][1]["met"] == true);
    CHECK(j["rows"][2]["met"] == false);
    CHECK(nlohmann::json::parse(records{}.json())["rows"].empty());
    CHECK(json_number(NAN) == "null");
    CHECK(json_number(INFINITY) == "null");
}

TEST_CASE("the Markdown is one table of figures, every line of as many cells") {
    const auto text = example().markdown();
    CHECK(text.find("| adapter | HRM | 1000 | 2000 | 100 | 500 | 50 % | 1.000 |  |  |") != std::string::npos);
    CHECK(text.find("| adapter | cuBLAS | 2000 | 1000 | 50 | 500 | 25 % | 0.500 | 0.60 | met |") != std::string::npos);
    CHECK(text.find("| adapter | PEFT | 800 |  |  |  |  | 1.250 | 0.35 | missed |") != std::string::npos);
    CHECK(text.find("| tests | passed / all |") != std::string::npos);
    CHECK(text.find("| double | not measured |") != std::string::npos);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (!line.empty() && line[0] == '|') {
            const auto bars = std::count(line.begin(), line.end(), '|');
            CAPTURE(line);
            CHECK((bars == 3 || bars == 11));
        }
}
