// The scan alone: 32 real states in float over L steps, one thread.
//     s_t = a s_{t-1} + z_t
// Ours beside the loop anyone would write, the copy of the same bytes, and FFTW: spectra of the kernels cached for all,
// padding included for all, whole (2 L at once) and in chunks of 1024 with a carry.

#include <cmath>
#include <complex>
#include <cstring>

#include <hrm/core/random.hpp>
#include <hrm/scan/plan.hpp>

#if defined(HRM_BENCH_FFTW3F)
#include <fftw3.h>
#endif

#include "support/harness.hpp"

namespace {

using hrm::index_t;
constexpr index_t states = 32;

#if defined(HRM_BENCH_FFTW3F)
/// The FFT scan of a careful FFTW user: real transforms of all states at once, states contiguous, a measured plan.
class fftw_scan {
public:
    fftw_scan(const hrm::diagonal<float>& a, index_t chunk) : chunk_(chunk), size_(hrm::fourier::good_size(2 * chunk)) {
        x_ = fftwf_alloc_real(static_cast<std::size_t>(size_ * states));
        f_ = fftwf_alloc_complex(static_cast<std::size_t>((size_ / 2 + 1) * states));
        const int n = static_cast<int>(size_);
        fftwf_set_timelimit(4);
        forward_ = fftwf_plan_many_dft_r2c(1, &n, states, x_, nullptr, states, 1, f_, nullptr, states, 1, FFTW_MEASURE);
        inverse_ = fftwf_plan_many_dft_c2r(1, &n, states, f_, nullptr, states, 1, x_, nullptr, states, 1, FFTW_MEASURE);
        powers_ = hrm::matrix<float>(chunk + 1, states);
        for (index_t i = 0; i < states; ++i)
            for (index_t t = 0; t <= chunk; ++t)
                powers_(t, i) = static_cast<float>(std::pow(static_cast<double>(a.poles[static_cast<std::size_t>(i)]), t));
        fill(powers_.view().slice_rows(0, chunk));
        fftwf_execute(forward_);
        kernel_.assign(values(), values() + (size_ / 2 + 1) * states);
        for (auto& k : kernel_) k /= static_cast<float>(size_);
    }
    ~fftw_scan() {
        fftwf_destroy_plan(forward_);
        fftwf_destroy_plan(inverse_);
        fftwf_free(x_);
        fftwf_free(f_);
    }
    fftw_scan(const fftw_scan&) = delete;
    fftw_scan& operator=(const fftw_scan&) = delete;

    void run(hrm::matrix_view<const float> z, hrm::matrix_view<float> s) {
        float carry[states] = {};
        for (index_t first = 0; first < z.rows; first += chunk_) {
            const index_t rows = std::min(chunk_, z.rows - first);
            fill(z.slice_rows(first, rows));
            fftwf_execute(forward_);
            auto* f = values();
            for (std::size_t i = 0; i < kernel_.size(); ++i) {
                const auto x = f[i], k = kernel_[i];
                f[i] = {x.real() * k.real() - x.imag() * k.imag(), x.real() * k.imag() + x.imag() * k.real()};
            }
            fftwf_execute(inverse_);
            for (index_t t = 0; t < rows; ++t)
                for (index_t i = 0; i < states; ++i)
                    s(first + t, i) = x_[t * states + i] + powers_(t + 1, i) * carry[i];
            std::memcpy(carry, s.row(first + rows - 1), sizeof(carry));
        }
    }

private:
    std::complex<float>* values() { return reinterpret_cast<std::complex<float>*>(f_); }
    void fill(hrm::matrix_view<const float> rows) {
        std::memcpy(x_, rows.data, static_cast<std::size_t>(rows.size()) * sizeof(float));
        std::memset(x_ + rows.size(), 0, static_cast<std::size_t>(size_ * states - rows.size()) * sizeof(float));
    }
    index_t chunk_, size_;
    float* x_;
    fftwf_complex* f_;
    fftwf_plan forward_, inverse_;
    hrm::matrix<float> powers_;
    std::vector<std::complex<float>> kernel_;
};
#endif

}  // namespace

int main() {
#if !defined(HRM_BENCH_FFTW3F)
    std::printf("FFTW is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("scan");
    hrm::diagonal<float> a;
    for (index_t i = 0; i < states; ++i)
        a.poles.push_back(static_cast<float>((i % 4 == 3 ? -1 : 1) * (1 - std::pow(10.0, -0.15 * static_cast<double>(i)))));
    for (const index_t length : {512, 2048, 8192, 32768, 131072}) {
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
        const auto at = ", L = " + std::to_string(length);
        report.compare("sequential" + at, [&] { sequential.states(a, z, s); },
                       {{"copy", copy, 1.25}, {"plain loop", naive, 1.0}});
        report.compare("chunked" + at, [&] { chunked.states(a, z, s); },
                       {{"sequential", [&] { sequential.states(a, z, other); }}});
#if defined(HRM_BENCH_FFTW3F)
        fftw_scan whole(a, length), chunks(a, std::min<index_t>(length, 1024));
        report.compare("fft" + at, [&] { fft.states(a, z, s); },
                       {{"FFTW whole", [&] { whole.run(z, other); }, 1.0},
                        {"FFTW chunks", [&] { chunks.run(z, other); }, 1.0}});
#else
        report.compare("fft" + at, [&] { fft.states(a, z, s); },
                       {{"sequential", [&] { sequential.states(a, z, other); }}});
#endif
        hrm::bench::keep(s);
        hrm::bench::keep(other);
    }
    return report.finish();
}
