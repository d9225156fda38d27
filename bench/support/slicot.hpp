#pragma once

// Debian's SLICOT as the peer: AB09AD, square-root balanced truncation, in continuous or discrete time, to a fixed order.

#if defined(HRM_BENCH_SLICOT)

#include <algorithm>
#include <concepts>
#include <string>
#include <vector>

#include <hrm/systems/convert.hpp>

extern "C" void ab09ad_(const char* dico, const char* job, const char* equil, const char* ordsel, const int* n, const int* m,
                        const int* p, int* nr, double* a, const int* lda, double* b, const int* ldb, double* c,
                        const int* ldc, double* hsv, const double* tol, int* iwork, double* dwork, const int* ldwork,
                        int* iwarn, int* info, std::size_t, std::size_t, std::size_t, std::size_t);

namespace hrm::bench {

/// Keeps the system by columns; every call of reduce() works on a fresh copy, as it must.
class slicot {
public:
    template <class T>
    slicot(const T& system, int order) : domain_(std::same_as<T, discrete<typename T::structure_type>> ? "D" : "C"), order_(order) {
        const auto g = to_dense(cast<double>(system));
        n_ = static_cast<int>(g.order()), m_ = static_cast<int>(g.inputs()), p_ = static_cast<int>(g.outputs());
        a_ = columns(g.a.a), b_ = columns(g.b), c_ = columns(g.c);
        const int most = std::max({n_, m_, p_});
        sigma.resize(static_cast<std::size_t>(n_));
        integers_.resize(static_cast<std::size_t>(3 * n_ + 10));
        work_.resize(static_cast<std::size_t>(n_) * static_cast<std::size_t>(2 * n_ + most + 5) +
                     static_cast<std::size_t>(n_ * (n_ + 1) / 2 + 64 * n_ + 1024));
    }
    void reduce() {
        a = a_, b = b_, c = c_;
        int nr = std::min(order_, n_), warning = 0, info = 0;
        const int size = static_cast<int>(work_.size());
        const double tolerance = 0;
        ab09ad_(domain_, "B", "N", "F", &n_, &m_, &p_, &nr, a.data(), &n_, b.data(), &n_, c.data(), &p_, sigma.data(), &tolerance,
                integers_.data(), work_.data(), &size, &warning, &info, 1, 1, 1, 1);
        if (info != 0) throw numerical_error("AB09AD failed: info " + std::to_string(info));
    }
    std::vector<double> sigma, a, b, c;

private:
    static std::vector<double> columns(const matrix<double>& x) {
        std::vector<double> y;
        for (index_t j = 0; j < x.cols(); ++j)
            for (index_t i = 0; i < x.rows(); ++i) y.push_back(x(i, j));
        return y;
    }
    const char* domain_;
    int order_, n_, m_, p_;
    std::vector<double> a_, b_, c_, work_;
    std::vector<int> integers_;
};

}  // namespace hrm::bench

#endif
