#pragma once

#include <cmath>
#include <span>

#include <hrm/core/error.hpp>
#include <hrm/train/parameter_list.hpp>

namespace hrm {

/// ||g||_2 over every tensor that moves, in double, tensor after tensor: the same bits every time.
/// Throws numerical_error naming the first tensor with an infinity or NaN.
template <real S>
double global_norm(const parameter_list<S>& list, std::span<const S> gradient) {
    require_size("hrm::global_norm", "gradient", static_cast<index_t>(gradient.size()), list.size());
    double all = 0;
    for (const auto& t : list.tensors()) {
        if (t.rate == 0) continue;
        double lane[8] = {};
        const auto g = t.in(gradient);
        for (std::size_t i = 0; i < g.size(); ++i) lane[i % 8] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
        const double sum = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
        if (!std::isfinite(sum))
            throw numerical_error("hrm::global_norm: the gradient of " + t.name + " is not finite");
        all += sum;
    }
    return std::sqrt(all);
}

/// Scales the gradient so that its norm is at most limit; limit 0: as it is. Returns the norm before.
/// Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
template <real S>
double clip(const parameter_list<S>& list, std::span<S> gradient, double limit) {
    const double norm = global_norm(list, std::span<const S>(gradient));
    if (limit > 0 && norm > limit) {
        const S factor = static_cast<S>(limit / norm);
        for (auto& g : gradient) g *= factor;
    }
    return norm;
}

}  // namespace hrm
