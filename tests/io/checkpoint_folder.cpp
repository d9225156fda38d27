#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include <hrm/io/checkpoint_folder.hpp>

using namespace hrm;
namespace fs = std::filesystem;

namespace {

struct temporary_folder {
    std::string path;
    temporary_folder() {
        std::string name = (fs::temp_directory_path() / "hrm-folder-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~temporary_folder() { fs::remove_all(path); }
};

snapshot numbered(int step) {
    snapshot s;
    matrix<float> w(40, 100, static_cast<float>(step));
    s.put<float>("w", w.view());
    s.put_number("step", step);
    return s;
}

std::string complaint(checkpoint_folder& f, const snapshot& s) {
    try {
        f.save(s);
    } catch (const io_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a folder keeps the last two checkpoints and gives back the newest") {
    const temporary_folder t;
    checkpoint_folder f(t.path + "/deep/run");
    CHECK(!f.load());
    for (int step = 1; step <= 3; ++step) {
        f.save(numbered(step));
        CHECK(*f.load() == numbered(step));
    }
    CHECK(load_checkpoint(f.previous()) == numbered(2));
    CHECK(f.damage().empty());
}

TEST_CASE("a truncated checkpoint is passed over with a word, and the one before goes on") {
    const temporary_folder t;
    checkpoint_folder f(t.path);
    f.save(numbered(1));
    f.save(numbered(2));
    fs::resize_file(f.last(), fs::file_size(f.last()) / 2);
    CHECK(*f.load() == numbered(1));
    CHECK(f.damage().find("last.safetensors") != std::string::npos);
    CHECK(f.damage().find('\n') == std::string::npos);

    fs::resize_file(f.previous(), 3);
    CHECK_THROWS_AS(f.load(), io_error);
    fs::remove(f.last());
    fs::remove(f.previous());
    CHECK(!f.load());
}

TEST_CASE("a kill between the two renames, or in the middle of writing, loses nothing that was whole") {
    const temporary_folder t;
    checkpoint_folder f(t.path);
    f.save(numbered(1));
    f.save(numbered(2));
    fs::rename(f.last(), f.previous());
    CHECK(*f.load() == numbered(2));
    const auto half = t.path + "/next.safetensors.tmp-123";
    write_atomically(half, "half a checkpoint");
    checkpoint_folder again(t.path);
    CHECK(!fs::exists(half));
    CHECK(*again.load() == numbered(2));
}

TEST_CASE("a kill before or between the renames, the last one damaged: the next one goes on") {
    const temporary_folder t;
    checkpoint_folder f(t.path);
    f.save(numbered(1));
    f.save(numbered(2));
    save_checkpoint(t.path + "/next.safetensors", numbered(3));
    CHECK(*f.load() == numbered(3));
    fs::resize_file(f.last(), fs::file_size(f.last()) / 2);
    fs::rename(f.last(), f.previous());
    checkpoint_folder again(t.path);
    CHECK(*again.load() == numbered(3));
    again.save(numbered(4));
    CHECK(*again.load() == numbered(4));
    CHECK(std::distance(fs::directory_iterator(t.path), fs::directory_iterator()) == 2);
}

TEST_CASE("a disk that takes no more costs one line, and the last good checkpoints stay") {
    const temporary_folder t;
    checkpoint_folder f(t.path);
    f.save(numbered(1));
    f.save(numbered(2));
    // A limit on the size of files stops write(2) in the middle as a full disk does.
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{4096, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto said = complaint(f, numbered(3));
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(said.find(t.path) != std::string::npos);
    CHECK(said.find("wrote 4096 of ") != std::string::npos);
    CHECK(said.find('\n') == std::string::npos);
    CHECK(*f.load() == numbered(2));
    CHECK(load_checkpoint(f.previous()) == numbered(1));
    CHECK(std::distance(fs::directory_iterator(t.path), fs::directory_iterator()) == 2);
}

TEST_CASE("a folder that cannot be written is named") {
    // Not even root makes folders in /proc.
    CHECK_THROWS_WITH_AS(checkpoint_folder("/proc/hrm-run"), doctest::Contains("hrm::checkpoint_folder: /proc/hrm-run: "), io_error);
    if (geteuid() == 0) return;
    const temporary_folder t;
    checkpoint_folder f(t.path);
    f.save(numbered(1));
    fs::permissions(t.path, fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(complaint(f, numbered(2)).find("Permission denied") != std::string::npos);
    CHECK(*f.load() == numbered(1));
    fs::permissions(t.path, fs::perms::owner_all);
}
