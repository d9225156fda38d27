#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/core/workspace.hpp>

namespace hrm {

/// A few threads that wait (passively) for work and share the items of one loop at a time.
///     team t(cpu{.threads = 2});
///     t.run(sequences, [&](index_t item, int worker) { ... });    // worker < t.size(): whose scratch to use
/// Work is cut by the problem, never by the number of threads, so results do not depend on it: an item must write
/// only to places of its own. run() allocates nothing. The first exception of an item is rethrown by run().
class team {
public:
    explicit team(cpu where = {}) {
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
        {
            std::lock_guard lock(mutex_);
            context_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
            call_ = [](void* c, index_t i, int w) { (*static_cast<std::remove_reference_t<F>*>(c))(i, w); };
            items_ = items;
            next_ = 0;
            failure_ = nullptr;
            busy_ = static_cast<int>(threads_.size());
            ++round_;
        }
        wake_.notify_all();
        drain(0);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [&] { return busy_ == 0; });
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void join() {
        {
            std::lock_guard lock(mutex_);
            stop_ = true;
        }
        wake_.notify_all();
        for (auto& t : threads_) t.join();
    }
    void drain(int worker) {
        for (index_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < items_;) try {
                call_(context_, i, worker);
            } catch (...) {
                std::lock_guard lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
                next_ = items_;
            }
    }
    void work(int worker) {
        std::uint64_t seen = 0;
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return stop_ || round_ != seen; });
                if (stop_) return;
                seen = round_;
            }
            drain(worker);
            std::lock_guard lock(mutex_);
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::uint64_t round_ = 0;
    bool stop_ = false;
    int busy_ = 0;
    index_t items_ = 0;
    std::atomic<index_t> next_{0};
    void* context_ = nullptr;
    void (*call_)(void*, index_t, int) = nullptr;
    std::exception_ptr failure_;
};

/// f(first, count, scratch) over [0, size) in blocks, shared by the threads (null: this one), each with scratch of its own,
/// which gets back what a block takes. The second call of the same work allocates nothing, whichever thread takes what.
template <class F>
void share(team* threads, index_t size, index_t block, workspace& ws, F&& f) {
    if (size <= 0) return;
    const index_t items = (size + block - 1) / block;
    const auto one = [&](index_t item, workspace& own) {
        scratch_scope scope(own);
        f(item * block, std::min(block, size - item * block), own);
    };
    if (!threads || threads->size() == 1 || items == 1) {
        for (index_t item = 0; item < items; ++item) one(item, ws);
        return;
    }
    const auto own = ws.split(threads->size());
    threads->run(items, [&](index_t item, int worker) { one(item, own[static_cast<std::size_t>(worker)]); });
    workspace::level(own);
}

}  // namespace hrm
