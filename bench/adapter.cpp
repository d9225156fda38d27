// One HRM site over one LoRA site of the same width d and rank r, forward and backward over L tokens, one thread; both of
// ours, LoRA by the matrix products of OpenBLAS, oneDNN and Eigen, and PEFT's (HRM_TORCH_PYTHON names a Python that has it).
// Beside each, the same number of products and sums in registers: 1 / ratio is the share of the processor's peak; and the tensors read and
// updated once, without arithmetic: what memory allows.
// L = 1 is decoding: forward alone, a state carried along. Then the same in bf16, and batches and long sequences on two threads. A word after the name keeps the cases that contain it.

#include <deque>
#include <memory>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/stored.hpp>

#include <Eigen/Core>

#if defined(HRM_BENCH_ONEDNN)
#include <dnnl.h>
#include <omp.h>

#include "support/onednn.hpp"
#endif

#include "support/child.hpp"
#include "support/harness.hpp"
#include "support/openblas.hpp"
#include "support/peak.hpp"

namespace {

using hrm::index_t;
using dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using map = Eigen::Map<dense>;

template <class T>
struct tensors_of {
    hrm::matrix<T> u, out, dout, du;
    tensors_of(index_t length, index_t d) : u(length, d), out(length, d), dout(length, d), du(length, d) {
        hrm::random_stream r(1);
        for (auto* m : {&u, &dout})
            for (T& x : m->flat()) x = static_cast<T>(static_cast<float>(r.normal()));
    }
};
using tensors = tensors_of<float>;

/// One of our adapters, with everything a training step around it keeps; T: what u, out, B and C are stored as.
template <class T>
struct site_of {
    std::unique_ptr<hrm::adapter<float>> a;
    std::conditional_t<std::same_as<T, float>, hrm::adapter<float>&, hrm::stored_adapter<T>> run{*a};
    tensors_of<T>& t;
    hrm::buffer<float> gradient;
    hrm::workspace ws;
    hrm::kept<float> keep;
    hrm::adapter_state<float> state;
    std::vector<index_t> starts;  ///< of the sequences of a batch

    site_of(std::unique_ptr<hrm::adapter<float>> a_, tensors_of<T>& t_, index_t batch = 1)
        : a(std::move(a_)), t(t_), gradient(static_cast<std::size_t>(a->parameters().size())) {
        for (index_t b = 1; b < batch; ++b) starts.push_back(b * (t.u.rows() / batch));
    }
    void forward(hrm::team* threads = nullptr) {
        ws.clear();
        run.forward(t.u, t.out, {.mode = hrm::pass::training, .starts = starts, .threads = threads}, keep, ws);
    }
    void both(hrm::team* threads = nullptr) {
        forward(threads);
        run.backward(t.u, t.dout, t.du, gradient, {.mode = hrm::pass::training, .starts = starts, .threads = threads}, keep, ws);
    }
    void decode() { run.forward(t.u, t.out, {.carried = &state}, keep, ws); }
};
using site = site_of<float>;

/// LoRA as a user of a matrix library writes it; multiply(into, A, B, which are turned, into += 2 A B or into = A B).
template <class Multiply>
struct products {
    tensors& t;
    Multiply multiply;
    dense a, b, z, g, da, db;

