#include <hrm/reduction/refine.hpp>

#include <doctest/doctest.h>

#include <hrm/systems/response.hpp>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("the H2 error falls, and where it ends its slope is zero") {
    random_stream r(1);
    int converged = 0, better = 0, trials = 0;
    for (int trial = 0; trial < 8; ++trial) {
        const auto z = random_dense(r, 12, 2, 2, 0.8);
        continuous<dense<double>> s{z.a, z.b, z.c, matrix<double>(2, 2, 0.5)};
        for (index_t i = 0; i < 12; ++i) s.a.a(i, i) -= 1;
        const auto check = [&](const auto& g) {
            const auto b = balance(g, {.rank = 4});
            const auto f = refine_h2(g, b.system, {.steps = 200, .tolerance = 1e-9});
            ++trials;
            CHECK(f.h2_error <= f.start_error);
            CHECK(is_stable(f.system));
            better += f.h2_error < f.start_error * (1 - 1e-6);
            if (!f.converged) return;
            ++converged;
            // No entry of B or C improves it: central differences against the size of the error.
            const double h = 1e-5;
            for (index_t i = 0; i < 4; ++i) {
                auto up = f.system, down = f.system;
                up.c(0, i) += h;
                down.c(0, i) -= h;
                const double slope = (detail::h2_distance(detail::reduced_system<std::decay_t<decltype(g)>>(g), up) -
                                      detail::h2_distance(detail::reduced_system<std::decay_t<decltype(g)>>(g), down)) / (2 * h);
                CHECK(std::abs(slope) <= 1e-4 * h2_norm(difference(g, detail::reduced_system<std::decay_t<decltype(g)>>{{}, matrix<double>(0, 2), matrix<double>(2, 0), g.d})));
            }
        };
        check(s);
        check(z);
    }
    CHECK(better >= trials / 2);
    CHECK(converged >= trials / 2);
}

TEST_CASE("order zero, an exact start, and unstable systems") {
    random_stream r(2);
    const auto z = random_dense(r, 5, 1, 1, 0.7);
    CHECK(refine_h2(z, balance(z, {.rank = 0}).system).system.order() == 0);
    CHECK(refine_h2(z, balance(z).system).h2_error <= 1e-10);
    const continuous<diagonal<double>> bad{{{1}}, {{1}}, {{1}}, {}};
    CHECK_THROWS_AS(refine_h2(bad, continuous<dense<double>>{{{{-1}}}, {{1}}, {{1}}, {}}), numerical_error);
}

namespace {

/// The textbook's iterative rational Krylov algorithm: residues at the poles, one complex solve a pole.
template <class System>
System krylov_step(const System& g, const System& gr) {
    const index_t n = g.order(), r = gr.order();
    complex_pairs<double> a;
    const auto x = detail::modal_vectors(gr.a.a, a);
    const auto b = solve(x, gr.b), c = product(gr.c, x);
    const index_t q = a.reals(), k = a.pairs();
    matrix<double> v(n, r), w(n, r);
    for (index_t i = 0; i < q + k; ++i) {
        const bool pair = i >= q;
        const detail::complex l = pair ? detail::complex(a.re[static_cast<std::size_t>(i - q)], a.im[static_cast<std::size_t>(i - q)])
                                       : detail::complex(a.real[static_cast<std::size_t>(i)]);
        const detail::complex s = detail::is_discrete<System> ? 1.0 / l : -l;
        detail::complex_matrix left(n, n), other(n, n), in(n, 1), out(n, 1);
        for (index_t row = 0; row < n; ++row) {
            for (index_t col = 0; col < n; ++col) other(col, row) = left(row, col) = (row == col ? s : detail::complex(0)) - g.a.a(row, col);
            for (index_t j = 0; j < g.inputs(); ++j) in(row, 0) += g.b(row, j) * detail::complex(b(i, j), pair ? b(i + k, j) : 0);
            for (index_t j = 0; j < g.outputs(); ++j) out(row, 0) += g.c(j, row) * detail::complex(c(j, i), pair ? -c(j, i + k) : 0);
        }
        const auto right = solve(left, in), dual_right = solve(other, out);
        for (index_t row = 0; row < n; ++row) {
            v(row, i) = right(row, 0).real(), w(row, i) = dual_right(row, 0).real();
            if (pair) v(row, i + k) = right(row, 0).imag(), w(row, i + k) = dual_right(row, 0).imag();
        }
    }
    const auto t = detail::orthonormal(v);
    auto u = detail::orthonormal(w);
    u = detail::divide(u, detail::project(t, u));
    return {{detail::project(u, product(g.a.a, t))}, detail::project(u, g.b), product(g.c, t), gr.d};
}
template <class System>
continuous<dense<double>> to_left(const System& z) {
    continuous<dense<double>> s{{to_dense(z.a)}, z.b, z.c, z.d};
    for (index_t i = 0; i < z.order(); ++i) s.a.a(i, i) -= 1;
    return s;
}

}  // namespace

