#include <hrm/cuda/detail/adapter_passes.hpp>

#include <cuda/host_products.hpp>

using namespace hrm;
using namespace cuda_test;
using hrm::test::distance;
using hrm::test::random_matrix;

namespace {

template <storable T>
struct on_host {
    using S = accumulate_t<T>;
    detail::folded_weights<T, host_products> weights;
    detail::adapter_passes<T, host_products> passes;
    on_host(const adapter<S>& a, scan::shape most)
        : weights({}, detail::layout_of(a)), passes({}, weights.layout(), most) {
        weights.set(a.parameters().flat().data());
    }
};

/// One adapter, one shape: what the passes give, with rounding to T, against the CPU in double.
template <storable T>
void check(random_stream& r, double tolerance, index_t longest) {
    using S = accumulate_t<T>;
    const index_t batch = 1 + r.below(3), time = 1 + r.below(longest), inputs = 1 + r.below(20), outputs = 1 + r.below(90);
    const auto wide = random_adapter<double>(inputs, outputs, r);
    auto own = make_adapter<S>(wide->kind(), inputs, outputs, wide->options());
    std::unique_ptr<adapter<double>> reference = wide->clone();
    for (const auto& e : own->parameters().entries()) {  // the same numbers, as S holds them
        const auto from = wide->parameters()[wide->parameters().find(e.name)];
        const auto to = own->parameters()[own->parameters().find(e.name)];
        const auto back = reference->parameters()[reference->parameters().find(e.name)];
        for (index_t i = 0; i < from.size(); ++i) back.data[i] = to.data[i] = static_cast<S>(from.data[i]);
    }
    const index_t rows = batch * time, n = detail::layout_of(*own).states(), dynamic = own->state_size();
    const auto u = converted<T>(random_matrix<double>(rows, inputs, r)), dout = converted<T>(random_matrix<double>(rows, outputs, r));
    auto out = converted<T>(random_matrix<double>(rows, outputs, r)), du = converted<T>(random_matrix<double>(rows, inputs, r));
    const bool given = r.below(2) == 0 && dynamic > 0;
    const auto initial = given ? converted<S>(random_matrix<double>(batch, dynamic, r)) : matrix<S>();
    const auto want = on_cpu<double>(*reference, batch, converted<double>(u), converted<double>(out), converted<double>(dout),
                                     converted<double>(du), converted<double>(initial), buffer<double>(static_cast<std::size_t>(reference->parameters().size()), 0.25));

    on_host<T> device(*own, {.batch = batch, .time = time});
    matrix<S> states(rows, n), final(batch, dynamic), dinitial(batch, dynamic);
    buffer<S> gradient(static_cast<std::size_t>(own->parameters().size()), S{0.25});
    device.passes.forward(device.weights, u.view(), out.view(), states.view(), initial.view(), final.view());
    device.passes.backward(device.weights, u.view(), dout.view(), states.view(), du.view(), gradient, initial.view(), dinitial.view(), {});

    INFO(own->kind() << " n " << n << " dynamic " << dynamic << " batch " << batch << " time " << time << " layer " << outputs << "x" << inputs);
    for (const auto& [key, value] : own->options()) INFO(key << " = " << value);
    CHECK(distance(converted<double>(out), want.out) <= tolerance);
    CHECK(distance(converted<double>(du), want.du) <= tolerance);
    CHECK(distance(converted<double>(final), want.final) <= tolerance);
    check_gradient<S>(*own, gradient, *reference, want.gradient, tolerance, rows * n * outputs, 0.25);
    if (dynamic > 0) {  // without a given state dinitial is that of a state of zero, or adds up to the learned one's slope
        const auto l = detail::layout_of(*own);
        if (l.s0 >= 0 && !given)
            for (index_t i = 0; i < dynamic; ++i) {
                double sum = 0;
                for (index_t b = 0; b < batch; ++b) sum += static_cast<double>(dinitial(b, i));
                CHECK(sum == doctest::Approx(static_cast<double>(gradient[static_cast<std::size_t>(l.s0 + i)]) - 0.25).epsilon(tolerance).scale(10));
            }
    }
}

}  // namespace

