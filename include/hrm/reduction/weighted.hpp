#pragma once

#include <cmath>
#include <limits>
#include <string>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/jacobi.hpp>

namespace hrm {

/// What becomes of the Gramian [P X; X^T F] of a system and its filter.
///     enns      P: small weighted error where A_r is stable, which it is sure to be only with a weight on one side. Enns 1984.
///     lin_chiu  P - X F^-1 X^T: what the states do beside the filter's. A_r is stable, whatever the weights: A P' + P' A^T <= 0.
///               No zero of a weight may cancel a pole of the system: that state is then a copy of the filter's, counts nothing,
///               and is lost. Lin & Chiu 1992; weights that are not strictly proper: Sreeram, Anderson & Madievski 1995.
/// Neither comes with a bound: P and P' are Gramians of (A, B') for a B' that does not span B.
enum class weighting { enns, lin_chiu };

namespace detail {

/// Takes from every row of l its part in the row space of f: with P = l l^H, X = l f^H, F = f f^H, the new l l^H is
/// P - X F^+ X^H without the subtraction. Rows of f count whatever their units.
template <class T>
void remove_rows(matrix<T>& l, matrix<T> f) {
    for (index_t i = 0; i < f.rows(); ++i) {
        const double length = std::sqrt(square_of(f.view().row(i), f.cols()));
        for (index_t j = 0; j < f.cols() && length > 0; ++j) f(i, j) /= length;
    }
    if (f.empty() || l.empty()) return;
    const auto svd = jacobi_svd(f);
    const double floor = static_cast<double>(f.rows() + f.cols()) * std::numeric_limits<double>::epsilon() * svd.sigma[0];
    index_t rank = 0;
    while (rank < static_cast<index_t>(svd.sigma.size()) && svd.sigma[static_cast<std::size_t>(rank)] > floor) ++rank;
    const auto v = submatrix(svd.v, 0, svd.v.rows(), 0, rank);
    for (int twice = 0; twice < 2; ++twice) add_times_adjoint(product(l, v), v, l, -1);
}

/// The same numbers, complex ones where T is.
template <class T, class From>
matrix<T> over(const matrix<From>& x) {
    if constexpr (std::same_as<T, From>) return x;
    else return to_complex(x);
}

/// Wc of system * weight, see weighted_controllability.
template <template <class> class System, any_structure A, any_structure W>
matrix<either<A, W>> weighted_gramian(const std::string& where, const System<A>& system, const System<W>& weight, weighting kind) {
    using T = either<A, W>;
    system.check();
    weight.check();
    require_size(where, "outputs of the weight", weight.outputs(), system.inputs());
    const auto g = to_dense(cast<double>(system));
    const auto h = to_dense(cast<double>(weight));
    require_finite(where, "B", g.b);
    const index_t n = g.order(), nw = h.order();
    constexpr bool at_once = in_discrete_time<System<A>>;
    auto through = h.d.empty() ? decltype(h.d)(h.outputs(), h.inputs()) : h.d;
    if (at_once) add(through, product(h.c, h.b));
    const auto b = over<T>(g.b), driven = product(b, over<T>(at_once ? product(h.c, h.a.a) : h.c)), direct = product(b, over<T>(through));
    System<dense<T>> both{{matrix<T>(n + nw, n + nw)}, matrix<T>(n + nw, h.inputs()), matrix<T>(0, n + nw), {}};
    const auto paste = [](matrix<T>& to, const auto& from, index_t row, index_t col) {
        for (index_t i = 0; i < from.rows(); ++i)
            for (index_t j = 0; j < from.cols(); ++j) to(row + i, col + j) = from(i, j);
    };
    paste(both.a.a, g.a.a, 0, 0);
    paste(both.a.a, driven, 0, n);
    paste(both.a.a, h.a.a, n, n);
    paste(both.b, direct, 0, 0);
    paste(both.b, h.b, n, 0);
    const auto whole = [&] {
        try {
            return controllability_factor(both);
        } catch (const unstable_error&) {  // whose fault was it?
            require_stable(where + ": the system (split takes its unstable part off)", g);
            require_stable(where + ": the weight", h);
            throw;
        }
    }();
    auto l = submatrix(whole, 0, n, 0, whole.cols());
    if (kind == weighting::lin_chiu) remove_rows(l, submatrix(whole, n, nw, 0, whole.cols()));
    return in_range(where.c_str(), squared(l));
}

}  // namespace detail

/// Wc for inputs that are white noise behind a filter: the leading block of the Gramian of system * weight,
///     continuous:  [A  B Cw; 0 Aw],  [B Dw; Bw]        discrete:  [A  B Cw Aw; 0 Aw],  [B (Dw + Cw Bw); Bw].
/// With the output side it goes into balance(system, wc, wo): small |Wo (G - Gr) Wi| instead of |G - Gr|.
/// system: order n, m inputs;  weight: m outputs, stable, of the same kind of time.  n x n.  O((n + nw)^3).
/// Throws unstable_error if either is unstable; of a system, split(system).stable is what can be reduced.
template <template <class> class System, any_structure A, any_structure W>
auto weighted_controllability(const System<A>& system, const System<W>& weight, weighting kind = weighting::enns) {
    return detail::weighted_gramian("hrm::weighted_controllability", system, weight, kind);
}
/// Wo for errors that are looked at through a filter: weight has as many inputs as the system outputs.
template <template <class> class System, any_structure A, any_structure W>
auto weighted_observability(const System<A>& system, const System<W>& weight, weighting kind = weighting::enns) {
    require_size("hrm::weighted_observability", "inputs of the weight", weight.inputs(), system.outputs());
    return detail::weighted_gramian("hrm::weighted_observability", dual(system), dual(weight), kind);
}

}  // namespace hrm