TEST_CASE("the fixed point is that of rational Krylov, and meets G at the mirror images of its poles, twice") {
    random_stream r(3);
    int seen = 0;
    const auto check = [&](const auto& g) {
        using reduced = detail::reduced_system<std::decay_t<decltype(g)>>;
        const reduced whole{{to_dense(g.a)}, g.b, g.c, g.d};
        const auto f = refine_h2(g, balance(g, {.rank = 4}).system, {.steps = 500, .tolerance = 1e-12});
        if (!f.converged) return;
        ++seen;
        auto there = f.system;
        for (int k = 0; k < 3; ++k) there = krylov_step(whole, there);
        CHECK(h2_norm(difference(f.system, there)) <= 1e-8 * h2_norm(reduced{whole.a, whole.b, whole.c, {}}));
        // G(s) b = Gr(s) b,  c^T G(s) = c^T Gr(s),  c^T G'(s) b = c^T Gr'(s) b  at s = -l, discrete 1/l, for residues c b^T.
        complex_pairs<double> a;
        const auto x = detail::modal_vectors(f.system.a.a, a);
        const auto b = solve(x, f.system.b), c = product(f.system.c, x);
        for (index_t i = 0; i < a.reals() + a.pairs(); ++i) {
            const bool pair = i >= a.reals();
            const auto h = static_cast<std::size_t>(pair ? i - a.reals() : i);
            const detail::complex l = pair ? detail::complex(a.re[h], a.im[h]) : detail::complex(a.real[h]);
            const detail::complex s = in_discrete_time<std::decay_t<decltype(g)>> ? 1.0 / l : -l;
            detail::complex_matrix in(b.cols(), 1), out(1, c.rows());
            for (index_t j = 0; j < b.cols(); ++j) in(j, 0) = detail::complex(b(i, j), pair ? b(i + a.pairs(), j) : 0);
            for (index_t j = 0; j < c.rows(); ++j) out(0, j) = detail::complex(c(j, i), pair ? -c(j, i + a.pairs()) : 0);
            const auto at = [&](const reduced& y, int power) {  // C (s I - A)^-power B
                detail::complex_matrix left(y.order(), y.order()), z = detail::to_complex(y.b);
                for (index_t row = 0; row < y.order(); ++row)
                    for (index_t col = 0; col < y.order(); ++col) left(row, col) = (row == col ? s : detail::complex(0)) - y.a.a(row, col);
                for (int p = 0; p < power; ++p) z = solve(left, z);
                return detail::product(detail::to_complex(y.c), z);
            };
            const auto agree = [&](const detail::complex_matrix& y, const detail::complex_matrix& z, double scale) {
                for (std::size_t j = 0; j < y.flat().size(); ++j) CHECK(std::abs(y.flat()[j] - z.flat()[j]) <= 1e-7 * scale);
            };
            double in_size = 0, out_size = 0, g_size = 0;
            for (const auto& v : in.flat()) in_size += std::abs(v);
            for (const auto& v : out.flat()) out_size += std::abs(v);
            const auto g1 = at(whole, 1), r1 = at(f.system, 1);
            for (const auto& v : g1.flat()) g_size += std::abs(v);
            agree(detail::product(g1, in), detail::product(r1, in), g_size * in_size);
            agree(detail::product(out, g1), detail::product(out, r1), g_size * out_size);
            const auto g2 = detail::product(out, detail::product(at(whole, 2), in)), r2 = detail::product(out, detail::product(at(f.system, 2), in));
            agree(g2, r2, std::abs(g2(0, 0)) + g_size * in_size * out_size);
        }
    };
    for (int trial = 0; trial < 4; ++trial) {
        const auto z = random_dense(r, 12, 2, 2, 0.8);
        check(z);
        check(to_left(z));
        const auto p = random_pairs(r, 4, 4, 2, 2, 0.9);  // modal: the solves of O(n)
        check(p);
        continuous<complex_pairs<double>> s{p.a, p.b, p.c, {}};
        for (auto& x : s.a.real) x -= 1;
        for (auto& x : s.a.re) x -= 1;
        check(s);
    }
    CHECK(seen >= 8);
}

