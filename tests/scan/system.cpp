#include <hrm/scan/system.hpp>

#include <doctest/doctest.h>

#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <class A>
discrete<A> with_ports(A a, index_t inputs, index_t outputs, bool feedthrough) {
    using S = typename A::scalar;
    random_stream r(21);
    const index_t n = a.order();
    return {std::move(a), normal<S>(r, n, inputs), normal<S>(r, outputs, n),
            feedthrough ? normal<S>(r, outputs, inputs) : matrix<S>{}};
}

/// y in double from the definition.
template <class A>
matrix<double> reference_output(const discrete<A>& system, const matrix<typename A::scalar>& u,
                                const matrix<typename A::scalar>& initial, index_t batch) {
    const index_t n = system.order();
    matrix<double> z(u.rows(), n), y(u.rows(), system.outputs());
    discrete<dense<double>> wide;
    wide.a.a = matrix<double>(n, n);
    const auto m = to_dense(system.a);
    for (index_t i = 0; i < n * n; ++i) wide.a.a.data()[i] = static_cast<double>(m.data()[i]);
    matrix<double> start(initial.rows(), initial.cols());
    for (index_t i = 0; i < start.size(); ++i) start.data()[i] = static_cast<double>(initial.data()[i]);
    auto add = [](const auto& from, index_t t, const auto& weights, matrix<double>& to) {
        for (index_t i = 0; i < weights.rows(); ++i)
            for (index_t j = 0; j < weights.cols(); ++j)
                to(t, i) += static_cast<double>(weights(i, j)) * static_cast<double>(from(t, j));
    };
    for (index_t t = 0; t < u.rows(); ++t) add(u, t, system.b, z);
    const auto s = reference_states(wide.a, z, start, batch);
    for (index_t t = 0; t < u.rows(); ++t) {
        add(s, t, system.c, y);
        if (!system.d.empty()) add(u, t, system.d, y);
    }
    return y;
}

template <class Algorithm, class A>
void check_output(Algorithm how, const discrete<A>& system, index_t batch, index_t time) {
    using S = typename A::scalar;
    random_stream r(static_cast<std::uint64_t>(time));
    const auto u = normal<S>(r, batch * time, system.inputs()), initial = normal<S>(r, batch, system.order());
    matrix<S> y(batch * time, system.outputs());
    scan::plan p(cpu{}, how, system, {.batch = batch, .time = time});
    p.forward(system, u, y, {.initial = initial});
    CAPTURE(p.algorithm());
    CAPTURE(time);
    CHECK(relative_error(y, reference_output(system, u, initial, batch)) <= states_bar<S>);
}

double inner(const matrix<double>& x, const matrix<double>& y) {
    double sum = 0;
    for (index_t i = 0; i < x.size(); ++i) sum += x.data()[i] * y.data()[i];
    return sum;
}

/// L = <y, w> + <final, wf>: its gradients by central differences, and since y is linear in (u, s0), the adjoint identity
/// L = <u, du> + <s0, ds0> to 1e-12 of the norms.
template <class Algorithm, class A>
void check_backward(Algorithm how, discrete<A> system) {
    const index_t batch = 2, time = 70, n = system.order();
    for (auto* x : coefficient_places(system.a)) *x *= 0.9;
    random_stream r(8);
    auto u = normal<double>(r, batch * time, system.inputs()), initial = normal<double>(r, batch, n);
    const auto w = normal<double>(r, batch * time, system.outputs()), wf = normal<double>(r, batch, n);
    scan::plan p(cpu{}, how, system, {.batch = batch, .time = time});
    matrix<double> y(batch * time, system.outputs()), final(batch, n), du(batch * time, system.inputs()), ds0(batch, n);
    auto loss = [&] {
        p.forward(system, u, y, {.initial = initial, .final = final});
        return inner(y, w) + inner(final, wf);
    };
    scan::system_gradient<A> gradient(system);
    p.backward(system, u, w, du, gradient, {.initial = initial, .dinitial = ds0, .dfinal = wf});
    CAPTURE(p.algorithm());
    const double left = loss(), right = inner(u, du) + inner(initial, ds0);
    CHECK(std::abs(left - right) <= 1e-12 * std::sqrt((inner(y, y) + inner(final, final)) * (inner(w, w) + inner(wf, wf))));

    CHECK(difference_error(coefficient_places(system.a), gradient.a, loss) <= 1e-6);
    CHECK(difference_error(places(system.b.flat()), gradient.b.flat(), loss) <= 1e-6);
    CHECK(difference_error(places(system.c.flat()), gradient.c.flat(), loss) <= 1e-6);
    if (!system.d.empty()) CHECK(difference_error(places(system.d.flat()), gradient.d.flat(), loss) <= 1e-6);
    CHECK(difference_error(places(u.flat()), du.flat(), loss) <= 1e-6);
    CHECK(difference_error(places(initial.flat()), ds0.flat(), loss) <= 1e-6);
}

}  // namespace

