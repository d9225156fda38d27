#pragma once

#include <csignal>

namespace hrm::examples {

namespace detail {
inline volatile std::sig_atomic_t signal_seen = 0;
}

/// From here on Ctrl-C (SIGINT) and SIGTERM only raise a flag, so that a loop can finish its step and leave a checkpoint;
/// a second one ends the program at once, as ever.
inline void catch_interrupts() {
    struct sigaction action = {};
    action.sa_handler = [](int number) { detail::signal_seen = number; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

/// Whether one has come.
inline bool interrupted() { return detail::signal_seen != 0; }

/// What a program that stopped for it returns: 130 after Ctrl-C, 143 after SIGTERM.
inline int interrupt_status() { return 128 + detail::signal_seen; }

}  // namespace hrm::examples
