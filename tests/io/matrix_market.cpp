#include <hrm/io/matrix_market.hpp>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>
#include <hrm/core/random.hpp>

#include "support/folder.hpp"

using namespace hrm;

namespace {

/// What reading it densely throws, without the "hrm::matrix_market_file: memory: " before it.
std::string refusal(const std::string& text) {
    try {
        (void)matrix_market_file(text).to_dense(1000);
    } catch (const io_error& e) {
        const std::string what = e.what(), before = "hrm::matrix_market_file: memory: ";
        CHECK(what.starts_with(before));
        CHECK(what.find('\n') == what.npos);
        return what.substr(before.size());
    }
    return "nothing";
}
matrix<double> parsed(const std::string& text) { return matrix_market_file(text).to_dense(); }

const std::string general = "%%MatrixMarket matrix coordinate real general\n", array = "%%MatrixMarket matrix array real general\n";

}  // namespace

TEST_CASE("the example of the format's own paper") {
    const auto m = parsed(
        "%%MatrixMarket matrix coordinate real general\n% A 5x5 sparse matrix with 8 nonzeros\n%\n  5  5  8\n"
        "  1  1  1.0\n  2  2  10.5\n  4  2  250.5\n  3  3  1.5e-2\n  1  4  6.0\n  4  4  -280.0\n  4  5  33.32\n  5  5  12.0\n");
    CHECK(m == matrix<double>{{1, 0, 0, 6, 0}, {0, 10.5, 0, 0, 0}, {0, 0, 0.015, 0, 0}, {0, 250.5, 0, -280, 33.32}, {0, 0, 0, 0, 12}});
}

TEST_CASE("files that SciPy wrote: both layouts, the three symmetries") {
    const auto full = [](index_t i, index_t j) { return std::exp(static_cast<double>(i - 3 * j)) / 3; };
    for (const std::string symmetry : {"general", "symmetric", "skew"})
        for (const std::string layout : {"array", "coordinate"}) {
            CAPTURE(symmetry);
            CAPTURE(layout);
            const auto file = matrix_market_file::read(HRM_TEST_DATA "/io/data/market_" + symmetry + "_" + layout + ".mtx");
            CHECK(file.coordinate() == (layout == "coordinate"));
            CHECK(file.rows() == 4);
            CHECK(file.cols() == (symmetry == "general" ? 3 : 4));
            CHECK_FALSE(file.comments().empty());
            const auto m = file.to_dense();
            for (index_t i = 0; i < m.rows(); ++i)
                for (index_t j = 0; j < m.cols(); ++j) {
                    double want = full(i, j) + (symmetry == "symmetric" ? full(j, i) : symmetry == "skew" ? -full(j, i) : 0);
                    if (layout == "coordinate" && std::abs(want) <= 0.01) want = 0;
                    CHECK(m(i, j) == doctest::Approx(want).epsilon(4e-16 * 4));  // 17 digits, and two exponentials' rounding
                }
        }
}

TEST_CASE("every number comes back bit by bit, in either layout, whatever the shape") {
    const test::folder here;
    random_stream random(7);
    for (const auto layout : {market_layout::automatic, market_layout::array, market_layout::coordinate})
        for (const auto& [rows, cols] : {std::pair<index_t, index_t>{1, 1}, {3, 7}, {40, 2}, {0, 0}, {3, 0}, {0, 3}}) {
            matrix<double> m(rows, cols);
            for (double& x : m.flat()) x = random.uniform() < 0.3 ? 0.0 : random.normal() * std::exp(600 * random.normal() / 3);
            if (m.size() >= 7) {
                m.flat()[0] = -0.0;
                m.flat()[1] = std::numeric_limits<double>::denorm_min();
                m.flat()[2] = std::numeric_limits<double>::max();
                m.flat()[3] = 0.1;
                m.flat()[4] = -std::numeric_limits<double>::infinity();
            }
            write_matrix_market(here.file("m.mtx"), m, layout, {" a comment"});
            const auto file = matrix_market_file::read(here.file("m.mtx"));
            const auto back = file.to_dense();
            REQUIRE(back.rows() == rows);
            REQUIRE(back.cols() == cols);
            for (std::size_t i = 0; i < m.flat().size(); ++i)
                CHECK(std::bit_cast<std::uint64_t>(back.flat()[i]) == std::bit_cast<std::uint64_t>(m.flat()[i]));
            CHECK(file.comments() == std::vector<std::string>{" a comment"});
        }
    CHECK(here.entries() == std::vector<std::string>{"m.mtx"});
}

