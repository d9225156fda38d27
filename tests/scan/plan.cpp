#include <hrm/scan/plan.hpp>

#include <tuple>
#include <type_traits>

#include <doctest/doctest.h>

#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

const index_t lengths[] = {1, 2, 3, 17, 128, 1000, 4096, 65536};

/// Norm-wise error of the states of each algorithm against the definition in double, with initial state and batch.
template <class A, class... Algorithms>
void check_states(const A& a, index_t batch, Algorithms... algorithms) {
    using S = typename A::scalar;
    for (const index_t time : lengths) {
        random_stream r(static_cast<std::uint64_t>(time));
        const auto z = normal<S>(r, batch * time, a.order());
        auto initial = normal<S>(r, batch, a.order());
        for (auto& x : initial.flat()) x *= 10;
        const auto want = reference_states(a, z, initial, batch);
        auto check = [&](auto how) {
            scan::plan p(cpu{}, how, a, {.batch = batch, .time = time});
            auto s = z;
            matrix<S> final(batch, a.order());
            p.states(a, s, s, initial, final);  // in place
            CAPTURE(p.algorithm());
            CAPTURE(time);
            CAPTURE(batch);
            CAPTURE(a.order());
            CHECK(relative_error(s, want) <= states_bar<S>);
            bool last = true;
            for (index_t b = 0; b < batch; ++b)
                for (index_t i = 0; i < a.order(); ++i) last &= final(b, i) == s(b * time + time - 1, i);
            CHECK(last);
        };
        (check(algorithms), ...);
    }
}

/// <states(z, s0), w> + <final, wf> = <z, lambda> + <s0, ds0>, and the same columns of a wider matrix on every side.
template <class Algorithm, class A>
void check_adjoint(Algorithm how, const A& a, index_t batch, index_t time) {
    using S = typename A::scalar;
    const index_t n = a.order();
    random_stream r(static_cast<std::uint64_t>(time + n));
    auto z = normal<S>(r, batch * time, n + 5), s = normal<S>(r, batch * time, n + 3), w = normal<S>(r, batch * time, n + 2);
    const auto initial = normal<S>(r, batch, n), wf = normal<S>(r, batch, n);
    const auto before = w;
    matrix<S> final(batch, n), dinitial(batch, n);
    buffer<S> da(static_cast<std::size_t>(scan::coefficients(a)));
    scan::plan p(cpu{}, how, a, {.batch = batch, .time = time});
    auto inner = [](auto m, index_t first, index_t cols) { return m.slice_cols(first, cols); };
    p.states(a, inner(z.view(), 4, n), inner(s.view(), 1, n), initial, final);
    p.states_backward(a, inner(s.view(), 1, n), initial, inner(w.view(), 2, n), da, dinitial, wf);
    double left = 0, right = 0, size_s = 0, size_w = 0;
    for (index_t t = 0; t < batch * time; ++t)
        for (index_t i = 0; i < n; ++i) {
            const double x = s(t, i + 1), y = before(t, i + 2);
            left += x * y;
            right += static_cast<double>(z(t, i + 4)) * static_cast<double>(w(t, i + 2));
            size_s += x * x, size_w += y * y;
        }
    for (index_t i = 0; i < batch * n; ++i) {
        left += static_cast<double>(final.data()[i]) * static_cast<double>(wf.data()[i]);
        right += static_cast<double>(initial.data()[i]) * static_cast<double>(dinitial.data()[i]);
    }
    CAPTURE(p.algorithm());
    CAPTURE(time);
    CHECK(std::abs(left - right) <= states_bar<S> * std::sqrt(size_s * size_w));
    bool untouched = true;  // the columns beside the view
    for (index_t t = 0; t < batch * time; ++t) untouched &= w(t, 0) == before(t, 0) && w(t, 1) == before(t, 1);
    CHECK(untouched);
}

