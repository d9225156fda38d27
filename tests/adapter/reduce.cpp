#include <hrm/adapter/reduce.hpp>

#include <algorithm>
#include <array>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/systems/norms.hpp>
#include <hrm/systems/stability.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

/// ||G - H||_inf, certified to 1e-8.
double measured_error(const discrete<dense<double>>& g, const discrete<dense<double>>& h) { return hinf_norm(difference(g, h)).value; }

hrm_adapter<double> trained(poles kind, gate g, random_stream& r, index_t fixed = 0, index_t inputs = 5, index_t outputs = 4) {
    hrm_options o;
    o.states = 8;
    o.static_states = fixed;
    o.poles = kind;
    o.start = start::like_lora;
    o.longest_memory = 100;
    o.normalization = normalization::unit_variance;
    o.gate = g;
    o.gate_start = 0.4;
    o.scale = 1.5;
    hrm_adapter<double> a(inputs, outputs, o, r);
    shake(a, r, 0.15);
    return a;
}

constexpr std::array all_poles = {poles::real_positive, poles::real_signed, poles::complex_pairs};

}  // namespace

TEST_CASE("the error of a truncated adapter lies between the first dropped sigma and the bound") {
    random_stream r(1);
    for (const poles kind : all_poles)
        for (const gate g : {gate::scalar, gate::per_channel, gate::none})
            for (const index_t fixed : {0, 2})
                for (const index_t rank : {0, 1, 3, 5, 7}) {
                    const auto a = trained(kind, g, r, fixed);
                    const auto cut = reduce(a, {.rank = rank, .error = error_report::measured});
                    INFO("order " << cut.order << " cond " << cut.condition);
                    REQUIRE(cut.order == rank);
                    CHECK(cut.certified);
                    const double error = measured_error(a.dense_system(), cut.adapter->dense_system());
                    CHECK(cut.measured_error.value() == doctest::Approx(error).epsilon(1e-6));
                    CHECK(error <= cut.bound * (1 + 1e-7));
                    CHECK(error >= cut.gain * cut.sigma[static_cast<std::size_t>(rank)] * (1 - 1e-7));
                }
}

TEST_CASE("more inputs and outputs than states are compressed, and nothing changes by that") {
    random_stream r(12);
    for (const poles kind : all_poles)
        for (const gate g : {gate::scalar, gate::per_channel})
            for (const index_t fixed : {0, 2}) {
                const auto a = trained(kind, g, r, fixed, 40, 30);
                const auto gated = a.dense_system(), open = a.dense_system(output_gain::left_out);
                auto weighted = g == gate::per_channel ? gated : open;
                const auto whole = balance(weighted, {.rank = 3});
                const double factor = g == gate::per_channel ? 1 / a.factor() : 1;
                for (const bool given : {false, true}) {
                    const balance_options o{.rank = 3, .error = error_report::measured};
                    const auto cut = given ? reduce(a, controllability(open), o) : reduce(a, o);
                    REQUIRE(cut.order == 3);
                    CHECK(cut.certified != given);
                    for (std::size_t i = 0; i < whole.sigma.size(); ++i)
                        CHECK(cut.sigma[i] == doctest::Approx(factor * whole.sigma[i]).epsilon(1e-9));
                    const double error = measured_error(gated, cut.adapter->dense_system());
                    CHECK(cut.measured_error.value() == doctest::Approx(error).epsilon(1e-6));
                    CHECK(error <= cut.bound * (1 + 1e-7));
                }
            }
    const auto a = trained(poles::real_positive, gate::scalar, r);
    CHECK_THROWS_AS(reduce(a, {.rank = 3, .weak = weak_states::residualize}), shape_error);
}

