#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
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
    workspace(workspace&& other) noexcept { swap(other); }
    workspace& operator=(workspace&& other) noexcept {
        workspace(std::move(other)).swap(*this);
        return *this;
    }

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
    mark_t mark() const { return {current_, used_}; }
    void release(mark_t m) {
        if (m.block != current_) enter(m.block);
        used_ = m.used;
    }
    /// Forgets every piece and keeps the memory, as one block of `least` bytes or more.
    void clear(std::size_t least = 0) {
        const std::size_t total = std::max(held(), least);
        if (blocks_.size() > 1 || held() < least) {
            blocks_.clear();
            current_ = size_ = used_ = 0, first_ = nullptr;  // what stands if there is no memory for the next
            blocks_.emplace_back(total);
        }
        if (!blocks_.empty()) enter(0);
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
    std::size_t held() const {
        std::size_t total = 0;
        for (const auto& b : blocks_) total += b.size();
        return total;
    }
    /// Block b, whose pieces are forgotten, is the one to take from.
    void enter(std::size_t b) {
        current_ = b;
        first_ = blocks_[b].data();
        size_ = blocks_[b].size();
        used_ = 0;
    }
    // A short product takes a dozen pieces: the way that nearly all of them go is inlined.
    std::byte* raw(std::size_t bytes) {
        if (size_ - used_ < bytes) further(bytes);
        auto* const p = first_ + used_;
        used_ += bytes;
        return p;
    }
    [[gnu::noinline]] void further(std::size_t bytes) {
        for (std::size_t b = current_ + 1; b < blocks_.size(); ++b)
            if (enter(b); size_ >= bytes) return;
        blocks_.emplace_back(std::max({bytes, held(), std::size_t{1} << 16}));
        enter(blocks_.size() - 1);
    }
    void swap(workspace& other) noexcept {
        std::swap(blocks_, other.blocks_);
        std::swap(parts_, other.parts_);
        std::swap(current_, other.current_);
        std::swap(first_, other.first_);
        std::swap(size_, other.size_);
        std::swap(used_, other.used_);
    }
    std::vector<buffer<std::byte>> blocks_;
    std::vector<workspace> parts_;
    std::size_t current_ = 0;
    std::byte* first_ = nullptr;  ///< of the block in use: its beginning, its size and how much of it is taken
    std::size_t size_ = 0, used_ = 0;
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