/// dL/dA, dL/dz, dL/ds0 of L = <s, w> + <final, wf> by central differences. Poles inside 0.9: the curvature of L is
/// about 1/(1-0.9)^2, so that a step of 1e-5 leaves 1e-8.
template <class Algorithm, class A>
void check_gradient(Algorithm how, A a) {
    const index_t n = a.order(), batch = 2, time = 90;
    for (auto* x : coefficient_places(a)) *x *= 0.9;
    random_stream r(5);
    auto z = normal<double>(r, batch * time, n), initial = normal<double>(r, batch, n);
    const auto w = normal<double>(r, batch * time, n), wf = normal<double>(r, batch, n);
    scan::plan p(cpu{}, how, a, {.batch = batch, .time = time});
    matrix<double> s(batch * time, n), final(batch, n), dinitial(batch, n);
    auto loss = [&] {
        p.states(a, z, s, initial, final);
        double sum = 0;
        for (index_t i = 0; i < s.size(); ++i) sum += s.data()[i] * w.data()[i];
        for (index_t i = 0; i < final.size(); ++i) sum += final.data()[i] * wf.data()[i];
        return sum;
    };
    loss();
    auto lambda = w;
    buffer<double> da(static_cast<std::size_t>(scan::coefficients(a)), 1.0);  // += : starts from one
    p.states_backward(a, s, initial, lambda, da, dinitial, wf);
    for (auto& x : da) x -= 1.0;
    CAPTURE(p.algorithm());
    CAPTURE(n);
    CHECK(difference_error(coefficient_places(a), da, loss) <= 1e-6);
    CHECK(difference_error(places(z.flat()), lambda.flat(), loss) <= 1e-6);
    CHECK(difference_error(places(initial.flat()), dinitial.flat(), loss) <= 1e-6);
}

/// States and gradients with 1 and with 3 threads: the same bits.
template <class Algorithm, class A>
void check_threads(Algorithm how, const A& a, index_t batch, index_t time) {
    using S = typename A::scalar;
    const index_t n = a.order();
    random_stream r(9);
    const auto z = normal<S>(r, batch * time, n), initial = normal<S>(r, batch, n), w = normal<S>(r, batch * time, n);
    auto outcome = [&](int threads) {
        scan::plan p(cpu{.threads = threads}, how, a, {.batch = batch, .time = time});
        matrix<S> s(batch * time, n), lambda = w, ends(2 * batch, n);
        buffer<S> da(static_cast<std::size_t>(scan::coefficients(a)));
        p.states(a, z, s, initial, ends.view().slice_rows(0, batch));
        p.states_backward(a, s, initial, lambda, da, ends.view().slice_rows(batch, batch));
        return std::tuple(std::move(s), std::move(lambda), std::move(ends), std::move(da));
    };
    CHECK(outcome(1) == outcome(3));
}

/// In two pieces with the state carried over: the same states as in one.
template <class Algorithm, class A>
void check_pieces(Algorithm how, const A& a, double bar) {
    using S = typename A::scalar;
    const index_t n = a.order(), time = 700, cut = 233;
    random_stream r(11);
    const auto z = normal<S>(r, time, n);
    matrix<S> whole(time, n), pieces(time, n), carried(1, n);
    scan::plan p(cpu{}, how, a, {.batch = 1, .time = time});
    p.states(a, z, whole);
    p.states(a, z.view().slice_rows(0, cut), pieces.view().slice_rows(0, cut), {}, carried);
    p.states(a, z.view().slice_rows(cut, time - cut), pieces.view().slice_rows(cut, time - cut), carried, {});
    CAPTURE(p.algorithm());
    CHECK(relative_error(pieces, whole) <= bar);
}

template <class F>
void each_algorithm(F&& f) {
    f(scan::sequential{});
    f(scan::fft{});
    f(scan::chunked{.length = 40});
}
template <real S, class F>
void each_structure(F&& f) {
    f(real_poles<S>(13));
    f(pair_poles<S>(3, 5));
    f(dense_poles<S>(7));
}

}  // namespace

