#include <hrm/cuda/detail/chunked_states.hpp>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/host_device.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <real S>
using chunked = scan::detail::chunked_states<S, cuda_test::host_device>;

template <class A>
void check_against_reference(const A& a, index_t batch, index_t time, index_t length) {
    using S = typename A::scalar;
    random_stream r(static_cast<std::uint64_t>(time));
    const auto z = normal<S>(r, batch * time, a.order());
    auto initial = normal<S>(r, batch, a.order());
    for (auto& x : initial.flat()) x *= 10;
    const auto want = reference_states(a, z, initial, batch);
    chunked<S> p({}, a, batch, time, length);
    auto s = z;
    matrix<S> final(batch, a.order());
    p.states(a, s.view(), s.view(), initial.view(), final.view());
    CAPTURE(time);
    CAPTURE(p.length());
    CHECK(relative_error(s, want) <= states_bar<S>);
    bool last = true;
    for (index_t b = 0; b < batch; ++b)
        for (index_t i = 0; i < a.order(); ++i) last &= final(b, i) == s(b * time + time - 1, i);
    CHECK(last);
}

}  // namespace

TEST_CASE("states are those of the definition, at every length, for poles up to 1 - 1e-6") {
    for (const index_t time : {1, 2, 3, 17, 128, 1000, 4096, 65536})
        for (const index_t batch : {1, 3}) {
            check_against_reference(real_poles<double>(6), batch, time, 0);
            check_against_reference(real_poles<float>(6), batch, time, 0);
            check_against_reference(pair_poles<double>(2, 4), batch, time, 0);
            check_against_reference(pair_poles<float>(2, 4), batch, time, 0);
        }
}

TEST_CASE("10^4 random shapes: states and their adjoint are those of the sequential engine") {
    random_stream r(3);
    for (int round = 0; round < 10000; ++round) {
        const auto pick = [&](index_t below) { return static_cast<index_t>(r.below(static_cast<std::uint32_t>(below))); };
        const index_t reals = pick(4), pairs = pick(3) + (reals == 0), batch = 1 + pick(3), length = pick(20);
        const index_t time = 1 + (pick(8) == 0 ? pick(700) : pick(40));
        const auto a = pair_poles<double>(reals, pairs);
        const index_t n = a.order();
        scan::plan p(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
        chunked<double> q({}, a, batch, time, length);
        const auto z = normal<double>(r, batch * time, n), slope = normal<double>(r, batch * time, n);
        const auto initial = normal<double>(r, batch, n), after = normal<double>(r, batch, n);
        const bool borders = pick(2) == 0;
        const auto in = borders ? matrix_view<const double>(initial) : matrix_view<const double>();
        const auto end = borders ? matrix_view<const double>(after) : matrix_view<const double>();
        matrix<double> s(batch * time, n), t = s, first(batch, n), second = first, da_first(1, n), da_second = da_first;
        const auto out = [&](matrix<double>& m) { return borders ? m.view() : matrix_view<double>(); };
        p.states(a, z, s, in, out(first));
        q.states(a, z.view(), t.view(), in, out(second));
        CAPTURE(round);
        CAPTURE(time);
        CAPTURE(length);
        CHECK(relative_error(t, s) <= states_bar<double>);
        CHECK(relative_error(second, first) <= states_bar<double>);
        auto l = slope, m = slope;
        p.states_backward(a, s, in, l, da_first.flat(), out(first), end);
        q.states_backward(a, s.view(), in, m.view(), da_second.flat(), out(second), end);
        CHECK(relative_error(m, l) <= states_bar<double>);
        CHECK(relative_error(second, first) <= states_bar<double>);
        CHECK(relative_error(da_second, da_first) <= 1e-11);  // sums of up to 2100 products of numbers up to 1e3
    }
}

TEST_CASE("a call shorter than the plan, none at all, and more poles than one launch carries") {
    const auto a = real_poles<float>(300);
    chunked<float> p({}, a, 2, 500, 0);
    random_stream r(5);
    const auto z = normal<float>(r, 2 * 70, 300), initial = normal<float>(r, 2, 300);
    matrix<float> s(2 * 70, 300), final(2, 300);
    p.states(a, z.view(), s.view(), initial.view(), final.view());
    CHECK(relative_error(s, reference_states(a, z, initial, 2)) <= states_bar<float>);
    p.states(a, {}, {}, initial.view(), final.view());
    CHECK(relative_error(final, initial) == 0);
}

TEST_CASE("order 0: nothing to do, forward and backward") {
    const auto a = pair_poles<float>(0, 0);
    chunked<float> p({}, a, 2, 100, 0);
    matrix<float> s(2 * 100, 0), border(2, 0);
    p.states(a, s.view(), s.view(), border, border);
    p.states_backward(a, s.view(), border, s.view(), {}, border, border);
    CHECK(p.order() == 0);
}

TEST_CASE("chunks and steps balance, and every token has its thread") {
    for (index_t time = 1; time <= 1000000; time += 1 + time / 50) {
        const index_t length = chunked<float>::usual_length(time);
        const scan::detail::time_grid<float> g{nullptr, 3, 2, 2, time, length, false};
        CAPTURE(time);
        CHECK(length >= 16);
        CHECK(length <= 256);
        CHECK(g.first(g.chunks() - 1) < time);
        CHECK(g.last(g.chunks() - 1) == time);
        const auto end = g.at(g.items() - 1);
        CHECK(end.sequence == 1);
        CHECK(end.chunk == g.chunks() - 1);
        CHECK(end.mode == 4);
    }
}

TEST_CASE("in bf16 only what is stored is rounded") {
    const auto a = pair_poles<float>(3, 4);
    const index_t n = a.order();
    const auto [z, slope] = cuda_test::bf16_inputs(600, n);
    chunked<float> p({}, a, 2, 300, 0);
    scan::plan q(cpu{}, scan::sequential{}, a, {.batch = 2, .time = 300});
    auto s = z, l = slope;
    p.states(a, s.view(), s.view(), {}, {});
    CHECK(relative_error(s, reference_states(a, cuda_test::in_float(z), matrix<float>(), 2)) <= cuda_test::bf16_rounding + states_bar<float>);
    auto lambda = cuda_test::in_float(slope);
    matrix<float> da(1, scan::coefficients(a)), want = da;
    q.states_backward(a, cuda_test::in_float(s), {}, lambda, want.flat());
    p.states_backward(a, s.view(), {}, l.view(), da.flat(), {}, {});
    CHECK(relative_error(l, lambda) <= cuda_test::bf16_rounding + states_bar<float>);
    CHECK(relative_error(da, want) <= 10 * states_bar<float>);  // of sums whose terms are off by states_bar each
}