    products(tensors& t_, index_t r, Multiply m)
        : t(t_), multiply(m), a(dense::Random(r, t.u.cols())), b(dense::Random(t.u.cols(), r)), z(t.u.rows(), r), g(t.u.rows(), r),
          da(dense::Zero(r, t.u.cols())), db(dense::Zero(t.u.cols(), r)) {}
    static map view(hrm::matrix<float>& m) { return {m.data(), m.rows(), m.cols()}; }
    static map view(dense& m) { return {m.data(), m.rows(), m.cols()}; }
    void forward() {
        multiply(view(z), view(t.u), view(a), false, true, false);
        multiply(view(t.out), view(z), view(b), false, true, true);
    }
    void both() {
        forward();
        multiply(view(db), view(t.dout), view(z), true, false, true);
        multiply(view(g), view(t.dout), view(b), false, false, false);
        multiply(view(da), view(g), view(t.u), true, false, true);
        multiply(view(t.du), view(g), view(a), false, false, true);
    }
};

constexpr auto by_eigen = [](map c, map a, map b, bool a_turned, bool b_turned, bool add) {
    if (!add) {
        if (b_turned) c.noalias() = a * b.transpose();
        else c.noalias() = a * b;
    } else if (a_turned) c.noalias() += 2.0f * a.transpose() * b;
    else if (b_turned) c.noalias() += 2.0f * a * b.transpose();
    else c.noalias() += 2.0f * a * b;
};
#if defined(HRM_BENCH_OPENBLAS)
constexpr auto by_openblas = [](map c, map a, map b, bool a_turned, bool b_turned, bool add) {
    auto extent = [](index_t x) { return static_cast<blasint>(x); };
    const float alpha = add ? 2.0f : 1.0f, beta = add ? 1.0f : 0.0f;
    if (c.rows() == 1 && b_turned)
        return cblas_sgemv(CblasRowMajor, CblasNoTrans, extent(b.rows()), extent(b.cols()), alpha, b.data(), extent(b.cols()), a.data(), 1, beta, c.data(), 1);
    cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans, extent(c.rows()), extent(c.cols()),
                extent(a_turned ? a.rows() : a.cols()), alpha, a.data(), extent(a.cols()), b.data(), extent(b.cols()), beta, c.data(), extent(c.cols()));
};
#endif

#if defined(HRM_BENCH_ONEDNN)
constexpr auto by_onednn = [](map c, map a, map b, bool a_turned, bool b_turned, bool add) {
    dnnl_sgemm(a_turned ? 'T' : 'N', b_turned ? 'T' : 'N', c.rows(), c.cols(), a_turned ? a.rows() : a.cols(), add ? 2.0f : 1.0f, a.data(), a.cols(),
               b.data(), b.cols(), add ? 1.0f : 0.0f, c.data(), c.cols());
};
#endif

using goal = std::optional<double>;

void compare(hrm::bench::report& report, hrm::bench::child* python, const std::string& name, index_t d, index_t rank, index_t length) {
    tensors t(length, d);
    hrm::random_stream r(2);
    auto options = hrm::hrm_options::published(rank);
    options.gate_start = 0.1;
    site memory(std::make_unique<hrm::hrm_adapter<float>>(d, d, options, r), t);
    site lora(std::make_unique<hrm::lora<float>>(d, d, hrm::lora_options{.rank = rank}, r), t);
    products eigen(t, rank, by_eigen);
#if defined(HRM_BENCH_OPENBLAS)
    products openblas(t, rank, by_openblas);
#endif
#if defined(HRM_BENCH_ONEDNN)
    products onednn(t, rank, by_onednn);
#endif
    const hrm::bench::point at{"L", static_cast<double>(length)};
    const auto from = [&](index_t shortest, double g) { return length >= shortest ? goal(g) : goal(); };
    const double flop = 4.0 * static_cast<double>(length * d * rank);
    const auto update = [](const hrm::matrix<float>& x, hrm::matrix<float>& y) { hrm::axpy(1e-30f, x.data(), y.data(), x.size()); };
    const auto bytes_forward = [&] { update(t.u, t.out); };
    const auto bytes_both = [&] {
        update(t.u, t.out);
        update(t.dout, t.du);
    };
    std::vector<hrm::bench::peer> peers;
    if (length == 1) {
        peers.push_back({"our LoRA", [&] { lora.decode(); }, 1.01});
        peers.push_back({"Eigen", [&] { eigen.forward(); }});
#if defined(HRM_BENCH_OPENBLAS)
        peers.push_back({"OpenBLAS", [&] { openblas.forward(); }});
#endif
#if defined(HRM_BENCH_ONEDNN)
        peers.push_back({"oneDNN", [&] { onednn.forward(); }});
#endif
        return report.compare("decode, " + name, [&] { memory.decode(); }, peers);
    }
    report.compare("forward, " + name, [&] { memory.forward(); }, {{"peak", [&] { hrm::bench::peak(flop); }, from(2048, 1 / 0.93)}, {"memory", bytes_forward}}, at);
    peers.push_back({"our LoRA", [&] { lora.both(); }, 1.01});
    peers.push_back({"Eigen", [&] { eigen.both(); }, from(8192, 0.50)});
#if defined(HRM_BENCH_OPENBLAS)
    peers.push_back({"OpenBLAS", [&] { openblas.both(); }, from(8192, 0.56)});
#endif
#if defined(HRM_BENCH_ONEDNN)
    peers.push_back({"oneDNN", [&] { onednn.both(); }, from(8192, 0.74)});
#endif
    if (python) {
        python->tell(std::to_string(d) + " " + std::to_string(rank) + " " + std::to_string(length));
        peers.push_back({"PEFT", {}, from(8192, 0.32), [&](long repeats) { return python->number(std::to_string(repeats)); }});
    }
    peers.push_back({"peak", [&] { hrm::bench::peak(3 * flop); }, from(2048, 1 / 0.91)});
    peers.push_back({"memory", bytes_both});
    report.compare("both, " + name, [&] { memory.both(); }, peers, at);
    hrm::bench::keep(t.out);
}

