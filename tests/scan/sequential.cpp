#include <hrm/scan/sequential.hpp>

#include <numbers>

#include <doctest/doctest.h>

#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

/// The free functions give the bits of a sequential plan, forward and backward, at every length, and in pieces.
template <class A, class View>
void check_against_plan(const A& a, const View& coefficients, index_t time) {
    using S = typename A::scalar;
    const index_t n = a.order();
    random_stream r(static_cast<std::uint64_t>(time));
    const auto z = normal<S>(r, time, n), initial = normal<S>(r, 1, n), w = normal<S>(r, time, n), wf = normal<S>(r, 1, n);
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
    matrix<S> want(time, n), want_lambda = w, want_edge(1, n), s = z, lambda = w, edge(1, n);
    buffer<S> want_da(static_cast<std::size_t>(scan::coefficients(a))), da(want_da.size());
    p.states(a, z, want, initial);
    p.states_backward(a, want, initial, want_lambda, want_da, want_edge, wf);

    CAPTURE(n);
    CAPTURE(time);
    matrix<S> state = initial;
    const index_t cut = time / 3;
    for (const auto& [first, count] : {std::pair{index_t{0}, cut}, std::pair{cut, time - cut}})
        scan::sequential_states<S>(coefficients, s.view().slice_rows(first, count), s.view().slice_rows(first, count),
                                   state.flat());
    CHECK(s == want);
    if (time) CHECK(std::equal(state.data(), state.data() + n, s.view().row(time - 1)));

    workspace ws;
    scan::sequential_states_backward<S>(coefficients, s, initial.flat(), lambda, da, edge.flat(), wf.flat(), ws);
    CHECK(lambda == want_lambda);
    CHECK(edge == want_edge);
    CHECK(da == want_da);
}

}  // namespace

TEST_CASE_TEMPLATE("the recurrence without a plan", S, float, double) {
    for (const index_t time : {0, 1, 2, 5, 600}) {
        const auto real = real_poles<S>(11);
        check_against_plan(real, scan::modes<S>(real), time);
        const auto pairs = pair_poles<S>(2, 7);
        check_against_plan(pairs, scan::modes<S>(pairs), time);
        const auto full = dense_poles<S>(9);
        check_against_plan(full, full.a.view(), time);
    }
    const auto wide = dense_poles<S>(70);  // beyond what is turned on the stack
    check_against_plan(wide, wide.a.view(), 9);
}

TEST_CASE("a slow pair a quarter or a third of a turn from 1 keeps float's precision, without fused products too") {
    // The state comes back every few steps, and with it the rounding of a product that is rounded on its own: 1e-4.
    // What is left is a random walk of about three roundings a step: sqrt(3 * 65536 / 12) units of 6e-8, below 1e-5.
    const index_t time = 65536;
    for (const double phase : {0.5, -0.5, 2.0 / 3}) {
        const double modulus = 1 - 1e-6, angle = phase * std::numbers::pi;
        const complex_pairs<float> a{{}, {static_cast<float>(modulus * std::cos(angle))}, {static_cast<float>(modulus * std::sin(angle))}};
        random_stream r(2);
        const auto z = normal<float>(r, time, 2);
        matrix<float> s(time, 2);
        buffer<float> state(2);
        scan::sequential_states(a, z.view(), s.view(), std::span<float>(state));
        CAPTURE(phase);
        CHECK(relative_error(s, reference_states(a, z, matrix<float>{}, 1)) <= states_bar<float>);
    }
}

TEST_CASE("wrong shapes are refused with both numbers") {
    const auto a = real_poles<double>(3);
    matrix<double> z(4, 3), s(5, 3);
    buffer<double> state(2), da(3);
    CHECK_THROWS_WITH_AS(scan::sequential_states(a, std::as_const(z).view(), s.view(), std::span<double>(state)),
                         "hrm::scan::sequential_states: s is 5x3, expected 4x3", shape_error);
    CHECK_THROWS_WITH_AS(scan::sequential_states(a, std::as_const(z).view(), z.view(), std::span<double>(state)),
                         "hrm::scan::sequential_states: the state is 2, expected 3", shape_error);
    workspace ws;
    CHECK_THROWS_WITH_AS(
        scan::sequential_states_backward<double>(scan::modes<double>(a), z, {}, z, da, state, {}, ws),
        "hrm::scan::sequential_states_backward: dinitial is 2, expected 3", shape_error);
}
