#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <hrm/adapter/factory.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/io/detail/json.hpp>
#include <hrm/io/safetensors.hpp>

// All adapters of a model in one safetensors file. To save and to load:
//     hrm::save_adapters("eigen.safetensors", adapters);
//     auto adapters = hrm::load_adapters<float>("eigen.safetensors");
//     model.forward(tokens, adapters, logits, ...);
// A tensor is called layers.{layer}.{site}.{kind}.{its name in the adapter}; where a place holds several adapters of one
// kind, the second is {kind}-2 and so on. The metadata "adapters" lists them in the order attached, as JSON:
//     [{"name": "layers.0.mlp_input.hrm", "layer": 0, "site": "mlp_input", "kind": "hrm", "inputs": 128, "outputs": 128,
//       "options": {"states": "32", ...}}, ...]

namespace hrm {

/// Makes an adapter of one kind from what its options() said; its tensors are filled afterwards.
template <real S>
using adapter_factory = std::function<std::unique_ptr<adapter<S>>(index_t inputs, index_t outputs, const option_list& options)>;

/// Kinds beside the library's own (factory.hpp), by kind(). A kind of yours is one line:
///     hrm::adapter_registry<float> kinds;
///     kinds["mine"] = [](hrm::index_t in, hrm::index_t out, const hrm::option_list& o) { return std::make_unique<mine>(in, out, o); };
///     auto adapters = hrm::load_adapters<float>("file.safetensors", kinds);
template <real S>
using adapter_registry = std::map<std::string, adapter_factory<S>>;

/// Writes a set, replacing the file atomically. Any kind can be written: nothing is asked but its tensors and options().
template <real S>
void save_adapters(const std::string& path, const adapter_set<S>& set) {
    tensor_writer out;
    std::map<std::string, int> taken;
    auto list = detail::json::array();
    for (const auto& a : set) {
        const auto& it = *a.adapter;
        auto name = "layers." + std::to_string(a.layer) + "." + std::string(hrm::name(a.site)) + "." + std::string(it.kind());
        if (const int n = ++taken[name]; n > 1) name += "-" + std::to_string(n);
        auto options = detail::json::object();
        for (const auto& [key, text] : it.options()) options[key] = text;
        list.push_back({{"name", name}, {"layer", a.layer}, {"site", hrm::name(a.site)}, {"kind", it.kind()},
                        {"inputs", it.inputs()}, {"outputs", it.outputs()}, {"options", options}});
        const auto& p = it.parameters();
        for (std::size_t i = 0; i < p.entries().size(); ++i)
            out.add<S>(name + "." + p.entries()[i].name, p[static_cast<index_t>(i)]);
    }
    out.metadata["format"] = "pt";
    out.metadata["adapters"] = list.dump();
    out.save(path);
}

namespace detail {

/// Reads the fields of one element of the list "adapters", and names what is wrong with it.
class adapter_record {
public:
    adapter_record(const json& j, std::string where) : json_(j), where_(std::move(where)) {
        if (!j.is_object()) fail("an adapter's entry is not an object");
        name = text("name");
        where_ += ": " + name;
        kind = text("kind");
        layer = number("layer");
        inputs = number("inputs");
        outputs = number("outputs");
        if (!j.contains("options") || !j["options"].is_object()) fail("no options");
        for (const auto& [key, value] : j["options"].items()) {
            if (!value.is_string()) fail("option " + key + " is not a string");
            options.emplace_back(key, value.template get<std::string>());
        }
        try {
            where_attached = site_from(text("site"));
        } catch (const error& e) {
            fail(e.what());
        }
    }
    [[noreturn]] void fail(const std::string& what) const { throw io_error(where_ + ": " + what); }

