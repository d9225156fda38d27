#include <hrm/adapter/stored.hpp>

#include <tuple>

#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/truncated.hpp>

#include "adapter/check.hpp"
#include "support/decaying_adapter.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

matrix<bf16> rounded(matrix_view<const float> m) {
    matrix<bf16> x(m.rows, m.cols);
    for (index_t i = 0; i < m.rows; ++i)
        for (index_t j = 0; j < m.cols; ++j) x(i, j) = bf16(m(i, j));
    return x;
}
template <real S = float>
matrix<S> widened(const matrix<bf16>& m) {
    matrix<S> x(m.rows(), m.cols());
    for (index_t i = 0; i < m.size(); ++i) x.data()[i] = static_cast<S>(m.data()[i]);
    return x;
}
matrix<bf16> random_stored(index_t rows, index_t cols, random_stream& r) { return rounded(random_matrix<float>(rows, cols, r)); }

/// One of each kind, with odd widths and orders, shaken.
std::vector<std::unique_ptr<adapter<float>>> kinds(random_stream& r) {
    std::vector<std::unique_ptr<adapter<float>>> all;
    all.push_back(std::make_unique<lora<float>>(45, 37, lora_options{.rank = 5}, r));
    all.push_back(std::make_unique<lora<float>>(300, 21, lora_options{.rank = 150}, r));  // beyond what a sum keeps in registers
    all.push_back(std::make_unique<lora<float>>(45, 37, lora_options{.rank = 5, .dropout = 0.2, .seed = 9}, r));
    for (const poles p : {poles::real_positive, poles::real_signed, poles::complex_pairs})
        for (const gate g : {gate::scalar, gate::per_channel, gate::token, gate::none}) {
            hrm_options o;
            o.states = 14, o.static_states = 2, o.poles = p, o.gate = g, o.gate_start = 0.5;
            o.learn_initial_state = p == poles::real_signed;
            o.reset_every = p == poles::complex_pairs ? 40 : 0;
            o.feedthrough = p == poles::real_signed ? feedthrough::diagonal : feedthrough::none;
            all.push_back(std::make_unique<hrm_adapter<float>>(45, 45, o, r));
        }
    all.push_back(std::make_unique<reduced_adapter<float>>(45, 37, reduced_options{.reals = 3, .pairs = 2}));
    all.push_back(std::make_unique<reduced_adapter<float>>(45, 37, reduced_options{.full = 6}));
    for (auto& a : all) shake(*a, r, a->kind() == "hrm-reduced" ? 0.1 : 0.3);
    return all;
}
/// a with its B and C rounded to bf16: what a stored adapter is, in float.
std::unique_ptr<adapter<float>> narrowed(const adapter<float>& a) {
    auto copy = a.clone();
    auto& p = copy->parameters();
    for (const auto& e : p.entries())
        if (e.name == "B" || e.name == "C" || e.name == "lora_A" || e.name == "lora_B")
            for (float& x : p.flat().subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.size()))) x = float(bf16(x));
    return copy;
}

/// Where bf16 are multiplied by pairs, states are rounded to it as they enter a product, by 2^-8 of themselves at most, and sums have
/// another order.
constexpr bool by_pairs = detail::skinny::by_pairs<float, bf16, bf16>;
bool alike(const matrix<bf16>& x, const matrix<bf16>& y) {
    return by_pairs ? distance(widened<double>(x), widened<double>(y)) <= 2 * 0x1p-8 : x == y;
}
bool alike(std::span<const float> x, std::span<const float> y) {
    if (!by_pairs) return std::equal(x.begin(), x.end(), y.begin(), y.end());
    const std::vector<double> wide(x.begin(), x.end()), like(y.begin(), y.end());
    return distance(std::span<const double>(wide), std::span<const double>(like)) <= 0x1p-8;
}

}  // namespace

TEST_CASE("every kind gives the bits of its float passes on widened numbers, rounded once; by pairs, their values") {
    random_stream r(71);
    for (const auto& a : kinds(r)) {
        const stored_adapter<bf16> stored(*a);
        const auto same = narrowed(*a);
        for (const index_t rows : {1, 4, 5, 130}) {
            CAPTURE(a->kind());
            CAPTURE(rows);
            const auto u = random_stored(rows, a->inputs(), r), dout = random_stored(rows, a->outputs(), r);
            auto out = random_stored(rows, a->outputs(), r), du = random_stored(rows, a->inputs(), r);
            auto wide_out = widened(out), wide_du = widened(du);
            const std::array<index_t, 1> starts = {3};
            adapter_state<float> state, wide_state;
            call<float> how{.mode = pass::training, .draw = 5};
            if (rows > 3) how.starts = starts;
            workspace ws, wide_ws;
            kept<float> keep, wide_keep;
            buffer<float> gradient(static_cast<std::size_t>(a->parameters().size())), wide_gradient = gradient;
            how.carried = &state;
            stored.forward(u, out, how, keep, ws);
            stored.backward(u, dout, du, gradient, how, keep, ws);
            how.carried = &wide_state;
            same->forward(widened(u), wide_out, how, wide_keep, wide_ws);
            same->backward(widened(u), widened(dout), wide_du, wide_gradient, how, wide_keep, wide_ws);
            CHECK(alike(out, rounded(wide_out)));
            CHECK(alike(du, rounded(wide_du)));
            CHECK(alike(gradient, wide_gradient));
            CHECK(alike(state.value, wide_state.value));
            CHECK(state.position == wide_state.position);
        }
    }
}

