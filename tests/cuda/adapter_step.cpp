#include <hrm/cuda/detail/adapter_passes.hpp>
#include <hrm/cuda/detail/decode_step.hpp>

#include <cuda/host_products.hpp>

using namespace hrm;
using namespace cuda_test;
using hrm::test::distance;
using hrm::test::random_matrix;

namespace {

/// Tokens one by one against the CPU's whole sequence.
template <storable T>
void check(random_stream& r, double tolerance, index_t widest, const host_products& device = {}) {
    using S = accumulate_t<T>;
    const index_t batch = 1 + r.below(r.below(8) ? 5 : 70), time = 1 + r.below(6), inputs = 1 + r.below(widest), outputs = 1 + r.below(widest);
    const auto a = random_adapter<S>(inputs, outputs, r);
    const index_t n = a->state_size();
    const auto u = converted<T>(random_matrix<S>(batch * time, inputs, r));
    const auto start = converted<T>(random_matrix<S>(batch * time, outputs, r));
    auto out = start;
    const auto want = on_cpu<S>(*a, batch, converted<S>(u), converted<S>(start), matrix<S>(batch * time, outputs), matrix<S>(batch * time, inputs), {},
                                buffer<S>(static_cast<std::size_t>(a->parameters().size())));
    detail::folded_weights<T, host_products> w(device, detail::layout_of(*a));
    w.set(a->parameters().flat().data());
    detail::decode_plan<T, host_products> step(device, w.layout(), batch);
    matrix<S> state(batch, n, S(std::numeric_limits<float>::quiet_NaN()));
    w.begin(state);
    for (index_t t = 0; t < time; ++t)  // row t of every sequence: rows time * stride apart
        step.run(w, {u.view().row(t), batch, inputs, time * inputs}, {out.view().row(t), batch, outputs, time * outputs}, state);
    INFO(a->kind() << " states " << w.layout().states() << " batch " << batch << " time " << time << " layer " << outputs << "x" << inputs);
    CHECK(distance(converted<S>(out), want.out) <= tolerance);
    CHECK(distance(state, want.final) <= tolerance);
}

}  // namespace

TEST_CASE("token by token, the step gives the outputs and states of the CPU") {
    random_stream r(41);
    for (int round = 0; round < 300; ++round) {
        check<double>(r, 1e-12, round % 10 ? 60 : 400);
        check<float>(r, 1e-5, round % 10 ? 60 : 400);
        check<bf16>(r, 2e-2, 90);
    }
}

TEST_CASE("a device that runs few blocks at once is asked for no more") {
    random_stream r(42);
    for (const index_t most : {1, 3, 4, 63})
        for (int round = 0; round < 8; ++round) check<double>(r, 1e-12, 1500, {{nullptr, most}});
}

TEST_CASE("every column and every output belongs to one block") {
    for (index_t count = 1; count < 5000; count += 1 + count / 7)
        for (const index_t blocks : {1, 2, 8, 64}) {
            detail::decode_step<bf16> f{};
            f.inputs = count, f.blocks = blocks;
            CHECK(f.first(count, 0) == 0);
            CHECK(f.first(count, blocks) == count);
            for (index_t b = 0; b < blocks; ++b) {
                CHECK(f.first(count, b + 1) - f.first(count, b) >= 0);
                CHECK(f.first(count, b + 1) - f.first(count, b) <= f.share(count));
            }
        }
}
