// The layers of a transformer one by one, each beside PyTorch's on one thread (HRM_TORCH_PYTHON): products with a weight,
// attention with a window (eight heads of 64 over two of keys; PyTorch's by pieces of a window, for its own attention has no
// window: with a mask it takes the time of all keys), RMSNorm, and a frozen head with its cross-entropy over a large vocabulary.

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>
#include <hrm/model/attention.hpp>
#include <hrm/model/linear.hpp>
#include <hrm/model/rms_norm.hpp>
#include <hrm/train/next_token.hpp>

#include "support/child.hpp"
#include "support/harness.hpp"

namespace {

using namespace hrm;

class layers {
public:
    layers() : torch_(bench::torch_peer(HRM_BENCH_SOURCE "/peers/torch_layers.py", "torch")), report_("layers", {.rounds = 9, .budget_s = 4}) {}
    int finish() const { return report_.finish(); }

    void linear(index_t rows, index_t in, index_t out) {
        auto x = draw(rows, in), w = draw(out, in), y = draw(rows, out), dw = draw(out, in);
        compare("x W^T", "linear", {rows, in, out}, [&] { linear_forward<float, float>(x.view(), w.view(), y.view()); });
        compare("dy W and dy^T x", "linear_back", {rows, in, out}, [&] {
            linear_backward<float, float>(y.view(), w.view(), x.view());
            linear_weight_backward<float>(y.view(), x.view(), dw.view());
        });
    }
    void attention(index_t rows, index_t window) {
        const attention_shape a{8, 2, 64};
        auto q = draw(rows, 512), k = draw(rows, 128), v = draw(rows, 128), out = draw(rows, 512), dout = draw(rows, 512);
        matrix<float> dq(rows, 512), dk(rows, 128), dv(rows, 128), lse(a.heads, rows);
        std::vector<index_t> first(static_cast<std::size_t>(rows));
        visible_from(first, 0, window, {});
        compare("attention", "attention", {rows, window}, [&] { attention_forward<float>(a, first, q, k, v, out.view(), lse.view(), ws_); });
        compare("its backward", "attention_back", {rows, window}, [&] {
            attention_backward<float>(a, first, q, k, v, out, lse, dout, dq.view(), dk.view(), dv.view(), ws_);
        });
    }
    void norm(index_t rows, index_t width) {
        auto x = draw(rows, width), w = draw(1, width), dy = draw(rows, width);
        matrix<float> y(rows, width), dx(rows, width), dw(1, width);
        std::vector<float> r(static_cast<std::size_t>(rows));
        compare("RMSNorm", "norm", {rows, width}, [&] { rms_norm_forward<float, float>(x.view(), w.view(), 1e-5, y.view(), r); });
        compare("its backward", "norm_back", {rows, width}, [&] { rms_norm_backward<float, float>(x.view(), w.view(), r, dy.view(), dx.view(), dw.view()); });
    }
    /// As next_token_loss does it: a few rows of logits at a time.
    void loss(index_t rows, index_t width, index_t vocabulary) {
        auto x = draw(rows, width), w = draw(vocabulary, width);
        const index_t step = logit_rows(rows, vocabulary);
        matrix<float> some(step, vocabulary), dx(rows, width);
        std::vector<std::int32_t> targets(static_cast<std::size_t>(rows));
        for (auto& t : targets) t = static_cast<std::int32_t>(random_.below(vocabulary));
        compare("head and cross-entropy", "loss", {rows, width, vocabulary}, [&] {
            for (index_t t = 0; t < rows; t += step) {
                const index_t n = std::min(step, rows - t);
                const auto logits = some.view().slice_rows(0, n);
                linear_forward<float, float>(x.view().slice_rows(t, n), w.view(), logits);
                cross_entropy<float>(logits, std::span<const std::int32_t>(targets).subspan(static_cast<std::size_t>(t), static_cast<std::size_t>(n)), logits);
                linear_backward<float, float>(logits, w.view(), dx.view().slice_rows(t, n));
            }
        });
    }

private:
    matrix<float> draw(index_t rows, index_t cols) {
        matrix<float> m(rows, cols);
        random_.fill_normal(m.flat());
        return m;
    }
    void compare(const std::string& name, std::string asked, const std::vector<index_t>& extents, const std::function<void()>& ours) {
        std::string shown = name;
        for (const auto n : extents) asked += " " + std::to_string(n), shown += " " + std::to_string(n);
        if (!torch_) return report_.within(shown, ours, 1);
        report_.compare(shown, ours, {{"PyTorch", {}, 1.5, [this, asked](long n) { return torch_->number(asked + " " + std::to_string(n)); }}});
    }

    std::unique_ptr<bench::child> torch_;
    bench::report report_;
    random_stream random_{1};
    workspace ws_;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string only = argc > 1 ? argv[1] : "";
    const auto wanted = [&](const char* part) { return only.empty() || only == part; };
    layers l;
    if (wanted("linear"))
        for (const auto& [rows, in, out] : {std::array<index_t, 3>{1024, 128, 384}, {1024, 384, 128}, {512, 1024, 1024}, {2048, 1024, 2816}, {16, 1024, 1024}, {1, 1024, 1024}}) l.linear(rows, in, out);
    if (wanted("attention"))
        for (const auto& [rows, window] : {std::array<index_t, 2>{512, 64}, {2048, 64}, {8192, 64}, {2048, 512}, {8192, 512}, {512, 512}, {2048, 2048}}) l.attention(rows, window);
    if (wanted("norm"))
        for (const auto& [rows, width] : {std::array<index_t, 2>{1024, 128}, {2048, 1024}, {512, 4096}}) l.norm(rows, width);
    if (wanted("loss"))
        for (const auto& [rows, width, vocabulary] : {std::array<index_t, 3>{512, 256, 32768}, {256, 512, 131072}}) l.loss(rows, width, vocabulary);
    return l.finish();
}
