#include <hrm/io/file.hpp>

#include <csignal>
#include <iostream>

#include <sys/resource.h>

#include <doctest/doctest.h>

#include "support/folder.hpp"

using namespace hrm;

namespace {
std::string thrown(auto&& f) {
    try {
        f();
    } catch (const io_error& e) {
        return e.what();
    }
    return "nothing";
}
}  // namespace

TEST_CASE("what was written is read, and replaces what was there") {
    const test::folder here;
    const auto path = here.file("a");
    for (const auto& text : {std::string("first"), std::string(), std::string("x\0y\xff\n", 5), std::string(1 << 20, 'q')}) {
        write_atomically(path, text);
        CHECK(read_text(path) == text);
    }
    CHECK(here.entries() == std::vector<std::string>{"a"});
    CHECK(file_exists(path));
    CHECK_FALSE(file_exists(here.file("b")));
    CHECK_FALSE(file_exists(here.path));
}

TEST_CASE("a missing file, a folder, a missing folder: one line with the path and the reason") {
    const test::folder here;
    CHECK(thrown([&] { read_file(here.file("none")); }) ==
          "hrm::read_file: " + here.file("none") + ": No such file or directory");
    CHECK(thrown([&] { read_file(here.path); }) == "hrm::read_file: " + here.path + ": not a regular file");
    CHECK(thrown([&] { write_atomically(here.file("no/such/file"), "x"); }) ==
          "hrm::write_atomically: " + here.file("no/such/file") + ": No such file or directory");
}

TEST_CASE("a file that cannot be replaced keeps what it holds, and no temporary stays") {
    const test::folder here;
    const auto path = here.file("folder");
    ::mkdir(path.c_str(), 0777);
    write_atomically(path + "/inside", "kept");
    // A folder cannot be replaced by a file: the rename, the last step, fails.
    CHECK(thrown([&] { write_atomically(path, "x"); }) ==
          "hrm::write_atomically: " + path + ": Is a directory (wrote 1 of 1 bytes)");
    CHECK(here.entries() == std::vector<std::string>{"folder"});
    CHECK(read_text(path + "/inside") == "kept");
}

TEST_CASE("a link stays one and what it leads to is replaced; a pipe is written to, not replaced") {
    const test::folder here;
    write_atomically(here.file("target"), "old");
    REQUIRE(::symlink("target", here.file("link").c_str()) == 0);
    write_atomically(here.file("link"), "new");
    CHECK(read_text(here.file("target")) == "new");
    struct stat about {};
    CHECK((::lstat(here.file("link").c_str(), &about) == 0 && S_ISLNK(about.st_mode)));

    REQUIRE(::symlink("nowhere", here.file("loose").c_str()) == 0);  // leads to nothing: becomes the file
    write_atomically(here.file("loose"), "here");
    CHECK(read_text(here.file("loose")) == "here");

    REQUIRE(::mkfifo(here.file("pipe").c_str(), 0600) == 0);
    const hrm::detail::descriptor reader(::open(here.file("pipe").c_str(), O_RDONLY | O_NONBLOCK));
    REQUIRE(reader >= 0);
    write_atomically(here.file("pipe"), "through");
    char text[16] = {};
    CHECK(::read(reader, text, sizeof text) == 7);
    CHECK(std::string(text) == "through");
    CHECK(here.entries() == std::vector<std::string>{"link", "loose", "pipe", "target"});
}

TEST_CASE("standard output that goes into a file is written to through /dev/stdout: the file keeps what was said before, and needs no name") {
    const test::folder here;
    const auto path = here.file("log");
    REQUIRE(::symlink("/dev/stdout", here.file("link").c_str()) == 0);
    std::cout.flush();
    std::fflush(stdout);
    const hrm::detail::descriptor terminal(::dup(STDOUT_FILENO)), log(::open(path.c_str(), O_CREAT | O_RDWR, 0600));
    REQUIRE((terminal >= 0 && log >= 0 && ::dup2(log, STDOUT_FILENO) == STDOUT_FILENO));
    std::printf("before,");
    const auto first = thrown([&] { write_atomically(here.file("link"), "written,"); });
    std::printf("between,");
    ::unlink(path.c_str());
    const auto second = thrown([&] { write_atomically(here.file("link"), "nameless"); });
    ::dup2(terminal, STDOUT_FILENO);
    CHECK(first == "nothing");
    CHECK(second == "nothing");
    char text[64] = {};
    CHECK(::pread(log, text, sizeof text - 1, 0) > 0);
    CHECK(std::string(text) == "before,written,between,nameless");
    CHECK(here.entries() == std::vector<std::string>{"link"});
}

TEST_CASE("a write that runs out of room says how far it came, and the old file stays") {
    const test::folder here;
    const auto path = here.file("a");
    write_atomically(path, "old");
    // The limit on a file's size stands in for a full disk: the kernel writes what fits, then refuses.
    struct rlimit before {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    auto small = before;
    small.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto message = thrown([&] { write_atomically(path, std::string(4096, 'x')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    CHECK(message == "hrm::write_atomically: " + path + ": File too large (wrote 1000 of 4096 bytes)");
    CHECK(read_text(path) == "old");
    CHECK(here.entries() == std::vector<std::string>{"a"});
}
