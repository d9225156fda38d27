#include <hrm/scan/system.hpp>

#include <tuple>

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

namespace {

template <class F>
void each_algorithm_and_structure(F&& f) {
    const auto each = [&](const auto& a) { f(scan::sequential{}, a), f(scan::chunked{.length = 64}, a), f(scan::fft{}, a), f(scan::automatic{}, a); };
    each(pair_poles<float>(3, 4));
    each(dense_poles<float>(9));
}

}  // namespace

TEST_CASE("a system goes through its states in pieces, with the bits of the whole") {
    each_algorithm_and_structure([](auto how, const auto& a) {
        const index_t n = a.order();
        matrix<float> one(n, n);  // B = C = 1: u are the inputs of the scan, y its states
        for (index_t i = 0; i < n; ++i) one(i, i) = 1;
        const discrete<std::remove_cvref_t<decltype(a)>> system{a, one, one, {}};
        for (const auto& extents : {scan::shape{1, 3000}, scan::shape{11, 300}, scan::shape{3, 1}, scan::shape{2, 0}}) {
            const index_t batch = extents.batch, time = extents.time;
            random_stream r(31);
            const auto u = normal<float>(r, batch * time, n), initial = normal<float>(r, batch, n);
            matrix<float> y(batch * time, n), s(batch * time, n), ends(batch, n), final(batch, n);
            scan::plan p(cpu{.threads = 2}, how, system, {.batch = batch, .time = time});
            scan::plan whole(cpu{}, how, a, {.batch = batch, .time = time});
            p.forward(system, u, y, {.initial = initial, .final = ends});
            whole.states(a, u, s, initial, final);
            CAPTURE(p.algorithm());
            CAPTURE(time);
            CHECK(y == s);
            CHECK(ends == final);
        }
    });
}

TEST_CASE("a backward has the same bits from states that were kept and from states computed again") {
    each_algorithm_and_structure([](auto how, const auto& a) {
        const auto system = with_ports(a, 5, 4, true);
        for (const auto& extents : {scan::shape{1, 2500}, scan::shape{9, 250}, scan::shape{3, 1}, scan::shape{2, 0}}) {
            const index_t batch = extents.batch, time = extents.time;
            random_stream r(32);
            const index_t n = a.order();
            const auto u = normal<float>(r, batch * time, 5), dy = normal<float>(r, batch * time, 4), initial = normal<float>(r, batch, n),
                       dfinal = normal<float>(r, batch, n);
            const auto outcome = [&](scan::keep kept, int threads) {
                scan::plan p(cpu{.threads = threads}, how, system, {.batch = batch, .time = time}, kept);
                scan::system_gradient g(system);
                matrix<float> y(batch * time, 4), du(batch * time, 5), ds0(batch, n);
                p.forward(system, u, y, {.initial = initial});
                p.backward(system, u, dy, du, g, {.initial = initial, .dinitial = ds0, .dfinal = dfinal});
                return std::tuple(std::move(g.a), std::move(g.b), std::move(g.c), std::move(g.d), std::move(du), std::move(ds0));
            };
            const auto again = outcome(scan::keep::nothing, 1);
            CAPTURE(time);
            CHECK(outcome(scan::keep::states, 1) == again);
            CHECK(outcome(scan::keep::states, 3) == again);
            CHECK(outcome(scan::keep::nothing, 3) == again);
        }
    });
}

TEST_CASE("a system's scratch stays below four chunks, the backward's too but for the borders of pieces or what is kept") {
    if (!hrm_test::allocations_are_counted()) return;
    const auto check = [](auto how, const auto& system, scan::shape extents, index_t chunk, index_t beside) {
        const index_t n = system.order(), rows = extents.batch * extents.time;
        matrix<float> u(rows, 2), y(rows, 3);
        scan::system_gradient g(system);
        for (const auto kept : {scan::keep::nothing, scan::keep::states})
            for (const int threads : {1, 2}) {
                long before = hrm_test::allocated_bytes();
                scan::plan p(cpu{.threads = threads}, how, system, extents, kept);
                p.forward(system, u, y);
                const bool all = kept == scan::keep::states;
                // Doubles of every sequence: its state, lambda, the border of a piece; and of every further piece.
                const index_t borders = (extents.time + 63) / 64;
                const index_t bound = 4 * (4 * chunk * n + beside + 16384) + 8 * 8 * extents.batch * n + (all ? 4 * rows * n : 0);
                CAPTURE(p.algorithm());
                CAPTURE(threads);
                CHECK(hrm_test::allocated_bytes() - before <= bound + (all ? 8 * borders * extents.batch * n : 0));
                p.backward(system, u, y, {}, g);
                CHECK(hrm_test::allocated_bytes() - before <= bound + 4 * 2 * chunk * n + 8 * borders * extents.batch * n);
            }
    };
    const auto poles = with_ports(real_poles<float>(1024), 2, 3, false);
    for (const auto& extents : {scan::shape{8, 600}, scan::shape{1, 3000}, scan::shape{100, 30}}) {
        check(scan::sequential{}, poles, extents, 256, 0);
        check(scan::chunked{}, poles, extents, 256, 0);
    }
    check(scan::fft{}, poles, {2, 1500}, 1024, 2 * 2 * 1025 * 1024);
    // Beside a dense A: A in order, in double up to 256 states, and its gradient's sum; chunks: A's power, and A remembered.
    const auto square = with_ports(dense_poles<float>(200), 2, 3, false);
    check(scan::sequential{}, square, {8, 600}, 256, 4 * 200 * 200);
    check(scan::chunked{}, square, {8, 600}, 256, 12 * 200 * 200);
}

TEST_CASE("what is kept must be of the forward before") {
    const auto system = with_ports(real_poles<double>(4), 3, 2, false);
    scan::plan p(cpu{}, scan::sequential{}, system, {.batch = 1, .time = 8}, scan::keep::states);
    matrix<double> u(8, 3), y(8, 2);
    scan::system_gradient g(system);
    CHECK_THROWS_WITH_AS(p.backward(system, u, y, {}, g),
                         "hrm::scan::plan::backward: the forward before, whose states are kept, had 0 rows, expected 8", shape_error);
    p.forward(system, u, y);
    p.backward(system, u, y, {}, g);
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
