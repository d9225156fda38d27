#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hrm/core/error.hpp>
#include <hrm/core/matrix.hpp>

namespace hrm {
namespace detail {

/// A POSIX descriptor, closed at the end of its scope.
class descriptor {
public:
    explicit descriptor(int number) : number_(number) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    operator int() const { return number_; }
    /// close(2) may report a late write error (network file systems do), so a writer asks.
    int close() {
        const int n = number_;
        number_ = -1;
        return ::close(n);
    }

private:
    int number_;
};

/// Throws io_error("where: path: what errno says" + more).
[[noreturn]] inline void throw_errno(std::string_view where, const std::string& path, int number,
                                     const std::string& more = {}) {
    throw io_error(std::string(where) + ": " + path + ": " + std::strerror(number) + more);
}

/// Writes all of them; the errno of a failure, else 0. done counts what was written.
inline int write_all(int file, std::span<const std::byte> bytes, std::size_t& done) {
    while (done < bytes.size()) {
        const auto n = ::write(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno != EINTR) return errno;
        if (n > 0) done += static_cast<std::size_t>(n);
    }
    return 0;
}

/// Where a link leads, if it leads to something; any other path as it is.
inline std::string followed(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0 || !S_ISLNK(about.st_mode)) return path;
    const std::unique_ptr<char, void (*)(void*)> target(::realpath(path.c_str(), nullptr), &std::free);
    return target ? target.get() : path;
}

/// Standard output or error, if a link such as /dev/stdout leads to the file it goes into; else -1. That file is not ours to
/// replace: it holds what was said before, and may have no name.
inline int standard_output(const std::string& path) {
    struct stat link {}, about {}, own {};
    if (::lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode) || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return -1;
    for (const int file : {STDOUT_FILENO, STDERR_FILENO})
        if (::fstat(file, &own) == 0 && own.st_dev == about.st_dev && own.st_ino == about.st_ino) return file;
    return -1;
}

inline std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace detail

inline std::span<const std::byte> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Whether a regular file is there.
inline bool file_exists(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
}

/// Bytes of a file; 0 where there is none.
inline index_t file_size(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? static_cast<index_t>(about.st_size) : 0;
}

/// The bytes of a regular file, all of them: a file that shrinks while it is read is an error, not a short answer.
inline buffer<std::byte> read_file(const std::string& path) {
    constexpr auto where = "hrm::read_file";
    detail::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file < 0) detail::throw_errno(where, path, errno);
    struct stat about {};
    if (::fstat(file, &about) != 0) detail::throw_errno(where, path, errno);
    if (!S_ISREG(about.st_mode)) throw io_error(std::string(where) + ": " + path + ": not a regular file");

    buffer<std::byte> bytes(static_cast<std::size_t>(about.st_size));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto n = ::read(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        const auto progress = " (read " + std::to_string(done) + " of " + std::to_string(bytes.size()) + " bytes)";
        if (n < 0) detail::throw_errno(where, path, errno, progress);
        if (n == 0) throw io_error(std::string(where) + ": " + path + ": ended early" + progress);
        done += static_cast<std::size_t>(n);
    }
    return bytes;
}

inline std::string read_text(const std::string& path) {
    const auto bytes = read_file(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Replaces the file at path by these bytes, or leaves it as it was: readers, and the next boot after a power cut, see
/// the old file or the new one, never a mixture.
///     temporary in the same folder, write, fsync, rename over path, fsync of the folder
/// Of a symbolic link the file it leads to is replaced. A pipe, a terminal or a device is written to, and so is /dev/stdout, wherever it goes.
/// Throws io_error "hrm::write_atomically: /path: No space left on device (wrote 123 of 456 bytes)"; the temporary is
/// removed then. A process killed in between leaves a file path.tmp-* behind, which nothing reads.
inline void write_atomically(const std::string& path, std::span<const std::byte> bytes) {
    constexpr auto where = "hrm::write_atomically";
    std::size_t done = 0;
    const auto progress = [&] { return " (wrote " + std::to_string(done) + " of " + std::to_string(bytes.size()) + " bytes)"; };
    if (const int own = detail::standard_output(path); own >= 0) {
        std::fflush(stdout);
        if (const int why = detail::write_all(own, bytes, done)) detail::throw_errno(where, path, why, progress());
        return;
    }
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) {
        detail::descriptor there(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (there < 0) detail::throw_errno(where, path, errno);
        if (const int why = detail::write_all(there, bytes, done)) detail::throw_errno(where, path, why, progress());
        return;
    }
    const auto target = detail::followed(path);
    // O_EXCL makes the name ours alone; a leftover of an earlier process with the same number is passed over.
    const auto stem = target + ".tmp-" + std::to_string(::getpid());
    std::string temporary = stem;
    int number = -1;
    for (int attempt = 1; attempt <= 100; ++attempt) {
        number = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (number >= 0 || errno != EEXIST) break;
        temporary = stem + "-" + std::to_string(attempt);
    }
    if (number < 0) detail::throw_errno(where, path, errno);
    detail::descriptor file(number);

    const auto fail = [&](int why) {
        ::unlink(temporary.c_str());
        detail::throw_errno(where, path, why, progress());
    };
    if (const int why = detail::write_all(file, bytes, done)) fail(why);
    if (::fsync(file) != 0) fail(errno);
    if (file.close() != 0) fail(errno);
    if (::rename(temporary.c_str(), target.c_str()) != 0) fail(errno);

    // The rename itself is durable once the folder is. Some file systems cannot sync a folder and say EINVAL.
    detail::descriptor folder(::open(detail::folder_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder < 0 || (::fsync(folder) != 0 && errno != EINVAL)) detail::throw_errno(where, path, errno);
}

inline void write_atomically(const std::string& path, std::string_view text) { write_atomically(path, as_bytes(text)); }

}  // namespace hrm