TEST_CASE("comments, blank lines, capitals, carriage returns, plus signs, integers, no last line break") {
    const auto m = parsed("%%matrixmarket MATRIX Coordinate Integer SYMMETRIC\r\n%one\r\n\r\n  % two\r\n\r\n2 2 2\r\n\r\n1 1 +3\r\n2\t1 -4e0");
    CHECK(m == matrix<double>{{3, -4}, {-4, 0}});
    CHECK(parsed("%%MatrixMarket matrix array real skew-symmetric\n3 3\n1 2 3") == matrix<double>{{0, -1, -2}, {1, 0, -3}, {2, 3, 0}});
    CHECK(parsed("%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n") == matrix<double>{{1, 2}, {2, 3}});
    CHECK(matrix_market_file(general + "%x\n% y \n1 1 0\n").comments() == std::vector<std::string>{"x", " y "});
}

TEST_CASE("what is no Matrix Market file, or one of another kind, is named") {
    CHECK(refusal("") == "line 1: no Matrix Market file: it starts \"\", expected \"%%MatrixMarket matrix\" and three words");
    CHECK(refusal("\x01\xff elf").starts_with("line 1: no Matrix Market file: it starts \"?? elf\""));
    CHECK(refusal("\x1f\x8b\x08") == "line 1: compressed by gzip: gunzip it first");
    CHECK(refusal("%%MatrixMarket vector array real general\n").starts_with("line 1: no Matrix Market file"));
    CHECK(refusal("%%MatrixMarket matrix array complex general\n1 1\n1 1\n") == "line 1: values are \"complex\", expected real or integer");
    CHECK(refusal("%%MatrixMarket matrix coordinate pattern general\n") == "line 1: values are \"pattern\", expected real or integer");
    CHECK(refusal("%%MatrixMarket matrix list real general\n") == "line 1: layout \"list\", expected coordinate or array");
    CHECK(refusal("%%MatrixMarket matrix array real hermitian\n") ==
          "line 1: symmetry \"hermitian\", expected general, symmetric or skew-symmetric");
    CHECK(refusal(general) == "line 2: the file ends before its size");
    CHECK(refusal(general + "% only comments\n") == "line 3: the file ends before its size");
}

TEST_CASE("sizes are checked against the bytes that follow, and against what may be allocated") {
    CHECK(refusal(array + "2 2\n1 2 3") == "line 2: 4 entries announced, and 5 bytes follow: room for at most 3");
    CHECK(refusal(array + "2 2\n1 2 333\n") == "line 4: the file ends after 3 of 4 entries");
    CHECK(refusal(array + "3000000000 3000000000\n1\n").starts_with("line 2: 9000000000000000000 entries announced, and 2 bytes follow"));
    CHECK(refusal(array + "4000000000 4000000000\n1\n") == "line 2: 4000000000x4000000000 numbers cannot be counted");
    CHECK(refusal(array + "99999999999999999999 1\n1\n") == "line 2: \"99999999999999999999\" is not a whole number");
    CHECK(refusal(general + "100 100 1\n1 1 1\n") == "100x100 would take more than 1000 numbers as a dense matrix");
    CHECK(refusal(general + "9223372036854775807 9223372036854775807 1\n1 1 1\n").find("would take more than 1000 numbers") != std::string::npos);
    CHECK(refusal(general + "3 3 9223372036854775807\n1 1 1\n").starts_with("line 2: 9223372036854775807 entries announced, and 6 bytes"));
    CHECK(refusal(general + "-3 3 1\n1 1 1\n") == "line 2: -3 rows");
    CHECK(refusal(general + "3 3\n1 1 1\n") == "line 2: the number of entries is missing");
    CHECK(refusal(general + "3 3 1 1\n1 1 1\n") == "line 2: the size line holds more than three numbers");
    CHECK(refusal(general + "3 3.5 1\n1 1 1\n") == "line 2: \"3.5\" is not a whole number");
    CHECK(refusal("%%MatrixMarket matrix array real symmetric\n2 3\n1 2 3 4\n") == "line 2: a symmetric matrix is 2x3");
}

