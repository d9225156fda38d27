#include <hrm/reduction/least_squares.hpp>

#include <doctest/doctest.h>

#include "../support/complex_systems.hpp"
#include "random_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

matrix<double> normal(random_stream& r, index_t rows, index_t cols) {
    matrix<double> x(rows, cols);
    r.fill_normal(x.flat());
    return x;
}

}  // namespace

TEST_CASE("the answer solves the normal equations, however the samples come in pieces") {
    random_stream r(1);
    const auto phi = normal(r, 700, 9), y = normal(r, 700, 3);
    least_squares whole(9, 3), pieces(9, 3);
    whole.add(phi.view(), y.view());
    for (index_t first = 0, count; first < 700; first += count) {
        count = std::min<index_t>(700 - first, r.below(90));
        pieces.add(phi.view().slice_rows(first, count), y.view().slice_rows(first, count));
    }
    const auto f = whole.solve(), g = pieces.solve();
    auto gap = y;
    multiply(phi.view(), f.x.view(), gap.view(), into::add, -1.0);
    // Orthogonal to the columns of phi: 700 products of size |phi| |gap|, each rounded.
    CHECK(largest(product(turned(phi), gap)) <= 700 * 2.3e-16 * largest(phi) * 700);
    double square = 0;
    for (double v : gap.flat()) square += v * v;
    CHECK(f.residual == doctest::Approx(std::sqrt(square)).epsilon(1e-13));
    CHECK(f.determined());
    CHECK(f.condition == doctest::Approx([&] {
              const auto s = jacobi_svd(phi).sigma;
              return s.front() / s.back();
          }()).epsilon(1e-12));
    CHECK(distance(f.x, g.x) <= 1e-13);
    CHECK(g.residual == doctest::Approx(f.residual).epsilon(1e-13));
}

TEST_CASE("an ill-conditioned fit keeps the digits that its condition, not its square, leaves") {
    random_stream r(2);
    auto phi = normal(r, 100, 4);
    for (index_t t = 0; t < 100; ++t) phi(t, 3) = phi(t, 0) + 1e-7 * phi(t, 3);
    const auto x = normal(r, 4, 1), y = product(phi, x);
    least_squares fit(4, 1);
    fit.add(phi.view(), y.view());
    const auto f = fit.solve();
    CHECK(f.rank == 4);
    CHECK(f.condition > 1e7);
    CHECK(distance(f.x, x) <= 100 * 2.3e-16 * f.condition);  // normal equations would leave condition^2 eps = 0.2
}

TEST_CASE("what is not determined: the answer of least norm, and it says so") {
    random_stream r(3);
    const auto base = normal(r, 50, 2);
    matrix<double> phi(50, 4);
    for (index_t t = 0; t < 50; ++t)
        for (index_t j = 0; j < 4; ++j) phi(t, j) = base(t, j % 2);
    const auto y = normal(r, 50, 1);
    least_squares fit(4, 1);
    fit.add(phi.view(), y.view());
    const auto f = fit.solve();
    CHECK(f.rank == 2);
    CHECK_FALSE(f.determined());
    CHECK(f.x(0, 0) == doctest::Approx(f.x(2, 0)).epsilon(1e-12));  // equal columns share the weight
    CHECK(f.x(1, 0) == doctest::Approx(f.x(3, 0)).epsilon(1e-12));
    CHECK(f.cutoff == doctest::Approx(50 * std::numeric_limits<double>::epsilon()));

    least_squares few(4, 1);  // fewer samples than unknowns: fits exactly, x in the span of the samples
    few.add(phi.view().slice_rows(0, 1), y.view().slice_rows(0, 1));
    const auto g = few.solve();
    CHECK(g.rank == 1);
    CHECK(g.residual <= 1e-14 * std::abs(y(0, 0)));
    CHECK(g.x(0, 0) * phi(0, 1) == doctest::Approx(g.x(1, 0) * phi(0, 0)));
    // A tolerance of one's own.
    CHECK(fit.solve(2).rank == 0);
    CHECK(largest(fit.solve(2).x) == 0);
}

