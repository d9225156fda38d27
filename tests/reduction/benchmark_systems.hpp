#pragma once

#include <cstdlib>
#include <fstream>
#include <numbers>
#include <sstream>
#include <string>
#include <vector>

#include <hrm/systems/convert.hpp>

// Known systems: small ones made here, and those of the public benchmark collection (Chahlaoui & Van Dooren, 2002), which
// are read from the folder that the environment variable HRM_MOR_DATA names: A.mtx, B.mtx, C.mtx (Matrix Market) and
// hsv_34digits.csv, a folder a system; beside the folders rom_errors.csv, a line of names, then a line a system and order:
//     system, states, order, rule, |G|, |G - Gr| truncated, that over |G|, |G - Gr| residualised, twice the sum of the tail
// (H-infinity norms), and whatever follows.

namespace hrm::testing {

inline std::string data_folder(const char* variable) {
    const char* folder = std::getenv(variable);
    return folder ? folder : "";
}

/// Matrix Market, coordinate, real general.
inline matrix<double> read_matrix_market(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    while (std::getline(in, line) && line.starts_with('%')) {
    }
    std::istringstream header(line);
    index_t rows = 0, cols = 0, count = 0, i = 0, j = 0;
    double x = 0;
    if (!(header >> rows >> cols >> count)) throw io_error("cannot read " + path);
    matrix<double> m(rows, cols);
    for (; count > 0 && in >> i >> j >> x; --count) m(i - 1, j - 1) += x;
    if (count) throw io_error(path + " is cut short");
    return m;
}
inline continuous<dense<double>> read_system(const std::string& folder) {
    return {{read_matrix_market(folder + "/A.mtx")}, read_matrix_market(folder + "/B.mtx"), read_matrix_market(folder + "/C.mtx"), {}};
}
/// One number a line.
inline std::vector<double> read_values(const std::string& path) {
    std::ifstream in(path);
    std::vector<double> values;
    for (std::string line; std::getline(in, line);) values.push_back(std::stod(line));
    return values;
}

/// Penzl's system with three sharp peaks: poles -1 +- 100 i, -1 +- 200 i, -1 +- 400 i, -1, -2, .., -reals.
inline continuous<dense<double>> fom(index_t reals = 1000) {
    const index_t n = 6 + reals;
    continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 1, 1.0), matrix<double>(1, n, 1.0), {}};
    for (index_t i = 0; i < 3; ++i) {
        const double w = 100 * static_cast<double>(index_t{1} << i);
        g.a.a(2 * i, 2 * i) = g.a.a(2 * i + 1, 2 * i + 1) = -1;
        g.a.a(2 * i, 2 * i + 1) = w;
        g.a.a(2 * i + 1, 2 * i) = -w;
    }
    for (index_t i = 0; i < 6; ++i) g.b(i, 0) = g.c(0, i) = 10;
    for (index_t i = 0; i < reals; ++i) g.a.a(6 + i, 6 + i) = -static_cast<double>(i + 1);
    return g;
}

/// Heat in a rod of n + 1 pieces, ends cold; heated at one third, felt at two thirds.
inline continuous<dense<double>> heat(index_t n) {
    const double k = 0.01 * static_cast<double>((n + 1) * (n + 1));
    continuous<dense<double>> g{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    for (index_t i = 0; i < n; ++i) {
        g.a.a(i, i) = -2 * k;
        if (i > 0) g.a.a(i, i - 1) = g.a.a(i - 1, i) = k;
    }
    g.b((n + 1) / 3 - 1, 0) = g.c(0, 2 * (n + 1) / 3 - 1) = 1;
    return g;
}
/// The same in its known modes: poles -4 k sin^2(h pi / (2 n + 2)), vectors sqrt(2/(n+1)) sin(i h pi / (n + 1)).
inline continuous<diagonal<double>> heat_modes(index_t n) {
    const double size = static_cast<double>(n + 1), k = 0.01 * size * size, turn = std::numbers::pi / size;
    const index_t in = (n + 1) / 3, out = 2 * (n + 1) / 3;
    continuous<diagonal<double>> g{{}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    for (index_t h = 1; h <= n; ++h) {
        const double s = std::sin(turn * static_cast<double>(h) / 2);
        g.a.poles.push_back(-4 * k * s * s);
        g.b(h - 1, 0) = std::sqrt(2 / size) * std::sin(turn * static_cast<double>((in * h) % (2 * n + 2)));
        g.c(0, h - 1) = std::sqrt(2 / size) * std::sin(turn * static_cast<double>((out * h) % (2 * n + 2)));
    }
    return g;
}

/// The states renamed at random: x_i becomes x_order[i].
template <template <class> class System>
System<dense<double>> permuted(const System<dense<double>>& g, const std::vector<index_t>& order) {
    auto h = g;
    const auto at = [&](index_t i) { return order[static_cast<std::size_t>(i)]; };
    for (index_t i = 0; i < g.order(); ++i) {
        for (index_t j = 0; j < g.order(); ++j) h.a.a(at(i), at(j)) = g.a.a(i, j);
        for (index_t j = 0; j < g.inputs(); ++j) h.b(at(i), j) = g.b(i, j);
        for (index_t j = 0; j < g.outputs(); ++j) h.c(j, at(i)) = g.c(j, i);
    }
    return h;
}

}  // namespace hrm::testing
