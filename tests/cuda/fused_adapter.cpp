#include <hrm/cuda/detail/fused_passes.hpp>

#include <cuda/host_tiles.hpp>

using namespace hrm;
using namespace cuda_test;
using hrm::test::distance;
using hrm::test::random_matrix;

namespace {

/// A matrix whose rows begin on 16 bytes, with numbers between them that nobody may touch.
template <class T>
struct apart_rows {
    matrix<T> all;
    index_t cols;
    apart_rows(const matrix<T>& m, index_t gap) : all(m.rows(), m.cols() + gap, T(7.f)), cols(m.cols()) {
        for (index_t i = 0; i < m.rows(); ++i) std::copy_n(m.view().row(i), cols, all.view().row(i));
    }
    matrix_view<T> view() { return all.view().slice_cols(0, cols); }
    matrix<T> inside() { return matrix<T>(matrix_view<const T>(view())); }
    bool gaps_kept() {
        bool kept = true;
        for (index_t i = 0; i < all.rows(); ++i)
            for (index_t j = cols; j < all.cols(); ++j) kept &= static_cast<float>(all(i, j)) == 7.f;
        return kept;
    }
};

template <class Tiles>
void check(random_stream& r, double tolerance, index_t longest) {
    using T = typename Tiles::T;
    constexpr index_t whole = detail::fetched<T>;
    const index_t batch = 1 + r.below(3), time = 1 + r.below(longest), rows = batch * time;
    // One in four is wide: several slabs, several turns of every ring of stages.
    const index_t inputs = whole * (1 + r.below(r.below(4) ? 12 : 90)), outputs = whole * (1 + r.below(r.below(4) ? 20 : 90));
    const auto a = random_adapter<float>(inputs, outputs, r);
    const index_t n = detail::layout_of(*a).states(), dynamic = a->state_size();
    const auto wide = make_adapter<double>(a->kind(), inputs, outputs, a->options());
    for (const auto& e : a->parameters().entries()) {
        const auto from = a->parameters()[a->parameters().find(e.name)];
        const auto to = wide->parameters()[wide->parameters().find(e.name)];
        for (index_t i = 0; i < from.size(); ++i) to.data[i] = from.data[i];
    }
    apart_rows<T> u(converted<T>(random_matrix<double>(rows, inputs, r)), whole * r.below(2)), out(converted<T>(random_matrix<double>(rows, outputs, r)), whole * r.below(2));
    const auto initial = dynamic > 0 && r.below(2) ? random_matrix<float>(batch, dynamic, r) : matrix<float>();
    apart_rows<T> dout(converted<T>(random_matrix<double>(rows, outputs, r)), whole * r.below(2)), du(converted<T>(random_matrix<double>(rows, inputs, r)), whole * r.below(2));
    const auto want = on_cpu<double>(*wide, batch, converted<double>(u.inside()), converted<double>(out.inside()), converted<double>(dout.inside()), converted<double>(du.inside()),
                                     converted<double>(initial), buffer<double>(static_cast<std::size_t>(wide->parameters().size())));

    const host_tiler device{{}, r.below(2) == 0};
    detail::folded_weights<T, host_tiler> w(device, detail::layout_of(*a));
    w.set(a->parameters().flat().data());
    detail::fused_passes<Tiles, host_tiler> passes(device, w.layout(), {.batch = batch, .time = time + r.below(50)}, r.below(2) ? 128 : 32);
    matrix<float> states(rows, n), final(batch, dynamic);
    passes.forward(w, u.view(), out.view(), states.view(), initial.view(), final.view());
    buffer<float> gradient(static_cast<std::size_t>(a->parameters().size()));
    matrix<float> dinitial(batch, dynamic);
    passes.backward(w, u.view(), dout.view(), states.view(), du.view(), gradient, initial.view(), dinitial.view(), {});
    INFO(a->kind() << " states " << n << " dynamic " << dynamic << " batch " << batch << " time " << time << " layer " << outputs << "x" << inputs << " late " << device.late);
    CHECK(distance(converted<double>(out.inside()), want.out) <= tolerance);
    CHECK(distance(converted<double>(final), want.final) <= tolerance);
    CHECK(distance(converted<double>(du.inside()), want.du) <= tolerance);
    CHECK(out.gaps_kept());
    CHECK(du.gaps_kept());
    check_gradient<float>(*a, gradient, *wide, want.gradient, tolerance, rows * n * outputs * time);  // of states that walk at random for up to `time` steps
    if (time > 0 && dynamic > 0) {
        bool last = true;
        for (index_t b = 0; b < batch; ++b)
            for (index_t i = 0; i < dynamic; ++i) last &= final(b, i) == states(b * time + time - 1, n - dynamic + i);
        CHECK(last);
    }
}

}  // namespace

TEST_CASE("adjoint identity of the tiles: <dout, out> + <dfinal, final> = <du, u> + <dinitial, initial>") {
    random_stream r(52);
    for (int round = 0; round < 100; ++round) {
        const index_t batch = 1 + r.below(3), time = 1 + r.below(200), inputs = 4 * (1 + r.below(9)), outputs = 4 * (1 + r.below(9)), rows = batch * time;
        const auto a = random_adapter<float>(inputs, outputs, r);
        const index_t n = a->state_size();
        if (n == 0) continue;
        const host_tiler device{{}, true};
        detail::folded_weights<float, host_tiler> w(device, detail::layout_of(*a));
        w.set(a->parameters().flat().data());
        detail::fused_passes<plain_tiles<float>, host_tiler> passes(device, w.layout(), {.batch = batch, .time = time}, 32);
        const auto u = random_matrix<float>(rows, inputs, r), dout = random_matrix<float>(rows, outputs, r);
        const auto initial = random_matrix<float>(batch, n, r), dfinal = random_matrix<float>(batch, n, r);
        matrix<float> out(rows, outputs), du(rows, inputs), states(rows, w.layout().states()), final(batch, n), dinitial(batch, n);
        buffer<float> gradient(static_cast<std::size_t>(a->parameters().size()));
        passes.forward(w, u.view(), out.view(), states.view(), initial.view(), final.view());
        passes.backward(w, u.view(), dout.view(), states.view(), du.view(), gradient, initial.view(), dinitial.view(), dfinal.view());
        const auto inner = [](const matrix<float>& x, const matrix<float>& y) {
            double sum = 0;
            for (index_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x.data()[i]) * static_cast<double>(y.data()[i]);
            return sum;
        };
        const double left = inner(dout, out) + inner(dfinal, final), right = inner(du, u) + inner(dinitial, initial);
        const double size = std::sqrt(inner(dout, dout) * inner(out, out)) + std::sqrt(inner(dfinal, dfinal) * inner(final, final)) +
                            std::sqrt(inner(du, du) * inner(u, u)) + std::sqrt(inner(dinitial, dinitial) * inner(initial, initial));
        CHECK(std::abs(left - right) <= 1e-5 * size);
    }
}

TEST_CASE("the tiles' schedule gives the CPU's outputs, states and gradients, for random adapters and shapes") {
    random_stream r(51);
    for (int round = 0; round < 100; ++round) {
        check<plain_tiles<float>>(r, 1e-5, round % 10 ? 40 : 400);
        check<plain_tiles<bf16>>(r, 2e-2, round % 10 ? 40 : 400);
        check<detail::fma_tiles<float, host_lanes>>(r, 1e-5, round % 10 ? 40 : 400);
    }
}
