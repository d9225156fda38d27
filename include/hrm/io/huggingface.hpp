#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <hrm/adapter/text.hpp>
#include <hrm/io/detail/json.hpp>
#include <hrm/io/safetensors.hpp>
#include <hrm/model/transformer.hpp>

// Models as Hugging Face's transformers saves them: a folder with config.json and model.safetensors, or shards and their
// model.safetensors.index.json.
//     auto model = hrm::load_huggingface<float, hrm::bf16>("Mistral-7B-v0.1");

namespace hrm {

/// Reads the text of a MistralForCausalLM's config.json, in the spelling of transformers 4 (rope_theta) and of 5
/// (rope_parameters). What has no answer here is refused by name: another architecture or activation, biases, scaled
/// rotary positions, quantised weights. So is a key whose default has differed between releases, when it is missing.
/// Throws io_error; where names the file.
inline transformer_config config_from(std::string_view text, const std::string& where) {
    const auto j = detail::parse_object(text, where);
    const auto fail = [&](const std::string& what) { throw io_error(where + ": " + what); };
    const auto given = [&](const char* key) { return j.contains(key) && !j[key].is_null(); };
    const auto extent = [&](const char* key) {
        if (!given(key)) fail(std::string(key) + " is missing");
        if (!j[key].is_number_unsigned() || j[key] == 0 || j[key] > (1u << 30))
            fail(std::string(key) + " is " + j[key].dump() + ", expected a number from 1 to 2^30");
        return j[key].get<index_t>();
    };
    const auto number = [&](const detail::json& in, const char* key) {
        if (!in.contains(key) || !in[key].is_number()) fail(std::string(key) + " is missing");
        return in[key].get<double>();
    };
    const auto only = [&](const char* key, const detail::json& allowed) {
        if (given(key) && j[key] != allowed) fail(std::string(key) + " is " + j[key].dump() + ", only " + allowed.dump() + " is supported");
    };
    if (!given("model_type")) fail("model_type is missing");
    only("model_type", "mistral");
    only("architectures", detail::json::array({"MistralForCausalLM"}));
    only("hidden_act", "silu");
    for (const char* key : {"attention_bias", "mlp_bias"}) only(key, false);
    for (const char* key : {"rope_scaling", "quantization_config", "layer_types"}) only(key, nullptr);
    only("partial_rotary_factor", 1.0);

    transformer_config c;
    c.vocabulary = extent("vocab_size");
    c.width = extent("hidden_size");
    c.layers = extent("num_hidden_layers");
    c.heads = extent("num_attention_heads");
    c.kv_heads = extent("num_key_value_heads");
    c.hidden = extent("intermediate_size");
    if (!given("head_dim") && c.width % c.heads != 0)
        fail("hidden_size " + std::to_string(c.width) + " is not a multiple of num_attention_heads " + std::to_string(c.heads));
    c.head_width = given("head_dim") ? extent("head_dim") : c.width / c.heads;
    if (!j.contains("sliding_window")) fail("sliding_window is missing (null: none)");
    c.window = given("sliding_window") ? extent("sliding_window") : 0;
    c.rms_eps = number(j, "rms_norm_eps");
    if (given("rope_parameters")) {
        const auto& rope = j["rope_parameters"];
        if (!rope.is_object()) fail("rope_parameters is not an object");
        const auto type = rope.value("rope_type", detail::json("default"));
        if (type != "default") fail("rope_type is " + type.dump() + ", only \"default\" is supported");
        c.rope_theta = number(rope, "rope_theta");
    } else {
        c.rope_theta = number(j, "rope_theta");
    }
    if (given("tie_word_embeddings")) {
        if (!j["tie_word_embeddings"].is_boolean()) fail("tie_word_embeddings is neither true nor false");
        c.tied = j["tie_word_embeddings"].get<bool>();
    }
    try {
        check(c);
    } catch (const shape_error& e) {
        fail(e.what());
    }
    return c;
}

/// The config.json of a model: both spellings of the rotary base, so that any release reads it.
inline std::string config_text(const transformer_config& c) {
    nlohmann::ordered_json j = {
        {"architectures", {"MistralForCausalLM"}}, {"model_type", "mistral"}, {"vocab_size", c.vocabulary},
        {"hidden_size", c.width}, {"intermediate_size", c.hidden}, {"num_hidden_layers", c.layers},
        {"num_attention_heads", c.heads}, {"num_key_value_heads", c.kv_heads}, {"head_dim", c.head_width},
        {"hidden_act", "silu"}, {"rms_norm_eps", c.rms_eps}, {"rope_theta", c.rope_theta},
        {"rope_parameters", {{"rope_theta", c.rope_theta}, {"rope_type", "default"}}},
        {"sliding_window", nullptr}, {"tie_word_embeddings", c.tied}};
    if (c.window) j["sliding_window"] = c.window;
    return j.dump(2) + "\n";
}

namespace detail {

/// The files that hold a folder's tensors, each with the names it must hold; no names: whatever is in it.
inline std::map<std::string, std::vector<std::string>> shards_of(const std::string& folder) {
    if (file_exists(folder + "/model.safetensors")) return {{"model.safetensors", {}}};
    const auto path = folder + "/model.safetensors.index.json";
    if (!file_exists(path)) throw io_error("hrm::load_huggingface: " + folder + ": neither model.safetensors nor its index.json");
    const auto where = "hrm::load_huggingface: " + path;
    const auto index = parse_object(read_text(path), where);
    if (!index.contains("weight_map") || !index["weight_map"].is_object()) throw io_error(where + ": no weight_map");
    std::map<std::string, std::vector<std::string>> shards;
    for (const auto& [tensor, shard] : index["weight_map"].items()) {
        // An index must not send the reader out of its folder.
        const auto file = shard.is_string() ? shard.get<std::string>() : std::string();
        if (file.empty() || file.starts_with(".") || file.find_first_of("/\\") != file.npos || file.find('\0') != file.npos)
            throw io_error(where + ": \"" + tensor + "\" lies in " + shard.dump() + ", which is not the name of a file");
        shards[file].push_back(tensor);
    }
    if (shards.empty()) throw io_error(where + ": the weight_map is empty");
    return shards;
}

/// A config may lie: a model that its files could not fill with a byte a parameter is refused before it is allocated.
inline void require_filled(const transformer_config& c, const std::string& folder,
                           const std::map<std::string, std::vector<std::string>>& shards) {
    constexpr double spared = 0x1p20;  // parameters nobody minds
    const auto d = [](index_t n) { return static_cast<double>(n); };  // products of extents up to 2^30: 2^90
    const double attention = 2 * d(c.width) * d(c.head_width) * (d(c.heads) + d(c.kv_heads));
    const double parameters = d(c.layers) * (attention + 3 * d(c.width) * d(c.hidden)) + d(c.vocabulary) * d(c.width);
    double bytes = 0;
    for (const auto& [shard, names] : shards) bytes += static_cast<double>(file_size(folder + "/" + shard));
    if (parameters <= bytes + spared) return;
    throw io_error("hrm::load_huggingface: " + folder + ": config.json asks for " + number_text(parameters) +
                   " parameters, the files hold " + number_text(bytes) + " bytes");
}

/// Norms, the tensors without decay, are vectors in the files; all others are [out, in].
template <class Entry>
std::vector<index_t> shape_in_file(const Entry& e) {
    if (e.decay == decay::no) return {e.cols};
    return {e.rows, e.cols};
}

/// Fills a model from files handed in one by one, and says at the end everything that did not fit.
template <real S, storable W>
class weight_loader {
public:
    explicit weight_loader(transformer<S, W>& model) : model_(model), seen_(model.parameters().entries().size()) {}

