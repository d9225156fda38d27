#include <hrm/adapter/recurrent.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <hrm/adapter/memory.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

constexpr std::array all_poles = {poles::real_positive, poles::real_signed, poles::complex_pairs};
constexpr std::array all_gates = {gate::scalar, gate::per_channel, gate::token, gate::frozen, gate::none};

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

/// The definition, in double, straight from system(): what forward must equal. resets: rows before which s = s_0.
matrix<double> reference(const hrm_adapter<double>& a, const matrix<double>& u, const std::vector<index_t>& resets) {
    const auto g = a.dense_system();
    const auto s0 = a.initial_state();
    const index_t n = g.order();
    std::vector<double> s = s0, next(s.size());
    matrix<double> out(u.rows(), a.outputs());
    for (index_t t = 0; t < u.rows(); ++t) {
        if (std::find(resets.begin(), resets.end(), t) != resets.end()) s = s0;
        for (index_t i = 0; i < n; ++i) {
            double sum = 0;
            for (index_t j = 0; j < n; ++j) sum += g.a.a(i, j) * s[static_cast<std::size_t>(j)];
            for (index_t j = 0; j < u.cols(); ++j) sum += g.b(i, j) * u(t, j);
            next[static_cast<std::size_t>(i)] = sum;
        }
        s = next;
        for (index_t i = 0; i < a.outputs(); ++i) {
            for (index_t j = 0; j < n; ++j) out(t, i) += g.c(i, j) * s[static_cast<std::size_t>(j)];
            if (!g.d.empty())
                for (index_t j = 0; j < u.cols(); ++j) out(t, i) += g.d(i, j) * u(t, j);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("the adapter is the convolution its system says, resets included") {
    random_stream r(15);
    const std::array<index_t, 2> borders = {4, 11};
    for (const poles kind : all_poles)
        for (const gate g : {gate::scalar, gate::per_channel, gate::frozen, gate::none})
            for (const bool learned : {false, true})
                for (const index_t every : {0, 5}) {
                    auto o = small(kind, g);
                    o.static_states = 2;
                    o.normalization = every > 0 ? normalization::unit_gain : normalization::none;
                    o.learn_initial_state = learned;
                    o.reset_every = every;
                    o.feedthrough = feedthrough::diagonal;
                    hrm_adapter<double> a(4, 4, o, r);
                    shake(a, r);
                    const auto u = random_matrix<double>(17, 4, r);
                    call<double> how;
                    how.starts = borders;
                    const std::vector<index_t> resets = every ? std::vector<index_t>{0, 4, 9, 11, 16} : std::vector<index_t>{0, 4, 11};
                    INFO(describe(o));
                    // 17 rows of sums of ten terms each: a few hundred roundings of 1e-16.
                    CHECK(distance(output_of<double>(a, u, how), reference(a, u, resets)) <= 1e-13);
                }
}

TEST_CASE_TEMPLATE("streaming equals the whole, in any pieces, for every option that has a state", S, float, double) {
    random_stream r(17);
    const double tolerance = std::is_same_v<S, float> ? 1e-5 : 1e-12;
    for (const poles kind : all_poles)
        for (const gate g : all_gates)
            for (const index_t every : {0, 7}) {
                auto o = small(kind, g);
                o.start = start::like_lora;
                o.normalization = normalization::unit_variance;
                o.learn_initial_state = true;
                o.reset_every = every;
                o.feedthrough = feedthrough::diagonal;
                hrm_adapter<S> a(20, 20, o, r);
                shake(a, r);
                const auto u = random_matrix<S>(65, 20, r);
                INFO(describe(o));
                CHECK(streaming_error<S>(a, u, std::array<index_t, 1>{1}) <= tolerance);
                CHECK(streaming_error<S>(a, u, std::array<index_t, 4>{3, 1, 17, 2}) <= tolerance);
            }
}

TEST_CASE_TEMPLATE("a prefill ends in the state, and decoding gives the outputs, of the whole pass bit by bit", S, float, double) {
    random_stream r(34);
    for (const poles kind : all_poles)
        for (const gate g : all_gates)
            for (const index_t n : {6, 22, 32, 100}) {
                auto o = small(kind, g);
                o.states = n;
                o.feedthrough = feedthrough::diagonal;
                hrm_adapter<S> a(130, 130, o, r);
                shake(a, r);
                const auto u = random_matrix<S>(120, 130, r);
                adapter_state<S> state;
                const auto whole = output_of<S>(a, u, {.carried = &state});
                INFO(describe(o));
                check_pieces<S>(a, u, whole, state);
            }
}

TEST_CASE_TEMPLATE("threads change no bit", S, float, double) {
    random_stream r(35);
    for (const gate g : {gate::scalar, gate::per_channel, gate::token})
        for (const index_t rows : {3, 60, 1100}) {
            auto o = small(poles::complex_pairs, g);
            o.feedthrough = feedthrough::diagonal;
            o.learn_initial_state = true;
            hrm_adapter<S> a(37, 37, o, r);
            shake(a, r);
            INFO(describe(o));
            check_threads(a, rows, r);
        }
}

TEST_CASE("a document sees nothing of the one before, carried or not") {
    random_stream r(18);
    for (const poles kind : all_poles) {
        auto o = small(kind);
        o.reset_every = 4;
        hrm_adapter<double> a(5, 5, o, r);
        shake(a, r);
        auto u = random_matrix<double>(19, 5, r);
        const std::array<index_t, 1> border = {9};
        call<double> how;
        how.starts = border;
        const auto before = output_of<double>(a, u, how);
        for (index_t j = 0; j < 5; ++j) u(8, j) += 100;  // the last row of the first document
        const auto after = output_of<double>(a, u, how);
        const auto alone = output_of<double>(a, u.view().slice_rows(9, 10));
        for (index_t t = 9; t < 19; ++t)
            for (index_t j = 0; j < 5; ++j) {
                CHECK(after(t, j) == before(t, j));
                CHECK(after(t, j) == doctest::Approx(alone(t - 9, j)).epsilon(1e-12));
            }
        adapter_state<double> state;
        state.value.assign(6, 1e3);
        state.position = 2;
        const std::array<index_t, 1> at_once = {0};
        call<double> fresh;
        fresh.starts = at_once;
        fresh.carried = &state;
        CHECK(output_of<double>(a, u, fresh) == output_of<double>(a, u));
        CHECK(state.position == 19);
    }
}

TEST_CASE("a state is copied to fork and assigned to roll back") {
    random_stream r(19);
    hrm_adapter<float> a(6, 6, small(poles::complex_pairs), r);
    shake(a, r);
    const auto u = random_matrix<float>(12, 6, r), other = random_matrix<float>(5, 6, r);
    adapter_state<float> state;
    call<float> how;
    how.carried = &state;
    output_of<float>(a, u, how);
    const auto saved = state;
    const auto first = output_of<float>(a, other, how);
    CHECK(state.value != saved.value);
    state = saved;
    CHECK(output_of<float>(a, other, how) == first);
    state = {};
    CHECK(output_of<float>(a, other, how) == output_of<float>(a, other));
}

TEST_CASE("sequences of ragged lengths do not see each other's padding") {
    // Each sequence of a batch is a call with its own length: a prefix gives the prefix of the output.
    random_stream r(20);
    hrm_adapter<double> a(4, 4, small(poles::real_signed), r);
    shake(a, r);
    const auto u = random_matrix<double>(30, 4, r);
    const auto whole = output_of<double>(a, u);
    for (const index_t rows : {1, 2, 13, 29}) {
        const auto part = output_of<double>(a, u.view().slice_rows(0, rows));
        for (index_t t = 0; t < rows; ++t)
            for (index_t j = 0; j < 4; ++j) CHECK(part(t, j) == doctest::Approx(whole(t, j)).epsilon(1e-13));
    }
    CHECK(output_of<double>(a, u.view().slice_rows(0, 0)).size() == 0);
}

TEST_CASE_TEMPLATE("a shut gate leaves every bit of the output, and its state still runs", S, float, double) {
    random_stream r(21);
    for (const gate g : {gate::scalar, gate::per_channel, gate::frozen}) {
        auto o = small(poles::real_positive, g);
        o.gate_start = 0;
        hrm_adapter<S> a(6, 6, o, r);
        const auto u = random_matrix<S>(9, 6, r);
        for (const pass mode : {pass::inference, pass::training}) {
            auto out = random_matrix<S>(9, 6, r);
            out(2, 3) = -S{0};
            out(4, 1) = std::numeric_limits<S>::denorm_min();
            const auto before = out;
            adapter_state<S> state;
            call<S> how;
            how.mode = mode;
            how.carried = &state;
            kept<S> keep;
            workspace ws;
            a.forward(u, out, how, keep, ws);
            CHECK(std::memcmp(out.data(), before.data(), sizeof(S) * 54) == 0);
            CHECK(state.position == 9);
            CHECK(std::any_of(state.value.begin(), state.value.end(), [](S x) { return x != 0; }));
        }
    }
}

TEST_CASE_TEMPLATE("poles follow their parameters at once, whoever else computes with them", S, float, double) {
    random_stream r(36);
    for (const poles kind : all_poles) {
        hrm_adapter<S> a(6, 6, small(kind), r);
        shake(a, r);
        const auto u = random_matrix<S>(3, 6, r);
        const auto own = a.parameters().entries()[1];
        for (int round = 0; round < 3; ++round) {
            a.parameters().flat()[static_cast<std::size_t>(own.offset + round)] += S(0.25);
            const auto fresh = a.clone();  // has evaluated nothing yet
            CHECK(output_of<S>(a, u) == output_of<S>(*fresh, u));
            CHECK(output_of<S>(a, u) == output_of<S>(*fresh, u));
        }
        team four(cpu{.threads = 4});
        std::array<bool, 64> same{};
        for (int round = 0; round < 20; ++round) {
            a.parameters().flat()[static_cast<std::size_t>(own.offset)] += S(0.01);
            const auto want = output_of<S>(*a.clone(), u);
            four.run(64, [&](index_t item, int) { same[static_cast<std::size_t>(item)] = output_of<S>(a, u) == want; });
            CHECK(std::all_of(same.begin(), same.end(), [](bool x) { return x; }));
        }
    }
}
