#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hrm/core/error.hpp>

namespace hrm {

/// The options of an adapter as its file stores them: (name, text).
using option_list = std::vector<std::pair<std::string, std::string>>;

/// The shortest decimal that reads back as the same double.
inline std::string number_text(double x) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, x).ptr;
    return {text, end};
}

/// The text stored under a name, or null.
inline const std::string* find_option(const option_list& list, std::string_view name) {
    for (const auto& [key, value] : list)
        if (key == name) return &value;
    return nullptr;
}

/// Reads the number stored under a name; leaves `to` as it is when there is none. Throws error for other text.
template <class T>
    requires(std::integral<T> || std::floating_point<T>) && (!std::same_as<T, bool>)
void read_option(const option_list& list, std::string_view name, T& to) {
    const auto* text = find_option(list, name);
    if (!text) return;
    const auto* end = text->data() + text->size();
    const auto [stopped, status] = std::from_chars(text->data(), end, to);
    if (status != std::errc{} || stopped != end)
        throw error("hrm::adapter: option " + std::string(name) + " is \"" + *text + "\", expected a number");
}
inline void read_option(const option_list& list, std::string_view name, bool& to) {
    const auto* text = find_option(list, name);
    if (!text) return;
    if (*text != "yes" && *text != "no")
        throw error("hrm::adapter: option " + std::string(name) + " is \"" + *text + "\", expected yes or no");
    to = *text == "yes";
}

/// Reads one of the given words as the enumerator at its place.
template <class E, std::size_t N>
    requires std::is_enum_v<E>
void read_option(const option_list& list, std::string_view name, const std::array<std::string_view, N>& words, E& to) {
    const auto* text = find_option(list, name);
    if (!text) return;
    std::string known;
    for (std::size_t i = 0; i < N; ++i) {
        if (words[i] == *text) {
            to = static_cast<E>(i);
            return;
        }
        known += (i ? ", " : "") + std::string(words[i]);
    }
    throw error("hrm::adapter: option " + std::string(name) + " is \"" + *text + "\", expected one of " + known);
}

}  // namespace hrm
