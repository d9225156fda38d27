#include <hrm/core/progress.hpp>

#include <cstdio>
#include <string>

#include <doctest/doctest.h>

using namespace hrm;

TEST_CASE("the line shows the bar, the rate and the time left") {
    auto* file = std::tmpfile();
    REQUIRE(file);
    {
        progress p("pretrain", 200, file, 1e9);
        CHECK(p.line(0) == "pretrain  [--------------------] 0/200");
        p.update(50, "2.31 bits");
        CHECK(p.line(10) == "pretrain  [#####---------------] 50/200  5/s  0:30 left  2.31 bits");
        p.begin_at(100);
        p.update(150);
        CHECK(p.line(100) == "pretrain  [###############-----] 150/200  0.5/s  1:40 left");
        p.update(200);
        CHECK(p.line(200) == "pretrain  [####################] 200/200  0.5/s  3:20");
    }
    std::fclose(file);
}

TEST_CASE("a narrow terminal: the bar gives way, then the label, and no line is wider") {
    auto* file = std::tmpfile();
    REQUIRE(file);
    {
        progress p("pretrain", 200, file, 1e9);
        p.update(50, "2.31 bits");
        CHECK(p.line(10, 66) == "pretrain  [#####---------------] 50/200  5/s  0:30 left  2.31 bits");
        CHECK(p.line(10, 58) == "pretrain  [###---------] 50/200  5/s  0:30 left  2.31 bits");
        CHECK(p.line(10, 46) == "pretrain  [] 50/200  5/s  0:30 left  2.31 bits");
        CHECK(p.line(10, 41) == "pre  [] 50/200  5/s  0:30 left  2.31 bits");
        for (std::size_t columns = 1; columns < 90; ++columns) CHECK(p.line(10, columns).size() <= columns);
    }
    std::fclose(file);
}

TEST_CASE("a file gets few whole lines and no terminal codes") {
    auto* file = std::tmpfile();
    REQUIRE(file);
    {
        progress p("x", 1000, file, 1e9);
        for (index_t i = 1; i <= 1000; ++i) p.update(i);
        p.finish();
    }
    std::rewind(file);
    char text[512] = {};
    const auto n = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    const std::string all(text, n);
    CHECK(all.starts_with("x  [####################] 1000/1000"));
    CHECK(all.find('\r') == std::string::npos);
    CHECK(all.find('\n') == all.size() - 1);
}