/// A token through the layers of a model, whose weights come from memory, beside reading those once in one stream.
void through_layers(hrm::bench::report& report, index_t d, index_t rank) {
    constexpr index_t layers = 32;
    tensors t(1, d);
    hrm::random_stream r(2);
    auto options = hrm::hrm_options::published(rank);
    options.gate_start = 0.1;
    std::deque<site> memory, lora;
    for (index_t i = 0; i < layers; ++i) {
        memory.emplace_back(std::make_unique<hrm::hrm_adapter<float>>(d, d, options, r), t);
        lora.emplace_back(std::make_unique<hrm::lora<float>>(d, d, hrm::lora_options{.rank = rank}, r), t);
    }
    const auto all = [](auto& sites) {
        return [&sites] {
            for (auto& s : sites) s.decode();
        };
    };
    const hrm::matrix<float> weights(2 * layers * rank, d, 1.0f);
    const auto read = [&] {
        using pack = hrm::simd::pack<float>;
        pack sums[4] = {};
        for (const float *x = weights.data(), *end = x + weights.size(); x != end; x += 4 * hrm::simd::lanes<float>)
            for (index_t i = 0; i < 4; ++i) {
                pack value;
                hrm::simd::load<float>(value, x + i * hrm::simd::lanes<float>);
                sums[i] += value;
            }
        hrm::bench::keep(sums);
    };
    report.compare("decode, 32 layers, d " + std::to_string(d) + " r " + std::to_string(rank), all(memory),
                   {{"weights read", read, 1.15}, {"our LoRA", all(lora), 1.01}});
}

/// Batches and long sequences on two threads, beside one thread and beside LoRA on two.
void share(hrm::bench::report& report, const std::string& name, index_t d, index_t rank, index_t batch, index_t length) {
    tensors t(batch * length, d);
    hrm::random_stream r(2);
    hrm::team two(hrm::cpu{.threads = 2});
    auto options = hrm::hrm_options::published(rank);
    options.gate_start = 0.1;
    site memory(std::make_unique<hrm::hrm_adapter<float>>(d, d, options, r), t, batch);
    site lora(std::make_unique<hrm::lora<float>>(d, d, hrm::lora_options{.rank = rank}, r), t, batch);
    report.compare("both, " + name, [&] { memory.both(&two); },
                   {{"one thread", [&] { memory.both(); }, 1 / 1.9}, {"our LoRA", [&] { lora.both(&two); }, 1.01}},
                   {"L", static_cast<double>(length)});
}

