#include <hrm/systems/structure.hpp>

#include <complex>
#include <limits>

#include <doctest/doctest.h>

using namespace hrm;

static_assert(structure<diagonal<float>> && structure<complex_pairs<double>> && structure<dense<double>>);
static_assert(!structure<double>);

TEST_CASE("the dense form of a diagonal structure is diag(poles)") {
    const diagonal<double> a{{0.5, -0.25}};
    CHECK(a.order() == 2);
    CHECK(to_dense(a) == matrix<double>{{0.5, 0}, {0, -0.25}});
}

TEST_CASE("a conjugate pair as a rotation is multiplication by re + i im") {
    const complex_pairs<double> a{{0.9}, {0.3, -0.2}, {0.4, 0.7}};
    CHECK(a.reals() == 1);
    CHECK(a.pairs() == 2);
    CHECK(a.order() == 5);
    const auto m = to_dense(a);
    const double x[5] = {2, 1, -3, 5, 7};  // [real | Re | Im]
    for (index_t k = 0; k < 2; ++k) {
        const auto j = static_cast<std::size_t>(k);
        const auto want = std::complex(a.re[j], a.im[j]) * std::complex(x[1 + k], x[3 + k]);
        double re = 0, im = 0;
        for (index_t i = 0; i < 5; ++i) {
            re += m(1 + k, i) * x[i];
            im += m(3 + k, i) * x[i];
        }
        // Two products and a sum, fused or not: 2 eps of the larger product.
        CHECK(std::abs(re - want.real()) <= 2 * std::numeric_limits<double>::epsilon() * 5);
        CHECK(std::abs(im - want.imag()) <= 2 * std::numeric_limits<double>::epsilon() * 5);
    }
    CHECK(m(0, 0) == 0.9);
}

TEST_CASE("parts that do not belong together are refused") {
    CHECK_THROWS_WITH_AS((complex_pairs<double>{{}, {0.1, 0.2}, {0.3}}.check()),
                         "hrm::complex_pairs: number of imaginary parts is 1, expected 2", shape_error);
    CHECK_THROWS_WITH_AS((dense<float>{matrix<float>(2, 3)}.check()), "hrm::dense: A is 2x3, expected 2x2", shape_error);
    CHECK_NOTHROW((dense<float>{matrix<float>(3, 3)}.check()));
}

// A function that asks for a structure knows real systems alone.
using number = std::complex<double>;
static_assert(any_structure<dense<number>> && any_structure<diagonal<std::complex<float>>>);
static_assert(complex_structure<dense<number>> && !structure<dense<number>> && !structure<diagonal<std::complex<float>>>);
static_assert(!complex_structure<dense<double>> && !complex_structure<complex_pairs<float>>);

TEST_CASE("complex poles stand on the diagonal of the dense form as they are") {
    const diagonal<number> a{{{0.5, 0.25}, {-0.25, -1}}};
    CHECK(to_dense(a) == matrix<number>{{{0.5, 0.25}, 0}, {0, {-0.25, -1}}});
    CHECK_THROWS_AS((dense<std::complex<float>>{matrix<std::complex<float>>(2, 3)}.check()), shape_error);
}
