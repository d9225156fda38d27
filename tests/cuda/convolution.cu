#include <hrm/cuda/convolution.cuh>

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/device.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;
using namespace cuda_test;

namespace {

/// Against the CPU in double. Two transforms of n: 4 log2 n + a few roundings of the norm of the whole (of dh, of |u| |dy|).
template <real S>
void check(index_t taps, index_t channels, index_t batch, index_t time) {
    random_stream r(static_cast<std::uint64_t>(time));
    const auto h = normal<S>(r, taps, channels), u = normal<S>(r, batch * time, channels), dy = normal<S>(r, batch * time, channels);
    const auto initial = normal<S>(r, batch * (taps - 1), channels), dfinal = normal<S>(r, batch * (taps - 1), channels);
    const auto wide = [](const matrix<S>& m) {
        matrix<double> x(m.rows(), m.cols());
        for (index_t i = 0; i < m.size(); ++i) x.data()[i] = static_cast<double>(m.data()[i]);
        return x;
    };
    scan::convolution<double> host(cpu{}, taps, channels, {.batch = batch, .time = time});
    matrix<double> y(batch * time, channels), du = y, dh(taps, channels), dinitial(batch * (taps - 1), channels);
    const auto wh = wide(h), wu = wide(u), wdy = wide(dy), wi = wide(initial), wf = wide(dfinal);
    host.forward(wh, wu, y, {.initial = wi});
    host.backward(wh, wu, wdy, du, dh, {.initial = wi, .dinitial = dinitial, .dfinal = wf});

    scan::convolution<S, cuda> device(cuda{}, taps, channels, {.batch = batch, .time = time});
    const on_device<S> oh(h), ou(u), ody(dy), oi(initial), of(dfinal), oy(batch * time, channels), again(batch * time, channels),
        odu(batch * time, channels), odh(matrix<S>(taps, channels)), odi(batch * (taps - 1), channels);
    device.forward(oh, ou, oy, {.initial = oi});
    device.forward(oh, ou, again, {.initial = oi});
    device.backward(oh, ou, ody, odu, odh, {.initial = oi, .dinitial = odi, .dfinal = of});
    const double bar = std::numeric_limits<S>::epsilon() * (8 + 4 * std::log2(static_cast<double>(device.window())));
    const auto norm = [](const matrix<double>& m) { return relative_error(m, matrix<double>(m.rows(), m.cols())); };
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(time);
    CHECK(relative_error(oy.back(), y) <= bar);
    CHECK(relative_error(again.back(), oy.back()) == 0);
    CHECK(relative_error(odu.back(), du) <= bar);
    if (taps > 1) CHECK(relative_error(odi.back(), dinitial) <= bar);
    CHECK(relative_error(odh.back(), dh) * norm(dh) <= bar * norm(wu) * norm(wdy));
}

}  // namespace

TEST_CASE("shapes that do not fit are refused before anything runs") {
    CHECK_THROWS_WITH_AS((scan::convolution<float, cuda>(cuda{}, 0, 3, {.batch = 1, .time = 8})),
                         "hrm::scan::convolution: the kernel is 0x3, expected at least 1x1", shape_error);
    CHECK_THROWS_WITH_AS((scan::convolution_stream<float, cuda>(cuda{}, 3, 0, 1)),
                         "hrm::scan::convolution: the kernel is 3x0, expected at least 1x1", shape_error);
}

TEST_CASE("convolutions on the device are those of the CPU") {
    if (!present()) return;
    for (const index_t channels : {1, 5, 40})
        for (const auto& [taps, time] : {std::pair<index_t, index_t>{2, 1}, {3, 100}, {64, 700}, {300, 50}, {129, 20000}, {5000, 65536}}) {
            check<float>(taps, channels, 2, time);
            check<double>(taps, channels, 2, time);
        }
}

TEST_CASE("a captured graph convolves with the kernel it finds on the device; bf16 rounds what is stored") {
    if (!present()) return;
    const own_stream stream;
    scan::convolution<float, cuda> conv(stream.where, 50, 8, {.batch = 1, .time = 3000});
    random_stream r(5);
    const auto h = normal<float>(r, 50, 8);
    const auto [u, v] = bf16_inputs(3000, 8);
    const on_device<float> dh(h), du(in_float(u)), dy(3000, 8);
    const on_device<bf16> bu(u), by(v);
    run_as_graph(stream.where, [&] { conv.forward(dh, du, dy); });
    conv.forward(dh, bu, by);
    scan::convolution<float> host(cpu{}, 50, 8, {.batch = 1, .time = 3000});
    matrix<float> y(3000, 8);
    host.forward(h, in_float(u), y);
    const double bar = std::numeric_limits<float>::epsilon() * 64;  // 2 (4 + 2 log2 n), n at most 8192, in either
    CHECK(relative_error(dy.back(stream.where), y) <= bar);
    CHECK(relative_error(by.back(stream.where), y) <= bf16_rounding + bar);
}

TEST_CASE("a graph of one token goes on where a convolution ended") {
    if (!present()) return;
    const index_t taps = 70, channels = 40, batch = 2, time = 100, more = 9;
    const own_stream stream;
    random_stream r(6);
    const auto h = normal<float>(r, taps, channels), u = normal<float>(r, batch * time, channels), next = normal<float>(r, batch, channels);
    scan::convolution<float, cuda> conv(stream.where, taps, channels, {.batch = batch, .time = time});
    scan::convolution_stream<float, cuda> tokens(stream.where, taps, channels, batch);
    const on_device<float> dh(h), du(u), dy(batch * time, channels), final(batch * (taps - 1), channels), token(next), out(batch, channels);
    conv.forward(dh, du, dy, {.final = final});
    tokens.begin(final);
    run_as_graph(stream.where, [&] { tokens.push(dh, token, out); }, static_cast<int>(more));  // the same token each time
    scan::convolution<float> host(cpu{}, taps, channels, {.batch = batch, .time = time});
    matrix<float> y(batch * time, channels), history(batch * (taps - 1), channels), again(batch * more, channels), want(batch * more, channels), last(batch, channels);
    host.forward(h, u, y, {.final = history});
    for (index_t b = 0; b < batch; ++b)
        for (index_t t = 0; t < more; ++t) std::copy_n(next.view().row(b), channels, again.view().row(b * more + t));
    host.forward(h, again, want, {.initial = history});
    for (index_t b = 0; b < batch; ++b) std::copy_n(want.view().row((b + 1) * more - 1), channels, last.view().row(b));
    CHECK(relative_error(out.back(stream.where), last) <= std::numeric_limits<float>::epsilon() * 32);  // 4 + 2 log2 n, n at most 1024, and 1
}