TEST_CASE("projectors the wrong way round would not pass that test") {
    // The transposed product T^T A W has the same order and looks like a truncation; its error knows no bound.
    random_stream r(2);
    int caught = 0;
    for (int round = 0; round < 10; ++round) {
        const auto a = trained(poles::real_positive, gate::none, r);
        const auto g = a.dense_system();
        const auto right = balance(g, {.rank = 3});
        auto wrong = right.system;
        matrix<double> aw(8, 3);
        multiply(g.a.a.view(), right.w.view(), aw.view());
        multiply(transposed(right.t.view()), aw.view(), wrong.a.a.view());
        multiply(transposed(right.t.view()), g.b.view(), wrong.b.view());
        multiply(g.c.view(), right.w.view(), wrong.c.view());
        // Often it is not even stable.
        if (spectral_radius(wrong.a) >= 1 || measured_error(g, wrong) > right.bound) ++caught;
    }
    CHECK(caught == 10);
}

TEST_CASE("nothing truncated: the same outputs; the diagonal of A_r alone would not give them") {
    random_stream r(3);
    const auto u = random_matrix<double>(300, 5, r);
    for (const poles kind : all_poles)
        for (const gate g : {gate::scalar, gate::per_channel, gate::token, gate::frozen, gate::none}) {
            const auto a = trained(kind, g, r);
            const auto full = reduce(a);
            INFO("order " << full.order << " cond " << full.condition << " diagonal " << full.diagonal);
            CHECK(full.order == 8);
            const auto want = output_of<double>(a, u);
            CHECK(distance(output_of<double>(*full.adapter, u), want) <= 1e-10);

            auto balanced = balance(a.dense_system()).system;
            for (index_t i = 0; i < 8; ++i)
                for (index_t j = 0; j < 8; ++j)
                    if (i != j) balanced.a.a(i, j) = 0;
            if (g == gate::none)
                CHECK(distance(output_of<double>(reduced_adapter<double>(balanced, {.gate = gate::none}), u), want) > 0.01);
        }
}

TEST_CASE("resets, a learned start, the direct path and the float type go along") {
    random_stream r(4);
    for (const poles kind : all_poles) {
        hrm_options o;
        o.states = 6;
        o.poles = kind;
        o.start = start::like_lora;
        o.longest_memory = 50;
        o.learn_initial_state = true;
        o.reset_every = 9;
        o.feedthrough = feedthrough::diagonal;
        o.gate_start = -0.8;
        hrm_adapter<double> a(5, 5, o, r);
        shake(a, r, 0.2);
        const auto cut = reduce(a);
        CHECK(!cut.certified);  // the bound is for documents that start from zero
        const auto u = random_matrix<double>(40, 5, r);
        CHECK(distance(output_of<double>(*cut.adapter, u), output_of<double>(a, u)) <= 1e-9);

        hrm_adapter<float> b(5, 5, o, r);
        shake(b, r, 0.2);
        const auto v = random_matrix<float>(40, 5, r);
        CHECK(distance(output_of<float>(*reduce(b).adapter, v), output_of<float>(b, v)) <= 1e-4);
    }
}

TEST_CASE("tolerances choose the order, and a shut gate does not empty the adapter") {
    random_stream r(5);
    auto a = trained(poles::real_positive, gate::scalar, r);
    const auto fine = reduce(a, {.tolerance = 0.01}), coarse = reduce(a, {.tolerance = 0.1});
    CHECK(coarse.order <= fine.order);
    CHECK(fine.sigma[static_cast<std::size_t>(fine.order - 1)] >= 0.01 * fine.sigma[0]);
    if (fine.order < 8) CHECK(fine.sigma[static_cast<std::size_t>(fine.order)] < 0.01 * fine.sigma[0]);
    a.parameters()[a.parameters().find("gate")](0, 0) = 0;
    const auto shut = reduce(a, {.tolerance = 0.1});
    CHECK(shut.order == coarse.order);
    CHECK(shut.sigma == coarse.sigma);
    CHECK(shut.bound == 0);
    CHECK(shut.adapter->gate_value() == 0);
}

