#include <hrm/scan/engine.hpp>

#include <doctest/doctest.h>

#include <hrm/scan/plan.hpp>

using namespace hrm;

namespace {
struct unknown_structure {
    using scalar = float;
    index_t order() const { return 0; }
};
struct unknown_algorithm {};

template <class A>
constexpr bool complete_row = scan::has_engine<cpu, scan::sequential, A> && scan::has_engine<cpu, scan::fft, A> &&
                              scan::has_engine<cpu, scan::chunked, A> && scan::has_engine<cpu, scan::automatic, A>;
}  // namespace

TEST_CASE("every algorithm has an engine for every structure, and nothing else has") {
    static_assert(complete_row<diagonal<float>> && complete_row<diagonal<double>>);
    static_assert(complete_row<complex_pairs<float>> && complete_row<complex_pairs<double>>);
    static_assert(complete_row<dense<float>> && complete_row<dense<double>>);
    static_assert(!scan::has_engine<cpu, scan::sequential, unknown_structure>);
    static_assert(!scan::has_engine<cpu, unknown_algorithm, diagonal<float>>);
    static_assert(!scan::has_engine<cuda, scan::sequential, diagonal<float>>);
    static_assert(!scan::complete<cuda>);
}

TEST_CASE("a system stands for its structure, a structure for itself") {
    static_assert(std::same_as<scan::structure_of_t<discrete<dense<float>>>, dense<float>>);
    static_assert(std::same_as<scan::structure_of_t<diagonal<double>>, diagonal<double>>);
    CHECK(scan::coefficients(diagonal<float>{{1, 2, 3}}) == 3);
    CHECK(scan::coefficients(complex_pairs<float>{{1}, {2}, {3}}) == 3);
    CHECK(scan::coefficients(dense<float>{matrix<float>(3, 3)}) == 9);
}
