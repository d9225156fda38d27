#include <hrm/adapter/lora.hpp>

#include <algorithm>

#include "adapter/check.hpp"
#include "support/guarded.hpp"

using namespace hrm;
using namespace hrm::test;

TEST_CASE("LoRA's gradients, with and without dropout") {
    random_stream r(1);
    for (const double dropout : {0.0, 0.4}) {
        lora<double> a(7, 5, {.rank = 3, .alpha = 4, .dropout = dropout}, r);
        shake<double>(a, r);
        check_gradients(a, 11, {.draw = 9}, r, "dropout " + number_text(dropout));
    }
}

TEST_CASE("LoRA starts as a no-op, with A Kaiming-uniform") {
    random_stream r(2);
    lora<double> a(400, 3, {.rank = 50}, r);
    const auto u = random_matrix<double>(4, 400, r);
    CHECK(output_of<double>(a, u) == matrix<double>(4, 3));
    const auto m = a.parameters()[0];
    double largest = 0, square = 0;
    for (index_t i = 0; i < m.size(); ++i) {
        largest = std::max(largest, std::abs(m.data[i]));
        square += m.data[i] * m.data[i];
    }
    CHECK(largest < 0.05);  // 1 / sqrt(400)
    CHECK(largest > 0.0499);
    CHECK(std::sqrt(square / 20000) == doctest::Approx(0.05 / std::sqrt(3.0)).epsilon(0.02));
}

TEST_CASE_TEMPLATE("LoRA is (alpha / r) B A u, a token at a time as well", S, float, double) {
    random_stream r(3);
    lora<S> a(33, 21, {.rank = 6, .alpha = 9}, r);
    shake<S>(a, r);
    const auto u = random_matrix<S>(10, 33, r);
    const auto got = output_of<S>(a, u);
    matrix<S> want(10, 21);
    const auto A = a.parameters()[0], B = a.parameters()[1];
    for (index_t t = 0; t < 10; ++t)
        for (index_t i = 0; i < 21; ++i) {
            double sum = 0;
            for (index_t k = 0; k < 6; ++k)
                for (index_t j = 0; j < 33; ++j)
                    sum += 1.5 * static_cast<double>(B(i, k)) * static_cast<double>(A(k, j)) * static_cast<double>(u(t, j));
            want(t, i) = static_cast<S>(sum);
        }
    const double tolerance = 40 * static_cast<double>(std::numeric_limits<S>::epsilon());  // sums of 33 and 6 terms
    CHECK(distance(got, want) <= tolerance);
    CHECK(streaming_error<S>(a, u, std::array<index_t, 1>{1}) <= tolerance);
}

TEST_CASE_TEMPLATE("LoRA of a row has the same bits beside any other rows", S, float, double) {
    random_stream r(8);
    for (const index_t rank : {1, 4, 7, 16, 20, 33, 64, 128}) {
        lora<S> a(133, 150, {.rank = rank}, r);
        shake<S>(a, r);
        const auto u = random_matrix<S>(120, 133, r);
        adapter_state<S> state;
        const auto whole = output_of<S>(a, u, {.carried = &state});
        INFO("rank " << rank);
        check_pieces<S>(a, u, whole, state);
    }
}

TEST_CASE_TEMPLATE("LoRA's gradients over many rows are the plain sums", S, float, double) {
    random_stream r(9);
    for (const index_t rank : {1, 7, 20, 33, 100})
        for (const index_t rows : {1, 5, 47, 101}) {
            INFO("rank " << rank << ", rows " << rows);
            lora<S> a(133, 150, {.rank = rank, .alpha = 2.0 * static_cast<double>(rank)}, r);
            shake<S>(a, r);
            const auto u = random_matrix<S>(rows, 133, r), dout = random_matrix<S>(rows, 150, r);
            matrix<S> out(rows, 150), du(rows, 133);
            matrix<double> h(rows, rank), dh(rows, rank), du_want(rows, 133);
            buffer<S> gradient(static_cast<std::size_t>(a.parameters().size()));
            std::vector<double> want(gradient.size()), got;
            kept<S> keep;
            workspace ws;
            a.forward(u, out, {.mode = pass::training}, keep, ws);
            a.backward(u, dout, du, gradient, {.mode = pass::training}, keep, ws);

            const auto A = a.parameters()[0], B = a.parameters()[1];
            const auto at = [&](index_t i) -> double& { return want[static_cast<std::size_t>(i)]; };
            for (index_t t = 0; t < rows; ++t)
                for (index_t k = 0; k < rank; ++k) {
                    for (index_t j = 0; j < 133; ++j) h(t, k) += static_cast<double>(A(k, j)) * static_cast<double>(u(t, j));
                    for (index_t i = 0; i < 150; ++i) dh(t, k) += 2 * static_cast<double>(B(i, k)) * static_cast<double>(dout(t, i));
                    for (index_t j = 0; j < 133; ++j) {
                        at(k * 133 + j) += dh(t, k) * static_cast<double>(u(t, j));
                        du_want(t, j) += dh(t, k) * static_cast<double>(A(k, j));
                    }
                    for (index_t i = 0; i < 150; ++i) at(a.parameters().entries()[1].offset + i * rank + k) += 2 * h(t, k) * static_cast<double>(dout(t, i));
                }
            got.assign(gradient.begin(), gradient.end());
            const double tolerance = 40 * static_cast<double>(std::numeric_limits<S>::epsilon());  // sums of up to 150 terms, twice
            CHECK(distance(std::span<const double>(got), want) <= tolerance);
            got.assign(du.flat().begin(), du.flat().end());
            CHECK(distance(std::span<const double>(got), du_want.flat()) <= tolerance);
        }
}

