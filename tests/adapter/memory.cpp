#include <hrm/adapter/memory.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/set.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

constexpr std::array all_poles = {poles::real_positive, poles::real_signed, poles::complex_pairs};
constexpr std::array all_gates = {gate::scalar, gate::per_channel, gate::token, gate::frozen, gate::none};
constexpr std::array all_rules = {discretization::zoh, discretization::bilinear, discretization::forward_euler,
                                  discretization::backward_euler, discretization::generalized_bilinear};

hrm_options small(poles kind, gate g = gate::scalar) {
    hrm_options o;
    o.states = 6;
    o.poles = kind;
    o.gate = g;
    o.gate_start = 0.6;
    o.dt_max = 0.8;
    o.scale = 1.7;
    return o;
}
std::string describe(const hrm_options& o) {
    std::string text;
    for (const auto& [key, value] : o.list()) text += key + "=" + value + " ";
    return text;
}

}  // namespace

TEST_CASE("gradients of every pole kind, gate, normalisation, direct path and static part") {
    random_stream r(11);
    for (const poles kind : all_poles)
        for (const gate g : all_gates)
            for (const normalization how : {normalization::none, normalization::unit_variance, normalization::unit_gain})
                for (const index_t fixed : {0, 2, 6}) {
                    auto o = small(kind, g);
                    o.normalization = how;
                    o.static_states = fixed;
                    o.feedthrough = fixed ? feedthrough::diagonal : feedthrough::none;
                    o.start = fixed ? start::like_lora : start::published;
                    hrm_adapter<double> a(5, fixed ? 5 : 4, o, r);
                    shake(a, r);
                    check_gradients(a, 9, {}, r, describe(o));
                }
}

TEST_CASE("gradients of every discretisation") {
    random_stream r(12);
    for (const discretization rule : all_rules)
        for (const normalization how : {normalization::none, normalization::unit_variance, normalization::unit_gain})
            for (const start from : {start::published, start::like_lora}) {
                auto o = small(poles::real_positive);
                o.discretization = rule;
                o.theta = 0.7;
                o.dt_max = 0.2;  // |x| <= 1.2 for six poles: forward Euler inside the unit disc
                o.normalization = how;
                o.start = from;
                hrm_adapter<double> a(4, 4, o, r);
                shake(a, r, 0.1);
                check_gradients(a, 9, {}, r, describe(o));
            }
}

TEST_CASE("a step size outside its clamp has no gradient") {
    random_stream r(13);
    auto o = small(poles::real_positive);
    o.dt_min = 0.01;
    o.dt_max = 0.1;
    hrm_adapter<double> a(4, 4, o, r);
    auto dt = a.parameters()[a.parameters().find("logdt")];
    for (index_t i = 0; i < 6; ++i) dt(i, 0) = i < 3 ? -9.0 : 2.0;
    check_gradients(a, 7, {}, r, describe(o));
    const auto u = random_matrix<double>(7, 4, r), w = random_matrix<double>(7, 4, r);
    matrix<double> out(7, 4);
    buffer<double> gradient(static_cast<std::size_t>(a.parameters().size()));
    kept<double> keep;
    workspace ws;
    call<double> how{.mode = pass::training};
    a.forward(u, out, how, keep, ws);
    a.backward(u, w, {}, gradient, how, keep, ws);
    for (index_t i = 0; i < 6; ++i) CHECK(a.parameters().in(std::span<double>(gradient), a.parameters().find("logdt"))(i, 0) == 0);
}

