#include <hrm/io/adapter_file.hpp>

#include <functional>

#include <doctest/doctest.h>

#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>

#include "support/folder.hpp"

using namespace hrm;

namespace {

/// A third kind, as a user would write it: out_t += b.
template <real S>
class offset_adapter final : public adapter<S> {
public:
    explicit offset_adapter(index_t width) : width_(width) { b_ = this->parameters_.add("b", 1, width, decay::no); }
    std::string_view kind() const override { return "offset"; }
    index_t inputs() const override { return width_; }
    index_t outputs() const override { return width_; }
    std::unique_ptr<adapter<S>> clone() const override { return std::make_unique<offset_adapter>(*this); }
    option_list options() const override { return {{"word", "a \"quoted\" \u00e9"}}; }
    void forward(matrix_view<const S> u, matrix_view<S> out, const call<S>&, kept<S>&, workspace&) const override {
        for (index_t t = 0; t < u.rows; ++t)
            for (index_t j = 0; j < width_; ++j) out(t, j) += this->parameters_[b_](0, j);
    }
    void backward(matrix_view<const S>, matrix_view<const S> dout, matrix_view<S>, std::span<S> gradient, const call<S>&,
                  const kept<S>&, workspace&) const override {
        for (index_t t = 0; t < dout.rows; ++t)
            for (index_t j = 0; j < width_; ++j) this->parameters_.in(gradient, b_)(0, j) += dout(t, j);
    }

private:
    index_t width_, b_ = 0;
};

template <real S>
adapter_registry<S> offset_kind() {
    adapter_registry<S> kinds;
    kinds["offset"] = [](index_t inputs, index_t, const option_list&) { return std::make_unique<offset_adapter<S>>(inputs); };
    return kinds;
}

/// Several kinds, two of one kind in one place, tensors of random numbers.
template <real S>
adapter_set<S> example(bool with_offset = true) {
    adapter_set<S> set;
    random_stream r(3);
    set.attach(1, site::q, std::make_unique<lora<S>>(6, 10, lora_options{.rank = 2, .alpha = 0.1, .dropout = 0.25}, r));
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<S>>(6, 6, hrm_options::published(4), r));
    set.attach(0, site::mlp_input, std::make_unique<hrm_adapter<S>>(6, 6, hrm_options::shipped(8), r));
    auto pairs = hrm_options::shipped(6);
    pairs.static_states = 2;
    pairs.poles = poles::complex_pairs;
    pairs.gate = gate::token;
    pairs.gate_start = 0.5;
    pairs.learn_initial_state = true;
    pairs.longest_memory = 1.0 / 3 + 100;
    set.attach(11, site::attention_output, std::make_unique<hrm_adapter<S>>(6, 6, pairs, r));
    if (with_offset) set.attach(2, site::block, std::make_unique<offset_adapter<S>>(6));
    for (auto& a : set)
        for (const auto& e : a.adapter->parameters().entries()) {
            auto& p = a.adapter->parameters();
            const auto m = p[p.find(e.name)];
            for (index_t i = 0; i < m.size(); ++i) m.data[i] = static_cast<S>(0.5 * r.normal());
        }
    return set;
}

template <real S>
bool same(const adapter_set<S>& x, const adapter_set<S>& y) {
    if (x.size() != y.size()) return false;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto &a = *x[i].adapter, &b = *y[i].adapter;
        if (x[i].layer != y[i].layer || x[i].site != y[i].site || x[i].offset != y[i].offset) return false;
        if (a.kind() != b.kind() || a.inputs() != b.inputs() || a.outputs() != b.outputs() || a.options() != b.options()) return false;
        const auto p = a.parameters().flat(), q = b.parameters().flat();
        if (p.size() != q.size() || std::memcmp(p.data(), q.data(), p.size_bytes()) != 0) return false;
    }
    return true;
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