TEST_CASE("dropout: the mask is named by the draw, drops its share, and is off in inference") {
    random_stream r(4);
    lora<float> a(50, 1, {.rank = 1, .alpha = 1, .dropout = 0.3}, r);
    a.parameters()[1](0, 0) = 1;
    std::fill_n(a.parameters()[0].data, 50, 1.0f);
    const matrix<float> u(200, 50, 1.0f);
    const auto with = [&](pass mode, std::uint64_t draw) { return output_of<float>(a, u, {.mode = mode, .draw = draw}); };
    CHECK(with(pass::training, 5) == with(pass::training, 5));
    CHECK(!(with(pass::training, 5) == with(pass::training, 6)));
    CHECK(with(pass::inference, 5) == matrix<float>(200, 1, 50.0f));
    const auto out = with(pass::training, 7);
    double sum = 0;
    for (const float x : out.flat()) sum += static_cast<double>(x) / 10000;
    CHECK(sum == doctest::Approx(1).epsilon(0.03));  // 10^4 elements: sqrt(0.3 / 0.7) / 100 = 0.7 % of noise
    lora<float> other(50, 1, {.rank = 1, .alpha = 1, .dropout = 0.3}, r);
    std::copy(a.parameters().flat().begin(), a.parameters().flat().end(), other.parameters().flat().begin());
    CHECK(!(output_of<float>(other, u, {.mode = pass::training, .draw = 7}) == out));
}

TEST_CASE("LoRA's options read back, and nonsense is named") {
    random_stream r(5);
    const auto make = [&](lora_options o) { lora<float>(4, 4, o, r); };
    CHECK_THROWS_WITH_AS(make({.rank = 0}), "hrm::lora: rank is 0, expected at least 1", error);
    CHECK_THROWS_WITH_AS(make({.dropout = 1}), "hrm::lora: dropout is 1, expected in [0, 1)", error);
    CHECK_THROWS_WITH_AS(make({.dropout = -0.5}), "hrm::lora: dropout is -0.5, expected in [0, 1)", error);
    CHECK_THROWS_AS((lora<float>(0, 4, {}, r)), shape_error);
    lora<float> a(4, 6, {.rank = 3, .alpha = 1.0 / 3, .dropout = 0.1}, r);
    const lora<float> b(4, 6, lora<float>::options_from(a.options()), r);
    CHECK(b.options() == a.options());
    CHECK_THROWS_WITH_AS(output_of<float>(a, matrix<float>(2, 5)), "hrm::lora: u is 2x5, expected 2x4", shape_error);
}

TEST_CASE("the gradient of many rows, summed in parts, is that of their pieces") {
    random_stream r(36);
    lora<double> a(19, 23, {.rank = 5}, r);
    shake<double>(a, r);
    const index_t rows = 5000, piece = 100;  // pieces are too short to be parted
    const auto u = random_matrix<double>(rows, 19, r), w = random_matrix<double>(rows, 23, r);
    const auto gradient = [&](index_t count) {
        buffer<double> g(static_cast<std::size_t>(a.parameters().size()));
        const call<double> how{.mode = pass::training};
        for (index_t t = 0; t < rows; t += count) {
            matrix<double> out(count, 23);
            kept<double> keep;
            workspace ws;
            a.forward(u.view().slice_rows(t, count), out, how, keep, ws);
            a.backward(u.view().slice_rows(t, count), w.view().slice_rows(t, count), {}, g, how, keep, ws);
        }
        return g;
    };
    // 5000 terms of random signs: sqrt(5000) roundings of half a unit of sums that are sqrt(5000) terms large.
    CHECK(distance(std::span<const double>(gradient(rows)), gradient(piece)) <= 5000 * 1.2e-16);
}
TEST_CASE("threads change no bit of LoRA, dropped inputs and all") {
    random_stream r(37);
    lora<float> a(33, 21, {.rank = 4, .dropout = 0.2}, r);
    shake<float>(a, r);
    for (const index_t rows : {4, 300, 1200}) check_threads<float>(a, rows, r);
}

TEST_CASE_TEMPLATE("LoRA touches nothing behind its tensors", S, float, double) {
    random_stream r(12);
    for (const index_t d : {64, 128, 192, 256, 320})
        for (const index_t rank : {3, 8, 16, 17, 32, 64}) {
            const lora<S> a(d, d, {.rank = rank}, r);
            buffer<S> gradient(static_cast<std::size_t>(a.parameters().size()));
            workspace ws;
            kept<S> keep;
            for (const index_t length : {1, 7, 31, 79, 80, 95, 97, 127, 176, 200}) {
                const guarded_matrix<S> u(length, d), out(length, d), dout(length, d), du(length, d);
                ws.clear();
                a.forward(u.view(), out.view(), {.mode = pass::training}, keep, ws);
                a.backward(u.view(), dout.view(), du.view(), gradient, {.mode = pass::training}, keep, ws);
                CHECK(out.view()(length - 1, d - 1) == S{0});
            }
        }
}
