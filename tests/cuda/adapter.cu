#include <hrm/cuda/adapter.cuh>

#include <doctest/doctest.h>

#include <cuda/adapter_support.hpp>
#include <cuda/device.hpp>

using namespace hrm;
using namespace cuda_test;
using hrm::test::distance;
using hrm::test::random_matrix;

namespace {

template <class S>
bool same_bits(const matrix<S>& x, const matrix<S>& y) {
    return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.flat().size_bytes()) == 0;
}

/// Forward and backward on the device, twice, against the CPU in the scalar of the parameters.
template <template <class> class Plan, storable T>
void check_plan(const adapter<accumulate_t<T>>& a, index_t batch, index_t time, random_stream& r, double tolerance) {
    using S = accumulate_t<T>;
    const index_t rows = batch * time, dynamic = a.state_size();
    const auto u = converted<T>(random_matrix<S>(rows, a.inputs(), r)), dout = converted<T>(random_matrix<S>(rows, a.outputs(), r));
    const auto out = converted<T>(random_matrix<S>(rows, a.outputs(), r)), du = converted<T>(random_matrix<S>(rows, a.inputs(), r));
    const auto initial = dynamic > 0 ? random_matrix<S>(batch, dynamic, r) : matrix<S>();
    const auto size = a.parameters().size();
    const auto want = on_cpu<S>(a, batch, converted<S>(u), converted<S>(out), converted<S>(dout), converted<S>(du), initial, buffer<S>(static_cast<std::size_t>(size)));
    INFO(a.kind() << " batch " << batch << " time " << time << " layer " << a.outputs() << "x" << a.inputs());

    const own_stream stream;
    adapter_weights<T> w(stream.where, a);
    Plan<T> plan(stream.where, w, {.batch = batch, .time = time});
    matrix<S> flat(1, size);
    std::copy_n(a.parameters().flat().data(), size, flat.data());
    const on_device<S> parameters(flat), start(initial);
    const on_device<T> du_(u), ddout(dout);
    w.set(parameters.memory.data());
    struct results {
        matrix<T> out, du;
        matrix<S> gradient, final;
        std::size_t left;  ///< of the device's memory, while everything above is there
    };
    const auto run = [&] {
        const on_device<T> to(out), slope(du);
        const on_device<S> states(rows, w.layout().states()), gradient(matrix<S>(1, size)), final(batch, dynamic), dinitial(batch, dynamic);
        run_as_graph(stream.where, [&] {
            plan.forward(w, du_, to, states, start, final);
            plan.backward(w, du_, ddout, states, slope, {gradient.memory.data(), static_cast<std::size_t>(size)}, start, dinitial);
        });
        return results{to.back(stream.where), slope.back(stream.where), gradient.back(stream.where), final.back(stream.where), free_memory()};
    };
    const auto first = run(), second = run();
    CHECK(second.left >= first.left);  // the first run warms up: what it took for graphs is there for the second
    CHECK(same_bits(first.out, second.out));
    CHECK(same_bits(first.du, second.du));
    CHECK(same_bits(first.gradient, second.gradient));
    CHECK(distance(converted<S>(first.out), want.out) <= tolerance);
    CHECK(distance(converted<S>(first.du), want.du) <= tolerance);
    CHECK(distance(first.final, want.final) <= tolerance);
    std::vector<double> got(first.gradient.flat().begin(), first.gradient.flat().end()), expected(want.gradient.begin(), want.gradient.end());
    CHECK(distance(std::span<const double>(got), expected) <= tolerance);
}

template <class T>
using by_blas = adapter_plan<T>;
template <class T>
using by_tiles = fused_adapter_plan<T>;

template <storable T>
void check(const adapter<accumulate_t<T>>& a, index_t batch, index_t time, random_stream& r, double tolerance) {
    check_plan<by_blas, T>(a, batch, time, r, tolerance);
    if constexpr (!std::is_same_v<T, double>)
        if (a.inputs() % 8 == 0 && a.outputs() % 8 == 0) check_plan<by_tiles, T>(a, batch, time, r, tolerance);
}

}  // namespace

