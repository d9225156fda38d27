#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <hrm/core/scalar.hpp>

namespace hrm {
namespace detail {

/// The width of the terminal behind a stream, in letters; 0 where it does not say.
inline std::size_t terminal_columns(std::FILE* to) {
    winsize size{};
    return ::ioctl(fileno(to), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
/// What is drawn again and again must not wrap, or every drawing leaves a line behind.
inline std::string cut_to(std::string text, std::size_t columns) {
    if (columns > 0 && text.size() >= columns) text.resize(columns - 1);
    return text;
}

}  // namespace detail

/// A progress bar on standard error:
///     pretrain  [##########----------] 812/1600  3.1/s  4:14 left  2.31 bits
/// On a terminal one line is redrawn, at most ten times a second, with a shorter bar where it is narrow; into a file a line is written now and then (every
/// `quiet` seconds), so that logs stay short. Costs a clock reading an update.
class progress {
public:
    using clock = std::chrono::steady_clock;

    progress(std::string label, index_t total, std::FILE* to = stderr, double quiet = 30)
        : label_(std::move(label)), total_(total), to_(to), terminal_(isatty(fileno(to)) != 0),
          pause_(terminal_ ? 0.1 : quiet), start_(clock::now()), shown_(start_) {}
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { finish(); }

    /// Where counting starts if it is not 0: a resumed run's rate is of its own work.
    void begin_at(index_t done) { first_ = done_ = done; }

    void update(index_t done, std::string_view note = {}) {
        done_ = done;
        note_ = note;
        const auto now = clock::now();
        if (seconds(now - shown_) < pause_) return;
        shown_ = now;
        show(now);
    }
    /// Draws the last state and ends the line. The destructor does it too.
    void finish() {
        if (finished_) return;
        finished_ = true;
        show(clock::now());
        if (terminal_) std::fputc('\n', to_);
        std::fflush(to_);
    }

    /// The line itself, after so many seconds, in `columns` letters at most (0: any): the bar gives way first, then the label.
    std::string line(double elapsed, std::size_t columns = 0) const {
        std::size_t bar = 20;
        auto label = label_;
        auto out = draw(label, bar, elapsed);
        if (columns == 0 || out.size() <= columns) return out;
        bar -= std::min(bar, out.size() - columns);
        out = draw(label, bar, elapsed);
        if (out.size() > columns) {
            label.resize(label.size() - std::min(label.size(), out.size() - columns));
            out = draw(label, bar, elapsed);
        }
        return detail::cut_to(std::move(out), columns + 1);
    }

private:
    std::string draw(const std::string& label, std::size_t bar, double elapsed) const {
        const auto width = static_cast<index_t>(bar);
        const index_t total = total_ > 0 ? total_ : 1;
        const auto full = static_cast<std::size_t>(done_ >= total ? width : done_ * width / total);
        const double rate = elapsed > 0 ? static_cast<double>(done_ - first_) / elapsed : 0;
        std::string out = label + "  [" + std::string(full, '#') + std::string(static_cast<std::size_t>(width) - full, '-') +
                          "] " + std::to_string(done_) + "/" + std::to_string(total_);
        char text[64];
        if (rate > 0) {
            std::snprintf(text, sizeof text, "  %.3g/s", rate);
            out += text;
            const auto left = static_cast<long>(static_cast<double>(total_ - done_) / rate + 0.5);
            if (done_ < total_) std::snprintf(text, sizeof text, "  %ld:%02ld left", left / 60, left % 60);
            else std::snprintf(text, sizeof text, "  %ld:%02ld", static_cast<long>(elapsed) / 60, static_cast<long>(elapsed) % 60);
            out += text;
        }
        return note_.empty() ? out : out + "  " + note_;
    }
    static double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }
    void show(clock::time_point now) {
        const auto columns = terminal_ ? detail::terminal_columns(to_) : 0;
        const auto text = line(seconds(now - start_), columns > 0 ? columns - 1 : 0);
        if (terminal_) std::fprintf(to_, "\r%s\033[K", text.c_str());
        else std::fprintf(to_, "%s\n", text.c_str());
        std::fflush(to_);
    }

    std::string label_, note_;
    index_t total_, first_ = 0, done_ = 0;
    std::FILE* to_;
    bool terminal_, finished_ = false;
    double pause_;
    clock::time_point start_, shown_;
};

}  // namespace hrm
