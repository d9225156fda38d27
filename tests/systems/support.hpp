#pragma once

#include <cmath>
#include <istream>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/systems/stability.hpp>

// What the tests of this floor share.

inline hrm::matrix<double> read_matrix(std::istream& file, hrm::index_t rows, hrm::index_t cols) {
    hrm::matrix<double> m(rows, cols);
    for (double& x : m.flat()) file >> x;
    REQUIRE(file);
    return m;
}

// max |x - y| / max |y|.
template <class T, class U>
double relative_error(const hrm::matrix<T>& x, const hrm::matrix<U>& y) {
    REQUIRE(x.rows() == y.rows());
    REQUIRE(x.cols() == y.cols());
    double worst = 0, size = 0;
    for (hrm::index_t i = 0; i < x.rows(); ++i)
        for (hrm::index_t j = 0; j < x.cols(); ++j) {
            worst = std::max<double>(worst, std::abs(x(i, j) - y(i, j)));
            size = std::max<double>(size, std::abs(y(i, j)));
        }
    return size > 0 ? worst / size : worst;
}

// A random dense system with the spectral radius asked for.
inline hrm::discrete<hrm::dense<double>> random_system(std::uint64_t seed, hrm::index_t n, hrm::index_t m, hrm::index_t p, double radius, bool with_d) {
    hrm::random_stream r(seed);
    hrm::discrete<hrm::dense<double>> g{{hrm::matrix<double>(n, n)}, hrm::matrix<double>(n, m), hrm::matrix<double>(p, n), {}};
    r.fill_normal(g.a.a.flat());
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    if (with_d) {
        g.d = hrm::matrix<double>(p, m);
        r.fill_normal(g.d.flat());
    }
    const double now = hrm::spectral_radius(g.a);
    for (double& x : g.a.a.flat()) x *= radius / now;
    return g;
}

// Two real poles and two pairs, 2 inputs, 3 outputs.
inline hrm::continuous<hrm::complex_pairs<double>> some_pairs() {
    hrm::random_stream r(8);
    hrm::continuous<hrm::complex_pairs<double>> g{{{-0.3, -2}, {-0.1, -4}, {3, 0.5}}, hrm::matrix<double>(6, 2), hrm::matrix<double>(3, 6), {}};
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    return g;
}
inline hrm::continuous<hrm::diagonal<double>> some_diagonal() {
    hrm::random_stream r(9);
    hrm::continuous<hrm::diagonal<double>> g{{{-0.01, -1, -7, -1e-9}}, hrm::matrix<double>(4, 2), hrm::matrix<double>(3, 4), hrm::matrix<double>(3, 2)};
    r.fill_normal(g.b.flat());
    r.fill_normal(g.c.flat());
    r.fill_normal(g.d.flat());
    return g;
}