TEST_CASE("modal systems, dense ones and the errors they report agree; a defective start is no exception") {
    random_stream r(4);
    const auto p = random_pairs(r, 4, 4, 2, 2, 0.9);
    const auto start = balance(p, {.rank = 4}).system;
    matrix<double> t(12, 12);
    r.fill_normal(t.flat(), 0.3);
    for (index_t i = 0; i < 12; ++i) t(i, i) += 1;
    const discrete<dense<double>> d{{product(t, turned(solve(turned(t), turned(to_dense(p.a)))))}, product(t, p.b), turned(solve(turned(t), turned(p.c))), {}};
    const auto x = refine_h2(p, start), y = refine_h2(d, start);
    CHECK(x.h2_error == doctest::Approx(y.h2_error).epsilon(1e-8));
    CHECK(x.start_error == doctest::Approx(y.start_error).epsilon(1e-10));
    CHECK(x.h2_error == doctest::Approx(h2_norm(difference(p, x.system))).epsilon(1e-8));
    // A Jordan block has no residues for rational Krylov.
    const continuous<dense<double>> jordan{{{{-1, 1}, {0, -1}}}, {{0, 1}, {1, 0.5}}, {{1, 0}, {0.5, 1}}, {}};
    const auto g = to_left(random_dense(r, 8, 2, 2, 0.8));
    const auto f = refine_h2(g, jordan, {.steps = 300});
    CHECK(f.steps > 1);
    CHECK(f.h2_error < 0.9 * f.start_error);
}

TEST_CASE("D becomes the system's: another one is infinitely far in continuous time") {
    random_stream r(5);
    auto g = to_left(random_dense(r, 8, 2, 2, 0.8));
    g.d = matrix<double>(2, 2, 0.5);
    auto start = balance(g, {.rank = 3}).system;
    const auto want = refine_h2(g, start);
    start.d = matrix<double>(2, 2, 0.75);
    const auto f = refine_h2(g, start);
    CHECK(std::isinf(f.start_error));
    CHECK(f.h2_error == doctest::Approx(want.h2_error).epsilon(1e-6));
    CHECK(distance(f.system.d, g.d) == 0);
    const auto zero = refine_h2(g, balance(g, {.rank = 0, .weak = weak_states::residualize}).system);
    CHECK(distance(zero.system.d, g.d) == 0);
    CHECK(std::isfinite(zero.h2_error));
    // Discrete: finite, and D is still the system's.
    auto z = random_dense(r, 8, 2, 2, 0.8);
    z.d = matrix<double>(2, 2, 0.5);
    auto other = balance(z, {.rank = 3}).system;
    other.d = matrix<double>(2, 2, 4);
    const auto h = refine_h2(z, other);
    CHECK(h.start_error == doctest::Approx(h2_norm(difference(z, other))));
    CHECK(h.h2_error < h.start_error);
    CHECK(distance(h.system.d, z.d) == 0);
}

TEST_CASE("unstable parts are kept, and errors measured where asked for") {
    random_stream r(6);
    const auto stable = to_left(random_dense(r, 8, 2, 2, 0.8));
    const continuous<dense<double>> rest{{{{0, 1}, {0, 0}}}, {{0, 1}, {1, 0}}, {{1, 0}, {0, 1}}, {}};
    const auto g = detail::beside("test", stable, rest);
    const auto b = balance(g, {.rank = 3});
    REQUIRE(b.unstable == 2);
    const auto f = refine_h2(g, b.system, {.error = error_report::measured});
    const auto want = refine_h2(stable, balance(stable, {.rank = 3}).system, {.error = error_report::measured});
    CHECK(f.unstable == 2);
    CHECK(f.system.order() == 5);
    CHECK(f.h2_error == doctest::Approx(want.h2_error).epsilon(1e-6));
    REQUIRE(f.measured_error);
    CHECK(*f.measured_error == doctest::Approx(*want.measured_error).epsilon(1e-4));
    CHECK(*want.measured_h2 == doctest::Approx(want.h2_error));
    CHECK_FALSE(refine_h2(stable, balance(stable, {.rank = 3}).system).measured_error);
    CHECK_THROWS_WITH_AS(refine_h2(g, balance(stable, {.rank = 3}).system), "hrm::refine_h2: the start has 0 unstable poles, the system 2", unstable_error);
    CHECK_THROWS_WITH_AS(refine_h2(stable, b.system), doctest::Contains("hrm::refine_h2: the start: A is unstable"), unstable_error);
}