TEST_CASE("entries that are missing, misplaced, spare or no numbers are named with their line") {
    CHECK(refusal(general + "3 3 2\n1 1 1\n4 1 2\n") == "line 4: row 4, expected 1 to 3");
    CHECK(refusal(general + "3 3 2\n1 1 1\n1 0 2\n") == "line 4: column 0, expected 1 to 3");
    CHECK(refusal(general + "3 3 1\n1 1 0x10\n") == "line 3: \"0x10\" is not a number");
    CHECK(refusal(general + "3 3 1\n1 1 1e999\n") == "line 3: \"1e999\" is beyond what a double holds");
    CHECK(refusal(general + "3 3 1\n1.0 1 1\n") == "line 3: \"1.0\" is not a whole number");
    CHECK(refusal(general + "3 3 1\n1 1 1\n2 2 2\n") == "line 4: more than the 1 entries announced");
    CHECK(refusal(array + "1 2\n1\n2\n3\n") == "line 5: more than the 2 entries announced");
    CHECK(refusal(general + "3 3 2\n1 2 1\n1 2 2\n") == "entry (1, 2) is given twice");
    CHECK(refusal("%%MatrixMarket matrix coordinate real symmetric\n3 3 1\n1 2 1\n") == "line 3: entry (1, 2) is not in the half a symmetric file stores");
    CHECK(refusal("%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 1\n2 2 1\n") ==
          "line 3: entry (2, 2) is not in the half a symmetric file stores");
    CHECK(refusal(general + "1 1 1\n1 1 " + std::string(100, 'x')) == "line 3: \"" + std::string(32, 'x') + "...\" is not a number");
    CHECK(refusal(general + "1 1 1\n1 1 --1") == "line 3: \"--1\" is not a number");
    CHECK(refusal(general + "1 1 1\n1 1 +-1") == "line 3: \"+-1\" is not a number");
}

TEST_CASE("cut at any byte before its last number, a file is refused; any byte changed, it is read or refused in one line") {
    const matrix<double> m{{1.5, 0, -2.25}, {0, 3.125, 1e-3}};
    for (const auto layout : {market_layout::array, market_layout::coordinate}) {
        const auto text = matrix_market_text(m, layout, {"c"});
        const auto last = text.find_last_of(" \n", text.size() - 2) + 1;
        for (std::size_t n = 0; n <= last; ++n) CHECK_MESSAGE(refusal(text.substr(0, n)) != "nothing", n);
        random_stream random(3);
        for (int k = 0; k < 20000; ++k) {
            auto other = text;
            for (int twice = 0; twice < 2; ++twice) other[random.below(other.size())] = static_cast<char>(random.below(256));
            (void)refusal(other);
        }
    }
}

TEST_CASE("a file that is not there, and one that is a folder") {
    const test::folder here;
    CHECK_THROWS_WITH_AS(matrix_market_file::read(here.file("no.mtx")),
                         ("hrm::read_file: " + here.file("no.mtx") + ": No such file or directory").c_str(), io_error);
    CHECK_THROWS_AS(matrix_market_file::read(here.path), io_error);
}
