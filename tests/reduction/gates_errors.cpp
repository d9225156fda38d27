// The errors of reduced systems, measured, and SLICOT's own examples, digit by digit.

#include <cmath>
#include <complex>
#include <string>

#include <doctest/doctest.h>

#include <hrm/reduction/hankel_norm.hpp>
#include <hrm/systems/response.hpp>

#include "benchmark_systems.hpp"

using namespace hrm;
using namespace hrm::testing;

namespace {

using responses = std::vector<matrix<std::complex<double>>>;

/// The peaks of a system stand at its poles: those, and 300 frequencies around.
std::vector<double> frequencies(const buffer<std::complex<double>>& poles) {
    double least = 1e300, most = 0;
    std::vector<double> omega{0};
    for (const auto& l : poles) {
        least = std::min(least, std::abs(l));
        most = std::max(most, std::abs(l));
        if (l.imag() > 0) omega.push_back(l.imag());
    }
    for (int k = 0; k <= 300; ++k) omega.push_back(least / 10 * std::pow(100 * most / least, k / 300.0));
    return omega;
}
double largest_difference(const responses& x, const responses& y) {
    double worst = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        auto e = x[k];
        for (std::size_t i = 0; i < e.flat().size(); ++i) e.flat()[i] -= y[k].flat()[i];
        worst = std::max(worst, detail::largest_singular_value(e));
    }
    return worst;
}

struct row {
    std::string system;
    index_t order, rank;
    double norm, truncated, residualized, bound;
};
std::vector<row> read_errors(const std::string& path) {
    std::ifstream in(path);
    std::vector<row> rows;
    std::string line;
    for (std::getline(in, line); std::getline(in, line);) {
        std::istringstream fields(line);
        std::vector<std::string> f;
        for (std::string x; std::getline(fields, x, ',');) f.push_back(x);
        rows.push_back({f.at(0), std::stol(f.at(1)), std::stol(f.at(2)), std::stod(f.at(4)), std::stod(f.at(5)), std::stod(f.at(7)), std::stod(f.at(8))});
    }
    return rows;
}

}  // namespace

TEST_CASE("gate: the measured error is within the bound, or not above SLICOT's own where SLICOT misses it" * doctest::test_suite("needs HRM_MOR_DATA")) {
    const auto folder = data_folder("HRM_MOR_DATA");
    if (folder.empty()) {
        MESSAGE("SKIPPED: HRM_MOR_DATA names no folder with the benchmark collection, no error was compared");
        return;
    }
    const auto rows = read_errors(folder + "/rom_errors.csv");
    REQUIRE(!rows.empty());
    std::string name;
    continuous<dense<double>> g;
    std::vector<double> omega;
    responses full;
    for (const auto& e : rows) {
        if (e.system != name) {
            name = e.system;
            g = read_system(folder + "/" + name);
            omega = frequencies(eigenvalues(g.a));
            full = frequency_response(g, omega);
        }
        CAPTURE(name);
        CAPTURE(e.rank);
        const auto allowed = [&](double peer) { return std::max(e.bound + 1e-11 * e.norm, peer * (1 + 1e-6)); };
        const auto cut = balance(g, {.rank = e.rank}), slow = balance(g, {.rank = e.rank, .weak = weak_states::residualize});
        CHECK(cut.stable);
        CHECK(slow.stable);
        const double cut_error = largest_difference(full, frequency_response(cut.system, omega)),
                     slow_error = largest_difference(full, frequency_response(slow.system, omega));
        MESSAGE(name, " to ", cut.order(), ": ", cut_error, " truncated (SLICOT ", e.truncated, "), ", slow_error, " residualised (SLICOT ",
                e.residualized, "), bound ", e.bound);
        CHECK(cut_error <= allowed(e.truncated));
        CHECK(slow_error <= allowed(e.residualized));
    }
}

TEST_CASE("gate: fom and heat, reduced from dense matrices, keep the bound") {
    const auto check = [](const auto& g, const auto& modes, index_t rank) {
        const auto omega = frequencies(eigenvalues(modes.a));
        const auto full = frequency_response(modes, omega);
        for (const auto weak : {weak_states::truncate, weak_states::residualize})
            for (const auto basis : {projection::square_root, projection::balancing_free}) {
                const auto b = balance(g, {.rank = rank, .basis = basis, .weak = weak});
                CHECK(b.order() == rank);
                CHECK(b.certified);
                double norm = 0;
                for (const auto& x : full) norm = std::max(norm, std::abs(x(0, 0)));
                CHECK(largest_difference(full, frequency_response(b.system, omega)) <= b.bound + 1e-11 * norm);
            }
    };
    const auto whole = fom();
    const auto modes = find_modes(whole.a.a);
    REQUIRE(modes);
    for (index_t rank : {6, 10, 20}) check(whole, in_modes(*modes, whole), rank);
    for (index_t rank : {3, 8}) check(heat(59), heat_modes(59), rank);
}

// SLICOT's documentation gives data and printed results of its routines. They are read from the folder that the environment
// variable SLICOT_EXAMPLES names: AB09AD.dat, AB09AD.res and so on.
namespace {

struct example {
    std::vector<double> data;
    std::string results;