namespace {

// G - D at a point s of the plane, discrete C (sI - A)^-1 B as well.
template <class System>
matrix<number> strictly(const System& g, number s) {
    const auto a = to_dense(g.a);
    matrix<number> pencil(g.order(), g.order());
    for (index_t i = 0; i < g.order(); ++i)
        for (index_t j = 0; j < g.order(); ++j) pencil(i, j) = (i == j ? s : number{}) - a(i, j);
    return times(g.c, solve(pencil, g.b));
}
template <class System>
int check_complex(std::uint64_t seed) {
    random_stream r(seed);
    int converged = 0;
    for (int trial = 0; trial < 6; ++trial) {
        CAPTURE(trial);
        const auto g = drawn<System>(r, 8, 2, 1 + r.below(3));
        const auto start = balance(g, {.rank = 2});
        const auto f = refine_h2(g, start.system, {.steps = 300, .tolerance = 1e-11, .error = error_report::measured});
        CHECK(f.h2_error <= f.start_error);
        CHECK(f.start_error == doctest::Approx(h2_norm(detail::error_system(g, start.system))).epsilon(1e-10));
        CHECK(f.h2_error == doctest::Approx(h2_norm(detail::error_system(g, f.system))).epsilon(1e-10));
        CHECK(f.measured_error);
        CHECK(is_stable(f.system));
        if (!f.converged) continue;
        ++converged;
        // G meets Gr at the mirror images -conj l, discrete 1/conj l, of Gr's poles, along the residues c b^H of Gr.
        const auto modes = rediagonalize(discrete<dense<number>>{f.system.a, f.system.b, f.system.c, {}});
        REQUIRE(modes.diagonal());
        const auto& own = std::get<0>(modes.system);
        for (index_t i = 0; i < 2; ++i) {
            const auto l = own.a.poles[static_cast<std::size_t>(i)];
            const auto mirrored = in_discrete_time<System> ? 1.0 / std::conj(l) : -std::conj(l);
            const auto whole = strictly(g, mirrored), small = strictly(f.system, mirrored);
            matrix<number> b(g.inputs(), 1), c(1, g.outputs());
            for (index_t j = 0; j < g.inputs(); ++j) b(j, 0) = std::conj(own.b(i, j));
            for (index_t j = 0; j < g.outputs(); ++j) c(0, j) = std::conj(own.c(j, i));
            CHECK(distance_of(times(small, b), times(whole, b)) < 1e-6);
            CHECK(distance_of(times(c, small), times(c, whole)) < 1e-6);
        }
    }
    return converged;
}

}  // namespace

TEST_CASE("complex systems: never worse than the start; where it converges it meets G at the mirror images of its poles") {
    SUBCASE("continuous, dense") { CHECK(check_complex<continuous<dense<number>>>(71) >= 3); }
    SUBCASE("continuous, diagonal") { CHECK(check_complex<continuous<diagonal<number>>>(72) >= 3); }
    SUBCASE("discrete, dense") { CHECK(check_complex<discrete<dense<number>>>(73) >= 3); }
    SUBCASE("discrete, diagonal") { CHECK(check_complex<discrete<diagonal<number>>>(74) >= 3); }
}

TEST_CASE("complex modal systems: to order zero the distance is the H2 norm SciPy has, to a dense system that in dense coordinates") {
    int seen = 0;
    for (const auto& ref : complex_references())
        ref.visit([&](const auto& g) {
            using System = std::decay_t<decltype(g)>;
            if constexpr (detail::is_modal<System> && !in_discrete_time<System>) {
                CHECK(refine_h2(g, balance(g, {.rank = 0}).system).h2_error == doctest::Approx(ref.h2).epsilon(1e-12));
                ++seen;
            }
        });
    CHECK(seen > 0);
    random_stream r(75);
    const auto check = [&](const auto& g) {
        const auto start = balance(g, {.rank = 5}).system;
        const auto q = random_unitary(r, 24);
        const auto x = refine_h2(g, start), y = refine_h2(turned_by(q, to_dense(g)), start);
        CHECK(x.h2_error == doctest::Approx(y.h2_error).epsilon(1e-8));
        CHECK(x.start_error == doctest::Approx(y.start_error).epsilon(1e-10));
        auto other = start;  // of another D
        other.d = matrix<number>(g.outputs(), g.inputs(), {0.5, -2});
        const double far = refine_h2(g, other).start_error;
        if constexpr (in_discrete_time<std::decay_t<decltype(g)>>) CHECK(far == doctest::Approx(h2_norm(difference(g, other))).epsilon(1e-12));
        else CHECK(std::isinf(far));
    };
    for (int trial = 0; trial < 3; ++trial) {
        check(drawn<continuous<diagonal<number>>>(r, 24, 2, 2));
        check(drawn<discrete<diagonal<number>>>(r, 24, 2, 2));
    }
}