/// The saved example with its metadata changed, or with tensors added or left out.
struct edited {
    test::folder here;
    std::string path = here.file("a");
    detail::json list;
    std::string left_out;
    matrix<float> spare;
    edited() {
        save_adapters(path, example<float>());
        list = detail::json::parse(tensor_file::read(path).metadata().at("adapters"));
    }
    std::string refusal() {
        const auto file = tensor_file::read(path);
        tensor_writer out;
        out.metadata["adapters"] = list.dump();
        for (const auto& [name, e] : file.entries())
            if (name != left_out) out.add(name, e.dtype, e.shape, file.bytes(name));
        if (!spare.empty()) out.add<float>(left_out.empty() ? "layers.9.q.lora.lora_A" : left_out, spare);
        out.save(here.file("b"));
        const auto what = thrown([&] { load_adapters<float>(here.file("b"), offset_kind<float>()); });
        const auto before = "hrm::load_adapters: " + here.file("b") + ": ";
        return what.starts_with(before) ? what.substr(before.size()) : what;
    }
};

}  // namespace

TEST_CASE_TEMPLATE("a set comes back bit by bit: kinds, places, order, options, tensors", S, float, double) {
    const test::folder here;
    const auto set = example<S>();
    save_adapters(here.file("a"), set);
    const auto back = load_adapters<S>(here.file("a"), offset_kind<S>());
    CHECK(same(back, set));
    save_adapters(here.file("b"), back);
    CHECK(read_file(here.file("a")) == read_file(here.file("b")));
    const auto plain = example<S>(false);
    save_adapters(here.file("c"), plain);
    CHECK(same(load_adapters<S>(here.file("c")), plain));
    save_adapters(here.file("c"), adapter_set<S>());
    CHECK(load_adapters<S>(here.file("c")).empty());
}

TEST_CASE("what was loaded computes the same bits, dropout mask included") {
    const test::folder here;
    const auto set = example<float>();
    save_adapters(here.file("a"), set);
    const auto back = load_adapters<float>(here.file("a"), offset_kind<float>());
    for (std::size_t i = 0; i < set.size(); ++i) {
        matrix<float> u(5, set[i].adapter->inputs()), one(5, set[i].adapter->outputs()), two = one;
        random_stream r(9);
        r.fill_normal(u.flat());
        workspace ws;
        kept<float> keep;
        set[i].adapter->forward(u, one, {.mode = pass::training, .draw = 4}, keep, ws);
        back[i].adapter->forward(u, two, {.mode = pass::training, .draw = 4}, keep, ws);
        CHECK(one == two);
        CHECK(one != matrix<float>(5, set[i].adapter->outputs()));
    }
}

TEST_CASE("names in the file are layer, site, kind and tensor; the next of a kind at one place is numbered") {
    const test::folder here;
    save_adapters(here.file("a"), example<float>());
    const auto file = tensor_file::read(here.file("a"));
    for (const char* name : {"layers.1.q.lora.lora_A", "layers.1.q.lora.lora_B", "layers.2.block.offset.b"}) CHECK(file.contains(name));
    int first = 0, second = 0;
    for (const auto& name : file.names()) {
        first += name.starts_with("layers.0.mlp_input.hrm.");
        second += name.starts_with("layers.0.mlp_input.hrm-2.");
    }
    CHECK(first > 0);
    CHECK(second > 0);
}

TEST_CASE("a file of doubles loads as floats, rounded") {
    const test::folder here;
    const auto set = example<double>();
    save_adapters(here.file("a"), set);
    const auto back = load_adapters<float>(here.file("a"), offset_kind<float>());
    CHECK(back[0].adapter->parameters()[0](1, 2) == static_cast<float>(set[0].adapter->parameters()[0](1, 2)));
}

TEST_CASE("a kind nobody registered is named beside those that are known") {
    const test::folder here;
    save_adapters(here.file("a"), example<float>());
    const auto what = thrown([&] { load_adapters<float>(here.file("a")); });
    CHECK(what.starts_with("hrm::load_adapters: " + here.file("a") + ": layers.2.block.offset: hrm::make_adapter: kind is \"offset\", expected lora"));
}