    explicit example(const std::string& path) {
        std::ifstream in(path + ".dat"), out(path + ".res");
        std::string line;
        std::getline(in, line);  // title
        std::getline(in, line);  // dimensions and modes
        for (double x; in >> x;) data.push_back(x);
        results = {std::istreambuf_iterator<char>(out), {}};
        if (data.empty() || results.empty()) throw io_error("cannot read " + path);
    }
    /// Seven states, two inputs, three outputs.
    continuous<dense<double>> system() const {
        auto from = data.begin();
        const auto take = [&](index_t rows, index_t cols) {
            matrix<double> m(rows, cols);
            for (auto& x : m.flat()) x = *from++;
            return m;
        };
        auto a = take(7, 7), b = take(7, 2);
        return {{std::move(a)}, std::move(b), take(3, 7), {}};
    }
    /// The numbers printed after the line that holds `key`.
    matrix<double> printed(const std::string& key, index_t rows, index_t cols) const {
        auto at = results.find(key);
        REQUIRE(at != std::string::npos);
        std::istringstream in(results.substr(results.find('\n', at)));
        matrix<double> m(rows, cols);
        for (auto& x : m.flat()) REQUIRE(static_cast<bool>(in >> x));
        return m;
    }
};

constexpr double digit = 0.5001e-4;  // half of the last one printed

void check_values(const std::vector<double>& sigma, const matrix<double>& want) {
    for (index_t i = 0; i < want.cols(); ++i) CHECK(std::abs(sigma.at(static_cast<std::size_t>(i)) - want(0, i)) <= digit);
}
/// Up to the sign of each state.
void check_matrices(const continuous<dense<double>>& g, const example& e) {
    const auto a = e.printed("dynamics matrix Ar", 5, 5), b = e.printed("input/state matrix Br", 5, 2), c = e.printed("state/output matrix Cr", 3, 5);
    std::vector<double> sign;
    for (index_t i = 0; i < 5; ++i) sign.push_back(g.b(i, 0) * b(i, 0) < 0 ? -1 : 1);
    const auto s = [&](index_t i) { return sign[static_cast<std::size_t>(i)]; };
    for (index_t i = 0; i < 5; ++i) {
        for (index_t j = 0; j < 5; ++j) CHECK(std::abs(s(i) * s(j) * g.a.a(i, j) - a(i, j)) <= digit);
        for (index_t j = 0; j < 2; ++j) CHECK(std::abs(s(i) * g.b(i, j) - b(i, j)) <= digit);
        for (index_t j = 0; j < 3; ++j) CHECK(std::abs(s(i) * g.c(j, i) - c(j, i)) <= digit);
    }
}

}  // namespace

TEST_CASE("gate: SLICOT's own examples, to every printed digit up to the sign of a state" * doctest::test_suite("needs SLICOT_EXAMPLES")) {
    const auto folder = data_folder("SLICOT_EXAMPLES");
    if (folder.empty()) {
        MESSAGE("SKIPPED: SLICOT_EXAMPLES names no folder with SLICOT's examples, nothing was compared");
        return;
    }
    {
        const example e(folder + "/AB09AD");  // balancing-free truncation
        const auto b = balance(e.system(), {.rank = 5, .basis = projection::balancing_free});
        check_values(b.sigma, e.printed("singular values HSV", 1, 7));
        check_matrices(b.system, e);
    }
    {
        const example e(folder + "/AB09BD");  // balancing-free singular perturbation
        const auto b = balance(e.system(), {.rank = 5, .basis = projection::balancing_free, .weak = weak_states::residualize});
        check_values(b.sigma, e.printed("singular values are", 1, 7));
        check_matrices(b.system, e);
        const auto d = e.printed("input/output matrix Dr", 3, 2);
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 2; ++j) CHECK(std::abs(b.system.d(i, j) - d(i, j)) <= digit);
    }
    {
        const example e(folder + "/AB09CD");  // Hankel-norm approximation: coordinates of its own, so its poles and response
        const auto h = approximate_hankel_norm(e.system(), {.rank = 5});
        check_values(h.sigma, e.printed("singular values are", 1, 7));
        const continuous<dense<double>> want{{e.printed("dynamics matrix Ar", 5, 5)}, e.printed("input/state matrix Br", 5, 2),
                                             e.printed("state/output matrix Cr", 3, 5), e.printed("input/output matrix Dr", 3, 2)};
        for (index_t i = 0; i < 3; ++i)
            for (index_t j = 0; j < 2; ++j) CHECK(std::abs(h.system.d(i, j) - want.d(i, j)) <= digit);
        const std::vector<double> omega{0, 0.5, 2, 5, 20};  // 5 digits in, and the peak is near 5
        CHECK(largest_difference(frequency_response(h.system, omega), frequency_response(want, omega)) <= 1e-3);
    }
    {
        const example e(folder + "/AB09ED");  // poles right of -0.6 are kept
        const auto b = balance(e.system(), {.margin = 0.6});
        CHECK(b.unstable == 2);
        check_values(b.sigma, e.printed("ALPHA-stable part", 1, 5));
    }
    {
        const example e(folder + "/AB13AD");
        const auto sigma = balance(e.system()).sigma;
        check_values(sigma, e.printed("ALPHA-projection are", 1, 7));
        CHECK(std::abs(sigma[0] - 2.51388) <= 0.5001e-5);
    }
    {
        // The L2 norm of an unstable system: its two parts are orthogonal, and the unstable one is stable when time runs back.
        const example e(folder + "/AB13BD");
        auto parts = split(e.system());
        CHECK(parts.unstable.order() > 0);
        for (auto& x : parts.unstable.a.a.flat()) x = -x;
        CHECK(std::abs(std::hypot(h2_norm(parts.stable), h2_norm(parts.unstable)) - 7.93948) <= 0.5001e-5);
    }
}
