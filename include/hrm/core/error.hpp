#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include <hrm/core/scalar.hpp>

namespace hrm {

/// Base of everything the library throws. what() is one line: where, the thing, and both numbers.
struct error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// An extent that does not fit: "hrm::discrete: B is 2x4, expected 4x4".
struct shape_error : error {
    using error::error;
};
/// A value that has no answer: an unstable pole, a NaN, an indefinite Gramian.
struct numerical_error : error {
    using error::error;
};
/// A pole outside the region of stability where only stable systems have an answer.
struct unstable_error : numerical_error {
    using numerical_error::numerical_error;
};
/// A file that is missing, truncated, hostile or cannot be written.
struct io_error : error {
    using error::error;
};

inline std::string extents(index_t rows, index_t cols) {
    return std::to_string(rows) + "x" + std::to_string(cols);
}

namespace detail {
// Functions of their own, or a check that holds would take as long as the call.
[[noreturn]] [[gnu::noinline]] [[gnu::cold]] inline void refuse_shape(std::string_view where, std::string_view what, index_t rows, index_t cols,
                                                                      index_t expected_rows, index_t expected_cols) {
    throw shape_error(std::string(where) + ": " + std::string(what) + " is " + extents(rows, cols) +
                      ", expected " + extents(expected_rows, expected_cols));
}
[[noreturn]] [[gnu::noinline]] [[gnu::cold]] inline void refuse_size(std::string_view where, std::string_view what, index_t size, index_t expected) {
    throw shape_error(std::string(where) + ": " + std::string(what) + " is " + std::to_string(size) +
                      ", expected " + std::to_string(expected));
}
}  // namespace detail

/// Throws shape_error("where: what is RxC, expected R'xC'") unless the extents agree.
inline void require_shape(std::string_view where, std::string_view what, index_t rows, index_t cols,
                          index_t expected_rows, index_t expected_cols) {
    if (rows != expected_rows || cols != expected_cols) detail::refuse_shape(where, what, rows, cols, expected_rows, expected_cols);
}

/// Throws shape_error("where: what is N, expected N'") unless the counts agree.
inline void require_size(std::string_view where, std::string_view what, index_t size, index_t expected) {
    if (size != expected) detail::refuse_size(where, what, size, expected);
}

}  // namespace hrm
