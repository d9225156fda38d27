// Model reduction of linear systems and of adapters, with its certificate.
//
//     reduce                                        # a system as an adapter starts: S4D-Real poles, random B and C
//     reduce --continuous build/ --rank 10 --out small/ --report build.html
#include <cmath>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include <hrm/reduction/balance.hpp>
#include <hrm/systems/discretize.hpp>
#include <hrm/core/random.hpp>

#include "support/failure.hpp"
#include "support/options.hpp"
#include "support/reduction_adapters.hpp"
#include "support/reduction_report.hpp"
#include "support/reduction_run.hpp"
#include "support/system_file.hpp"

using hrm::index_t;
using namespace hrm::examples;

constexpr const char* examples = R"(Input: one of
  system.safetensors    A (n x n) or poles (n), B (n x m), C (p x n), perhaps D, E; metadata "time": continuous, discrete, textbook
  folder/               A.mtx B.mtx C.mtx, perhaps D.mtx E.mtx, Matrix Market (also: the files themselves, A first)
  model.mat             MATLAB variables A, B, C, perhaps D, E, Ts (0: continuous); of an object sys:
                        [A, B, C, D] = ssdata(sys); Ts = sys.Ts; save model.mat A B C D Ts
  adapters.safetensors  as hrm::save_adapters writes it: every layer is reduced
E is solved for. Discrete systems of safetensors files are s_t = A s_{t-1} + B u_t, y_t = C s_t + D u_t, those of other files
x_{k+1} = A x_k + B u_k, y_k = C x_k + D u_k. Unstable and integrating poles are split off and kept.

Order: every rule given asks for an order, the largest is taken, --rank caps it. Without a rule sigma >= 1e-3 sigma_1 is kept
(0.1 for adapters, and for the system made without input). Adapters take --method balance alone, and --json in place of --report.

Examples:
  reduce --continuous build/ --rank 10                         ten states, bound and measured errors
  reduce --continuous A.mtx B.mtx C.mtx --budget 1e-4          the fewest states with |G - Gr| <= 1e-4 for certain
  reduce plant.mat --method singular-perturbation --rank 6     exact at frequency zero
  reduce plant.mat --method hankel-norm --rank 6               optimal in the Hankel norm
  reduce plant.mat --method h2 --rank 6 --out plant6.mat       balanced truncation, then refined in the H2 norm
  reduce --continuous fom/ --tolerance 1e-6 --report fom.html  a page with curves, for a browser
  reduce adapters.safetensors --tolerance 0.1 --out small.safetensors
  reduce adapters.safetensors --total-rank 256                 256 states in all layers, where they matter most)";

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

const std::map<std::string, hrm::projection> bases{{"square-root", hrm::projection::square_root},
                                                  {"balancing-free", hrm::projection::balancing_free},
                                                  {"biorthogonal", hrm::projection::biorthogonal}};

struct arguments {
    std::vector<std::string> in;
    std::string out, report, json;
    index_t states = 32, width = 64;
    bool continuous = false, discrete = false;
    reduction_request request;
    hrm::shared_rules shared;

    std::string what(const std::map<std::string, method>& methods) const {
        std::string text;
        for (const auto& [word, value] : methods)
            if (value == request.how) text = word;
        for (const auto& [word, value] : bases)
            if (value == request.rules.basis && value != hrm::projection::square_root && request.how != method::modal) text += ", " + word;
        return text;
    }
};

