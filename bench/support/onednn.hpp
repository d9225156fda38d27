#pragma once

#include <cstring>
#include <vector>

#include <dnnl.hpp>

#include <hrm/core/matrix.hpp>

// LoRA by oneDNN's matrix products in bf16, as its users write it; the gradients of A and B in float.

namespace hrm::bench {

class onednn_lora {
public:
    /// u, out, dout, du: L x d, not owned.
    onednn_lora(matrix<bf16>& u, matrix<bf16>& out, matrix<bf16>& dout, matrix<bf16>& du, index_t rank)
        : a_(rank, u.cols()), b_(u.cols(), rank), z_(u.rows(), rank), g_(u.rows(), rank), da_(rank, u.cols()), db_(u.cols(), rank) {
        add(forward_, u, a_, z_, false, true, false);
        add(forward_, z_, b_, out, false, true, true);
        add(backward_, dout, z_, db_, true, false, true);
        add(backward_, dout, b_, g_, false, false, false);
        add(backward_, g_, u, da_, true, false, true);
        add(backward_, g_, a_, du, false, false, true);
    }
    /// Whether oneDNN has more than its reference loops for all of it: in bf16 where there is AVX-512, else it does nothing.
    bool fast() const { return fast_; }
    void forward() { run(forward_); }
    void both() { run(forward_), run(backward_); }

private:
    struct product {
        dnnl::matmul matmul;
        dnnl::memory a, b, c;
    };
    template <class T>
    dnnl::memory whole(matrix<T>& m, bool turned) {
        using memory = dnnl::memory;
        const auto type = std::same_as<T, bf16> ? memory::data_type::bf16 : memory::data_type::f32;
        const memory::dim rows = m.rows(), cols = m.cols();
        const auto shape = turned ? memory::desc({cols, rows}, type, {1, cols}) : memory::desc({rows, cols}, type, {cols, 1});
        return {shape, engine_, m.data()};
    }
    /// c = a b, or c += 2 a b.
    template <class C>
    void add(std::vector<product>& to, matrix<bf16>& a, matrix<bf16>& b, matrix<C>& c, bool a_turned, bool b_turned, bool on_top) {
        const auto x = whole(a, a_turned), y = whole(b, b_turned), z = whole(c, false);
        dnnl::primitive_attr how;
        if (on_top) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            how.set_output_scales(0, {2.0f});
            how.set_post_ops(sum);
        }
        const dnnl::matmul::primitive_desc made({x.get_desc(), y.get_desc(), z.get_desc()}, how, engine_, true);
        fast_ = fast_ && made && std::strstr(made.impl_info_str(), "ref") == nullptr;
        if (fast_) to.push_back({dnnl::matmul(made), x, y, z});
    }
    void run(const std::vector<product>& all) {
        for (const auto& p : all) p.matmul.execute(stream_, {{DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}});
        stream_.wait();
    }

    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream_{engine_};
    matrix<bf16> a_, b_, z_, g_;
    matrix<float> da_, db_;
    std::vector<product> forward_, backward_;
    bool fast_ = true;
};

}  // namespace hrm::bench
