#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include <hrm/core/error.hpp>
#include <hrm/io/file.hpp>

// What is asked before long work begins.

namespace hrm::examples {

/// Refuses a file that could not be written.
inline void require_place(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code none;
    if (path.empty()) throw io_error("hrm: a file to write has no name");
    if (fs::is_directory(path, none)) throw io_error("hrm: " + path + " is a folder, expected a file to write");
    if ((fs::exists(path, none) && !fs::is_regular_file(path, none)) || hrm::detail::standard_output(path) >= 0) return;  // a pipe, a terminal
    const auto parent = (fs::is_regular_file(path, none) ? fs::canonical(path, none) : fs::absolute(path, none)).parent_path();
    if (!fs::is_directory(parent, none)) throw io_error("hrm: no folder " + parent.string() + " to write " + path + " into");
    if (::access(parent.c_str(), W_OK) != 0) throw io_error("hrm: " + parent.string() + " is read-only: " + path + " cannot be written");
}

/// Makes a folder for results, or says why it cannot be.
inline void require_folder(const std::string& path) {
    std::error_code why;
    std::filesystem::create_directories(path, why);
    if (!why && !std::filesystem::is_directory(path, why)) why = std::make_error_code(std::errc::not_a_directory);
    if (why) throw io_error("hrm: " + path + ": " + why.message());
}

/// Refuses to go on from a checkpoint of other settings, and names those. Both are JSON objects.
inline void require_same_run(const std::string& program, const std::string& folder, const std::string& saved, const std::string& wanted) {
    if (saved == wanted) return;
    const auto was = nlohmann::json::parse(saved, nullptr, false), is = nlohmann::json::parse(wanted);
    std::string list;
    for (const auto& [name, value] : is.items())
        if (const auto old = was.is_object() && was.contains(name) ? was[name] : nlohmann::json(); old != value)
            list += (list.empty() ? "" : ", ") + name + " " + old.dump() + " there and " + value.dump() + " here";
    throw error(program + ": the checkpoint in " + folder + " is of another run: " + list + "; --run FOLDER starts one beside it");
}

}  // namespace hrm::examples
