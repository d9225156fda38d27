#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <hrm/core/view.hpp>

namespace hrm::test {

/// A matrix of zeros whose last number ends where a page begins that nobody may touch: whoever reads or writes behind it is killed.
template <class S>
class guarded_matrix {
public:
    guarded_matrix(index_t rows, index_t cols) {
        const auto bytes = static_cast<std::size_t>(rows * cols) * sizeof(S), page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t body = (bytes + page - 1) / page * page;
        size_ = body + page;
        all_ = static_cast<std::byte*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        REQUIRE(all_ != MAP_FAILED);
        REQUIRE(mprotect(all_ + body, page, PROT_NONE) == 0);
        view_ = {reinterpret_cast<S*>(all_ + body - bytes), rows, cols};
    }
    guarded_matrix(const guarded_matrix&) = delete;
    guarded_matrix& operator=(const guarded_matrix&) = delete;
    ~guarded_matrix() { munmap(all_, size_); }
    matrix_view<S> view() const { return view_; }

private:
    std::byte* all_ = nullptr;
    std::size_t size_ = 0;
    matrix_view<S> view_;
};

}  // namespace hrm::test
