#include <hrm/adapter/truncated.hpp>

#include "adapter/check.hpp"

using namespace hrm;
using namespace hrm::test;

namespace {

discrete<complex_pairs<double>> some_system(random_stream& r) {
    discrete<complex_pairs<double>> s{{{0.9, -0.3}, {0.5, -0.6}, {0.7, 0.1}}, random_matrix<double>(6, 4, r), random_matrix<double>(3, 6, r), {}};
    return s;
}

}  // namespace

TEST_CASE("gradients of a reduced adapter, by poles and dense, with every gate") {
    random_stream r(1);
    const std::array<index_t, 2> starts = {3, 7};
    for (const gate g : {gate::scalar, gate::per_channel, gate::token, gate::none})
        for (const bool full : {false, true}) {
            reduced_options o{.gate = g, .gate_start = 0.7, .scale = 1.3, .learn_initial_state = true};
            if (full) o.full = 5;
            else o.reals = 2, o.pairs = 2;
            reduced_adapter<double> a(4, 3, o);
            shake(a, r, 0.25);
            adapter_state<double> state;
            state.value.assign(static_cast<std::size_t>(a.state_size()), 0.5);
            check_gradients(a, 11, {.starts = starts, .carried = &state}, r, full ? "dense" : "poles");
        }
}

TEST_CASE("a reduced adapter holds the system it was made of") {
    random_stream r(2);
    const auto s = some_system(r);
    const reduced_adapter<double> poles(s, {.gate = gate::none});
    const reduced_adapter<double> full({{to_dense(s.a)}, s.b, s.c, {}}, {.gate = gate::none});
    const auto back = poles.system();
    for (std::size_t i = 0; i < 2; ++i) {  // through tanh, exp and log and back: a few roundings
        CHECK(back.a.real[i] == doctest::Approx(s.a.real[i]).epsilon(1e-14));
        CHECK(back.a.re[i] == doctest::Approx(s.a.re[i]).epsilon(1e-14));
        CHECK(back.a.im[i] == doctest::Approx(s.a.im[i]).epsilon(1e-14));
    }
    CHECK(back.b == s.b);
    CHECK(back.c == s.c);
    const auto u = random_matrix<double>(40, 4, r);
    CHECK(distance(output_of<double>(poles, u), output_of<double>(full, u)) <= 1e-13);
    CHECK(distance(full.dense_system().a.a, to_dense(s.a)) == 0);
}

TEST_CASE_TEMPLATE("a reduced adapter streams", S, float, double) {
    random_stream r(3);
    const auto s = some_system(r);
    const double tolerance = std::is_same_v<S, float> ? 1e-5 : 1e-12;
    const auto u = random_matrix<S>(50, 4, r);
    const std::array<index_t, 3> pieces = {1, 7, 2};
    CHECK(streaming_error<S>(reduced_adapter<S>(s, {}), u, pieces) <= tolerance);
    CHECK(streaming_error<S>(reduced_adapter<S>({{to_dense(s.a)}, s.b, s.c, {}}, {}), u, pieces) <= tolerance);
}

TEST_CASE("order zero adds nothing") {
    random_stream r(4);
    reduced_adapter<double> a(4, 3, {});
    const auto u = random_matrix<double>(5, 4, r);
    CHECK(output_of<double>(a, u) == matrix<double>(5, 3));
    CHECK(output_of<double>(a, u.view().slice_rows(0, 1)) == matrix<double>(1, 3));
    CHECK(a.memory_lengths().empty());
    check_gradients(a, 5, {}, r, "order 0");
}

TEST_CASE("memory lengths of poles and of a dense A agree") {
    random_stream r(5);
    const auto s = some_system(r);
    auto x = reduced_adapter<double>(s, {}).memory_lengths();
    auto y = reduced_adapter<double>({{to_dense(s.a)}, s.b, s.c, {}}, {}).memory_lengths();
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
    REQUIRE(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == doctest::Approx(y[i]).epsilon(1e-12));
}

TEST_CASE("a pair at 0, which no finite nu gives, has finite slopes") {
    discrete<complex_pairs<double>> s;
    s.a.re = s.a.im = {0.0};
    s.b = matrix<double>(2, 3, 0.5);
    s.c = matrix<double>(3, 2, 0.5);
    const reduced_adapter<double> a(s, {});
    const call<double> how{.mode = pass::training};
    const matrix<double> u(5, 3, 1.0);
    matrix<double> out(5, 3);
    std::vector<double> gradient(static_cast<std::size_t>(a.parameters().size()));
    kept<double> keep;
    workspace ws;
    a.forward(u, out, how, keep, ws);
    a.backward(u, u, {}, gradient, how, keep, ws);
    for (const double g : gradient) CHECK(std::isfinite(g));
    for (const double x : a.parameters().flat()) CHECK(std::isfinite(x));
}

TEST_CASE("what cannot be is named") {
    random_stream r(6);
    auto s = some_system(r);
    s.a.real[0] = 1;
    CHECK_THROWS_WITH_AS(reduced_adapter<float>(s, {}), "hrm::reduced_adapter: a pole of modulus 1, expected below 1", numerical_error);
    CHECK_THROWS_WITH_AS((reduced_adapter<float>(4, 4, {.reals = 1, .full = 2})),
                         "hrm::reduced_adapter: orders are 1 reals, 0 pairs, 2 dense, expected poles or a dense A, none negative", error);
}