// The last part of a path, a folder's too: what a reader knows a system by.
std::string name_of(const std::string& path) {
    const auto whole = std::filesystem::absolute(path).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

// Reduces it, and writes what was asked for: the system first, for measuring may take long.
void reduce_system(system_file file, arguments& a, const std::string& what) {
    waiting at;
    reduction_facts facts;
    a.request.textbook = file.time == time_kind::textbook;
    a.request.curves = !a.report.empty();
    const auto save = [&](const auto& small) {
        system_file to{small.a.a, small.b, small.c, small.d, {}, file.time, file.step, {}};
        if (!a.out.empty()) write_system(to, a.out);
    };
    if (file.time == time_kind::continuous)
        run_reduction(hrm::continuous<hrm::dense<double>>{{std::move(file.a)}, std::move(file.b), std::move(file.c), std::move(file.d)}, a.request, facts, at, save);
    else
        run_reduction(hrm::discrete<hrm::dense<double>>{{std::move(file.a)}, std::move(file.b), std::move(file.c), std::move(file.d)}, a.request, facts, at, save);
    print_reduction(facts, what, file.time);
    if (!a.out.empty()) std::printf("%-22s %s\n", "reduced system", a.out.c_str());
    if (!a.json.empty()) hrm::write_atomically(a.json, reduction_json(facts, what, file.time));
    if (a.report.empty()) return;
    const auto source = a.in.empty() ? std::string("A system as an adapter starts") : name_of(a.in[0]);
    hrm::write_atomically(a.report, reduction_page(facts, source, what, file.time));
    std::printf("%-22s %s\n", "report", a.report.c_str());
}

void reduce_adapter_file(arguments& a) {
    if (a.request.how != method::balance) throw hrm::error("reduce: adapters are reduced by --method balance");
    if (!a.report.empty()) throw hrm::error("reduce: --report is for systems; adapters have --json");
    if (!a.out.empty() && format_of(a.out) != "safetensors") throw hrm::error("reduce: adapters are written as .safetensors, not as " + a.out);
    auto& rules = a.request.rules;
    if (a.request.errors != measuring::never) rules.error = hrm::error_report::measured;
    waiting at;
    nlohmann::json rows;
    const auto small = reduce_adapters(a.in[0], rules, rows, at, a.shared);
    if (!a.out.empty()) hrm::save_adapters(a.out, small);
    if (!a.json.empty()) hrm::write_atomically(a.json, rows.dump(1) + "\n");
}

int main(int argc, char** argv) {
    const std::map<std::string, method> methods{{"balance", method::balance}, {"singular-perturbation", method::singular_perturbation},
                                                {"hankel-norm", method::hankel_norm}, {"modal", method::modal}, {"h2", method::h2}};
    const std::map<std::string, measuring> measures{{"auto", measuring::automatic}, {"always", measuring::always}, {"never", measuring::never}};
    arguments a;
    auto& rules = a.request.rules;
    bool gap = false, refuse = false;
    CLI::App app("Reduces linear systems and adapters to the states that matter most to their input-output map.", "reduce");
    app.footer(examples);
    auto* in = app.add_option("--in,input", a.in, "files or a folder, see below; none: a system as an adapter starts");
    app.add_option("--out", a.out, "reduced system: .safetensors, .mat, or a folder of Matrix Market files")->check(a_name());
    app.add_option("--report", a.report, "an HTML page with curves")->check(a_name());
    app.add_option("--json", a.json, "all numbers, 17 digits")->check(a_name());
    app.add_flag("--continuous", a.continuous, "time, where the files do not say");
    app.add_flag("--discrete", a.discrete, "time, where the files do not say");
    app.add_option("--method", a.request.how, "balance, singular-perturbation, hankel-norm, modal, h2")->transform(one_of(methods))->option_text("NAME [balance]");
    app.add_option("--basis", rules.basis, "square-root, balancing-free, biorthogonal: coordinates of the result")->transform(one_of(bases))->option_text("NAME [square-root]");
    app.add_option("--rank", rules.rank, "at most this many states, unstable ones on top")->check(at_least(0));
    app.add_option("--tolerance", rules.tolerance, "keep sigma >= this * sigma_1")->check(CLI::Range(0.0, 1.0));
    app.add_option("--energy", rules.energy, "keep this fraction of the sum of sigma^2")->check(CLI::Range(0.0, 1.0));
    app.add_option("--budget", rules.hinf_budget, "keep the bound of |G - Gr| below this")->check(positive());
    app.add_option("--total-rank", a.shared.states, "adapters: at most this many states in all, where gain * sigma is largest")->check(at_least(0));
    app.add_option("--total-budget", a.shared.hinf_budget, "adapters: keep the sum of their bounds below this")->check(positive());
    app.add_flag("--gap", gap, "cut at the widest gap between neighbouring sigma");
    app.add_flag("--refuse-unstable", refuse, "an error instead of keeping unstable poles");
    app.add_option("--measure", a.request.errors, "auto, always, never: certified norms of the error (auto: up to 500 states, a grid above)")->transform(one_of(measures))->option_text("WHEN [auto]");
    app.add_option("--states", a.states, "without input: states of the system made")->capture_default_str()->check(CLI::Range(1, 3000))->excludes(in);
    app.add_option("--width", a.width, "without input: its inputs and outputs")->capture_default_str()->check(CLI::Range(1, 100000))->excludes(in);
    CLI11_PARSE(app, argc, argv);

    return guarded([&] {
        if (a.continuous && a.discrete) throw hrm::error("reduce: --continuous and --discrete are both given");
        if (gap) rules.gap = hrm::gap_rule::largest;
        if (refuse) rules.unstable = hrm::unstable_poles::refuse;
        const bool adapters = a.in.size() == 1 && is_adapter_file(a.in[0]);
        if (a.continuous && (adapters || a.in.empty()))
            throw hrm::error("reduce: --continuous is for systems in files; adapters, and the system made without input, are discrete");
        if (!a.out.empty()) require_writable(a.out, a.in, !adapters);
        for (const auto& path : {a.report, a.json})
            if (!path.empty()) require_writable(path, a.in, false);
        for (const auto& [one, other] : {std::pair(a.out, a.report), {a.out, a.json}, {a.report, a.json}})
            if (!one.empty() && !other.empty() && std::filesystem::absolute(one).lexically_normal() == std::filesystem::absolute(other).lexically_normal())
                throw hrm::error("reduce: " + one + " is asked for twice: each of --out, --report and --json writes a file of its own");
        const bool shared = a.shared.states >= 0 || a.shared.hinf_budget > 0;
        if (shared && !adapters) throw hrm::error("reduce: --total-rank and --total-budget are for adapters; one system has --rank and --budget");
        if (!shared && rules.rank < 0 && rules.energy == 0 && rules.hinf_budget == 0 && rules.tolerance == 0 && !gap) rules.tolerance = adapters || a.in.empty() ? 0.1 : 1e-3;
        if (adapters) return reduce_adapter_file(a), 0;
        if (a.in.empty()) {
            auto g = s4d_real(a.states, a.width);
            reduce_system({g.a.a, g.b, g.c, {}, {}, time_kind::discrete, 0, "made"}, a, a.what(methods));
        } else
            reduce_system(read_system(a.in, a.continuous ? time_kind::continuous : a.discrete ? time_kind::discrete : time_kind::unsaid), a, a.what(methods));
        return 0;
    });
}
