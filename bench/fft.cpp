// Real forward transforms of a batch of sequences in float, one thread: ours, whose sequences lie in the lanes of the
// registers, beside FFTW by a measured plan, its sequences side by side as ours or one after the other.
// Ours destroys its input, so a copy of it is part of its time. A prime length is one of ours only by padding: left out.

#include <cstring>

#include <hrm/core/random.hpp>
#include <hrm/fourier/plan.hpp>

#if defined(HRM_BENCH_FFTW3F)
#include <fftw3.h>
#endif

#include "support/harness.hpp"

namespace {

using hrm::index_t;

#if defined(HRM_BENCH_FFTW3F)
class fftw {
public:
    enum class layout { side_by_side, in_a_row };
    fftw(index_t length, index_t batch, layout how)
        : in_(fftwf_alloc_real(static_cast<std::size_t>(length * batch))),
          out_(fftwf_alloc_complex(static_cast<std::size_t>((length / 2 + 1) * batch))) {
        const int n = static_cast<int>(length), many = static_cast<int>(batch);
        const bool turned = how == layout::side_by_side;
        fftwf_set_timelimit(4);
        plan_ = fftwf_plan_many_dft_r2c(1, &n, many, in_, nullptr, turned ? many : 1, turned ? 1 : n, out_, nullptr, turned ? many : 1,
                                        turned ? 1 : n / 2 + 1, FFTW_MEASURE | FFTW_PRESERVE_INPUT);
        for (index_t i = 0; i < length * batch; ++i) in_[i] = static_cast<float>(i % 7);
    }
    ~fftw() {
        fftwf_destroy_plan(plan_);
        fftwf_free(in_);
        fftwf_free(out_);
    }
    fftw(const fftw&) = delete;
    fftw& operator=(const fftw&) = delete;
    void run() { fftwf_execute(plan_); }

private:
    float* in_;
    fftwf_complex* out_;
    fftwf_plan plan_;
};
#endif

void compare(hrm::bench::report& report, index_t length, index_t batch) {
    const hrm::fourier::plan<float> plan(length);
    constexpr index_t lanes = hrm::fourier::plan<float>::lanes;
    const index_t blocks = (batch + lanes - 1) / lanes;
    hrm::buffer<float> from(static_cast<std::size_t>(plan.samples_size() * blocks)), x(static_cast<std::size_t>(plan.samples_size()));
    hrm::buffer<float> spectrum(static_cast<std::size_t>(plan.spectrum_size() * blocks));
    hrm::random_stream r(1);
    r.fill_normal(std::span<float>(from));
    auto ours = [&] {
        for (index_t b = 0; b < blocks; ++b) {
            std::memcpy(x.data(), from.data() + b * plan.samples_size(), x.size() * sizeof(float));
            plan.forward(x.data(), spectrum.data() + b * plan.spectrum_size());
        }
    };
    const auto name = std::to_string(length) + " x " + std::to_string(batch);
#if defined(HRM_BENCH_FFTW3F)
    const double goal = batch >= 16 ? 1.0 : 1.5;
    fftw side(length, batch, fftw::layout::side_by_side), row(length, batch, fftw::layout::in_a_row);
    report.compare(name, ours, {{"FFTW", [&] { side.run(); }, goal}, {"  in a row", [&] { row.run(); }, goal}});
#else
    report.within(name, ours, 1);
#endif
    hrm::bench::keep(spectrum);
}

}  // namespace

int main() {
#if !defined(HRM_BENCH_FFTW3F)
    std::printf("FFTW is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("fft", {.rounds = 9});
    for (const index_t batch : {16, 1})
        for (const index_t length : {256, 1024, 4096, 16384, 65536, 384, 3072, 49152, 640, 5120, 40960}) compare(report, length, batch);
    return report.finish();
}
