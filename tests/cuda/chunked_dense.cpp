#include <hrm/cuda/detail/chunked_dense.hpp>

#include <doctest/doctest.h>

#include <cuda/bf16.hpp>
#include <cuda/host_device.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <real S>
using chunked = scan::detail::chunked_dense<S, cuda_test::host_device>;

template <real S>
void check_against_reference(index_t order, index_t batch, index_t time, index_t length) {
    const auto a = dense_poles<S>(order);
    random_stream r(static_cast<std::uint64_t>(time));
    const auto z = normal<S>(r, batch * time, order);
    auto initial = normal<S>(r, batch, order);
    for (auto& x : initial.flat()) x *= 10;
    chunked<S> p({}, order, batch, time, length);
    auto s = z;
    matrix<S> final(batch, order);
    p.states(a, s, s.view(), initial, final);
    CAPTURE(order);
    CAPTURE(time);
    CAPTURE(p.length());
    CHECK(relative_error(s, reference_states(a, z, initial, batch)) <= states_bar<S>);
    bool last = true;
    for (index_t b = 0; b < batch; ++b)
        for (index_t i = 0; i < order; ++i) last &= final(b, i) == s(b * time + time - 1, i);
    CHECK(last);
}

struct counting : cuda_test::host_device {
    int* launches;
    template <class F>
    void launch(index_t count, const F& f) const {
        ++*launches;
        host_device::launch(count, f);
    }
};

}  // namespace

TEST_CASE("a dense A: states are those of the definition, at every length, for poles up to 1 - 1e-6") {
    for (const index_t time : {1, 2, 17, 128, 1000, 16384})
        for (const index_t order : {1, 5, 12}) {
            check_against_reference<double>(order, 2, time, 0);
            check_against_reference<float>(order, 2, time, 0);
        }
    check_against_reference<double>(12, 1, 65536, 0);
    for (const index_t order : {63, 64, 65, 128, 129}) check_against_reference<float>(order, 2, 60, 0);  // within a warp, a block, beyond
}

