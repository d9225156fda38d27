#pragma once

#include <algorithm>
#include <vector>

#include <hrm/core/matrix.hpp>

namespace hrm::detail {

/// Columns of one length, appended one by one; `together` of them lie behind each other, so that products run on many at once.
struct column_store {
    static constexpr index_t together = 256;
    index_t length = 0, count = 0;
    std::vector<buffer<double>> blocks = {};

    double* append() {
        if (count++ % together == 0) blocks.emplace_back().reserve(static_cast<std::size_t>(std::min(together, length) * length));
        blocks.back().resize(blocks.back().size() + static_cast<std::size_t>(length));
        return (*this)[count - 1];
    }
    /// The last one, in vain.
    void drop() {
        if (--count % together == 0) blocks.pop_back();
        else blocks.back().resize(blocks.back().size() - static_cast<std::size_t>(length));
    }
    double* operator[](index_t k) { return blocks[static_cast<std::size_t>(k / together)].data() + k % together * length; }
    const double* operator[](index_t k) const { return const_cast<column_store&>(*this)[k]; }
    /// Column by column: row i is column first + i.
    matrix_view<const double> block(index_t first) const {
        return {(*this)[first], std::min(together, count - first), length};
    }
};

}  // namespace hrm::detail