TEST_CASE_TEMPLATE("every scan against the definition in double", S, float, double) {
    for (const index_t batch : {1, 3})
        each_structure<S>([&](const auto& a) {
            check_states(a, batch, scan::sequential{}, scan::fft{}, scan::chunked{}, scan::chunked{.length = 30},
                         scan::automatic{});
        });
}

TEST_CASE("a wide state: every width of register, several blocks of states, a dense A beyond one cache line") {
    check_states(real_poles<float>(271), 1, scan::sequential{});
    check_states(pair_poles<float>(17, 127), 1, scan::chunked{});
    check_states(dense_poles<float>(33), 1, scan::sequential{});
}

TEST_CASE_TEMPLATE("poles that forget at once, never forget, or grow", S, float, double) {
    const auto each = [](const auto& a) { check_states(a, 1, scan::sequential{}, scan::fft{}, scan::chunked{}); };
    each(diagonal<S>{{0, 1, -1}});
    each(diagonal<S>{{S(1.0001), S(-1.0001)}});
    each(complex_pairs<S>{{0}, {0, 0, S(0.6)}, {1, -1, S(0.8)}});
}

TEST_CASE_TEMPLATE("the adjoint of every scan", S, float, double) {
    each_algorithm([](auto how) {
        each_structure<S>([&](const auto& a) {
            for (const index_t time : {1, 2, 39, 40, 41, 1000}) check_adjoint(how, a, 2, time);
            check_adjoint(how, a, 1, 2500);
        });
    });
}

TEST_CASE("gradients of every scan against central differences") {
    each_algorithm([](auto how) { each_structure<double>([&](const auto& a) { check_gradient(how, a); }); });
}

TEST_CASE_TEMPLATE("the number of threads changes no bit", S, float, double) {
    each_algorithm([](auto how) {
        each_structure<S>([&](const auto& a) { check_threads(how, a, 3, 1500); });
        check_threads(how, real_poles<S>(300), 1, 3000);
    });
}

TEST_CASE("two pieces with a carried state are the whole") {
    each_structure<double>([](const auto& a) {
        check_pieces(scan::sequential{}, a, 0);
        check_pieces(scan::fft{}, a, 1e-13);
        check_pieces(scan::chunked{}, a, 1e-13);
    });
    each_structure<float>([](const auto& a) { check_pieces(scan::sequential{}, a, 0); });
}

TEST_CASE("a plan takes new coefficients at every call, and fewer steps than planned") {
    each_algorithm([](auto how) {
        const auto first = real_poles<double>(5), second = diagonal<double>{{0.5, -0.25, 0.9, 0.1, -0.99}};
        scan::plan p(cpu{}, how, first, {.batch = 2, .time = 100});
        random_stream r(3);
        for (const auto* a : {&first, &second, &first}) {
            for (const index_t time : {100, 61, 1, 0}) {
                const auto z = normal<double>(r, 2 * time, 5), initial = normal<double>(r, 2, 5);
                matrix<double> s(2 * time, 5), final(2, 5);
                p.states(*a, z, s, initial, final);
                CHECK(relative_error(s, reference_states(*a, z, initial, 2)) <= 1e-12);
                if (time == 0) CHECK(final == initial);
            }
        }
    });
}

TEST_CASE("a float plan's dA keeps float's precision over a long sequence") {
    const index_t time = 65536;
    // Fast poles, so that lambda is exact to 1e-7. Sums of 65536 terms in float alone would be off by about 1e-5.
    const auto a = diagonal<float>{{0.5f, -0.25f, 0.75f, 0.125f, -0.5f, 0.0f}};
    diagonal<double> wide{buffer<double>(a.poles.begin(), a.poles.end())};
    random_stream r(17);
    const auto s = normal<float>(r, time, 6);
    auto ds = normal<float>(r, time, 6);
    matrix<double> s2(time, 6), ds2(time, 6);
    std::copy_n(s.data(), s.size(), s2.data());
    std::copy_n(ds.data(), ds.size(), ds2.data());
    buffer<float> da(6);
    buffer<double> want(6);
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
    scan::plan q(cpu{}, scan::sequential{}, wide, {.batch = 1, .time = time});
    p.states_backward(a, s, {}, ds, da);
    q.states_backward(wide, s2, {}, ds2, want);
    double off = 0, size = 0;
    for (std::size_t i = 0; i < 6; ++i) off += std::pow(da[i] - want[i], 2), size += want[i] * want[i];
    CHECK(std::sqrt(off / size) <= 1e-6);
}

