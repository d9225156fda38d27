#pragma once

#include <algorithm>

#include <hrm/adapter/adapter.hpp>

namespace hrm {

/// Cuts the rows of one call where the state starts anew: at document borders, and every reset_every tokens of a
/// document (0: never). Throws shape_error when a border is out of order or outside the sequence.
template <real S>
class segment_walk {
public:
    /// One stretch of rows; fresh: the state before it is the initial one, not the one running.
    struct segment {
        index_t first = 0, rows = 0;
        bool fresh = false;
    };

    segment_walk(index_t rows, const call<S>& how, index_t reset_every)
        : rows_(rows), reset_every_(reset_every), position_(how.carried ? how.carried->position : 0), starts_(how.starts),
          running_(how.carried && !how.carried->value.empty()) {
        index_t last = -1;
        for (const index_t border : starts_) {
            if (border <= last || border >= rows) refuse(border, last);
            last = border;
        }
    }
    /// At most so many segments are fresh.
    static index_t most(index_t rows, const call<S>& how, index_t reset_every) {
        return 2 * static_cast<index_t>(how.starts.size() + 1) + (reset_every > 0 ? rows / reset_every : 0);
    }
    bool more() const { return first_ < rows_; }
    /// The next stretch in order.
    segment next() {
        bool fresh = !running_;
        if (next_ < starts_.size() && starts_[next_] == first_) {
            fresh = true;
            position_ = 0;
            ++next_;
        }
        index_t end = next_ < starts_.size() ? starts_[next_] : rows_;
        if (reset_every_ > 0) {
            fresh = fresh || position_ % reset_every_ == 0;
            end = std::min(end, first_ + reset_every_ - position_ % reset_every_);
        }
        const segment now{first_, end - first_, fresh};
        position_ += now.rows;
        first_ = end;
        running_ = true;
        return now;
    }
    /// The position in the document after the last row that was given out.
    index_t position() const { return position_; }

private:
    [[noreturn]] [[gnu::noinline]] void refuse(index_t border, index_t last) const {
        throw shape_error("hrm::adapter: document start " + std::to_string(border) + " after " + std::to_string(last) +
                          ", expected ascending rows below " + std::to_string(rows_));
    }
    index_t rows_, reset_every_, position_, first_ = 0;
    std::span<const index_t> starts_;
    std::size_t next_ = 0;
    bool running_;
};

/// f(first row, rows, fresh) for each stretch in order. Returns the position in the document after the last row.
template <real S, class F>
index_t for_segments(index_t rows, const call<S>& how, index_t reset_every, F&& f) {
    segment_walk<S> walk(rows, how, reset_every);
    while (walk.more()) {
        const auto now = walk.next();
        f(now.first, now.rows, now.fresh);
    }
    return walk.position();
}

}  // namespace hrm
