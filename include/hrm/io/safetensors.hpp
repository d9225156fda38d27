#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/io/detail/json.hpp>
#include <hrm/io/dtype.hpp>
#include <hrm/io/file.hpp>

// The safetensors format:  u64 N | N bytes of JSON | the tensors' bytes.
//     {"__metadata__": {"any": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
// Offsets count from the end of the JSON, row-major, little-endian.

namespace hrm {

/// One tensor of a file: what it is and where its bytes lie.
struct tensor_entry {
    hrm::dtype dtype = dtype::F32;
    std::vector<index_t> shape;
    std::size_t begin = 0, end = 0;  ///< of its bytes, in the file's data part
    index_t elements = 0;
};

/// "[2, 3]", for messages.
inline std::string to_text(const std::vector<index_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

/// A safetensors file in memory.
///     auto file = hrm::tensor_file::read("model.safetensors");
///     hrm::matrix<float> w = file.to_matrix<float>("lm_head.weight");
/// Reading is strict, for files come from strangers: the header is at most 100,000,000 bytes, sizes are multiplied with
/// overflow checks, the tensors tile the data exactly (no hole, no overlap, nothing left over), no name appears twice.
/// Throws io_error naming the file and the tensor. Bytes are copied out, never cast: files promise no alignment.
class tensor_file {
public:
    static constexpr std::uint64_t header_limit = 100'000'000;

    static tensor_file read(const std::string& path) { return tensor_file(read_file(path), path); }
    /// origin stands in messages where a path would.
    explicit tensor_file(buffer<std::byte> file, std::string origin = "memory")
        : file_(std::move(file)), origin_(std::move(origin)) {
        parse();
    }

    /// In ascending order.
    std::vector<std::string> names() const {
        std::vector<std::string> list;
        for (const auto& [name, e] : entries_) list.push_back(name);
        return list;
    }
    const std::map<std::string, tensor_entry>& entries() const { return entries_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    const std::string& origin() const { return origin_; }
    bool contains(const std::string& name) const { return entries_.contains(name); }
    const tensor_entry& at(const std::string& name) const {
        const auto found = entries_.find(name);
        if (found == entries_.end()) fail("no tensor named \"" + name + "\"");
        return found->second;
    }
    hrm::dtype dtype(const std::string& name) const { return at(name).dtype; }
    const std::vector<index_t>& shape(const std::string& name) const { return at(name).shape; }
    std::span<const std::byte> bytes(const std::string& name) const {
        const auto& e = at(name);
        return std::span<const std::byte>(file_).subspan(data_ + e.begin, e.end - e.begin);
    }
    /// Copies into a buffer of exactly as many numbers, converting F64, F32, BF16 and F16 to S.
    template <storable S>
    void copy_to(const std::string& name, std::span<S> out) const {
        const auto& e = at(name);
        if (e.elements != static_cast<index_t>(out.size()))
            fail("\"" + name + "\" is " + to_text(e.shape) + ", expected " + std::to_string(out.size()) + " numbers");
        try {
            convert(e.dtype, bytes(name), out);
        } catch (const io_error&) {
            fail("\"" + name + "\" is of " + std::string(hrm::name(e.dtype)) + ", expected F64, F32, BF16 or F16");
        }
    }
    /// A tensor of two dimensions; one of n numbers becomes 1 x n, a lone number 1 x 1.
    template <storable S>
    matrix<S> to_matrix(const std::string& name) const {
        const auto& e = at(name);
        if (e.shape.size() > 2) fail("\"" + name + "\" is " + to_text(e.shape) + ", expected a matrix");
        matrix<S> m(e.shape.size() == 2 ? e.shape[0] : 1, e.shape.empty() ? 1 : e.shape.back());
        copy_to(name, m.flat());
        return m;
    }

private:
    [[noreturn]] void fail(const std::string& what) const { throw io_error("hrm::tensor_file: " + origin_ + ": " + what); }

    void parse() {
        std::uint64_t length = 0;
        if (file_.size() < sizeof(length)) fail(std::to_string(file_.size()) + " bytes, expected at least 8");
        std::memcpy(&length, file_.data(), sizeof(length));
        if (length > header_limit)
            fail("a header of " + std::to_string(length) + " bytes, at most " + std::to_string(header_limit) + " allowed");
        if (length > file_.size() - sizeof(length))
            fail("a header of " + std::to_string(length) + " bytes in a file of " + std::to_string(file_.size()));
        data_ = sizeof(length) + static_cast<std::size_t>(length);
        const std::string_view text(reinterpret_cast<const char*>(file_.data()) + sizeof(length),
                                    static_cast<std::size_t>(length));
        const auto header = detail::parse_object(text, "hrm::tensor_file: " + origin_);
        for (const auto& [name, value] : header.items())
            if (name == "__metadata__") parse_metadata(value);
            else entries_[name] = parse_entry(name, value);
        check_tiling();
    }
    void parse_metadata(const detail::json& value) {
        if (!value.is_object()) fail("__metadata__ is not an object");
        for (const auto& [key, text] : value.items()) {
            if (!text.is_string()) fail("metadata \"" + key + "\" is not a string");
            metadata_[key] = text.get<std::string>();
        }
    }
    tensor_entry parse_entry(const std::string& name, const detail::json& value) const {
        const auto whole = [&](const detail::json& n) {  // 1.0, -1 and 2^64 are not sizes
            if (!n.is_number_unsigned()) fail("\"" + name + "\": " + n.dump() + " is not a size");
            return n.get<std::uint64_t>();
        };
        const auto list = [&](const char* key) -> const detail::json& {
            if (!value.is_object() || !value.contains(key)) fail("\"" + name + "\" has no " + key);
            if (!value[key].is_array()) fail("\"" + name + "\": " + key + " is not a list");
            return value[key];
        };
        tensor_entry e;
        const auto &shape = list("shape"), &offsets = list("data_offsets");
        if (!value.contains("dtype") || !value["dtype"].is_string()) fail("\"" + name + "\" has no dtype");
        try {
            e.dtype = dtype_from(value["dtype"].get<std::string>());
        } catch (const io_error& unknown) {
            fail("\"" + name + "\": " + unknown.what());
        }
        // Bits, not bytes: types of 4 and 6 bits must fill whole bytes. The product is kept below 2^63 at each step,
        // zero extents last, so that no order of extents hides an overflow.
        constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        std::uint64_t elements = 1;
        bool zero = false;
        for (const auto& n : shape) {
            const auto extent = whole(n);
            if (extent > most || (extent && elements > most / extent)) fail("\"" + name + "\": shape overflows");
            zero |= extent == 0;
            if (extent) elements *= extent;
            e.shape.push_back(static_cast<index_t>(extent));
        }
        if (zero) elements = 0;
        if (elements > most / bits(e.dtype)) fail("\"" + name + "\": shape overflows");
        if (elements * bits(e.dtype) % 8) fail("\"" + name + "\" does not fill whole bytes");
        e.elements = static_cast<index_t>(elements);

        if (offsets.size() != 2) fail("\"" + name + "\": data_offsets has " + std::to_string(offsets.size()) + " numbers, expected 2");
        const auto begin = whole(offsets[0]), end = whole(offsets[1]), size = elements * bits(e.dtype) / 8;
        if (begin > end || end - begin != size)
            fail("\"" + name + "\" " + to_text(e.shape) + " takes " + std::to_string(size) + " bytes, its offsets are [" +
                 std::to_string(begin) + ", " + std::to_string(end) + ")");
        if (end > file_.size() - data_)
            fail("\"" + name + "\" ends at byte " + std::to_string(end) + " of the data, the file holds " +
                 std::to_string(file_.size() - data_));
        e.begin = static_cast<std::size_t>(begin);
        e.end = static_cast<std::size_t>(end);
        return e;
    }
    void check_tiling() const {
        std::vector<std::pair<std::pair<std::size_t, std::size_t>, const std::string*>> order;
        for (const auto& [name, e] : entries_) order.push_back({{e.begin, e.end}, &name});
        std::stable_sort(order.begin(), order.end(), [](const auto& x, const auto& y) { return x.first < y.first; });  // ties by name
        std::size_t at = 0;
        for (const auto& [range, name] : order) {
            if (range.first != at)
                fail("\"" + *name + "\" starts at byte " + std::to_string(range.first) + " of the data, expected " +
                     std::to_string(at));
            at = range.second;
        }
        if (at != file_.size() - data_)
            fail("the tensors end at byte " + std::to_string(at) + " of the data, the file holds " +
                 std::to_string(file_.size() - data_));
    }

    buffer<std::byte> file_;
    std::string origin_;
    std::size_t data_ = 0;
    std::map<std::string, tensor_entry> entries_;
    std::map<std::string, std::string> metadata_;
};

/// Gathers tensors and writes them as one safetensors file.
///     hrm::tensor_writer out;
///     out.add("lm_head.weight", w.view());   out.metadata["format"] = "pt";
///     out.save("model.safetensors");
/// The bytes depend on the content alone, not on the order of the calls: tensors by descending dtype, then by name, the
/// header padded with spaces to a multiple of 8, as the format's own library writes them.
class tensor_writer {
public:
    std::map<std::string, std::string> metadata;

    /// Throws io_error when the name is taken, reserved, or the bytes do not fit the shape.
    void add(const std::string& name, dtype type, std::vector<index_t> shape, std::span<const std::byte> bytes) {
        std::size_t bits_needed = bits(type);
        for (const auto n : shape) bits_needed *= static_cast<std::size_t>(n);
        if (bits_needed != bytes.size() * 8)
            throw io_error("hrm::tensor_writer: \"" + name + "\" " + to_text(shape) + " got " +
                           std::to_string(bytes.size()) + " bytes, expected " + std::to_string(bits_needed / 8));
        if (name == "__metadata__" || !tensors_.try_emplace(name, tensor{type, std::move(shape), {bytes.begin(), bytes.end()}}).second)
            throw io_error("hrm::tensor_writer: the name \"" + name + "\" is taken");
    }
    template <storable S>
    void add(const std::string& name, matrix_view<const S> m) {
        const matrix<S> packed(m);
        add(name, dtype_of<S>, {m.rows, m.cols}, std::as_bytes(packed.flat()));
    }
    template <storable S>
    void add(const std::string& name, std::span<const S> values) {
        add(name, dtype_of<S>, {static_cast<index_t>(values.size())}, std::as_bytes(values));
    }

    /// The file's bytes.
    buffer<std::byte> bytes() const {
        std::vector<const std::pair<const std::string, tensor>*> order;
        for (const auto& t : tensors_) order.push_back(&t);
        std::stable_sort(order.begin(), order.end(), [](auto* x, auto* y) { return x->second.type > y->second.type; });

        std::string header = "{", comma;
        if (!metadata.empty()) {
            header += "\"__metadata__\":{";
            for (const auto& [key, text] : metadata) {
                header += comma + detail::quoted(key) + ":" + detail::quoted(text);
                comma = ",";
            }
            header += "}";
        }
        std::size_t at = 0;
        for (const auto* t : order) {
            const auto& [type, shape, content] = t->second;
            header += comma + detail::quoted(t->first) + ":{\"dtype\":\"" + std::string(name(type)) + "\",\"shape\":[";
            for (std::size_t i = 0; i < shape.size(); ++i) header += (i ? "," : "") + std::to_string(shape[i]);
            header += "],\"data_offsets\":[" + std::to_string(at) + ",";
            header += std::to_string(at += content.size()) + "]}";
            comma = ",";
        }
        header += "}";
        header.resize((header.size() + 7) / 8 * 8, ' ');

        const std::uint64_t length = header.size();
        buffer<std::byte> file(sizeof(length) + header.size() + at);
        auto* to = file.data();
        const auto put = [&](const void* from, std::size_t n) {
            if (n) std::memcpy(to, from, n);
            to += n;
        };
        put(&length, sizeof(length));
        put(header.data(), header.size());
        for (const auto* t : order) put(t->second.content.data(), t->second.content.size());
        return file;
    }
    /// Replaces the file at path atomically.
    void save(const std::string& path) const { write_atomically(path, bytes()); }

private:
    struct tensor {
        dtype type;
        std::vector<index_t> shape;
        buffer<std::byte> content;
    };
    std::map<std::string, tensor> tensors_;
};

}  // namespace hrm
