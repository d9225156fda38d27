#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <hrm/systems/sparse.hpp>

// Large sparse systems, and matrix products by their definition.

namespace hrm::testing {

// What make_low_rank_references.py calls heat, convection and mass: the grid point (row i, column j) is state i k + j.
inline continuous<sparse<double>> grid_system(const std::string& name, index_t k) {
    const double inverse = static_cast<double>(k + 1), square = inverse * inverse;
    const index_t n = k * k, quarter = k / 4;
    std::vector<Eigen::Triplet<double>> entries, mass;
    const auto put = [&](index_t row, index_t col, double x) { entries.emplace_back(static_cast<int>(row), static_cast<int>(col), x); };
    for (index_t i = 0; i < k; ++i)
        for (index_t j = 0; j < k; ++j) {
            const index_t at = i * k + j;
            put(at, at, -4 * square);
            if (i > 0) put(at, at - k, square);
            if (i + 1 < k) put(at, at + k, square);
            if (j > 0) put(at, at - 1, square);
            if (j + 1 < k) put(at, at + 1, square);
        }
    if (name == "mass") {
        for (const auto& t : entries) mass.emplace_back(t.row(), t.col(), t.value() / (12 * square) + (t.row() == t.col() ? 1 : 0));
    }
    if (name == "convection")
        for (index_t i = 0; i < k; ++i)
            for (index_t j = 0; j < k; ++j) {
                const index_t at = i * k + j;
                put(at, at, -60 * inverse);
                if (j > 0) put(at, at - 1, 40 * inverse);
                if (i > 0) put(at, at - k, 20 * inverse);
            }
    continuous<sparse<double>> s{{sparse_matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(2, n), {}};
    s.a.a.setFromTriplets(entries.begin(), entries.end());
    if (!mass.empty()) {
        s.a.e.resize(n, n);
        s.a.e.setFromTriplets(mass.begin(), mass.end());
    }
    const double size = static_cast<double>(k);
    for (index_t i = 0; i < k; ++i)
        for (index_t j = 0; j < k; ++j) {
            s.b(i * k + j, 0) = j < quarter ? 1 / size : 0;
            s.c(0, i * k + j) = i >= k - quarter ? 1 / (size * static_cast<double>(quarter)) : 0;
            s.c(1, i * k + j) = 1 / (size * size);
        }
    return s;
}

// A chain of damped oscillators, resonances of all widths: shifts must be complex.
inline continuous<sparse<double>> oscillators(index_t pairs) {
    const index_t n = 2 * pairs;
    continuous<sparse<double>> s{{sparse_matrix<double>(n, n)}, matrix<double>(n, 2), matrix<double>(1, n), {}};
    for (index_t i = 0; i < pairs; ++i) {
        const double w = 1 + static_cast<double>(i) * 0.7, decay = 0.05 * w;
        s.a.a.coeffRef(2 * i, 2 * i) = s.a.a.coeffRef(2 * i + 1, 2 * i + 1) = -decay;
        s.a.a.coeffRef(2 * i, 2 * i + 1) = w;
        s.a.a.coeffRef(2 * i + 1, 2 * i) = -w;
        if (i > 0) s.a.a.coeffRef(2 * i, 2 * i - 2) = 0.02;
        s.b(2 * i, 0) = 1 / w;
        s.b(2 * i + 1, 1) = std::cos(w);
        s.c(0, 2 * i) = 1;
    }
    s.a.a.makeCompressed();
    return s;
}

// What make_low_rank_discrete.py calls walk, wind, mass and rings.
inline discrete<sparse<double>> discrete_system(const std::string& name, index_t k) {
    if (name == "rings") {
        discrete<sparse<double>> s{{sparse_matrix<double>(2 * k, 2 * k)}, matrix<double>(2 * k, 2), matrix<double>(1, 2 * k), {}};
        for (index_t i = 0; i < k; ++i) {
            const double x = static_cast<double>(i), n = static_cast<double>(k), r = 0.97 * (1 - 0.3 * x / n), t = (x + 1) * 3 / n;
            s.a.a.coeffRef(2 * i, 2 * i) = s.a.a.coeffRef(2 * i + 1, 2 * i + 1) = r * std::cos(t);
            s.a.a.coeffRef(2 * i, 2 * i + 1) = -r * std::sin(t);
            s.a.a.coeffRef(2 * i + 1, 2 * i) = r * std::sin(t);
            if (i > 0) s.a.a.coeffRef(2 * i, 2 * i - 2) = 0.02;
            s.b(2 * i, 0) = 1 / (x + 1);
            s.b(2 * i + 1, 1) = std::cos(x);
            s.c(0, 2 * i) = 1;
        }
        s.a.a.makeCompressed();
        return s;
    }
    const auto heat = grid_system("heat", k);
    sparse_matrix<double> one(k * k, k * k);
    one.setIdentity();
    const sparse_matrix<double> laplace = heat.a.a / static_cast<double>((k + 1) * (k + 1));
    discrete<sparse<double>> s{{one + laplace / 5}, heat.b, heat.c, {}};
    if (name == "wind") {
        s.a.a = one * (1 - 0.25 - 0.125) + laplace / 8;
        for (index_t i = 0; i < k; ++i)
            for (index_t j = 0; j < k; ++j) {
                if (j > 0) s.a.a.coeffRef(i * k + j, i * k + j - 1) += 0.25;
                if (i > 0) s.a.a.coeffRef(i * k + j, i * k + j - k) += 0.125;
            }
    }
    if (name == "mass") {
        s.a.e = one + laplace / 12;
        s.a.a = s.a.e + laplace / 14;
    }
    return s;
}

// What make_complex_low_rank.py calls ray, wind, mass and modes.
template <template <class> class System>
System<sparse<std::complex<double>>> complex_system_of(const std::string& name, index_t k) {
    using number = std::complex<double>;
    using S = System<sparse<number>>;
    constexpr bool discrete_time = std::same_as<S, discrete<sparse<number>>>;
    if (name == "modes") {
        S s{{sparse_matrix<number>(k, k)}, matrix<number>(k, 2), matrix<number>(1, k, 1), {}};
        for (index_t i = 0; i < k; ++i) {
            const double x = static_cast<double>(i), n = static_cast<double>(k);
            s.a.a.coeffRef(i, i) = discrete_time ? std::polar(0.97 * (1 - 0.3 * x / n), (x + 1) * 3 / n) : number(-0.05, 1) * (1 + 0.7 * x);
            if (i > 0) s.a.a.coeffRef(i, i - 1) = {0.02, 0.01};
            s.b(i, 0) = 1 / (x + 1);
            s.b(i, 1) = std::polar(1.0, x);
        }
        s.a.a.makeCompressed();
        return s;
    }
    const auto real = grid_system(name == "ray" ? "heat" : name == "wind" ? "convection" : name, k);
    const index_t n = k * k;
    S s{{real.a.a.cast<number>() * number(1, 0.7), real.a.e.cast<number>() * number(1, 0.1)}, matrix<number>(n, 1), matrix<number>(2, n), {}};
    if constexpr (discrete_time) {
        sparse_matrix<number> before = s.a.e;
        if (!s.a.has_e()) before.resize(n, n), before.setIdentity();
        s.a.a = before + real.a.a.cast<number>() * (number(1, 0.5) / static_cast<double>((k + 1) * (k + 1)) / (s.a.has_e() ? 20.0 : 10.0));
    }
    for (index_t i = 0; i < n; ++i) {
        const double x = static_cast<double>(i);
        s.b(i, 0) = std::polar(real.b(i, 0), 0.1 * x);
        for (index_t j = 0; j < 2; ++j) s.c(j, i) = std::polar(real.c(j, i), -0.07 * x);
    }
    return s;
}

// The continuous system by a Cayley transform that keeps both Gramians, and so the Hankel singular values:
//     (E - h/2 A) s_t = (E + h/2 A) s_{t-1} + sqrt(h) B u_t,    C' = sqrt(h) C (E - h/2 A)^-1 E.
inline discrete<sparse<double>> cayley(const continuous<sparse<double>>& g, double h) {
    sparse_matrix<double> e = g.a.e;
    if (!g.a.has_e()) e.resize(g.order(), g.order()), e.setIdentity();
    discrete<sparse<double>> s{{e + g.a.a * (h / 2), e - g.a.a * (h / 2)}, g.b, g.c, {}};
    sparse_solver<double> solver(symmetry::general);
    solver.factor(s.a.e);
    const column_block<double> ct = e.transpose() * solver.solve_transposed(detail::to_columns<double>(g.c).transpose());
    s.c = from_eigen(column_block<double>(ct.transpose() * std::sqrt(h)));
    for (double& x : s.b.flat()) x *= std::sqrt(h);
    return s;
}

inline double norm(const matrix<double>& x) { return std::sqrt(dot(x.data(), x.data(), x.size())); }

inline matrix<double> outer(const matrix<double>& l) {
    matrix<double> x(l.rows(), l.rows());
    multiply(l.view(), transposed(l.view()), x.view());
    return x;
}

}  // namespace hrm::testing
