#include <hrm/io/peft.hpp>

#include <doctest/doctest.h>

#include "support/folder.hpp"

using namespace hrm;

namespace {

const std::string reference = HRM_TEST_DATA "/parity/data/grouped/";

/// A folder with the reference's tensors and a config of our own making.
struct lora_folder {
    test::folder here;
    detail::json config;
    explicit lora_folder(const std::string& of = "mlp") {
        config = detail::json::parse(read_text(reference + of + "/adapter_config.json"));
        write_atomically(here.file("adapter_model.safetensors"), read_file(reference + of + "/adapter_model.safetensors"));
    }
    adapter_set<float> load() const {
        write_atomically(here.file("adapter_config.json"), config.dump());
        return load_peft<float>(here.path);
    }
    std::string refusal() const {
        try {
            (void)load();
        } catch (const io_error& e) {
            const std::string what = e.what(), before = "hrm::load_peft: " + here.path + ": ";
            CHECK(what.find('\n') == what.npos);
            return what.substr(what.starts_with(before) ? before.size() : 0);
        }
        return "nothing";
    }
};

double option(const adapter<float>& a, std::string_view key) {
    for (const auto& [name, text] : a.options())
        if (name == key) return std::stod(text);
    return -1;
}

}  // namespace

TEST_CASE("rank, alpha and their patterns; the scale alpha / sqrt r of use_rslora") {
    const auto set = lora_folder().load();  // r = 3, alpha = 5, use_rslora, r = 2 for up, alpha = 7 for down
    REQUIRE(set.size() == 6);
    for (std::size_t i = 0; i < set.size(); ++i) {
        const auto& a = *set[i].adapter;
        const double rank = set[i].site == site::up ? 2 : 3, alpha = set[i].site == site::down ? 7 : 5;
        CHECK(option(a, "rank") == rank);
        CHECK(option(a, "alpha") / rank == doctest::Approx(alpha / std::sqrt(rank)).epsilon(1e-12));
        CHECK(set[i].layer == static_cast<index_t>(i / 3));
    }
    const auto plain = lora_folder("attention").load();  // r = 4, alpha = 8
    REQUIRE(plain.size() == 4);
    CHECK(option(*plain[0].adapter, "alpha") == 8);
    CHECK(plain[1].site == site::v);
    CHECK(plain[1].adapter->outputs() == 16);
}

TEST_CASE("the names of the tensors, with and without the library's prefix") {
    using detail::peft_place_of;
    for (const std::string prefix : {"base_model.model.model.", "base_model.model.", "model.", ""}) {
        const auto p = peft_place_of(prefix + "layers.12.mlp.down_proj.lora_B.weight");
        REQUIRE(p);
        CHECK(p->layer == 12);
        CHECK(p->site == site::down);
        CHECK(p->factor == 'B');
        CHECK(p->module == "model.layers.12.mlp.down_proj");
    }
    for (const char* name : {"layers.1.self_attn.q_proj.weight", "layers.x.self_attn.q_proj.lora_A.weight", "layers..mlp.up_proj.lora_A.weight",
                             "layers.1.self_attn.up_proj.lora_A.weight", "lm_head.lora_A.weight", "layers.1.mlp.up_proj.lora_magnitude_vector",
                             "layers.99999999999999999999.mlp.up_proj.lora_A.weight", "lora_A.weight", ".lora_A.weight", ""})
        CHECK_FALSE(peft_place_of(name));
}

TEST_CASE("what is not a plain LoRA is refused by name") {
    const auto with = [](const char* key, const detail::json& value) {
        lora_folder f;
        f.config[key] = value;
        return f.refusal();
    };
    CHECK(with("some_later_key", 7) == "nothing");
    CHECK(with("peft_type", "IA3") == "peft_type is not \"LORA\"");
    CHECK(with("use_dora", true) == "use_dora is true, which is not supported");
    CHECK(with("fan_in_fan_out", true) == "fan_in_fan_out is true, which is not supported");
    CHECK(with("modules_to_save", {"lm_head"}) == "modules_to_save is [\"lm_head\"], which is not supported");
    CHECK(with("bias", "all") == "bias is \"all\", only \"none\" is supported");
    CHECK(with("lora_alpha", nullptr) == "lora_alpha is missing");
    CHECK(with("lora_alpha", "8") == "lora_alpha is \"8\", expected a number");
    CHECK(with("alpha_pattern", {{".*down", 3}}) == "alpha_pattern \".*down\": regular expressions are not supported");
}

TEST_CASE("tensors without a place or a partner, and shapes that do not multiply") {
    lora_folder f("attention");
    const auto file = tensor_file::read(f.here.file("adapter_model.safetensors"));
    const std::string a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    const auto write = [&](const std::string& left_out, const std::string& added, const matrix<float>& m) {
        tensor_writer out;
        for (const auto& [name, e] : file.entries())
            if (name != left_out) out.add(name, e.dtype, e.shape, file.bytes(name));
        if (!added.empty()) out.add<float>(added, m);
        out.save(f.here.file("adapter_model.safetensors"));
    };
    write(a, "", {});
    CHECK(f.refusal() == "tensor base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight lacks its partner");
    write(a, a, matrix<float>(5, 32));
    CHECK(f.refusal() == "model.layers.0.self_attn.q_proj: lora_A is 5x32, lora_B is 32x4");
    write("", "base_model.model.lm_head.lora_A.weight", matrix<float>(4, 32));
    CHECK(f.refusal() == "tensor base_model.model.lm_head.lora_A.weight has no place in the model");
    write("", "model.layers.0.self_attn.q_proj.lora_A.weight", matrix<float>(4, 32));
    CHECK(f.refusal() == "tensor model.layers.0.self_attn.q_proj.lora_A.weight appears under two names");
    tensor_writer().save(f.here.file("adapter_model.safetensors"));
    CHECK(f.refusal() == "no LoRA tensors");
    ::unlink(f.here.file("adapter_model.safetensors").c_str());
    CHECK(f.refusal().ends_with("adapter_model.safetensors: No such file or directory"));
}
