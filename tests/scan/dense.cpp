// A dense A, which has kernels of its own: every width of panel, sequences in lockstep, powers by products.

#include <cmath>

#include <doctest/doctest.h>

#include <hrm/scan/step.hpp>
#include <scan/support.hpp>
#include <support/allocations.hpp>

using namespace hrm;
using namespace scan_test;

TEST_CASE_TEMPLATE("a dense A up to 1024 states against the definition in double", S, float, double) {
    for (const index_t n : {63, 64, 65, 97, 255, 256, 257, 303, 1024})
        for (const index_t batch : {1, 7}) {
            if (n == 1024 && batch > 1) continue;
            const index_t time = n < 300 ? 50 : 12;
            const auto a = dense_poles<S>(n);
            random_stream r(static_cast<std::uint64_t>(n));
            const auto z = normal<S>(r, batch * time, n), initial = normal<S>(r, batch, n);
            const auto want = reference_states(a, z, initial, batch);
            const auto check = [&](auto how, int threads) {
                matrix<S> s(batch * time, n), final(batch, n);
                scan::plan p(cpu{.threads = threads}, how, a, {.batch = batch, .time = time});
                p.states(a, z, s, initial, final);
                CAPTURE(p.algorithm());
                CAPTURE(n);
                CHECK(relative_error(s, want) <= states_bar<S>);
                bool last = true;
                for (index_t b = 0; b < batch; ++b)
                    for (index_t i = 0; i < n; ++i) last &= final(b, i) == s((b + 1) * time - 1, i);
                CHECK(last);
            };
            check(scan::sequential{}, 1);
            check(scan::chunked{.length = 5}, 2);
            if (n <= 65) check(scan::fft{}, 1);
        }
}

TEST_CASE_TEMPLATE("a dense A: alone, in a batch, in pieces and token by token, the same bits", S, float, double) {
    for (const index_t n : {1, 3, 8, 31, 65, 130, 256, 257}) {
        const index_t time = 40, batch = 6;
        const auto a = dense_poles<S>(n);
        random_stream r(static_cast<std::uint64_t>(n) + 100);
        const auto z = normal<S>(r, batch * time, n), initial = normal<S>(r, batch, n);
        matrix<S> whole(batch * time, n), final(batch, n);
        scan::plan(cpu{.threads = 2}, scan::sequential{}, a, {.batch = batch, .time = time}).states(a, z, whole, initial, final);
        bool same = true;
        for (index_t b = 0; b < batch; ++b) {
            matrix<S> s(time, n), edge(1, n);
            std::copy_n(initial.view().row(b), n, edge.data());
            scan::plan one(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
            const auto in = z.view().slice_rows(b * time, time);
            one.states(a, in.slice_rows(0, 23), s.view().slice_rows(0, 23), edge, edge);  // by panels
            one.states(a, in.slice_rows(23, 5), s.view().slice_rows(23, 5), edge, edge);  // by rows
            for (index_t t = 28; t < time; ++t) {
                scan::step(a, edge.flat(), in.row_span(t));
                std::copy_n(edge.data(), n, s.view().row(t));
            }
            for (index_t t = 0; t < time; ++t) same &= std::equal(s.view().row(t), s.view().row(t) + n, whole.view().row(b * time + t));
            same &= std::equal(edge.data(), edge.data() + n, final.view().row(b));
        }
        CAPTURE(n);
        CHECK(same);
    }
}

namespace {

/// A^exponent multiplied out in long double.
matrix<long double> long_power(const matrix<long double>& a, index_t exponent) {
    const index_t n = a.rows();
    auto out = a;
    for (index_t k = 1; k < exponent; ++k) {
        matrix<long double> next(n, n);
        for (index_t i = 0; i < n; ++i)
            for (index_t l = 0; l < n; ++l)
                for (index_t j = 0; j < n; ++j) next(i, j) += out(i, l) * a(l, j);
        out = std::move(next);
    }
    return out;
}

}  // namespace

TEST_CASE_TEMPLATE("a power of a dense A, in units of what is added up where it is used", S, float, double) {
    for (const index_t n : {1, 5, 24})
        for (const index_t exponent : {1, 2, 40, 256}) {
            auto a = dense_poles<S>(n);
            for (index_t i = 0; i < n; ++i)  // other units for every state
                for (index_t j = 0; j < n; ++j) a.a(i, j) = std::ldexp(a.a(i, j), static_cast<int>(i - j));
            matrix<long double> wide(n, n);
            for (index_t i = 0; i < n * n; ++i) wide.data()[i] = a.a.data()[i];
            const auto want = long_power(wide, exponent);
            matrix<double> got(n, n);
            scan::detail::dense_powers<S>(n).raise(a.a, exponent, got);
            double off = 0;
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j)
                    off = std::max(off, static_cast<double>(std::ldexp(std::abs(got(i, j) - want(i, j)), static_cast<int>(j - i))));
            CAPTURE(n);
            CAPTURE(exponent);
            // Double: one rounding of numbers up to 1, and 256 long double ones of sums of n in the reference.
            // Float: a squaring doubles the error and adds sqrt(n) roundings, 256 sqrt(n) in all; four times as much is held.
            const double held = std::is_same_v<S, double> ? std::ldexp(1.0, -53) + 256 * static_cast<double>(n) * std::ldexp(1.0, -64)
                                                          : 4 * 256 * std::sqrt(static_cast<double>(n)) * std::ldexp(1.0, -53);
            CHECK(off <= held);
        }
}

TEST_CASE("fft refuses a dense A whose spectra would not fit, and keeps the others small") {
    CHECK_THROWS_WITH_AS(scan::plan(cpu{}, scan::fft{}, dense_poles<float>(257), {.batch = 1, .time = 100}),
                         "hrm::scan::fft: a dense A has 257 states, expected at most 256: use sequential or chunked", shape_error);
    if (!hrm_test::allocations_are_counted()) return;
    for (const index_t n : {64, 128, 256}) {
        const auto a = dense_poles<float>(n);
        const auto before = hrm_test::allocated_bytes();
        const scan::plan p(cpu{}, scan::fft{}, a, {.batch = 1, .time = 100000});
        CAPTURE(n);
        // Powers and spectra in 16 MiB, the bin more that a spectrum has, and the n x n of the carry and the gradient.
        CHECK(hrm_test::allocated_bytes() - before <= (18 << 20) + 80 * n * n);
    }
}
