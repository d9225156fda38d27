#include <hrm/cuda/scan.cuh>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/device.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;
using namespace cuda_test;

namespace {

template <class Algorithm, class A>
void check(Algorithm how, const A& a, index_t batch, index_t time) {
    using S = typename A::scalar;
    const index_t n = a.order();
    random_stream r(static_cast<std::uint64_t>(time));
    const auto z = normal<S>(r, batch * time, n), slope = normal<S>(r, batch * time, n);
    const auto initial = normal<S>(r, batch, n), after = normal<S>(r, batch, n);
    scan::plan host(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
    scan::plan device(cuda{}, how, a, {.batch = batch, .time = time});
    CAPTURE(device.algorithm());
    CAPTURE(time);
    CAPTURE(n);

    const on_device<S> dz(z), di(initial), da_(after), ds(batch * time, n), again(batch * time, n), df(batch, n);
    device.states(a, dz, ds, di, df);
    device.states(a, dz, again, di, df);
    const auto s = ds.back();
    CHECK(relative_error(s, reference_states(a, z, initial, batch)) <= states_bar<S>);
    CHECK(relative_error(again.back(), s) == 0);
    bool last = true;
    const auto final = df.back();
    for (index_t b = 0; b < batch; ++b)
        for (index_t i = 0; i < n; ++i) last &= final(b, i) == s(b * time + time - 1, i);
    CHECK(last);

    auto lambda = slope;
    matrix<S> da(1, scan::coefficients(a)), dinitial(batch, n);
    host.states_backward(a, s, initial, lambda, da.flat(), dinitial, after);
    const on_device<S> dl(slope), dda(matrix<S>(1, scan::coefficients(a))), ddi(batch, n);
    device.states_backward(a, ds, di, dl, {dda.memory.data(), static_cast<std::size_t>(da.size())}, ddi, da_);
    CHECK(relative_error(dl.back(), lambda) <= states_bar<S>);
    CHECK(relative_error(ddi.back(), dinitial) <= states_bar<S>);
    CHECK(relative_error(dda.back(), da) <= 10 * states_bar<S>);  // of sums whose terms are off by states_bar each
}

template <class Algorithm, class A>
void check_bf16(Algorithm how, const A& a, index_t batch, index_t time) {
    const index_t n = a.order();
    const auto [z, slope] = bf16_inputs(batch * time, n);
    random_stream r(9);
    const auto initial = normal<float>(r, batch, n);
    scan::plan host(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
    scan::plan device(cuda{}, how, a, {.batch = batch, .time = time});
    const on_device<bf16> dz(z), dl(slope);
    const on_device<float> di(initial), df(batch, n), dda(matrix<float>(1, scan::coefficients(a)));
    device.states(a, dz, dz, di, df);
    const auto s = dz.back();
    CHECK(relative_error(s, reference_states(a, in_float(z), initial, batch)) <= bf16_rounding + states_bar<float>);
    auto lambda = in_float(slope);
    matrix<float> da(1, scan::coefficients(a));
    host.states_backward(a, in_float(s), initial, lambda, da.flat());
    device.states_backward(a, dz, di, dl, {dda.memory.data(), static_cast<std::size_t>(da.size())});
    CHECK(relative_error(dl.back(), lambda) <= bf16_rounding + states_bar<float>);
    CHECK(relative_error(dda.back(), da) <= bf16_rounding + 10 * states_bar<float>);  // dense: of lambda as stored
}

}  // namespace

TEST_CASE("the device's states and gradients are those of the CPU") {
    if (!cuda_test::present()) return;
    for (const index_t time : {1, 2, 3, 17, 128, 1000, 4096, 65536})
        for (const index_t batch : {1, 3}) {
            check(scan::chunked{}, real_poles<double>(6), batch, time);
            check(scan::chunked{}, real_poles<float>(32), batch, time);
            check(scan::chunked{7}, pair_poles<double>(2, 4), batch, time);
            check(scan::chunked{}, pair_poles<float>(2, 15), batch, time);
            check(scan::sequential{}, pair_poles<float>(2, 4), batch, time);
            check(scan::automatic{}, pair_poles<float>(2, 4), batch, time);
        }
    check(scan::chunked{}, real_poles<float>(300), 2, 500);
}

TEST_CASE("a dense A on the device is that of the CPU") {
    if (!cuda_test::present()) return;
    for (const index_t time : {1, 2, 3, 17, 128, 1000, 4096})
        for (const index_t batch : {1, 3}) {
            check(scan::chunked{}, dense_poles<double>(5), batch, time);
            check(scan::chunked{}, dense_poles<float>(32), batch, time);
            check(scan::chunked{7}, dense_poles<float>(12), batch, time);
            check(scan::sequential{}, dense_poles<float>(12), batch, time);
        }
    check(scan::chunked{}, dense_poles<float>(63), 1, 300);   // a block's threads, A in shared memory
    check(scan::chunked{}, dense_poles<float>(129), 2, 300);  // more states than threads
    check(scan::chunked{}, dense_poles<double>(12), 1, 65536);
    check(scan::chunked{}, dense_poles<double>(0), 2, 50);
}

TEST_CASE("states by cuFFT are those of the CPU, in one wave and in many") {
    if (!cuda_test::present()) return;
    for (const index_t time : {1, 2, 3, 17, 1000, 4096, 65536})
        for (const index_t batch : {1, 3}) {
            check(scan::fft{}, real_poles<double>(6), batch, time);
            check(scan::fft{}, real_poles<float>(32), batch, time);
            check(scan::fft{}, pair_poles<float>(2, 15), batch, time);
        }
    check(scan::fft{}, real_poles<float>(70), 2, 500);
    check(scan::fft{}, real_poles<float>(0), 2, 50);
}

TEST_CASE("states in bf16: the arithmetic is that of float, the result is rounded once") {
    if (!cuda_test::present()) return;
    check_bf16(scan::chunked{}, real_poles<float>(32), 3, 1000);
    check_bf16(scan::sequential{}, pair_poles<float>(2, 4), 3, 1000);
    check_bf16(scan::chunked{}, dense_poles<float>(12), 3, 1000);
    check_bf16(scan::fft{}, pair_poles<float>(2, 4), 3, 3000);
}

namespace {

/// A graph captured with A gives A's states, whatever the plan has been used for since, and leaves nothing behind.
template <class Algorithm, class A>
void check_graph(Algorithm how, const A& a, const A& other) {
    random_stream r(4);
    const auto z = normal<float>(r, 1000, a.order());
    const own_stream stream;
    const cuda where = stream.where;
    scan::plan p(where, how, a, {.batch = 1, .time = 1000});
    const on_device<float> in(z), out(1000, a.order());
    const auto is = [&](const A& x) {
        CHECK(relative_error(out.back(where), reference_states(x, z, matrix<float>(), 1)) <= states_bar<float>);
    };
    p.states(a, in, out);
    run_as_graph(where, [&] { p.states(a, in, out); });
    is(a);
    p.states(other, in, out);
    is(other);
    run_as_graph(where, [&] { p.states(a, in, out); }, 2);
    is(a);
    p.states(other, in, out);
    is(other);
}

template <class A>
A halved(A a) {
    for (auto* x : coefficient_places(a)) *x *= 0.5f;
    return a;
}

}  // namespace

TEST_CASE("a captured graph repeats the scan it was captured with") {
    if (!cuda_test::present()) return;
    check_graph(scan::chunked{}, real_poles<float>(32), halved(real_poles<float>(32)));
    check_graph(scan::chunked{}, dense_poles<float>(12), halved(dense_poles<float>(12)));
    check_graph(scan::fft{}, pair_poles<float>(2, 5), halved(pair_poles<float>(2, 5)));
}
