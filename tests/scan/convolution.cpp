#include <hrm/scan/convolution.hpp>

#include <limits>
#include <tuple>

#include <doctest/doctest.h>

#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <real S>
struct borders {
    matrix<S> h, u, dy, initial, dfinal;
    index_t batch, time, taps, channels;

    borders(index_t taps_, index_t channels_, index_t batch_, index_t time_)
        : batch(batch_), time(time_), taps(taps_), channels(channels_) {
        random_stream r(static_cast<std::uint64_t>(taps * 1000 + time));
        h = normal<S>(r, taps, channels), u = normal<S>(r, batch * time, channels), dy = normal<S>(r, batch * time, channels);
        initial = normal<S>(r, batch * (taps - 1), channels), dfinal = normal<S>(r, batch * (taps - 1), channels);
    }
    double input(index_t b, index_t t, index_t c) const {
        return static_cast<double>(t < 0 ? initial(b * (taps - 1) + taps - 1 + t, c) : u(b * time + t, c));
    }
};

/// The sum of the definition in double, history included.
template <real S>
matrix<double> by_definition(const borders<S>& x) {
    matrix<double> y(x.batch * x.time, x.channels);
    for (index_t b = 0; b < x.batch; ++b)
        for (index_t t = 0; t < x.time; ++t)
            for (index_t j = 0; j < x.taps; ++j)
                for (index_t c = 0; c < x.channels; ++c)
                    y(b * x.time + t, c) += static_cast<double>(x.h(j, c)) * x.input(b, t - j, c);
    return y;
}

/// A convolution by two transforms of n: 2 log2 n + a few roundings of the norm of the whole.
template <real S>
double bar(index_t window) {
    return std::numeric_limits<S>::epsilon() * (4 + 2 * std::log2(static_cast<double>(window)));
}

template <real S>
void check(index_t taps, index_t channels, index_t batch, index_t time) {
    const borders<S> x(taps, channels, batch, time);
    scan::convolution<S> conv(cpu{}, taps, channels, {.batch = batch, .time = time});
    matrix<S> y(batch * time, channels), final(batch * (taps - 1), channels);
    conv.forward(x.h, x.u, y, {.initial = x.initial, .final = final});
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(time);
    CAPTURE(conv.window());
    CHECK(relative_error(y, by_definition(x)) <= bar<S>(conv.window()));
    bool same = true;
    for (index_t b = 0; b < batch; ++b)
        for (index_t i = 0; i < taps - 1; ++i)
            for (index_t c = 0; c < channels; ++c)
                same = same && static_cast<double>(final(b * (taps - 1) + i, c)) == x.input(b, time - (taps - 1) + i, c);
    CHECK(same);
}

/// <y, dy> + <final, dfinal> = <u, du> + <initial, dinitial>, and = <h, dh> but for the copies in final.
void check_adjoint(index_t taps, index_t channels, index_t batch, index_t time) {
    const borders<double> x(taps, channels, batch, time);
    scan::convolution<double> conv(cpu{}, taps, channels, {.batch = batch, .time = time});
    matrix<double> y(batch * time, channels), final(batch * (taps - 1), channels);
    matrix<double> du(batch * time, channels), dinitial(batch * (taps - 1), channels), dh(taps, channels, 1.0);
    conv.forward(x.h, x.u, y, {.initial = x.initial, .final = final});
    conv.backward(x.h, x.u, x.dy, du, dh, {.initial = x.initial, .dinitial = dinitial, .dfinal = x.dfinal});
    auto inner = [](const matrix<double>& a, const matrix<double>& b) {
        double sum = 0;
        for (index_t i = 0; i < a.size(); ++i) sum += a.data()[i] * b.data()[i];
        return sum;
    };
    for (index_t i = 0; i < dh.size(); ++i) dh.data()[i] -= 1;  // += : it started from one
    const double left = inner(y, x.dy), ends = inner(final, x.dfinal), size = std::sqrt(inner(y, y) * inner(x.dy, x.dy));
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(time);
    CHECK(std::abs(left + ends - inner(x.u, du) - inner(x.initial, dinitial)) <= 1e-12 * (size + std::abs(ends)));
    CHECK(std::abs(left - inner(x.h, dh)) <= 1e-12 * size);

    matrix<double> alone(batch * time, channels), none, edge(batch * (taps - 1), channels);  // each gradient by itself
    conv.backward(x.h, x.u, x.dy, alone, {}, {.initial = x.initial, .dfinal = x.dfinal});
    conv.backward(x.h, x.u, x.dy, {}, {}, {.initial = x.initial, .dinitial = edge, .dfinal = x.dfinal});
    CHECK(relative_error(alone, du) <= 1e-13);
    CHECK(relative_error(edge, dinitial) <= 1e-13);
}

}  // namespace