TEST_CASE("2000 random adapters and shapes: every output and gradient is the CPU's, in double") {
    random_stream r(21);
    for (int round = 0; round < 2000; ++round) check<double>(r, 1e-12, round % 8 ? 12 : 90);
}

TEST_CASE("in float, and in bf16 with sums in float, to the rounding of the operands") {
    random_stream r(22);
    for (int round = 0; round < 300; ++round) {
        check<float>(r, 1e-5, 60);
        check<bf16>(r, 2e-2, 60);  // weights, states, lambda and results round to 2^-9 each
    }
}

TEST_CASE("adjoint identity: <dout, out> + <dfinal, final> = <du, u> + <dinitial, initial>") {
    random_stream r(23);
    for (int round = 0; round < 200; ++round) {
        const index_t batch = 1 + r.below(3), time = 1 + r.below(40), inputs = 1 + r.below(9), outputs = 1 + r.below(9), rows = batch * time;
        const auto a = random_adapter<double>(inputs, outputs, r);
        const index_t n = a->state_size();
        if (n == 0) continue;
        on_host<double> device(*a, {.batch = batch, .time = time});
        const auto u = random_matrix<double>(rows, inputs, r), dout = random_matrix<double>(rows, outputs, r);
        const auto initial = random_matrix<double>(batch, n, r), dfinal = random_matrix<double>(batch, n, r);
        matrix<double> out(rows, outputs), du(rows, inputs), states(rows, device.weights.layout().states()), final(batch, n), dinitial(batch, n);
        buffer<double> gradient(static_cast<std::size_t>(a->parameters().size()));
        device.passes.forward(device.weights, u.view(), out.view(), states.view(), initial.view(), final.view());
        device.passes.backward(device.weights, u.view(), dout.view(), states.view(), du.view(), gradient, initial.view(), dinitial.view(), dfinal.view());
        const auto inner = [](const matrix<double>& x, const matrix<double>& y) {
            double sum = 0;
            for (index_t i = 0; i < x.size(); ++i) sum += x.data()[i] * y.data()[i];
            return sum;
        };
        const double left = inner(dout, out) + inner(dfinal, final), right = inner(du, u) + inner(dinitial, initial);
        const double size = std::sqrt(inner(dout, dout) * inner(out, out)) + std::sqrt(inner(dfinal, dfinal) * inner(final, final));
        CHECK(std::abs(left - right) <= 1e-12 * size);
    }
}

TEST_CASE("a reduced adapter of order 0 adds nothing, and no gradient") {
    random_stream r(26);
    for (const auto g : {gate::scalar, gate::per_channel, gate::none}) {
        reduced_adapter<float> a(5, 6, {.gate = g, .gate_start = 0.7});
        on_host<float> device(a, {.batch = 2, .time = 9});
        const auto u = random_matrix<float>(18, 5, r), dout = random_matrix<float>(18, 6, r), before = random_matrix<float>(18, 6, r), slope = random_matrix<float>(18, 5, r);
        auto out = before, du = slope;
        matrix<float> states(18, 0), border(2, 0);
        buffer<float> gradient(static_cast<std::size_t>(a.parameters().size()), 0.25f);
        const auto unchanged = gradient;
        device.passes.forward(device.weights, u.view(), out.view(), states.view(), border.view(), border.view());
        device.passes.forward(device.weights, u.view(), out.view(), {}, {}, {});
        device.passes.backward(device.weights, u.view(), dout.view(), states.view(), du.view(), gradient, border.view(), border.view(), border.view());
        CHECK(out == before);
        CHECK(du == slope);
        CHECK(gradient == unchanged);
    }
}