TEST_CASE("gradients with document borders, periodic resets, a learned start and a carried state") {
    random_stream r(14);
    const std::array<index_t, 3> borders = {0, 4, 5};
    const std::array<index_t, 1> one = {6};
    for (const poles kind : all_poles)
        for (const gate g : {gate::scalar, gate::token})
            for (const index_t every : {0, 3})
                for (const bool learned : {false, true})
                    for (const int mode : {0, 1, 2, 3}) {
                        auto o = small(kind, g);
                        o.reset_every = every;
                        o.learn_initial_state = learned;
                        o.static_states = 2;
                        hrm_adapter<double> a(4, 3, o, r);
                        shake(a, r);
                        adapter_state<double> state;
                        state.value.resize(4);
                        r.fill_normal<double>(state.value);
                        state.position = 7;
                        call<double> how;
                        if (mode == 1) how.starts = borders;
                        if (mode == 2) how.starts = one;
                        if (mode >= 2) how.carried = &state;
                        check_gradients(a, 10, how, r, describe(o));
                    }
}

TEST_CASE("only static states: LoRA") {
    random_stream r(16);
    lora<double> plain(7, 5, {.rank = 4, .alpha = 6}, r);
    shake<double>(plain, r);
    auto o = hrm_options::shipped(4);
    o.static_states = 4;
    o.scale = 6.0 / 4;
    hrm_adapter<double> a(7, 5, o, r);
    auto& p = a.parameters();
    auto& q = plain.parameters();
    std::copy_n(q[q.find("lora_A")].data, 28, p[p.find("B")].data);
    std::copy_n(q[q.find("lora_B")].data, 20, p[p.find("C")].data);
    CHECK(p.count() == q.count());
    CHECK(a.state_size() == 0);
    const auto u = random_matrix<double>(13, 7, r);
    const auto x = output_of<double>(a, u), y = output_of<double>(plain, u);
    CHECK(x == y);

    const auto w = random_matrix<double>(13, 5, r);
    const auto gradients = [&](const adapter<double>& one, matrix<double>& du) {
        buffer<double> g(static_cast<std::size_t>(one.parameters().size()));
        matrix<double> out(13, 5);
        kept<double> keep;
        workspace ws;
        call<double> how{.mode = pass::training};
        one.forward(u, out, how, keep, ws);
        one.backward(u, w, du, g, how, keep, ws);
        return g;
    };
    matrix<double> du1(13, 7), du2(13, 7);
    auto g1 = gradients(a, du1), g2 = gradients(plain, du2);
    CHECK(distance(du1, du2) <= 1e-14);
    const auto b1 = p.in(std::span<double>(g1), p.find("B")), a2 = q.in(std::span<double>(g2), q.find("lora_A"));
    CHECK(distance(matrix<double>(b1), matrix<double>(a2)) <= 1e-14);
}

TEST_CASE("the start of LoRA is a no-op whose C has its gradient at once") {
    random_stream r(22);
    for (const poles kind : all_poles) {
        auto o = hrm_options::shipped(8);
        o.static_states = 2;
        o.poles = kind;
        o.normalization = normalization::unit_gain;
        o.longest_memory = 1024;
        hrm_adapter<double> a(6, 6, o, r);
        const auto u = random_matrix<double>(9, 6, r), w = random_matrix<double>(9, 6, r);
        CHECK(output_of<double>(a, u) == matrix<double>(9, 6));
        matrix<double> out(9, 6);
        buffer<double> g(static_cast<std::size_t>(a.parameters().size()));
        kept<double> keep;
        workspace ws;
        call<double> how{.mode = pass::training};
        a.forward(u, out, how, keep, ws);
        a.backward(u, w, {}, g, how, keep, ws);
        const auto dc = a.parameters().in(std::span<double>(g), a.parameters().find("C"));
        double sum = 0;
        for (index_t i = 0; i < dc.size(); ++i) sum += dc.data[i] * dc.data[i];
        CHECK(sum > 1);
        // Memory lengths: 0 for the static ones, then from a few tokens to hundreds.
        const auto lengths = a.memory_lengths();
        CHECK(lengths[0] == 0);
        CHECK(lengths[1] == 0);
        CHECK(*std::min_element(lengths.begin() + 2, lengths.end()) < 4);
        CHECK(*std::max_element(lengths.begin() + 2, lengths.end()) > 300);
        CHECK(*std::max_element(lengths.begin() + 2, lengths.end()) < 1024);
    }
}

