#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hrm/core/error.hpp>

namespace hrm::bench {

/// A peer in a process of its own that is asked and answers line by line.
class child {
public:
    child(const std::string& program, const std::string& script, const char* argument = nullptr) {
        int to[2], from[2];
        if (pipe(to) != 0 || pipe(from) != 0) throw error("bench: no pipe");
        id_ = fork();
        if (id_ < 0) throw error("bench: no process");
        if (id_ == 0) {
            dup2(to[0], 0), dup2(from[1], 1);
            for (const int f : {to[0], to[1], from[0], from[1]}) close(f);
            execlp(program.c_str(), program.c_str(), script.c_str(), argument, static_cast<char*>(nullptr));
            _exit(127);
        }
        close(to[0]), close(from[1]);
        ask_ = fdopen(to[1], "w"), answer_ = fdopen(from[0], "r");
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child() {
        std::fclose(ask_), std::fclose(answer_);
        waitpid(id_, nullptr, 0);
    }
    void tell(const std::string& line) {
        std::fprintf(ask_, "%s\n", line.c_str());
        std::fflush(ask_);
    }
    /// Throws error when the other side is gone.
    double number(const std::string& line) {
        tell(line);
        double x = 0;
        if (std::fscanf(answer_, "%lf", &x) != 1) throw error("bench: the peer's process gave no answer");
        return x;
    }

private:
    pid_t id_ = 0;
    std::FILE *ask_ = nullptr, *answer_ = nullptr;
};

/// A peer script run, on one thread, by the Python that HRM_TORCH_PYTHON names; null, and said so, where it names none.
inline std::unique_ptr<child> torch_peer(const std::string& script, const char* packages, const char* argument = nullptr) {
    const char* program = std::getenv("HRM_TORCH_PYTHON");
    if (!program) {
        std::printf("HRM_TORCH_PYTHON names no Python with %s: their rows are missing\n", packages);
        return nullptr;
    }
    setenv("OMP_NUM_THREADS", "1", 1);
    return std::make_unique<child>(program, script, argument);
}

}  // namespace hrm::bench