TEST_CASE("adapters on the device are those of the CPU, captured in a graph, with the same bits from run to run") {
    if (!present()) return;
    random_stream r(31);
    for (int round = 0; round < 40; ++round) {
        const index_t batch = 1 + r.below(3), time = 1 + r.below(round % 4 ? 100 : 3000), inputs = 1 + r.below(300), outputs = 1 + r.below(300);
        check<double>(*random_adapter<double>(inputs, outputs, r), batch, time, r, 1e-11);
        check<float>(*random_adapter<float>(round % 2 ? inputs : 8 * inputs, round % 2 ? outputs : 8 * outputs, r), batch, time, r, 1e-4);  // both sides round: 3000 sums of 300 terms
        check<bf16>(*random_adapter<float>(8 * inputs, 8 * outputs, r), batch, time, r, 2e-2);
    }
    for (const index_t n : {16, 32, 64}) {
        hrm_adapter<float> large(4096, 4096, hrm_options::published(n), r);
        test::shake(large, r);
        check<bf16>(large, 1, 2048, r, 2e-2);
        check<bf16>(large, 3, 8192, r, 2e-2);  // tiles of 128 tokens
    }
}

TEST_CASE("small adapters of every width, in tiles of 32 and of 128 tokens") {  // for sanitizers, which are slow
    if (!present()) return;
    random_stream r(33);
    for (const index_t n : {6, 20, 41}) {
        hrm_options o = hrm_options::published(n);
        o.learn_initial_state = true;
        hrm_adapter<float> a(72, 40, o, r);
        test::shake(a, r);
        check<float>(a, 2, 70, r, 1e-5);
        check<bf16>(a, 2, 70, r, 2e-2);
        check<bf16>(a, 128, 3, r, 2e-2);  // as many tiles as make them long
    }
    check<float>(reduced_adapter<float>(8, 16, {}), 2, 5, r, 1e-5);
}

TEST_CASE("decoding by a captured step gives the CPU's outputs, with the same bits from run to run") {
    if (!present()) return;
    random_stream r(32);
    const auto decode = [&]<class T>(T, index_t batch, index_t width, double tolerance) {
        constexpr index_t time = 5;
        hrm_options o = hrm_options::published(20);
        o.static_states = 4;
        hrm_adapter<float> a(width, width, o, r);
        test::shake(a, r);
        const auto u = converted<T>(random_matrix<float>(batch * time, width, r));
        const auto want = on_cpu<float>(a, batch, converted<float>(u), matrix<float>(batch * time, width), matrix<float>(batch * time, width),
                                        matrix<float>(batch * time, width), {}, buffer<float>(static_cast<std::size_t>(a.parameters().size())));
        const own_stream stream;
        adapter_weights<T> w(stream.where, a);
        adapter_step<T> step(stream.where, w, batch);
        matrix<float> flat(1, a.parameters().size());
        std::copy_n(a.parameters().flat().data(), flat.size(), flat.data());
        const on_device<float> parameters(flat);
        const on_device<T> in(u);
        w.set(parameters.memory.data());
        const auto run = [&] {
            const on_device<T> out(matrix<T>(batch * time, width));
            const on_device<float> state(batch, a.state_size());
            run_as_graph(stream.where, [&] {
                w.begin(state);
                for (index_t t = 0; t < time; ++t)
                    step(w, {in.memory.data() + t * width, batch, width, time * width}, {out.memory.data() + t * width, batch, width, time * width}, state);
            });
            CHECK(distance(state.back(stream.where), want.final) <= tolerance);
            return out.back(stream.where);
        };
        const auto first = run(), second = run();
        INFO("batch " << batch << " width " << width);
        CHECK(same_bits(first, second));
        CHECK(distance(converted<float>(first), want.out) <= tolerance);
    };
    for (const index_t batch : {1, 2, 9, 70})
        for (const index_t width : {24, 100, 4096}) {
            decode(float{}, batch, width, 1e-5);
            decode(bf16{}, batch, width, 2e-2);
        }
}