TEST_CASE("an untrained adapter's spectrum, and Gramians given from outside") {
    random_stream r(6);
    hrm_options o = hrm_options::published(32);
    o.gate_start = 1;
    hrm_adapter<double> a(256, 256, o, r);
    const auto cut = reduce(a, {.tolerance = 0.1});
    // The 1/n law of the S4D-Real start, here for one draw at width 256: a steep spectrum nobody has trained.
    CHECK(cut.sigma[4] / cut.sigma[0] < 0.4);
    CHECK(cut.sigma[31] / cut.sigma[0] < 0.1);
    CHECK(cut.order < 20);

    // With the exact Gramian handed in, the same system; but nothing is certified.
    const auto small = trained(poles::complex_pairs, gate::none, r);
    const auto exact = reduce(small, {.rank = 4});
    const auto given = reduce(small, controllability(small.system(output_gain::left_out)), {.rank = 4});
    CHECK(!given.certified);
    const auto u = random_matrix<double>(60, 5, r);
    CHECK(distance(output_of<double>(*given.adapter, u), output_of<double>(*exact.adapter, u)) <= 1e-6);
    CHECK_THROWS_WITH_AS(reduce(small, matrix<double>(3, 3)), "hrm::reduce: Wc is 3x3, expected 8x8", shape_error);
}

TEST_CASE("a set is reduced member by member, other kinds are copied") {
    random_stream r(7);
    adapter_set<double> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<double>>(trained(poles::real_signed, gate::none, r)));
    set.attach(1, site::q, std::make_unique<lora<double>>(4, 6, lora_options{.rank = 2}, r));
    std::vector<reduction_report> reports;
    const auto small = reduce(set, {}, {.rank = 2}, reports);
    REQUIRE(small.size() == 2);
    CHECK(small[0].adapter->kind() == "hrm-reduced");
    CHECK(small[0].adapter->state_size() == 2);
    CHECK(small[1].adapter->kind() == "lora");
    CHECK(reports[0].order == 2);
    CHECK(reports[1].sigma.empty());
}

TEST_CASE("one number of states, or one budget, for a whole set goes where it matters most") {
    random_stream r(8);
    adapter_set<double> set;
    for (const double scale : {1.0, 0.01, 3.0}) {
        auto a = std::make_unique<hrm_adapter<double>>(trained(poles::real_signed, gate::none, r));
        auto& p = a->parameters();
        for (index_t i = 0; i < p[p.find("C")].rows; ++i)
            for (index_t j = 0; j < p[p.find("C")].cols; ++j) p[p.find("C")](i, j) *= scale;
        set.attach(static_cast<index_t>(set.size()), site::mlp_input, std::move(a));
    }
    set.attach(3, site::q, std::make_unique<lora<double>>(4, 6, lora_options{.rank = 2}, r));
    std::vector<reduction_report> whole, reports;
    reduce(set, std::span<const matrix<double>>(), balance_options{}, whole);
    std::vector<std::vector<double>> sigma;
    std::vector<double> gains;
    for (const auto& x : whole) sigma.push_back(x.sigma), gains.push_back(x.gain);

    const auto small = reduce(set, {}, shared_rules{.states = 7}, {.error = error_report::measured}, reports);
    const auto want = share_ranks(sigma, 7, gains);
    index_t states = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(reports[i].order == want[i]);
        CHECK(small[i].adapter->state_size() == want[i]);
        CHECK(reports[i].measured_error);
        states += reports[i].order;
    }
    CHECK(states == 7);
    CHECK(reports[1].order < reports[2].order);
    CHECK(small[3].adapter->kind() == "lora");

    const double budget = 0.1 * (whole[0].gain * whole[0].sigma[0] + whole[2].gain * whole[2].sigma[0]);
    reduce(set, {}, shared_rules{.hinf_budget = budget}, {}, reports);
    double spent = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        spent += reports[i].bound;
        CHECK(reports[i].order == share_hinf_budget(sigma, budget, gains)[i]);
    }
    CHECK(spent <= budget);
    CHECK(spent > 0);
    reduce(set, {}, shared_rules{.states = 2, .hinf_budget = budget}, {}, reports);  // the fewer
    CHECK(reports[0].order + reports[1].order + reports[2].order == 2);
    reduce(set, {}, shared_rules{.states = 7}, {.rank = 1}, reports);  // each by itself
    CHECK(reports[2].order == 1);
    CHECK_THROWS_AS(reduce(set, {}, shared_rules{.hinf_budget = std::nan("")}, {}, reports), numerical_error);
}
