#pragma once

#include <algorithm>
#include <vector>

#include <hrm/adapter/set.hpp>
#include <hrm/core/matrix.hpp>
#include <hrm/model/config.hpp>

namespace hrm {

/// What a transformer carries from token to token of one sequence: the (rotated) keys and the values the window still
/// reaches, the adapters' states, and the position. A plain value: copy it to fork, assign an old copy to roll back,
/// assign {} to start a new document.
///
/// Keys sit one after the other in a log that slides: once it holds two windows the rows nobody can see any more are
/// dropped at one stroke, so attention always reads one contiguous matrix and a token costs O(1) moves on average.
/// Without a window the log keeps everything.
template <real S>
struct cache {
    struct layer {
        buffer<S> keys, values;      ///< rows x key_width each
    };
    std::vector<layer> layers;
    adapter_states<S> states;
    index_t rows = 0;                ///< of the log
    index_t position = 0;            ///< tokens since the start of the document

    /// Makes room for more rows at the log's end; their contents are the caller's to write. Throws shape_error, the log as
    /// it was, if it holds the keys of another model.
    void grow(const transformer_config& c, index_t more) {
        if (rows > 0) require_size("hrm::cache", "the number of layers", static_cast<index_t>(layers.size()), c.layers);
        for (const auto& l : layers)
            require_size("hrm::cache", "numbers in the keys of a layer", static_cast<index_t>(l.keys.size()), rows * c.key_width());
        layers.resize(static_cast<std::size_t>(c.layers));
        rows += more;
        position += more;
        for (auto& l : layers) {
            l.keys.resize(static_cast<std::size_t>(rows * c.key_width()));
            l.values.resize(l.keys.size());
        }
    }
    /// Drops rows out of the window's reach, if there are enough of them to be worth a move.
    void slide(const transformer_config& c) {
        if (c.window == 0 || rows < 2 * c.window) return;
        const index_t stay = c.window - 1;
        const auto gone = static_cast<std::ptrdiff_t>((rows - stay) * c.key_width());
        for (auto& l : layers) {
            l.keys.erase(l.keys.begin(), l.keys.begin() + gone);
            l.values.erase(l.values.begin(), l.values.begin() + gone);
        }
        rows = stay;
    }
};

}  // namespace hrm
