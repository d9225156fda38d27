#include <atomic>
#include <chrono>

#include <hrm/cuda/detail/chunked_dense.hpp>
#include <hrm/cuda/detail/decode_step.hpp>
#include <hrm/cuda/detail/fft_states.hpp>
#include <hrm/cuda/detail/fused_passes.hpp>
#include <hrm/cuda/detail/token_convolution.hpp>
#include <hrm/cuda/detail/window_convolution.hpp>

#include <cuda/host_threads.hpp>
#include <scan/support.hpp>

// Every kernel of blocks with its threads running at once gives the bits that they give one after the other: no barrier is
// missing. Few and small shapes, for 256 threads of the host stand for a block's.

using namespace hrm;
using namespace cuda_test;
using hrm::test::random_matrix;

namespace {

/// Thread 0 waits until all others are through the step after its own.
struct overtaken {
    static constexpr int threads = 64;
    std::atomic<int>*passed, *seen;
    template <class Block>
    void operator()(const Block& block) const {
        block.threads([&](int thread) {
            const auto most = std::chrono::steady_clock::now() + std::chrono::seconds(20);
            while (thread == 0 && passed->load() < threads - 1 && std::chrono::steady_clock::now() < most) std::this_thread::yield();
            if (thread == 0) seen->store(passed->load());
        });
        block.threads([&](int thread) { *passed += thread > 0; });
    }
};

/// What every thread leaves in shared memory, read by its neighbour after a barrier.
struct neighbours {
    static constexpr int threads = 64;
    int* out;
    template <class Block>
    void operator()(const Block& block) const {
        int* const shared = reinterpret_cast<int*>(block.shared);
        block.each([&](int thread) { shared[thread] = thread; });
        block.each([&](int thread) { out[thread] = shared[(thread + 1) % threads]; });
    }
};

using numbers = std::vector<double>;
template <class M>
void append(numbers& to, const M& m) {
    for (const auto x : m.flat()) to.push_back(hrm::detail::widened(x));
}
/// The same bits; NaN, which no result may hold, differs from itself.
void check_same(const numbers& x, const numbers& y) {
    CHECK(x.size() > 0);
    CHECK(x == y);
}

template <class Tiles, class Device>
numbers fused(const Device& device, index_t states, index_t batch, index_t time, index_t length) {
    using T = typename Tiles::T;
    random_stream r(static_cast<std::uint64_t>(states));
    hrm_options o = hrm_options::published(states);
    o.poles = poles::complex_pairs, o.static_states = states % 2 + 2, o.learn_initial_state = true;
    hrm_adapter<float> a(200, 40, o, r);
    test::shake(a, r);
    const index_t rows = batch * time;
    const auto u = converted<T>(random_matrix<float>(rows, 200, r)), dout = converted<T>(random_matrix<float>(rows, 40, r));
    detail::folded_weights<T, Device> w(device, detail::layout_of(a));
    w.set(a.parameters().flat().data());
    detail::fused_passes<Tiles, Device> passes(device, w.layout(), {.batch = batch, .time = time}, length);
    matrix<T> out(rows, 40), du(rows, 200);
    matrix<float> s(rows, states), final(batch, a.state_size()), gradient(1, a.parameters().size());
    passes.forward(w, u.view(), out.view(), s.view(), {}, final.view());
    passes.backward(w, u.view(), dout.view(), s.view(), du.view(), gradient.flat(), {}, {}, final.view());
    numbers all;
    append(all, out), append(all, s), append(all, final), append(all, du), append(all, gradient);
    return all;
}

template <storable T, class Device>
numbers decoded(const Device& device, index_t batch) {
    random_stream r(4);
    hrm_options o = hrm_options::published(9);
    o.poles = poles::complex_pairs, o.static_states = 3;
    hrm_adapter<float> a(150, 70, o, r);
    test::shake(a, r);
    detail::folded_weights<T, Device> w(device, detail::layout_of(a));
    w.set(a.parameters().flat().data());
    detail::decode_plan<T, Device> step(device, w.layout(), batch);
    const auto u = converted<T>(random_matrix<float>(batch, 150, r));
    matrix<T> out(batch, 70);
    matrix<float> state = random_matrix<float>(batch, a.state_size(), r);
    for (int t = 0; t < 2; ++t) step.run(w, u, out.view(), state.view());
    numbers all;
    append(all, out), append(all, state);
    return all;
}

/// States and their adjoint by Scan, of any A.
template <class A, class Scan>
numbers scanned(const A& a, Scan&& scan, index_t batch, index_t time) {
    using S = typename A::scalar;
    random_stream r(5);
    auto s = random_matrix<S>(batch * time, a.order(), r), lambda = random_matrix<S>(batch * time, a.order(), r);
    const auto initial = random_matrix<S>(batch, a.order(), r), after = random_matrix<S>(batch, a.order(), r);
    matrix<S> final(batch, a.order()), dinitial(batch, a.order()), da(1, scan::coefficients(a));
    scan.states(a, s, s.view(), initial, final.view());
    scan.states_backward(a, s, initial, lambda.view(), da.flat(), dinitial.view(), after);
    numbers all;
    append(all, s), append(all, final), append(all, lambda), append(all, da), append(all, dinitial);
    return all;
}

template <class Device>
numbers convolved(const Device& device) {
    random_stream r(6);
    const auto h = random_matrix<float>(5, 35, r), u = random_matrix<float>(2 * 70, 35, r);
    const auto initial = random_matrix<float>(2 * 4, 35, r);
    scan::detail::window_convolution<float, Device> conv(device, 5, 35, {.batch = 2, .time = 70});
    matrix<float> y(2 * 70, 35), final(2 * 4, 35), du(2 * 70, 35), dh(5, 35), dinitial(2 * 4, 35);
    conv.forward(h, u, y.view(), initial, final.view());
    conv.backward(h, u, y, du.view(), dh.view(), initial, dinitial.view(), initial);
    numbers all;
    append(all, y), append(all, final), append(all, du), append(all, dh), append(all, dinitial);
    scan::detail::token_convolution<float, Device> stream(device, 5, 35, 4);
    for (index_t t = 0; t < 7; ++t) {
        const auto four = u.view().slice_rows(4 * t, 4);
        auto out = y.view().slice_rows(0, 4);
        stream.push(h, four, out);
        append(all, matrix<float>(out));
    }
    return all;
}

}  // namespace

