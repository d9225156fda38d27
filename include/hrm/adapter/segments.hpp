#pragma once

#include <algorithm>

#include <hrm/adapter/adapter.hpp>

namespace hrm {

/// Cuts the rows of one call where the state starts anew: at document borders, and every reset_every tokens of a
/// document (0: never). Calls f(first row, rows, fresh) for each stretch in order; fresh: the state before it is the
/// initial one, not the one running. Returns the position in the document after the last row.
/// Throws shape_error when a border is out of order or outside the sequence.
template <real S, class F>
index_t for_segments(index_t rows, const call<S>& how, index_t reset_every, F&& f) {
    index_t position = how.carried ? how.carried->position : 0;
    bool running = how.carried && !how.carried->value.empty();
    std::size_t next = 0;
    index_t last = -1;
    for (const index_t border : how.starts) {
        if (border <= last || border >= rows)
            throw shape_error("hrm::adapter: document start " + std::to_string(border) + " after " +
                              std::to_string(last) + ", expected ascending rows below " + std::to_string(rows));
        last = border;
    }
    for (index_t first = 0; first < rows;) {
        bool fresh = !running;
        if (next < how.starts.size() && how.starts[next] == first) {
            fresh = true;
            position = 0;
            ++next;
        }
        index_t end = next < how.starts.size() ? how.starts[next] : rows;
        if (reset_every > 0) {
            fresh = fresh || position % reset_every == 0;
            end = std::min(end, first + reset_every - position % reset_every);
        }
        f(first, end - first, fresh);
        position += end - first;
        first = end;
        running = true;
    }
    return position;
}

}  // namespace hrm
