// Everything of hrm::cuda beside its roofline and its peers, on one card. A case is one line of the table at the end; what
// a case measures is the function above. --help says how to run it, run.sh runs it with all around it.

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/cuda.hpp>

#include "../support/child.hpp"
#include "operands.hpp"

namespace {

using namespace hrm;
using namespace hrm::bench::gpu;

struct bench {
    cuda where;
    records& out;
    hrm::detail::blas blas;
    std::unique_ptr<hrm::bench::child> peft;
    std::string folder;
    timing how = {};

    hrm::detail::cuda_device device() const { return {where}; }
    std::vector<figure> compare(const std::string& name, const std::vector<contestant>& all) {
        const auto figures = hrm::bench::gpu::compare(where, name, all, how);
        for (const auto& f : figures) {
            std::printf("%-44s %-28s %10.2f us  %.3f\n", f.name.c_str(), f.who.c_str(), 1e6 * f.seconds, f.ratio);
            out.figures.push_back(f);
        }
        std::fflush(stdout);
        out.write(folder);
        return figures;
    }
};

std::string named(const char* what, index_t at) { return std::string(what) + " = " + std::to_string(at); }

// --- what the card can do --------------------------------------------------------------------------------------------

void copy(bench& b, index_t) {
    const index_t size = index_t{1} << 30;
    const device_array<char> from(size), to(size);
    check(cudaMemsetAsync(from.data(), 77, static_cast<std::size_t>(size), b.where.stream), "cudaMemsetAsync");
    const cost needs{2.0 * static_cast<double>(size)};
    const auto f = b.compare("copy, 1 GiB", {{"cudaMemcpyAsync", [&](int) {
        check(cudaMemcpyAsync(to.data(), from.data(), static_cast<std::size_t>(size), cudaMemcpyDeviceToDevice, b.where.stream), "cudaMemcpyAsync");
    }, needs}});
    b.out.peak.copy = needs.bytes / f[0].seconds;
}
void products(bench& b, index_t n) {
    const operands<bf16> x(b.where, 2, n, n), y(b.where, 1, n, n);
    const double size = static_cast<double>(n);
    const cost needs{6 * size * size, 2 * size * size * size, unit::bf16};
    const auto f = b.compare(named("bf16 product, n", n), {{"cuBLAS", [&](int) {
        b.blas.multiply(strided_view<const bf16>(x.reading(0)), strided_view<const bf16>(x.reading(1)), 0.0f, y(0));
    }, needs}});
    b.out.peak.bf16 = needs.flop / f[0].seconds;
}
template <real S>
double fused(bench& b, const char* name, unit by) {
    const index_t threads = index_t{1} << 20;
    const operands<S> x(b.where, 1, 1, threads);
    const cost needs{0, multiply_add<S>::flop * static_cast<double>(threads), by};
    const auto f = b.compare(name, {{"registers", [&](int) { b.device().launch(threads, multiply_add<S>{x(0).data}); }, needs}});
    return needs.flop / f[0].seconds;
}
void peaks(bench& b, index_t) {
    b.out.peak.f32 = fused<float>(b, "float multiply-add", unit::f32);
    b.out.peak.f64 = fused<double>(b, "double multiply-add", unit::f64);
}

// --- adapters --------------------------------------------------------------------------------------------------------

constexpr index_t width = 4096, states = 32;

template <class Plan>
void adapters(bench& b, const std::string& name, index_t length) {
    random_stream r(1);
    auto options = hrm_options::published(states);
    options.gate_start = 0.1;
    const hrm_adapter<float> memory(width, width, options, r);
    const lora<float> low(width, width, {.rank = states}, r);
    const adapter_on_device ours(b.where, memory), memoryless(b.where, low);
    const scan::shape extents{.batch = 1, .time = length};
    Plan plan(b.where, ours.weights, extents), low_plan(b.where, memoryless.weights, extents);
    const lora_by_cublas peer(b.where, b.blas, length, width, states), half(b.where, b.blas, length, width, states / 2);

    const double tensor = 2.0 * static_cast<double>(length * width), weights = 4.0 * static_cast<double>(states * width);
    const int sets = slots(4 * tensor);
    const operands<bf16> u(b.where, sets, length, width), out(b.where, sets, length, width), dout(b.where, sets, length, width),
        du(b.where, sets, length, width);
    const operands<float> kept(b.where, sets, length, states);

    const double flop = 2 * tensor * static_cast<double>(states);
    const cost one_way{3 * tensor + weights, flop, unit::bf16}, both{7 * tensor + 4 * weights, 3 * flop, unit::bf16};
    const auto forward = [&](Plan& p, const adapter_on_device& a, int i) { p.forward(a.weights, u.reading(i), out(i), kept(i)); };
    const auto pass = [&](Plan& p, const adapter_on_device& a, int i) {
        forward(p, a, i);
        p.backward(a.weights, u.reading(i), dout.reading(i), kept.reading(i), du(i), a.slope());
    };
    const auto by_cublas = [&](const lora_by_cublas& l, int i) {
        l.forward(u.reading(i), out(i));
        l.backward(u.reading(i), dout.reading(i), du(i));
    };
    b.compare(name + named(", forward, L", length),
              {{"HRM n 32", [&](int i) { forward(plan, ours, i); }, one_way},
               {"LoRA r 32, ours", [&](int i) { forward(low_plan, memoryless, i); }, one_way},
               {"LoRA r 32, cuBLAS", [&](int i) { peer.forward(u.reading(i), out(i)); }, one_way}});
    std::vector<contestant> all{{"HRM n 32", [&](int i) { pass(plan, ours, i); }, both},
                                {"LoRA r 32, ours", [&](int i) { pass(low_plan, memoryless, i); }, both},
                                {"LoRA r 32, cuBLAS", [&](int i) { by_cublas(peer, i); }, both, length >= 8192 ? 0.88 : 0.95},
                                {"LoRA r 16 twice, cuBLAS", [&](int i) {
                                     by_cublas(half, i);
                                     by_cublas(half, i + 1);
                                 }, {14 * tensor + 4 * weights, 3 * flop, unit::bf16}, 0.5}};
    if (b.peft) try {
        b.peft->tell(std::to_string(width) + " " + std::to_string(states) + " " + std::to_string(length));
        b.peft->number("3");
        all.push_back({"LoRA r 32, PEFT", {}, both, 0.35, [&] { return b.peft->number("10") / 10; }});
    } catch (const error& e) {
        b.out.remarks.push_back({"PEFT", named("failed, and is left out from here on: L", length) + ": " + e.what()});
        b.peft.reset();
    }
    b.compare(name + named(", forward and backward, L", length), all);
}
void adapters_fused(bench& b, index_t length) { adapters<fused_adapter_plan<bf16>>(b, "fused adapter", length); }
void adapters_by_products(bench& b, index_t length) { adapters<adapter_plan<bf16>>(b, "adapter", length); }

/// A token of every sequence through 32 layers, whose weights are not in the cache when their turn comes.
void decode(bench& b, index_t batch) {
    constexpr int layers = 32;
    random_stream r(2);
    auto options = hrm_options::published(states);
    options.gate_start = 0.1;
    const hrm_adapter<float> memory(width, width, options, r);
    const double weights = 4.0 * static_cast<double>(states * width);
    const int sets = slots(layers * weights);
    std::vector<std::unique_ptr<adapter_on_device>> all;
    for (int i = 0; i < sets * layers; ++i) all.push_back(std::make_unique<adapter_on_device>(b.where, memory));
    adapter_step<bf16> step(b.where, all[0]->weights, batch);
    adapter_plan<bf16> plan(b.where, all[0]->weights, {.batch = batch, .time = 1});
    const operands<bf16> u(b.where, layers, batch, width), out(b.where, layers, batch, width);
    const operands<float> state(b.where, layers, batch, states), zero(b.where, 1, batch, states);
    const auto each = [&](int slot, auto&& f) {
        for (int l = 0; l < layers; ++l) f(all[static_cast<std::size_t>(slot % sets * layers + l)]->weights, l);
    };
    const cost needs{layers * (weights + 6.0 * static_cast<double>(batch * width)), 4.0 * layers * static_cast<double>(batch * width * states), unit::bf16};
    b.compare(named("decode, 32 layers, batch", batch),
              {{"adapter_step", [&](int i) { each(i, [&](const auto& w, int l) { step(w, u.reading(l), out(l), state(l)); }); }, needs},
               {"adapter_plan", [&](int i) {
                    each(i, [&](const auto& w, int l) { plan.forward(w, u.reading(l), out(l), {}, state.reading(l), state(l)); });
                }, needs}});
}

// --- scans -----------------------------------------------------------------------------------------------------------

/// Moduli up to 1 - 1e-6.
diagonal<float> poles(index_t n) {
    diagonal<float> a;
    for (index_t i = 0; i < n; ++i) a.poles.push_back(static_cast<float>(1 - std::pow(10.0, -1.0 - 5.0 * static_cast<double>(i) / static_cast<double>(n))));
    return a;
}
/// z to s: read once, written once; the backward reads ds and s, writes lambda. `flop`: of a step and state, in double.
template <storable T, class A>
void scans(bench& b, const std::string& name, const A& a, index_t length, index_t batch, double flop) {
    const double values = static_cast<double>(batch * length * states), tensor = static_cast<double>(sizeof(T)) * values;
    const int sets = slots(3 * tensor);
    const operands<T> z(b.where, sets, batch * length, states), s(b.where, sets, batch * length, states);
    const operands<float> da(b.where, 1, 1, scan::coefficients(a));
    scan::plan chunked(b.where, scan::chunked{}, a, {.batch = batch, .time = length});
    scan::plan sequential(b.where, scan::sequential{}, a, {.batch = batch, .time = length});
    const cost needs{2 * tensor, flop * values, unit::f64}, back{3 * tensor, 2 * flop * values, unit::f64};
    const auto where = "batch " + std::to_string(batch) + ", " + named("L", length);
    std::vector<contestant> all{{"chunked", [&](int i) { chunked.states(a, z.reading(i), s(i)); }, needs}};
    if (length <= 2048) all.push_back({"sequential", [&](int i) { sequential.states(a, z.reading(i), s(i)); }, needs});
    std::vector<contestant> backward{{"chunked", [&](int i) { chunked.states_backward(a, s.reading(i), {}, z(i), da(0).row_span(0)); }, back}};
    if constexpr (scan::detail::has_modes<A>) {
        scan::plan fft(b.where, scan::fft{}, a, {.batch = batch, .time = length});
        all.push_back({"fft", [&](int i) { fft.states(a, z.reading(i), s(i)); }, needs});
        backward.push_back({"fft", [&](int i) { fft.states_backward(a, s.reading(i), {}, z(i), da(0).row_span(0)); }, back});
        b.compare(name + ", " + where, all);
        b.compare(name + " backward, " + where, backward);
    } else {
        b.compare(name + ", " + where, all);
        b.compare(name + " backward, " + where, backward);
    }
}
void scans_1(bench& b, index_t length) { scans<float>(b, "scan", poles(states), length, 1, 2); }
void scans_8(bench& b, index_t length) { scans<float>(b, "scan", poles(states), length, 8, 2); }
void scans_bf16(bench& b, index_t length) { scans<bf16>(b, "scan in bf16", poles(states), length, 8, 2); }
void scans_dense(bench& b, index_t length) {
    scans<float>(b, "scan, dense A", dense<float>{to_dense(poles(states))}, length, 1, 2.0 * static_cast<double>(states));
}

// --- sketches --------------------------------------------------------------------------------------------------------

template <storable T>
void sketches(bench& b, index_t length, unit by) {
    const operands<T> u(b.where, slots(static_cast<double>(sizeof(T)) * static_cast<double>(length * width)), length, width);
    for (const index_t columns : {64, 128}) {
        const moment_sketch host(width, {.columns = columns});
        device_moment_sketch<T> sketch(b.where, host);
        constexpr double z_parts = hrm::detail::z_parts<T>, probe_parts = hrm::detail::probe_parts<T>;
        const double probes = static_cast<double>(host.options().probes), k = static_cast<double>(columns);
        const double values = static_cast<double>(length * width);
        const cost needs{static_cast<double>(sizeof(T)) * values, 2 * values * (k + (probe_parts - 1) * probes + z_parts * k), by};
        b.compare(std::string("sketch of ") + (by == unit::bf16 ? "bf16, " : "float, ") + named("columns", columns) + ", " + named("L", length),
                  {{"device_moment_sketch", [&](int i) { sketch.add(u.reading(i)); }, needs}});
    }
}
void sketches_bf16(bench& b, index_t length) { sketches<bf16>(b, length, unit::bf16); }
void sketches_float(bench& b, index_t length) { sketches<float>(b, length, unit::f32); }

/// A case: its name, what it measures, and at which extents. What matters most comes first: the time may run out.
struct bench_case {
    const char* name;
    void (*run)(bench&, index_t);
    std::vector<index_t> at;
};
const bench_case cases[] = {
    {"copy", copy, {0}},
    {"bf16-product", products, {8192}},
    {"peaks", peaks, {0}},
    {"fused-adapter", adapters_fused, {2048, 8192, 32768, 131072, 512}},
    {"adapter", adapters_by_products, {8192, 131072, 2048, 512}},
    {"decode", decode, {1, 8, 32}},
    {"scan", scans_1, {512, 2048, 8192, 32768, 131072}},
    {"scan-batch", scans_8, {512, 8192, 131072}},
    {"scan-bf16", scans_bf16, {512, 8192, 131072}},
    {"scan-dense", scans_dense, {512, 8192, 131072}},
    {"sketch-bf16", sketches_bf16, {512, 4096}},
    {"sketch-float", sketches_float, {512, 4096}},
};

// --- the run ---------------------------------------------------------------------------------------------------------

const char help[] =
    "bench_gpu [--out FOLDER] [--seconds N] [--rounds N] [--notes FILE] [WORD...]\n"
    "Measures hrm::cuda on the current device and writes FOLDER/gpu.json and FOLDER/gpu.md after every case.\n"
    "  --out FOLDER    where to (.)\n"
    "  --seconds N     starts no case after that (150); what is left out is said so\n"
    "  --rounds N      samples of each contestant (11)\n"
    "  --notes FILE    lines 'part<TAB>what happened' that go into the header\n"
    "  WORD            only cases whose name contains one of the words; the card's own rates are always measured\n"
    "  --list          the cases\n"
    "HRM_TORCH_PYTHON names a Python with torch and peft, else PEFT's rows are missing.\n";

struct arguments {
    std::string out = ".", notes;
    double seconds = 150;
    int rounds = 11;
    std::vector<std::string> words;
};

/// The exit status where the run ends here already.
std::optional<int> read(int argc, char** argv, arguments& a) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--help" || word == "-h") return std::fputs(help, stdout), 0;
        if (word == "--list") {
            for (const auto& c : cases) {
                std::printf("%s", c.name);
                for (const auto at : c.at)
                    if (at > 0) std::printf(" %td", at);
                std::printf("\n");
            }
            return 0;
        }
        if (!word.starts_with("--")) {
            a.words.push_back(word);
            continue;
        }
        const bool known = word == "--out" || word == "--seconds" || word == "--rounds" || word == "--notes";
        if (!known || i + 1 == argc) return std::fprintf(stderr, "bench_gpu: %s\n%s", word.c_str(), help), 2;
        const char* value = argv[++i];
        if (word == "--out") a.out = value;
        if (word == "--notes") a.notes = value;
        if (word == "--seconds") a.seconds = std::atof(value);
        if (word == "--rounds") a.rounds = std::max(1, std::atoi(value));
    }
    return {};
}