TEST_CASE("a block's threads run at once, in no order but that of its barriers") {
    const threaded_host device;
    std::atomic<int> passed = 0, seen = 0;
    device.launch_blocks(1, 0, overtaken{&passed, &seen});
    CHECK(seen == overtaken::threads - 1);
    std::vector<int> out(neighbours::threads);
    device.launch_blocks(3, sizeof(int) * neighbours::threads, neighbours{out.data()});
    for (int i = 0; i < neighbours::threads; ++i) CHECK(out[static_cast<std::size_t>(i)] == (i + 1) % neighbours::threads);
}

TEST_CASE("no barrier is missing in the fused kernels, at any width and length of tiles, however late a fetch arrives") {
    for (const bool late : {true, false})
        for (const index_t states : {9, 20, 41})
            for (const index_t length : {32, 128}) {
                if (!late && states != 20) continue;
                CAPTURE(states);
                CAPTURE(length);
                CAPTURE(late);
                using float_tiles = detail::fma_tiles<float, host_lanes>;
                check_same(fused<float_tiles>(threaded_host{{}, late}, states, 2, 70, length), fused<float_tiles>(host_tiler{{}, late}, states, 2, 70, length));
                check_same(fused<plain_tiles<bf16>>(threaded_host{{}, late}, states, 1, 150, length), fused<plain_tiles<bf16>>(host_tiler{{}, late}, states, 1, 150, length));
            }
}

TEST_CASE("nor in a decoded token's") {
    for (const index_t batch : {1, 9}) {
        check_same(decoded<float>(threaded_host{}, batch), decoded<float>(host_products{}, batch));
        check_same(decoded<bf16>(threaded_host{}, batch), decoded<bf16>(host_products{}, batch));
    }
}

TEST_CASE("nor in scans of a dense A, of poles by transforms, and in convolutions") {
    const auto dense = scan_test::dense_poles<float>(5);
    const auto by_chunks = [&](auto device) { return scanned(dense, scan::detail::chunked_dense<float, decltype(device)>(device, 5, 2, 60, 7), 2, 60); };
    check_same(by_chunks(threaded_host{}), by_chunks(host_products{}));
    const auto wide = scan_test::dense_poles<double>(130);  // more states than threads
    const auto by_blocks = [&](auto device) { return scanned(wide, scan::detail::chunked_dense<double, decltype(device)>(device, 130, 1, 9, 4), 1, 9); };
    check_same(by_blocks(threaded_host{}), by_blocks(host_products{}));
    const auto pairs = scan_test::pair_poles<float>(3, 16);
    const auto by_transforms = [&](auto device) { return scanned(pairs, scan::detail::fft_states<complex_pairs<float>, decltype(device)>(device, pairs, 2, 40), 2, 40); };
    check_same(by_transforms(threaded_host{}), by_transforms(host_products{}));
    check_same(convolved(threaded_host{}), convolved(host_products{}));
}
