#pragma once

#include <algorithm>
#include <complex>
#include <vector>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/rediagonalize.hpp>

namespace hrm {

struct refine_options {
    int steps = 50;           ///< at most
    double tolerance = 1e-6;  ///< relative change of the poles that counts as none
};

/// R: discrete<dense<double>> or continuous<dense<double>>.
template <class R>
struct refined_system {
    R system;                ///< the best one met, the start included
    double h2_error = 0;     ///< |G - Gr|_2
    double start_error = 0;  ///< that of the start
    int steps = 0;
    bool converged = false;  ///< a fixed point: the first-order conditions of H2 optimality hold
};

namespace detail {

/// One step: with residues c_i b_i^T at the poles l_i of Gr, the projection onto
///     range V = {(s_i I - A)^-1 B b_i},   range W = {(s_i I - A)^-T C^T c_i},   s_i = -l_i, discrete 1/l_i,
/// whose result meets G at the mirror images of the old poles, twice.
template <class System>
System mirrored_interpolant(const System& g, const System& gr, std::vector<complex>& poles) {
    const index_t n = g.order(), r = gr.order();
    complex_pairs<double> a;
    const auto x = modal_vectors(gr.a.a, a);
    const auto b = solve(x, gr.b), c = product(gr.c, x);
    const index_t q = a.reals(), k = a.pairs();
    matrix<double> v(n, r), w(n, r);
    poles.clear();
    for (index_t i = 0; i < q + k; ++i) {
        const bool pair = i >= q;
        const complex l = pair ? complex(a.re[static_cast<std::size_t>(i - q)], a.im[static_cast<std::size_t>(i - q)]) : a.real[static_cast<std::size_t>(i)];
        poles.push_back(l);
        const complex s = is_discrete<System> ? 1.0 / l : -l;
        complex_matrix left(n, n), turned(n, n), in(n, 1), out(n, 1);
        for (index_t row = 0; row < n; ++row) {
            for (index_t col = 0; col < n; ++col) {
                left(row, col) = (row == col ? s : complex(0)) - g.a.a(row, col);
                turned(col, row) = left(row, col);
            }
            for (index_t j = 0; j < g.inputs(); ++j) in(row, 0) += g.b(row, j) * complex(b(i, j), pair ? b(i + k, j) : 0);
            for (index_t j = 0; j < g.outputs(); ++j) out(row, 0) += g.c(j, row) * complex(c(j, i), pair ? -c(j, i + k) : 0);
        }
        const auto right = solve(std::move(left), std::move(in)), other = solve(std::move(turned), std::move(out));
        for (index_t row = 0; row < n; ++row) {
            v(row, i) = right(row, 0).real();
            w(row, i) = other(row, 0).real();
            if (!pair) continue;
            v(row, i + k) = right(row, 0).imag();
            w(row, i + k) = other(row, 0).imag();
        }
    }
    const auto t = orthonormal(v);
    auto u = orthonormal(w);
    u = divide(u, project(t, u));
    return {{project(u, product(g.a.a, t))}, project(u, g.b), product(g.c, t), gr.d};
}

template <class System>
double h2_distance(const System& g, const System& h) {
    auto e = difference(g, h);
    e.d = {};  // the same in both
    return h2_norm(e);
}

}  // namespace detail

/// Improves a reduction until the H2 error has no slope: the iterative rational Krylov algorithm, started where balanced
/// truncation ended.
///     auto b = hrm::balance(system, {.rank = 6});
///     auto r = hrm::refine_h2(system, b.system);      // r.h2_error <= r.start_error
/// Never worse than the start: the best system met is returned.  start: order r, the same D.  O(r n^3) a step.
/// Throws unstable_error if either system is unstable. Gugercin, Antoulas & Beattie 2008; discrete, Bunse-Gerstner et al. 2010.
template <linear_system T>
auto refine_h2(const T& system, const detail::reduced_system<T>& start, const refine_options& options = {}) {
    system.check();
    start.check();
    const auto g = to_dense(cast<double>(system));
    refined_system<detail::reduced_system<T>> out{start, 0, 0, 0, start.order() == 0};
    out.h2_error = out.start_error = detail::h2_distance(g, start);
    auto now = start;
    std::vector<detail::complex> before, poles;
    for (; out.steps < options.steps && !out.converged; ++out.steps) {
        try {
            now = detail::mirrored_interpolant(g, now, poles);
            if (!is_stable(now)) break;
            if (const double e = detail::h2_distance(g, now); e < out.h2_error) {
                out.h2_error = e;
                out.system = now;
            }
        } catch (const numerical_error&) {
            break;  // a defective or singular step: what stands is the answer
        }
        out.converged = before.size() == poles.size();
        for (const auto& l : poles) {
            double nearest = std::numeric_limits<double>::infinity();
            for (const auto& h : before) nearest = std::min(nearest, std::abs(h - l));
            out.converged = out.converged && nearest <= options.tolerance * std::abs(l);
        }
        before = poles;
    }
    return out;
}

}  // namespace hrm