TEST_CASE("a shut gate sends nothing back, even where forward Euler's poles grow beyond all numbers") {
    hrm_options o{.states = 1, .discretization = discretization::forward_euler, .gate = gate::frozen, .gate_start = 0};
    o.dt_max = 3;
    random_stream r(81);
    hrm_adapter<float> a(1, 1, o, r);
    auto& p = a.parameters();
    p[p.find("logA")](0, 0) = 0, p[p.find("logdt")](0, 0) = 2.0f, p[p.find("B")](0, 0) = 1, p[p.find("C")](0, 0) = 1;
    REQUIRE(std::abs(a.system().a.real[0]) > 1.1);  // 1.1^1000 is beyond a float
    matrix<float> u(1000, 1), out(1000, 1), dout(1000, 1), du(1000, 1);
    u(999, 0) = 1, dout(999, 0) = 1;
    buffer<float> gradient(static_cast<std::size_t>(p.size()));
    workspace ws;
    kept<float> keep;
    a.forward(u, out, {.mode = pass::training}, keep, ws);
    a.backward(u, dout, du, gradient, {.mode = pass::training}, keep, ws);
    for (const float x : du.flat()) CHECK(x == 0);
    for (const float x : gradient) CHECK(x == 0);
}

TEST_CASE("unit gain: a constant input drives a real state to the value B u") {
    random_stream r(29);
    auto o = hrm_options::shipped(6);
    o.static_states = 0;
    o.poles = poles::real_positive;
    o.normalization = normalization::unit_gain;
    o.longest_memory = 30;
    hrm_adapter<double> a(5, 5, o, r);
    const auto b = a.parameters()[a.parameters().find("B")];
    matrix<double> u(2000, 5, 1.0), s(2000, 6);  // e^-(2000 / 30) is below double's rounding
    workspace ws;
    a.fill_states(u, {}, s, ws);
    for (index_t i = 0; i < 6; ++i) {
        double want = 0;
        for (index_t j = 0; j < 5; ++j) want += b(i, j);
        CHECK(s(1999, i) == doctest::Approx(want).epsilon(1e-12));
    }
}

TEST_CASE("unit variance: states have it for white input") {
    random_stream r(23);
    for (const poles kind : all_poles) {
        hrm_options o = hrm_options::shipped(8);
        o.static_states = 0;
        o.poles = kind;
        o.normalization = normalization::unit_variance;
        o.longest_memory = 20;
        hrm_adapter<double> a(64, 4, o, r);
        const auto b = a.parameters()[a.parameters().find("B")];
        const auto u = random_matrix<double>(40000, 64, r);
        matrix<double> s(40000, 8);
        workspace ws;
        a.fill_states(u, {}, s, ws);
        for (index_t i = 0; i < 8; ++i) {
            double variance = 0, row = 0;
            for (index_t t = 0; t < s.rows(); ++t) variance += s(t, i) * s(t, i) / static_cast<double>(s.rows());
            const index_t mate = kind == poles::complex_pairs ? (i + 4) % 8 : i;
            for (index_t j = 0; j < 64; ++j) row += (b(i, j) * b(i, j) + b(mate, j) * b(mate, j)) / 2;
            // A pair shares its variance between its two states. 40000 tokens, memory <= 20: about 3 % of noise.
            INFO(i << " " << variance / row);
            CHECK(std::abs(variance / row - 1) < (kind == poles::complex_pairs ? 0.25 : 0.12));
        }
    }
}

