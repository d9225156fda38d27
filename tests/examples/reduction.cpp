#include "../../examples/support/reduction_adapters.hpp"
#include "../../examples/support/reduction_run.hpp"
#include "../../examples/support/system_file.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/core/random.hpp>

#include "support/folder.hpp"

using namespace hrm;
using namespace hrm::examples;

namespace {

using discrete_system = discrete<dense<double>>;

discrete_system random_system(index_t n, index_t m, index_t p, double radius, std::uint64_t seed) {
    random_stream r(seed);
    discrete_system g{{matrix<double>(n, n)}, matrix<double>(n, m), matrix<double>(p, n), matrix<double>(p, m)};
    for (auto* x : {&g.a.a, &g.b, &g.c, &g.d}) r.fill_normal(x->flat());
    const double scale = radius / spectral_radius(g.a);
    for (double& x : g.a.a.flat()) x *= scale;
    return g;
}
/// C (zI - A)^-1 B + D by the impulse response itself, h_0 = D, h_k = C A^{k-1} B, until it has died away.
struct textbook_gain {
    std::vector<double> h;
    explicit textbook_gain(const discrete_system& g) : h{g.d.empty() ? 0 : g.d(0, 0)} {
        auto bare = g;
        bare.d = {};
        for (const auto& x : impulse_response(bare, static_cast<index_t>(-30 / std::log(spectral_radius(g.a))))) h.push_back(x(0, 0));
    }
    std::complex<double> operator()(double omega) const {
        std::complex<double> sum = 0;
        for (auto k = h.size(); k-- > 0;) sum = h[k] + std::polar(1.0, -omega) * sum;
        return sum;
    }
};

struct run {
    reduction_facts facts;
    discrete_system result;
};
run reduced(const discrete_system& g, reduction_request q) {
    run out;
    waiting at;
    run_reduction(g, q, out.facts, at, [&](const discrete_system& r) { out.result = r; });
    return out;
}

}  // namespace

TEST_CASE("a textbook system stays one by every method: the error that was measured is the one its impulse response has") {
    const auto g = random_system(8, 1, 1, 0.8, 5);
    for (const auto how : {method::balance, method::singular_perturbation, method::hankel_norm, method::modal, method::h2}) {
        reduction_request q;
        q.how = how;
        q.rules.rank = 4;
        q.textbook = q.curves = true;
        const auto r = reduced(g, q);
        CAPTURE(static_cast<int>(how));
        REQUIRE(r.facts.error);
        const textbook_gain before(g), after(r.result);
        double largest = 0, norm = 0;
        for (int k = 0; k <= 400; ++k) {
            const double omega = std::numbers::pi * k / 400;
            const auto whole = before(omega);
            largest = std::max(largest, std::abs(whole - after(omega)));
            norm = std::max(norm, std::abs(whole));
        }
        CHECK(largest <= *r.facts.error * (1 + 1e-8));
        CHECK(largest >= *r.facts.error * 0.99);  // the peaks lie on the grid's ends, or are wide beside its steps
        CHECK(norm <= *r.facts.norm * (1 + 1e-8));
        CHECK(norm >= *r.facts.norm * 0.99);
        CHECK(*std::max_element(r.facts.bode.error.begin(), r.facts.bode.error.end()) == doctest::Approx(*r.facts.error).epsilon(0.01));
        if (r.facts.has_bound) CHECK(*r.facts.error <= r.facts.bound * (1 + 1e-8));
    }
}

TEST_CASE("unstable states are put beside the reduced rest by every method, and the whole is the same system plus the error") {
    auto g = random_system(7, 1, 1, 0.8, 9);
    const index_t n = g.order();
    discrete_system wider{{matrix<double>(n + 1, n + 1)}, matrix<double>(n + 1, 1, 1.0), matrix<double>(1, n + 1, 1.0), g.d};
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) wider.a.a(i, j) = g.a.a(i, j);
        wider.a.a(i, n) = 0.1;  // so that the parts lean on each other
        wider.b(i, 0) = g.b(i, 0);
        wider.c(0, i) = g.c(0, i);
    }
    wider.a.a(n, n) = 1.25;
    for (const auto how : {method::balance, method::singular_perturbation, method::hankel_norm, method::modal, method::h2}) {
        reduction_request q;
        q.how = how;
        q.rules.rank = 4;
        const auto r = reduced(wider, q);
        CAPTURE(static_cast<int>(how));
        CHECK(r.facts.unstable == 1);
        CHECK(r.facts.order >= 4);
        CHECK(r.facts.order <= 6);  // a delayed read-out may cost one
        CHECK(spectral_radius(r.result.a) == doctest::Approx(1.25).epsilon(1e-12));
        REQUIRE(r.facts.error);
        for (const double omega : {0.0, 0.4, 1.7, std::numbers::pi}) {
            const auto e = frequency_response(wider, omega)(0, 0) - frequency_response(r.result, omega)(0, 0);
            CHECK(std::abs(e) <= *r.facts.error * (1 + 1e-8) + 1e-12);
        }
    }
}

