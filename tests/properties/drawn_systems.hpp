#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/reduction/dual.hpp>

// Random stable systems of every sort that the reduction floor has to bear, for properties that must hold for all of them.

namespace hrm::testing {

enum class sort { real_poles, pairs, dense, defective, clustered, shallow };
inline constexpr sort every_sort[] = {sort::real_poles, sort::pairs, sort::dense, sort::defective, sort::clustered, sort::shallow};

/// n + 1 at the smallest, most at the largest, small ones more often.
inline index_t draw_count(random_stream& r, index_t most) {
    return std::min(most, static_cast<index_t>(std::exp(r.uniform(0, std::log(static_cast<double>(most) + 1)))));
}

/// Poles in planar order: of the half plane, or inside the circle; a depth of 10^-digits for the shallowest.
inline complex_pairs<double> draw_poles(random_stream& r, index_t n, bool disk, double digits, bool clustered, double share_of_pairs) {
    complex_pairs<double> a;
    const double centre = r.uniform(-1, 1), width = clustered ? std::pow(10, -r.uniform(1, 12)) : 1;
    const auto depth = [&] { return std::pow(10, -digits * r.uniform()) * (disk ? 0.9 : 1); };
    const auto spread = [&] { return clustered ? centre + width * r.uniform(-1, 1) : r.uniform(-1, 1); };
    for (index_t left = n; left > 0;) {
        const double d = clustered ? std::pow(10, -0.3 * digits) * (1 + width * r.uniform()) * 0.5 : depth();
        if (left > 1 && r.uniform() < share_of_pairs) {
            const double turn = disk ? std::numbers::pi * std::abs(spread()) : std::pow(10, 2 * spread());
            a.re.push_back(disk ? (1 - d) * std::cos(turn) : -d);
            a.im.push_back(disk ? (1 - d) * std::sin(turn) : turn);
            left -= 2;
        } else {
            a.real.push_back(disk ? std::copysign(1 - d, clustered ? centre : spread()) : -d * (clustered ? 1 : std::pow(10, 2 * r.uniform())));
            left -= 1;
        }
    }
    return a;
}

/// x <- Q x with Q a product of `count` random reflections; the same Q for the same stream.
struct reflections {
    std::vector<std::vector<double>> vectors;
    reflections(random_stream& r, index_t n, int count) {
        for (int i = 0; i < count; ++i) {
            std::vector<double> v(static_cast<std::size_t>(n));
            r.fill_normal(std::span<double>(v));
            double square = 0;
            for (double x : v) square += x * x;
            for (double& x : v) x *= std::sqrt(2 / square);
            vectors.push_back(std::move(v));
        }
    }
    void rows(matrix<double>& x) const {
        for (const auto& v : vectors)
            for (index_t j = 0; j < x.cols(); ++j) {
                double sum = 0;
                for (index_t i = 0; i < x.rows(); ++i) sum += v[static_cast<std::size_t>(i)] * x(i, j);
                for (index_t i = 0; i < x.rows(); ++i) x(i, j) -= sum * v[static_cast<std::size_t>(i)];
            }
    }
    void columns(matrix<double>& x) const {
        auto t = detail::transpose(x);
        rows(t);
        x = detail::transpose(t);
    }
    /// (Q A Q^T, Q B, C Q^T)
    template <template <class> class System>
    System<dense<double>> operator()(System<dense<double>> g) const {
        rows(g.a.a);
        columns(g.a.a);
        rows(g.b);
        columns(g.c);
        return g;
    }
};

template <template <class> class System>
System<complex_pairs<double>> draw_modal(random_stream& r, index_t n, index_t m, index_t p, double digits, bool clustered, double share) {
    System<complex_pairs<double>> g{draw_poles(r, n, in_discrete_time<System<dense<double>>>, digits, clustered, share), matrix<double>(n, m),
                                    matrix<double>(p, n), {}};
    // Inputs and outputs of states differ by up to three digits.
    const double grade = r.uniform() < 0.5 ? 0 : 3;
    for (index_t i = 0; i < n; ++i) {
        const double in = std::pow(10, -grade * r.uniform()), out = std::pow(10, -grade * r.uniform());
        for (index_t j = 0; j < m; ++j) g.b(i, j) = in * r.normal();
        for (index_t j = 0; j < p; ++j) g.c(j, i) = out * r.normal();
    }
    if (r.uniform() < 0.2) {
        g.d = matrix<double>(p, m);
        r.fill_normal(g.d.flat());
    }
    return g;
}

/// Calls f with a stable system of the given sort, of order 1 to most.
template <template <class> class System, class F>
void draw_system(random_stream& r, sort kind, index_t most, F f) {
    constexpr bool disk = in_discrete_time<System<dense<double>>>;
    const index_t n = draw_count(r, most), m = draw_count(r, 8), p = draw_count(r, 8);
    const auto modal = [&](double digits, bool clustered, double share) { return draw_modal<System>(r, n, m, p, digits, clustered, share); };
    const auto dense_of = [&](const System<complex_pairs<double>>& g, double coupling) {  // quasi-triangular, then turned
        auto h = to_dense(g);
        const index_t q = g.a.reals(), k = g.a.pairs();
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) {
                const index_t x = i < q ? i : q + (i - q) % std::max<index_t>(k, 1), y = j < q ? j : q + (j - q) % std::max<index_t>(k, 1);
                if (x < y) h.a.a(i, j) = coupling * r.normal();
            }
        return reflections(r, n, 2)(std::move(h));
    };
    switch (kind) {
        case sort::real_poles: {
            const auto g = modal(3, false, 0);
            return f(System<diagonal<double>>{{g.a.real}, g.b, g.c, g.d});
        }
        case sort::pairs: return f(modal(3, false, 0.7));
        case sort::dense: {
            auto g = to_dense(modal(1, false, 0.5));
            r.fill_normal(g.a.a.flat(), 1 / std::sqrt(static_cast<double>(n)));
            if (disk) {
                const double size = spectral_radius(g.a), want = r.uniform(0.3, 0.97);
                for (auto& x : g.a.a.flat()) x *= want / size;
            } else {
                const double shift = spectral_abscissa(g.a) + std::pow(10, -2 * r.uniform());
                for (index_t i = 0; i < n; ++i) g.a.a(i, i) -= shift;
            }
            return f(g);
        }
        case sort::defective: {  // one pole, or nearly, and a chain that couples all of its states
            auto g = to_dense(modal(0, false, 0));
            const double pole = disk ? r.uniform(-0.6, 0.6) : -1, apart = r.uniform() < 0.5 ? 0 : std::pow(10, -r.uniform(4, 16)), link = disk ? 0.3 : 0.7;
            for (index_t i = 0; i < n; ++i)
                for (index_t j = 0; j < n; ++j) g.a.a(i, j) = i == j ? pole + apart * r.normal() : j == i + 1 ? link : 0;
            return f(r.uniform() < 0.5 ? g : reflections(r, n, 2)(g));
        }
        case sort::clustered: {
            const auto g = modal(2, true, r.uniform() < 0.5 ? 0 : 0.7);
            return r.uniform() < 0.5 ? f(g) : f(dense_of(g, 0));
        }
        case sort::shallow: {  // depths down to 1e-9
            const auto g = modal(9, false, 0.5);
            const double choice = r.uniform();
            return choice < 0.4 ? f(g) : f(dense_of(g, choice < 0.7 ? 0 : 0.1));
        }
    }
}

}  // namespace hrm::testing
