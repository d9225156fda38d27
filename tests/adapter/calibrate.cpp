#include <hrm/adapter/calibrate.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/core/parallel.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

adapter_set<double> some_set(random_stream& r) {
    adapter_set<double> set;
    hrm_options o = hrm_options::published(4);
    o.gate_start = 0.5;
    o.dt_max = 0.5;
    o.reset_every = 6;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<double>>(5, 3, o, r));
    set.attach(0, site::q, std::make_unique<lora<double>>(5, 3, lora_options{.rank = 2}, r));
    return set;
}

}  // namespace

TEST_CASE("calibration changes no output and sees the states that forward visits") {
    random_stream r(1);
    const auto set = some_set(r);
    const calibrator<double> listen(set, collect::states_and_inputs);
    const auto& inside = dynamic_cast<const recurrent_adapter<double>&>(*set[0].adapter);
    matrix<double> want(4, 4), moment(5, 5);
    workspace ws;
    const std::array<index_t, 2> starts = {0, 4};
    index_t tokens = 0;
    for (const index_t rows : {7, 20, 1}) {
        const auto u = random_matrix<double>(rows, 5, r);
        call<double> how;
        if (rows > 4) how.starts = starts;
        for (std::size_t i = 0; i < 2; ++i)
            CHECK(output_of<double>(*listen.adapters()[i].adapter, u, how) == output_of<double>(*set[i].adapter, u, how));
        matrix<double> s(rows, 4);
        inside.fill_states(u, how, s, ws);
        multiply(transposed(s.view()), s.view(), want.view(), into::add);
        multiply(transposed(u.view()), u.view(), moment.view(), into::add);
        tokens += rows;
    }
    for (double& x : want.flat()) x /= static_cast<double>(tokens);
    for (double& x : moment.flat()) x /= static_cast<double>(tokens);
    CHECK(listen[0].tokens() == tokens);
    CHECK(distance(listen[0].states(), want) <= 1e-14);
    CHECK(listen[1].states().empty());
    for (std::size_t i = 0; i < 2; ++i) {  // five inputs: the sketch holds all there is
        const auto e = listen[i].inputs(5);
        REQUIRE(e.values.size() == 5);
        matrix<double> sum(5, 5);
        for (index_t k = 0; k < 5; ++k)
            for (index_t a = 0; a < 5; ++a)
                for (index_t b = 0; b < 5; ++b) sum(a, b) += e.values[static_cast<std::size_t>(k)] * e.directions(k, a) * e.directions(k, b);
        CHECK(distance(sum, moment) <= 1e-13 * e.values[0]);
    }
    CHECK(calibrator<double>(set)[0].inputs(5).values.empty());
}

TEST_CASE("what was seen does not depend on threads or order") {
    random_stream r(2);
    const auto set = some_set(r);
    std::vector<matrix<double>> sequences;
    for (index_t i = 0; i < 12; ++i) sequences.push_back(random_matrix<double>(10 + i, 5, r, 1.0 + static_cast<double>(i)));
    const auto seen = [&](int threads, bool backwards) {
        const calibrator<double> listen(set);
        team workers(cpu{.threads = threads});
        workers.run(12, [&](index_t i, int) {
            output_of<double>(*listen.adapters()[0].adapter, sequences[static_cast<std::size_t>(backwards ? 11 - i : i)]);
        });
        return listen.gramians()[0];
    };
    const auto one = seen(1, false);
    CHECK(seen(3, false) == one);
    CHECK(seen(2, true) == one);
}

namespace {

/// Tokens of which the leading directions are known: u_t = sum_k s_k w_k(t) v_k, with Walsh functions w_k of period 32, so that
/// (1/T) sum u u^T = sum s_k^2 v_k v_k^T over whole periods, and v_k orthonormal Walsh vectors of width d.
constexpr index_t known = 6, period = 32;
double walsh(index_t k, index_t t) { return std::popcount(static_cast<std::uint64_t>(k & t)) % 2 ? -1.0 : 1.0; }
double strength(index_t k) { return std::pow(0.5, k); }
double direction(index_t k, index_t i, index_t d) { return walsh(5 * k + 3, i) / std::sqrt(static_cast<double>(d)); }
matrix<float> known_tokens(index_t d) {
    matrix<float> u(period, d);
    for (index_t t = 0; t < period; ++t)
        for (index_t i = 0; i < d; ++i) {
            double x = 0;
            for (index_t k = 0; k < known; ++k) x += strength(k) * walsh(k + 1, t) * direction(k, i, d);
            u(t, i) = static_cast<float>(x);
        }
    return u;
}
adapter_set<float> wide_set(index_t d, random_stream& r) {
    adapter_set<float> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<float>>(d, 3, hrm_options::published(4), r));
    set.attach(1, site::q, std::make_unique<lora<float>>(d, 3, lora_options{.rank = 2}, r));
    return set;
}

}  // namespace

