// What every engine promises beyond its agreement with the definition: accuracy in the hard cases, what a burst may touch,
// the same bits however a sequence is cut or batched, growth, and memory that does not grow with time.

#include <algorithm>
#include <limits>

#include <sys/resource.h>

#include <doctest/doctest.h>

#include <hrm/scan/step.hpp>
#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

template <class F>
void each_algorithm(F&& f) {
    f(scan::sequential{});
    f(scan::chunked{});
    f(scan::fft{});
}

/// Half a unit in the last place.
template <real S>
constexpr double unit = 0.5 * static_cast<double>(std::numeric_limits<S>::epsilon());

/// Units of the error of an engine, as parts of ||s|| and of ||z||.
/// Chunked: states in double, one rounding at the end. Sequential: a step rounds 4 times at most what is as large as s or
/// z, and a rounding stays for as long as the pole remembers, N = min(steps, 1 / (1 - |a|)): sqrt(4 N) units at random;
/// where the input has a mean the orbit may close and the same rounding come again, 4 N at worst (a sixteenth is held).
/// Transforms of 2048, two of 11 levels, about 2 units a level of ||z||, which the kernel amplifies: its norm over a chunk;
/// a chunk's end hands its error on to the N / 1024 chunks the pole remembers, sqrt(1 + N / 1024) at random.
struct share {
    double of_s, of_z;
};
template <class Algorithm>
share bar(Algorithm, index_t time, double gap, bool mean) {
    if constexpr (std::same_as<Algorithm, scan::chunked>) return {2, 0};
    const double remembered = std::min<double>(static_cast<double>(time), 1 / gap);
    if constexpr (std::same_as<Algorithm, scan::fft>) return {4, 2 * 2 * 11 * std::sqrt(std::min(1024.0, remembered) * (1 + remembered / 1024))};
    const double steps = mean ? remembered / 4 : std::sqrt(4 * remembered);
    return {4 + steps, 4 + steps};
}

/// Poles 1 - gap of both signs, and pairs of every phase.
template <real S>
complex_pairs<S> at_the_edge(double gap) {
    complex_pairs<S> a;
    a.real = {static_cast<S>(1 - gap), static_cast<S>(gap - 1)};
    for (const double phase : {1e-3, 0.7, 1.5707963, 2.0943951, 3.1}) {
        a.re.push_back(static_cast<S>((1 - gap) * std::cos(phase)));
        a.im.push_back(static_cast<S>((1 - gap) * std::sin(phase)));
    }
    return a;
}

}  // namespace

TEST_CASE_TEMPLATE("slow poles of every phase, inputs with and without a mean", S, float, double) {
    const index_t time = 65536;
    for (const double gap : {1e-1, 1e-4, 1e-6, 1e-7})
        for (const double mean : {0.0, 1.0}) {
            const auto a = at_the_edge<S>(gap);
            random_stream r(3);
            auto z = normal<S>(r, time, a.order());
            if (mean > 0)
                for (auto& x : z.flat()) x = static_cast<S>(mean + 0.01 * static_cast<double>(x));
            const auto want = reference_states(a, z, matrix<S>{}, 1);
            each_algorithm([&](auto how) {
                scan::plan p(cpu{}, how, a, {.batch = 1, .time = time});
                matrix<S> s(time, a.order());
                p.states(a, z, s);
                // Every mode by itself: the fast ones must not hide behind the slow.
                const index_t q = a.reals(), k = a.pairs();
                for (index_t i = 0; i < q + k; ++i) {
                    double off = 0, size = 0, input = 0;
                    for (const index_t column : {i, i < q ? i : i + k})
                        for (index_t t = 0; t < time; ++t) {
                            const double d = static_cast<double>(s(t, column)) - want(t, column), x = static_cast<double>(z(t, column));
                            off += d * d, size += want(t, column) * want(t, column), input += x * x;
                        }
                    CAPTURE(p.algorithm());
                    CAPTURE(gap);
                    CAPTURE(mean);
                    CAPTURE(i);
                    const auto b = bar(how, time, gap, mean > 0), own = bar(scan::sequential{}, time, gap, mean > 0);
                    const double held = unit<S> * (b.of_s * std::sqrt(size) + b.of_z * std::sqrt(input));
                    const double of_reference = unit<double> * (own.of_s * std::sqrt(size) + own.of_z * std::sqrt(input));
                    CHECK(std::sqrt(off) <= held + of_reference);
                }
            });
        }
}

