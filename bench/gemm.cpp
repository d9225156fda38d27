// The three products of an adapter with d inputs and outputs and r states over L tokens, and a square one for scale.
//     z = u B^T  (L x d, d x r)      y = s C^T  (L x r, r x d)      dC = dy^T s  (d x L, L x r)

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>
#include <hrm/linalg/gemm.hpp>

#include <Eigen/Core>

#include "support/harness.hpp"
#include "support/openblas.hpp"

namespace {

using hrm::index_t;
using dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using map = Eigen::Map<dense>;

/// C (m x n) = op(A) op(B); A and B are stored as they are named, op is a transpose where the flag says so.
void compare(hrm::bench::report& report, const std::string& name, index_t m, index_t n, index_t k, bool a_turned, bool b_turned) {
    hrm::random_stream r(1);
    hrm::matrix<float> a(a_turned ? k : m, a_turned ? m : k), b(b_turned ? n : k, b_turned ? k : n);
    hrm::matrix<float> ours(m, n), theirs(m, n);
    r.fill_normal(a.flat());
    r.fill_normal(b.flat());
    const map ea(a.data(), a.rows(), a.cols()), eb(b.data(), b.rows(), b.cols());
    map ec(theirs.data(), m, n);

    using view = hrm::strided_view<float>;
    const view av = a_turned ? hrm::transposed(a.view()) : view(a.view());
    const view bv = b_turned ? hrm::transposed(b.view()) : view(b.view());
    std::vector<hrm::bench::peer> peers{{"Eigen", [&] {
        if (a_turned) ec.noalias() = ea.transpose() * eb;
        else if (b_turned) ec.noalias() = ea * eb.transpose();
        else ec.noalias() = ea * eb;
    }, 1.0}};
#if defined(HRM_BENCH_OPENBLAS)
    auto extent = [](index_t x) { return static_cast<blasint>(x); };
    peers.push_back({"OpenBLAS", [&] {
        cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans, extent(m),
                    extent(n), extent(k), 1.0f, a.data(), extent(a.cols()), b.data(), extent(b.cols()), 0.0f,
                    theirs.data(), extent(n));
    }, 1.0});
#endif
    report.compare(name, [&] { hrm::multiply(av, bv, ours.view()); }, peers);
    hrm::bench::keep(ours);
    hrm::bench::keep(theirs);
}

}  // namespace

int main(int, char** argv) {
    hrm::bench::use_openblas(1, argv);
    hrm::bench::report report("gemm");
    const index_t d = 4096, rank = 32;
    for (index_t length : {128, 512, 2048}) {
        const auto at = ", L = " + std::to_string(length);
        compare(report, "z = u B^T" + at, length, rank, d, false, true);
        compare(report, "y = s C^T" + at, length, d, rank, false, true);
        compare(report, "dC = dy^T s" + at, d, rank, length, true, false);
    }
    compare(report, "square", 512, 512, 512, false, false);
    return report.finish();
}