TEST_CASE("dA is summed to 1e-8 and then rounded once") {
    const index_t time = 131072;
    const diagonal<float> a{{0.0f, 0.0f, 0.0f}};  // lambda = ds: the sum alone
    random_stream r(18);
    auto s = normal<float>(r, time, 3), ds = normal<float>(r, time, 3);
    for (auto* m : {&s, &ds})
        for (auto& x : m->flat()) x = 1 + 0.5f * x;
    double want[3] = {};
    for (index_t t = 1; t < time; ++t)
        for (index_t i = 0; i < 3; ++i) want[i] += static_cast<double>(ds(t, i)) * static_cast<double>(s(t - 1, i));
    each_algorithm([&](auto how) {
        scan::plan p(cpu{}, how, a, {.batch = 1, .time = time});
        buffer<float> da(3);
        auto lambda = ds;
        p.states_backward(a, s, {}, lambda, da);
        for (std::size_t i = 0; i < 3; ++i) {
            CAPTURE(p.algorithm());
            const double rounding = p.algorithm() == "fft" ? 1e-7 : 0;  // lambda itself, by transforms
            CHECK(std::abs(static_cast<double>(da[i]) - want[i]) <= (1e-8 + std::ldexp(1.0, -24) + rounding) * want[i]);
        }
    });
}

TEST_CASE("automatic is resolved by the shape and says how") {
    const auto few = real_poles<float>(32);
    using scan::plan;
    CHECK(plan(cpu{}, scan::automatic{}, few, {.batch = 1, .time = 4096}).algorithm() == "sequential");
    CHECK(plan(cpu{}, scan::automatic{}, few, {.batch = 1, .time = scan::chunked_from}).algorithm() == "chunked");
    CHECK(plan(cpu{.threads = 2}, scan::automatic{}, few, {.batch = 8, .time = 65536}).algorithm() == "chunked");
    CHECK(plan(cpu{.threads = 2}, scan::automatic{}, real_poles<double>(32), {.batch = 8, .time = 65536}).algorithm() == "sequential");
    CHECK(plan(cpu{}, scan::automatic{}, dense_poles<float>(4), {.batch = 8, .time = 65536}).algorithm() == "sequential");
    CHECK(plan(cpu{}, scan::automatic{}, dense_poles<float>(4), {.batch = 1, .time = 65536}).algorithm() == "sequential");
    CHECK(plan(cpu{.threads = 2}, scan::automatic{}, real_poles<double>(4), {.batch = 1, .time = 65536}).algorithm() == "sequential");
    CHECK(plan(cpu{}, scan::fft{}, few, {.batch = 1, .time = 9}).algorithm() == "fft");
    CHECK(plan(cpu{}, scan::automatic{}, few, {.batch = 1, .time = 4096}).reason() == "4096 steps are below scan::chunked_from = 8192");
    CHECK(plan(cpu{}, scan::automatic{}, few, {.batch = 1, .time = 9000}).reason() ==
          "9000 steps are not below scan::chunked_from = 8192: float states would lose more than 1e-6");
    CHECK(plan(cpu{}, scan::automatic{}, dense_poles<float>(4), {.batch = 1, .time = 9000}).reason() ==
          "the fastest on a thread, and precise enough at every length");
    CHECK(plan(cpu{}, scan::fft{}, few, {.batch = 1, .time = 9}).reason() == "asked for");
}