    std::string name, kind;
    index_t layer = 0, inputs = 0, outputs = 0;
    site where_attached = site::mlp_input;
    option_list options;

private:
    std::string text(const char* key) const {
        if (!json_.contains(key) || !json_[key].is_string()) fail(std::string("no ") + key);
        return json_[key].get<std::string>();
    }
    index_t number(const char* key) const {
        if (!json_.contains(key) || !json_[key].is_number_unsigned() || json_[key] > (1u << 30))
            fail(std::string(key) + " is missing or no number up to 2^30");
        return json_[key].get<index_t>();
    }
    const json& json_;
    std::string where_;
};

/// Options may lie: an adapter of the library's own kinds whose B and C (LoRA's A and B, a dense A) could not lie in the
/// file is refused before it is allocated. Small lies pass: what they miss is then named tensor by tensor.
inline void require_filled(const adapter_record& r, const tensor_file& file) {
    constexpr double spared = 0x1p20;  // numbers nobody minds
    double order = 1, full = 0, held = 0;
    for (const char* key : {"rank", "states", "reals", "pairs", "full"}) {
        double n = 0;
        read_option(r.options, key, n);
        order = std::max(order, n);
    }
    read_option(r.options, "full", full);
    const double least = order * (static_cast<double>(r.inputs + r.outputs) + full);
    for (const auto& [name, e] : file.entries()) held += static_cast<double>(e.elements);
    if (least > held + spared)
        throw error("its options ask for " + number_text(least) + " numbers or more, the file holds " + number_text(held));
}

/// The adapter a record describes, filled from the file; the names of its tensors are struck off `left`.
template <real S>
std::unique_ptr<adapter<S>> restore_adapter(const adapter_record& r, const tensor_file& file,
                                            const adapter_registry<S>& kinds, std::set<std::string>& left) {
    std::unique_ptr<adapter<S>> a;
    try {
        const auto own = kinds.find(r.kind);
        if (own == kinds.end()) require_filled(r, file);
        a = own == kinds.end() ? make_adapter<S>(r.kind, r.inputs, r.outputs, r.options)
                               : own->second(r.inputs, r.outputs, r.options);
    } catch (const error& e) {
        r.fail(e.what());
    } catch (const std::bad_alloc&) {
        r.fail("out of memory");
    } catch (const std::length_error&) {
        r.fail("out of memory");
    }
    auto& p = a->parameters();
    for (std::size_t i = 0; i < p.entries().size(); ++i) {
        const auto& e = p.entries()[i];
        const auto name = r.name + "." + e.name;
        const std::vector<index_t> expected{e.rows, e.cols};
        if (!left.erase(name)) r.fail("tensor " + name + " " + to_text(expected) + " is missing");
        if (file.shape(name) != expected)
            r.fail("tensor " + name + " is " + to_text(file.shape(name)) + ", expected " + to_text(expected));
        file.copy_to(name, p.flat().subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.size())));
    }
    return a;
}

}  // namespace detail

/// Reads a set: bit by bit what save_adapters wrote (in another scalar S: rounded), in the same order.
/// Throws io_error naming the adapter and the tensor: an unknown kind, missing, mis-shaped or spare tensors.
template <real S>
adapter_set<S> load_adapters(const std::string& path, const adapter_registry<S>& kinds = {}) {
    const auto file = tensor_file::read(path);
    const auto where = "hrm::load_adapters: " + path;
    const auto found = file.metadata().find("adapters");
    if (found == file.metadata().end()) throw io_error(where + ": no adapters in its metadata");
    const auto list = detail::parse_object("{\"adapters\":" + found->second + "}", where)["adapters"];
    if (!list.is_array()) throw io_error(where + ": the metadata \"adapters\" is not a list");

    const auto names = file.names();
    std::set<std::string> left(names.begin(), names.end());
    adapter_set<S> set;
    for (const auto& j : list) {
        const detail::adapter_record r(j, where);
        set.attach(r.layer, r.where_attached, detail::restore_adapter(r, file, kinds, left));
    }
    if (!left.empty()) throw io_error(where + ": tensor " + *left.begin() + " belongs to no adapter");
    return set;
}

}  // namespace hrm
