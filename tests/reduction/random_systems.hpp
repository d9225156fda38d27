#pragma once

#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/systems/stability.hpp>

// Random stable systems and the plain simulation that everything is checked against.

namespace hrm::testing {

inline void fill_ports(random_stream& r, matrix<double>& b, matrix<double>& c, index_t n, index_t m, index_t p) {
    b = matrix<double>(n, m);
    c = matrix<double>(p, n);
    r.fill_normal(b.flat(), 1 / std::sqrt(static_cast<double>(std::max<index_t>(m, 1))));
    r.fill_normal(c.flat(), 1 / std::sqrt(static_cast<double>(n)));
}

inline discrete<diagonal<double>> random_diagonal(random_stream& r, index_t n, index_t m, index_t p, double radius = 0.98) {
    discrete<diagonal<double>> s;
    for (index_t i = 0; i < n; ++i) s.a.poles.push_back(r.uniform(-radius, radius));
    fill_ports(r, s.b, s.c, n, m, p);
    return s;
}

inline discrete<complex_pairs<double>> random_pairs(random_stream& r, index_t q, index_t k, index_t m, index_t p,
                                                    double radius = 0.98) {
    discrete<complex_pairs<double>> s;
    for (index_t i = 0; i < q; ++i) s.a.real.push_back(r.uniform(-radius, radius));
    for (index_t i = 0; i < k; ++i) {
        const double size = radius * std::sqrt(r.uniform()), angle = std::numbers::pi * r.uniform();
        s.a.re.push_back(size * std::cos(angle));
        s.a.im.push_back(size * std::sin(angle));
    }
    fill_ports(r, s.b, s.c, q + 2 * k, m, p);
    return s;
}

/// A Gaussian matrix scaled to the given spectral radius, so far from normal.
inline discrete<dense<double>> random_dense(random_stream& r, index_t n, index_t m, index_t p, double radius = 0.95) {
    discrete<dense<double>> s;
    s.a.a = matrix<double>(n, n);
    r.fill_normal(s.a.a.flat());
    const double size = spectral_radius(s.a);
    for (auto& x : s.a.a.flat()) x *= radius / size;
    fill_ports(r, s.b, s.c, n, m, p);
    return s;
}

template <class A>
discrete<dense<double>> as_dense(const discrete<A>& s) {
    return {{to_dense(s.a)}, s.b, s.c, s.d};
}

inline matrix<double> product(const matrix<double>& x, const matrix<double>& y) {
    matrix<double> z(x.rows(), y.cols());
    multiply(x.view(), y.view(), z.view());
    return z;
}
inline matrix<double> turned(const matrix<double>& x) {
    matrix<double> y(x.cols(), x.rows());
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) y(j, i) = x(i, j);
    return y;
}

/// h_k = C A^k B (+ D in h_0), k < steps, by the definition.
template <class A>
std::vector<matrix<double>> markov(const discrete<A>& s, index_t steps) {
    const auto a = to_dense(s.a);
    auto x = s.b;
    std::vector<matrix<double>> h;
    for (index_t k = 0; k < steps; ++k) {
        h.push_back(product(s.c, x));
        if (k == 0 && !s.d.empty())
            for (index_t i = 0; i < s.d.size(); ++i)
                h[0].flat()[static_cast<std::size_t>(i)] += s.d.flat()[static_cast<std::size_t>(i)];
        x = product(a, x);
    }
    return h;
}

inline double largest(const matrix<double>& x) {
    double m = 0;
    for (double v : x.flat()) m = std::max(m, std::abs(v));
    return m;
}
inline double distance(const matrix<double>& x, const matrix<double>& y) {
    require_shape("distance", "y", y.rows(), y.cols(), x.rows(), x.cols());
    double m = 0;
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) m = std::max(m, std::abs(x(i, j) - y(i, j)));
    return m;
}
/// max_k |h_k - g_k| / max_k |h_k|.
inline double relative_distance(const std::vector<matrix<double>>& h, const std::vector<matrix<double>>& g) {
    double d = 0, size = 0;
    for (std::size_t k = 0; k < h.size(); ++k) {
        d = std::max(d, distance(h[k], g[k]));
        size = std::max(size, largest(h[k]));
    }
    return size > 0 ? d / size : d;
}

}  // namespace hrm::testing
