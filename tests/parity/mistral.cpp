#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/io/huggingface.hpp>
#include <hrm/io/peft.hpp>
#include <hrm/train/loss.hpp>

// Our transformer and LoRA against PyPI's transformers and peft, on the folders that make_references.py made.

using namespace hrm;

namespace {

const std::string data = HRM_TEST_DATA "/parity/data/";

std::vector<std::int32_t> ids_of(const tensor_file& file) {
    const auto bytes = file.bytes("ids");
    REQUIRE(file.dtype("ids") == dtype::I32);
    std::vector<std::int32_t> ids(bytes.size() / 4);
    std::memcpy(ids.data(), bytes.data(), bytes.size());
    return ids;
}

template <real S>
double largest_difference(const matrix<S>& x, const matrix<S>& y) {
    REQUIRE(x.rows() == y.rows());
    REQUIRE(x.cols() == y.cols());
    double most = 0;
    for (std::size_t i = 0; i < x.flat().size(); ++i)
        most = std::max(most, std::abs(static_cast<double>(x.flat()[i]) - static_cast<double>(y.flat()[i])));
    return most;
}

/// || x - y || / || y ||.
template <real S>
double relative_difference(matrix_view<const S> x, const matrix<S>& y) {
    REQUIRE(x.rows == y.rows());
    REQUIRE(x.cols == y.cols());
    double difference = 0, norm = 0;
    for (index_t i = 0; i < x.rows; ++i)
        for (index_t j = 0; j < x.cols; ++j) {
            difference += std::pow(static_cast<double>(x(i, j)) - static_cast<double>(y(i, j)), 2);
            norm += std::pow(static_cast<double>(y(i, j)), 2);
        }
    return std::sqrt(difference / norm);
}

/// The name peft gives the tensor.
std::string peft_name(index_t layer, site where, const std::string& tensor) {
    const bool mlp = where == site::gate || where == site::up || where == site::down;
    return "base_model.model.model.layers." + std::to_string(layer) + (mlp ? ".mlp." : ".self_attn.") + std::string(name(where)) +
           "_proj." + tensor + ".weight";
}

/// Logits are of order one to ten and pass some 20 matrix products of 32 to 48 terms, so float32's rounding leaves about
/// 1e-6 to 1e-5 of difference between two orders of summation; 2e-4 is far below any mistake in the formulas.
constexpr double logits_tolerance = 2e-4, gradient_tolerance = 1e-3;

template <real S>
void compare_logits(const std::string& folder) {
    const auto model = load_huggingface<S>(data + folder);
    const auto expected = tensor_file::read(data + folder + "/expected.safetensors");
    const auto ids = ids_of(expected);
    matrix<S> logits(static_cast<index_t>(ids.size()), model.config().vocabulary);
    activations<S> keep;
    workspace ws;
    model.forward(ids, {}, logits, keep, {}, ws);
    const auto difference = largest_difference(logits, expected.to_matrix<S>("logits"));
    MESSAGE(folder, " in ", sizeof(S) * 8, " bits: logits differ by at most ", difference);
    CHECK(difference <= logits_tolerance);
}

template <real S>
void compare_lora(const std::string& folder, const std::string& adapter) {
    const auto model = load_huggingface<S>(data + folder);
    const auto ids = ids_of(tensor_file::read(data + folder + "/expected.safetensors"));
    const auto expected = tensor_file::read(data + folder + "/" + adapter + "/expected.safetensors");
    const auto adapters = load_peft<S>(data + folder + "/" + adapter);
    REQUIRE(adapters.size() > 0);
    const auto rows = static_cast<index_t>(ids.size());
    matrix<S> logits(rows, model.config().vocabulary), dlogits(rows, model.config().vocabulary);
    activations<S> keep;
    workspace ws;
    const forward_options<S> options{.mode = pass::training};
    model.forward(ids, adapters, logits, keep, options, ws);
    const auto difference = largest_difference(logits, expected.to_matrix<S>("logits"));
    CHECK(difference <= logits_tolerance);

    // The mean over the predictions of tokens 1 .. L - 1; the last row predicts nothing.
    std::vector<std::int32_t> targets(ids.begin() + 1, ids.end());
    targets.push_back(-1);
    const auto scale = 1 / static_cast<double>(rows - 1);
    const auto loss = scale * cross_entropy(matrix_view<const S>(logits), std::span<const std::int32_t>(targets), dlogits.view(), static_cast<S>(scale));
    CHECK(loss == doctest::Approx(expected.to_matrix<double>("loss")(0, 0)).epsilon(1e-5));

    buffer<S> gradient(static_cast<std::size_t>(adapters.gradient_size()));
    model.backward(ids, dlogits, adapters, gradient, {}, keep, options, ws);
    double worst = 0;
    index_t tensors = 0;
    for (std::size_t i = 0; i < adapters.size(); ++i) {
        const auto& p = adapters[i].adapter->parameters();
        for (const char* tensor : {"lora_A", "lora_B"}) {
            const auto ours = p.in(adapters.gradient_of(i, gradient), p.find(tensor));
            const auto theirs = expected.to_matrix<S>("gradient." + peft_name(adapters[i].layer, adapters[i].site, tensor));
            worst = std::max(worst, relative_difference<S>(ours, theirs));
            ++tensors;
        }
    }
    MESSAGE(folder, " with LoRA on ", adapter, " in ", sizeof(S) * 8, " bits: logits differ by at most ", difference, ", ", tensors,
            " gradients by at most ", worst, " of their norm");
    CHECK(worst <= gradient_tolerance);
    CHECK(tensors + 2 == static_cast<index_t>(expected.names().size()));  // loss and logits: every gradient was met
}

}  // namespace

TEST_CASE_TEMPLATE("logits of a random-weight MistralForCausalLM", S, float, double) {
    compare_logits<S>("grouped");
    compare_logits<S>("window");
    compare_logits<S>("tied");
}

TEST_CASE_TEMPLATE("loss, logits and LoRA gradients of peft", S, float, double) {
    compare_lora<S>("grouped", "attention");
    compare_lora<S>("grouped", "mlp");
    compare_lora<S>("window", "attention");
    compare_lora<S>("tied", "mlp");
}

TEST_CASE("the references tell a window that is off by one, and a wrong scale") {
    const auto expected = tensor_file::read(data + "window/expected.safetensors");
    const auto right = load_huggingface<float>(data + "window");
    for (const index_t change : {-1, 1}) {
        auto config = right.config();
        config.window += change;
        transformer<float> wrong(config);
        std::copy(right.parameters().flat().begin(), right.parameters().flat().end(), wrong.parameters().flat().begin());
        const auto ids = ids_of(expected);
        matrix<float> logits(static_cast<index_t>(ids.size()), config.vocabulary);
        activations<float> keep;
        workspace ws;
        wrong.forward(ids, {}, logits, keep, {}, ws);
        CHECK(largest_difference(logits, expected.to_matrix<float>("logits")) > 100 * logits_tolerance);
    }
}
