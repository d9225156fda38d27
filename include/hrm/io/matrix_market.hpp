#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/io/file.hpp>

// Matrix Market files, as text: the exchange format of NIST's collection and of most benchmarks of model reduction.
//     %%MatrixMarket matrix coordinate|array real|integer general|symmetric|skew-symmetric
//     % any comments
//     rows columns entries      then  i j value  an entry, counted from 1
//     rows columns              then  value      an entry, column by column; symmetric: from the diagonal down, skew: below it
// Boisvert, Pozo & Remington, "The Matrix Market exchange formats", NISTIR 5935, 1996.

namespace hrm {

/// Which half of a square matrix a file leaves to be filled in: none; a_ji = a_ij; a_ji = -a_ij.
enum class market_symmetry { general, symmetric, skew };

/// What a writer chooses; automatic takes the shorter one.
enum class market_layout { automatic, array, coordinate };

/// A Matrix Market file in memory.
///     auto file = hrm::matrix_market_file::read("A.mtx");
///     hrm::matrix<double> a = file.to_dense();
///     file.for_each([&](hrm::index_t i, hrm::index_t j, double x) { ... });      // sparse: stored and mirrored entries
/// Reading is strict, for files come from strangers: the size line is checked against the bytes that follow before anything is
/// allocated, an entry that is missing, misplaced, given twice (to_dense) or one too many is an error, with its line.
/// Complex and pattern matrices are refused. Throws io_error naming the file, the line and both numbers.
class matrix_market_file {
public:
    /// What to_dense() allocates at most, in numbers: a coordinate file of 30 bytes can claim any size.
    static constexpr index_t most_dense = index_t{1} << 27;

    static matrix_market_file read(const std::string& path) { return matrix_market_file(read_text(path), path); }
    /// origin stands in messages where a path would.
    explicit matrix_market_file(std::string text, std::string origin = "memory") : text_(std::move(text)), origin_(std::move(origin)) {
        parse_head();
    }

    index_t rows() const { return rows_; }
    index_t cols() const { return cols_; }
    index_t entries() const { return entries_; }  ///< stored ones
    bool coordinate() const { return coordinate_; }
    market_symmetry symmetry() const { return symmetry_; }
    const std::vector<std::string>& comments() const { return comments_; }  ///< the lines before the size, without their %

    /// put(i, j, value) for every entry, counted from 0, in the file's order; mirrored ones follow theirs.
    template <class Put>
    void for_each(Put&& put) const {
        cursor at{text_, body_, body_line_};
        index_t i = 0, j = 0;
        const auto first = [&] { return symmetry_ == market_symmetry::general ? 0 : symmetry_ == market_symmetry::skew ? j + 1 : j; };
        if (!coordinate_) i = first();
        for (index_t k = 0; k < entries_; ++k) {
            if (coordinate_) {
                i = place(at, k, "row", rows_);
                j = place(at, k, "column", cols_);
                if (i < first()) fail(at, "entry " + pair(i, j) + " is not in the half a symmetric file stores");
            } else
                while (i == rows_) ++j, i = first();  // an empty column of a skew matrix is passed over
            const double x = number(at, k);
            put(i, j, x);
            if (symmetry_ != market_symmetry::general && i != j) put(j, i, symmetry_ == market_symmetry::skew ? -x : x);
            if (!coordinate_) ++i;
        }
        if (!at.word().empty()) fail(at, "more than the " + std::to_string(entries_) + " entries announced");
    }

    /// Throws io_error where rows x cols is above `most`.
    matrix<double> to_dense(index_t most = most_dense) const {
        if (cols_ > 0 && rows_ > most / cols_)
            throw io_error("hrm::matrix_market_file: " + origin_ + ": " + extents(rows_, cols_) + " would take more than " + std::to_string(most) +
                           " numbers as a dense matrix");
        matrix<double> m(rows_, cols_);
        std::vector<bool> given(coordinate_ ? static_cast<std::size_t>(m.size()) : 0);
        for_each([&](index_t i, index_t j, double x) {
            if (coordinate_) {
                auto seen = given[static_cast<std::size_t>(i * cols_ + j)];
                if (seen) throw io_error("hrm::matrix_market_file: " + origin_ + ": entry " + pair(i, j) + " is given twice");
                seen = true;
            }
            m(i, j) = x;
        });
        return m;
    }

private:
    /// Walks over the text word by word and counts lines.
    struct cursor {
        std::string_view text;
        std::size_t at;
        index_t line;