TEST_CASE_TEMPLATE("systems against the definition in double", S, float, double) {
    for (const index_t time : {1, 2, 3, 17, 128, 1000, 4096, 65536})
        for (const index_t batch : {1, 3}) {
            if (time > 5000 && batch > 1) continue;
            const auto real = with_ports(real_poles<S>(6), 4, 3, true);
            check_output(scan::sequential{}, real, batch, time);
            check_output(scan::fft{}, real, batch, time);
            check_output(scan::chunked{}, real, batch, time);
            check_output(scan::automatic{}, with_ports(pair_poles<S>(2, 3), 3, 5, false), batch, time);
            check_output(scan::sequential{}, with_ports(dense_poles<S>(5), 2, 2, true), batch, time);
        }
}

TEST_CASE("system gradients against central differences, and the adjoint identity") {
    check_backward(scan::sequential{}, with_ports(real_poles<double>(5), 4, 3, true));
    check_backward(scan::fft{}, with_ports(pair_poles<double>(1, 2), 3, 4, false));
    check_backward(scan::chunked{.length = 16}, with_ports(dense_poles<double>(4), 2, 3, true));
}

TEST_CASE("gradients add up, du may be left out, and threads change no bit") {
    const auto system = with_ports(pair_poles<float>(3, 4), 300, 520, true);
    random_stream r(4);
    const auto u = normal<float>(r, 2 * 700, 300), dy = normal<float>(r, 2 * 700, 520);
    auto outcome = [&](int threads, bool twice) {
        scan::plan p(cpu{.threads = threads}, scan::sequential{}, system, {.batch = 2, .time = 700});
        scan::system_gradient<complex_pairs<float>> g(system);
        p.backward(system, u, dy, {}, g);
        if (twice) p.backward(system, u, dy, {}, g);
        return g;
    };
    const auto one = outcome(1, false), three = outcome(3, false), doubled = outcome(1, true);
    CHECK(one.a == three.a);
    CHECK(one.b == three.b);
    CHECK(one.c == three.c);
    CHECK(one.d == three.d);
    CHECK(doubled.a[2] == doctest::Approx(2 * one.a[2]));
    CHECK(doubled.d(5, 5) == doctest::Approx(2 * one.d(5, 5)));
}

TEST_CASE("the second forward and backward of a plan allocate nothing") {
    if (!hrm_test::allocations_are_counted()) return;
    const auto system = with_ports(pair_poles<float>(3, 4), 300, 520, true);
    scan::plan p(cpu{.threads = 2}, scan::sequential{}, system, {.batch = 2, .time = 700});
    scan::system_gradient<complex_pairs<float>> g(system);
    matrix<float> u(1400, 300, 1.0f), y(1400, 520), du(1400, 300);
    auto once = [&] {
        p.forward(system, u, y);
        p.backward(system, u, y, du, g);
    };
    once();
    const auto before = hrm_test::allocations();
    once();
    CHECK(hrm_test::allocations() == before);
}

TEST_CASE("wrong shapes are refused with both numbers") {
    const auto system = with_ports(real_poles<double>(4), 3, 2, false);
    scan::plan p(cpu{}, scan::sequential{}, system, {.batch = 1, .time = 8});
    matrix<double> u(8, 3), y(8, 2), wide(8, 4);
    CHECK_THROWS_WITH_AS(p.forward(system, wide, y),
                         "hrm::scan::plan::forward: u is 8x4, expected at most 8x3, rows a multiple of 1", shape_error);
    CHECK_THROWS_WITH_AS(p.forward(system, u, wide), "hrm::scan::plan::forward: y is 8x4, expected 8x2", shape_error);
    scan::system_gradient g(with_ports(real_poles<double>(4), 2, 2, false));
    CHECK_THROWS_WITH_AS(p.backward(system, u, y, u, g),
                         "hrm::scan::plan::backward: the gradient of B is 4x2, expected 4x3", shape_error);
}
