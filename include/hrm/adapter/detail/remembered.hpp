#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include <hrm/core/matrix.hpp>

namespace hrm::detail {

/// What was computed from a few parameters, for as long as these keep their bits: at one token the poles cost half of a
/// product. Threads may recall and store at once. Nobody waits: who meets a change under way computes for itself.
/// The key is under a sequence lock whose every word is atomic: Boehm, "Can seqlocks get along with programming language memory
/// models?", MSPC 2012. The value is read where it lies: whoever has seen his key there may, since all who compute while he reads
/// do it from the same parameters, and a key that is there already is not stored again. A copy has the room and remembers nothing.
class remembered {
    using word = std::uint64_t;
    static constexpr index_t line = 64, words = line / index_t{sizeof(word)};

public:
    /// Whole lines of a cache, as tensors and scratch are, so that no loop over a line's words has a rest.
    static constexpr index_t padded(index_t bytes) { return (bytes + line - 1) / line * line; }

    remembered() = default;
    /// Room for a key and a value of so many bytes, whole lines.
    remembered(index_t key, index_t value) { make(key / line, static_cast<std::size_t>(value)); }
    remembered(const remembered& other) { make(other.lines_, other.value_.size()); }
    remembered& operator=(const remembered& other) {
        if (this != &other) make(other.lines_, other.value_.size());
        return *this;
    }

    /// The value, if it is this key's, else null. As long as no parameter changes it stays what it is.
    [[gnu::noinline]] const std::byte* recall(const void* key) const {
        const auto turn = turn_.load(std::memory_order_acquire);
        if (turn == 0 || turn % 2 != 0) return nullptr;
        return !differs(key) && turn_.load(std::memory_order_relaxed) == turn ? value_.data() : nullptr;
    }
    void store(const void* key, const void* value) {
        auto turn = turn_.load(std::memory_order_relaxed);
        if (turn % 2 != 0 || !turn_.compare_exchange_strong(turn, turn + 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
        if (turn == 0 || differs(key)) {
            for_words([&](index_t i) { key_[static_cast<std::size_t>(i)].store(at(key, i), std::memory_order_release); });
            std::memcpy(value_.data(), value, value_.size());
            turn += 2;
        }
        turn_.store(turn, std::memory_order_release);
    }

private:
    void make(index_t lines, std::size_t value) {
        key_.reset(new std::atomic<word>[static_cast<std::size_t>(lines * words)]);
        value_ = buffer<std::byte>(value);
        lines_ = lines;
        turn_.store(0, std::memory_order_relaxed);
    }
    bool differs(const void* key) const {
        const std::atomic<word>* const ours = key_.get();  // of its own: an acquired word might have changed every member
        word some = 0;
        for_words([&](index_t i) { some |= ours[i].load(std::memory_order_acquire) ^ at(key, i); });
        return some != 0;
    }
    template <class F>
    void for_words(F&& f) const {
        for (index_t i = 0, end = lines_ * words; i < end; i += words)
#pragma GCC unroll 8
            for (index_t j = 0; j < words; ++j) f(i + j);
    }
    static word at(const void* from, index_t i) {
        word x;
        std::memcpy(&x, static_cast<const std::byte*>(from) + i * index_t{sizeof(word)}, sizeof(word));
        return x;
    }

    index_t lines_ = 0;  ///< of the key
    std::unique_ptr<std::atomic<word>[]> key_;
    buffer<std::byte> value_;
    std::atomic<word> turn_{0};  ///< how often it was changed, twice; odd while it is
};

}  // namespace hrm::detail
