#pragma once

#include <complex>
#include <fstream>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/stability.hpp>

// Complex systems: drawn ones, and those of make_complex.py with what SciPy and mpmath say of them.

using number = std::complex<double>;

inline hrm::matrix<number> read_complex(std::istream& file, hrm::index_t rows, hrm::index_t cols) {
    hrm::matrix<number> m(rows, cols);
    for (auto& x : m.flat()) {
        double re = 0, im = 0;
        file >> re >> im;
        x = {re, im};
    }
    REQUIRE(file);
    return m;
}

struct complex_reference {
    bool discrete = false, diagonal = false;
    hrm::matrix<number> a, b, c, d, wc, wo;  // a: n x n, or its diagonal 1 x n
    std::vector<double> sigma;
    double h2 = 0, hinf = 0, peak = 0, omega[3] = {};
    hrm::matrix<number> g[3];

    // f(system), of its own type.
    template <class F>
    void visit(F f) const {
        hrm::diagonal<number> modes;
        modes.poles.assign(a.flat().begin(), a.flat().end());
        const auto of = [&](const auto& structure) {
            using A = std::decay_t<decltype(structure)>;
            if (discrete) f(hrm::discrete<A>{structure, b, c, d});
            else f(hrm::continuous<A>{structure, b, c, {}});
        };
        if (diagonal) of(modes);
        else of(hrm::dense<number>{a});
    }
};

struct sylvester_reference {
    hrm::matrix<number> a, b, c, x;
};

// What make_complex.py wrote.
inline std::vector<complex_reference> complex_references(sylvester_reference* last = nullptr) {
    std::ifstream file(HRM_TEST_DATA "/support/data/complex.txt");
    std::vector<complex_reference> all(6);
    for (auto& r : all) {
        hrm::index_t n = 0, m = 0, p = 0;
        file >> r.discrete >> r.diagonal >> n >> m >> p;
        r.a = read_complex(file, r.diagonal ? 1 : n, n);
        r.b = read_complex(file, n, m);
        r.c = read_complex(file, p, n);
        r.d = read_complex(file, p, m);
        r.wc = read_complex(file, n, n);
        r.wo = read_complex(file, n, n);
        r.sigma.resize(static_cast<std::size_t>(n));
        for (double& x : r.sigma) file >> x;
        file >> r.h2 >> r.omega[0] >> r.omega[1] >> r.omega[2];
        for (auto& g : r.g) g = read_complex(file, p, m);
        file >> r.hinf >> r.peak;
        REQUIRE(file);
    }
    if (last) *last = {read_complex(file, 5, 5), read_complex(file, 3, 3), read_complex(file, 5, 3), read_complex(file, 5, 3)};
    return all;
}

// What make_complex_operations.py wrote: a continuous and a discrete dense system, 5 states, 2 inputs and outputs.
struct operations_reference {
    bool discrete = false;
    hrm::matrix<number> a, b, c, d, zeros, zeros_without_d, band, horizon, aw, bw, cw, dw, weighted, cross, zoh, bilinear;

    // f(system), of its own type.
    template <class F>
    void visit(F f) const {
        if (discrete) f(hrm::discrete<hrm::dense<number>>{{a}, b, c, d});
        else f(hrm::continuous<hrm::dense<number>>{{a}, b, c, d});
    }
};
inline std::vector<operations_reference> operations_references() {
    std::ifstream file(HRM_TEST_DATA "/support/data/complex_operations.txt");
    std::vector<operations_reference> all(2);
    for (auto& r : all) {
        r.discrete = &r == &all[1];
        r.a = read_complex(file, 5, 5), r.b = read_complex(file, 5, 2), r.c = read_complex(file, 2, 5), r.d = read_complex(file, 2, 2);
        for (auto* z : {&r.zeros, &r.zeros_without_d}) {
            hrm::index_t count = 0;
            file >> count;
            *z = read_complex(file, 1, count);
        }
        r.band = read_complex(file, 5, 5), r.horizon = read_complex(file, 5, 5);
        r.aw = read_complex(file, 2, 2), r.bw = read_complex(file, 2, 1), r.cw = read_complex(file, 2, 2), r.dw = read_complex(file, 2, 1);
        r.weighted = read_complex(file, 5, 5), r.cross = read_complex(file, 5, 5);
        if (!r.discrete) r.zoh = read_complex(file, 5, 7), r.bilinear = read_complex(file, 5, 7);
    }
    return all;
}

