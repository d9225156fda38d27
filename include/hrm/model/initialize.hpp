#pragma once

#include <cmath>

#include <hrm/core/random.hpp>
#include <hrm/model/transformer.hpp>

namespace hrm {

/// Random weights to pretrain from: norms 1, every matrix normal with deviation 1/2 / sqrt(inputs), and the two
/// matrices of a block that write to the residual stream a further sqrt(2 layers) smaller, so that the stream's
/// variance does not grow with depth (Radford et al., 2019).
template <real S, storable W>
void initialize(transformer<S, W>& model, random_stream& random) {
    const auto& c = model.config();
    auto& weights = model.parameters();
    const double residual = 1 / std::sqrt(2.0 * static_cast<double>(c.layers));
    for (typename parameter_set<W>::handle h = 0; const auto& e : weights.entries()) {
        const auto ends = [&](std::string_view tail) { return e.name.ends_with(tail); };
        double deviation = 0.5 / std::sqrt(static_cast<double>(e.cols));
        if (ends("o_proj.weight") || ends("down_proj.weight")) deviation *= residual;
        const auto m = weights[h++];
        for (index_t i = 0; i < m.rows; ++i)
            for (index_t j = 0; j < m.cols; ++j)
                m(i, j) = static_cast<W>(static_cast<S>(e.rows == 1 && ends("norm.weight") ? 1.0 : deviation * random.normal()));
    }
}

}  // namespace hrm
