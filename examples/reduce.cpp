// Balanced truncation of a linear system, with its certificate.
//
//     reduce                                       # a system as an adapter starts: S4D-Real poles, random B and C
//     reduce --in system.safetensors --rank 8 --out reduced.safetensors
//
// A file holds the discrete system s_t = A s_{t-1} + B u_t, y_t = C s_t + D u_t as tensors "A" (n x n) or "poles" (n),
// "B" (n x m), "C" (p x n) and, if there is one, "D" (p x m).
#include <cmath>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include <hrm/hrm.hpp>
#include <hrm/io/safetensors.hpp>

using hrm::index_t;

hrm::discrete<hrm::dense<double>> s4d_real(index_t n, index_t width) {
    hrm::random_stream r(1);
    hrm::continuous<hrm::diagonal<double>> g{{hrm::buffer<double>(static_cast<std::size_t>(n))}, {n, width}, {width, n}, {}};
    hrm::buffer<double> dt(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) {
        g.a.poles[static_cast<std::size_t>(i)] = -static_cast<double>(i + 1);
        dt[static_cast<std::size_t>(i)] = std::exp(r.uniform(std::log(1e-4), std::log(0.1)));
    }
    r.fill_normal(g.b.flat(), 1 / std::sqrt(static_cast<double>(width)));
    r.fill_normal(g.c.flat(), 1 / std::sqrt(static_cast<double>(n)));
    return to_dense(discretize(g, std::span<const double>(dt), hrm::discretization::zoh));
}

hrm::discrete<hrm::dense<double>> read(const std::string& path) {
    const auto file = hrm::tensor_file::read(path);
    hrm::discrete<hrm::dense<double>> g;
    if (file.contains("poles")) {
        const auto poles = file.to_matrix<double>("poles");
        g.a.a = to_dense(hrm::diagonal<double>{{poles.flat().begin(), poles.flat().end()}});
    } else {
        g.a.a = file.to_matrix<double>("A");
    }
    g.b = file.to_matrix<double>("B");
    g.c = file.to_matrix<double>("C");
    if (file.contains("D")) g.d = file.to_matrix<double>("D");
    return g;
}

void write(const hrm::discrete<hrm::dense<double>>& g, const std::string& path) {
    hrm::tensor_writer file;
    file.add("A", std::as_const(g.a.a).view());
    file.add("B", g.b.view());
    file.add("C", g.c.view());
    if (!g.d.empty()) file.add("D", g.d.view());
    file.save(path);
}

int main(int argc, char** argv) {
    std::string in, out;
    index_t states = 32, width = 64;
    hrm::balance_options options;
    CLI::App app("Truncates a discrete system to the states that matter most to its input-output map.");
    app.add_option("--in", in, "safetensors file with A or poles, B, C and perhaps D")->check(CLI::ExistingFile);
    app.add_option("--out", out, "where to write the reduced A, B, C, D");
    app.add_option("--states", states, "without --in: states of the system made")->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--width", width, "without --in: its inputs and outputs")->capture_default_str()->check(CLI::PositiveNumber);
    app.add_option("--rank", options.rank, "keep at most this many states");
    app.add_option("--tolerance", options.tolerance, "keep sigma_i >= tolerance * sigma_1 (default 0.1 if nothing is asked)");
    app.add_option("--energy", options.energy, "keep this fraction of the sum of sigma_i^2");
    app.add_option("--budget", options.hinf_budget, "keep the error bound below this");
    CLI11_PARSE(app, argc, argv);
    if (options.rank < 0 && options.energy == 0 && options.hinf_budget == 0 && options.tolerance == 0) options.tolerance = 0.1;

    try {
        const auto system = in.empty() ? s4d_real(states, width) : read(in);
        const auto r = hrm::balance(system, options);
        const auto norm = hrm::hinf_norm(system).value;
        const auto error = hrm::hinf_norm(hrm::difference(system, r.system));
        std::printf("%td states, %td inputs, %td outputs, spectral radius %.6f\n", system.order(), system.inputs(), system.outputs(),
                    hrm::spectral_radius(system.a));
        std::printf("sigma");
        for (std::size_t i = 0; i < r.sigma.size(); ++i)
            std::printf("%s%s%.3e", i % 8 || !i ? " " : "\n      ", static_cast<index_t>(i) == r.order() ? "| " : "", r.sigma[i]);
        std::printf("\nkept %td; |G - Gr| <= %.3e %s; measured %.3e at %.3f radians a step; |G| = %.3e\n", r.order(), r.bound,
                    r.certified ? "(certified)" : "(not certified)", error.value, error.omega, norm);
        if (!out.empty()) write(r.system, out);
    } catch (const hrm::error& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
