#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/core/workspace.hpp>

namespace hrm {

/// A few threads that share the items of one loop at a time.
///     team t(cpu{.threads = 2});
///     t.run(sequences, [&](index_t item, int worker) { ... });    // worker < t.size(): whose scratch to use
/// Work is cut by the problem, never by the number of threads, so results do not depend on it: an item must write
/// only to places of its own. run() allocates nothing. The first exception of an item is rethrown by run().
/// Who waits looks for 50 us before it sleeps, where the machine has cores enough: to wake a thread takes 20 to 100 us, as long as many a
/// loop, and the next loop mostly follows sooner. Beside a process that wants the same core, loops of 200 us took up to a quarter of its
/// time so, loops of 2 ms none; a team without work burns nothing. run() waits for those who came, not for those who still sleep when
/// all items are done.
class team {
public:
    explicit team(cpu where = {}) : looks_(where.threads <= static_cast<int>(std::thread::hardware_concurrency())) {
        try {
            for (int i = 1; i < where.threads; ++i) threads_.emplace_back([this, i] { work(i); });
        } catch (const std::system_error& e) {
            join();
            throw error("hrm::team: only " + std::to_string(size()) + " of " + std::to_string(where.threads) + " threads: " + e.code().message());
        } catch (...) {  // those that started must not outlive this object
            join();
            throw;
        }
    }
    team(const team&) = delete;
    team& operator=(const team&) = delete;
    ~team() { join(); }
    int size() const { return static_cast<int>(threads_.size()) + 1; }

    template <class F>
    void run(index_t items, F&& f) {
        if (threads_.empty() || items <= 1) {
            for (index_t i = 0; i < items; ++i) f(i, 0);
            return;
        }
        context_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
        call_ = [](void* c, index_t i, int w) { (*static_cast<std::remove_reference_t<F>*>(c))(i, w); };
        items_ = items;
        next_.store(0, std::memory_order_relaxed);
        failure_ = nullptr;
        failed_.clear(std::memory_order_relaxed);
        inside_.fetch_add(open);
        round_.fetch_add(1);
        round_.notify_all();
        drain(0);
        for (int in = inside_.fetch_sub(open) - open; in != 0; in = inside_.load()) await(inside_, in);
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void join() {
        stop_ = true;
        round_.fetch_add(1);
        round_.notify_all();
        for (auto& t : threads_) t.join();
    }
    void drain(int worker) {
        for (index_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < items_;) try {
                call_(context_, i, worker);
            } catch (...) {
                if (!failed_.test_and_set(std::memory_order_relaxed)) failure_ = std::current_exception();
                next_.store(items_, std::memory_order_relaxed);
            }
    }
    void work(int worker) {
        for (unsigned seen = 0;;) {
            await(round_, seen);
            seen = round_.load();
            if (stop_) return;
            // Whoever comes late finds the loop closed, and touches nothing of it: the next one may be under way.
            if (inside_.fetch_add(one) & open) drain(worker);
            if (inside_.fetch_sub(one) == one) inside_.notify_one();
        }
    }
    /// Until x is no longer `old`.
    template <class T>
    void await(const std::atomic<T>& x, T old) const {
        using clock = std::chrono::steady_clock;
        for (const auto end = clock::now() + std::chrono::microseconds(50); looks_ && clock::now() < end;)
            for (int i = 0; i < 32; ++i) {
                if (x.load() != old) return;
#if defined(__x86_64__)
                __builtin_ia32_pause();
#elif defined(__aarch64__)
                asm volatile("yield");
#endif
            }
        x.wait(old);
    }

    static constexpr int open = 1, one = 2;  ///< in inside_: that the loop takes workers, and a worker in it

    std::vector<std::thread> threads_;
    const bool looks_;
    std::atomic<bool> stop_{false};
    alignas(64) std::atomic<unsigned> round_{0};  ///< loops so far: what a worker waits for
    alignas(64) std::atomic<int> inside_{0};      ///< what the caller waits for
    alignas(64) std::atomic<index_t> next_{0};
    alignas(64) index_t items_ = 0;
    void* context_ = nullptr;
    void (*call_)(void*, index_t, int) = nullptr;
    std::atomic_flag failed_;
    std::exception_ptr failure_;
};

/// f(first, count, scratch) over [0, size): all at once on this thread (null: no others), or cut for them into pieces of whole `unit`s,
/// each with scratch of its own, which gets back what a piece takes. A piece is a quarter of a thread's part of what is left, so that
/// threads end together. The second call of the same work allocates nothing, whichever thread takes what.
template <class F>
void share(team* threads, index_t size, index_t unit, workspace& ws, F&& f) {
    if (size <= 0) return;
    const auto one = [&](index_t first, index_t count, workspace& own) {
        scratch_scope scope(own);
        f(first, count, own);
    };
    if (!threads || threads->size() == 1 || size <= unit) return one(0, size, ws);
    const auto piece = [size, unit, most = 4 * threads->size()](index_t first) {
        return std::min(size - first, std::max<index_t>(1, (size - first) / (most * unit)) * unit);
    };
    index_t pieces = 0;
    for (index_t at = 0; at < size; at += piece(at)) ++pieces;
    const auto own = ws.split(threads->size());
    threads->run(pieces, [&](index_t item, int worker) {
        index_t first = 0;
        for (; item > 0; --item) first += piece(first);
        one(first, piece(first), own[static_cast<std::size_t>(worker)]);
    });
    workspace::level(own);
}

}  // namespace hrm