TEST_CASE("complex systems: a real one in unitary coordinates, unstable parts, order zero, and what is refused") {
    random_stream r(11);
    const auto g = random_dense(r, 8, 2, 2, 0.8);
    const auto turned = turned_by(random_unitary(r, 8), complex_of(g));
    const auto start = balance(g, {.rank = 3}).system;
    const auto want = refine_h2(g, start);
    const auto got = refine_h2(turned, turned_by(random_unitary(r, 3), complex_of(start)));
    CHECK(got.start_error == doctest::Approx(want.start_error).epsilon(1e-10));
    CHECK(got.h2_error == doctest::Approx(want.h2_error).epsilon(1e-8));
    const continuous<diagonal<number>> mixed{{{{0.5, 1}, {-1, 2}, {-0.3, -1}}}, {{1}, {2}, {1}}, {{1, 1, 2}}, {}};
    const auto kept = refine_h2(mixed, balance(mixed, {.rank = 1}).system);
    CHECK(kept.unstable == 1);
    CHECK(kept.system.order() == 2);
    CHECK(kept.h2_error <= kept.start_error);
    CHECK(refine_h2(turned, balance(turned, {.rank = 0}).system).system.order() == 0);
    CHECK(refine_h2(turned, balance(turned).system).h2_error <= 1e-10);
    CHECK_THROWS_AS(refine_h2(mixed, continuous<dense<number>>{{{{-1}}}, {{1}}, {{1}}, {}}), unstable_error);
    CHECK_THROWS_AS(refine_h2(turned, discrete<dense<number>>{{{{0.5}}}, {{1}}, {{1}}, {}}), shape_error);
    auto bad = mixed;
    bad.a.poles[1] = {0, std::nan("")};
    CHECK_THROWS_AS(refine_h2(bad, continuous<dense<number>>{{{{-1}}}, {{1}}, {{1}}, {}}), numerical_error);
}

namespace {

/// A discrete system of order 6 with one pole at the root of unity `pole`, in random coordinates.
template <class T>
discrete<dense<T>> with_an_integrator(std::uint64_t seed, T pole) {
    random_stream r(seed);
    matrix<double> a(6, 6), t(6, 6), b(6, 2), c(2, 6);
    for (auto& x : a.flat()) x = 0.2 * r.normal();
    for (index_t i = 0; i < 6; ++i) a(i, 0) = i == 0;
    for (auto* x : {&t, &b, &c}) r.fill_normal(x->flat(), 1);
    const auto there = detail::divide(product(t, a), t);
    discrete<dense<T>> g{{matrix<T>(6, 6)}, matrix<T>(6, 2), matrix<T>(2, 6), {}};
    for (std::size_t i = 0; i < 36; ++i) g.a.a.flat()[i] = pole * there.flat()[i];
    for (std::size_t i = 0; i < 12; ++i) g.b.flat()[i] = b.flat()[i], g.c.flat()[i] = c.flat()[i];
    return g;
}

}  // namespace

TEST_CASE("an integrator known to rounding alone is told in the start as in the system") {
    int kept = 0;
    const auto check = [&](const auto& g) {
        const auto b = balance(g, {.rank = 2});
        if (b.unstable != 1) return;
        const auto f = refine_h2(g, b.system);
        ++kept;
        CHECK(f.unstable == 1);
        CHECK(f.system.order() == 3);
        CHECK(f.h2_error <= f.start_error);
    };
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        check(with_an_integrator<double>(seed, 1));
        check(with_an_integrator<number>(seed, std::polar(1.0, 0.7)));
    }
    CHECK(kept >= 50);
}

TEST_CASE("a step with unstable poles goes on from their mirror images") {
    const continuous<dense<double>> h{{{{1, 2, 0}, {-2, 1, 0}, {0, 0, -3}}}, {{1}, {1}, {1}}, {{1, 0, 1}}, {}};
    CHECK(spectral_abscissa(detail::mirrored(h).a) == doctest::Approx(-1).epsilon(1e-12));
    const discrete<dense<number>> z{{{{{0, 2}, 0}, {0, 0.5}}}, {{1}, {1}}, {{1, 1}}, {}};
    auto poles = eigenvalues(detail::mirrored(z).a);
    std::sort(poles.begin(), poles.end(), [](auto x, auto y) { return x.real() < y.real(); });
    CHECK(std::abs(poles[0] - number(0, 0.5)) <= 1e-12);  // 1 / conj(2i)
    CHECK(std::abs(poles[1] - 0.5) <= 1e-12);
}
