#include <hrm/fourier/plan.hpp>

#include <doctest/doctest.h>

#include <fourier/support.hpp>

using namespace hrm;
using namespace fourier_test;

TEST_CASE_TEMPLATE("good sizes against the sum they are defined by", S, float, double) {
    // Every radix alone, in the middle, outermost and as a leaf, and the lengths the scans use.
    for (const index_t n : {2, 4, 6, 8, 10, 12, 16, 18, 20, 24, 30, 32, 48, 50, 60, 64, 90, 128, 150, 160, 250, 256, 360, 450,
                            486, 512, 600, 1024, 1250, 2048, 4096})
        check_transform<S>(fourier::plan<S>(n), 1, 200);
}

TEST_CASE_TEMPLATE("odd lengths of good factors", S, float, double) {
    for (const index_t n : {1, 3, 5, 9, 15, 27, 45, 75, 125, 225, 375, 2025}) check_transform<S>(fourier::plan<S>(n), 1, 200);
}

TEST_CASE_TEMPLATE("every other length", S, float, double) {
    for (const index_t n : {7, 11, 13, 14, 17, 19, 21, 22, 31, 49, 77, 97, 101, 127, 254, 509, 1009, 2 * 509})
        check_transform<S>(fourier::plan<S>(n), 4, 200);
}

TEST_CASE_TEMPLATE("long transforms, at some of their bins", S, float, double) {
    for (const index_t n : {65536, 49152, 40960}) check_transform<S>(fourier::plan<S>(n), 1, 12);
    check_transform<S>(fourier::plan<S>(10007), 4, 30);
    check_transform<S>(fourier::plan<S>(65537), 4, 12);
}

TEST_CASE("only good sizes work in place of their arguments") {
    CHECK(fourier::plan<float>(480).scratch_size() == 0);
    CHECK(fourier::plan<float>(15).scratch_size() == 2 * 15 * 2 * fourier::plan<float>::lanes);
    CHECK(fourier::plan<float>(14).scratch_size() > 0);
    float nothing[1] = {};
    CHECK_THROWS_AS(fourier::plan<float>(15).forward(nothing, nothing), shape_error);
}

TEST_CASE("a length below one is refused") {
    CHECK_THROWS_WITH_AS(fourier::plan<float>(0), "hrm::fourier::plan: the length is 0, expected at least 1", shape_error);
    CHECK_THROWS_AS(fourier::plan<double>(-3), shape_error);
}