TEST_CASE_TEMPLATE("the definition, with history, at every kind of width", S, float, double) {
    for (const index_t channels : {1, 2, 5, 16, 37})
        for (const auto& [taps, time] : {std::pair<index_t, index_t>{1, 9}, {4, 1}, {3, 100}, {64, 700}, {300, 50}, {129, 2000}})
            check<S>(taps, channels, 2, time);
}

TEST_CASE("the adjoint, of signals shorter and longer than the kernel") {
    for (const index_t channels : {1, 3, 19})
        for (const auto& [taps, time] : {std::pair<index_t, index_t>{1, 9}, {7, 3}, {64, 700}, {300, 50}, {20, 5000}})
            check_adjoint(taps, channels, 2, time);
}

TEST_CASE("dh by central differences") {
    borders<double> x(9, 3, 2, 40);
    scan::convolution<double> conv(cpu{}, 9, 3, {.batch = 2, .time = 40});
    matrix<double> y(80, 3), dh(9, 3);
    conv.backward(x.h, x.u, x.dy, {}, dh, {.initial = x.initial});
    auto loss = [&] {  // quadratic in h, so that the gradient moves with it and the cache must notice
        conv.forward(x.h, x.u, y, {.initial = x.initial});
        double sum = 0;
        for (index_t i = 0; i < y.size(); ++i) sum += y.data()[i] * x.dy.data()[i];
        return sum;
    };
    CHECK(difference_error(places(x.h.flat()), dh.flat(), loss) <= 1e-6);
}

TEST_CASE_TEMPLATE("any number of threads gives the same bits", S, float, double) {
    for (const index_t channels : {1, 40}) {
        const borders<S> x(100, channels, 3, 3000);
        auto outcome = [&](int threads) {
            scan::convolution<S> conv(cpu{.threads = threads}, 100, channels, {.batch = 3, .time = 3000});
            matrix<S> y(9000, channels), du(9000, channels), dh(100, channels), dinitial(297, channels);
            conv.forward(x.h, x.u, y, {.initial = x.initial});
            conv.backward(x.h, x.u, x.dy, du, dh, {.initial = x.initial, .dinitial = dinitial, .dfinal = x.dfinal});
            return std::tuple(std::move(y), std::move(du), std::move(dh), std::move(dinitial));
        };
        CHECK(outcome(1) == outcome(3));
    }
}

TEST_CASE("a long signal in pieces, its history carried in one view, is the whole") {
    const index_t taps = 50, channels = 7, time = 4000;
    const borders<double> x(taps, channels, 1, time);
    scan::convolution<double> conv(cpu{}, taps, channels, {.batch = 1, .time = time});
    matrix<double> whole(time, channels), pieces(time, channels), history = x.initial;
    conv.forward(x.h, x.u, whole, {.initial = x.initial});
    for (index_t t = 0, count = 1; t < time; t += count, count = std::min(1 + (count * 5 + 2) % 701, time - t))
        conv.forward(x.h, x.u.view().slice_rows(t, count), pieces.view().slice_rows(t, count), {.initial = history, .final = history});
    CHECK(relative_error(pieces, whole) <= bar<double>(conv.window()));
}