TEST_CASE("the published start") {
    random_stream r(24);
    hrm_adapter<double> a(128, 128, hrm_options::published(64), r);
    const auto& p = a.parameters();
    CHECK(p.count() == 2 * 64 * 128 + 2 * 64 + 1);
    for (index_t i = 0; i < 64; ++i) {
        CHECK(p[p.find("logA")](i, 0) == std::log(static_cast<double>(i + 1)));
        CHECK(p[p.find("logdt")](i, 0) >= std::log(1e-4));
        CHECK(p[p.find("logdt")](i, 0) <= std::log(0.1));
    }
    const auto spread = [&](const char* name) {
        double sum = 0;
        const auto m = p[p.find(name)];
        for (index_t i = 0; i < m.size(); ++i) sum += m.data[i] * m.data[i] / static_cast<double>(m.size());
        return std::sqrt(sum);
    };
    // 8192 samples: the standard deviation is known to 1 / sqrt(2 * 8192) < 1 %.
    CHECK(spread("B") == doctest::Approx(1 / std::sqrt(128.0)).epsilon(0.03));
    CHECK(spread("C") == doctest::Approx(1 / std::sqrt(64.0)).epsilon(0.03));
    CHECK(p[p.find("gate")](0, 0) == 0);
    for (const auto& e : p.entries()) CHECK((e.decay == decay::yes) == (e.name == "B" || e.name == "C"));

    // At the shut gate only the gate has a gradient.
    const auto u = random_matrix<double>(9, 128, r), w = random_matrix<double>(9, 128, r);
    matrix<double> out(9, 128);
    buffer<double> g(static_cast<std::size_t>(p.size()));
    kept<double> keep;
    workspace ws;
    call<double> how{.mode = pass::training};
    a.forward(u, out, how, keep, ws);
    a.backward(u, w, {}, g, how, keep, ws);
    for (const auto& e : p.entries())
        for (index_t i = 0; i < e.size(); ++i)
            CHECK((g[static_cast<std::size_t>(e.offset + i)] != 0) == (e.name == "gate"));
}

TEST_CASE("Mistral-7B's shapes: the parameters a paper prints") {
    // One adapter a layer is made at a time: 32 equal layers count 32 times.
    constexpr index_t layers = 32, width = 4096, kv = 1024, hidden = 14336;
    random_stream r(25);
    const auto low_rank = [&](index_t in, index_t out, index_t rank) {
        return layers * lora<float>(in, out, {.rank = rank}, r).parameters().count();
    };
    CHECK(layers * hrm_adapter<float>(width, width, hrm_options::published(32), r).parameters().count() == 8'390'688);
    // Grouped queries: v is 4096 -> 1024, so q, v at rank 16 is not 8,388,608.
    CHECK(low_rank(width, width, 16) + low_rank(width, kv, 16) == 6'815'744);
    CHECK(2 * low_rank(width, width, 16) == 8'388'608);
    CHECK(low_rank(width, width, 32) == 8'388'608);
    CHECK(low_rank(width, width, 20) + low_rank(width, kv, 20) == 8'519'680);
    CHECK(2 * low_rank(width, hidden, 5) + low_rank(hidden, width, 5) == 8'847'360);
}

TEST_CASE("a clone is independent, and a set counts what it holds") {
    random_stream r(26);
    adapter_set<double> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<double>>(4, 4, small(poles::complex_pairs), r));
    set.attach(1, site::q, std::make_unique<lora<double>>(4, 6, lora_options{.rank = 2}, r));
    auto copy = set.clone();
    CHECK(copy.count() == set.count());
    CHECK(copy.gradient_size() == set.gradient_size());
    const auto u = random_matrix<double>(5, 4, r);
    const auto before = output_of<double>(*set[0].adapter, u);
    shake(*copy[0].adapter, r);
    CHECK(output_of<double>(*set[0].adapter, u) == before);
    CHECK(!(output_of<double>(*copy[0].adapter, u) == before));
}