TEST_CASE("missing, spare and mis-shaped tensors") {
    edited e;
    CHECK(e.refusal() == "nothing");
    e.left_out = "layers.1.q.lora.lora_B";
    CHECK(e.refusal() == "layers.1.q.lora: tensor layers.1.q.lora.lora_B [10, 2] is missing");
    e.spare = matrix<float>(10, 3);
    CHECK(e.refusal() == "layers.1.q.lora: tensor layers.1.q.lora.lora_B is [10, 3], expected [10, 2]");
    e.left_out.clear();
    CHECK(e.refusal() == "tensor layers.9.q.lora.lora_A belongs to no adapter");
}

TEST_CASE("metadata from a stranger") {
    const auto refusal = [](auto&& change) {
        edited e;
        change(e.list);
        return e.refusal();
    };
    using json = detail::json;
    CHECK(refusal([](json& j) { j[0]["site"] = "nose"; }) == "layers.1.q.lora: hrm::site: \"nose\" is not a site");
    CHECK(refusal([](json& j) { j[0]["layer"] = -1; }) == "layers.1.q.lora: layer is missing or no number up to 2^30");
    CHECK(refusal([](json& j) { j[0]["inputs"] = 7; }) ==
          "layers.1.q.lora: tensor layers.1.q.lora.lora_A is [2, 6], expected [2, 7]");
    CHECK(refusal([](json& j) { j[0]["inputs"] = 1u << 31; }) == "layers.1.q.lora: inputs is missing or no number up to 2^30");
    CHECK(refusal([](json& j) { j[0]["inputs"] = 0; }).starts_with("layers.1.q.lora: hrm::lora: "));
    CHECK(refusal([](json& j) { j[0]["options"]["rank"] = "2x"; }).starts_with("layers.1.q.lora: hrm::adapter: option rank is \"2x\""));
    CHECK(refusal([](json& j) { j[0]["options"]["rank"] = "-3"; }).starts_with("layers.1.q.lora: hrm::lora: rank is -3"));
    // Refused before anything is allocated; 2^61 rows of 8 numbers: a product that would wrap to 0.
    for (const char* rank : {"200000000", "4000000000000", "2305843009213693952"})
        CHECK(refusal([&](json& j) { j[0]["inputs"] = 8, j[0]["options"]["rank"] = rank; }).starts_with("layers.1.q.lora: its options ask for "));
    CHECK(refusal([](json& j) { j[1]["outputs"] = 1 << 30; }).find(": its options ask for ") != std::string::npos);
    CHECK(refusal([](json& j) { j[1]["kind"] = "hrm-reduced", j[1]["inputs"] = j[1]["outputs"] = 1, j[1]["options"] = {{"full", "40000"}}; })
              .find(": its options ask for 1600080000 numbers or more, the file holds ") != std::string::npos);
    CHECK(refusal([](json& j) { j[0]["options"]["ranks"] = "2"; }) == "layers.1.q.lora: hrm::make_adapter: lora has no option \"ranks\"");
    CHECK(refusal([](json& j) { j[1]["options"]["alpha"] = "1"; }).ends_with(": hrm::make_adapter: hrm has no option \"alpha\""));
    CHECK(refusal([](json& j) { j[0]["options"]["rank"] = 2; }) == "layers.1.q.lora: option rank is not a string");
    CHECK(refusal([](json& j) { j[0].erase("kind"); }) == "layers.1.q.lora: no kind");
    CHECK(refusal([](json& j) { j[0].erase("options"); }) == "layers.1.q.lora: no options");
    CHECK(refusal([](json& j) { j[0].erase("name"); }) == "no name");
    CHECK(refusal([](json& j) { j[1] = j[0]; }) == "layers.1.q.lora: tensor layers.1.q.lora.lora_A [2, 6] is missing");
    CHECK(refusal([](json& j) { j[0] = 7; }) == "an adapter's entry is not an object");
    CHECK(refusal([](json& j) { j = 7; }) == "the metadata \"adapters\" is not a list");

    const test::folder here;
    tensor_writer out;
    out.save(here.file("a"));
    CHECK(thrown([&] { load_adapters<float>(here.file("a")); }).ends_with("no adapters in its metadata"));
    CHECK(thrown([&] { load_adapters<float>(here.file("b")); }).ends_with("No such file or directory"));
}
