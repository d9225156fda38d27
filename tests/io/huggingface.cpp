#include <hrm/io/huggingface.hpp>

#include <functional>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>
#include <hrm/model/initialize.hpp>

#include "support/folder.hpp"

using namespace hrm;

namespace {

const transformer_config small{.vocabulary = 11, .width = 8, .layers = 2, .heads = 4, .kv_heads = 2, .head_width = 2, .hidden = 12,
                               .window = 5, .rms_eps = 1e-6, .rope_theta = 5e5, .tied = false};

template <real S = float>
transformer<S> example(transformer_config c = small) {
    transformer<S> m(c);
    random_stream r(1);
    initialize(m, r);
    return m;
}
std::string thrown(const std::function<void()>& f) {
    try {
        f();
    } catch (const io_error& e) {
        CHECK(std::string(e.what()).find('\n') == std::string::npos);
        return e.what();
    }
    return "nothing";
}
bool ends(const std::string& text, const std::string& end) {
    CHECK_MESSAGE(text.ends_with(end), text);
    return text.ends_with(end);
}

const std::string mistral_7b = R"({"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096,
    "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu",
    "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "max_position_embeddings": 32768, "sliding_window": 4096, "vocab_size": 32000,
    "tie_word_embeddings": false, "torch_dtype": "bfloat16"})";
/// mistral_7b with one stretch of its text replaced.
std::string with(std::string_view old, std::string_view now) {
    auto text = mistral_7b;
    const auto at = text.find(old);
    REQUIRE(at != text.npos);
    return text.replace(at, old.size(), now);
}
/// What the config is refused for.
std::string refusal(const std::string& text) {
    const auto what = thrown([&] { config_from(text, "c"); });
    return what.substr(what.starts_with("c: ") ? 3 : 0);
}

}  // namespace

