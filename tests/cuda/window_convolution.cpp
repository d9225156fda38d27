#include <hrm/cuda/detail/window_convolution.hpp>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/host_device.hpp>
#include <hrm/scan/convolution.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <real S>
using windows = scan::detail::window_convolution<S, cuda_test::host_device>;

/// Two transforms of n each in either: 2 log2 n + a few roundings of the norm of the whole.
template <real S>
double bar(index_t window) {
    return 2 * std::numeric_limits<S>::epsilon() * (4 + 2 * std::log2(static_cast<double>(window)));
}

template <real S>
double norm(const matrix<S>& m) {
    double sum = 0;
    for (const S x : m.flat()) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

template <real S>
void check(random_stream& r, index_t taps, index_t channels, index_t batch, index_t time, index_t wave) {
    const auto h = normal<S>(r, taps, channels), u = normal<S>(r, batch * time, channels), dy = normal<S>(r, batch * time, channels);
    const auto initial = normal<S>(r, batch * (taps - 1), channels), dfinal = normal<S>(r, batch * (taps - 1), channels);
    scan::convolution<S> host(cpu{}, taps, channels, {.batch = batch, .time = time});
    windows<S> device({}, taps, channels, {.batch = batch, .time = time}, wave);
    matrix<S> y(batch * time, channels), got_y = y, final(batch * (taps - 1), channels), got_final = initial;
    host.forward(h, u, y, {.initial = initial, .final = final});
    device.forward(h, u, got_y.view(), got_final, got_final);  // one view, which carries the history on
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(batch);
    CAPTURE(time);
    CAPTURE(device.window());
    const double most = bar<S>(std::max(host.window(), device.window()));
    CHECK(relative_error(got_y, y) <= most);
    CHECK(got_final == final);
    matrix<S> du(batch * time, channels), got_du = du, dh(taps, channels), got_dh(taps, channels, S{1}), dinitial = final, got_dinitial = final;
    host.backward(h, u, dy, du, dh, {.initial = initial, .dinitial = dinitial, .dfinal = dfinal});
    device.backward(h, u, dy, got_du.view(), got_dh.view(), initial, got_dinitial, dfinal);
    for (auto& x : got_dh.flat()) x -= 1;  // += : it started from one
    CHECK(relative_error(got_du, du) <= most);
    CHECK(relative_error(got_dinitial, dinitial) <= most);
    // A sum of products: its errors are small beside |u| |dy|, and beside the ones it was added to.
    const double size = norm(u) * norm(dy) + std::sqrt(static_cast<double>(dh.size())) + norm(dh);
    CHECK(relative_error(got_dh, dh) * norm(dh) <= most * size);
    host.backward(h, u, dy, du, {}, {.initial = initial, .dfinal = dfinal});
    device.backward(h, u, dy, got_du.view(), {}, initial, {}, dfinal);
    CHECK(relative_error(got_du, du) <= most);
}

}  // namespace

TEST_CASE("1500 random shapes: convolutions by windows and their adjoint are those of the CPU") {
    random_stream r(3);
    for (int round = 0; round < 1500; ++round) {
        const auto pick = [&](index_t below) { return static_cast<index_t>(r.below(static_cast<std::uint32_t>(below))); };
        const index_t taps = 2 + pick(pick(8) == 0 ? 300 : 12), channels = 1 + pick(5), batch = 1 + pick(3);
        const index_t time = 1 + pick(pick(40) == 0 ? 3000 : 60);
        check<double>(r, taps, channels, batch, time, 1 + pick(20000));
    }
    check<float>(r, 64, 37, 2, 5000, 1 << 17);
    check<float>(r, 700, 3, 1, 9000, 1);
}

TEST_CASE("one tap, no step, and bf16") {
    const matrix<float> h(1, 3, 2.0f);
    windows<float> p({}, 1, 3, {.batch = 2, .time = 50});
    const auto [u, v] = cuda_test::bf16_inputs(100, 3);
    auto y = v;
    p.forward(h, u, y.view(), {}, {});
    auto twice = cuda_test::in_float(u);
    for (auto& x : twice.flat()) x *= 2;
    CHECK(relative_error(y, twice) <= cuda_test::bf16_rounding + bar<float>(p.window()));
    matrix<float> none(0, 3), dh(1, 3, 1.0f);
    p.forward(h, none.view(), none.view(), {}, {});
    p.backward(h, none.view(), none.view(), none.view(), dh.view(), {}, {}, {});
    CHECK(dh == matrix<float>(1, 3, 1.0f));
}

TEST_CASE("windows cover every output, at every length") {
    for (const index_t taps : {1, 2, 100, 1024, 5000})
        for (index_t time = 1; time <= 1000000; time += 1 + time / 20) {
            const index_t n = windows<float>::window_length(taps, time), hop = n - taps + 1;
            CAPTURE(taps);
            CAPTURE(time);
            CHECK(hop >= 1);
            CHECK((n >= taps - 1 + time || 4 * hop >= 3 * n));
            CHECK(fourier::is_good_size(n));
        }
}
