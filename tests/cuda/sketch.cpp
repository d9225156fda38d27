#include <hrm/cuda/detail/moment_sums.hpp>

#include <doctest/doctest.h>

#include <hrm/reduction/empirical.hpp>
#include <hrm/reduction/sketch.hpp>

#include <cuda/host_products.hpp>

using namespace hrm;
using namespace cuda_test;

namespace {

template <storable T>
using sums = hrm::detail::moment_sums<T, host_products>;

/// Activations of any size, the columns of very different ones.
template <storable T>
matrix<T> activations(random_stream& r, index_t rows, index_t cols) {
    matrix<T> u(rows, cols);
    std::vector<double> scale(static_cast<std::size_t>(cols));
    for (auto& s : scale) s = std::exp(3 * r.normal());
    for (index_t t = 0; t < rows; ++t)
        for (index_t j = 0; j < cols; ++j) u(t, j) = hrm::detail::narrowed<T>(scale[static_cast<std::size_t>(j)] * r.normal());
    return u;
}
template <storable T>
matrix<double> wide(const matrix<T>& u) {
    matrix<double> w(u.rows(), u.cols());
    for (index_t i = 0; i < u.size(); ++i) w.data()[i] = hrm::detail::widened(u.data()[i]);
    return w;
}
template <class Sums>
void merge_into(moment_sketch& to, const Sums& from) {
    REQUIRE(from.counts()[0].refused == 0);
    to.merge(from.counts()[0].tokens, from.digits());
}

template <storable T>
void check(index_t width, const sketch_options& o, const std::vector<index_t>& lengths, random_stream& r) {
    moment_sketch got(width, o), want(width, o);
    sums<T> device({}, got.map());
    workspace ws;
    double squares = 0, most = 0;
    index_t tokens = 0;
    for (const index_t length : lengths) {
        const auto u = activations<T>(r, length, width);
        const auto w = wide(u);
        for (const double x : w.flat()) squares += x * x;
        device.add(u.view());
        want.add(w.view(), ws);  // in double
        tokens += length;
        most = std::max(most, static_cast<double>(length));
    }
    merge_into(got, device);
    CHECK(got.count() == tokens);
    if (tokens == 0) return;
    // Y_ij / T is a sum over t of products of u and z, each z a sum over width; |Y_ij| <= squares |Omega_j|: rounding in
    // accumulate_t<T> is at most (length + width) eps of that over T, and bf16 splits z with 2^-17.
    const auto omega = got.map().dense();
    const double eps = std::same_as<T, double> ? 0x1p-53 : 0x1p-24, split = std::same_as<T, bf16> ? 0x1p-17 : 0;
    const auto y = got.sketch(), z = want.sketch();
    bool good = true;
    for (index_t j = 0; j < omega.cols(); ++j) {
        double norm = 0;
        for (index_t i = 0; i < width; ++i) norm += omega(i, j) * omega(i, j);
        const double bar = 2 * ((most + static_cast<double>(width)) * eps + split) * squares / static_cast<double>(tokens) * std::sqrt(norm);
        for (index_t i = 0; i < width; ++i) good = good && std::abs(y(i, j) - z(i, j)) <= bar;
    }
    CHECK(good);
    CHECK(got.estimate(1).total == doctest::Approx(squares / static_cast<double>(tokens)).epsilon(2 * 0x1p-53 * static_cast<double>(tokens * width)));  // of so many squares
}

}  // namespace

TEST_CASE("random shapes: what a device adds up is what the host does, but for rounding") {
    random_stream r(61);
    for (int round = 0; round < 60; ++round) {
        const sketch_options o{.columns = 18 + r.below(24), .probes = 1 + r.below(5), .seed = r.bits()};
        const index_t width = 1 + r.below(round % 3 ? 40 : 600);
        std::vector<index_t> lengths;
        for (index_t i = r.below(4); i >= 0; --i) lengths.push_back(r.below(60));
        check<double>(width, o, lengths, r);
        check<float>(width, o, lengths, r);
        check<bf16>(width, o, lengths, r);
    }
    check<bf16>(300, {.columns = 40}, {4096, 4097, 8200 - 4097}, r);  // on either side of a piece
}