    void take(const tensor_file& file, const std::vector<std::string>& promised) {
        for (const auto& name : promised)
            if (!file.contains(name)) file.at(name);  // throws, naming file and tensor
        for (const auto& name : file.names()) {
            if (!promised.empty() && std::find(promised.begin(), promised.end(), name) == promised.end())
                faults_.push_back(name + " in " + file.origin() + " is not in the index");
            else place(file, name);
        }
    }
    void finish(const std::string& where) {
        const auto& entries = model_.parameters().entries();
        for (std::size_t i = 0; i < entries.size(); ++i)
            if (!seen_[i]) faults_.push_back(entries[i].name + " " + to_text(shape_in_file(entries[i])) + " is missing");
        if (faults_.empty()) return;
        constexpr std::size_t most = 8;
        std::string what;
        for (std::size_t i = 0; i < std::min(most, faults_.size()); ++i) what += (i ? "; " : "") + faults_[i];
        if (faults_.size() > most) what += "; and " + std::to_string(faults_.size() - most) + " more";
        throw io_error("hrm::load_huggingface: " + where + ": " + what);
    }

private:
    void place(const tensor_file& file, const std::string& name) {
        auto& weights = model_.parameters();
        const auto& entries = weights.entries();
        if (name.ends_with("rotary_emb.inv_freq")) return;  // a constant that early releases stored
        const bool head_twice = name == "lm_head.weight" && model_.config().tied;  // the embedding decides
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const auto& e = entries[i];
            if (e.name != name) continue;
            if (seen_[i]) return faults_.push_back(name + " appears twice");
            seen_[i] = true;
            if (file.shape(name) != shape_in_file(e))
                return faults_.push_back(name + " is " + to_text(file.shape(name)) + ", expected " + to_text(shape_in_file(e)));
            const auto to = weights[static_cast<index_t>(i)];
            return file.copy_to(name, std::span<W>(to.data, static_cast<std::size_t>(to.size())));
        }
        if (!head_twice) faults_.push_back(name + " " + to_text(file.shape(name)) + " is not part of the model");
    }

