// The dense decompositions of reduction beside LAPACK's over OpenBLAS: the real Schur form (DGEES) and a singular value
// decomposition with ten leading pairs of vectors (DGESDD, which has all or none). What they are of is random: normal entries.

#include <hrm/core/random.hpp>
#include <hrm/linalg/detail/real_schur.hpp>
#include <hrm/linalg/svd.hpp>

#include "support/harness.hpp"
#include "support/openblas.hpp"

#if defined(HRM_BENCH_LAPACK)
extern "C" {
void dgees_(const char* vectors, const char* sort, void* select, const int* n, double* a, const int* lda, int* sorted, double* re,
            double* im, double* vs, const int* ldvs, double* work, const int* size, int* flags, int* info, std::size_t, std::size_t);
void dgesdd_(const char* vectors, const int* m, const int* n, double* a, const int* lda, double* sigma, double* u, const int* ldu,
             double* vt, const int* ldvt, double* work, const int* size, int* integers, int* info, std::size_t);
}

namespace {

/// LAPACK's two on fresh copies, with all the room that they could ask for.
class lapack {
public:
    explicit lapack(const hrm::matrix<double>& a)
        : n_(static_cast<int>(a.rows())), a_(a.flat().begin(), a.flat().end()), u_(a_.size()), vt_(a_.size()), work_(8 * a_.size() + 4096),
          re_(static_cast<std::size_t>(n_)), im_(re_.size()), integers_(8 * re_.size()), size_(static_cast<int>(work_.size())) {}
    void schur() {
        auto a = a_;
        int sorted = 0;
        dgees_("V", "N", nullptr, &n_, a.data(), &n_, &sorted, re_.data(), im_.data(), u_.data(), &n_, work_.data(), &size_, integers_.data(),
               &info_, 1, 1);
        check("DGEES");
    }
    void svd() {
        auto a = a_;
        dgesdd_("S", &n_, &n_, a.data(), &n_, re_.data(), u_.data(), &n_, vt_.data(), &n_, work_.data(), &size_, integers_.data(), &info_, 1);
        check("DGESDD");
    }

private:
    void check(const std::string& name) const {
        if (info_ != 0) throw hrm::numerical_error(name + " failed: info " + std::to_string(info_));
    }
    int n_;
    std::vector<double> a_, u_, vt_, work_, re_, im_;
    std::vector<int> integers_;
    int size_, info_ = 0;
};

}  // namespace
#endif

int main(int, char** argv) {
    hrm::bench::use_openblas(1, argv);
    hrm::bench::report report("decompositions", {.threads = 1, .rounds = 15, .budget_s = 20});
    for (hrm::index_t n : {48, 120, 200, 598, 1006}) {
        hrm::random_stream r(static_cast<std::uint64_t>(n));
        hrm::matrix<double> a(n, n), u, v;
        r.fill_normal(a.flat());
        std::vector<hrm::bench::peer> schur, svd;
#if defined(HRM_BENCH_LAPACK)
        lapack peer(a);
        schur.push_back({"LAPACK", [&] { peer.schur(); }, 1.0});
        svd.push_back({"LAPACK", [&] { peer.svd(); }, 1.0});
#endif
        const hrm::bench::point at{"n", static_cast<double>(n)};
        report.compare("real Schur form", [&] { hrm::bench::keep(hrm::detail::factored_schur("bench", a)); }, schur, at);
        report.compare("ten singular pairs", [&] { hrm::bench::keep(hrm::bidiagonal_svd(a).vectors(10, u, v)); }, svd, at);
    }
    return report.finish();
}