        std::string_view word() {
            while (at < text.size() && blank(text[at])) line += text[at++] == '\n';
            const auto begin = at;
            while (at < text.size() && !blank(text[at])) ++at;
            return text.substr(begin, at - begin);
        }
        static bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    };

    [[noreturn]] void fail(const cursor& at, const std::string& what) const {
        throw io_error("hrm::matrix_market_file: " + origin_ + ": line " + std::to_string(at.line) + ": " + what);
    }
    static std::string pair(index_t i, index_t j) { return "(" + std::to_string(i + 1) + ", " + std::to_string(j + 1) + ")"; }
    static std::string shown(std::string_view word) {  // files may hold anything
        std::string out;
        for (char c : word.substr(0, 32)) out += c >= ' ' && c <= '~' ? c : '?';
        return "\"" + out + (word.size() > 32 ? "...\"" : "\"");
    }
    std::string_view next(cursor& at, index_t done) const {
        const auto word = at.word();
        if (word.empty()) fail(at, "the file ends after " + std::to_string(done) + " of " + std::to_string(entries_) + " entries");
        return word;
    }
    index_t place(cursor& at, index_t done, const char* what, index_t limit) const {
        const auto word = next(at, done);
        const auto value = whole(at, word);
        if (value < 1 || value > limit) fail(at, std::string(what) + " " + std::to_string(value) + ", expected 1 to " + std::to_string(limit));
        return value - 1;
    }
    index_t whole(const cursor& at, std::string_view word) const {
        index_t value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc{} || end != word.data() + word.size()) fail(at, shown(word) + " is not a whole number");
        return value;
    }
    double number(cursor& at, index_t done) const {
        auto word = next(at, done);
        const auto all = word;
        if (word.size() > 1 && word[0] == '+' && word[1] != '-') word.remove_prefix(1);
        double value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error == std::errc::result_out_of_range) fail(at, shown(all) + " is beyond what a double holds");
        if (error != std::errc{} || end != word.data() + word.size()) fail(at, shown(all) + " is not a number");
        return value;
    }

    void parse_head() {
        cursor at{text_, 0, 1};
        if (text_.starts_with("\x1f\x8b")) fail(at, "compressed by gzip: gunzip it first");
        std::string_view line = take_line(at);
        std::vector<std::string> words;
        for (cursor c{line, 0, 1}; words.size() < 6;) {
            std::string word(c.word());
            if (word.empty()) break;
            std::transform(word.begin(), word.end(), word.begin(), [](char x) { return x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x; });
            words.push_back(std::move(word));
        }
        at.line = 1;
        if (words.size() != 5 || words[0] != "%%matrixmarket" || words[1] != "matrix")
            fail(at, "no Matrix Market file: it starts " + shown(line) + ", expected \"%%MatrixMarket matrix\" and three words");
        coordinate_ = words[2] == "coordinate";
        if (!coordinate_ && words[2] != "array") fail(at, "layout " + shown(words[2]) + ", expected coordinate or array");
        if (words[3] != "real" && words[3] != "integer") fail(at, "values are " + shown(words[3]) + ", expected real or integer");
        if (words[4] == "symmetric") symmetry_ = market_symmetry::symmetric;
        else if (words[4] == "skew-symmetric") symmetry_ = market_symmetry::skew;
        else if (words[4] != "general") fail(at, "symmetry " + shown(words[4]) + ", expected general, symmetric or skew-symmetric");

        at.line = 2;
        for (;; ++at.line) {
            const auto begin = at.at;
            if (begin >= text_.size()) fail(at, "the file ends before its size");
            line = take_line(at);
            const auto text = line.find_first_not_of(" \t\r");
            if (text == line.npos) continue;
            if (line[text] != '%') break;
            comments_.emplace_back(line.substr(text + 1, line.find_last_not_of('\r') - text));
        }
        cursor c{line, 0, at.line};
        const auto size = [&](const char* what) {
            const auto word = c.word();
            if (word.empty()) fail(at, std::string("the number of ") + what + " is missing");
            const auto value = whole(at, word);
            if (value < 0) fail(at, std::to_string(value) + " " + what);
            return value;
        };
        rows_ = size("rows");
        cols_ = size("columns");
        if (symmetry_ != market_symmetry::general && rows_ != cols_) fail(at, "a symmetric matrix is " + extents(rows_, cols_));
        // Every number takes a byte and a separator, so that what the file can hold is known before it is read.
        const auto left = static_cast<index_t>(text_.size() - at.at);
        const index_t bytes = coordinate_ ? 6 : 2, room = (left + 1) / bytes;
        if (coordinate_) entries_ = size("entries");
        else {
            if (cols_ > 0 && rows_ > std::numeric_limits<index_t>::max() / cols_) fail(at, extents(rows_, cols_) + " numbers cannot be counted");
            entries_ = rows_ * cols_;
            if (symmetry_ == market_symmetry::symmetric) entries_ = (entries_ - rows_) / 2 + rows_;
            if (symmetry_ == market_symmetry::skew) entries_ = (entries_ - rows_) / 2;
        }
        if (!c.word().empty()) fail(at, "the size line holds more than " + std::string(coordinate_ ? "three" : "two") + " numbers");
        if (entries_ > room)
            fail(at, std::to_string(entries_) + " entries announced, and " + std::to_string(left) + " bytes follow: room for at most " + std::to_string(room));
        body_ = at.at;
        body_line_ = at.line + 1;
    }
    std::string_view take_line(cursor& at) const {
        const std::string_view all(text_);
        const auto end = std::min(all.find('\n', at.at), all.size());
        const auto line = all.substr(at.at, end - at.at);
        at.at = std::min(end + 1, all.size());
        return line;
    }

    std::string text_, origin_;
    index_t rows_ = 0, cols_ = 0, entries_ = 0, body_line_ = 0;
    std::size_t body_ = 0;
    bool coordinate_ = false;
    market_symmetry symmetry_ = market_symmetry::general;
    std::vector<std::string> comments_;
};

