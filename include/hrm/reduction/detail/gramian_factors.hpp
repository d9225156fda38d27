#pragma once

#include <cmath>

#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/systems/modal.hpp>

// The factors of both Gramians, Wc = Lc Lc^T and Wo = Lo Lo^T, by the best way that the structure of A allows.

namespace hrm::detail {

struct gramian_factors {
    matrix<double> lc, lo;  ///< n x (columns)
};

/// Modal A. Each mode is scaled so that its rows of B and columns of C are equally long: then a diagonal entry of Wc small
/// beside the largest is one of Wo too, and what a floor cuts off matters to neither. A mode without input or output drops
/// out. Columns end at `floor` times the first in length.
template <class Domain>
gramian_factors modal_factors(const char* where, const complex_pairs<double>& a, matrix<double> b, const matrix<double>& c, double floor) {
    const index_t q = a.reals(), k = a.pairs();
    auto ct = transpose(c);
    buffer<double> scale(static_cast<std::size_t>(q + k), 1.0);
    const auto rows = [&](index_t i, auto f) {  // of mode i
        f(i);
        if (i >= q) f(i + k);
    };
    for (index_t i = 0; i < q + k; ++i) {
        double in = 0, out = 0;
        rows(i, [&](index_t r) {
            for (index_t j = 0; j < b.cols(); ++j) in = std::hypot(in, b(r, j));
            for (index_t j = 0; j < ct.cols(); ++j) out = std::hypot(out, ct(r, j));
        });
        auto& s = scale[static_cast<std::size_t>(i)];
        s = in > 0 && out > 0 ? std::exp2(std::round(std::log2(out / in) / 2)) : 0;
        rows(i, [&](index_t r) {
            for (index_t j = 0; j < b.cols(); ++j) b(r, j) *= s;
            for (index_t j = 0; j < ct.cols(); ++j) ct(r, j) = s > 0 ? ct(r, j) / s : 0;
        });
    }
    const auto inputs = modal(a, b), outputs = modal(transpose(a), ct);
    require_stable<Domain>(where, inputs);
    gramian_factors f{cauchy_factor<Domain>(inputs, floor), cauchy_factor<Domain>(outputs, floor)};
    for (index_t i = 0; i < q + k; ++i)
        rows(i, [&](index_t r) {
            const double s = scale[static_cast<std::size_t>(i)];
            for (index_t j = 0; j < f.lc.cols(); ++j) f.lc(r, j) = s > 0 ? f.lc(r, j) / s : 0;
            for (index_t j = 0; j < f.lo.cols(); ++j) f.lo(r, j) *= s;
        });
    return f;
}

template <linear_system T>
using domain_of = std::conditional_t<in_discrete_time<T>, unit_disk, half_plane>;

/// Both factors of a system in double, stable, with finite B and C.  floor: 0 for every column.
template <linear_system T>
gramian_factors factors_of(const char* where, const T& s, double floor) {
    require_finite(where, "B", s.b);
    require_finite(where, "C", s.c);
    if constexpr (std::same_as<typename T::structure_type, diagonal<double>>)
        return modal_factors<domain_of<T>>(where, {s.a.poles, {}, {}}, s.b, s.c, floor);
    else if constexpr (std::same_as<typename T::structure_type, complex_pairs<double>>)
        return modal_factors<domain_of<T>>(where, s.a, s.b, s.c, floor);
    else {
        if (const auto modes = find_modes(s.a.a)) {
            const auto m = in_modes(*modes, s);
            auto f = modal_factors<domain_of<T>>(where, m.a, m.b, m.c, floor);
            return {modes->from_modes(f.lc), modes->dual_from_modes(f.lo)};
        }
        if constexpr (in_discrete_time<T>) return {stein_factor(s.a.a, s.b), stein_factor(transpose(s.a.a), transpose(s.c))};
        else return {lyapunov_factor(s.a.a, s.b), lyapunov_factor(transpose(s.a.a), transpose(s.c))};
    }
}

/// Lo^T Lc: its singular values are the Hankel singular values.
inline matrix<double> factor_product(const gramian_factors& f) {
    matrix<double> k(f.lo.cols(), f.lc.cols());
    multiply(transposed(f.lo.view()), f.lc.view(), k.view());
    require_finite("hrm::balance", "Lo^T Lc", k);  // Gramians beyond the range of double
    return k;
}

}  // namespace hrm::detail
