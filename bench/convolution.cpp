// Causal convolutions of a long signal, channel by channel, in float, one thread: kernels as long as 64 to 4096 taps, one
// channel and 64. Beside the loop of the definition and overlap-save with FFTW: a measured plan of the best of three
// lengths of window, kernel spectra cached, each channel turned into a row of its own; padding and transposes included
// for all. Then a stream of tokens beside the same loop.

#include <complex>
#include <cstring>

#include <hrm/core/random.hpp>
#include <hrm/scan/convolution.hpp>
#include <hrm/scan/convolution_stream.hpp>

#if defined(HRM_BENCH_FFTW3F)
#include <fftw3.h>
#endif

#include "support/harness.hpp"

namespace {

using hrm::index_t;

#if defined(HRM_BENCH_FFTW3F)
/// Overlap-save, one channel at a time: windows of n, n - taps + 1 outputs each.
class fftw_overlap_save {
public:
    fftw_overlap_save(hrm::matrix_view<const float> h, index_t n)
        : taps_(h.rows), n_(n), x_(fftwf_alloc_real(static_cast<std::size_t>(n))),
          f_(fftwf_alloc_complex(static_cast<std::size_t>(n / 2 + 1))) {
        fftwf_set_timelimit(4);
        forward_ = fftwf_plan_dft_r2c_1d(static_cast<int>(n), x_, f_, FFTW_MEASURE);
        inverse_ = fftwf_plan_dft_c2r_1d(static_cast<int>(n), f_, x_, FFTW_MEASURE);
        for (index_t c = 0; c < h.cols; ++c) {
            for (index_t j = 0; j < n; ++j) x_[j] = j < taps_ ? h(j, c) / static_cast<float>(n) : 0.0f;
            fftwf_execute(forward_);
            kernels_.insert(kernels_.end(), values(), values() + n / 2 + 1);
        }
    }
    ~fftw_overlap_save() {
        fftwf_destroy_plan(forward_), fftwf_destroy_plan(inverse_);
        fftwf_free(x_), fftwf_free(f_);
    }
    fftw_overlap_save(const fftw_overlap_save&) = delete;
    fftw_overlap_save& operator=(const fftw_overlap_save&) = delete;

