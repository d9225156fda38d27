// The streaming second moment of activations of width 4096, sketched to k columns, a sequence of L tokens at a time.
//     ours                  reduction/sketch.hpp: u Omega with a sparse Omega, u^T (u Omega), exact sums, errors
//     u Omega               the bare sketch: one product with a dense Omega, and nothing kept
//     u Omega, u^T (u Omega)  what a plain estimator with a dense Omega cannot do without: both products, summed in float
// Then how good it is: 4096 tokens whose second moment has known eigenvalues.

#include <algorithm>
#include <cmath>

#include <hrm/core/random.hpp>
#include <hrm/reduction/sketch.hpp>

#include "support/harness.hpp"
#include "support/openblas.hpp"

namespace {

using hrm::index_t;
constexpr index_t width = 4096;

void rate(hrm::bench::report& report, index_t k, index_t length) {
    hrm::random_stream r(1);
    hrm::matrix<float> u(length, width), omega(width, k), z(length, k), y(width, k);
    r.fill_normal(u.flat());
    r.fill_normal(omega.flat());
    hrm::moment_sketch sketch(width, {.columns = k});
    hrm::workspace ws;
    std::vector<hrm::bench::peer> peers{
        {"u Omega", [&] { hrm::multiply(u.view(), omega.view(), z.view()); }, 1.25},
        {"both", [&] {
             hrm::multiply(u.view(), omega.view(), z.view());
             hrm::multiply(hrm::transposed(u.view()), z.view(), y.view(), hrm::into::add);
         }, 1.25}};
#if defined(HRM_BENCH_OPENBLAS)
    peers.push_back({"OpenBLAS", [&] {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(length), static_cast<int>(k), width, 1.0f, u.data(), width,
                    omega.data(), static_cast<int>(k), 0.0f, z.data(), static_cast<int>(k));
    }, 1.25});
#endif
    report.compare("k = " + std::to_string(k), [&] { sketch.add(u.view(), ws); }, peers, {"L", static_cast<double>(length)});
    hrm::bench::keep(z);
    hrm::bench::keep(y);
}

/// x <- x H or H x, H a random reflection.
[[gnu::noinline]] void reflect(hrm::matrix<double>& x, hrm::random_stream& r, bool from_left) {
    const index_t n = x.rows();
    std::vector<double> h(static_cast<std::size_t>(n)), mean(h.size());
    r.fill_normal(std::span<double>(h));
    const double f = -2 / hrm::dot(h.data(), h.data(), n);
    if (from_left)
        for (index_t t = 0; t < n; ++t) hrm::axpy(h[static_cast<std::size_t>(t)], x.view().row(t), mean.data(), n);
    for (index_t t = 0; t < n; ++t) {
        double* row = x.view().row(t);
        if (from_left) hrm::axpy(f * h[static_cast<std::size_t>(t)], mean.data(), row, n);
        else hrm::axpy(f * hrm::dot(h.data(), row, n), h.data(), row, n);
    }
}

/// u = H1 S H2, H1 and H2 products of reflections: the eigenvalues of u^T u / T are s_i^2 / T.
void accuracy(const char* name, const std::function<double(index_t)>& eigenvalue) {
    hrm::random_stream r(2);
    hrm::matrix<float> u(width, width);
    {
        hrm::matrix<double> x(width, width);
        for (index_t i = 0; i < width; ++i) x(i, i) = std::sqrt(eigenvalue(i) * static_cast<double>(width));
        for (int k = 0; k < 6; ++k) reflect(x, r, k % 2 == 1);
        std::transform(x.flat().begin(), x.flat().end(), u.flat().begin(), [](double v) { return static_cast<float>(v); });
    }
    double best = 0;
    for (index_t i = 32; i < width; ++i) best += eigenvalue(i);
    for (index_t k : {64, 128, 256}) {
        hrm::moment_sketch sketch(width, {.columns = k});
        hrm::workspace ws;
        for (index_t t = 0; t < width; t += 1024) sketch.add(hrm::matrix_view<const float>(u.view().slice_rows(t, 1024)), ws);
        const auto e = sketch.estimate(32);
        double first = 0, all = 0;
        for (std::size_t i = 0; i < 32; ++i) {
            const double error = std::abs(e.values[i] / eigenvalue(static_cast<index_t>(i)) - 1);
            all = std::max(all, error);
            if (i < 8) first = std::max(first, error);
        }
        std::printf("%-24s %5td %12.1e %12.1e %12.4f %14.1f\n", name, k, first, all, e.rest / best, e.error / eigenvalue(32));
    }
}

}  // namespace

int main(int, char** argv) {
    hrm::bench::use_openblas(1, argv);
    hrm::bench::report report("sketch");
    for (index_t k : {64, 128, 256})
        for (index_t length : {128, 512, 2048}) rate(report, k, length);
    std::printf("\n32 directions of 4096: relative error of the first 8 and of all 32 eigenvalues, what is left out over the least\n"
                "possible, and the bound on the error's norm (probability 1 - 1e-4) over the least possible, lambda_33\n");
    std::printf("%-24s %5s %12s %12s %12s %14s\n", "eigenvalues", "k", "first 8", "all 32", "rest", "bound");
    accuracy("0.8^i", [](index_t i) { return std::pow(0.8, i); });
    accuracy("1 / (1 + i)^2", [](index_t i) { return std::pow(1 + static_cast<double>(i), -2); });
    accuracy("1 / (1 + i)", [](index_t i) { return 1 / (1 + static_cast<double>(i)); });
    return report.finish();
}
