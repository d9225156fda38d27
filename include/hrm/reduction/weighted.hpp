#pragma once

#include <hrm/reduction/gramian.hpp>

namespace hrm {

/// Wc for inputs that are white noise behind a filter: the leading block of the Gramian of system * weight,
///     continuous:  [A  B Cw; 0 Aw],  [B Dw; Bw]        discrete:  [A  B Cw Aw; 0 Aw],  [B (Dw + Cw Bw); Bw].
/// With the output side it goes into balance(system, wc, wo): small |Wo (G - Gr) Wi| instead of |G - Gr|. Enns 1984.
/// system: order n, m inputs;  weight: m outputs, stable, of the same kind of time.  n x n.  O((n + nw)^3).
/// Throws unstable_error if either is unstable.
template <template <class> class System, structure A, structure W>
matrix<double> weighted_controllability(const System<A>& system, const System<W>& weight) {
    system.check();
    weight.check();
    require_size("hrm::weighted_controllability", "outputs of the weight", weight.outputs(), system.inputs());
    const auto g = to_dense(cast<double>(system)), h = to_dense(cast<double>(weight));
    detail::require_finite("hrm::weighted_controllability", "B", g.b);
    const index_t n = g.order(), nw = h.order();
    const auto product = [](const matrix<double>& x, const matrix<double>& y) {
        matrix<double> z(x.rows(), y.cols());
        multiply(x.view(), y.view(), z.view());
        return z;
    };
    constexpr bool at_once = in_discrete_time<System<A>>;
    auto through = h.d.empty() ? matrix<double>(h.outputs(), h.inputs()) : h.d;
    if (at_once) multiply(h.c.view(), h.b.view(), through.view(), into::add);
    const auto driven = product(g.b, at_once ? product(h.c, h.a.a) : h.c), direct = product(g.b, through);
    System<dense<double>> both{{matrix<double>(n + nw, n + nw)}, matrix<double>(n + nw, h.inputs()), matrix<double>(0, n + nw), {}};
    const auto paste = [](matrix<double>& to, const matrix<double>& from, index_t row, index_t col) {
        for (index_t i = 0; i < from.rows(); ++i)
            for (index_t j = 0; j < from.cols(); ++j) to(row + i, col + j) = from(i, j);
    };
    paste(both.a.a, g.a.a, 0, 0);
    paste(both.a.a, driven, 0, n);
    paste(both.a.a, h.a.a, n, n);
    paste(both.b, direct, 0, 0);
    paste(both.b, h.b, n, 0);
    const auto l = controllability_factor(both);
    matrix<double> w(n, n);
    multiply(l.view().slice_rows(0, n), transposed(l.view().slice_rows(0, n)), w.view());
    return detail::in_range("hrm::weighted_controllability", std::move(w));
}
/// Wo for errors that are looked at through a filter: weight has as many inputs as the system outputs.
template <template <class> class System, structure A, structure W>
matrix<double> weighted_observability(const System<A>& system, const System<W>& weight) {
    require_size("hrm::weighted_observability", "inputs of the weight", weight.inputs(), system.outputs());
    return weighted_controllability(dual(system), dual(weight));
}

}  // namespace hrm