    void run(hrm::matrix_view<const float> u, hrm::matrix_view<float> y) {
        const index_t lead = taps_ - 1, hop = n_ - lead, bins = n_ / 2 + 1;
        for (index_t first = 0; first < u.rows; first += hop)
            for (index_t c = 0; c < u.cols; ++c) {
                for (index_t i = 0; i < n_; ++i) {
                    const index_t t = first - lead + i;
                    x_[i] = t >= 0 && t < u.rows ? u(t, c) : 0.0f;
                }
                fftwf_execute(forward_);
                const auto* k = kernels_.data() + c * bins;
                auto* f = values();
                for (index_t i = 0; i < bins; ++i)
                    f[i] = {f[i].real() * k[i].real() - f[i].imag() * k[i].imag(), f[i].real() * k[i].imag() + f[i].imag() * k[i].real()};
                fftwf_execute(inverse_);
                for (index_t i = 0; i < std::min(hop, u.rows - first); ++i) y(first + i, c) = x_[lead + i];
            }
    }

private:
    std::complex<float>* values() { return reinterpret_cast<std::complex<float>*>(f_); }
    index_t taps_, n_;
    float* x_;
    fftwf_complex* f_;
    fftwf_plan forward_, inverse_;
    std::vector<std::complex<float>> kernels_;
};
#endif

/// The definition, all channels of a row at once or the rows of one channel: what a compiler vectorises best.
void direct(hrm::matrix_view<const float> h, hrm::matrix_view<const float> u, hrm::matrix_view<float> y) {
    if (u.cols == 1) {
        for (index_t first = 0; first < u.rows; first += 1024) {
            const index_t end = std::min(first + 1024, u.rows);
            std::fill(y.data + first, y.data + end, 0.0f);
            for (index_t j = 0; j < std::min(end, h.rows); ++j)
                for (index_t t = std::max(first, j); t < end; ++t) y.data[t] += h.data[j] * u.data[t - j];
        }
        return;
    }
    for (index_t t = 0; t < u.rows; ++t) {
        std::memset(y.row(t), 0, static_cast<std::size_t>(y.cols) * sizeof(float));
        for (index_t j = 0; j <= std::min(t, h.rows - 1); ++j)
            for (index_t c = 0; c < u.cols; ++c) y(t, c) += h(j, c) * u(t - j, c);
    }
}

void compare(hrm::bench::report& report, index_t taps, index_t channels, index_t time) {
    hrm::random_stream r(1);
    hrm::matrix<float> h(taps, channels), u(time, channels), y(time, channels), other(time, channels), dh(taps, channels);
    r.fill_normal(h.flat()), r.fill_normal(u.flat());
    hrm::scan::convolution<float> conv(hrm::cpu{}, taps, channels, {.batch = 1, .time = time});
    const auto name = std::to_string(time) + " x " + std::to_string(channels);
    const hrm::bench::point at{"taps", static_cast<double>(taps)};
    std::vector<hrm::bench::peer> peers;
    if (taps * channels * time < index_t{1} << 32) peers.push_back({"plain loop", [&] { direct(h, u, other); }, 1.0});
#if defined(HRM_BENCH_FFTW3F)
    fftw_overlap_save twice(h, hrm::fourier::good_size(2 * taps)), four(h, hrm::fourier::good_size(4 * taps)),
        eight(h, hrm::fourier::good_size(8 * taps));
    peers.push_back({"FFTW 2 K", [&] { twice.run(u, other); }, 1.0});
    peers.push_back({"     4 K", [&] { four.run(u, other); }, 1.0});
    peers.push_back({"     8 K", [&] { eight.run(u, other); }, 1.0});
#endif
    report.compare(name, [&] { conv.forward(h, u, y); }, peers, at);
    report.compare(name + ", backward", [&] { conv.backward(h, u, u, y, dh); }, {{"forward", [&] { conv.forward(h, u, other); }}}, at);
    hrm::bench::keep(y), hrm::bench::keep(other);
}

/// 2 K tokens one by one, after K that fill the history.
void stream(hrm::bench::report& report, index_t taps, index_t channels) {
    hrm::random_stream r(1);
    const index_t time = 2 * taps;
    hrm::matrix<float> h(taps, channels), u(time + taps, channels), y(time, channels);
    r.fill_normal(h.flat()), r.fill_normal(u.flat());
    hrm::scan::convolution_stream<float> ours(h);
    auto tokens = [&] {
        for (index_t t = 0; t < time; ++t) ours.push(u.view().slice_rows(t, 1), y.view().slice_rows(t, 1));
    };
    auto loop = [&] {
        for (index_t t = 0; t < time; ++t) {
            for (index_t c = 0; c < channels; ++c) y(t, c) = 0;
            for (index_t j = 0; j < taps; ++j)
                for (index_t c = 0; c < channels; ++c) y(t, c) += h(j, c) * u(t + taps - j, c);
        }
    };
    report.compare("stream, " + std::to_string(taps) + " taps, " + std::to_string(time) + " x " + std::to_string(channels), tokens,
                   {{"plain loop", loop, 1.0}});
    hrm::bench::keep(y);
}

}  // namespace

int main() {
#if !defined(HRM_BENCH_FFTW3F)
    std::printf("FFTW is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("convolution", {.rounds = 7, .budget_s = 8});
    for (const index_t channels : {64, 1})
        for (const index_t taps : {64, 512, 4096}) compare(report, taps, channels, 65536);
    compare(report, 65536, 16, 65536);  // a kernel as long as the signal
    for (const index_t taps : {64, 256, 1024, 4096}) stream(report, taps, 16);
    return report.finish();
}