/// The same in bf16, which a token reads in half the time, beside float; the layers that a token goes through, so that weights
/// come from memory.
void narrow(hrm::bench::report& report, index_t d, index_t rank, index_t length) {
    constexpr int layers = 32;
    tensors t(length, d);
    tensors_of<hrm::bf16> half(length, d);
    hrm::random_stream r(2);
    auto options = hrm::hrm_options::published(rank);
    options.gate_start = 0.1;
    std::deque<site> memory;
    std::deque<site_of<hrm::bf16>> memory_half, lora_half;
    for (int i = 0; i < (length == 1 ? layers : 1); ++i) {
        memory.emplace_back(std::make_unique<hrm::hrm_adapter<float>>(d, d, options, r), t);
        memory_half.emplace_back(memory.back().a->clone(), half);
        lora_half.emplace_back(std::make_unique<hrm::lora<float>>(d, d, hrm::lora_options{.rank = rank}, r), half);
    }
    const auto all = [](auto& sites) {
        return [&sites] {
            for (auto& s : sites) s.t.u.rows() == 1 ? s.decode() : s.both();
        };
    };
    const std::string name = "bf16, d " + std::to_string(d) + " r " + std::to_string(rank);
    std::vector<hrm::bench::peer> peers = {{"float", all(memory), length == 1 ? 0.6 : 1.0}, {"our LoRA in bf16", all(lora_half), 1.01}};
#if defined(HRM_BENCH_ONEDNN)
    std::deque<hrm::bench::onednn_lora> onednn;
    for (std::size_t i = 0; i < memory.size(); ++i) onednn.emplace_back(half.u, half.out, half.dout, half.du, rank);
    if (onednn.front().fast()) {
        peers.push_back({"oneDNN in bf16", [&] {
            for (auto& o : onednn) length == 1 ? o.forward() : o.both();
        }, length == 1 ? goal() : goal(0.78)});
    } else if (length == 1) std::printf("oneDNN has nothing fast in bf16 on this processor: its rows are missing\n");
#endif
    if (length == 1) return report.compare("decode, 32 layers, " + name, all(memory_half), peers);
    peers.push_back({"peak", [&] { hrm::bench::peak(12.0 * static_cast<double>(length * d * rank)); }});
    report.compare("both, " + name, all(memory_half), peers, {"L", static_cast<double>(length)});
}

}  // namespace

int main(int argc, char** argv) {
    hrm::bench::use_openblas(1, argv);
    const auto python = hrm::bench::torch_peer(HRM_BENCH_SOURCE "/peers/peft_lora.py", "torch and peft");
#if defined(HRM_BENCH_ONEDNN)
    omp_set_num_threads(1);
#else
    std::printf("oneDNN is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("adapter", {.rounds = 9, .budget_s = 3});
    for (const index_t d : {128, 1024, 4096})
        for (const index_t rank : {8, 16, 32, 64})
            for (const index_t length : {1, 16, 128, 512, 2048, 8192, 32768, 131072}) {
                if (length > 8192 && d > 128) continue;  // four tensors of 2 GiB: those on two threads, below
                const auto name = "d " + std::to_string(d) + " r " + std::to_string(rank);
                const auto full = name + " L " + std::to_string(length) + " ";
                if (argc < 2 || full.find(argv[1]) != std::string::npos) compare(report, python.get(), name, d, rank, length);
            }
    for (const index_t rank : {8, 32})
        if (argc < 2 || ("layers r " + std::to_string(rank) + " ").find(argv[1]) != std::string::npos) through_layers(report, 4096, rank);
    for (const index_t length : {1, 16, 512, 2048, 8192})
        if (argc < 2 || ("bf16 L " + std::to_string(length) + " ").find(argv[1]) != std::string::npos) narrow(report, 4096, 32, length);
    hrm::bench::report threads("adapter_threads", {.threads = 2, .rounds = 9, .budget_s = 3});
    for (const index_t batch : {1, 8})
        for (const index_t length : {512, 2048, 8192, 32768, 131072}) {
            constexpr index_t d = 4096, most = 131072;  // rows: four tensors of 2 GiB
            const auto name = "d 4096 r 32 batch " + std::to_string(batch);
            const auto full = name + " L " + std::to_string(length) + " ";
            if (batch * length <= most && (argc < 2 || full.find(argv[1]) != std::string::npos)) share(threads, name, d, 32, batch, length);
        }
    return report.finish() + threads.finish();
}