TEST_CASE("width 4096: the known directions, in memory of width times columns") {
    random_stream r(4);
    const index_t d = 4096;
    const calibrator<float> listen(wide_set(d, r), collect::states_and_inputs, {.columns = 24});
    const auto u = known_tokens(d);
    for (int i = 0; i < 3; ++i) output_of<float>(*listen.adapters()[0].adapter, u);
    const auto e = listen[0].inputs(8);
    REQUIRE(e.values.size() >= static_cast<std::size_t>(known));
    for (index_t k = 0; k < known; ++k) {
        double along = 0;
        for (index_t i = 0; i < d; ++i) along += e.directions(k, i) * direction(k, i, d);
        // Rounding of u and of products in float: sqrt(d) 6e-8 of the strongest at the very worst.
        CHECK(std::abs(e.values[static_cast<std::size_t>(k)] - strength(k) * strength(k)) <= 4e-6);
        CHECK(std::abs(along) >= 1 - 1e-5);
    }
    CHECK(e.rest <= 1e-5);
    // Three digits of 8 bytes a number in float, far from the d^2 of a moment written out.
    CHECK(static_cast<index_t>(listen[0].words().size()) <= 3 * d * 24 + 1000);
}

TEST_CASE("threads and processes: halves merged in any order have the bits of one that saw all") {
    random_stream r(5);
    const index_t d = 300;
    const auto set = wide_set(d, r);
    std::vector<matrix<float>> sequences;
    for (index_t i = 0; i < 10; ++i) {
        sequences.emplace_back(5 + 3 * i, d);
        r.fill_normal(sequences.back().flat(), std::exp(3 * r.normal()));
    }
    const sketch_options sketch{.columns = 20};
    const auto hear = [&](const calibrator<float>& to, index_t begin, index_t end, int threads) {
        team workers(cpu{.threads = threads});
        workers.run(end - begin, [&](index_t i, int) {
            for (std::size_t place : {0, 1}) output_of<float>(*to.adapters()[place].adapter, sequences[static_cast<std::size_t>(begin + i)]);
        });
    };
    const calibrator<float> whole(set, collect::states_and_inputs, sketch);
    hear(whole, 0, 10, 1);
    for (const index_t cut : {1, 4, 9}) {
        calibrator<float> a(set, collect::states_and_inputs, sketch), b(set, collect::states_and_inputs, sketch);
        hear(a, 0, cut, 2);
        hear(b, cut, 10, 2);
        const auto first = a.words(), second = b.words();
        a.merge(second);
        b.merge(first);
        CHECK(a.words() == whole.words());
        CHECK(b.words() == whole.words());
        CHECK(a.gramians()[0] == whole.gramians()[0]);
        CHECK(a[1].tokens() == whole[1].tokens());
        for (std::size_t place : {0, 1}) {
            CHECK(a[place].inputs(6).directions == whole[place].inputs(6).directions);
            CHECK(a[place].inputs(6).values == whole[place].inputs(6).values);
        }
    }
}

TEST_CASE("words of another set, or cut short, are refused") {
    random_stream r(6);
    const auto set = wide_set(40, r);
    calibrator<float> listen(set, collect::states_and_inputs, {.columns = 12}), states(set), other(set, collect::states_and_inputs, {.columns = 13});
    matrix<float> u(9, 40);
    r.fill_normal(u.flat());
    output_of<float>(*listen.adapters()[0].adapter, u);
    auto words = listen.words();
    CHECK_THROWS_AS(states.merge(words), shape_error);
    CHECK_THROWS_AS(other.merge(words), shape_error);
    for (std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{5}, words.size() - 1})
        CHECK_THROWS_AS(calibrator<float>(set, collect::states_and_inputs, {.columns = 12}).merge(std::span<const std::int64_t>(words).first(cut)), shape_error);
    words.push_back(0);
    CHECK_THROWS_AS(listen.merge(words), shape_error);
    CHECK(states[0].tokens() == 0);
    CHECK(other[0].tokens() == 0);
}

TEST_CASE("a carried state goes on under calibration, backward passes through, clones report to the same place") {
    random_stream r(3);
    const auto set = some_set(r);
    const calibrator<double> listen(set);
    const auto clone = listen.adapters()[0].adapter->clone();
    const auto u = random_matrix<double>(23, 5, r);
    CHECK(streaming_error<double>(*clone, u, std::array<index_t, 2>{1, 5}) <= 1e-12);
    CHECK(listen[0].tokens() == 2 * 23);
    auto copy = set[0].adapter->clone();
    check_gradients(*copy, 9, {}, r, "plain");
    const auto w = random_matrix<double>(23, 3, r);
    const auto gradient = [&](const adapter<double>& a) {
        buffer<double> g(static_cast<std::size_t>(a.parameters().size()));
        matrix<double> out(23, 3);
        kept<double> keep;
        workspace ws;
        const call<double> how{.mode = pass::training};
        a.forward(u, out, how, keep, ws);
        a.backward(u, w, {}, g, how, keep, ws);
        return g;
    };
    CHECK(gradient(*clone) == gradient(*set[0].adapter));
}