TEST_CASE("options and shapes that make no sense are named") {
    random_stream r(28);
    const auto make = [&](auto change, index_t in = 4, index_t out = 4) {
        hrm_options o = hrm_options::published(4);
        change(o);
        hrm_adapter<float>(in, out, o, r);
    };
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.states = -3; }), "hrm::hrm_adapter: states is -3, expected at least 1", error);
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.static_states = 5; }),
                         "hrm::hrm_adapter: static_states is 5, expected 0 to 4 (states)", error);
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.poles = poles::complex_pairs, o.static_states = 1; }),
                         "hrm::hrm_adapter: states - static_states is 3, expected an even number for complex pairs", error);
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.dt_min = 0.2; }),
                         "hrm::hrm_adapter: the range of step sizes is 0.2 to 0.1, expected 0 < dt_min < dt_max", error);
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.gate = gate::token; }),
                         "hrm::hrm_adapter: gate_start is 0, expected in (0, 1) for a token gate", error);
    CHECK_THROWS_WITH_AS(make([](auto& o) { o.feedthrough = feedthrough::diagonal; }, 4, 6),
                         "hrm::hrm_adapter: the layer of a diagonal feedthrough is 6x4, expected square", error);
    CHECK_THROWS_AS(make([](auto&) {}, 0), shape_error);
    CHECK_THROWS_AS(make([](auto& o) { o.reset_every = -1; }), error);

    hrm_adapter<float> a(4, 6, hrm_options::published(4), r);
    matrix<float> u(3, 4), wrong(3, 5), out(3, 6);
    CHECK_THROWS_WITH_AS(output_of<float>(a, wrong), "hrm::adapter: u is 3x5, expected 3x4", shape_error);
    kept<float> keep;
    workspace ws;
    CHECK_THROWS_WITH_AS(a.forward(u, wrong, {}, keep, ws), "hrm::adapter: out is 3x5, expected 3x6", shape_error);
    const std::array<index_t, 1> late = {3};
    call<float> how;
    how.starts = late;
    a.parameters()[a.parameters().find("gate")](0, 0) = 1;
    CHECK_THROWS_WITH_AS(a.forward(u, out, how, keep, ws),
                         "hrm::adapter: document start 3 after -1, expected ascending rows below 3", shape_error);
}

// What a state brings from before is 10^6 times what one token adds here: float sums of the two would leave nothing of the token's.
TEST_CASE("gradients of slow poles under a long-carried state are as exact in float as in double") {
    hrm_options o;
    o.states = 4;
    o.start = start::like_lora;
    o.gate = gate::none;
    o.normalization = normalization::none;
    o.poles = poles::real_positive;
    o.dt_min = 1e-7;
    o.longest_memory = 1e6;
    const index_t rows = 64;
    for (const bool silent : {true, false}) {
        CAPTURE(silent);
        const auto gradients = [&]<class S>(S) {
            random_stream r(1);
            hrm_adapter<S> a(4, 4, o, r);
            for (auto& x : a.parameters().flat()) x = static_cast<S>(static_cast<float>(x));
            random_stream q(2);
            matrix<S> u(rows, 4), dout(rows, 4), out(rows, 4), du(rows, 4);
            for (auto& x : a.parameters()[a.parameters().find("C")].row_span(0)) x = static_cast<S>(static_cast<float>(q.normal()));
            for (auto* m : {&u, &dout})
                for (auto& x : m->flat()) x = static_cast<S>(static_cast<float>(q.normal()));
            if (silent) std::fill(u.flat().begin(), u.flat().end(), S{0});
            adapter_state<S> carried;
            carried.value.assign(4, S{1});
            const call<S> how{.mode = pass::training, .carried = &carried};
            buffer<S> gradient(static_cast<std::size_t>(a.parameters().size()));
            kept<S> keep;
            workspace ws;
            a.forward(u, out, how, keep, ws);
            a.backward(u, dout, du, gradient, how, keep, ws);
            const auto p = a.parameters().in(std::span<S>(gradient), a.parameters().find("logdt"));
            return std::vector<double>(p.data, p.data + p.size());
        };
        const auto single = gradients(float{}), exact = gradients(double{});
        double off = 0, size = 0;
        for (std::size_t i = 0; i < exact.size(); ++i) {
            off = std::hypot(off, single[i] - exact[i]);
            size = std::hypot(size, exact[i]);
        }
        CHECK(off <= static_cast<double>(rows) * std::numeric_limits<float>::epsilon() * size);  // sums of so many terms
    }
}
