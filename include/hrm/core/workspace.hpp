#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include <hrm/core/matrix.hpp>

namespace hrm {

/// Scratch memory handed from caller to callee: a stack of 64-byte aligned pieces.
///     workspace ws;
///     for (...) { model.forward(..., ws); ws.clear(); }      // the second round allocates nothing
/// A piece stays valid until the mark before it is released. Grows by whole blocks, so pieces never move;
/// clear() joins the blocks into one. One workspace a thread.
class workspace {
public:
    workspace() = default;
    workspace(workspace&&) = default;
    workspace& operator=(workspace&&) = default;

    /// count elements, not initialised.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    std::span<T> take(index_t count) {
        auto bytes = (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
        return {reinterpret_cast<T*>(raw(bytes)), static_cast<std::size_t>(count)};
    }
    /// count zeros.
    template <class T>
    std::span<T> take_zero(index_t count) {
        auto s = take<T>(count);
        if (count) std::memset(static_cast<void*>(s.data()), 0, s.size_bytes());
        return s;
    }
    template <class T>
    matrix_view<T> take_matrix(index_t rows, index_t cols) {
        return {take<T>(rows * cols).data(), rows, cols};
    }
    template <class T>
    matrix_view<T> take_zero_matrix(index_t rows, index_t cols) {
        return {take_zero<T>(rows * cols).data(), rows, cols};
    }

    /// A height of the stack; release(mark()) gives back what was taken since.
    struct mark_t {
        std::size_t block = 0, used = 0;
    };
    mark_t mark() const { return blocks_.empty() ? mark_t{} : mark_t{current_, blocks_[current_].used}; }
    void release(mark_t m) {
        if (blocks_.empty()) return;
        for (std::size_t b = m.block + 1; b <= current_; ++b) blocks_[b].used = 0;
        current_ = m.block;
        blocks_[current_].used = m.used;
    }
    /// Forgets every piece and keeps the memory, as one block of `least` bytes or more.
    void clear(std::size_t least = 0) {
        const std::size_t total = std::max(held(), least);
        if (blocks_.size() > 1 || held() < least) {
            blocks_.clear();
            blocks_.push_back({buffer<std::byte>(total), 0});
        }
        current_ = 0;
        if (!blocks_.empty()) blocks_[0].used = 0;
    }
    std::size_t capacity() const {
        std::size_t total = held();
        for (const auto& w : parts_) total += w.capacity();
        return total;
    }

    /// `count` workspaces inside this one, empty, for threads that work side by side. The same ones at every call.
    std::span<workspace> split(int count) {
        const auto n = static_cast<std::size_t>(count);
        while (parts_.size() < n) parts_.emplace_back();
        for (auto& w : parts_) w.clear();
        return std::span(parts_).first(n);
    }
    /// Empties parts and gives each the room of the largest: whichever does the same work next time, it allocates nothing.
    static void level(std::span<workspace> parts) {
        std::size_t most = 0;
        for (const auto& w : parts) most = std::max(most, w.held());
        for (auto& w : parts) w.clear(most);
    }

private:
    struct block {
        buffer<std::byte> bytes;
        std::size_t used = 0;
    };
    std::size_t held() const {
        std::size_t total = 0;
        for (const auto& b : blocks_) total += b.bytes.size();
        return total;
    }
    std::byte* raw(std::size_t bytes) {
        while (current_ < blocks_.size()) {
            auto& b = blocks_[current_];
            if (b.bytes.size() - b.used >= bytes) {
                auto* p = b.bytes.data() + b.used;
                b.used += bytes;
                return p;
            }
            if (current_ + 1 == blocks_.size()) break;
            blocks_[++current_].used = 0;
        }
        blocks_.push_back({buffer<std::byte>(std::max({bytes, held(), std::size_t{1} << 16})), bytes});
        current_ = blocks_.size() - 1;
        return blocks_[current_].bytes.data();
    }
    std::vector<block> blocks_;
    std::vector<workspace> parts_;
    std::size_t current_ = 0;
};

/// Gives back at the end of a scope what was taken in it.
class scratch_scope {
public:
    explicit scratch_scope(workspace& w) : w_(w), m_(w.mark()) {}
    ~scratch_scope() { w_.release(m_); }
    scratch_scope(const scratch_scope&) = delete;
    scratch_scope& operator=(const scratch_scope&) = delete;

private:
    workspace& w_;
    workspace::mark_t m_;
};

}  // namespace hrm
