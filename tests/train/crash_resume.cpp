#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/io/checkpoint_folder.hpp>

using namespace hrm;

namespace {

constexpr int steps = 160;

/// The program of crash/victim.cpp, and the end of a pipe on which it prints each step it is about to take.
struct victim {
    pid_t pid = 0;
    std::FILE* said = nullptr;

    victim(const std::string& folder, int threads) {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        const auto number = std::to_string(threads), count = std::to_string(steps);
        const char* const words[] = {HRM_CRASH_VICTIM, folder.c_str(), number.c_str(), count.c_str(), nullptr};  // an emulator's first, if any
        pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            dup2(ends[1], STDOUT_FILENO);
            close(ends[0]);
            close(ends[1]);
            execvp(words[0], const_cast<char* const*>(words));
            _exit(127);
        }
        close(ends[1]);
        said = fdopen(ends[0], "r");
    }
    ~victim() { std::fclose(said); }
    /// Waits until it is about to take this step, or has ended.
    void reach(int step) {
        int at = -1;
        while (at < step && std::fscanf(said, "%d", &at) == 1) {
        }
    }
    int wait() {
        int status = 0;
        waitpid(pid, &status, 0);
        return status;
    }
};

struct temporary_folder {
    std::string path;
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "hrm-crash-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
};

/// Runs it to its end while it is killed so many times; returns what it leaves. Every other kill waits for a random
/// step, the rest come a random time after the start: while it loads, between steps, in the middle of a save.
snapshot run(int threads, int kills) {
    const temporary_folder folder;
    random_stream random(static_cast<std::uint64_t>(threads), static_cast<std::uint64_t>(kills));
    int killed = 0;
    for (int k = 0; k < kills; ++k) {
        victim v(folder.path, threads);
        if (k % 2) v.reach(static_cast<int>(random.below(8)) + 6 * k);
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(k % 2 ? 3000 : 20000)));
        kill(v.pid, SIGKILL);
        killed += WIFSIGNALED(v.wait());
    }
    CHECK(killed >= kills * 9 / 10);  // a fast machine may finish under the last of them
    victim last(folder.path, threads);
    last.reach(steps);
    REQUIRE(last.wait() == 0);
    return load_checkpoint(folder.path + "/final.safetensors");
}

}  // namespace

TEST_CASE("killed at twenty random moments and resumed, a run ends at the same bits, on one thread and on two") {
    const auto whole = run(1, 0);
    CHECK(whole.number("adamw.steps") == steps);
    CHECK(run(2, 0) == whole);
    CHECK(run(1, 20) == whole);
    CHECK(run(2, 20) == whole);
}
