#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace hrm::detail {

/// What was computed from a few parameters, for as long as these keep their bits: at one token the poles cost half of a
/// product. Threads may recall and store at once. Nobody waits: who meets a change under way computes for itself.
/// A sequence lock whose every word is atomic: Boehm, "Can seqlocks get along with programming language memory models?",
/// MSPC 2012. A copy has the room and remembers nothing.
class remembered {
    using word = std::uint64_t;

public:
    static constexpr std::size_t words(std::size_t bytes) { return (bytes + sizeof(word) - 1) / sizeof(word); }

    remembered() = default;
    /// Room for a key and a value of so many words.
    remembered(std::size_t key, std::size_t value) : key_(key), value_(value), all_(new std::atomic<word>[key + value]) {}
    remembered(const remembered& other) : remembered(other.key_, other.value_) {}
    remembered& operator=(const remembered& other) {
        if (this == &other) return *this;
        all_.reset(new std::atomic<word>[other.key_ + other.value_]);
        key_ = other.key_;
        value_ = other.value_;
        turn_.store(0, std::memory_order_relaxed);
        return *this;
    }

    /// to = words [first, first + count) of the value, if it is the key's. Otherwise false, and `to` holds anything.
    bool recall(const void* key, std::size_t first, std::size_t count, void* to) const {
        const auto turn = turn_.load(std::memory_order_acquire);
        if (turn == 0 || turn % 2 != 0) return false;
        const std::atomic<word>* from = all_.get();  // of its own: an acquired word might have changed every member
        word differs = 0;
#pragma GCC unroll 4
        for (std::size_t i = 0, end = key_; i < end; ++i) differs |= from[i].load(std::memory_order_acquire) ^ at(key, i);
        if (differs != 0) return false;
        from += key_ + first;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < count; ++i) {
            const word x = from[i].load(std::memory_order_acquire);
            std::memcpy(static_cast<std::byte*>(to) + i * sizeof(word), &x, sizeof(word));
        }
        return turn_.load(std::memory_order_relaxed) == turn;
    }
    /// Words [first, first + count) of the value come from `a`, those behind them from `b`.
    void store(const void* key, std::size_t count, const void* a, const void* b) {
        auto turn = turn_.load(std::memory_order_relaxed);
        if (turn % 2 != 0 || !turn_.compare_exchange_strong(turn, turn + 1, std::memory_order_acquire, std::memory_order_relaxed)) return;
        for (std::size_t i = 0; i < key_; ++i) all_[i].store(at(key, i), std::memory_order_release);
        for (std::size_t i = 0; i < value_; ++i)
            all_[key_ + i].store(i < count ? at(a, i) : at(b, i - count), std::memory_order_release);
        turn_.store(turn + 2, std::memory_order_release);
    }

private:
    static word at(const void* from, std::size_t i) {
        word x;
        std::memcpy(&x, static_cast<const std::byte*>(from) + i * sizeof(word), sizeof(word));
        return x;
    }
    std::size_t key_ = 0, value_ = 0;
    std::unique_ptr<std::atomic<word>[]> all_;
    std::atomic<word> turn_{0};  ///< how often it was changed, twice; odd while it is
};

}  // namespace hrm::detail
