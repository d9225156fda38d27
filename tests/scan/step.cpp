#include <hrm/scan/step.hpp>

#include <doctest/doctest.h>

#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

/// Token by token: the states of the whole sequence, bit for bit.
template <class A>
void check_steps(const A& a) {
    using S = typename A::scalar;
    const index_t n = a.order(), time = 300;
    random_stream r(2);
    const auto z = normal<S>(r, time, n), initial = normal<S>(r, 1, n);
    matrix<S> whole(time, n), steps(time, n);
    scan::plan p(cpu{}, scan::sequential{}, a, {.batch = 1, .time = time});
    p.states(a, z, whole, initial);
    buffer<S> state(initial.flat().begin(), initial.flat().end());
    for (index_t t = 0; t < time; ++t) {
        scan::step(a, std::span<S>(state), z.view().row_span(t));
        std::copy(state.begin(), state.end(), steps.view().row(t));
    }
    CAPTURE(n);
    CHECK(steps == whole);
}

}  // namespace

TEST_CASE_TEMPLATE("streaming equals the whole pass", S, float, double) {
    check_steps(real_poles<S>(13));
    check_steps(pair_poles<S>(3, 5));
    check_steps(dense_poles<S>(9));
    check_steps(dense_poles<S>(70));
}

TEST_CASE("a token of the wrong width is refused") {
    buffer<float> state(3), z(2);
    CHECK_THROWS_WITH_AS(scan::step(real_poles<float>(3), std::span<float>(state), std::span<const float>(z)),
                         "hrm::scan::step: z is 2, expected 3", shape_error);
}
