// The scan alone: 32 real states in float over L steps, one thread.
//     s_t = a s_{t-1} + z_t
// Ours beside the loop anyone would write, the copy of the same bytes, and FFTW: spectra of the kernels cached for all,
// padding and transposes included for all, whole (2 L at once) and in chunks of 1024 with a carry.

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
/// Where a careful FFTW user puts sample t of state i: states side by side as they come, or turned into one long row each.
enum class layout { side_by_side, turned };

/// The FFT scan with FFTW: real transforms of all states by one measured plan.
class fftw_scan {
public:
    fftw_scan(const hrm::diagonal<float>& a, index_t chunk, layout how)
        : chunk_(chunk), size_(hrm::fourier::good_size(2 * chunk)), bins_(size_ / 2 + 1),
          step_(how == layout::turned ? 1 : states), row_(how == layout::turned ? size_ : 1),
          bin_row_(how == layout::turned ? bins_ : 1) {
        x_ = fftwf_alloc_real(static_cast<std::size_t>(size_ * states));
        f_ = fftwf_alloc_complex(static_cast<std::size_t>(bins_ * states));
        const int n = static_cast<int>(size_), step = static_cast<int>(step_), row = static_cast<int>(row_);
        const int bin_row = static_cast<int>(bin_row_);
        fftwf_set_timelimit(4);
        forward_ = fftwf_plan_many_dft_r2c(1, &n, states, x_, nullptr, step, row, f_, nullptr, step, bin_row, FFTW_MEASURE);
        inverse_ = fftwf_plan_many_dft_c2r(1, &n, states, f_, nullptr, step, bin_row, x_, nullptr, step, row, FFTW_MEASURE);
        powers_ = hrm::matrix<float>(chunk + 1, states);
        for (index_t i = 0; i < states; ++i)
            for (index_t t = 0; t <= chunk; ++t)
                powers_(t, i) = static_cast<float>(std::pow(static_cast<double>(a.poles[static_cast<std::size_t>(i)]), t));
        fill(powers_.view().slice_rows(0, chunk));
        fftwf_execute(forward_);
        kernel_.assign(values(), values() + bins_ * states);
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
            tiles(rows, [&](index_t t, index_t i) {
                s(first + t, i) = x_[t * step_ + i * row_] + powers_(t + 1, i) * carry[i];
            });
            std::memcpy(carry, s.row(first + rows - 1), sizeof(carry));
        }
    }

private:
    std::complex<float>* values() { return reinterpret_cast<std::complex<float>*>(f_); }
    /// f(t, i) in an order that suits both sides of a transpose.
    template <class F>
    static void tiles(index_t rows, F&& f) {
        for (index_t t0 = 0; t0 < rows; t0 += 16)
            for (index_t t = t0; t < std::min(rows, t0 + 16); ++t)
                for (index_t i = 0; i < states; ++i) f(t, i);
    }
    void fill(hrm::matrix_view<const float> rows) {
        tiles(rows.rows, [&](index_t t, index_t i) { x_[t * step_ + i * row_] = rows(t, i); });
        const auto rest = static_cast<std::size_t>(size_ - rows.rows) * sizeof(float);
        if (step_ == 1)
            for (index_t i = 0; i < states; ++i) std::memset(x_ + i * row_ + rows.rows, 0, rest);
        else
            std::memset(x_ + rows.rows * states, 0, rest * states);
    }
    index_t chunk_, size_, bins_, step_, row_, bin_row_;
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
    hrm::bench::report report("scan", {.rounds = 9});
    hrm::diagonal<float> a;
    for (index_t i = 0; i < states; ++i)
        a.poles.push_back(static_cast<float>((i % 4 == 3 ? -1 : 1) * (1 - std::pow(10.0, -0.15 * static_cast<double>(i)))));
    for (const index_t length : {512, 2048, 8192, 32768}) {
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
        const index_t chunk = std::min<index_t>(length, 1024);
        fftw_scan whole(a, length, layout::side_by_side), whole_turned(a, length, layout::turned);
        fftw_scan chunks(a, chunk, layout::side_by_side), chunks_turned(a, chunk, layout::turned);
        report.compare("fft" + at, [&] { fft.states(a, z, s); },
                       {{"FFTW whole", [&] { whole.run(z, other); }, 1.0},
                        {"  turned", [&] { whole_turned.run(z, other); }, 1.0},
                        {"FFTW chunks", [&] { chunks.run(z, other); }, 1.0},
                        {"  turned", [&] { chunks_turned.run(z, other); }, 1.0}});
#else
        report.compare("fft" + at, [&] { fft.states(a, z, s); },
                       {{"sequential", [&] { sequential.states(a, z, other); }}});
#endif
        hrm::bench::keep(s);
        hrm::bench::keep(other);
    }
    return report.finish();
}
