#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "interrupt.hpp"

namespace hrm::examples {

/// Runs a program's body; an exception becomes one line on standard error and exit status 1.
template <class F>
int guarded(F&& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "hrm: not enough memory for what was asked\n");
        return 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}

/// What a signal leaves: the status a shell expects after Ctrl-C.
inline int stopped(const std::string& where) {
    std::fprintf(stderr, "stopped; the same command goes on from %s\n", where.c_str());
    return interrupt_status();
}

}  // namespace hrm::examples
