#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

namespace test {

/// A fresh folder under the temporary one, removed with everything in it at the end of the scope.
struct folder {
    std::string path;

    folder() {
        const char* base = std::getenv("TMPDIR");
        path = std::string(base ? base : "/tmp") + "/hrm-test-XXXXXX";
        if (!::mkdtemp(path.data())) std::abort();
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
    ~folder() { remove(path); }

    std::string file(const std::string& name) const { return path + "/" + name; }
    /// What lies in it, sorted.
    std::vector<std::string> entries() const { return entries_of(path); }

private:
    static std::vector<std::string> entries_of(const std::string& where) {
        std::vector<std::string> list;
        if (DIR* d = ::opendir(where.c_str())) {
            while (const auto* e = ::readdir(d))
                if (std::string name = e->d_name; name != "." && name != "..") list.push_back(std::move(name));
            ::closedir(d);
        }
        std::sort(list.begin(), list.end());
        return list;
    }
    static void remove(const std::string& where) {
        for (const auto& name : entries_of(where)) remove(where + "/" + name);
        if (::unlink(where.c_str()) != 0) ::rmdir(where.c_str());
    }
};

}  // namespace test
