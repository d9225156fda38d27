#pragma once

#include <cmath>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

// What a program asks of its command line, and says in a line where it gets something else.

namespace hrm::examples {

namespace detail {

inline CLI::Validator numbers(std::string expected, bool (*good)(double, double), double limit) {
    return {[=](std::string& text) {
                double x = 0;
                if (CLI::detail::lexical_cast(text, x) && good(x, limit)) return std::string();
                return text + ", expected a number " + expected;
            },
            expected};
}

}  // namespace detail

inline CLI::Validator at_least(int least) {
    return detail::numbers("of at least " + std::to_string(least), [](double x, double l) { return x >= l && std::isfinite(x); }, least);
}
inline CLI::Validator positive() {
    return detail::numbers("above 0", [](double x, double) { return x > 0 && std::isfinite(x); }, 0);
}

/// Of a file or folder: an empty one, often a variable the shell did not know, would pass for none given.
inline CLI::Validator a_name() {
    return {[](std::string& text) { return text.empty() ? std::string("an empty name, expected that of a file or folder") : std::string(); }, ""};
}

/// One of the words stands for its value.
template <class T>
CLI::Validator one_of(const std::map<std::string, T>& words) {
    std::string list;
    for (const auto& [word, value] : words) list += (list.empty() ? "" : ", ") + word;
    return {[=](std::string& text) {
                const auto found = words.find(text);
                if (found == words.end()) return text + ", expected one of " + list;
                text = std::to_string(static_cast<int>(found->second));
                return std::string();
            },
            list};
}

}  // namespace hrm::examples