TEST_CASE("from chunked_from steps on automatic loses less than 1e-6 of the whole, where the recurrence loses more") {
    double worst_of_sequential = 0;
    for (const index_t time : {scan::chunked_from, index_t{131072}})
        for (const double gap : {1e-1, 1e-4, 1e-6, 1e-7}) {
            const auto a = at_the_edge<float>(gap);
            random_stream r(11);
            const auto z = normal<float>(r, 2 * time, a.order());
            const auto want = reference_states(a, z, matrix<float>{}, 2);
            matrix<float> s(2 * time, a.order());
            scan::plan(cpu{}, scan::automatic{}, a, {.batch = 2, .time = time}).states(a, z, s);
            CAPTURE(time);
            CAPTURE(gap);
            CHECK(relative_error(s, want) <= 1e-6);
            scan::plan(cpu{}, scan::sequential{}, a, {.batch = 2, .time = time}).states(a, z, s);
            worst_of_sequential = std::max(worst_of_sequential, relative_error(s, want));
        }
    CHECK(worst_of_sequential > 1e-6);  // else the threshold is for nothing
}

TEST_CASE("the gradient of poles at 1 - 1e-7, negative and complex ones too, over 131072 steps") {
    const index_t time = 131072;
    for (const double mean : {0.0, 1.0}) {
        const auto a = at_the_edge<float>(1e-7);
        const complex_pairs<double> wide{{a.real.begin(), a.real.end()}, {a.re.begin(), a.re.end()}, {a.im.begin(), a.im.end()}};
        const index_t n = a.order(), q = a.reals(), k = a.pairs();
        random_stream r(12);
        auto z = normal<float>(r, time, n), ds = normal<float>(r, time, n);
        for (auto* m : {&z, &ds})
            for (auto& x : m->flat()) x = static_cast<float>(mean) + (mean > 0 ? 0.01f : 1.0f) * x;
        matrix<double> s2(time, n), lambda2(time, n);
        std::copy_n(z.data(), z.size(), s2.data());
        std::copy_n(ds.data(), ds.size(), lambda2.data());
        buffer<double> want(static_cast<std::size_t>(n));
        scan::plan exact(cpu{}, scan::sequential{}, wide, {.batch = 1, .time = time});
        exact.states(wide, s2, s2);
        exact.states_backward(wide, s2, {}, lambda2, want);
        matrix<float> s(time, n);
        buffer<float> da(want.size());
        scan::plan p(cpu{}, scan::automatic{}, a, {.batch = 1, .time = time});
        p.states(a, z, s);
        p.states_backward(a, s, {}, ds, da);
        for (index_t i = 0; i < n; ++i) {
            double size = 0;  // the sum of the absolute terms
            for (index_t t = 1; t < time; ++t) {
                const auto term = [&](index_t l, index_t x) { return std::abs(lambda2(t, l) * s2(t - 1, x)); };
                if (i < q) size += term(i, i);
                else if (i < q + k) size += term(i, i) + term(i + k, i + k);
                else size += term(i, i - k) + term(i - k, i);
            }
            CAPTURE(mean);
            CAPTURE(i);
            // Half a unit each in lambda, s and the result, and the sum's own 1e-8.
            const auto place = static_cast<std::size_t>(i);
            CHECK(std::abs(static_cast<double>(da[place]) - want[place]) <= (3 * unit<float> + 1e-8) * size);
        }
    }
}

TEST_CASE_TEMPLATE("a burst leaves what came before alone, but for the rounding of its own chunk by fft", S, float, double) {
    const index_t time = 8192, burst = 6000;
    const auto a = at_the_edge<S>(1e-2);
    random_stream r(4);
    const auto z = normal<S>(r, time, a.order());
    auto loud = z;
    for (index_t i = 0; i < a.order(); ++i) loud(burst, i) = S(1e4);
    each_algorithm([&](auto how) {
        scan::plan p(cpu{}, how, a, {.batch = 1, .time = time});
        matrix<S> quiet(time, a.order()), s(time, a.order());
        p.states(a, z, quiet);
        p.states(a, loud, s);
        constexpr bool by_fft = std::same_as<decltype(how), scan::fft>;
        const index_t chunk = burst / 1024 * 1024;
        double before = 0, within = 0;
        for (index_t t = 0; t < burst; ++t)
            for (index_t i = 0; i < a.order(); ++i) {
                auto& worst = by_fft && t >= chunk ? within : before;
                worst = std::max(worst, std::abs(static_cast<double>(s(t, i)) - static_cast<double>(quiet(t, i))));
            }
        CAPTURE(p.algorithm());
        CHECK(before == 0);
        CHECK(within <= unit<S> * (4 + 2 * 2 * 11) * 1e4);
    });
}

