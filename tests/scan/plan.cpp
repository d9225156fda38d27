#include <hrm/scan/plan.hpp>

#include <doctest/doctest.h>

#include <scan/support.hpp>

using namespace hrm;
using namespace scan_test;

namespace {

const index_t lengths[] = {1, 2, 3, 17, 128, 1000, 4096, 65536};

template <class Algorithm, class A>
void check_states(Algorithm how, const A& a, index_t batch) {
    using S = typename A::scalar;
    for (const index_t time : lengths) {
        random_stream r(static_cast<std::uint64_t>(time));
        auto z = normal<S>(r, batch * time, a.order()), initial = normal<S>(r, batch, a.order());
        for (auto& x : initial.flat()) x *= 10;
        const auto want = reference_states(a, z, initial, batch);
        scan::plan p(cpu{}, how, a, {.batch = batch, .time = time});
        matrix<S> final(batch, a.order());
        p.states(a, z, z, initial, final);
        const double error = relative_error(z, want);
        CAPTURE(time);
        CAPTURE(batch);
        CAPTURE(a.order());
        CHECK(error <= states_bar<S>);
        for (index_t b = 0; b < batch; ++b)
            for (index_t i = 0; i < a.order(); ++i) CHECK(final(b, i) == z(b * time + time - 1, i));
    }
}

}  // namespace

TEST_CASE_TEMPLATE("sequential states against the definition in double", S, float, double) {
    for (const index_t batch : {1, 3}) {
        check_states(scan::sequential{}, real_poles<S>(13), batch);
        check_states(scan::sequential{}, pair_poles<S>(3, 5), batch);
        check_states(scan::sequential{}, dense_poles<S>(9), batch);
    }
}