TEST_CASE("nothing, zeros, bad numbers, no unknowns, no targets") {
    least_squares fit(3, 2);
    CHECK(fit.solve().rank == 0);
    CHECK(largest(fit.solve().x) == 0);
    const matrix<double> zero(5, 3), y(5, 2, 2.0);
    fit.add(zero.view(), y.view());
    CHECK(fit.solve().rank == 0);
    CHECK(fit.solve().residual == doctest::Approx(std::sqrt(40.0)));
    matrix<double> bad(5, 3);
    bad(4, 2) = INFINITY;
    CHECK_THROWS_WITH_AS(fit.add(bad.view(), y.view()), "hrm::least_squares: sample 4 is not finite", numerical_error);
    CHECK(fit.samples() == 5);
    CHECK_THROWS_AS(fit.add(zero.view(), zero.view()), shape_error);
    least_squares none(0, 2), aimless(3, 0);
    none.add(matrix<double>(5, 0).view(), y.view());
    CHECK(none.solve().residual == doctest::Approx(std::sqrt(40.0)));
    aimless.add(zero.view(), matrix<double>(5, 0).view());
    CHECK(aimless.solve().x.rows() == 3);
}

TEST_CASE("complex: the answer solves the normal equations with ^H, the ill-conditioned one keeps its digits") {
    random_stream r(4);
    const auto phi = normal_complex(r, 700, 9), y = normal_complex(r, 700, 3);
    least_squares_of<number> whole(9, 3), pieces(9, 3);
    whole.add(phi.view(), y.view());
    for (index_t first = 0, count; first < 700; first += count) {
        count = std::min<index_t>(700 - first, r.below(90));
        pieces.add(phi.view().slice_rows(first, count), y.view().slice_rows(first, count));
    }
    const auto f = whole.solve(), g = pieces.solve();
    auto gap = times(phi, f.x);
    for (std::size_t e = 0; e < gap.flat().size(); ++e) gap.flat()[e] = y.flat()[e] - gap.flat()[e];
    double square = 0, worst = 0;
    for (const auto& v : gap.flat()) square += std::norm(v);
    for (const auto& v : times(adjoint_of(phi), gap).flat()) worst = std::max(worst, std::abs(v));
    CHECK(worst <= 700 * 2.3e-16 * 5 * 700);  // 700 products of size |phi| |gap|, each rounded
    CHECK(f.residual == doctest::Approx(std::sqrt(square)).epsilon(1e-13));
    const auto sigma = jacobi_svd(phi).sigma;
    CHECK(f.condition == doctest::Approx(sigma.front() / sigma.back()).epsilon(1e-12));
    CHECK(f.determined());
    CHECK(distance_of(g.x, f.x) <= 1e-13);

    auto near = normal_complex(r, 100, 4);
    for (index_t t = 0; t < 100; ++t) near(t, 3) = number(0, 1) * near(t, 0) + 1e-7 * near(t, 3);
    const auto x = normal_complex(r, 4, 1), target = times(near, x);
    least_squares_of<number> fit(4, 1);
    fit.add(near.view(), target.view());
    CHECK(fit.solve().condition > 1e7);
    CHECK(distance_of(fit.solve().x, x) <= 100 * 2.3e-16 * fit.solve().condition);
    CHECK(fit.solve(1e-5).rank == 3);
    auto bad = target;
    bad(98, 0).imag(INFINITY);
    CHECK_THROWS_WITH_AS(fit.add(near.view(), bad.view()), "hrm::least_squares: sample 98 is not finite", numerical_error);
    CHECK(fit.samples() == 100);
}

TEST_CASE("complex: real samples give the real answer, and what is not determined has the least norm") {
    random_stream r(5);
    const auto phi = normal(r, 80, 5), y = normal(r, 80, 2);
    least_squares fit(5, 2);
    fit.add(phi.view(), y.view());
    least_squares_of<number> same(5, 2);
    same.add(complex_of(phi).view(), complex_of(y).view());
    const auto f = fit.solve();
    const auto g = same.solve();
    CHECK(distance_of(g.x, complex_of(f.x)) <= 1e-14 * f.condition);
    CHECK(g.residual == doctest::Approx(f.residual).epsilon(1e-13));
    CHECK(g.cutoff == f.cutoff);

    auto twice = normal_complex(r, 50, 2);  // the second column is i times the first: x_1 + i x_2 is known
    for (index_t t = 0; t < 50; ++t) twice(t, 1) = number(0, 1) * twice(t, 0);
    const auto target = times(number(3, 4), matrix<number>(twice.view().slice_cols(0, 1)));
    least_squares_of<number> least(2, 1);
    least.add(twice.view(), target.view());
    const auto x = least.solve();
    CHECK(x.rank == 1);
    CHECK_FALSE(x.determined());
    CHECK(std::abs(x.x(0, 0) - number(1.5, 2)) <= 1e-14);
    CHECK(std::abs(x.x(1, 0) - number(2, -1.5)) <= 1e-14);
}