TEST_CASE("a dense A: 3000 random shapes, states and their adjoint are those of the sequential engine") {
    random_stream r(4);
    for (int round = 0; round < 3000; ++round) {
        const auto pick = [&](index_t below) { return static_cast<index_t>(r.below(static_cast<std::uint32_t>(below))); };
        const index_t n = 1 + (pick(8) == 0 ? pick(40) : pick(8)), batch = 1 + pick(3);
        const index_t time = 1 + (pick(8) == 0 ? pick(300) : pick(40)), length = pick(3) == 0 ? time : pick(20);
        const auto a = dense_poles<double>(n);
        scan::plan p(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
        chunked<double> q({}, n, batch, time, length);
        const auto z = normal<double>(r, batch * time, n), slope = normal<double>(r, batch * time, n);
        const auto initial = normal<double>(r, batch, n), after = normal<double>(r, batch, n);
        const bool borders = pick(2) == 0;
        const auto in = borders ? matrix_view<const double>(initial) : matrix_view<const double>();
        const auto end = borders ? matrix_view<const double>(after) : matrix_view<const double>();
        matrix<double> s(batch * time, n), t = s, first(batch, n), second = first, da_first(n, n), da_second(n, n, 1.0);
        const auto out = [&](matrix<double>& m) { return borders ? m.view() : matrix_view<double>(); };
        p.states(a, z, s, in, out(first));
        q.states(a, z, t.view(), in, out(second));
        CAPTURE(round);
        CAPTURE(n);
        CAPTURE(time);
        CAPTURE(length);
        CHECK(relative_error(t, s) <= states_bar<double>);
        CHECK(relative_error(second, first) <= states_bar<double>);
        auto l = slope, m = slope;
        p.states_backward(a, s, in, l, da_first.flat(), out(first), end);
        q.states_backward(a, s, in, m.view(), da_second.flat(), out(second), end);
        for (auto& x : da_second.flat()) x -= 1;  // += : it started from one
        CHECK(relative_error(m, l) <= states_bar<double>);
        CHECK(relative_error(second, first) <= states_bar<double>);
        CHECK(relative_error(da_second, da_first) <= 1e-11);  // sums of up to 900 products of numbers up to 1e3
    }
}

TEST_CASE("a dense A: fewer steps than planned, none at all, and the largest order") {
    const auto a = dense_poles<float>(7);
    chunked<float> p({}, 7, 2, 500, 0);
    random_stream r(5);
    const auto z = normal<float>(r, 2 * 70, 7), initial = normal<float>(r, 2, 7);
    matrix<float> s(2 * 70, 7), final(2, 7);
    p.states(a, z, s.view(), initial, final);
    CHECK(relative_error(s, reference_states(a, z, initial, 2)) <= states_bar<float>);
    p.states(a, {}, {}, initial, final);
    CHECK(relative_error(final, initial) == 0);
    CHECK_THROWS_WITH_AS(chunked<float>({}, 2049, 1, 1, 0), "hrm::scan: a dense A of order 2049 on a GPU, expected at most 2048", shape_error);
}

TEST_CASE("a dense A: a new one is noticed, and what a graph may bring back is not relied on") {
    bool recording = false;
    const auto a = dense_poles<double>(4), b = a, c = [&] {
        auto x = a;
        for (auto& v : x.a.flat()) v *= 0.5;
        return x;
    }();
    int launches = 0;
    scan::detail::chunked_dense<double, counting> p({{&recording}, &launches}, 4, 1, 100, 10);
    random_stream r(6);
    const auto z = normal<double>(r, 100, 4);
    matrix<double> s(100, 4);
    const auto run = [&](const dense<double>& x) {
        launches = 0;
        p.states(x, z, s.view(), {}, {});
        CHECK(relative_error(s, reference_states(x, z, matrix<double>(), 1)) <= states_bar<double>);
        return launches;
    };
    const int made = run(a);
    CHECK(made > 0);
    CHECK(run(b) == 0);  // the same numbers
    CHECK(run(c) == made);
    recording = true;
    CHECK(run(c) == made);
    recording = false;
    CHECK(run(c) == made);
}

TEST_CASE("a dense A of order 0: nothing is launched") {
    int launches = 0;
    scan::detail::chunked_dense<float, counting> p({{}, &launches}, 0, 2, 40, 0);
    matrix<float> s(2 * 40, 0), border(2, 0);
    p.states(dense_poles<float>(0), s, s.view(), border, border.view());
    p.states_backward(dense_poles<float>(0), s, border, s.view(), {}, border, border);
    CHECK(p.most_parts() == 256);
    CHECK(launches == 0);
}

TEST_CASE("a dense A: every state of every token has its thread, and blocks their shared memory") {
    for (index_t order = 0; order <= scan::detail::dense_tile::most_order; ++order) {
        const scan::detail::dense_tile tile{order};
        CHECK(tile.bytes() <= hrm::detail::shared_limit);
        CHECK(tile.steps() >= 1);
        CHECK(tile.chunks() >= 1);
        CHECK(tile.blocks(tile.chunks()) == 1);
        CHECK(tile.blocks(tile.chunks() + 1) == 2);
    }
}

TEST_CASE("a dense A: in bf16 only what is stored is rounded") {
    const auto a = dense_poles<float>(9);
    const index_t n = a.order();
    const auto [z, slope] = cuda_test::bf16_inputs(600, n);
    chunked<float> p({}, a.order(), 2, 300, 0);
    scan::plan q(cpu{}, scan::sequential{}, a, {.batch = 2, .time = 300});
    auto s = z, l = slope;
    p.states(a, s.view(), s.view(), {}, {});
    CHECK(relative_error(s, reference_states(a, cuda_test::in_float(z), matrix<float>(), 2)) <= cuda_test::bf16_rounding + states_bar<float>);
    auto lambda = cuda_test::in_float(slope);
    matrix<float> da(1, scan::coefficients(a)), want = da;
    q.states_backward(a, cuda_test::in_float(s), {}, lambda, want.flat());
    p.states_backward(a, s.view(), {}, l.view(), da.flat(), {}, {});
    CHECK(relative_error(l, lambda) <= cuda_test::bf16_rounding + states_bar<float>);
    CHECK(relative_error(da, want) <= cuda_test::bf16_rounding);  // the lambda it sums have been stored
}
