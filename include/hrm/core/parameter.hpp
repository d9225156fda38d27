#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/matrix.hpp>

namespace hrm {

/// Whether AdamW's weight decay pulls on a tensor. Gates, norms, poles and step sizes are never decayed.
enum class decay { yes, no };

/// Named tensors in one flat buffer. A gradient, an optimiser moment or a saved copy is then just another flat
/// buffer of size() elements, and the same handle finds the same tensor in each.
///     parameter_set<float> p;
///     auto b = p.add("B", 32, 4096, decay::yes);
///     p[b](0, 0);   p.in(gradient, b)(0, 0);
/// Tensors start on 64-byte borders: size() counts the (always zero) gaps, count() does not.
template <storable S>
class parameter_set {
public:
    struct entry {
        std::string name;
        index_t rows = 0, cols = 0, offset = 0;
        hrm::decay decay = hrm::decay::yes;
        index_t size() const { return rows * cols; }
    };
    using handle = index_t;

    /// Throws shape_error for extents that are negative or multiply to more than 2^48: they may come from a file.
    handle add(std::string name, index_t rows, index_t cols, hrm::decay d) {
        constexpr index_t most = index_t{1} << 48;
        if (rows < 0 || cols < 0 || (cols > 0 && rows > most / cols))
            throw shape_error("hrm::parameter_set: " + name + " is " + extents(rows, cols) + ", expected 0 to 2^48 elements");
        constexpr index_t border = 64 / static_cast<index_t>(sizeof(S));
        entries_.push_back({std::move(name), rows, cols, size(), d});
        auto padded = (rows * cols + border - 1) / border * border;
        flat_.resize(flat_.size() + static_cast<std::size_t>(padded), S{});
        return static_cast<handle>(entries_.size()) - 1;
    }

    matrix_view<S> operator[](handle h) { return in(flat(), h); }
    matrix_view<const S> operator[](handle h) const { return in(flat(), h); }
    /// The tensor h of another flat buffer of the same layout (a gradient, a moment).
    template <class T>
    matrix_view<T> in(std::span<T> like, handle h) const {
        const auto& e = entries_[static_cast<std::size_t>(h)];
        require_size("hrm::parameter_set", "a flat buffer's size", static_cast<index_t>(like.size()), size());
        return {like.data() + e.offset, e.rows, e.cols};
    }
    std::span<S> flat() { return flat_; }
    std::span<const S> flat() const { return flat_; }
    const std::vector<entry>& entries() const { return entries_; }
    /// Elements of the flat buffer, gaps included.
    index_t size() const { return static_cast<index_t>(flat_.size()); }
    /// Parameters, gaps not counted: the number a paper prints.
    index_t count() const {
        index_t n = 0;
        for (const auto& e : entries_) n += e.size();
        return n;
    }
    handle find(std::string_view name) const {
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (entries_[i].name == name) return static_cast<handle>(i);
        throw error("hrm::parameter_set: no tensor named \"" + std::string(name) + "\"");
    }

private:
    std::vector<entry> entries_;
    buffer<S> flat_;
};

}  // namespace hrm
