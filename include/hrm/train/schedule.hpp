#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include <hrm/core/scalar.hpp>

namespace hrm {

/// Learning rate at step 0, 1, ..: a linear climb to the peak, then half a cosine down to the floor, which stays.
///     t < warmup:  peak (t + 1) / warmup
///     then:        floor + (peak - floor) (1 + cos(pi (t - warmup) / (total - warmup))) / 2
/// Loshchilov & Hutter, "SGDR", ICLR 2017, one cycle.
struct cosine_schedule {
    double peak = 1e-3;
    index_t warmup = 0;
    index_t total = 1000;
    double floor = 0;

    double operator()(index_t step) const {
        if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
        const auto length = static_cast<double>(std::max<index_t>(total - warmup, 1));
        const double way = std::min(static_cast<double>(step - warmup) / length, 1.0);
        return floor + (peak - floor) * (1 + std::cos(std::numbers::pi * way)) / 2;
    }
};

/// The same rate throughout, after an optional linear climb.
struct constant_schedule {
    double peak = 1e-3;
    index_t warmup = 0;

    double operator()(index_t step) const {
        return step < warmup ? peak * static_cast<double>(step + 1) / static_cast<double>(warmup) : peak;
    }
};

}  // namespace hrm
