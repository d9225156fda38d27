#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>

namespace hrm {

/// Throws error("where: token 300 at position 5, vocabulary 256") for the first token that is none.
inline void require_tokens(std::string_view where, std::span<const std::int32_t> tokens, index_t vocabulary,
                           index_t first_position = 0) {
    for (std::size_t t = 0; t < tokens.size(); ++t)
        if (tokens[t] < 0 || tokens[t] >= vocabulary)
            throw error(std::string(where) + ": token " + std::to_string(tokens[t]) + " at position " +
                        std::to_string(first_position + static_cast<index_t>(t)) + ", vocabulary " +
                        std::to_string(vocabulary));
}

/// Row t of h is row tokens[t] of w.    w: vocabulary x d;  h: L x d.  Tokens are checked.
template <real S, storable W>
void embedding_forward(std::span<const std::int32_t> tokens, matrix_view<const W> w, matrix_view<S> h) {
    require_shape("hrm::embedding_forward", "h", h.rows, h.cols, static_cast<index_t>(tokens.size()), w.cols);
    require_tokens("hrm::embedding_forward", tokens, w.rows);
    for (index_t t = 0; t < h.rows; ++t) {
        const W* from = w.row(tokens[static_cast<std::size_t>(t)]);
        S* to = h.row(t);
        for (index_t j = 0; j < h.cols; ++j) to[j] = static_cast<S>(from[j]);
    }
}

/// Row tokens[t] of dw += row t of dh.
template <real S>
void embedding_backward(std::span<const std::int32_t> tokens, std::type_identity_t<matrix_view<const S>> dh,
                        matrix_view<S> dw) {
    require_shape("hrm::embedding_backward", "dh", dh.rows, dh.cols, static_cast<index_t>(tokens.size()), dw.cols);
    require_tokens("hrm::embedding_backward", tokens, dw.rows);
    for (index_t t = 0; t < dh.rows; ++t) {
        const S* from = dh.row(t);
        S* to = dw.row(tokens[static_cast<std::size_t>(t)]);
        for (index_t j = 0; j < dh.cols; ++j) to[j] += from[j];
    }
}

}  // namespace hrm
