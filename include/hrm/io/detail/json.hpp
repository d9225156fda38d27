#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <hrm/core/error.hpp>

namespace hrm::detail {

using json = nlohmann::json;

/// Parses one JSON object strictly. Beyond what the parser refuses by itself: keys named twice, nesting deeper than 64,
/// a NUL byte (the parser would take it for the end) and a byte order mark.
/// Throws io_error("where: what"), where names the file.
inline json parse_object(std::string_view text, const std::string& where) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos || text[first] != '{') throw io_error(where + ": not a JSON object");
    if (const auto nul = text.find('\0'); nul != text.npos)
        throw io_error(where + ": NUL at byte " + std::to_string(nul) + " of the JSON");

    std::vector<std::set<std::string>> keys;  // of each object that is open
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
        using e = json::parse_event_t;
        if (depth > 64) throw io_error(where + ": JSON nested deeper than 64");
        if (event == e::object_start) keys.emplace_back();
        if (event == e::object_end) keys.pop_back();
        if (event == e::key && !keys.back().insert(value.get<std::string>()).second)
            throw io_error(where + ": JSON key \"" + value.get<std::string>() + "\" appears twice");
        return true;
    };
    try {
        return json::parse(text.begin(), text.end(), watch);
    } catch (const json::parse_error& e) {
        throw io_error(where + ": malformed JSON at byte " + std::to_string(e.byte));
    } catch (const json::out_of_range&) {  // 1e999
        throw io_error(where + ": a number in the JSON is beyond what a double holds");
    }
}

/// The JSON spelling of a string. Throws io_error when it is not UTF-8.
inline std::string quoted(std::string_view text) {
    try {
        return json(std::string(text)).dump();
    } catch (const json::type_error&) {
        throw io_error("hrm: a name or metadata text is not UTF-8");
    }
}

}  // namespace hrm::detail
