#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/io/file.hpp>
#include <hrm/train/data.hpp>

// Where the example programs find real text, and how they split it: train, validation (choices are made on it) and
// test (only reported). No document is in two of them.

namespace hrm::examples {

struct texts {
    std::string what;  ///< one line for the report
    std::vector<document> train, validation, test;
};

/// Refuses what is not text, by name and place.
inline void require_text(const std::string& path, std::string_view bytes) {
    if (bytes.empty()) throw io_error("hrm: " + path + " is empty: 0 bytes, a text is needed");
    if (const auto at = bytes.find('\0'); at != bytes.npos)
        throw io_error("hrm: " + path + " is not a text: a zero byte at " + std::to_string(at) + " of " + std::to_string(bytes.size()));
}

namespace detail {

// FNV-1a: a file stays in its split when others are added or removed. h: what came before.
inline std::uint64_t hash(std::string_view text, std::uint64_t h = 0xcbf29ce484222325) {
    for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return h;
}

inline void deal(texts& t, std::uint64_t key, document d) {
    auto& part = key % 10 == 0 ? t.test : key % 10 == 1 ? t.validation : t.train;
    part.push_back(std::move(d));
}

inline void require_parts(const texts& t, const std::string& from) {
    for (const auto* part : {&t.train, &t.validation, &t.test})
        if (part->empty())
            throw io_error("hrm: " + from + " is too small to be split into train, validation and test: " +
                           std::to_string(t.train.size()) + ", " + std::to_string(t.validation.size()) +
                           " and " + std::to_string(t.test.size()) + " documents");
}

}  // namespace detail

/// Every text file below a folder, one document each; files under 512 bytes or over 128 KiB (tables) are left out.
/// The split goes by the name's hash: about 80, 10 and 10 percent.
inline texts texts_of_folder(const std::string& folder) {
    namespace fs = std::filesystem;
    if (!fs::is_directory(folder)) throw io_error("hrm: no folder " + folder);
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && entry.file_size() >= 512 && entry.file_size() <= 128 * 1024) paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    texts t;
    for (const auto& p : paths) {
        const auto raw = read_file(p);
        std::string bytes(reinterpret_cast<const char*>(raw.data()), raw.size());
        if (bytes.find('\0') != bytes.npos) continue;
        const auto name = p.substr(folder.size());
        detail::deal(t, detail::hash(name), {name, std::move(bytes)});
    }
    detail::require_parts(t, folder);
    t.what = std::to_string(paths.size()) + " files of " + folder;
    return t;
}

/// One file, cut into documents of 8 KiB; every tenth is for test, the one after it for validation.
inline texts texts_of_file(const std::string& path) {
    const auto raw = read_file(path);
    const std::string all(reinterpret_cast<const char*>(raw.data()), raw.size());
    require_text(path, all);
    constexpr std::size_t piece = 8192;
    texts t;
    for (std::size_t i = 0; i * piece < all.size(); ++i) {
        auto bytes = all.substr(i * piece, piece);
        if (bytes.size() < 512) break;
        detail::deal(t, i, {path + "#" + std::to_string(i), std::move(bytes)});
    }
    detail::require_parts(t, path + " (" + std::to_string(all.size()) + " bytes)");
    t.what = path + ", " + std::to_string(all.size()) + " bytes";
    return t;
}

/// The headers of the Eigen this machine carries: the demonstration's text.
inline texts eigen_headers() {
    for (const char* folder : {"/usr/include/eigen3", "/usr/local/include/eigen3", "/opt/homebrew/include/eigen3"})
        if (std::filesystem::is_directory(folder)) return texts_of_folder(folder);
    throw io_error("hrm: Eigen's headers are not in /usr/include/eigen3; say --text FILE or install libeigen3-dev");
}

}  // namespace hrm::examples
