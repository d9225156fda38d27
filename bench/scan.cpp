// The scan alone: 32 real states in float over L steps, one thread; then what two threads gain.
//     s_t = a s_{t-1} + z_t
// Ours beside the loop anyone would write, the copy of the same bytes, and FFTW: spectra of the kernels cached for all,
// padding and transposes included for all, whole (2 L at once) and in chunks of 1024 with a carry. The same of complex pairs
// beside std::complex, and of a dense A beside a matrix-vector product a token (a product a token of a batch) by Eigen and
// OpenBLAS, whose sums are float's. Then tokens one by one and in odd blocks beside the whole, and batches and chunks on two
// threads beside one. `automatic` goes by these rows: on one thread sequential is under chunked and fft in every one; what
// scan::chunked_from buys with its time is in tests/scan/guarantees.cpp.

#include <cmath>
#include <complex>
#include <cstring>

#include <Eigen/Core>

#include <hrm/core/random.hpp>
#include <hrm/scan/plan.hpp>
#include <hrm/scan/step.hpp>

#if defined(HRM_BENCH_FFTW3F)
#include <fftw3.h>
#endif

#include "support/harness.hpp"
#include "support/openblas.hpp"
#include "support/peak.hpp"

namespace {

using hrm::index_t;
constexpr index_t states = 32;

#if defined(HRM_BENCH_FFTW3F)
/// The FFT scan with FFTW as its careful user writes it: states turned into rows, which lie off the powers of two that
/// would put them all on the same lines of the cache; a measured plan for one row, so that a row is still in cache when
/// its spectrum is multiplied and turned back; the kernel's spectrum in the order of the multiplication.
class fftw_scan {
public:
    fftw_scan(const hrm::diagonal<float>& a, index_t chunk)
        : chunk_(chunk), size_(hrm::fourier::good_size(2 * chunk)), row_(size_ + 16), width_((size_ + 2 + 15) / 16 * 16),
          x_(fftwf_alloc_real(static_cast<std::size_t>(row_ * states))), f_(fftwf_alloc_real(static_cast<std::size_t>(width_))),
          kernel_(2 * states, width_), powers_(chunk + 1, states) {
        fftwf_set_timelimit(30);
        forward_ = fftwf_plan_dft_r2c_1d(static_cast<int>(size_), x_, bins(), FFTW_MEASURE);
        inverse_ = fftwf_plan_dft_c2r_1d(static_cast<int>(size_), bins(), x_, FFTW_MEASURE);
        std::fill_n(x_, row_ * states, 0.0f), std::fill_n(f_, width_, 0.0f);
        for (index_t i = 0; i < states; ++i)
            for (index_t t = 0; t <= chunk; ++t)
                powers_(t, i) = static_cast<float>(std::pow(static_cast<double>(a.poles[static_cast<std::size_t>(i)]), t));
        turn(powers_.view().slice_rows(0, chunk));
        for (index_t i = 0; i < states; ++i) {  // (re, re) and (-im, im) of every bin
            fftwf_execute_dft_r2c(forward_, x_ + i * row_, bins());
            for (index_t k = 0; k < size_ + 2; ++k) {
                kernel_(2 * i, k) = f_[k - k % 2] / static_cast<float>(size_);
                kernel_(2 * i + 1, k) = (k % 2 ? f_[k] : -f_[k + 1]) / static_cast<float>(size_);
            }
        }
    }
    ~fftw_scan() {
        fftwf_destroy_plan(forward_), fftwf_destroy_plan(inverse_);
        fftwf_free(x_), fftwf_free(f_);
    }
    fftw_scan(const fftw_scan&) = delete;
    fftw_scan& operator=(const fftw_scan&) = delete;

