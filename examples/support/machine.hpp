#pragma once

#include <fstream>
#include <string>
#include <thread>

namespace hrm::examples {

/// The processor's name and its number of threads, for the head of a report.
inline std::string machine() {
    std::string line, name = "unknown processor";
    std::ifstream info("/proc/cpuinfo");
    while (std::getline(info, line))
        if (line.starts_with("model name")) {
            name = line.substr(line.find(':') + 2);
            break;
        }
    return name + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
}

}  // namespace hrm::examples