TEST_CASE("against the same adapter in double: a rounding of what is written, and float's own") {
    random_stream r(72);
    hrm_options o;
    o.states = 16;
    o.gate_start = 0.5;
    hrm_adapter<float> a(96, 96, o, r);
    shake(a, r);
    hrm_adapter<double> exact(96, 96, o, r);
    const auto same = narrowed(a);
    const auto& p = same->parameters();
    for (index_t h = 0; h < static_cast<index_t>(p.entries().size()); ++h) std::copy_n(p[h].data, p[h].size(), exact.parameters()[h].data);
    const auto u = random_stored(700, 96, r), dout = random_stored(700, 96, r);
    matrix<bf16> out(700, 96), du(700, 96);
    matrix<double> want(700, 96), dwant(700, 96);
    buffer<float> gradient(static_cast<std::size_t>(a.parameters().size()));
    buffer<double> slope(static_cast<std::size_t>(exact.parameters().size()));
    workspace ws;
    kept<float> keep;
    kept<double> keep_exact;
    const stored_adapter<bf16> stored(a);
    stored.forward(u, out, {.mode = pass::training}, keep, ws);
    stored.backward(u, dout, du, gradient, {.mode = pass::training}, keep, ws);
    exact.forward(widened<double>(u), want, {.mode = pass::training}, keep_exact, ws);
    exact.backward(widened<double>(u), widened<double>(dout), dwant, slope, {.mode = pass::training}, keep_exact, ws);
    // A bf16 has 8 bits: a number moves by at most 2^-9 of the next power of two, 2^-8 of itself. What float sums add is the
    // 1e-5 that scans in float are held to (docs/numerics.md); gradients are never rounded to bf16, but by pairs the states in them are.
    CHECK(distance(widened<double>(out), want) <= 0x1p-8 + 1e-5);
    CHECK(distance(widened<double>(du), dwant) <= 0x1p-8 + 1e-5);
    for (index_t h = 0; h < static_cast<index_t>(p.entries().size()); ++h) {
        const auto got = p.in(std::span<float>(gradient), h);
        const auto want_h = exact.parameters().in(std::span<double>(slope), h);
        const std::vector<double> wide(got.data, got.data + got.size());
        CAPTURE(p.entries()[static_cast<std::size_t>(h)].name);
        CHECK(distance(std::span<const double>(wide), std::span<const double>(want_h.data, wide.size())) <= (by_pairs ? 0x1p-8 : 0) + 1e-5);
    }
}

TEST_CASE("the same bits in pieces, token by token, and on any number of threads") {
    random_stream r(73);
    for (const auto& a : kinds(r)) {
        CAPTURE(a->kind());
        const stored_adapter<bf16> stored(*a);
        const auto u = random_stored(110, a->inputs(), r), before = random_stored(110, a->outputs(), r);
        workspace ws;
        kept<float> keep;
        auto whole = before;
        adapter_state<float> end;
        stored.forward(u, whole, {.carried = &end}, keep, ws);
        for (const index_t length : {1, 2, 3, 4, 5, 13, 48, 97}) {
            auto out = before;
            adapter_state<float> state;
            for (index_t t = 0; t < u.rows(); t += length) {
                const auto rows = std::min(length, u.rows() - t);
                stored.forward(u.view().slice_rows(t, rows), out.view().slice_rows(t, rows), {.carried = &state}, keep, ws);
            }
            INFO("pieces of " << length);
            CHECK(out == whole);
            CHECK(state.value == end.value);
        }
    }
    const auto all = kinds(r);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}, std::size_t{3}, all.size() - 1}) {
        const auto& a = *all[i];
        CAPTURE(a.kind());
        const stored_adapter<bf16> stored(a);
        const auto u = random_stored(1500, a.inputs(), r), dout = random_stored(1500, a.outputs(), r);
        matrix<bf16> first_out, first_du;
        buffer<float> first_gradient;
        for (const int threads : {0, 2, 5}) {
            team some(cpu{.threads = threads});
            const call<float> how{.mode = pass::training, .threads = threads ? &some : nullptr};
            matrix<bf16> out(1500, a.outputs()), du(1500, a.inputs());
            buffer<float> gradient(static_cast<std::size_t>(a.parameters().size()));
            kept<float> keep;
            workspace ws;
            stored.forward(u, out, how, keep, ws);
            stored.backward(u, dout, du, gradient, how, keep, ws);
            INFO(threads << " threads");
            if (!threads) first_out = out, first_du = du, first_gradient = gradient;
            CHECK(out == first_out);
            CHECK(du == first_du);
            CHECK(gradient == first_gradient);
        }
    }
}

