// Real forward transforms in float, one thread, of 16 sequences and of one: ours, whose batches lie in the lanes of the
// registers and whose single sequence is a lane-wise one turned at the end, beside FFTW by a measured plan, its sequences
// side by side as ours or one after the other. Powers of two, their multiples by 3 and 5, and primes.

#include <string>
#include <utility>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/fourier/single.hpp>

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

template <class Transform>
void compare(hrm::bench::report& report, const std::string& family, index_t length, index_t batch) {
    const Transform plan(length);
    const index_t blocks = (batch + Transform::width - 1) / Transform::width;
    hrm::buffer<float> x(static_cast<std::size_t>(plan.samples_size() * blocks));
    hrm::buffer<float> spectrum(static_cast<std::size_t>(plan.spectrum_size() * blocks));
    hrm::buffer<float> scratch(static_cast<std::size_t>(plan.scratch_size()));
    hrm::random_stream r(1);
    r.fill_normal(std::span<float>(x));
    auto ours = [&] {
        for (index_t b = 0; b < blocks; ++b)
            plan.forward(x.data() + b * plan.samples_size(), spectrum.data() + b * plan.spectrum_size(), scratch.data());
    };
    const auto name = family + (batch == 1 ? ", one alone" : ", " + std::to_string(batch) + " at a time");
    const hrm::bench::point at{"n", static_cast<double>(length)};
#if defined(HRM_BENCH_FFTW3F)
    const double goal = batch >= 16 ? 1.0 : 1.5;
    fftw row(length, batch, fftw::layout::in_a_row);
    if (batch == 1) {
        report.compare(name, ours, {{"FFTW", [&] { row.run(); }, goal}}, at);
    } else {
        fftw side(length, batch, fftw::layout::side_by_side);
        report.compare(name, ours, {{"FFTW", [&] { side.run(); }, goal}, {"  in a row", [&] { row.run(); }, goal}}, at);
    }
#else
    report.within(name + ", n = " + std::to_string(length), ours, 1);
#endif
    hrm::bench::keep(spectrum);
}

}  // namespace

int main() {
#if !defined(HRM_BENCH_FFTW3F)
    std::printf("FFTW is not installed: its rows are missing\n");
#endif
    hrm::bench::report report("fft", {.rounds = 9});
    const std::pair<const char*, std::vector<index_t>> families[] = {{"2^k", {256, 1024, 4096, 16384, 65536}},
                                                                     {"3 2^k", {384, 3072, 49152}},
                                                                     {"5 2^k", {640, 5120, 40960}},
                                                                     {"primes", {257, 1009, 10007, 65537}}};
    for (const auto& [family, lengths] : families)
        for (const index_t length : lengths) compare<hrm::fourier::plan<float>>(report, family, length, 16);
    for (const auto& [family, lengths] : families)
        for (const index_t length : lengths) compare<hrm::fourier::single<float>>(report, family, length, 1);
    return report.finish();
}
