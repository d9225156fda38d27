#include <hrm/cuda/sketch.cuh>

#include <doctest/doctest.h>

#include <cuda/device.hpp>

using namespace hrm;
using namespace cuda_test;

namespace {

/// A device's sketch beside the host's, of the same activations, in a graph and out of it.
template <storable T>
void check(index_t width, const sketch_options& o, const std::vector<index_t>& lengths, random_stream& r, double tolerance) {
    own_stream stream;
    moment_sketch got(width, o), again(width, o), want(width, o);
    device_moment_sketch<T> first(stream.where, got), second(stream.where, got);
    workspace ws;
    std::vector<on_device<T>> held;
    for (const index_t length : lengths) {
        matrix<T> u(length, width);
        matrix<double> w(length, width);
        for (index_t i = 0; i < u.size(); ++i) w.data()[i] = hrm::detail::widened(u.data()[i] = hrm::detail::narrowed<T>(r.normal() + 0.3));
        want.add(w.view(), ws);
        held.emplace_back(u);
    }
    for (const auto& u : held) first.add(u);
    first.merge_into(got);
    for (std::size_t i = held.size(); i-- > 0;) run_as_graph(stream.where, [&] { second.add(held[i]); });
    second.merge_into(again);
    CHECK(got.count() == want.count());
    CHECK(got.words() == again.words());  // any order, captured or not
    const auto y = got.sketch(), z = want.sketch();
    double error = 0, size = 0;
    for (index_t i = 0; i < y.size(); ++i) {
        error += (y.data()[i] - z.data()[i]) * (y.data()[i] - z.data()[i]);
        size += z.data()[i] * z.data()[i];
    }
    CHECK(std::sqrt(error) <= tolerance * std::sqrt(size));
    second.merge_into(again);  // nothing any more
    CHECK(got.words() == again.words());
}

}  // namespace

TEST_CASE("a device's sketch merges with the host's, and is the host's but for rounding") {
    if (!present()) return;
    random_stream r(71);
    for (int round = 0; round < 10; ++round) {
        const sketch_options o{.columns = 8 + r.below(60), .seed = r.bits()};
        const index_t width = 1 + r.below(700);
        const std::vector<index_t> lengths{1 + r.below(300), 1, 1 + r.below(5000)};
        check<double>(width, o, lengths, r, 1e-12);
        check<float>(width, o, lengths, r, 1e-4);  // sums of 4096 tokens and of the width
        check<bf16>(width, o, lengths, r, 1e-4);
    }
    check<bf16>(4096, {}, {2048}, r, 1e-4);
}

TEST_CASE("activations that are not finite are reported at the merge, and nothing is taken") {
    if (!present()) return;
    moment_sketch host(40, {.columns = 12}), other(40, {.columns = 13});
    const auto before = host.words();
    device_moment_sketch<float> device(cuda{}, host);
    matrix<float> u(9, 40, 1.0f);
    const on_device<float> good(u);
    u(3, 17) = INFINITY;
    const on_device<float> bad(u);
    device.add(good);
    device.add(bad);
    CHECK_THROWS_WITH_AS(device.merge_into(other),
                         "hrm::device_moment_sketch: a sketch of 13 columns, 4 probes, seed 1, expected 12, 4, 1", shape_error);
    moment_sketch narrow(39, {.columns = 12});
    CHECK_THROWS_WITH_AS(device.merge_into(narrow), "hrm::device_moment_sketch: the width of a sketch is 39, expected 40", shape_error);
    CHECK_THROWS_WITH_AS(device.merge_into(host),
                         "hrm::device_moment_sketch: 1 of 2 pieces were not finite or too large, expected 0 of at most 2^30", numerical_error);
    CHECK(host.words() == before);
    device.add(good);
    device.merge_into(host);
    CHECK(host.count() == 9);
}