TEST_CASE("BLAS is told of every matrix, turned or not, by lines that do not overlap and hold what the view holds") {
    buffer<double> numbers(1000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
    for (index_t rows = 0; rows < 5; ++rows)
        for (index_t cols = 0; cols < 5; ++cols)
            for (index_t stride = cols; stride < cols + 4; ++stride) {
                const matrix_view<const double> m(numbers.data(), rows, cols, stride);
                for (const strided_view<const double> v : {strided_view<const double>(m), transposed(m)}) {
                    const auto l = detail::blas_layout::of(v);
                    CAPTURE(v.rows);
                    CAPTURE(v.cols);
                    CAPTURE(stride);
                    CHECK(l.apart >= std::max<index_t>(l.by_rows ? v.cols : v.rows, 1));
                    bool same = true;
                    for (index_t i = 0; i < v.rows; ++i)
                        for (index_t j = 0; j < v.cols; ++j) same &= &v(i, j) == v.data + (l.by_rows ? i * l.apart + j : j * l.apart + i);
                    CHECK(same);
                }
            }
}

TEST_CASE("what a device does not run is refused by name") {
    random_stream r(24);
    const auto refused = [&](hrm_options o) { return detail::layout_of(hrm_adapter<float>(4, 4, o, r)); };
    CHECK_THROWS_WITH_AS(refused({.gate = gate::token, .gate_start = 0.5}),
                         "hrm::adapter_weights: the gate is token, expected scalar, per_channel, frozen or none: hrm::cuda runs nothing else", error);
    CHECK_THROWS_WITH_AS(refused({.feedthrough = feedthrough::diagonal}),
                         "hrm::adapter_weights: feedthrough is diagonal, expected none: hrm::cuda runs nothing else", error);
    CHECK_THROWS_WITH_AS(refused({.reset_every = 5}), "hrm::adapter_weights: reset_every is 5, expected 0: hrm::cuda runs nothing else", error);
    CHECK_THROWS_WITH_AS(detail::layout_of(reduced_adapter<float>(4, 4, {.full = 3})),
                         "hrm::adapter_weights: the order of a dense A is 3, expected 0: hrm::cuda runs nothing else", error);
    CHECK_THROWS_WITH_AS(detail::layout_of(lora<float>(4, 4, {.dropout = 0.5}, r)),
                         "hrm::adapter_weights: dropout is 0.5, expected 0: hrm::cuda runs nothing else", error);
}

TEST_CASE("shapes that do not fit are refused with both numbers") {
    random_stream r(25);
    const hrm_adapter<float> a(4, 5, hrm_options::published(6), r);
    on_host<float> device(a, {.batch = 2, .time = 3});
    matrix<float> u(6, 4), out(6, 5), odd(5, 4), long_u(8, 4);
    const auto run = [&](matrix<float>& in, matrix<float>& to) { device.passes.forward(device.weights, in.view(), to.view(), {}, {}, {}); };
    CHECK_NOTHROW(run(u, out));
    CHECK_THROWS_WITH_AS(run(u, u), "hrm::adapter_plan: out is 6x4, expected 6x5", shape_error);
    matrix<float> out5(5, 5), out8(8, 5);
    CHECK_THROWS_WITH_AS(run(odd, out5), "hrm::adapter_plan: u has 5 rows, expected a multiple of 2 up to 6", shape_error);
    CHECK_THROWS_WITH_AS(run(long_u, out8), "hrm::adapter_plan: u has 8 rows, expected a multiple of 2 up to 6", shape_error);
    detail::folded_weights<float, host_products> unset({}, detail::layout_of(a));
    CHECK_THROWS_WITH_AS(device.passes.forward(unset, u.view(), out.view(), {}, {}, {}), "hrm::adapter_plan: the weights were never set", error);
    matrix<float> state(2, 6, 1.0f);
    CHECK_THROWS_WITH_AS(unset.begin(state), "hrm::adapter_weights::begin: the weights were never set", error);
    CHECK(state == matrix<float>(2, 6, 1.0f));
}