    transformer<S, W>& model_;
    std::vector<bool> seen_;
    std::vector<std::string> faults_;
};

}  // namespace detail

/// Loads a folder into a model that computes in S and stores its weights as W; F32, F64, BF16 and F16 are converted.
/// One shard is in memory at a time. Throws io_error naming every tensor that is missing, does not belong, or has another
/// shape, with both shapes.
template <real S, storable W = S>
transformer<S, W> load_huggingface(const std::string& folder) {
    const auto config = folder + "/config.json";
    const auto shape = config_from(read_text(config), "hrm::load_huggingface: " + config);
    const auto shards = detail::shards_of(folder);
    detail::require_filled(shape, folder, shards);
    transformer<S, W> model(shape);
    detail::weight_loader<S, W> loader(model);
    for (const auto& [shard, names] : shards)
        loader.take(tensor_file::read(folder + "/" + shard), names);
    loader.finish(folder);
    return model;
}

/// Writes config.json and model.safetensors, the weights stored as T, into a folder, which is made when it is missing:
/// transformers reads it as its own.      hrm::save_huggingface<hrm::bf16>("base", model);
template <storable T, real S, storable W>
void save_huggingface(const std::string& folder, const transformer<S, W>& model) {
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) detail::throw_errno("hrm::save_huggingface", folder, errno);
    tensor_writer out;
    out.metadata["format"] = "pt";
    const auto flat = model.parameters().flat();
    for (const auto& e : model.parameters().entries()) {
        buffer<T> values;
        for (const auto w : flat.subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.size())))
            values.push_back(static_cast<T>(static_cast<accumulate_t<T>>(w)));
        out.add(e.name, dtype_of<T>, detail::shape_in_file(e), std::as_bytes(std::span(values)));
    }
    out.save(folder + "/model.safetensors");
    write_atomically(folder + "/config.json", config_text(model.config()));
}

}  // namespace hrm