TEST_CASE("a plan moves and does not copy") {
    using plan = scan::plan<cpu, scan::fft, diagonal<float>>;
    static_assert(std::is_nothrow_move_constructible_v<plan> || std::is_move_constructible_v<plan>);
    static_assert(!std::is_copy_constructible_v<plan>);
    const auto a = real_poles<float>(3);
    plan first(cpu{.threads = 2}, {}, a, {.batch = 1, .time = 8});
    plan second = std::move(first);
    matrix<float> z(8, 3, 1.0f);
    second.states(a, z, z);
    CHECK(z(0, 0) == doctest::Approx(1));
}

TEST_CASE("the second call of a plan allocates nothing, with any number of threads") {
    if (!hrm_test::allocations_are_counted()) return;
    each_algorithm([](auto how) {
        each_structure<float>([&](const auto& a) {
            for (const int threads : {1, 2}) {
                const index_t n = a.order();
                scan::plan p(cpu{.threads = threads}, how, a, {.batch = 2, .time = 300});
                matrix<float> z(600, n, 1.0f), s(600, n), edge(2, n);
                buffer<float> da(static_cast<std::size_t>(scan::coefficients(a)));
                auto once = [&] {
                    p.states(a, z, s, edge, edge);
                    p.states_backward(a, s, edge, z, da, edge, edge);
                };
                once();
                const auto before = hrm_test::allocations();
                once();
                CHECK(hrm_test::allocations() == before);
            }
        });
    });
}

TEST_CASE("wrong shapes are refused with both numbers") {
    const auto a = real_poles<double>(4);
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = 2, .time = 8});
    matrix<double> z(16, 4), narrow(16, 3), odd(15, 4), far(18, 4), edge(1, 4);
    buffer<double> da(4), da5(5);
    CHECK_THROWS_WITH_AS(p.states(a, narrow, z),
                         "hrm::scan::plan::states: states are 16x3, expected at most 16x4, rows a multiple of 2", shape_error);
    CHECK_THROWS_WITH_AS(p.states(a, odd, odd),
                         "hrm::scan::plan::states: states are 15x4, expected at most 16x4, rows a multiple of 2", shape_error);
    CHECK_THROWS_AS(p.states(a, far, far), shape_error);
    CHECK_THROWS_WITH_AS(p.states(a, z, narrow), "hrm::scan::plan::states: s is 16x3, expected 16x4", shape_error);
    CHECK_THROWS_WITH_AS(p.states(a, z, z, edge), "hrm::scan::plan::states: the initial state is 1x4, expected 2x4",
                         shape_error);
    CHECK_THROWS_WITH_AS(p.states(real_poles<double>(3), z, z), "hrm::scan::plan::states: the order of A is 3, expected 4",
                         shape_error);
    CHECK_THROWS_WITH_AS(p.states_backward(a, z, {}, z, da5),
                         "hrm::scan::plan::states_backward: da is 5, expected 4", shape_error);
    CHECK_THROWS_AS(scan::plan(cpu{}, scan::sequential{}, a, {.batch = 0, .time = 8}), shape_error);
    CHECK_THROWS_WITH_AS(scan::plan(cpu{}, scan::sequential{}, a, {.batch = index_t{1} << 40, .time = index_t{1} << 40}),
                         "hrm::scan::plan: batch 1099511627776 times time 1099511627776 cannot be counted", shape_error);
    // The same order, cut otherwise into real poles and pairs.
    scan::plan pairs(cpu{}, scan::sequential{}, pair_poles<double>(1, 2), {.batch = 1, .time = 8});
    matrix<double> five(8, 5);
    CHECK_THROWS_WITH_AS(pairs.states(pair_poles<double>(3, 1), five, five),
                         "hrm::scan::plan::states: the number of A's pairs is 1, expected 2", shape_error);
    CHECK_THROWS_AS(scan::plan(cpu{}, scan::chunked{.length = -1}, a, {.batch = 1, .time = 8}), shape_error);
}
