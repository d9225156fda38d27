#include <hrm/cuda/detail/fft_states.hpp>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/host_device.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <class A>
using transformed = scan::detail::fft_states<A, cuda_test::host_device>;

template <class A>
void check_against_reference(const A& a, index_t batch, index_t time, index_t wave) {
    using S = typename A::scalar;
    random_stream r(static_cast<std::uint64_t>(time));
    const auto z = normal<S>(r, batch * time, a.order());
    auto initial = normal<S>(r, batch, a.order());
    for (auto& x : initial.flat()) x *= 10;
    transformed<A> p({}, a, batch, time, wave);
    auto s = z;
    matrix<S> final(batch, a.order());
    p.states(a, s, s.view(), initial, final);
    CAPTURE(time);
    CAPTURE(batch);
    CAPTURE(p.length());
    CAPTURE(p.wave_items());
    CHECK(relative_error(s, reference_states(a, z, initial, batch)) <= states_bar<S>);
    bool last = true;
    for (index_t b = 0; b < batch; ++b)
        for (index_t i = 0; i < a.order(); ++i) last &= final(b, i) == s(b * time + time - 1, i);
    CHECK(last);
}

template <class A>
void check_against_sequential(random_stream& r, const A& a, index_t batch, index_t time, index_t wave, bool borders, double bar) {
    const index_t n = a.order();
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
    transformed<A> q({}, a, batch, time, wave);
    const auto z = normal<double>(r, batch * time, n), slope = normal<double>(r, batch * time, n);
    const auto initial = normal<double>(r, batch, n), after = normal<double>(r, batch, n);
    const auto in = borders ? matrix_view<const double>(initial) : matrix_view<const double>();
    const auto end = borders ? matrix_view<const double>(after) : matrix_view<const double>();
    matrix<double> s(batch * time, n), t = s, first(batch, n), second = first, da_first(1, n), da_second(1, n, 1.0);
    const auto out = [&](matrix<double>& m) { return borders ? m.view() : matrix_view<double>(); };
    p.states(a, z, s, in, out(first));
    q.states(a, z, t.view(), in, out(second));
    CAPTURE(time);
    CAPTURE(batch);
    CAPTURE(q.wave_items());
    CHECK(relative_error(t, s) <= bar);
    CHECK(relative_error(second, first) <= bar);
    auto l = slope, m = slope;
    p.states_backward(a, s, in, l, da_first.flat(), out(first), end);
    q.states_backward(a, s, in, m.view(), da_second.flat(), out(second), end);
    for (auto& x : da_second.flat()) x -= 1;  // += : it started from one
    CHECK(relative_error(m, l) <= bar);
    CHECK(relative_error(second, first) <= bar);
    CHECK(relative_error(da_second, da_first) <= 10 * bar);  // sums of products whose factors are off by the bar
}

}  // namespace

TEST_CASE("states by transforms are those of the definition, at every length, for poles up to 1 - 1e-6, in one wave or many") {
    for (const index_t time : {1, 2, 3, 17, 1000, 4096, 20000})
        for (const index_t batch : {1, 3})
            for (const index_t wave : {index_t{1}, index_t{1} << 16}) {
                check_against_reference(real_poles<double>(6), batch, time, wave);
                check_against_reference(real_poles<float>(6), batch, time, wave);
                check_against_reference(pair_poles<double>(2, 4), batch, time, wave);
                check_against_reference(pair_poles<float>(2, 4), batch, time, wave);
            }
}

TEST_CASE("2000 random shapes: states by transforms and their adjoint are those of the sequential engine") {
    random_stream r(3);
    for (int round = 0; round < 2000; ++round) {
        const auto pick = [&](index_t below) { return static_cast<index_t>(r.below(static_cast<std::uint32_t>(below))); };
        const index_t reals = pick(4), pairs = pick(3) + (reals == 0), batch = 1 + pick(4);
        const index_t time = 1 + (pick(60) == 0 ? 1000 + pick(2000) : pick(60));
        CAPTURE(round);
        check_against_sequential(r, pair_poles<double>(reals, pairs), batch, time, 1 + pick(20000), pick(2) == 0, states_bar<double>);
    }
}

TEST_CASE("more columns than a tile, and A that grows, in the chunks it allows") {
    random_stream r(7);
    check_against_sequential(r, real_poles<double>(70), 2, 90, 1 << 20, true, states_bar<double>);
    auto a = pair_poles<double>(2, 2);
    for (auto* part : {&a.real, &a.re, &a.im})
        for (auto& x : *part) x *= 1.3;
    check_against_sequential(r, a, 2, 700, 1 << 20, true, states_bar<double>);
    transformed<complex_pairs<double>> p({}, a, 1, 2000);
    for (auto& x : a.real) x *= 3;
    matrix<double> s(2000, 6);
    CHECK_THROWS_AS(p.states(a, s, s.view(), {}, {}), numerical_error);
}

TEST_CASE("transforms: a new A is noticed, a shorter call too, no step keeps the borders, a graph is not relied on") {
    bool recording = false;
    auto a = real_poles<float>(5);
    transformed<diagonal<float>> p({&recording}, a, 2, 3000);
    random_stream r(6);
    const auto z = normal<float>(r, 2 * 70, 5), initial = normal<float>(r, 2, 5);
    matrix<float> s(2 * 70, 5), final(2, 5);
    for (int round = 0; round < 4; ++round) {
        recording = round == 2;
        p.states(a, z, s.view(), initial, final);
        CHECK(relative_error(s, reference_states(a, z, initial, 2)) <= states_bar<float>);
        if (round != 1) a.poles[0] = -a.poles[0];
    }
    p.states(a, {}, {}, initial, final);
    CHECK(relative_error(final, initial) == 0);
}

TEST_CASE("transforms of order 0: nothing to do, forward and backward") {
    const auto a = pair_poles<float>(0, 0);
    transformed<complex_pairs<float>> p({}, a, 2, 40);
    matrix<float> s(2 * 40, 0), border(2, 0);
    p.states(a, s, s.view(), border, border);
    p.states_backward(a, s, border, s.view(), {}, border, border);
    CHECK(p.order() == 0);
    CHECK(p.wave_items() == 2);
}

TEST_CASE("transforms in bf16: only what is stored is rounded") {
    const auto a = pair_poles<float>(3, 4);
    const auto [z, slope] = cuda_test::bf16_inputs(2 * 1500, 11);
    transformed<complex_pairs<float>> p({}, a, 2, 1500);
    scan::plan q(cpu{}, scan::sequential{}, a, {.batch = 2, .time = 1500});
    auto s = z, l = slope;
    p.states(a, s, s.view(), {}, {});
    CHECK(relative_error(s, reference_states(a, cuda_test::in_float(z), matrix<float>(), 2)) <= cuda_test::bf16_rounding + states_bar<float>);
    auto lambda = cuda_test::in_float(slope);
    matrix<float> da(1, 11), want = da;
    q.states_backward(a, cuda_test::in_float(s), {}, lambda, want.flat());
    p.states_backward(a, s, {}, l.view(), da.flat(), {}, {});
    CHECK(relative_error(l, lambda) <= cuda_test::bf16_rounding + states_bar<float>);
    CHECK(relative_error(da, want) <= cuda_test::bf16_rounding);  // the lambda it sums have been stored
}