TEST_CASE("where nothing is rounded, the bits are the host's") {
    random_stream r(62);
    const sketch_options o{.columns = 12, .probes = 2, .seed = 5};
    moment_sketch host(100, o), other(100, o);
    sums<bf16> device({}, host.map());
    workspace ws;
    for (const index_t length : {1, 30, 64}) {
        matrix<bf16> u(length, 100);
        matrix<float> same(length, 100);
        for (index_t i = 0; i < u.size(); ++i) u.data()[i] = bf16(same.data()[i] = static_cast<float>(r.below(5) - 2));
        device.add(u.view());
        host.add(same.view(), ws);
    }
    merge_into(other, device);
    const auto y = other.sketch(), z = host.sketch();
    bool equal = true;
    for (index_t i = 0; i < 100; ++i)
        for (index_t j = 0; j < 10; ++j) equal = equal && y(i, j) == z(i, j);  // the probes are no integers
    CHECK(equal);
    CHECK(other.estimate(3).total == host.estimate(3).total);
    CHECK(host.count() == 95);
}

TEST_CASE("with as many columns as states the sketch is the empirical Gramian itself") {
    random_stream r(65);
    const index_t n = 12, length = 500;
    moment_sketch host(n, {.columns = n + 1, .probes = 1});
    state_covariance want(n);
    sums<float> device({}, host.map());
    for (int sequence = 0; sequence < 3; ++sequence) {
        const auto s = activations<float>(r, length, n);
        device.add(s.view());
        want.add(s.view());
    }
    merge_into(host, device);
    const auto w = host.sketch(), v = want.gramian();
    bool good = true;  // sums of `length` products in float
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j)
            good = good && std::abs(w(i, j) - v(i, j)) <= static_cast<double>(length) * 0x1p-24 * std::sqrt(v(i, i) * v(j, j));
    CHECK(good);
}

TEST_CASE("any order of adding, by one device or three and the host, gives the same bits") {
    random_stream r(63);
    const sketch_options o{.columns = 14, .probes = 3, .seed = 9};
    std::vector<matrix<bf16>> all;
    for (index_t i = 0; i < 9; ++i) all.push_back(activations<bf16>(r, 1 + r.below(40), 70));
    const auto at_host = activations<float>(r, 20, 70);
    workspace ws;
    moment_sketch once(70, o);
    sums<bf16> one({}, once.map());
    for (const auto& u : all) one.add(u.view());
    merge_into(once, one);
    once.add(at_host.view(), ws);
    for (int trial = 0; trial < 6; ++trial) {
        for (std::size_t i = all.size(); i-- > 1;) std::swap(all[i], all[static_cast<std::size_t>(r.below(static_cast<index_t>(i + 1)))]);
        moment_sketch got(70, o);
        std::vector<sums<bf16>> devices(3, sums<bf16>({}, got.map()));
        for (const auto& u : all) devices[static_cast<std::size_t>(r.below(3))].add(u.view());
        got.add(at_host.view(), ws);
        for (auto& d : devices) merge_into(got, d);
        CHECK(got.words() == once.words());
        for (auto& d : devices) {
            d.reset();
            merge_into(got, d);
        }
        CHECK(got.words() == once.words());
    }
}

TEST_CASE("a piece that is not finite is left out and counted; wrong shapes are refused") {
    random_stream r(64);
    moment_sketch host(40, {.columns = 12}), clean = host;
    sums<float> device({}, host.map()), good({}, host.map());
    const auto u = activations<float>(r, 9, 40);
    device.add(u.view());
    good.add(u.view());
    for (const float bad : {std::nanf(""), INFINITY, 1e20f}) {
        auto v = u;
        v(3, 17) = bad;
        device.add(v.view());
    }
    CHECK(device.counts()[0].refused == 3);
    CHECK(device.counts()[0].pieces == 4);
    CHECK(device.counts()[0].tokens == 9);
    CHECK(device.digits() == good.digits());
    CHECK_THROWS_WITH_AS(device.add(matrix<float>(4, 39).view()), "hrm::device_moment_sketch: the activations is 4x39, expected 4x40", shape_error);
    CHECK_THROWS_WITH_AS(hrm::detail::require_alike(moment_sketch(39, {.columns = 12}), device.width(), host.options()),
                         "hrm::device_moment_sketch: the width of a sketch is 39, expected 40", shape_error);
    CHECK_THROWS_WITH_AS(hrm::detail::require_alike(moment_sketch(40, {.columns = 13}), device.width(), host.options()),
                         "hrm::device_moment_sketch: a sketch of 13 columns, 4 probes, seed 1, expected 12, 4, 1", shape_error);
    CHECK_NOTHROW(hrm::detail::require_alike(host, device.width(), host.options()));
    CHECK_THROWS_AS(host.merge(9, std::span<const std::int64_t>(good.digits()).first(7)), shape_error);
    CHECK(host.words() == clean.words());
}
