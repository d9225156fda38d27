#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <variant>

#include <hrm/core/error.hpp>
#include <hrm/core/matrix.hpp>

namespace hrm {

/// Everything a run needs in order to go on as if it had never stopped: tensors and words by name. Pure data; files are
/// the business of <hrm/io/checkpoint.hpp>.
///     snapshot s;
///     s.put("weight", w.view());            s.put_number("step", 400);
///     s.copy_to("weight", w.flat());        s.number("step");              // exact: the same bits come back
struct snapshot {
    using tensor = std::variant<matrix<float>, matrix<double>>;
    std::map<std::string, tensor> tensors;
    std::map<std::string, std::string> metadata;

    /// Copies values under a name, replacing what was there.
    template <real S>
    void put(const std::string& name, matrix_view<const S> values) {
        tensors[name] = matrix<S>(values);
    }
    /// A flat buffer is kept as one row.
    template <real S>
    void put(const std::string& name, std::span<const S> values) {
        put(name, matrix_view<const S>(values.data(), 1, static_cast<index_t>(values.size())));
    }
    template <class T>
        requires real<std::remove_const_t<T>>
    void put(const std::string& name, std::span<T> values) {
        put(name, std::span<const T>(values));
    }

    /// Throws error when the tensor is missing or of the other scalar.
    template <real S>
    const matrix<S>& get(const std::string& name) const {
        const auto found = tensors.find(name);
        if (found == tensors.end()) throw error("hrm::snapshot: no tensor named \"" + name + "\"");
        if (const auto* m = std::get_if<matrix<S>>(&found->second)) return *m;
        throw error("hrm::snapshot: \"" + name + "\" is not stored as " + (sizeof(S) == 4 ? "float" : "double"));
    }
    /// Copies the tensor into a buffer of exactly its size.
    template <real S>
    void copy_to(const std::string& name, std::span<S> out) const {
        const auto& m = get<S>(name);
        require_size("hrm::snapshot", "\"" + name + "\"", m.size(), static_cast<index_t>(out.size()));
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = m.data()[i];
    }
    const std::string& text(const std::string& key) const {
        const auto found = metadata.find(key);
        if (found == metadata.end()) throw error("hrm::snapshot: no entry \"" + key + "\"");
        return found->second;
    }
    void put_number(const std::string& key, std::int64_t value) { metadata[key] = std::to_string(value); }
    /// Throws error when the entry is missing or is not a whole number.
    std::int64_t number(const std::string& key) const {
        const auto& word = text(key);
        std::int64_t value = 0;
        const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (fault != std::errc{} || end != word.data() + word.size())
            throw error("hrm::snapshot: " + key + " is \"" + word + "\", expected a whole number");
        return value;
    }
    friend bool operator==(const snapshot&, const snapshot&) = default;
};

}  // namespace hrm
