#include <hrm/model/attention.hpp>

#include <vector>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

// The definition, one query at a time.
matrix<double> plain(const attention_shape& a, std::span<const index_t> first, const matrix<double>& q, const matrix<double>& k,
                     const matrix<double>& v) {
    matrix<double> out(q.rows(), q.cols());
    const index_t w = a.head_width, before = k.rows() - q.rows();
    for (index_t h = 0; h < a.heads; ++h)
        for (index_t i = 0; i < q.rows(); ++i) {
            const index_t kv = h / (a.heads / a.kv_heads) * w;
            std::vector<double> p;
            double total = 0;
            for (index_t j = first[static_cast<std::size_t>(i)]; j <= before + i; ++j) {
                double s = 0;
                for (index_t c = 0; c < w; ++c) s += q(i, h * w + c) * k(j, kv + c);
                p.push_back(std::exp(s / std::sqrt(static_cast<double>(w))));
                total += p.back();
            }
            for (std::size_t n = 0; n < p.size(); ++n)
                for (index_t c = 0; c < w; ++c)
                    out(i, h * w + c) += p[n] / total * v(first[static_cast<std::size_t>(i)] + static_cast<index_t>(n), kv + c);
        }
    return out;
}

std::vector<index_t> visible(index_t rows, index_t before, index_t window, std::vector<index_t> starts = {}) {
    std::vector<index_t> first(static_cast<std::size_t>(rows));
    visible_from(first, before, window, starts);
    return first;
}

}  // namespace

TEST_CASE("attention: a query sees exactly the window, and its document") {
    CHECK(visible(6, 0, 3) == std::vector<index_t>{0, 0, 0, 1, 2, 3});
    CHECK(visible(3, 10, 3) == std::vector<index_t>{8, 9, 10});
    CHECK(visible(4, 2, 0) == std::vector<index_t>{0, 0, 0, 0});
    CHECK(visible(6, 0, 3, {0, 2, 5}) == std::vector<index_t>{0, 0, 2, 2, 2, 5});
}

TEST_CASE("attention: blocks agree with the definition") {
    const attention_shape shape{4, 2, 6};
    random_stream random(1);
    for (const index_t rows : {1, 3, 5, 64, 65, 150})
        for (const index_t before : {0, 9})
            for (const index_t window : {0, 1, 7, 70, 1000}) {
                const auto first = visible(rows, before, window, rows > 4 ? std::vector<index_t>{4} : std::vector<index_t>{});
                const auto q = random_matrix(rows, 24, random), k = random_matrix(before + rows, 12, random),
                           v = random_matrix(before + rows, 12, random);
                matrix<double> out(rows, 24);
                workspace ws;
                attention_forward<double>(shape, first, q, k, v, out, {}, ws);
                CHECK(relative_error(out.flat(), plain(shape, first, q, k, v).flat()) < 1e-13);  // ~100 terms of eps
            }
}

TEST_CASE("attention: large scores neither overflow nor vanish") {
    const attention_shape shape{1, 1, 4};
    random_stream random(2);
    matrix<float> q(80, 4), k(80, 4), v(80, 4, 1.0f), out(80, 4);
    random.fill_normal(q.flat(), 100);
    random.fill_normal(k.flat(), 100);
    workspace ws;
    attention_forward<float>(shape, visible(80, 0, 0), q, k, v, out, {}, ws);
    for (const float x : out.flat()) CHECK(x == doctest::Approx(1.0));  // weights that sum to 1
}

TEST_CASE("attention: gradients agree with central differences, window and grouped queries included") {
    struct { attention_shape shape; index_t rows, window; std::vector<index_t> starts; } cases[] = {
        {{4, 2, 4}, 70, 6, {}}, {{2, 1, 4}, 9, 0, {}}, {{2, 2, 2}, 12, 5, {0, 7}}, {{3, 1, 2}, 8, 100, {}}};
    for (const auto& test : cases) {
        const auto shape = test.shape;
        const index_t rows = test.rows;
        random_stream random(3);
        const index_t wide = shape.heads * shape.head_width, narrow = shape.kv_heads * shape.head_width;
        auto q = random_matrix(rows, wide, random), k = random_matrix(rows, narrow, random), v = random_matrix(rows, narrow, random);
        const auto dout = random_matrix(rows, wide, random);
        const auto first = visible(rows, 0, test.window, test.starts);
        matrix<double> out(rows, wide), lse(shape.heads, rows), dq(rows, wide), dk(rows, narrow, 9.0), dv(rows, narrow, 9.0);
        workspace ws;
        const auto loss = [&] {
            attention_forward<double>(shape, first, q, k, v, out, lse, ws);
            return inner(out.flat(), dout.flat());
        };
        loss();
        attention_backward<double>(shape, first, q, k, v, out, lse, dout, dq, dk, dv, ws);
        CHECK(relative_error(dq.flat(), central_differences(q.flat(), loss)) < 1e-6);
        CHECK(relative_error(dk.flat(), central_differences(k.flat(), loss)) < 1e-6);
        CHECK(relative_error(dv.flat(), central_differences(v.flat(), loss)) < 1e-6);
        // out is linear in v: <attention(v), dout> = <v, dv>.
        CHECK(inner(v.flat(), dv.flat()) == doctest::Approx(loss()).epsilon(1e-12));
    }
}

TEST_CASE("attention: extents that do not fit") {
    matrix<double> q(5, 8), k(4, 4), v(4, 4), out(5, 8);
    workspace ws;
    const auto first = visible(5, 0, 0);
    CHECK_THROWS_WITH_AS(attention_forward<double>({2, 1, 4}, first, q, k, v, out, {}, ws),
                         "hrm::attention_forward: 4 keys for 5 queries", shape_error);
    CHECK_THROWS_WITH_AS(attention_forward<double>({3, 1, 4}, first, q, k, v, out, {}, ws),
                         "hrm::attention_forward: columns of q is 8, expected 12", shape_error);
    CHECK_THROWS_WITH_AS(attention_forward<double>({2, 0, 4}, first, q, k, v, out, {}, ws),
                         "hrm::attention_forward: 2 heads of width 4, 0 kv_heads, expected positive numbers that divide evenly",
                         shape_error);
    matrix<double> keys(5, 4), narrow(1, 5);
    CHECK_THROWS_WITH_AS(attention_forward<double>({2, 1, 4}, first, q, keys, keys, out, narrow, ws),
                         "hrm::attention_forward: lse is 1x5, expected 2x5", shape_error);
    CHECK_THROWS_WITH_AS(attention_backward<double>({2, 1, 4}, first, q, keys, keys, out, {}, out, out, keys, keys, ws),
                         "hrm::attention_backward: lse is 0x0, expected 2x5", shape_error);
}