TEST_CASE("a new kernel is noticed") {
    borders<double> x(20, 3, 1, 100);
    scan::convolution<double> conv(cpu{}, 20, 3, {.batch = 1, .time = 100});
    matrix<double> y(100, 3);
    conv.forward(x.h, x.u, y, {.initial = x.initial});
    x.h(19, 2) += 1;
    conv.forward(x.h, x.u, y, {.initial = x.initial});
    CHECK(relative_error(y, by_definition(x)) <= bar<double>(conv.window()));
}

TEST_CASE("a long kernel in float keeps its precision in y and, over a long signal, in dh") {
    const index_t taps = 2000, channels = 3, time = 6000;
    const borders<float> x(taps, channels, 1, time);
    scan::convolution<float> conv(cpu{}, taps, channels, {.batch = 1, .time = time});
    matrix<float> y(time, channels), dh(taps, channels);
    conv.forward(x.h, x.u, y, {.initial = x.initial});
    conv.backward(x.h, x.u, x.dy, {}, dh, {.initial = x.initial});
    CHECK(relative_error(y, by_definition(x)) <= bar<float>(conv.window()));
    matrix<double> want(taps, channels);
    for (index_t j = 0; j < taps; ++j)
        for (index_t t = 0; t < time; ++t)
            for (index_t c = 0; c < channels; ++c) want(j, c) += static_cast<double>(x.dy(t, c)) * x.input(0, t - j, c);
    CHECK(relative_error(dh, want) <= bar<float>(conv.window()));
}

TEST_CASE("the second call allocates nothing, and the scratch does not grow with the signal") {
    const index_t taps = 64, channels = 20;
    for (const index_t time : {10000, 1000000, 100000000})
        CHECK(scan::convolution<float>(cpu{}, taps, channels, {.batch = 1, .time = time}).window() <= 32 * taps);
    if (!hrm_test::allocations_are_counted()) return;
    const borders<float> x(taps, channels, 2, 500);
    for (const int threads : {1, 2}) {
        scan::convolution<float> conv(cpu{.threads = threads}, taps, channels, {.batch = 2, .time = 500});
        matrix<float> y(1000, channels), dh(taps, channels), edge(2 * (taps - 1), channels);
        auto once = [&] {
            conv.forward(x.h, x.u, y, {.initial = edge, .final = edge});
            conv.backward(x.h, x.u, x.dy, y, dh, {.initial = x.initial, .dinitial = edge, .dfinal = x.dfinal});
        };
        once();
        const auto before = hrm_test::allocations();
        once();
        CHECK(hrm_test::allocations() == before);
    }
}

TEST_CASE("wrong shapes are refused with both numbers") {
    scan::convolution<float> conv(cpu{}, 4, 3, {.batch = 2, .time = 8});
    matrix<float> h(4, 3), u(16, 3), y(16, 3), odd(15, 3), short_h(3, 3), edge(5, 3);
    CHECK_THROWS_WITH_AS(conv.forward(short_h, u, y), "hrm::scan::convolution::forward: the kernel is 3x3, expected 4x3", shape_error);
    CHECK_THROWS_WITH_AS(conv.forward(h, odd, y),
                         "hrm::scan::convolution::forward: u is 15x3, expected at most 16x3, rows a multiple of 2", shape_error);
    CHECK_THROWS_WITH_AS(conv.forward(h, u, odd), "hrm::scan::convolution::forward: y is 15x3, expected 16x3", shape_error);
    CHECK_THROWS_WITH_AS(conv.forward(h, u, y, {.initial = edge}),
                         "hrm::scan::convolution::forward: the initial history is 5x3, expected 6x3", shape_error);
    CHECK_THROWS_WITH_AS(conv.backward(h, u, y, {}, short_h), "hrm::scan::convolution::backward: dh is 3x3, expected 4x3", shape_error);
    CHECK_THROWS_WITH_AS(scan::convolution<float>(cpu{}, 0, 3, {.batch = 1, .time = 8}),
                         "hrm::scan::convolution: the kernel is 0x3, expected at least 1x1", shape_error);
    CHECK_THROWS_AS(scan::convolution<float>(cpu{}, 4, 3, {.batch = 0, .time = 8}), shape_error);
}
