#pragma once

#include <cstdint>
#include <string>

#include <hrm/io/safetensors.hpp>
#include <hrm/train/checkpoint.hpp>

namespace hrm {
namespace detail {

/// FNV-1a, 64 bits: finds every single flipped byte, costs about a nanosecond a byte. Against accidents, not attackers.
/// Fowler, Noll & Vo; draft-eastlake-fnv.
inline std::uint64_t fnv1a(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325) {
    for (const auto b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3;
    return hash;
}

/// The checksum a checkpoint stores beside a tensor covers what it is as well as what it holds.
inline std::string tensor_checksum(dtype type, const std::vector<index_t>& shape, std::span<const std::byte> bytes) {
    return std::to_string(fnv1a(bytes, fnv1a(as_bytes(std::string(name(type)) + to_text(shape)))));
}
inline std::string text_checksum(const std::string& key, const std::string& text) {
    return std::to_string(fnv1a(as_bytes(text), fnv1a(as_bytes(key + '\n'))));
}

}  // namespace detail

/// Writes a snapshot as one safetensors file, any reader's: tensors under their names, words and checksums as metadata.
///     hrm::save_checkpoint("run/last.safetensors", trainer.save());
///     trainer.restore(hrm::load_checkpoint("run/last.safetensors"));
/// The checkpoint already at that path stays whole until the new one is safely on the disk. Throws io_error.
inline void save_checkpoint(const std::string& path, const snapshot& s) {
    tensor_writer out;
    const auto count = std::to_string(s.tensors.size()) + " " + std::to_string(s.metadata.size());
    out.metadata["checkpoint"] = count + " " + detail::text_checksum("checkpoint", count);
    for (const auto& [key, text] : s.metadata) {
        out.metadata["text." + key] = text;
        out.metadata["checksum.text." + key] = detail::text_checksum(key, text);
    }
    for (const auto& [name, values] : s.tensors)
        std::visit(
            [&, &name = name]<class S>(const matrix<S>& m) {
                const auto bytes = std::as_bytes(m.flat());
                const std::vector<index_t> shape{m.rows(), m.cols()};
                out.add(name, dtype_of<S>, shape, bytes);
                out.metadata["checksum." + name] = detail::tensor_checksum(dtype_of<S>, shape, bytes);
            },
            values);
    out.save(path);
}

/// Reads what save_checkpoint wrote, bit by bit the same. Throws io_error, one line, when the file is missing, truncated,
/// not a checkpoint, or when a single byte of it has changed.
inline snapshot load_checkpoint(const tensor_file& file) {
    const auto refuse = [&](const std::string& what) {
        throw io_error("hrm::load_checkpoint: " + file.origin() + ": " + what);
    };
    const auto& words = file.metadata();
    const auto check = [&](const std::string& what, const std::string& checksum) {
        const auto stored = words.find("checksum." + what);
        if (stored == words.end()) refuse("no checksum of \"" + what + "\"");
        if (stored->second != checksum)
            refuse("\"" + what + "\" is damaged: checksum " + checksum + ", expected " + stored->second);
    };

    snapshot s;
    for (const auto& [key, text] : words)
        if (key.starts_with("text.")) {
            check(key, detail::text_checksum(key.substr(5), text));
            s.metadata[key.substr(5)] = text;
        }
    for (const auto& [name, e] : file.entries()) {
        check(name, detail::tensor_checksum(e.dtype, e.shape, file.bytes(name)));
        if (e.shape.size() != 2) refuse("\"" + name + "\" is " + to_text(e.shape) + ", expected a matrix");
        if (e.dtype == dtype::F32) s.tensors[name] = file.to_matrix<float>(name);
        else if (e.dtype == dtype::F64) s.tensors[name] = file.to_matrix<double>(name);
        else refuse("\"" + name + "\" is of " + std::string(hrm::name(e.dtype)) + ", expected F32 or F64");
    }
    // A whole entry whose name was hit has lost its checksum's company: the counts find it.
    const auto count = std::to_string(s.tensors.size()) + " " + std::to_string(s.metadata.size());
    const auto stored = words.find("checkpoint");
    if (stored == words.end()) refuse("not a checkpoint");
    if (stored->second != count + " " + detail::text_checksum("checkpoint", count))
        refuse("holds " + count + " tensors and texts, expected " + stored->second.substr(0, stored->second.rfind(' ')));
    return s;
}

inline snapshot load_checkpoint(const std::string& path) { return load_checkpoint(tensor_file::read(path)); }

}  // namespace hrm
