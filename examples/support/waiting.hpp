#pragma once

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

#include <hrm/core/progress.hpp>

namespace hrm::examples {

/// Says on standard error what a program is at, once that has taken a few seconds, and for how long: on a terminal one line
/// that is redrawn, elsewhere a line every half minute. Quick work says nothing.
class waiting {
public:
    using clock = std::chrono::steady_clock;

    waiting() : terminal_(isatty(STDERR_FILENO) != 0), thread_([this](std::stop_token stop) { watch(stop); }) {}

    /// What comes next; returns the seconds the last one took.
    double now(std::string what) {
        const std::lock_guard lock(mutex_);
        const auto at = clock::now();
        const double took = seconds(at - since_);
        what_ = std::move(what);
        since_ = at;
        return took;
    }

private:
    static double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }
    void watch(std::stop_token stop) {
        std::unique_lock lock(mutex_);
        double next = 3;
        bool drawn = false;
        auto since = since_;
        while (!stop.stop_requested()) {
            woken_.wait_for(lock, stop, std::chrono::milliseconds(500), [] { return false; });
            if (since != since_) since = since_, next = 3;
            const double elapsed = seconds(clock::now() - since_);
            if (stop.stop_requested() || what_.empty() || elapsed < next) continue;
            if (!terminal_) next += 30;
            drawn = terminal_;
            char took[32];
            std::snprintf(took, sizeof took, ", %.0f s", elapsed);
            const auto line = hrm::detail::cut_to(what_ + took, terminal_ ? hrm::detail::terminal_columns(stderr) : 0);
            std::fprintf(stderr, terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
            std::fflush(stderr);
        }
        if (drawn) std::fputs("\r\033[K", stderr);
    }

    std::mutex mutex_;
    std::condition_variable_any woken_;
    std::string what_;
    clock::time_point since_ = clock::now();
    bool terminal_;
    std::jthread thread_;  // last: it uses the others, and ends before them
};

}  // namespace hrm::examples