TEST_CASE_TEMPLATE("the sequential engine and step: any cut and any batch, the same bits", S, float, double) {
    auto check = [](const auto& a, std::uint64_t seed) {
        const index_t n = a.order(), time = 500, batch = 3;
        random_stream r(seed);
        const auto z = normal<S>(r, batch * time, n), initial = normal<S>(r, batch, n);
        matrix<S> whole(batch * time, n), final(batch, n);
        scan::plan p(cpu{}, scan::sequential{}, a, {.batch = batch, .time = time});
        p.states(a, z, whole, initial, final);
        bool same = true;
        for (index_t b = 0; b < batch; ++b)
            for (int trial = 0; trial < 4; ++trial) {
                scan::plan one(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
                buffer<S> state(initial.view().row(b), initial.view().row(b) + n);
                matrix<S> s(time, n);
                for (index_t t = 0, count; t < time; t += count) {
                    count = std::min<index_t>(1 + r.below(trial == 0 ? 2 : 97), time - t);
                    const auto in = z.view().slice_rows(b * time + t, count);
                    const auto out = s.view().slice_rows(t, count);
                    const matrix_view<S> edge(state.data(), 1, n);
                    switch (r.below(3)) {
                        case 0: one.states(a, in, out, edge, edge); break;
                        case 1: scan::sequential_states(a, in, out, std::span<S>(state)); break;
                        default:
                            for (index_t i = 0; i < count; ++i) {
                                scan::step(a, std::span<S>(state), in.row_span(i));
                                std::copy(state.begin(), state.end(), out.row(i));
                            }
                    }
                }
                for (index_t t = 0; t < time; ++t)
                    same = same && std::equal(s.view().row(t), s.view().row(t) + n, whole.view().row(b * time + t));
                same = same && std::equal(state.begin(), state.end(), final.view().row(b));
            }
        CAPTURE(n);
        CHECK(same);
    };
    for (const index_t n : {1, 7, 33, 100}) check(real_poles<S>(n), static_cast<std::uint64_t>(n));
    for (const index_t k : {1, 9, 40}) check(pair_poles<S>(k % 4, k), static_cast<std::uint64_t>(k));
    for (const index_t n : {2, 9, 40}) check(dense_poles<S>(n), static_cast<std::uint64_t>(n));
}

TEST_CASE("10^6 tokens one by one, in odd blocks and at once") {
    const index_t time = 1000000, n = 4;
    const diagonal<float> a{{0.999999f, -0.9999f, 0.9f, 0.5f}};
    random_stream r(6);
    const auto z = normal<float>(r, time, n);
    matrix<float> whole(time, n), s(time, n);
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
    p.states(a, z, whole);
    buffer<float> state(n);
    bool same = true;
    for (index_t t = 0; t < time; ++t) {
        scan::step(a, std::span<float>(state), z.view().row_span(t));
        same = same && std::equal(state.begin(), state.end(), whole.view().row(t));
    }
    CHECK(same);
    const auto want = reference_states(a, z, matrix<float>{}, 1);
    each_algorithm([&](auto how) {
        scan::plan blocks(cpu{}, how, a, {.batch = 1, .time = 4097});
        matrix<float> edge(1, n);
        for (index_t t = 0, count; t < time; t += count) {
            count = std::min<index_t>(1 + t * 31 % 4097, time - t);
            blocks.states(a, z.view().slice_rows(t, count), s.view().slice_rows(t, count), edge, edge);
        }
        CAPTURE(blocks.algorithm());
        // The others round their carry to float once a block, of 2000 tokens on average, and the pole forgets in 10^6:
        // sqrt(500) roundings of a third of a unit or so.
        if (blocks.algorithm() == "sequential") CHECK(s == whole);
        else CHECK(relative_error(s, want) <= 1e-6);
    });
}

TEST_CASE_TEMPLATE("where A grows: nothing before the signal, and every row to its own scale", S, float, double) {
    const index_t time = 3000, start = 2900;
    auto check = [&](auto how, const auto& a) {
        const index_t n = a.order();
        random_stream r(8);
        auto z = normal<S>(r, time, n);
        std::fill_n(z.data(), start * n, S{0});
        const auto want = reference_states(a, z, matrix<S>{}, 1);
        scan::plan p(cpu{}, how, a, {.batch = 1, .time = time});
        auto s = z;
        p.states(a, s, s);
        double early = 0, late = 0;
        for (index_t t = 0; t < time; ++t) {
            double off = 0, size = 0;
            for (index_t i = 0; i < n; ++i) {
                off = std::max(off, std::abs(static_cast<double>(s(t, i)) - want(t, i)));
                size = std::max(size, std::abs(want(t, i)));
            }
            if (t < start) early = std::max(early, off);
            else late = std::max(late, off / size);
            if (std::isnan(off)) early = late = off;
        }
        CAPTURE(p.algorithm());
        CAPTURE(n);
        CHECK(early <= unit<S> * (4 + 2 * 2 * 11));
        // Row by row and not norm-wise: the first rows stand beside what follows, weighted, up to sqrt(100) of them.
        CHECK(late <= unit<S> * (4 + 2 * 2 * 11) * 10);
    };
    each_algorithm([&](auto how) {
        check(how, diagonal<S>{{S(1.1), S(-1.1), S(1.05)}});
        check(how, diagonal<S>{{S(1.5), S(-1.5)}});
        check(how, complex_pairs<S>{{S(1.02)}, {S(0.8), S(-1.1)}, {S(0.7), S(0.1)}});
        auto turn = dense_poles<S>(6);
        for (auto& x : turn.a.flat()) x *= S(1.1);
        check(how, turn);
    });
}

TEST_CASE("an A that outgrows the chunks of its plan is refused with both numbers, and the plan stays usable") {
    const diagonal<float> tame{{0.5f}}, wild{{2.0f}};
    scan::plan p(cpu{}, scan::fft{}, tame, {.batch = 1, .time = 1000});
    matrix<float> z(1000, 1, 1.0f), s(1000, 1);
    CHECK_THROWS_WITH_AS(p.states(wild, z, s),
                         "hrm::scan::fft: over a chunk of 1000 steps A grows by 2^999.000000, expected at most 2^64: make the "
                         "plan with this A, or use sequential",
                         numerical_error);
    CHECK_THROWS_AS(p.states(wild, z, s), numerical_error);
    p.states(tame, z, s);
    CHECK(s(999, 0) == doctest::Approx(2));
}

TEST_CASE("a second call touches no new page") {
    auto faults = [] {
        rusage use;
        getrusage(RUSAGE_SELF, &use);
        return use.ru_minflt + use.ru_majflt;
    };
    auto check = [&](const auto& a) {
        each_algorithm([&](auto how) {
            const index_t n = a.order(), time = 20000;
            random_stream r(9);
            const discrete<std::remove_cvref_t<decltype(a)>> system{a, normal<float>(r, n, 3), normal<float>(r, 2, n), {}};
            scan::plan p(cpu{}, how, system, {.batch = 1, .time = time});
            const auto u = normal<float>(r, time, 3);
            matrix<float> y(time, 2), du(time, 3);
            auto gradient = scan::system_gradient(system);
            auto once = [&] {
                p.forward(system, u, y);
                p.backward(system, u, y, du, gradient);
            };
            once();
            long least = std::numeric_limits<long>::max();  // the system may take a page away meanwhile, but not each time
            for (int i = 0; i < 3; ++i) {
                const long before = faults();
                once();
                least = std::min(least, faults() - before);
            }
            CAPTURE(p.algorithm());
            CHECK(least == 0);
        });
    };
    check(real_poles<float>(20));
    check(pair_poles<float>(1, 9));
    check(dense_poles<float>(6));
}

TEST_CASE("scratch does not grow with time, and stays below four chunks beside the spectra") {
    if (!hrm_test::allocations_are_counted()) return;
    auto bytes = [](auto how, const auto& system, index_t time, int threads = 1) {
        const auto before = hrm_test::allocated_bytes();
        const scan::plan p(cpu{.threads = threads}, how, system, {.batch = 1, .time = time});
        return hrm_test::allocated_bytes() - before;
    };
    auto check = [&](const auto& a, bool modes) {
        each_algorithm([&](auto how) {
            const index_t n = a.order();
            CHECK(bytes(how, a, 100000) == bytes(how, a, 10000000));
            if (!modes) return;
            const index_t chunk = std::same_as<decltype(how), scan::fft> ? 1024 : 256;
            const index_t spectra = std::same_as<decltype(how), scan::fft> ? 2 * 2 * 1025 * ((n + 15) / 16 * 16) : 0;
            for (const int threads : {1, 2})
                CHECK(bytes(how, a, 100000, threads) <= static_cast<long>(sizeof(float)) * (4 * chunk * n + spectra + 16384));
        });
    };
    check(real_poles<float>(64), true);
    check(pair_poles<float>(0, 64), true);
    check(dense_poles<float>(16), false);
    const discrete<diagonal<float>> system{real_poles<float>(64), matrix<float>(64, 8), matrix<float>(8, 64), {}};
    each_algorithm([&](auto how) { CHECK(bytes(how, system, 100000) == bytes(how, system, 10000000)); });
}