/// The text of a Matrix Market file, general and real. Numbers are the shortest that read back the same bits.
inline std::string matrix_market_text(matrix_view<const double> m, market_layout layout = market_layout::automatic,
                                      const std::vector<std::string>& comments = {}) {
    const auto stored = [](double x) { return std::bit_cast<std::uint64_t>(x) != 0; };  // -0 is stored: it reads back as -0
    index_t count = 0;
    for (index_t i = 0; i < m.rows; ++i)
        for (index_t j = 0; j < m.cols; ++j) count += stored(m(i, j));
    const bool coordinate = layout == market_layout::coordinate || (layout == market_layout::automatic && 3 * count < m.rows * m.cols);
    std::string out = std::string("%%MatrixMarket matrix ") + (coordinate ? "coordinate" : "array") + " real general\n";
    for (const auto& c : comments) out += "%" + c + "\n";
    out += std::to_string(m.rows) + " " + std::to_string(m.cols) + (coordinate ? " " + std::to_string(count) : "") + "\n";
    for (index_t j = 0; j < m.cols; ++j)
        for (index_t i = 0; i < m.rows; ++i) {
            if (coordinate && !stored(m(i, j))) continue;
            if (coordinate) out += std::to_string(i + 1) + " " + std::to_string(j + 1) + " ";
            char text[32];
            out.append(text, std::to_chars(text, text + sizeof text, m(i, j)).ptr);
            out += '\n';
        }
    return out;
}

/// Replaces the file at path atomically.
inline void write_matrix_market(const std::string& path, matrix_view<const double> m, market_layout layout = market_layout::automatic,
                                const std::vector<std::string>& comments = {}) {
    write_atomically(path, matrix_market_text(m, layout, comments));
}

}  // namespace hrm