void describe(records& out) {
    int device = 0, driver = 0, runtime = 0;
    cudaDeviceProp p;
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties");
    check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
    char date[32];
    const std::time_t now = std::time(nullptr);
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    out.header = {{"device", p.name}, {"compute capability", std::to_string(p.major) + "." + std::to_string(p.minor)},
                  {"multiprocessors", std::to_string(p.multiProcessorCount)},
                  {"memory", print("%.1f GB", 1e-9 * static_cast<double>(p.totalGlobalMem))},
                  {"L2", print("%.0f MB", 1e-6 * static_cast<double>(p.l2CacheSize))},
                  {"CUDA", version(runtime) + ", the driver's " + version(driver)}, {"date", date}};
}

void run(const arguments& a, records& out) {
    const auto start = std::chrono::steady_clock::now();
    std::signal(SIGPIPE, SIG_IGN);  // a peer that died is an answer that does not come
    describe(out);
    cuda where;
    check(cudaStreamCreate(&where.stream), "cudaStreamCreate");
    bench b{where, out, hrm::detail::blas(where), hrm::bench::torch_peer(HRM_BENCH_SOURCE "/peers/peft_lora.py", "torch and peft", "cuda"), a.out};
    b.how.rounds = a.rounds;
    if (!b.peft) out.remarks.push_back({"PEFT", "left out: HRM_TORCH_PYTHON names no Python"});
    for (const auto& c : cases)
        for (const auto at : c.at) {
            const bool ceiling = c.run == copy || c.run == products || c.run == peaks;
            const auto named = [&](const std::string& word) { return std::string(c.name).find(word) != std::string::npos; };
            if (!ceiling && !a.words.empty() && std::none_of(a.words.begin(), a.words.end(), named)) continue;
            const auto full = c.name + (at > 0 ? " " + std::to_string(at) : "");
            if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > a.seconds) {
                out.remarks.push_back({full, "left out: no time was left"});
                continue;
            }
            try {
                c.run(b, at);
            } catch (const std::exception& e) {
                std::fprintf(stderr, "%s: %s\n", full.c_str(), e.what());
                out.remarks.push_back({full, std::string("failed: ") + e.what()});
                // A capture that an exception left open would refuse everything after it.
                cudaGraph_t open = nullptr;
                if (cudaStreamEndCapture(where.stream, &open) == cudaSuccess && open) cudaGraphDestroy(open);
                cudaGetLastError();
            }
        }
    cudaStreamDestroy(where.stream);
}

}  // namespace

int main(int argc, char** argv) {
    arguments a;
    if (const auto status = read(argc, argv, a)) return *status;
    records out;
    std::ifstream notes(a.notes);
    for (std::string line; std::getline(notes, line);) {
        const auto tab = line.find('\t');
        if (tab != std::string::npos) out.remarks.push_back({line.substr(0, tab), line.substr(tab + 1)});
    }
    if (device_count() == 0) {
        std::printf("SKIPPED: no CUDA device; nothing was measured\n");
        out.remarks.push_back({"measurements", "none: no CUDA device"});
    } else {
        run(a, out);
    }
    if (!out.write(a.out)) return 1;
    std::printf("written to %s/gpu.json and gpu.md\n", a.out.c_str());
    return std::none_of(out.remarks.begin(), out.remarks.end(), [](const remark& r) { return r.what.starts_with("failed"); }) ? 0 : 1;
}
