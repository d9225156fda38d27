// Balanced truncation beside Debian's SLICOT (AB09AD, order 10), and what no peer does: large diagonal systems and adapters.
// Every system is made here. "mixed": after an orthogonal similarity, so that no structure shows.

#include <cmath>
#include <variant>

#include <hrm/adapter/factory.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/reduce.hpp>
#include <hrm/reduction/balance.hpp>
#include <hrm/systems/discretize.hpp>

#include "support/harness.hpp"
#include "support/openblas.hpp"
#include "support/slicot.hpp"

namespace {

using hrm::index_t, hrm::matrix;
using system_t = hrm::continuous<hrm::dense<double>>;
using sampled_t = hrm::discrete<hrm::dense<double>>;

matrix<double> normal(hrm::random_stream& r, index_t rows, index_t cols) {
    matrix<double> x(rows, cols);
    r.fill_normal(x.flat());
    return x;
}

/// Q^T A Q, Q^T B, C Q with Q a product of n reflections.
system_t mixed(system_t s, std::uint64_t seed) {
    hrm::random_stream r(seed);
    const index_t n = s.order();
    std::vector<double> v(static_cast<std::size_t>(n));
    const auto from_left = [&](matrix<double>& x) {
        std::vector<double> w(static_cast<std::size_t>(x.cols()));
        for (index_t i = 0; i < n; ++i) hrm::axpy(v[static_cast<std::size_t>(i)], x.view().row(i), w.data(), x.cols());
        for (index_t i = 0; i < n; ++i) hrm::axpy(-v[static_cast<std::size_t>(i)], w.data(), x.view().row(i), x.cols());
    };
    const auto from_right = [&](matrix<double>& x) {
        for (index_t i = 0; i < x.rows(); ++i)
            hrm::axpy(-hrm::dot(x.view().row(i), v.data(), n), v.data(), x.view().row(i), n);
    };
    for (int k = 0; k < 24; ++k) {
        r.fill_normal(std::span<double>(v));
        const double scale = std::sqrt(2 / hrm::dot(v.data(), v.data(), n));
        for (double& x : v) x *= scale;
        from_left(s.a.a);
        from_right(s.a.a);
        from_left(s.b);
        from_right(s.c);
    }
    return s;
}

/// Lightly damped pairs over three decades under a non-normal upper part: every state matters.
system_t slow_decay(index_t n) {
    hrm::random_stream r(static_cast<std::uint64_t>(n));
    system_t s{{matrix<double>(n, n)}, normal(r, n, 2), normal(r, 2, n), {}};
    auto& a = s.a.a;
    for (index_t i = 0; i + 1 < n; i += 2) {
        const double f = static_cast<double>(i) / static_cast<double>(n), w = std::pow(10.0, -1 + 3 * f);
        a(i, i) = a(i + 1, i + 1) = -(0.02 + 0.3 * f) * w;
        a(i, i + 1) = w;
        a(i + 1, i) = -w;
    }
    for (index_t j = 2; j < n; ++j)
        for (index_t i = 0; i < j / 2 * 2; ++i)
            a(i, j) = 0.5 * r.normal() * std::min(std::abs(a(i, i)), std::abs(a(j, j))) / std::sqrt(static_cast<double>(n));
    return mixed(std::move(s), 7);
}

/// Heat on a rod of n cells, ends held at zero: warmed at one third, read at two thirds.
system_t heat(index_t n) {
    system_t s{{matrix<double>(n, n)}, matrix<double>(n, 1), matrix<double>(1, n), {}};
    const double h = static_cast<double>((n + 1) * (n + 1));
    for (index_t i = 0; i < n; ++i) {
        s.a.a(i, i) = -2 * h;
        if (i > 0) s.a.a(i, i - 1) = s.a.a(i - 1, i) = h;
    }
    s.b(n / 3, 0) = s.c(0, 2 * n / 3) = 1;
    return s;
}

/// Penzl's example of order 1006: three resonances, then real poles -1 .. -(n - 6).
system_t fom(index_t n) {
    system_t s{{matrix<double>(n, n)}, matrix<double>(n, 1, 1.0), matrix<double>(1, n, 1.0), {}};
    for (index_t k = 0; k < 3; ++k) {
        s.a.a(2 * k, 2 * k) = s.a.a(2 * k + 1, 2 * k + 1) = -1;
        s.a.a(2 * k, 2 * k + 1) = 100 * static_cast<double>(1 << k);
        s.a.a(2 * k + 1, 2 * k) = -s.a.a(2 * k, 2 * k + 1);
    }
    for (index_t i = 0; i < 6; ++i) s.b(i, 0) = s.c(0, i) = 10;
    for (index_t i = 6; i < n; ++i) s.a.a(i, i) = -static_cast<double>(i - 5);
    return s;
}

/// n / 2 lightly damped modes of a structure, two inputs, two outputs.
system_t modal(index_t n) {
    hrm::random_stream r(3);
    system_t s{{matrix<double>(n, n)}, normal(r, n, 2), normal(r, 2, n), {}};
    for (index_t i = 0; i + 1 < n; i += 2) {
        const double w = std::pow(10.0, 1 + 4 * static_cast<double>(i) / static_cast<double>(n));
        s.a.a(i, i) = s.a.a(i + 1, i + 1) = -1e-2 * w * r.uniform(0.3, 1);
        s.a.a(i, i + 1) = w;
        s.a.a(i + 1, i) = -w;
    }
    return s;
}

/// A dense A of n^2 normal numbers, its poles all over the disk of radius 0.98.
sampled_t random_poles(index_t n) {
    hrm::random_stream r(static_cast<std::uint64_t>(n));
    sampled_t s{{normal(r, n, n)}, normal(r, n, 2), normal(r, 2, n), {}};
    const double radius = hrm::spectral_radius(s.a);
    for (double& x : s.a.a.flat()) x *= 0.98 / radius;
    return s;
}

/// Real poles over six decades of time constants, as adapters have them.
hrm::discrete<hrm::diagonal<double>> ring(index_t n, index_t m) {
    hrm::random_stream r(5);
    hrm::discrete<hrm::diagonal<double>> s{{hrm::buffer<double>(static_cast<std::size_t>(n))}, normal(r, n, m), normal(r, m, n), {}};
    for (index_t i = 0; i < n; ++i) {
        const double gap = std::pow(10.0, r.uniform(-4, -0.05));
        s.a.poles[static_cast<std::size_t>(i)] = 1 - gap;
        for (index_t j = 0; j < m; ++j) s.b(i, j) *= gap;
    }
    return s;
}

struct subject {
    std::string name;
    double goal;  // SLICOT's time over ours
    std::variant<system_t, sampled_t> system;
};

void beside_slicot(const std::string& only, int threads, char** words) {
    std::vector<subject> all;
    const auto add = [&](std::string name, double goal, auto make) {
        if (name.find(only) != std::string::npos) all.push_back({name, goal, make()});
    };
    for (auto [n, goal] : {std::pair<index_t, double>{48, 2}, {120, 2}, {200, 2}, {598, 1.8}, {1006, 1.6}})
        add("slow decay " + std::to_string(n), goal, [n = n] { return slow_decay(n); });
    for (auto [n, goal] : {std::pair<index_t, double>{48, 2}, {120, 2.5}, {200, 3}, {598, 4}})
        add("fast decay " + std::to_string(n) + ", heat mixed", goal, [n = n] { return mixed(heat(n), 11); });
    add("fast decay 1006, fom mixed", 5, [] { return mixed(fom(1006), 11); });
    add("blocks 48, modal", 3, [] { return modal(48); });
    add("blocks 120, modal", 5, [] { return modal(120); });
    add("blocks 1006, fom", 160, [] { return fom(1006); });
    // Every T seconds, the input held between. The slow modes' fastest turns by 3 in that time, most of the heat's have died away.
    const auto held = [](const system_t& s, double step) { return hrm::discretize(s, step); };
    for (auto [n, goal] : {std::pair<index_t, double>{48, 2}, {120, 2}, {200, 2}, {598, 1.8}, {1006, 1.6}}) {
        add("discrete slow decay " + std::to_string(n), goal, [n = n, held] { return held(slow_decay(n), 0.03); });
        add("discrete random poles " + std::to_string(n), goal, [n = n] { return random_poles(n); });
    }
    for (auto [n, goal] : {std::pair<index_t, double>{48, 2}, {120, 2}, {200, 2}, {598, 1.8}})
        add("discrete fast decay " + std::to_string(n) + ", heat mixed", goal, [n = n, held] { return held(mixed(heat(n), 11), 1e-3); });
    add("discrete fast decay 1006, fom mixed", 1.6, [held] { return held(mixed(fom(1006), 11), 1e-3); });
    if (all.empty()) return;
    hrm::bench::use_openblas(threads, words);
    hrm::bench::report report(threads == 1 ? "reduction" : "reduction-2", {.threads = threads, .rounds = 15, .budget_s = 20});
    for (const auto& s : all)
        std::visit([&](const auto& system) {
            std::vector<hrm::bench::peer> peers;
#if defined(HRM_BENCH_SLICOT)
            hrm::bench::slicot peer(system, 10);
            peers.push_back({"SLICOT", [&] { peer.reduce(); }, 1 / s.goal});
#endif
            report.compare(s.name, [&] { hrm::bench::keep(hrm::balance(system, {.rank = 10})); }, peers);
        }, s.system);
    report.finish();
}

void alone(const std::string& only) {
    const auto wanted = [&](const std::string& name) { return name.find(only) != std::string::npos; };
    hrm::bench::report report("reduction-large", {.threads = 1});
    const auto balanced = [&](index_t n, index_t m, double tolerance, double limit) {
        const auto name = "diagonal " + std::to_string(n) + ", " + std::to_string(m) + " inputs";
        if (!wanted(name)) return;
        const auto system = ring(n, m);
        index_t order = 0;
        report.within(name, [&] { order = hrm::balance(system, {.tolerance = tolerance}).order(); }, limit);
        std::printf("    order %td\n", order);
    };
    balanced(10000, 1, 1e-8, 1);
    balanced(10000, 16, 1e-8, 1);
    balanced(100000, 1, 1e-4, 5);
    balanced(100000, 16, 1e-4, 5);
    if (wanted("adapter")) {
        hrm::random_stream r(1);
        hrm::hrm_adapter<float> a(4096, 4096, {.states = 32}, r);
        auto& p = a.parameters();
        const auto c = p[p.find("C")];
        r.fill_normal(std::span<float>(c.data, static_cast<std::size_t>(c.size())), 0.02);
        report.within("adapter 32, 4096", [&] { hrm::bench::keep(hrm::reduce(a, {.tolerance = 0.1})); }, 5e-3, 9);
    }
    report.finish();
}

}  // namespace

/// bench_reduction [WORD]: only the cases whose name has WORD in it.
int main(int count, char** words) {
    const std::string only = count > 1 ? words[1] : "";
    for (int threads : {1, 2}) beside_slicot(only, threads, words);
    alone(only);
}