TEST_CASE("config.json in the spelling of both generations") {
    const transformer_config seven{32000, 4096, 32, 32, 8, 128, 14336, 4096, 1e-5, 10000, false};
    CHECK(config_from(mistral_7b, "c") == seven);
    CHECK(parameter_count(seven) == 7'241'732'096);
    auto later = seven;
    later.window = 0;
    later.rope_theta = 1e6;
    CHECK(config_from(with(R"("rope_theta": 10000.0, "max_position_embeddings": 32768, "sliding_window": 4096)",
                           R"("rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"}, "head_dim": 128, "sliding_window": null)"),
                      "c") == later);
    CHECK(config_from(config_text(small), "c") == small);
    auto tied = small;
    tied.tied = true;
    tied.window = 0;
    CHECK(config_from(config_text(tied), "c") == tied);
}

TEST_CASE("what a config asks and the model cannot do is refused by name") {
    CHECK(refusal(with("\"silu\"", "\"gelu\"")) == "hidden_act is \"gelu\", only \"silu\" is supported");
    CHECK(refusal(with("\"mistral\"", "\"llama\"")) == "model_type is \"llama\", only \"mistral\" is supported");
    CHECK(refusal(with("MistralForCausalLM", "MistralModel")) ==
          "architectures is [\"MistralModel\"], only [\"MistralForCausalLM\"] is supported");
    CHECK(refusal(with("\"hidden_act\"", "\"attention_bias\": true, \"hidden_act\"")) == "attention_bias is true, only false is supported");
    CHECK(refusal(with("\"hidden_act\"", "\"rope_scaling\": {\"type\": \"linear\"}, \"hidden_act\"")) ==
          "rope_scaling is {\"type\":\"linear\"}, only null is supported");
    CHECK(refusal(with("\"rope_theta\": 10000.0", R"("rope_parameters": {"rope_theta": 1.0, "rope_type": "yarn"})")) ==
          "rope_type is \"yarn\", only \"default\" is supported");
    CHECK(refusal(with("\"rms_norm_eps\": 1e-05, ", "")) == "rms_norm_eps is missing");
    CHECK(refusal(with("\"rope_theta\": 10000.0, ", "")) == "rope_theta is missing");
    CHECK(refusal(with("\"sliding_window\": 4096, ", "")) == "sliding_window is missing (null: none)");
    CHECK(refusal(with("\"num_key_value_heads\": 8, ", "")) == "num_key_value_heads is missing");
    CHECK(refusal(with("\"num_key_value_heads\": 8", "\"num_key_value_heads\": 7")) ==
          "hrm::transformer_config: 32 heads do not share 7 kv_heads evenly");
    CHECK(refusal(with("\"hidden_size\": 4096", "\"hidden_size\": -4096")) == "hidden_size is -4096, expected a number from 1 to 2^30");
    CHECK(refusal(with("\"hidden_size\": 4096", "\"hidden_size\": 4100")) == "hidden_size 4100 is not a multiple of num_attention_heads 32");
    CHECK(refusal("{}") == "model_type is missing");
    CHECK(refusal("") == "not a JSON object");
}

TEST_CASE("a model comes back as it was saved; bf16 storage rounds once") {
    const test::folder here;
    const auto model = example();
    save_huggingface<float>(here.file("base"), model);
    const auto back = load_huggingface<float>(here.file("base"));
    CHECK(back.config() == small);
    CHECK(matrix<float>(matrix_view<const float>(back.parameters().flat().data(), 1, back.parameters().size())) ==
          matrix<float>(matrix_view<const float>(model.parameters().flat().data(), 1, model.parameters().size())));

    const auto narrow = load_huggingface<float, bf16>(here.file("base"));
    save_huggingface<bf16>(here.file("narrow"), model);
    const auto again = load_huggingface<float>(here.file("narrow"));
    for (const auto& e : model.parameters().entries()) {  // the gaps between tensors differ: tensor by tensor
        const auto h = model.parameters().find(e.name);
        for (index_t i = 0; i < e.size(); ++i) {
            const bf16 rounded(model.parameters()[h].data[i]);
            CHECK(narrow.parameters()[h].data[i].bits == rounded.bits);
            CHECK(again.parameters()[h].data[i] == float(rounded));
        }
    }
    CHECK(tensor_file::read(here.file("narrow/model.safetensors")).dtype("model.norm.weight") == dtype::BF16);
    CHECK(tensor_file::read(here.file("narrow/model.safetensors")).shape("model.norm.weight") == std::vector<index_t>{8});
}

TEST_CASE("a tied model has no head in the file, and one that is there is passed over") {
    const test::folder here;
    auto c = small;
    c.tied = true;
    const auto model = example(c);
    save_huggingface<float>(here.file("base"), model);
    CHECK_FALSE(tensor_file::read(here.file("base/model.safetensors")).contains("lm_head.weight"));
    CHECK(load_huggingface<float>(here.file("base")).config().tied);
    save_huggingface<float>(here.file("other"), example());
    write_atomically(here.file("other/config.json"), config_text(c));
    CHECK(load_huggingface<float>(here.file("other")).config().tied);
}

TEST_CASE("missing, unexpected and mis-shaped tensors are all named, with both shapes") {
    const test::folder here;
    save_huggingface<float>(here.file("base"), example());
    const auto file = tensor_file::read(here.file("base/model.safetensors"));
    const auto load = [&] { load_huggingface<float>(here.file("base")); };
    tensor_writer out;
    for (const auto& [name, e] : file.entries())
        if (name != "lm_head.weight" && name != "model.norm.weight") out.add(name, e.dtype, e.shape, file.bytes(name));
    out.add<float>("model.norm.weight", matrix<float>(1, 9));
    out.add<float>("model.norm.bias", matrix<float>(1, 8));
    out.save(here.file("base/model.safetensors"));
    CHECK(thrown(load) == "hrm::load_huggingface: " + here.file("base") +
                              ": model.norm.bias [1, 8] is not part of the model; model.norm.weight is [1, 9], expected [8]; "
                              "lm_head.weight [11, 8] is missing");
    // Another config altogether: a few faults, then their number.
    auto wide = small;
    wide.layers = 3;
    write_atomically(here.file("base/config.json"), config_text(wide));
    CHECK(ends(thrown(load), "; and 4 more"));
    // A terabyte that is not in the file is not asked of the system.
    wide = small;
    wide.layers = index_t{1} << 30;
    write_atomically(here.file("base/config.json"), config_text(wide));
    const auto bytes = std::to_string(file_size(here.file("base/model.safetensors")));
    CHECK(ends(thrown(load), ": config.json asks for 515396075608 parameters, the files hold " + bytes + " bytes"));
    ::unlink(here.file("base/model.safetensors").c_str());
    CHECK(ends(thrown(load), "/base: neither model.safetensors nor its index.json"));
    ::unlink(here.file("base/config.json").c_str());
    CHECK(ends(thrown(load), "/base/config.json: No such file or directory"));
}

TEST_CASE("shards: read through the index, which is not trusted") {
    const test::folder here;
    const auto model = example();
    save_huggingface<float>(here.file("base"), model);
    const auto whole = tensor_file::read(here.file("base/model.safetensors"));
    ::unlink(here.file("base/model.safetensors").c_str());
    const auto load = [&] { load_huggingface<float>(here.file("base")); };
    tensor_writer shard[2];
    detail::json map;
    int n = 0;
    for (const auto& [name, e] : whole.entries()) {
        shard[n % 2].add(name, e.dtype, e.shape, whole.bytes(name));
        map[name] = n++ % 2 ? "b.safetensors" : "a.safetensors";
    }
    shard[0].save(here.file("base/a.safetensors"));
    shard[1].save(here.file("base/b.safetensors"));
    const auto index = [&](const detail::json& weight_map) {
        const detail::json j = {{"metadata", {{"total_size", 1}, {"other", "x"}}}, {"weight_map", weight_map}, {"extra", 7}};
        write_atomically(here.file("base/model.safetensors.index.json"), j.dump());
    };
    index(map);
    const auto back = load_huggingface<float>(here.file("base"));
    for (std::size_t i = 0; i < back.parameters().flat().size(); ++i)
        CHECK(back.parameters().flat()[i] == model.parameters().flat()[i]);

    for (const char* outside : {"../a.safetensors", "/etc/passwd", "..", "", "sub/a.safetensors", "a\\b"}) {
        auto changed = map;
        changed["lm_head.weight"] = outside;
        index(changed);
        CHECK(ends(thrown(load), "which is not the name of a file"));
    }
    auto changed = map;
    changed["lm_head.weight"] = 7;
    index(changed);
    CHECK(ends(thrown(load), "\"lm_head.weight\" lies in 7, which is not the name of a file"));
    changed = map;
    changed["lm_head.weight"] = map["lm_head.weight"] == "a.safetensors" ? "b.safetensors" : "a.safetensors";
    index(changed);
    CHECK(thrown(load).find("lm_head.weight") != std::string::npos);
    changed = map;
    changed.erase("lm_head.weight");
    index(changed);
    CHECK(thrown(load).find("lm_head.weight") != std::string::npos);
    changed = map;
    changed["lm_head.weight"] = "c.safetensors";
    index(changed);
    CHECK(ends(thrown(load), "c.safetensors: No such file or directory"));
    index(detail::json::object());
    CHECK(ends(thrown(load), "the weight_map is empty"));
    write_atomically(here.file("base/model.safetensors.index.json"), "{}");
    CHECK(ends(thrown(load), "no weight_map"));
}