inline hrm::matrix<number> normal_complex(hrm::random_stream& r, hrm::index_t rows, hrm::index_t cols) {
    hrm::matrix<number> x(rows, cols);
    for (auto& v : x.flat()) v = {r.normal(), r.normal()};
    return x;
}
inline hrm::matrix<number> times(const hrm::matrix<number>& x, const hrm::matrix<number>& y) {
    hrm::matrix<number> z(x.rows(), y.cols());
    for (hrm::index_t i = 0; i < x.rows(); ++i)
        for (hrm::index_t k = 0; k < x.cols(); ++k)
            for (hrm::index_t j = 0; j < y.cols(); ++j) z(i, j) += x(i, k) * y(k, j);
    return z;
}
inline hrm::matrix<number> adjoint_of(const hrm::matrix<number>& x) {
    hrm::matrix<number> y(x.cols(), x.rows());
    for (hrm::index_t i = 0; i < x.rows(); ++i)
        for (hrm::index_t j = 0; j < x.cols(); ++j) y(j, i) = std::conj(x(i, j));
    return y;
}
// max |x - y| / max |y|.
inline double distance_of(const hrm::matrix<number>& x, const hrm::matrix<number>& y) {
    REQUIRE(x.rows() == y.rows());
    REQUIRE(x.cols() == y.cols());
    double worst = 0, size = 0;
    for (std::size_t i = 0; i < x.flat().size(); ++i) {
        worst = std::max(worst, std::abs(x.flat()[i] - y.flat()[i]));
        size = std::max(size, std::abs(y.flat()[i]));
    }
    return size > 0 ? worst / size : worst;
}
// max_k |x_k - y_k| / max_k |y_k|.
inline double distance_of(const std::vector<hrm::matrix<number>>& x, const std::vector<hrm::matrix<number>>& y) {
    REQUIRE(x.size() == y.size());
    double worst = 0, size = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        double largest = 0;
        for (const auto& v : y[k].flat()) largest = std::max(largest, std::abs(v));
        worst = std::max(worst, distance_of(x[k], y[k]) * (largest > 0 ? largest : 1));
        size = std::max(size, largest);
    }
    return size > 0 ? worst / size : worst;
}
// Columns of a Gaussian matrix, orthonormal by Gram & Schmidt, each twice.
inline hrm::matrix<number> random_unitary(hrm::random_stream& r, hrm::index_t n) {
    auto q = normal_complex(r, n, n);
    for (hrm::index_t j = 0; j < n; ++j)
        for (int twice = 0; twice < 2; ++twice) {
            for (hrm::index_t h = 0; h < j; ++h) {
                number along = 0;
                for (hrm::index_t i = 0; i < n; ++i) along += std::conj(q(i, h)) * q(i, j);
                for (hrm::index_t i = 0; i < n; ++i) q(i, j) -= along * q(i, h);
            }
            double square = 0;
            for (hrm::index_t i = 0; i < n; ++i) square += std::norm(q(i, j));
            for (hrm::index_t i = 0; i < n; ++i) q(i, j) /= std::sqrt(square);
        }
    return q;
}
// The same system in other coordinates, x = Q x', Q unitary.
template <template <class> class System>
System<hrm::dense<number>> turned_by(const hrm::matrix<number>& q, const System<hrm::dense<number>>& g) {
    return {{times(adjoint_of(q), times(g.a.a, q))}, times(adjoint_of(q), g.b), times(g.c, q), g.d};
}
inline hrm::matrix<number> times(number factor, hrm::matrix<number> x) {
    for (auto& v : x.flat()) v *= factor;
    return x;
}
// A real system over complex numbers.
inline hrm::matrix<number> complex_of(const hrm::matrix<double>& x) {
    hrm::matrix<number> y(x.rows(), x.cols());
    std::copy(x.flat().begin(), x.flat().end(), y.flat().begin());
    return y;
}
inline std::vector<hrm::matrix<number>> complex_of(const std::vector<hrm::matrix<double>>& x) {
    std::vector<hrm::matrix<number>> y;
    for (const auto& m : x) y.push_back(complex_of(m));
    return y;
}
template <template <class> class System, class A>
System<hrm::dense<number>> complex_of(const System<A>& g) {
    const auto s = hrm::to_dense(g);
    return {{complex_of(s.a.a)}, complex_of(s.b), complex_of(s.c), complex_of(s.d)};
}
// A stable system, every second one with D.
template <class System>
System drawn(hrm::random_stream& r, hrm::index_t n, hrm::index_t m, hrm::index_t p) {
    System g{{}, normal_complex(r, n, m), normal_complex(r, p, n), {}};
    if (r.uniform() < 0.5) g.d = normal_complex(r, p, m);
    constexpr bool discrete_time = hrm::in_discrete_time<System>;
    if constexpr (std::same_as<typename System::structure_type, hrm::diagonal<number>>) {
        for (hrm::index_t i = 0; i < n; ++i) {
            const double depth = std::exp2(r.uniform(-8, 0));
            g.a.poles.push_back(discrete_time ? std::polar(1 - depth, r.uniform(0, 6.3)) : number(-depth, r.uniform(-2, 2)));
        }
    } else {
        g.a.a = normal_complex(r, n, n);
        if constexpr (discrete_time) {
            const double radius = hrm::spectral_radius(g.a);
            for (auto& x : g.a.a.flat()) x *= 0.95 / radius;
        } else {
            const double abscissa = hrm::spectral_abscissa(g.a) + 0.2;
            for (hrm::index_t i = 0; i < n; ++i) g.a.a(i, i) -= abscissa;
        }
    }
    return g;
}
