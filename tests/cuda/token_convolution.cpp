#include <hrm/cuda/detail/token_convolution.hpp>

#include <limits>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/host_device.hpp>
#include <hrm/scan/convolution.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <real S>
using tokens = scan::detail::token_convolution<S, cuda_test::host_device>;

/// Token by token after a history, against the definition in double: what is off is the rounding of y.
template <real S>
void check(random_stream& r, index_t taps, index_t channels, index_t batch, index_t time, bool after) {
    const auto h = normal<S>(r, taps, channels), u = normal<S>(r, batch * time, channels), history = normal<S>(r, batch * (taps - 1), channels);
    tokens<S> stream({}, taps, channels, batch);
    if (after) stream.begin(history);
    matrix<S> y(batch * time, channels);
    matrix<double> want(batch * time, channels);
    for (index_t t = 0; t < time; ++t)
        stream.push(h, {u.view().row(t), batch, channels, time * channels}, matrix_view<S>{y.view().row(t), batch, channels, time * channels});
    for (index_t b = 0; b < batch; ++b)
        for (index_t t = 0; t < time; ++t)
            for (index_t j = 0; j < taps; ++j)
                for (index_t c = 0; c < channels; ++c) {
                    const double before = after && t < j ? static_cast<double>(history(b * (taps - 1) + taps - 1 + t - j, c)) : 0.0;
                    want(b * time + t, c) += static_cast<double>(h(j, c)) * (t < j ? before : static_cast<double>(u(b * time + t - j, c)));
                }
    CAPTURE(taps);
    CAPTURE(channels);
    CAPTURE(batch);
    CHECK(relative_error(y, want) <= std::numeric_limits<S>::epsilon() + static_cast<double>(taps) * 0x1p-52);
}

}  // namespace

TEST_CASE("token by token after a history: the definition, for 400 random shapes") {
    random_stream r(8);
    for (int round = 0; round < 200; ++round) {
        const index_t taps = 1 + r.below(round % 8 ? 12 : 70), channels = 1 + r.below(40), batch = 1 + r.below(3), time = 1 + r.below(30);
        check<float>(r, taps, channels, batch, time, round % 2 == 0);
        check<double>(r, taps, channels, batch, time, round % 2 == 0);
    }
}

TEST_CASE("tokens go on where a convolution ended, in place, and begin anew") {
    const index_t taps = 20, channels = 5, batch = 2, time = 50;
    random_stream r(5);
    const auto h = normal<double>(r, taps, channels), u = normal<double>(r, batch * time, channels), next = normal<double>(r, batch, channels);
    scan::convolution<double> conv(cpu{}, taps, channels, {.batch = batch, .time = time});
    matrix<double> y(batch * time, channels), final(batch * (taps - 1), channels), want(batch, channels);
    conv.forward(h, u, y, {.final = final});
    conv.forward(h, next, want, {.initial = final});
    tokens<double> stream({}, taps, channels, batch);
    for (int round = 0; round < 2; ++round) {
        stream.begin(final);
        auto got = next;
        stream.push(h, got, got.view());
        CHECK(relative_error(got, want) <= 1e-14);  // the convolution's transforms: a few roundings of the norm of the whole
    }
}

TEST_CASE("tokens in bf16: what is stored is rounded, the ring holds what came in") {
    random_stream r(6);
    const auto h = normal<float>(r, 6, 8);
    const auto [u, v] = cuda_test::bf16_inputs(30, 8);
    tokens<float> stream({}, 6, 8, 1), exact({}, 6, 8, 1);
    auto y = v;
    const auto wide = cuda_test::in_float(u);
    matrix<float> want(30, 8);
    for (index_t t = 0; t < 30; ++t) {
        stream.push(h, u.view().slice_rows(t, 1), y.view().slice_rows(t, 1));
        exact.push(h, wide.view().slice_rows(t, 1), want.view().slice_rows(t, 1));
    }
    CHECK(relative_error(y, want) <= cuda_test::bf16_rounding);
}