    void run(hrm::matrix_view<const float> z, hrm::matrix_view<float> s) {
        float carry[states] = {};
        for (index_t first = 0; first < z.rows; first += chunk_) {
            const index_t rows = std::min(chunk_, z.rows - first);
            turn(z.slice_rows(first, rows));
            for (index_t i = 0; i < states; ++i) {
                fftwf_execute_dft_r2c(forward_, x_ + i * row_, bins());
                multiply(i);
                fftwf_execute_dft_c2r(inverse_, bins(), x_ + i * row_);
            }
            for (index_t t0 = 0; t0 < rows; t0 += 16)
                for (index_t i0 = 0; i0 < states; i0 += 16)
                    for (index_t t = t0; t < std::min(rows, t0 + 16); ++t)
                        for (index_t i = i0; i < i0 + 16; ++i) s(first + t, i) = x_[t + i * row_] + powers_(t + 1, i) * carry[i];
            std::memcpy(carry, s.row(first + rows - 1), sizeof(carry));
        }
    }

private:
    fftwf_complex* bins() { return reinterpret_cast<fftwf_complex*>(f_); }
    void turn(hrm::matrix_view<const float> rows) {
        for (index_t t = 0; t < rows.rows; ++t)
            for (index_t i = 0; i < states; ++i) x_[t + i * row_] = rows(t, i);
        for (index_t i = 0; i < states; ++i)
            std::memset(x_ + i * row_ + rows.rows, 0, static_cast<std::size_t>(size_ - rows.rows) * sizeof(float));
    }
    void multiply(index_t i) {
        typedef float pack __attribute__((vector_size(64)));
        const float *re = kernel_.view().row(2 * i), *im = kernel_.view().row(2 * i + 1);
        for (index_t k = 0; k < width_; k += 16) {
            pack x, r, j;
            std::memcpy(&x, f_ + k, 64), std::memcpy(&r, re + k, 64), std::memcpy(&j, im + k, 64);
            const pack swapped = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
            x = x * r + swapped * j;
            std::memcpy(f_ + k, &x, 64);
        }
    }
    index_t chunk_, size_, row_, width_;
    float *x_, *f_;
    fftwf_plan forward_, inverse_;
    hrm::matrix<float> kernel_, powers_;
};
#endif

hrm::diagonal<float> poles() {
    hrm::diagonal<float> a;
    for (index_t i = 0; i < states; ++i)
        a.poles.push_back(static_cast<float>((i % 4 == 3 ? -1 : 1) * (1 - std::pow(10.0, -0.15 * static_cast<double>(i)))));
    return a;
}

void engines(hrm::bench::report& report, index_t length) {
    const auto a = poles();
    hrm::random_stream r(1);
    hrm::matrix<float> z(length, states), s(length, states), other(length, states);
    r.fill_normal(z.flat());
    const hrm::scan::shape shape{.batch = 1, .time = length};
    hrm::scan::plan sequential(hrm::cpu{}, hrm::scan::sequential{}, a, shape);
    hrm::scan::plan chunked(hrm::cpu{}, hrm::scan::chunked{}, a, shape);
    hrm::scan::plan fft(hrm::cpu{}, hrm::scan::fft{}, a, shape);
    auto naive = [&] {  // state by state, as the formula reads
        for (index_t i = 0; i < states; ++i) {
            float x = 0;
            for (index_t t = 0; t < length; ++t) other(t, i) = x = a.poles[static_cast<std::size_t>(i)] * x + z(t, i);
        }
    };
    auto copy = [&] {
        std::memcpy(other.data(), z.data(), static_cast<std::size_t>(z.size()) * sizeof(float));
        hrm::bench::keep(other);
    };
    const hrm::bench::point at{"L", static_cast<double>(length)};
    report.compare("sequential", [&] { sequential.states(a, z, s); }, {{"copy", copy, 1.25}, {"plain loop", naive, 1.0}, {"peak", [&] { hrm::bench::peak(2.0 * static_cast<double>(z.size())); }}}, at);
    report.compare("chunked", [&] { chunked.states(a, z, s); }, {{"sequential", [&] { sequential.states(a, z, other); }}}, at);
#if defined(HRM_BENCH_FFTW3F)
    const index_t chunk = std::min<index_t>(length, 1024);
    fftw_scan whole(a, length), chunks(a, chunk);
    report.compare("fft", [&] { fft.states(a, z, s); },
                   {{"FFTW whole", [&] { whole.run(z, other); }, 1.0}, {"FFTW chunks", [&] { chunks.run(z, other); }, 1.0}}, at);
    for (auto* peer : {&whole, &chunks}) {  // whether it computes the same
        peer->run(z, other);
        float off = 0;
        for (index_t i = 0; i < s.size(); ++i) off = std::max(off, std::abs(s.data()[i] - other.data()[i]));
        if (!(off < 1e-2f)) std::printf("FFTW's states are %g off ours\n", static_cast<double>(off));
    }
#else
    report.compare("fft", [&] { fft.states(a, z, s); }, {{"sequential", [&] { sequential.states(a, z, other); }}}, at);
#endif
    hrm::bench::keep(s), hrm::bench::keep(other);
}

/// 16 complex pairs, planar, beside the loop over std::complex anyone would write.
void pairs(hrm::bench::report& report, index_t length) {
    constexpr index_t count = states / 2;
    hrm::complex_pairs<float> a;
    std::complex<float> pole[count], x[count];
    for (index_t i = 0; i < count; ++i) {
        pole[i] = std::polar(1 - std::pow(10.0f, -0.3f * static_cast<float>(i)), 0.2f * static_cast<float>(i));
        a.re.push_back(pole[i].real()), a.im.push_back(pole[i].imag());
    }
    hrm::random_stream r(1);
    hrm::matrix<float> z(length, states), s(length, states), other(length, states);
    r.fill_normal(z.flat());
    const hrm::scan::shape shape{.batch = 1, .time = length};
    hrm::scan::plan sequential(hrm::cpu{}, hrm::scan::sequential{}, a, shape);
    hrm::scan::plan chunked(hrm::cpu{}, hrm::scan::chunked{}, a, shape);
    hrm::scan::plan fft(hrm::cpu{}, hrm::scan::fft{}, a, shape);
    auto naive = [&] {
        std::fill_n(x, count, 0.0f);
        for (index_t t = 0; t < length; ++t)
            for (index_t i = 0; i < count; ++i) {
                x[i] = pole[i] * x[i] + std::complex<float>(z(t, 2 * i), z(t, 2 * i + 1));
                other(t, 2 * i) = x[i].real(), other(t, 2 * i + 1) = x[i].imag();
            }
    };
    report.compare("pairs", [&] { sequential.states(a, z, s); },
                   {{"std::complex", naive, 1.0}, {"chunked", [&] { chunked.states(a, z, other); }, 1.0}, {"fft", [&] { fft.states(a, z, other); }, 1.0}},
                   {"L", static_cast<double>(length)});
    hrm::bench::keep(s), hrm::bench::keep(other);
}

/// A dense A: n^2 products a token.
void dense(hrm::bench::report& report, index_t n, index_t batch) {
    using square = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const index_t length = std::max<index_t>(32, (index_t{1} << 24) / (n * n * batch));
    hrm::random_stream r(1);
    hrm::dense<float> a{hrm::matrix<float>(n, n)};
    r.fill_normal(a.a.flat());
    for (auto& x : a.a.flat()) x *= 0.9f / std::sqrt(static_cast<float>(n));
    hrm::matrix<float> z(batch * length, n), s(batch * length, n), other(batch * length, n);
    r.fill_normal(z.flat());
    const hrm::scan::shape shape{.batch = batch, .time = length};
    hrm::scan::plan sequential(hrm::cpu{}, hrm::scan::sequential{}, a, shape);
    hrm::scan::plan chunked(hrm::cpu{}, hrm::scan::chunked{}, a, shape);
    // Token by token, the peers have the sequences of a batch side by side: row t * batch + b.
    const Eigen::Map<const square> m(a.a.data(), n, n);
    const auto row = [&](auto& x, index_t t) { return Eigen::Map<square>(const_cast<float*>(x.data()) + t * batch * n, batch, n); };
    auto eigen = [&] {
        row(other, 0) = row(z, 0);
        for (index_t t = 1; t < length; ++t) {
            row(other, t) = row(z, t);
            if (batch == 1) row(other, t).row(0).transpose().noalias() += m * row(other, t - 1).row(0).transpose();
            else row(other, t).noalias() += row(other, t - 1) * m.transpose();
        }
    };
    std::vector<hrm::bench::peer> peers{{"Eigen", eigen, 1.0}, {"chunked", [&] { chunked.states(a, z, other); }, 1.0}};
#if defined(HRM_BENCH_OPENBLAS)
    const int order = static_cast<int>(n), width = static_cast<int>(batch);
    peers.insert(peers.begin(), {"OpenBLAS", [&, order, width] {
        std::memcpy(other.data(), z.data(), static_cast<std::size_t>(z.size()) * sizeof(float));
        for (index_t t = 1; t < length; ++t) {
            const float* x = other.data() + (t - 1) * batch * n;
            float* next = other.data() + t * batch * n;
            if (batch == 1) cblas_sgemv(CblasRowMajor, CblasNoTrans, order, order, 1, a.a.data(), order, x, 1, 1, next, 1);
            else cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, width, order, order, 1, x, order, a.a.data(), order, 1, next, order);
        }
    }, 1.0});
#endif
    report.compare("dense, batch " + std::to_string(batch), [&] { sequential.states(a, z, s); }, peers, {"n", static_cast<double>(n)});
    if (n <= 256) {
        hrm::scan::plan fft(hrm::cpu{}, hrm::scan::fft{}, a, shape);
        report.compare("dense, batch " + std::to_string(batch), [&] { sequential.states(a, z, s); }, {{"fft", [&] { fft.states(a, z, other); }, 1.0}},
                       {"n", static_cast<double>(n)});
    }
    hrm::bench::keep(s), hrm::bench::keep(other);
}