TEST_CASE("set rounds what the parameters became; du may be left out; another kind is refused by name") {
    random_stream r(74);
    lora<float> a(20, 20, {.rank = 4}, r);
    stored_adapter<bf16> stored(a);
    const auto u = random_stored(6, 20, r);
    matrix<bf16> out(6, 20), zero(6, 20);
    workspace ws;
    kept<float> keep;
    stored.forward(u, out, {}, keep, ws);
    CHECK(out == zero);  // B starts at zero
    shake(a, r);
    stored.forward(u, out, {}, keep, ws);
    CHECK(out == zero);
    stored.set();
    stored.forward(u, out, {.mode = pass::training}, keep, ws);
    CHECK_FALSE(out == zero);
    buffer<float> gradient(static_cast<std::size_t>(a.parameters().size())), whole = gradient;
    matrix<bf16> du(6, 20);
    stored.backward(u, out, {}, gradient, {.mode = pass::training}, keep, ws);
    stored.backward(u, out, du, whole, {.mode = pass::training}, keep, ws);
    CHECK(gradient == whole);
    // Another rank: refused until it is set.
    a = lora<float>(20, 20, {.rank = 64}, r);
    shake(a, r);
    CHECK_THROWS_WITH_AS(stored.forward(u, out, {}, keep, ws), doctest::Contains("B as of the last set() is 4x20, expected 64x20"), shape_error);
    stored.set();
    out = zero;
    stored.forward(u, out, {}, keep, ws);
    CHECK_FALSE(out == zero);
    // What is refused takes nothing.
    const lora<float> dropping(20, 20, {.rank = 4, .dropout = 0.5}, r);
    const auto before = ws.mark();
    CHECK_THROWS_WITH_AS(stored_adapter<bf16>(dropping).forward(u, random_stored(6, 19, r), {.mode = pass::training}, keep, ws),
                         doctest::Contains("out is 6x19, expected 6x20"), shape_error);
    CHECK(ws.mark().used == before.used);
    const hrm::testing::decaying_adapter<float> other(8, 8, 2, r);
    CHECK_THROWS_WITH_AS(stored_adapter<bf16>{other}, doctest::Contains("expected lora, hrm or hrm-reduced"), error);
}

TEST_CASE("set leaves nothing of what was: the bits of a new one, for other numbers, other shapes, in a copy, and where it was moved from") {
    random_stream r(75);
    const auto passes = [](const adapter<float>& a, const stored_adapter<bf16>& stored, index_t rows) {
        random_stream s(76);
        const auto u = random_stored(rows, a.inputs(), s), dout = random_stored(rows, a.outputs(), s);
        matrix<bf16> out(rows, a.outputs()), du(rows, a.inputs());
        buffer<float> gradient(static_cast<std::size_t>(a.parameters().size()));
        workspace ws;
        kept<float> keep;
        stored.forward(u, out, {.mode = pass::training}, keep, ws);
        stored.backward(u, dout, du, gradient, {.mode = pass::training}, keep, ws);
        return std::tuple(out, du, gradient);
    };
    lora<float> low(70, 41, {.rank = 19}, r);
    hrm_adapter<float> memory(70, 70, {.states = 6, .gate_start = 0.5}, r);
    stored_adapter<bf16> low_stored(low), memory_stored(memory);
    for (const index_t size : {19, 3, 40}) {
        low = lora<float>(2 * size + 1, 71, {.rank = size}, r);
        memory = hrm_adapter<float>(size, size, {.states = size / 2, .gate_start = 0.5}, r);
        for (int times = 0; times < 2; ++times) {
            shake(low, r), shake(memory, r);
            low_stored.set(), memory_stored.set();
            const auto copy = memory_stored;
            const auto moved = std::move(memory_stored);
            memory_stored.set();
            for (const index_t rows : {4, 5, 96, 97, 130}) {
                CAPTURE(size);
                CAPTURE(rows);
                CHECK((passes(low, low_stored, rows) == passes(low, stored_adapter<bf16>(low), rows)));
                CHECK((passes(memory, memory_stored, rows) == passes(memory, stored_adapter<bf16>(memory), rows)));
                for (const auto* other : {&copy, &moved}) CHECK((passes(memory, *other, rows) == passes(memory, memory_stored, rows)));
            }
        }
    }
}
