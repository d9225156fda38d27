#if !defined(HRM_HAS_MATIO)
#include <doctest/doctest.h>

TEST_CASE("MATLAB files are not tested: matio (Debian: libmatio-dev) was not found") { MESSAGE("io/matlab.hpp was left out"); }
#else
#include <hrm/io/matlab.hpp>

#include <bit>
#include <cmath>
#include <csignal>
#include <cstdint>

#include <sys/resource.h>

#include <doctest/doctest.h>

#include "support/folder.hpp"

using namespace hrm;

namespace {
double entry(index_t i, index_t j) { return std::ldexp(static_cast<double>(3 * i - 5 * j + 1), -3); }  // exact in float too
}  // namespace

TEST_CASE("files that SciPy wrote: full and sparse, double, single and integers") {
    for (const char* name : {"matlab_5.mat", "matlab_5_compressed.mat", "matlab_4.mat"}) {
        CAPTURE(name);
        const matlab_file file(HRM_TEST_DATA "/io/data/" + std::string(name));
        for (const char* variable : {"full", "single", "sparse"}) {
            if (!file.contains(variable)) continue;  // version 4 holds the first alone
            CAPTURE(variable);
            const auto m = file.to_matrix(variable);
            REQUIRE(m.rows() == 3);
            REQUIRE(m.cols() == 4);
            for (index_t i = 0; i < 3; ++i)
                for (index_t j = 0; j < 4; ++j) CHECK(m(i, j) == (variable == std::string("sparse") && (i + j) % 2 ? 0 : entry(i, j)));
        }
        CHECK(file.contains("full"));
        CHECK(file.contains("sparse") == (name != std::string("matlab_4.mat")));
        CHECK_FALSE(file.contains("A"));
        CHECK_THROWS_AS(file.to_matrix("A"), io_error);
        CHECK_THROWS_AS(file.to_matrix("complex"), io_error);
        CHECK_THROWS_AS(file.to_matrix("text"), io_error);
        CHECK_THROWS_WITH_AS(file.to_matrix("full", 11), ("hrm::matlab_file: " HRM_TEST_DATA "/io/data/" + std::string(name) +
                             ": full is 3x4: more than 11 numbers as a dense matrix").c_str(), io_error);
    }
    const matlab_file file(HRM_TEST_DATA "/io/data/matlab_5.mat");
    CHECK(file.to_matrix("whole") == matrix<double>{{-7, 1}, {2, 3}});
    CHECK(file.to_matrix("long") == matrix<double>{{-7, 1}, {2, 3}});
    CHECK(file.to_matrix("unsigned") == matrix<double>{{0x1p53, 1}, {2, 3}});
    CHECK_THROWS_WITH_AS(file.to_matrix("A"), ("hrm::matlab_file: " HRM_TEST_DATA "/io/data/matlab_5.mat: A is not in the file; it holds "
                         "full, complex, text, sparse, single, whole, long, unsigned"), io_error);
}

TEST_CASE("files that hdf5storage wrote: version 7.3, whose classes matio does not find") {
    const std::string path = HRM_TEST_DATA "/io/data/matlab_7_hdf5storage.mat";
    try {
        const matlab_file file(path);
        for (const char* variable : {"full", "single"}) {
            CAPTURE(variable);
            const auto m = file.to_matrix(variable);
            REQUIRE(m.rows() == 3);
            REQUIRE(m.cols() == 4);
            for (index_t i = 0; i < 3; ++i)
                for (index_t j = 0; j < 4; ++j) CHECK(m(i, j) == entry(i, j));
        }
        CHECK(file.to_matrix("whole") == matrix<double>{{-7, 1}, {2, 3}});
        CHECK(file.to_matrix("long") == matrix<double>{{-7, 1}, {2, 3}});
        CHECK_THROWS_WITH_AS(file.to_matrix("complex"), doctest::Contains("complex is complex"), io_error);
        CHECK_THROWS_WITH_AS(file.to_matrix("cells"), doctest::Contains("is not a numeric matrix; of version 7.3 not all can be read: save -v7"), io_error);
        CHECK_THROWS_WITH_AS(file.to_matrix("A"), doctest::Contains("scipy.io.savemat"), io_error);
    } catch (const io_error& e) {
        CHECK_MESSAGE(std::string(e.what()).find("a version this matio cannot read; save -v7") != std::string::npos, e.what());
        MESSAGE("this matio was built without HDF5");
    }
}

TEST_CASE("what is written comes back bit by bit, and nothing else is left in the folder") {
    const test::folder here;
    const std::map<std::string, matrix<double>> all{{"A", {{0.1, -0.0, 1e-310}, {1e308, 3, -1.0 / 3}}}, {"B", matrix<double>(2, 0)}, {"Ts", {{0.5}}}};
    write_matlab(here.file("x.mat"), all);
    const matlab_file file(here.file("x.mat"));
    for (const auto& [name, m] : all) {
        const auto back = file.to_matrix(name);
        REQUIRE(back.rows() == m.rows());
        REQUIRE(back.cols() == m.cols());
        for (std::size_t i = 0; i < m.flat().size(); ++i)
            CHECK(std::bit_cast<std::uint64_t>(back.flat()[i]) == std::bit_cast<std::uint64_t>(m.flat()[i]));
    }
    CHECK(here.entries() == std::vector<std::string>{"x.mat"});
    CHECK_THROWS_AS(write_matlab(here.file("no/x.mat"), all), io_error);
    CHECK_THROWS_AS(write_matlab(here.file("x.mat"), {{"", matrix<double>(1, 1)}}), io_error);
    CHECK_THROWS_AS(write_matlab(here.file("x.mat"), {{std::string(64, 'a'), matrix<double>(1, 1)}}), io_error);
}

TEST_CASE("a full disk is an error, and what was there before stays") {
    const test::folder here;
    write_matlab(here.file("x.mat"), {{"A", {{1, 2}}}});
    struct rlimit before {};
    ::getrlimit(RLIMIT_FSIZE, &before);  // stands in for a full disk
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    auto small = before;
    small.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    CHECK_THROWS_WITH_AS(write_matlab(here.file("x.mat"), {{"A", matrix<double>(30, 30)}}), doctest::Contains("wrote 1000 of 7392 bytes"), io_error);
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    CHECK(matlab_file(here.file("x.mat")).to_matrix("A") == matrix<double>{{1, 2}});
    CHECK(here.entries() == std::vector<std::string>{"x.mat"});
}

TEST_CASE("absent, foreign and cut files are refused") {
    const test::folder here;
    CHECK_THROWS_AS(matlab_file(here.file("no.mat")), io_error);
    write_atomically(here.file("text.mat"), std::string_view("this is no .mat file, and longer than a header of one would be: ") );
    CHECK_THROWS_AS(matlab_file(here.file("text.mat")), io_error);
    write_atomically(here.file("empty.mat"), std::string_view());
    CHECK_THROWS_WITH_AS(matlab_file(here.file("empty.mat")), doctest::Contains("0 bytes"), io_error);
    const auto whole = read_file(HRM_TEST_DATA "/io/data/matlab_5.mat");
    for (std::size_t n = 0; n < whole.size(); n += 7) {
        write_atomically(here.file("cut.mat"), std::span(whole).first(n));
        try {  // a variable that the cut left whole is read, the others are refused
            const matlab_file file(here.file("cut.mat"));
            for (const char* name : {"full", "sparse", "whole"})
                if (file.contains(name)) (void)file.to_matrix(name);
        } catch (const io_error&) {
        }
    }
}
#endif
