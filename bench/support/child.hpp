#pragma once

#include <cstdio>
#include <string>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hrm/core/error.hpp>

namespace hrm::bench {

/// A peer in a process of its own that is asked and answers line by line.
class child {
public:
    child(const std::string& program, const std::string& script) {
        int to[2], from[2];
        if (pipe(to) != 0 || pipe(from) != 0) throw error("bench: no pipe");
        id_ = fork();
        if (id_ < 0) throw error("bench: no process");
        if (id_ == 0) {
            dup2(to[0], 0), dup2(from[1], 1);
            for (const int f : {to[0], to[1], from[0], from[1]}) close(f);
            execlp(program.c_str(), program.c_str(), script.c_str(), static_cast<char*>(nullptr));
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

}  // namespace hrm::bench