/// 10^6 tokens: the second half one by one, beside the first half and beside blocks of 777 and the whole of it.
void streaming(hrm::bench::report& report) {
    const index_t half = 500000;
    const auto a = poles();
    hrm::random_stream r(1);
    hrm::matrix<float> z(2 * half, states), s(2 * half, states), state(1, states);
    r.fill_normal(z.flat());
    hrm::scan::plan plan(hrm::cpu{}, hrm::scan::sequential{}, a, {.batch = 1, .time = 2 * half});
    auto tokens = [&](index_t first, index_t block) {
        for (index_t t = first, count; t < first + half; t += count) {
            count = std::min(block, first + half - t);
            if (block == 1) {
                hrm::scan::step(a, state.flat(), z.view().row_span(t));
                std::memcpy(s.view().row(t), state.data(), states * sizeof(float));
            } else {
                plan.states(a, z.view().slice_rows(t, count), s.view().slice_rows(t, count), state, state);
            }
        }
    };
    report.compare("500000 tokens one by one", [&] { tokens(half, 1); },
                   {{"those before", [&] { tokens(0, 1); }, 1.05},
                    {"by 777", [&] { tokens(half, 777); }},
                    {"at once", [&] { tokens(half, half); }}});
    hrm::bench::keep(s);
}