TEST_CASE("which matrix a file holds, from its name") {
    for (const auto& [path, letter] : std::vector<std::pair<std::string, char>>{{"x/A.mtx", 'A'}, {"fom.B.mtx", 'B'}, {"rail_1357_c60.E", 'E'}, {"b/system-D.mtx", 'D'},
                                                                               {"matrix.mtx", '\0'}, {"AB.mtx", '\0'}, {"a.mtx", '\0'}, {"F.mtx", '\0'}})
        CHECK(examples::detail::letter_of(path) == letter);
}

TEST_CASE("a descriptor system in files: E is solved for, and a foreign E beside a result is refused") {
    const test::folder here;
    const matrix<double> a{{-2, 0}, {0, -6}}, e{{2, 0}, {0, 3}}, b{{2}, {3}}, c{{1, 1}};
    for (const auto& [name, m] : {std::pair{"A", &a}, {"B", &b}, {"C", &c}, {"E", &e}}) write_matrix_market(here.file(std::string(name) + ".mtx"), *m);
    const auto s = read_system({here.path}, time_kind::continuous);
    CHECK(s.a == matrix<double>{{-1, 0}, {0, -2}});
    CHECK(s.b == matrix<double>{{1}, {1}});
    CHECK_THROWS_AS(require_writable(here.path, {}, true), io_error);
    CHECK_THROWS_AS(read_system({here.path}, time_kind::unsaid), io_error);
    write_system(s, here.file("out"));
    CHECK(read_system({here.file("out")}, time_kind::unsaid).time == time_kind::continuous);
    CHECK_THROWS_AS(read_system({here.file("out")}, time_kind::discrete), io_error);
}

#if defined(HRM_HAS_MATIO)
TEST_CASE("a step that is none is refused, and 0, a number above it and -1 say which time it is") {
    const test::folder here;
    const auto with = [&](double step) {
        write_matlab(here.file("x.mat"), {{"A", {{0.5}}}, {"B", {{1}}}, {"C", {{1}}}, {"Ts", {{step}}}});
        return read_system({here.file("x.mat")}, time_kind::unsaid).time;
    };
    CHECK(with(0) == time_kind::continuous);
    for (const double step : {1e-3, 1.0, -1.0}) CHECK(with(step) == time_kind::textbook);
    constexpr double inf = std::numeric_limits<double>::infinity();
    for (const double step : {std::nan(""), inf, -inf, -0.1, -2.0})
        CHECK_THROWS_WITH_AS(with(step), doctest::Contains(("x.mat: Ts is " + std::to_string(step) + ", expected 0 (continuous)").c_str()), io_error);
}
#endif

TEST_CASE("an adapter file: every recurrent adapter is reduced, the others stay, the file reads back") {
    const test::folder here;
    random_stream random(3);
    adapter_set<float> set;
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<float>>(12, 12, hrm_options::published(8), random));
    set.attach(1, site::q, std::make_unique<lora<float>>(12, 12, lora_options{.rank = 2}, random));
    set.attach(1, site::mlp_input, std::make_unique<hrm_adapter<float>>(12, 12, hrm_options::published(8), random));
    for (const std::size_t i : {0, 2}) {  // the gate starts shut
        auto& p = set[i].adapter->parameters();
        p[p.find("gate")](0, 0) = 0.5f;
    }
    save_adapters(here.file("all.safetensors"), set);
    CHECK(is_adapter_file(here.file("all.safetensors")));
    nlohmann::json rows;
    waiting at;
    const auto small = reduce_adapters(here.file("all.safetensors"), {.tolerance = 0.3, .error = error_report::measured}, rows, at);
    REQUIRE(small.size() == 3);
    CHECK(rows.size() == 2);
    CHECK(small[1].adapter->kind() == "lora");
    for (const auto& row : rows) {
        CHECK(row["order"].get<index_t>() < 8);
        CHECK(row["sigma"].size() == 8);
        CHECK(row["hinf_error"].get<double>() > 0);
        CHECK(row["hinf_error"].get<double>() <= row["bound"].get<double>() * (1 + 1e-8));
    }
    save_adapters(here.file("small.safetensors"), small);
    CHECK(load_adapters<float>(here.file("small.safetensors")).size() == 3);
}
