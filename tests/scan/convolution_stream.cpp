#include <hrm/scan/convolution_stream.hpp>

#include <limits>

#include <doctest/doctest.h>

#include <hrm/scan/convolution.hpp>
#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

TEST_CASE_TEMPLATE("token by token, in odd blocks and at once: the same bits, and the definition in double", S, float, double) {
    for (const auto& shape : {std::pair<index_t, index_t>{1, 3}, {5, 1}, {63, 20}, {64, 2}, {65, 4}, {500, 17}, {1024, 3}}) {
        const index_t time = 1500, taps = shape.first, columns = shape.second;  // Clang 14 has no structured bindings in lambdas
        random_stream r(static_cast<std::uint64_t>(taps));
        const auto h = normal<S>(r, taps, columns), u = normal<S>(r, time, columns);
        matrix<double> want(time, columns);
        for (index_t t = 0; t < time; ++t)
            for (index_t j = 0; j <= std::min(t, taps - 1); ++j)
                for (index_t c = 0; c < columns; ++c) want(t, c) += static_cast<double>(h(j, c)) * static_cast<double>(u(t - j, c));
        scan::convolution_stream<S> stream(h);
        auto pushed = [&](auto next) {
            stream.reset();
            matrix<S> y(time, columns);
            for (index_t t = 0, count; t < time; t += count) {
                count = std::min<index_t>(next(t), time - t);
                stream.push(u.view().slice_rows(t, count), y.view().slice_rows(t, count));
            }
            CHECK(stream.position() == time);
            return y;
        };
        const auto whole = pushed([&](index_t) { return time; });
        CAPTURE(taps);
        CAPTURE(columns);
        // Sums of 64 products and of one transform pair a level: log2 taps levels of 2 log2 taps roundings at most.
        const double eps = std::numeric_limits<S>::epsilon();
        CHECK(relative_error(whole, want) <= eps * (4 + 2 * std::log2(static_cast<double>(2 * taps))));
        CHECK(pushed([](index_t) { return 1; }) == whole);
        CHECK(pushed([](index_t t) { return 1 + t * 7 % 130; }) == whole);
    }
}

TEST_CASE("a stream continues what a convolution began, when the history is pushed first") {
    const index_t taps = 100, channels = 5, time = 900, cut = 333;
    random_stream r(5);
    const auto h = normal<double>(r, taps, channels), u = normal<double>(r, time, channels);
    scan::convolution<double> conv(cpu{}, taps, channels, {.batch = 1, .time = time});
    matrix<double> whole(time, channels), y(time, channels), history(taps - 1, channels);
    conv.forward(h, u, whole);
    conv.forward(h, u.view().slice_rows(0, cut), y.view().slice_rows(0, cut), {.final = history});
    scan::convolution_stream<double> stream(h);
    stream.push(history, history);
    stream.push(u.view().slice_rows(cut, time - cut), y.view().slice_rows(cut, time - cut));
    CHECK(relative_error(y, whole) <= 1e-14);
}

TEST_CASE("no token allocates") {
    if (!hrm_test::allocations_are_counted()) return;
    random_stream r(7);
    const auto h = normal<float>(r, 700, 3), u = normal<float>(r, 3000, 3);
    matrix<float> y(3000, 3);
    scan::convolution_stream<float> stream(h);
    const auto before = hrm_test::allocations();
    stream.push(u, y);
    CHECK(hrm_test::allocations() == before);
}

TEST_CASE("wrong shapes are refused with both numbers") {
    const matrix<float> h(3, 2, 1.0f);
    scan::convolution_stream<float> stream(h);
    matrix<float> u(4, 3), y(4, 2);
    CHECK_THROWS_WITH_AS(stream.push(u, y), "hrm::scan::convolution_stream::push: u is 4x3, expected 4x2", shape_error);
    CHECK_THROWS_AS(stream.push(y, u), shape_error);
    CHECK_THROWS_WITH_AS(scan::convolution_stream<float>(matrix<float>(0, 2)),
                         "hrm::scan::convolution_stream: the kernel is 0x2, expected at least 1x1", shape_error);
}