/// What two threads gain: a long sequence by chunks, a batch by its sequences.
void share(hrm::bench::report& report, index_t batch, index_t length) {
    const auto a = poles();
    const hrm::scan::shape shape{.batch = batch, .time = length};
    hrm::matrix<float> z(batch * length, states, 1.0f), s(batch * length, states);
    const std::string name = ", batch " + std::to_string(batch);
    const hrm::bench::point at{"L", static_cast<double>(length)};
    hrm::scan::plan sequential(hrm::cpu{}, hrm::scan::sequential{}, a, shape), sequences(hrm::cpu{.threads = 2}, hrm::scan::sequential{}, a, shape);
    hrm::scan::plan chunked(hrm::cpu{}, hrm::scan::chunked{}, a, shape), chunks(hrm::cpu{.threads = 2}, hrm::scan::chunked{}, a, shape);
    const auto one = [&] { sequential.states(a, z, s); };
    if (batch > 1) report.compare("sequential" + name, [&] { sequences.states(a, z, s); }, {{"one thread", one, 1 / 1.9}}, at);
    report.compare("chunked" + name, [&] { chunks.states(a, z, s); },
                   {{"one thread", [&] { chunked.states(a, z, s); }, 1 / 1.9}, {"sequential", one}}, at);
    hrm::bench::keep(s);
}

}  // namespace

int main(int, char** argv) {
    hrm::bench::use_openblas(1, argv);
#if !defined(HRM_BENCH_FFTW3F)
    std::printf("FFTW is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("scan", {.rounds = 9});
    for (const index_t length : {128, 512, 2048, 8192, 32768, 131072}) engines(report, length);
    for (const index_t length : {512, 8192, 131072}) pairs(report, length);
    for (const index_t batch : {1, 8})
        for (const index_t n : {32, 64, 256, 512, 1024}) dense(report, n, batch);
    streaming(report);
    hrm::bench::report threads("scan_threads", {.threads = 2, .rounds = 9});
    for (const index_t batch : {1, 8})
        for (const index_t length : {2048, 8192, 32768, 131072}) share(threads, batch, length);
    return report.finish() + threads.finish();
}
